/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_CLOCK_READ_H
#define PROBEKIT_CLOCK_READ_H
/* Reading a thread's clock from the programs at its spans. */
#include "clock.h"

#define CLOCK_TRIES 4

#define CLOCK_ERROR_NS 20000 /* of arrived_ns, more than enough */

static __always_inline __u64 arrivals_of(const struct thread *thread)
{
	return *(volatile const __u64 *)&thread->off.ns[OFF_ARRIVALS];
}

/* The current thread was not seen to come back. */
static __always_inline void catch_up(struct thread *thread)
{
	struct task_struct *task = bpf_get_current_task_btf();

	thread->arrived_ns = bpf_ktime_get_ns();
	clock_repair(thread, task->sched_info.last_arrival, task->sched_info.run_delay, task->tgid);
}

/* The same as a function of its own, as clock_read() is. */
__noinline int clock_catch_up(struct thread *thread)
{
	if (thread && thread->left_clock)
		catch_up(thread);
	return 0;
}

/* Copies the clock as it stands at a moment, `now` or later, which is returned. That the thread was
 * away after `now` takes a preemption, as our programs do not block. A function of its own, so that the
 * verifier walks it once. */
__noinline __u64 clock_read(struct thread *thread, __u64 now, struct off_time *off)
{
	if (!thread || !off)
		return now;
	if (thread->left_clock)
		catch_up(thread);
	for (int i = 0; i < CLOCK_TRIES; i++) {
		*off = thread->off;
		barrier();
		if (*(volatile __u64 *)&thread->arrived_ns + CLOCK_ERROR_NS < now)
			break;
		now = bpf_ktime_get_ns(); /* was away between the two, or shortly before */
		barrier();
		if (arrivals_of(thread) == off->ns[OFF_ARRIVALS])
			break;
	}
	return now;
}

#endif
