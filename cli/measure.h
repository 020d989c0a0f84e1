/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_MEASURE_H
#define PROBEKIT_CLI_MEASURE_H
/* Running a started session to its end: the limit, the targets' end, or a signal. */
#include <stdbool.h>
#include <stdint.h>

#include <probekit/probekit.h>

struct measure {
	struct probekit_session *session;
	uint64_t duration_ns; /* 0: no limit */
	uint64_t interval_ns; /* 0: none */
	uint64_t until_slow;  /* stop at so many slow spans; 0: do not */
	bool has_command;
	/* What was added in one interval. The deltas, of which the last comes after the end, add up
	 * to the whole. Returns 0 or a negative errno with `err` filled. */
	int (*interval)(void *arg, const struct probekit_snapshot *delta,
			struct probekit_error *err);
	void *arg;
};

/* SIGINT and SIGTERM only end the measurement from here on; a second one ends the process. */
void measure_catch_signals(void);
/* Polls until the end and stops the session. On error it is stopped too, and what was measured
 * until then can be had. */
int measure_run(const struct measure *measure, struct probekit_error *err);

#endif
