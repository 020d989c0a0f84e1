/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_GUARD_H
#define PROBEKIT_GUARD_H
/* Which functions cost the target more than the user allows. Pure. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A function's calls in a window of time. */
struct guard_load {
	uint64_t calls;
	uint64_t call_ns; /* what probing one takes */
	bool is_dropped;  /* set by guard_choose() */
};

/* The share of one CPU that probing those takes that are not dropped; above 1 where several do. */
double guard_share(const struct guard_load *loads, size_t size, uint64_t window_ns);

/* Marks the hottest as dropped until what is left takes at most `limit` of a CPU; returns how many it
 * has marked. Fewer calls than GUARD_CALLS_MIN in the window say nothing about a function's rate, and drop
 * none. */
#define GUARD_CALLS_MIN 8
size_t guard_choose(struct guard_load *loads, size_t size, uint64_t window_ns, double limit);

#endif
