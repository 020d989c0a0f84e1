/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_CLOCK_H
#define PROBEKIT_CLOCK_H
/*
 * A thread's clock: how long it has been off its CPU, by class, and by class and system call. The
 * scheduler's programs write it; begins and ends read it, and what they find between is the span's. A
 * reader can be interrupted by the writer at any instruction, but only on its own CPU, so order within
 * the program is all that is needed.
 */
#include "profile.h"

/* ---- waits by cause ---- */

static __always_inline __u64 innermost_begin(const struct thread *thread)
{
	__u32 top = thread->depth - 1;

	return top < MAX_DEPTH ? thread->frames[top].begin_ns : 0;
}

/* Waits that ended after this arrival may be joined: they are in all spans that are open. */
static __always_inline __u64 innermost_arrival(const struct thread *thread)
{
	__u32 top = thread->depth - 1;

	return top < MAX_DEPTH ? thread->before[top].ns[OFF_ARRIVALS] : 0;
}

static __always_inline bool is_same_cause(const struct wait *a, const struct wait *b)
{
	return a->time_class == b->time_class && a->syscall == b->syscall &&
	       a->address == b->address && a->pid == b->pid;
}

static __always_inline void extend_wait(struct wait *known, const struct wait *wait)
{
	known->ns += wait->ns;
	known->count++;
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
	struct wait *known;

	if (at >= MAX_WAITS)
		return 1;
	barrier_var(at);
	known = &joining->thread->waits[at & (MAX_WAITS - 1)];
	if (known->arrival <= joining->since)
		return 1;
	if (!is_same_cause(known, joining->wait))
		return 0;
	extend_wait(known, joining->wait);
	joining->is_done = true;
	return 1;
}

/* Adds a wait that is over now to the thread's list. Without room it is in the clock alone. */
WEAK __noinline int note_other_wait(struct thread *thread, const struct wait *wait)
{
	struct joining joining = {.thread = thread, .wait = wait};
	__u32 count;

	if (!thread || !wait)
		return 0;
	joining.since = innermost_arrival(thread);
	count = thread->wait_count;
	bpf_loop(MAX_WAITS, join_wait, &joining, 0);
	if (joining.is_done || count >= MAX_WAITS)
		return 0;
	thread->waits[count & (MAX_WAITS - 1)] = *wait;
	thread->wait_count = count + 1;
	return 0;
}

/* Most are for what the last was for: then the thread's present wait is added without a copy of it. */
static __always_inline bool extend_newest(struct thread *thread, __u32 pid, __u64 ns)
{
	__u32 newest = (thread->wait_count - 1) & (MAX_WAITS - 1);
	struct wait *known = &thread->waits[newest];

	if (!thread->wait_count || known->time_class != thread->off_class ||
	    known->syscall != thread->off_syscall || known->address != thread->off_address ||
	    known->pid != pid || known->arrival <= innermost_arrival(thread))
		return false;
	known->ns += ns;
	known->count++;
	return true;
}

/* ---- totals ---- */

static __always_inline bool is_total_of(const struct total *total, __u32 time_class, __u32 syscall)
{
	return total->is_used && total->time_class == time_class && total->syscall == syscall;
}

/* Where the total of a class and system call is looked for first. */
static __always_inline __u32 first_total(__u32 time_class, __u32 syscall)
{
	__u32 hash = (syscall * 5 + time_class) * 0x9e3779b1u;

	return (hash >> 16) * TOTAL_REST >> 16; /* a division would take longer */
}

struct totalling {
	struct thread *thread;
	__u32 first;
	__u32 found;
	__u16 syscall;
	__u8 time_class;
	bool is_own; /* the current program may add to the thread's totals */
};

