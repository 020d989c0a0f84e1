/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_CLOCK_H
#define PROBEKIT_CLOCK_H
/*
 * A thread's clock: how long it has been off its CPU, by class. The scheduler's program writes it
 * while a span is open; begins and ends read it, and what they find between is the span's. A reader
 * can be interrupted by the writer at any instruction, but only on its own CPU, so order within the
 * program is all that is needed.
 */
#include "threads.h"

static __always_inline bool clock_runs(const struct thread *thread)
{
	return thread->depth || thread->has_async;
}

/* ---- waits by cause ---- */

/* The oldest moment whose waits may be joined: they are in all spans that are open, or in none. */
static __always_inline __u64 innermost_begin(const struct thread *thread)
{
	__u32 top = thread->depth - 1;

	return top < MAX_DEPTH ? thread->frames[top].begin_ns : 0;
}

struct joining {
	struct thread *thread;
	const struct wait *wait;
	__u64 since;
	bool is_done;
};

/* The newest first. A callback, as those in frames.h are. */
static long join_wait(__u32 i, struct joining *joining)
{
	__u32 at = joining->thread->wait_count - 1 - i;
	const struct wait *wait = joining->wait;
	struct wait *known;

	if (at >= MAX_WAITS)
		return 1;
	barrier_var(at);
	known = &joining->thread->waits[at & (MAX_WAITS - 1)];
	if (known->first_ns < joining->since)
		return 1;
	if (known->time_class != wait->time_class || known->syscall != wait->syscall ||
	    known->address != wait->address)
		return 0;
	known->ns += wait->ns;
	known->count++;
	joining->is_done = true;
	return 1;
}

/* Adds a wait that is over now to the thread's list. Without room it is in the clock alone. */
static __always_inline void note_wait(struct thread *thread, const struct wait *wait)
{
	struct joining joining = {.thread = thread, .wait = wait, .since = innermost_begin(thread)};
	__u32 count = thread->wait_count;

	if (!wait->ns)
		return;
	bpf_loop(MAX_WAITS, join_wait, &joining, 0);
	if (joining.is_done || count >= MAX_WAITS)
		return;
	thread->waits[count & (MAX_WAITS - 1)] = *wait;
	thread->wait_count = count + 1;
}

/* ---- the clock ---- */

/* Adds an absence, of which the thread was runnable for the last `queued_ns`. */
static __always_inline void clock_add(struct thread *thread, __u64 now, __u64 absent_ns,
				      __u64 queued_ns)
{
	__u32 queue_class = thread->queue_class;
	__u32 off_class = thread->off_class;
	struct wait wait = {
		.first_ns = now,
		.address = thread->off_address,
		.count = 1,
		.syscall = thread->off_syscall,
		.time_class = off_class,
	};

	if (queued_ns > absent_ns)
		queued_ns = absent_ns;
	wait.ns = absent_ns - queued_ns;
	if (queue_class < CLASS_COUNT)
		thread->off.ns[queue_class] += queued_ns;
	if (off_class < CLASS_COUNT)
		thread->off.ns[off_class] += wait.ns;
	/* Of what has no system call nothing is known beyond its class. */
	if (thread->off_syscall != NO_SYSCALL)
		note_wait(thread, &wait);
	thread->left_clock = 0;
}

/* A switch was not seen: the kernel skips a program now and then. */
static __always_inline void count_repair(struct thread *thread)
{
	if (thread->depth && thread->depth <= MAX_DEPTH)
		COUNT(thread->frames[(thread->depth - 1) & (MAX_DEPTH - 1)].probe, sched_repaired);
}

/* The thread was not seen to come back. When it did stands in its scheduler statistics. */
static __always_inline void clock_repair(struct thread *thread, struct task_struct *task, __u64 now)
{
	clock_add(thread, now, task->sched_info.last_arrival - thread->left_clock,
		  task->sched_info.run_delay - thread->run_delay);
	count_repair(thread);
}

#endif
