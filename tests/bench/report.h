/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_BENCH_REPORT_H
#define PROBEKIT_BENCH_REPORT_H
/* What groups found, as text for people and as JSON for programs (schema probekit.bench/1). */
#include <jansson.h>
#include <stdio.h>

#include "environment.h"
#include "run.h"

/* The machine and what is on it. */
struct bench_environment {
	char started[32];		     /* RFC 3339 */
	struct probekit_environment machine; /* when the bench began */
	struct cpu_ticks ticks;
	char architecture[32];
	char revision[64]; /* of the source, "-dirty" behind it where it was changed; may be empty */
};

void bench_environment_read(struct bench_environment *environment);
/* "kernel ..., N cores of ..." in a few lines. */
void bench_environment_print(const struct bench_environment *environment, FILE *to);
/* With the load and the steal at this moment beside those of bench_environment_read(). */
json_t *bench_environment_json(const struct bench_environment *environment);
void bench_environment_done(struct bench_environment *environment);

void report_print(const struct bench_run *run, FILE *to);
json_t *report_json(const struct bench_run *run);

#endif