static long try_total(__u32 i, struct totalling *totalling)
{
	__u32 at = totalling->first + i;
	struct total *total;

	if (at >= TOTAL_REST)
		at -= TOTAL_REST;
	if (at >= TOTAL_REST)
		return 1;
	barrier_var(at);
	total = &totalling->thread->totals[at & (MAX_TOTALS - 1)];

	if (total->is_used && !is_total_of(total, totalling->time_class, totalling->syscall))
		return 0;
	if (!total->is_used && !totalling->is_own)
		return 1;
	if (!total->is_used) {
		total->syscall = totalling->syscall;
		total->time_class = totalling->time_class;
		total->is_used = true;
	}
	totalling->found = at;
	return 1;
}

WEAK __noinline __u32 search_total(struct thread *thread, __u32 time_class, __u32 syscall,
				   bool is_own)
{
	struct totalling totalling = {
		.thread = thread,
		.first = first_total(time_class, syscall),
		.found = TOTAL_REST,
		.syscall = syscall,
		.time_class = time_class,
		.is_own = is_own,
	};

	if (!thread)
		return TOTAL_REST;
	bpf_loop(TOTAL_REST, try_total, &totalling, 0);
	if (is_own && totalling.found == TOTAL_REST) {
		thread->totals[TOTAL_REST].syscall = NO_SYSCALL;
		thread->totals[TOTAL_REST].time_class = CLASS_OTHER;
		thread->totals[TOTAL_REST].is_used = true;
	}
	return totalling.found;
}

/* The index of the total of a class and system call; that of the rest when there is no room for it. */
static __always_inline __u32 find_total(struct thread *thread, __u32 time_class, __u32 syscall,
					bool is_own)
{
	__u32 first = first_total(time_class, syscall);

	if (is_total_of(&thread->totals[first & (MAX_TOTALS - 1)], time_class, syscall))
		return first;
	return search_total(thread, time_class, syscall, is_own);
}

/* Does it wait for a lock of its own memory? Behind another task in the kernel it waits for a file. */
static __always_inline bool waits_for_futex(const struct thread *thread)
{
	return thread->off_class == CLASS_LOCK && thread->off_syscall == futex_syscall &&
	       thread->off_address;
}

static __always_inline struct futex_place off_place(const struct thread *thread)
{
	return (struct futex_place){thread->off_address, thread->futex_space};
}

/* What holders are said to wait for: a lock, or a file. */
static __always_inline struct futex_place told_place(const struct thread *thread)
{
	struct futex_place place = {0};

	if (thread->off_class == CLASS_LOCK || thread->off_class == CLASS_DISK)
		place.address = thread->off_address;
	if (waits_for_futex(thread))
		place.space = thread->futex_space;
	return place;
}

/* `is_often`: it is worth the verifier's time to look at the likely place first. */
static __always_inline void add_total(struct thread *thread, __u32 time_class, __u32 syscall,
				      struct futex_place place, __u64 ns, bool is_often)
{
	struct total *total;
	__u32 at;

	if (!ns)
		return;
	if (is_often)
		at = find_total(thread, time_class, syscall, true);
	else
		at = search_total(thread, time_class, syscall, true);
	barrier_var(at);
	total = &thread->totals[at & (MAX_TOTALS - 1)];
	total->ns += ns;
	if (place.address) {
		total->address = place.address;
		total->space = place.space;
	}
}

/* ---- the clock ---- */

/* An absence that is over, of which the thread was runnable for the last `queued_ns`. */
struct over {
	__u64 arrived;
	__u64 queued_ns;
	__u32 pid;   /* of the thread */
	__u32 thief; /* process that had its CPU; 0: not known */
};

