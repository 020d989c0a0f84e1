/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_RUNS_H
#define PROBEKIT_CLI_RUNS_H
/* Fresh runs of commands, each measured from its first instruction to its end. */
#include <stdbool.h>
#include <stdint.h>

#include <probekit/probekit.h>

#include "measure.h"

/* What is run, and what of it is measured. */
struct run_request {
	char *const *argv; /* NULL-terminated */
	const struct measure_what *what;
	double max_overhead;
	bool has_children;
	bool is_verbose;
	uint64_t outputs;    /* capabilities that are needed to write what comes of the runs */
	bool is_last;	     /* no other run follows */
	uint64_t timeout_ns; /* 0: none; a run that lasts longer is ended, and an error */
};

/* What one run left. */
struct run_result {
	struct probekit_snapshot *snapshot; /* its environment and child_cpu_ns among the rest */
	double cpu_share; /* of its wall time that it was on a CPU, all its threads together; NAN: not known */
	bool has_left_group; /* a process was seen that descends from it and has left its group */
};

/*
 * Runs the command once. What it prints goes to a file of its own, which is kept where the run fails:
 * an exit status other than 0, a signal, or the timeout is an error that names the file. SIGINT and SIGTERM
 * end it: -EINTR. It leads a process group, of which nothing is left running however probekit or the command
 * ends. Free the snapshot.
 */
int run_once(const struct run_request *request, struct run_result *result,
	     struct probekit_error *err);

/* ---- the steps of run_once(), for those who do other things between them ---- */

struct run {
	const struct run_request *request;
	struct probekit_session *session; /* not started yet */
	int output_fd; /* of a file without a name, which takes what the command prints */
};

/* Everything up to the session's start. `is_by_turns`: the command will be held, and time in which it is stopped
 * is in no span. On error nothing is left; else run_close() is due. */
int run_open(struct run *run, const struct run_request *request, bool is_by_turns,
	     struct probekit_error *err);
/* Once all is started that runs at a time: gives up what neither these runs nor those after them need. */
void run_give_up_rights(const struct run *run);
/* What the stopped session has measured, or the error that the command's status is. `has_timed_out`: it was
 * ended as it took too long. */
int run_finish(struct run *run, bool has_timed_out, struct run_result *result,
	       struct probekit_error *err);
/* Ends the command if need be. The file is gone unless run_finish() has named it. */
void run_close(struct run *run);

#endif
