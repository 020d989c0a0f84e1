/* SPDX-License-Identifier: BSD-2-Clause */
#include "sampler.h"

#include <time.h>

/* More often would cost more and tell little that is new. */
#define SHORTEST_PERIOD_NS 2000000

uint64_t sampler_period_of(uint64_t tick_ns, uint64_t timer_ns)
{
	if (tick_ns == 0 || timer_ns != 1)
		return 0;
	return (SHORTEST_PERIOD_NS + tick_ns - 1) / tick_ns * tick_ns;
}

static uint64_t resolution_ns(clockid_t clock)
{
	struct timespec resolution;

	if (clock_getres(clock, &resolution))
		return 0;
	return (uint64_t)resolution.tv_sec * 1000000000 + (uint64_t)resolution.tv_nsec;
}

uint64_t sampler_period_ns(void)
{
	/* The coarse clock moves with the tick; the other's resolution is that of timers. */
	return sampler_period_of(resolution_ns(CLOCK_MONOTONIC_COARSE),
				 resolution_ns(CLOCK_MONOTONIC));
}
