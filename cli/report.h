/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_REPORT_H
#define PROBEKIT_CLI_REPORT_H
/* What commands share that measure, or take from a file, a snapshot and show it: options, the way from
 * them to the end of the session, and what is given out in which order. */
#include <stdio.h>

#include "measure.h"
#include "out_text.h"

/* The first member of such a command's options. */
struct report_options {
	struct opt_pids pids;
	struct measure_whom whom;
	struct measure_what what;
	uint64_t duration_ns;
	uint64_t interval_ns;
	const char *from;
	const char *output;
	bool is_json;
	bool no_color;
	bool is_verbose;
};

/* The rows that are the same everywhere, for `type`, whose first member is called `report`. */
#define REPORT_WHOM_OPTIONS(type)                                                             \
	{'p',                                                                                 \
	 "pid",                                                                               \
	 OPT_PIDS,                                                                            \
	 "PID",                                                                               \
	 offsetof(type, report.pids),                                                         \
	 "Measure this process; repeat for more. With TARGET: only these processes."},        \
		MEASURE_WHOM_OPTIONS(type, report.whom),                                      \
		{'d',                                                                         \
		 "duration",                                                                  \
		 OPT_DURATION,                                                                \
		 "SECONDS",                                                                   \
		 offsetof(type, report.duration_ns),                                          \
		 "How long, from attachment. Without it: until the command or every PID has " \
		 "ended, or Ctrl-C."},                                                        \
	{                                                                                     \
		'i', "interval", OPT_DURATION, "SECONDS", offsetof(type, report.interval_ns), \
			"Print what was added each interval, and the whole at the end."       \
	}

#define REPORT_OUTPUT_OPTIONS(type)                                                              \
	{0,                                                                                      \
	 "from",                                                                                 \
	 OPT_FILE,                                                                               \
	 "FILE",                                                                                 \
	 offsetof(type, report.from),                                                            \
	 "Show a stored snapshot instead of measuring; \"-\" is standard input."},               \
		{'o',                                                                            \
		 "output",                                                                       \
		 OPT_FILE,                                                                       \
		 "FILE",                                                                         \
		 offsetof(type, report.output),                                                  \
		 "Write the snapshot to FILE at the end, whole or not at all."},                 \
		{0,                                                                              \
		 "json",                                                                         \
		 OPT_FLAG,                                                                       \
		 NULL,                                                                           \
		 offsetof(type, report.is_json),                                                 \
		 "The snapshot as JSON on standard output, one a line with -i, the whole last. " \
		 "Text for people and the command's own output go to standard error."},          \
	{                                                                                        \
		0, "no-color", OPT_FLAG, NULL, offsetof(type, report.no_color),                  \
			"No colour on a terminal either."                                        \
	}

struct report {
	const struct report_options *options;
	uint64_t until_slow; /* as a measure's */
	bool has_no_spans;
	bool needs_locks; /* a file without them is refused */
	/* For people: the interval's when `clock` is given, else the whole. 0, or a negative errno with `err`. */
	int (*print)(void *arg, FILE *out, const struct text_style *style,
		     const struct probekit_snapshot *snapshot, const char *clock,
		     struct probekit_error *err);
	/* A deadlock is there; NULL: that is of no interest. */
	void (*print_deadlock)(void *arg, FILE *out, const struct text_style *style,
			       const struct probekit_snapshot *snapshot);
	void *arg;
};

/* Before anything is attached. `live_only` lists the options that have no meaning with --from; `has_live_only`: one
 * of those that the command alone has was given. */
int report_check_usage(const struct report_options *options, const struct opt_operands *operands,
		       const char *command, const char *live_only, bool has_live_only,
		       struct probekit_error *err);
/* Measures with these options, to which those that all share are added; returns the exit code. */
int report_live(const struct report *report, struct probekit_session_options *session_options,
		const struct opt_operands *operands);
/* Shows the stored snapshot; returns the exit code. */
int report_stored(const struct report *report);

#endif
