/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_FUTEXES_H
#define PROBEKIT_FUTEXES_H
/*
 * Every wait for a futex, counted by the word that is waited for and the value that is waited with: which of
 * its users waits, a C library tells by that. Where a lock lets others pass, the thread that is woken may find
 * it taken again and waits on: that is one wait, as its caller sees it. It is told from the next wait for
 * the lock by what the thread did between: hardly anything, it woke nobody, and its registers are the same,
 * loop counters and what other calls have left in them.
 */
#include "clock.h"
#include "futex_rows.h"
#include "futex_space.h"

/* More than from a wake-up to the next wait takes, with what we do then and interrupts. After a long wait more
 * is less likely to be a hold of its own. */
#define AGAIN_RUN_NS 40000
#define AGAIN_RUN_MOST_NS 200000
#define BEGIN_SLACK_NS \
	20000 /* of two clocks: a span begins at least so long before a wait in the next one */
#define AGAIN_SHARE 16 /* of the wait before, one in so many */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct futex_key);
	__type(value, struct futex_row);
} futex_rows WEAK SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_FUTEX_SPANS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct futex_span_key);
	__type(value, __u64);
} futex_spans WEAK SEC(".maps");

/* ---- as the thread blocks ---- */

/* Of locks that let others pass. */
static __always_inline bool may_be_again(__u8 told)
{
	return told == MUTEX_CONTENDED || told == RWLOCK_CONTENDED || told == FUTEX_OWNER_VALUE;
}

/* How often the task has read and written. */
static __always_inline __u64 calls_of(struct task_struct *task)
{
	if (!bpf_core_field_exists(task->ioac.syscr))
		return 0;
	return task->ioac.syscr + task->ioac.syscw;
}

/* What the thread waits with, from its registers. */
static __always_inline void note_futex(struct thread *thread, struct task_struct *task,
				       const struct pt_regs *regs)
{
	__u64 calls = calls_of(task);
	__u32 value = REGS_ARGUMENT_3(regs);
	__u8 command = REGS_ARGUMENT_2(regs);
	__u64 place = REGS_KEPT(regs);
	__u8 told = futex_told_value(command, value);

	thread->futex_is_again = may_be_again(told) && thread->futex_last_waker &&
				 !thread->futex_has_let &&
				 thread->futex_address == thread->off_address &&
				 thread->futex_last_space == thread->futex_space &&
				 thread->futex_place == place && thread->futex_value == told &&
				 thread->futex_command == command && thread->futex_calls == calls;
	thread->futex_calls = calls;
	thread->futex_place = place;
	thread->futex_command = command;
	thread->futex_value = told;
}

/* The thread blocks after it has run for `run_ns` in all. */
static __always_inline void check_again(struct thread *thread, __u64 run_ns)
{
	__u64 most = thread->futex_ns / AGAIN_SHARE;

	if (most < AGAIN_RUN_NS)
		most = AGAIN_RUN_NS;
	if (most > AGAIN_RUN_MOST_NS)
		most = AGAIN_RUN_MOST_NS;
	if (thread->off_syscall != futex_syscall) {
		thread->futex_address = 0;
		thread->futex_waker = 0;
	} else if (!thread->futex_run_ns || run_ns - thread->futex_run_ns > most) {
		thread->futex_is_again = false;
	}
}

/* ---- as it is back ---- */

/* The frame may have begun after a wait that is counted late. */
static __always_inline void add_span_wait(const struct futex_key *futex, const struct frame *frame,
					  __u64 ns, __u64 begin_ns)
{
	struct futex_span_key key = {.futex = *futex, .probe = frame->probe};
	const __u64 none = 0;
	__u64 *total;

	if (frame->kind == FRAME_HOLE || frame->begin_ns > begin_ns)
		return;
	total = find_or_add(&futex_spans, &key, &none);
	if (total)
		__sync_fetch_and_add(total, ns);
	else
		COUNT(0, map_full);
}

/* Of the span that the wait is right in, and of the outermost; the one that PROBEKIT_MUTEX_LOCK() makes of
 * the wait itself gives the lock its name instead. */
static __always_inline void add_span_waits(struct thread *thread, const struct futex_key *futex,
					   struct futex_row *row, __u64 ns)
{
	__u64 begin_ns = thread->futex_begin + thread->clock_lag + BEGIN_SLACK_NS;
	__u32 top = thread->depth - 1;

	if (top >= MAX_DEPTH)
		return;
	if (thread->frames[top].kind == FRAME_LOCK &&
	    (__u64)thread->frames[top].key == futex->address) {
		row->wait_probe = thread->frames[top].probe;
		if (!top--)
			return;
	}
	add_span_wait(futex, &thread->frames[top & (MAX_DEPTH - 1)], ns, begin_ns);
	if (top)
		add_span_wait(futex, &thread->frames[0], ns, begin_ns);
}

/* A wait of `ns`, for the last `queued_ns` of which thread `tid` was runnable, is over; it began at
 * futex_begin. A function of its own, so that the verifier walks it once. */
WEAK __noinline int count_futex(struct thread *thread, __u32 tid, __u64 ns, __u64 queued_ns)
{
	struct futex_key key = {0};
	struct futex_row *row;
	__u64 whole = ns;
	__u64 end;

	if (!thread)
		return 0;
	end = thread->futex_begin + ns;
	key.address = thread->off_address;
	key.space = thread->futex_space;
	key.command = thread->futex_command;
	key.value = thread->futex_value;
	row = find_or_add(&futex_rows, &key, &empty_futex_row);
	if (!row) {
		key = (struct futex_key){0};
		row = bpf_map_lookup_elem(&futex_rows, &key);
		if (!row)
			return 0;
		thread->futex_is_again = false;
	}
	if (!thread->futex_is_again) {
		thread->futex_holder = 0;
	} else {
		ns += thread->futex_begin - thread->futex_end;
		whole = ns + thread->futex_ns;
		count_slot(row, thread->futex_ns, -1);
		__sync_fetch_and_add(&row->again, 1);
	}
	count_slot(row, whole, 1);
	__sync_fetch_and_add(&row->ns, ns);
	if (queued_ns)
		__sync_fetch_and_add(&row->queued_ns, queued_ns);
	raise_to(&row->max_ns, whole);
	if (thread->futex_waker)
		__sync_fetch_and_add(&row->woken, 1);
	mark_thread(row, tid);
	if (thread->depth)
		add_span_waits(thread, &key, row, ns);
	thread->futex_last_waker = thread->futex_waker;
	thread->futex_end = end;
	thread->futex_address = key.space ? thread->off_address : 0;
	thread->futex_last_space = key.space;
	thread->futex_ns = whole;
	thread->futex_run_ns = thread->run_ns;
	thread->futex_has_let = false;
	return 0;
}

#endif
