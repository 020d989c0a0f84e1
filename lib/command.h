/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_COMMAND_H
#define PROBEKIT_COMMAND_H
/* A program that the session starts: held before its first instruction, released, waited for. */
#include <sys/types.h>

#include "object.h"

struct command {
	char **argv;	 /* NULL: none */
	char *path;	 /* what argv[0] is in PATH */
	pid_t pid;	 /* 0: not started */
	int release_fd;	 /* writing lets it run; closing ends it unborn */
	int failure_fd;	 /* errno of a failed execve() */
	int status;	 /* as in child_status; -1: still running */
	uint64_t cpu_ns; /* as in child_cpu_ns, once it has ended */
	/* It leads a process group of its own, which ends with it, and it dies with the thread that starts it. Its
	 * number stays its own until command_done(): signals can go there at any time. */
	bool leads_group;
};

/* Finds the program; starts nothing. -ENOENT, -EACCES. */
int command_find(struct command *command, char *const argv[], struct probekit_error *err);
/* Forks the held child, whose output goes where the options say. */
int command_start(struct command *command, const struct probekit_session_options *options,
		  struct probekit_error *err);
/* Lets it execute; an error when it cannot be. */
int command_release(struct command *command, struct probekit_error *err);
/* Collects the exit status if it has ended. */
void command_reap(struct command *command);
/* SIGTERM, and SIGKILL 5 s later, until it has ended. */
void command_end(struct command *command);
void command_done(struct command *command);

/* Adds the program's file and the libraries its loader says it needs. A script has none: what it
 * executes is found later. */
int command_objects(const struct command *command, struct objects *objects,
		    struct probekit_error *err);

#endif
