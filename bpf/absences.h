/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_ABSENCES_H
#define PROBEKIT_ABSENCES_H
/* What is told of a thread's absence from its CPU once it is over: the stack that was copied as it left, where the
 * absence was long, belongs to a lock that others wait for, or is a sample of a profile. Part of sched.bpf.c. */
#include "classify.h"
#include "evidence.h"
#include "locks.h"

/* ---- clocks ---- */

/* The clock of the run queue that the task is on, or was last. */
static __always_inline __u64 clock_of(struct task_struct *task)
{
	return plain(task)->se.cfs_rq->rq->clock;
}

static __u64 registers_at; /* from a task's kernel stack on; the same for all; 0: not known yet */

static __noinline int find_registers(struct task_struct *task)
{
	long regs = bpf_task_pt_regs(task);
	__u64 at = 0;

	bpf_probe_read_kernel(&at, sizeof(at), &regs); /* read back it is a number */
	registers_at = at - (__u64)task->stack;
	return 0;
}

/* What the task had in its registers when it entered the kernel. The helper that tells takes as long as all that is
 * read of them. */
static __always_inline struct pt_regs *registers_of(struct task_struct *task)
{
	if (!has_task_from_pid)
		return (struct pt_regs *)bpf_task_pt_regs(task);
	if (!registers_at)
		find_registers(task);
	return bpf_rdonly_cast(task->stack + registers_at, registers_type);
}

/* Since Linux 6.18 a throttled task is parked when it would return to user space, and says so
 * itself; before, its queue is throttled as a whole. */
static __always_inline bool is_throttled(struct task_struct *task)
{
	if (bpf_core_field_exists(task->throttled))
		return task->throttled;
	if (bpf_core_field_exists(task->se.cfs_rq->throttle_count))
		return plain(task)->se.cfs_rq->throttle_count > 0;
	return false;
}

/* A thread that is followed leaves its CPU for the first time. A function of its own, for its stack. */
static __noinline int note_own_tid(struct thread *thread, struct task_struct *task)
{
	struct own_tid own = own_tid_of(task);
	__u32 tid = task->pid;

	thread->is_own_tid_noted = true;
	if (own.tid && bpf_map_update_elem(&own_tids, &own, &tid, BPF_ANY))
		COUNT(0, map_full);
	return 0;
}

/* ---- evidence ---- */

/* The lock that a thread holds while others wait for it. */
static __always_inline struct wait_identity identity_of_held(const struct futex_place *lock)
{
	return (struct wait_identity){
		.address = lock->address,
		.pid = lock->space,
		.syscall = futex_syscall,
		.time_class = CLASS_LOCK,
	};
}

/* Forgets the lock that the thread was seen to hold, when it does not any more. */
static __always_inline void check_held(struct thread *thread, struct futex_place *watched,
				       __u32 tid)
{
	struct futex_place key = *watched;
	struct lock_state *state;

	if (!key.address)
		return;
	state = bpf_map_lookup_elem(&locks, &key);
	if (!state || state->waiters <= 0 || state->holder_tid != tid ||
	    (thread->owner_tid && thread->off_address == key.address &&
	     thread->futex_space == key.space))
		watched->address = 0;
}

static __always_inline bool is_stack_wanted(const struct thread *thread)
{
	return (profile_scope && is_profiled(thread)) || is_of_interest(thread);
}

/* The current thread blocks: its stack may be wanted. */
static __always_inline void suspect_wait(void *ctx, struct thread *thread, struct task_struct *task)
{
	struct stack_slot *slot;

	thread->is_sampled = false;
	if (!is_stack_wanted(thread) || !may_copy(thread, thread->left_clock))
		return;
	slot = slot_take(task->pid);
	if (!slot)
		return;
	thread->is_sampled = copy_own_stack(slot, thread, thread->left_clock);
	copy_kernel_stack(slot, ctx);
	slot_give(slot);
}

/* A thread blocks on a lock whose holder is off its CPU already: its stack is in the same memory. */
static __always_inline void suspect_holder(struct thread *waiter, struct thread *thread,
					   struct task_struct *holder)
{
	struct stack_slot *slot;

	if (!thread->left_clock || thread->is_sampled || !may_copy(waiter, waiter->left_clock))
		return;
	slot = slot_take(holder->pid);
	if (!slot)
		return;
	thread->is_sampled = copy_stack(slot, thread, holder, thread->left_clock);
	slot_give(slot);
}

