/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_SAMPLER_H
#define PROBEKIT_SAMPLER_H
/* How often the kernel's tick can sample what the CPUs run. */
#include <stdint.h>

/* The distance of two samples of a CPU in whole ticks; 0 where the tick is no timer that a program
 * can be attached to, as the kernel runs without high-resolution timers. */
uint64_t sampler_period_ns(void);

/* The same for a tick of this length and timers of this resolution. */
uint64_t sampler_period_of(uint64_t tick_ns, uint64_t timer_ns);

#endif