static __always_inline void note_waits(struct thread *thread, const struct over *over, __u64 ns,
				       bool is_often)
{
	struct wait wait = {.arrival = thread->off.ns[OFF_ARRIVALS], .ns = ns, .count = 1};
	__u32 thief = thread->queue_class == CLASS_THROTTLED ? over->pid : over->thief;

	if (waits_for_futex(thread))
		wait.pid = thread->futex_space;
	else if (thread->off_class == CLASS_IPC)
		wait.pid = thread->waker_pid;
	/* Of what has no system call nothing is known beyond its class, unless it is a file's fault. */
	if (ns && (thread->off_syscall != NO_SYSCALL || thread->off_address) &&
	    !(is_often && extend_newest(thread, wait.pid, ns))) {
		wait.address = thread->off_address;
		wait.syscall = thread->off_syscall;
		wait.time_class = thread->off_class;
		note_other_wait(thread, &wait);
	}
	if (!thief || !over->queued_ns)
		return;
	wait.ns = over->queued_ns;
	wait.address = 0;
	wait.syscall = NO_SYSCALL;
	wait.time_class = thread->queue_class;
	wait.pid = thief;
	note_other_wait(thread, &wait);
}

/* `is_often`: as in add_total(). */
static __always_inline void clock_add(struct thread *thread, struct over *over, bool is_often)
{
	__u64 absent_ns = over->arrived - thread->left_clock;
	struct futex_place thief = {0};
	__u32 queue_class = thread->queue_class;
	__u32 off_class = thread->off_class;
	__u64 ns;

	if (over->queued_ns > absent_ns)
		over->queued_ns = absent_ns;
	ns = absent_ns - over->queued_ns;
	thread->off.ns[OFF_ARRIVALS]++;
	if (queue_class < CLASS_COUNT)
		thread->off.ns[queue_class] += over->queued_ns;
	if (off_class < CLASS_COUNT)
		thread->off.ns[off_class] += ns;
	add_total(thread, off_class, thread->off_syscall, told_place(thread), ns, is_often);
	if (queue_class == CLASS_RUNQUEUE)
		thief.address = over->thief;
	add_total(thread, queue_class, NO_SYSCALL, thief, over->queued_ns, is_often);
	if (thread->depth)
		note_waits(thread, over, ns, is_often);
	if (profile_scope && is_profiled(thread)) {
		profile_add(over->pid, off_class, thread->off_syscall, ns);
		profile_add(over->pid, queue_class, NO_SYSCALL, over->queued_ns);
	}
	thread->left_clock = 0;
}

/* How long the task that is switched to has been runnable since `run_delay`, at `clock`. */
static __always_inline __u64 queued_since(struct task_struct *task, __u64 run_delay, __u64 clock)
{
	__u64 queued_ns = task->sched_info.run_delay - run_delay;

	if (task->sched_info.last_queued)
		queued_ns += clock - task->sched_info.last_queued;
	return queued_ns;
}

/* A switch was not seen: the kernel skips a program now and then. */
static __always_inline void count_repair(struct thread *thread)
{
	if (profile_scope)
		COUNT(0, sched_repaired);
	if (thread->depth && thread->depth <= MAX_DEPTH)
		COUNT(thread->frames[(thread->depth - 1) & (MAX_DEPTH - 1)].probe, sched_repaired);
}

/* The thread's wait for a futex, if it is one, is counted when it leaves its CPU next: from here it would
 * take too much of the stack that programs may have. */
static __always_inline void owe_futex(struct thread *thread, __u64 arrived, __u64 queued_ns)
{
	if (!counts_futexes || !waits_for_futex(thread) || arrived <= thread->left_clock)
		return;
	thread->futex_begin = thread->left_clock;
	thread->futex_owed_ns = arrived - thread->left_clock;
	thread->futex_owed_queued_ns = queued_ns;
}

/* The thread was not seen to come back. When it did stands in its scheduler statistics. */
WEAK __noinline int clock_repair(struct thread *thread, __u64 arrived, __u64 run_delay, __u32 pid)
{
	struct over over = {.arrived = arrived, .pid = pid};

	if (!thread)
		return 0;
	over.queued_ns = run_delay - thread->run_delay;
	owe_futex(thread, arrived, over.queued_ns);
	clock_add(thread, &over, false);
	thread->run_ns = 0;
	count_repair(thread);
	return 0;
}

#endif
