/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_BENCH_RUN_H
#define PROBEKIT_BENCH_RUN_H
/* One group's rounds and what came of them; what the reports read. */
#include "bench.h"
#include "statistics.h"

#define BENCH_MAX_NOTES 64

struct bench_options {
	size_t rounds;	 /* at least; 0: the group's own */
	double budget_s; /* 0: the group's own */
};

enum side_status {
	SIDE_MEASURED,
	SIDE_MISSING,
	SIDE_FAILED,
};

struct side_result {
	enum side_status status;
	char reason[512];
	double values[BENCH_MAX_METRICS][BENCH_MAX_ROUNDS]; /* NAN: a gap */
};

struct ratio_result {
	const struct bench_ratio *what;
	size_t metric;
	bool is_gap; /* a side has no values: there is nothing to compute */
	struct ratio ratio;
};

struct bench_run {
	const struct bench_group *group;
	void *state;
	struct side_result *results; /* by side, with one more for begin() */
	struct side_result *current;
	size_t side_count;
	size_t metric_count;
	size_t rounds;
	double seconds;
	const char *stopped_by; /* "precision", "budget", "rounds" or "nothing to measure" */
	struct ratio_result ratios[BENCH_MAX_RATIOS];
	size_t ratio_count;
	char *notes[BENCH_MAX_NOTES];
	size_t note_count;
};

/* Runs the whole group. NULL when there is no memory. */
struct bench_run *run_group(const struct bench_group *group, const struct bench_options *options);
void run_free(struct bench_run *run);
bool run_has_failed(const struct bench_run *run);
/* Is the ratio's aim met? Without one, or without a figure: false. */
bool ratio_meets_aim(const struct ratio_result *result);
/* Removes the group's scratch folder if there is one. */
void scratch_remove(void);

/* Kills every child that still runs, with its process group, and reaps those of this thread. */
void children_kill(void);

/* As bench_child_end(), and sends the signal again each time that `again_ms` have passed. */
int child_end_insisting(struct bench_child *child, int signal, int again_ms, int timeout_ms);

#endif