static __always_inline void emit_wait(struct thread *thread, struct stack_slot *slot, __u64 ns)
{
	struct wait_identity wait = identity_of(thread);
	struct stack_record *record = (struct stack_record *)&slot->room;

	record->holder_tid = thread->owner_tid;
	record->holder_pid = thread->owner_pid;
	if (wait.time_class == CLASS_LOCK && !wait.pid) {
		record->holder_tid = thread->kernel_owner;
		record->holder_pid = thread->kernel_owner >> 32;
	}
	record->span_begin_ns = innermost_begin(thread);
	emit(slot, STACK_WAITER, innermost_probe(thread), &wait, ns);
	for (int i = 0; i < 2; i++) {
		wait = identity_of_held(&thread->watched[i]);
		if (wait.address)
			emit(slot, STACK_HOLDER, innermost_probe(thread), &wait, ns);
	}
}

/* What is long may change, with the span that is open too: it is asked for again when twice as much was waited. */
static __always_inline __u64 next_question(__u64 ns, __u64 long_ns)
{
	return long_ns < 2 * ns ? long_ns : 2 * ns;
}

/* A wait of `ns` is over, and with the last ones it may have been long. */
__noinline int tell_wait(struct thread *thread, __u32 tid, __u64 ns)
{
	struct stack_slot *slot;
	__u64 long_ns;
	bool is_told;
	__u64 *hot;

	if (!thread)
		return 0;
	long_ns = long_wait_ns(thread);
	if (thread->sampled_ns < long_ns) {
		thread->ask_from_ns = next_question(thread->sampled_ns, long_ns);
		return 0;
	}
	thread->ask_from_ns = long_ns < LONG_WAIT_NS ? long_ns : LONG_WAIT_NS;
	check_held(thread, &thread->watched[0],
		   tid); /* the lock may have gone to another meanwhile */
	check_held(thread, &thread->watched[1], tid);
	if (!is_of_interest(thread))
		return 0;
	thread->sampled_ns = 0;
	slot = thread->is_sampled ? slot_take(tid) : NULL;
	is_told = slot && slot->left == thread->left_clock;
	if (is_told)
		emit_wait(thread, slot, ns);
	if (slot)
		slot_give(slot);
	if (is_told)
		return 0;
	COUNT(innermost_probe(thread), samples_skipped);
	hot = hot_kind(thread);
	if (hot)
		*hot = thread->left_clock;
	return 0;
}

/* A wait of `ns` is over. */
static __always_inline void judge_wait(struct thread *thread, __u32 tid, __u64 ns)
{
	if (!is_of_interest(thread))
		return;
	thread->sampled_ns += ns;
	if (thread->sampled_ns >= LEAST_TOLD_NS && thread->sampled_ns >= thread->ask_from_ns)
		tell_wait(thread, tid, ns);
}

/* A thread's next sample of the kind, for the same lock or file, stands for those without a stack too. */
static __always_inline void miss_absence(struct thread *thread, __u64 blocked, __u64 queued,
					 bool is_same)
{
	__u64 *hot = hot_kind(thread);

	COUNT(0, samples_skipped);
	if (hot)
		*hot = thread->left_clock;
	thread->missed_queued_ns += queued;
	if (!blocked)
		return;
	thread->missed_ns = blocked + (is_same ? thread->missed_ns : 0);
	thread->missed_address = thread->off_address;
	thread->missed_class = thread->off_class;
	thread->missed_syscall = thread->off_syscall;
}

/* The absence that ends is a sample of the profile, where chance has it and its stack was copied. A function of its
 * own, for its stack. */
static __noinline int profile_absence(struct thread *thread, __u32 tid, __u64 blocked_ns,
				      __u64 queued_ns)
{
	struct wait_identity wait = {.syscall = NO_SYSCALL, .time_class = thread->queue_class};
	bool is_same = thread->missed_class == thread->off_class &&
		       thread->missed_syscall == thread->off_syscall &&
		       thread->missed_address == thread->off_address;
	__u64 blocked = profile_weight(blocked_ns);
	__u64 queued = profile_weight(queued_ns);
	struct stack_slot *slot;

	if (!(blocked | queued))
		return 0;
	slot = thread->is_sampled ? slot_take(tid) : NULL;
	if (!slot || slot->left != thread->left_clock) {
		miss_absence(thread, blocked, queued, is_same);
	} else {
		if (queued)
			emit(slot, STACK_PROFILED, 0, &wait, queued + thread->missed_queued_ns);
		wait = identity_of(thread);
		if (blocked)
			emit(slot, STACK_PROFILED, 0, &wait,
			     blocked + (is_same ? thread->missed_ns : 0));
		if (queued)
			thread->missed_queued_ns = 0;
		if (blocked && is_same)
			thread->missed_ns = 0;
	}
	if (slot)
		slot_give(slot);
	return 0;
}

#endif
