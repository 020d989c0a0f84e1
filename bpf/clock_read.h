/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_CLOCK_READ_H
#define PROBEKIT_CLOCK_READ_H
/* Reading a thread's clock from the programs at its spans. */
#include "clock.h"

#define CLOCK_TRIES 4

/* The current thread was not seen to come back. A function of its own, as clock_read() is. */
__noinline int clock_catch_up(struct thread *thread)
{
	if (!thread || !thread->left_clock)
		return 0;
	thread->arrived_ns = bpf_ktime_get_ns();
	clock_repair(thread, bpf_get_current_task_btf(), thread->arrived_ns);
	return 0;
}

/* Copies the clock as it stands at a moment, `now` or later, which is returned. A function of its
 * own, so that the verifier walks it once. */
__noinline __u64 clock_read(struct thread *thread, __u64 now, struct off_time *off)
{
	if (!thread || !off)
		return now;
	clock_catch_up(thread);
	for (int i = 0; i < CLOCK_TRIES; i++) {
		*off = thread->off;
		barrier();
		if (*(volatile __u64 *)&thread->arrived_ns < now)
			break;
		now = bpf_ktime_get_ns(); /* was away between the two */
		barrier();
	}
	return now;
}

#endif
