/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench.h"

extern const struct bench_group bench_span;
extern const struct bench_group bench_function;
extern const struct bench_group bench_floor;
extern const struct bench_group bench_switch;
extern const struct bench_group bench_switch_programs;
extern const struct bench_group bench_start;
extern const struct bench_group bench_attach;
extern const struct bench_group bench_attach_100;
extern const struct bench_group bench_attach_functions;
extern const struct bench_group bench_memory;
extern const struct bench_group bench_service;
extern const struct bench_group bench_profile;
extern const struct bench_group bench_locks;
extern const struct bench_group bench_snapshot;

const struct bench_group *const bench_groups[] = {
	&bench_span,
	&bench_function,
	&bench_floor,
	&bench_switch,
	&bench_switch_programs,
	&bench_start,
	&bench_attach,
	&bench_attach_100,
	&bench_attach_functions,
	&bench_memory,
	&bench_service,
	&bench_profile,
	&bench_locks,
	&bench_snapshot,
	NULL,
};
