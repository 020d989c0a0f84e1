/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_MEASURE_H
#define PROBEKIT_CLI_MEASURE_H
/* Running a started session to its end: the limit, the targets' end, or a signal. */
#include <stdbool.h>
#include <stdint.h>

#include <probekit/probekit.h>

#include "opts.h"

/* Which processes besides TARGET, PIDs and command. */
struct measure_whom {
	bool has_children;
	const char *cgroup;
};

/* The rows for a command's option table; `member` of its struct is a struct measure_whom. */
#define MEASURE_WHOM_OPTIONS(type, member)                                                          \
	{0,                                                                                         \
	 "children",                                                                                \
	 OPT_FLAG,                                                                                  \
	 NULL,                                                                                      \
	 offsetof(type, member.has_children),                                                       \
	 "Measure the processes too that a measured one creates from now on, and theirs, and "      \
	 "what they execute; not those that it has already."},                                      \
	{                                                                                           \
		0, "cgroup", OPT_TEXT, "PATH", offsetof(type, member.cgroup),                       \
			"Only processes in this cgroup and below, now or later: a container, a "    \
			"service. PATH is absolute or below /sys/fs/cgroup; with TARGET, those of " \
			"them that run it."                                                         \
	}

/* What is measured, as options name it. */
struct measure_what {
	struct opt_texts spans;
	struct opt_texts pairs;
	struct opt_texts functions;
};

/* The rows for a command's option table, with what they do there; `member` of its struct is a struct
 * measure_what. */
#define MEASURE_WHAT_ROWS(type, member, span_help, usdt_help, function_help)                      \
	{'s', "span", OPT_TEXTS, "GLOB", offsetof(type, member.spans), span_help},                \
		{'u',	   "usdt", OPT_TEXTS, "PROVIDER:BEGIN,END", offsetof(type, member.pairs), \
		 usdt_help},                                                                      \
	{                                                                                         \
		'f', "function", OPT_TEXTS, "[LIB:]GLOB", offsetof(type, member.functions),       \
			function_help                                                             \
	}

/* Where they are what is measured. */
#define MEASURE_WHAT_OPTIONS(type, member)                                                               \
	MEASURE_WHAT_ROWS(                                                                               \
		type, member, "Spans whose \"provider:name\" matches; repeat for more.",                 \
		"The time from one USDT probe to another on the same thread; \"A|B\" ends at the "       \
		"first. Repeat for more.",                                                               \
		"Functions, from their entry to their return: the program's own, or those of a library " \
		"that it maps (\"libc:fsync\"). Repeat for more.")

/* What ended a measurement. */
enum measure_end {
	MEASURE_ENDED,	     /* every target has, or there were slow spans enough */
	MEASURE_ELAPSED,     /* duration_ns */
	MEASURE_INTERRUPTED, /* by a signal */
};

struct measure {
	struct probekit_session *session;
	uint64_t duration_ns; /* 0: no limit */
	uint64_t interval_ns; /* 0: none */
	uint64_t until_slow;  /* stop at so many slow spans; 0: do not */
	bool has_command;
	bool has_no_spans; /* of which progress is told */
	/* What was added in one interval. The deltas, of which the last comes after the end, add up
	 * to the whole. Returns 0 or a negative errno with `err` filled. */
	int (*interval)(void *arg, const struct probekit_snapshot *delta,
			struct probekit_error *err);
	/* There is a deadlock that was not told before; NULL: that is of no interest. */
	void (*deadlock)(void *arg, const struct probekit_snapshot *snapshot);
	/* Called several times a second; or NULL. */
	void (*look)(void *arg);
	void *arg;
};

/* All that `what` names, the TARGET and the processes. */
int measure_add_what(struct probekit_session *session, const struct measure_what *what,
		     const struct opt_pids *pids, const struct opt_operands *operands,
		     struct probekit_error *err);
/* For a session's `log`; `log_arg` is a bool: tell what is no warning too. */
void measure_log(void *is_verbose, enum probekit_log_level level, const char *line);
int measure_check_whom(const struct measure_whom *whom, const struct opt_operands *operands,
		       const struct opt_pids *pids, struct probekit_error *err);
int measure_add_whom(struct probekit_session *session, const struct measure_whom *whom,
		     const struct opt_operands *operands, struct probekit_error *err);
/* Says on stderr where no process is measured yet. */
void measure_say_waiting(const struct probekit_session *session, const struct measure_whom *whom,
			 const struct opt_operands *operands);

/* SIGINT and SIGTERM only end the measurement from here on; a second one ends the process. */
void measure_catch_signals(void);
bool measure_is_interrupted(void);
/* Polls until the end, an enum measure_end, and stops the session. On error, a negative errno, it is stopped
 * too, and what was measured until then can be had. */
int measure_run(const struct measure *measure, struct probekit_error *err);

#endif
