// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Where the time goes: what a thread with an open span waits for is decided when it leaves its CPU,
 * from what it left in, and charged when it comes back. Other tasks cost a load.
 */
#include "classify.h"
#include "evidence.h"
#include "thieves.h"

#define PF_EXITING 0x04 /* include/linux/sched.h */

/* ---- switches ---- */

void *bpf_rdonly_cast(const void *object, __u32 btf_id) __ksym __weak;

/* The same task, no more to be trusted by the verifier: for each pointer that is read out of one that is,
 * it looks through all types of the kernel by name (btf_nested_type_is_trusted()), more than once. */
static __always_inline struct task_struct *plain(struct task_struct *task)
{
	return has_task_from_pid
		       ? bpf_rdonly_cast(task, bpf_core_type_id_kernel(struct task_struct))
		       : task;
}

/* The clock of the run queue that the task is on, or was last. */
static __always_inline __u64 clock_of(struct task_struct *task)
{
	return plain(task)->se.cfs_rq->rq->clock;
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

/* ---- evidence ---- */

/* The lock that a thread holds while others wait for it. */
static __always_inline struct wait_identity identity_of_held(const struct thread *thread, __u32 pid)
{
	return (struct wait_identity){
		.address = thread->watched_lock,
		.pid = pid,
		.syscall = futex_syscall,
		.time_class = CLASS_LOCK,
	};
}

/* Forgets the lock that the thread was seen to hold, when it does not any more. */
static __always_inline void check_held(struct thread *thread, __u32 pid, __u32 tid)
{
	struct lock_key key = {.address = thread->watched_lock, .pid = pid};
	struct lock_state *state;

	if (!thread->watched_lock)
		return;
	state = bpf_map_lookup_elem(&locks, &key);
	if (!state || state->waiters <= 0 || state->holder_tid != tid ||
	    (thread->owner_tid && thread->off_address == thread->watched_lock))
		thread->watched_lock = 0;
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
static __always_inline void suspect_holder(const struct thread *waiter, struct thread *thread,
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

static __always_inline void emit_wait(struct thread *thread, struct stack_slot *slot, __u32 pid,
				      __u64 ns)
{
	struct wait_identity wait = identity_of(thread, pid);
	struct wait_identity held = identity_of_held(thread, pid);
	struct stack_record *record = (struct stack_record *)slot->data;

	record->holder_tid = thread->owner_tid;
	record->holder_pid = pid;
	if (wait.time_class == CLASS_LOCK && !wait.pid) {
		record->holder_tid = thread->kernel_owner;
		record->holder_pid = thread->kernel_owner >> 32;
	}
	record->span_begin_ns = innermost_begin(thread);
	emit(slot, STACK_WAITER, innermost_probe(thread), &wait, ns);
	if (held.address)
		emit(slot, STACK_HOLDER, innermost_probe(thread), &held, ns);
}

/* A wait of `ns` is over, and with the last ones it may have been long. */
__noinline int tell_wait(struct thread *thread, __u32 pid, __u32 tid, __u64 ns)
{
	struct stack_slot *slot;
	bool is_told;
	__u64 *hot;

	if (!thread || thread->sampled_ns < long_wait_ns(thread))
		return 0;
	check_held(thread, pid, tid); /* the lock may have gone to another meanwhile */
	if (!is_of_interest(thread))
		return 0;
	thread->sampled_ns = 0;
	slot = thread->is_sampled ? slot_take(tid) : NULL;
	is_told = slot && slot->left == thread->left_clock;
	if (is_told)
		emit_wait(thread, slot, pid, ns);
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
static __always_inline void judge_wait(struct thread *thread, __u32 pid, __u32 tid, __u64 ns)
{
	if (!is_of_interest(thread))
		return;
	thread->sampled_ns += ns;
	if (thread->sampled_ns >= LEAST_TOLD_NS)
		tell_wait(thread, pid, tid, ns);
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

/* The absence that ends is a sample of the profile, where chance has it and its stack was copied. */
static __always_inline void profile_absence(struct thread *thread, __u32 pid, __u32 tid,
					    __u64 blocked_ns, __u64 queued_ns)
{
	struct wait_identity wait = {.syscall = NO_SYSCALL, .time_class = thread->queue_class};
	bool is_same = thread->missed_class == thread->off_class &&
		       thread->missed_syscall == thread->off_syscall &&
		       thread->missed_address == thread->off_address;
	__u64 blocked = profile_weight(blocked_ns);
	__u64 queued = profile_weight(queued_ns);
	struct stack_slot *slot;

	if (!(blocked | queued))
		return;
	slot = thread->is_sampled ? slot_take(tid) : NULL;
	if (!slot || slot->left != thread->left_clock) {
		miss_absence(thread, blocked, queued, is_same);
	} else {
		if (queued)
			emit(slot, STACK_PROFILED, 0, &wait, queued + thread->missed_queued_ns);
		wait = identity_of(thread, pid);
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
}

/* ---- switches ---- */

#define LAG_FOR_NS 1000000

/* What lies between the two clocks changes slowly, and reading the other takes longest of all that is
 * done here. */
static __always_inline void see_lag(struct thread *thread, __u64 clock)
{
	if (clock - thread->lag_seen < LAG_FOR_NS)
		return;
	thread->lag_seen = clock;
	thread->clock_lag = bpf_ktime_get_ns() - clock;
}

/* A thread of process `pid` blocks on what may be a lock of its `owner_tid`, which is forgotten when it
 * is not. */
__noinline int wait_for_owner(struct thread *thread, __u32 pid)
{
	struct task_struct *owner;
	struct thread *holder;

	if (!thread)
		return 0;
	if (!has_task_from_pid) {
		holder = thread_by_tid(pid, thread->owner_tid);
		if (holder)
			lock_blocked(thread, holder, pid);
		else
			thread->owner_tid = 0;
		return 0;
	}
	owner = bpf_task_from_pid((__s32)thread->owner_tid);
	if (!owner) {
		thread->owner_tid = 0;
		return 0;
	}
	if ((__u32)owner->tgid == pid) {
		holder = thread_if_any(owner);
		lock_blocked(thread, holder, pid);
		if (holder)
			suspect_holder(thread, holder, owner);
	} else {
		thread->owner_tid = 0;
	}
	bpf_task_release(owner);
	return 0;
}

static __always_inline void leave(void *ctx, struct task_struct *task, bool is_preempted,
				  __u32 state)
{
	struct thread *thread = thread_if_any(task);
	struct pt_regs *regs;
	bool was_unseen;

	if (!thread)
		return;
	was_unseen = thread->is_unseen;
	thread->is_unseen = false;
	if (thread->left_clock)
		clock_repair(thread, task->sched_info.last_arrival, task->sched_info.run_delay,
			     task->tgid);
	if (thread->owner_tid) /* it was not seen to come back */
		lock_left(thread->off_address, task->tgid);
	thread->owner_tid = 0;
	thread->run_delay = task->sched_info.run_delay;
	thread->queue_class = is_throttled(task) ? CLASS_THROTTLED : CLASS_RUNQUEUE;
	thread->left_clock = clock_of(task);
	see_lag(thread, thread->left_clock);
	if (profile_scope)
		profile_ran(thread, task, was_unseen);
	/* A task that is preempted while it prepares to sleep is still runnable. */
	if (is_preempted || state == 0) {
		wait_in_class(thread, thread->queue_class);
		if (profile_scope)
			suspect_wait(ctx, thread, task);
		return;
	}
	thread->waker_pid = 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	classify(thread, plain(task), regs, state, 0);
	if (thread->off_syscall == futex_syscall)
		thread->owner_tid = read_owner(thread->off_address, REGS_ARGUMENT_2(regs),
					       REGS_ARGUMENT_3(regs));
	if (thread->owner_tid)
		wait_for_owner(thread, task->tgid);
	suspect_wait(ctx, thread, task);
}

/* As a number, which functions of their own take. */
static __always_inline __u64 address_of(struct task_struct *task)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &task);
	return address;
}

/* The thread comes back from an absence that had begun before it was followed. Of what it waited for
 * all is still there, but for the state of its sleep. */
static __always_inline void leave_unseen(struct thread *thread, struct task_struct *task)
{
	bool is_new = thread->is_unseen == UNSEEN_NEW;

	thread->is_unseen = false;
	thread->left_clock = clock_of(task) - (bpf_ktime_get_ns() - followed_since(thread));
	thread->run_delay = task->sched_info.run_delay;
	thread->queue_class = CLASS_RUNQUEUE;
	wait_in_class(thread, CLASS_RUNQUEUE);
	if (is_new)
		return;
	thread->call_number = NO_SYSCALL;
	thread->call_class = CLASS_OTHER;
	classify(thread, plain(task), (struct pt_regs *)bpf_task_pt_regs(task), TASK_INTERRUPTIBLE,
		 address_of(task));
}

#define PREEMPTED_NS 20000 /* a shorter rest of an absence is what accounting takes */

/* The thread comes and was not seen to leave. When it did is told by when it had come, and how long it has
 * run since; for what, by where in the kernel it still stands. False: that is not known. */
static __noinline bool leave_late(struct thread *thread, struct task_struct *task, __u64 clock)
{
	__u64 left = task->sched_info.last_arrival + task->se.sum_exec_runtime - thread->run_ns;
	__u64 queued_ns = queued_since(task, thread->run_delay, clock);
	bool is_unseen = thread->is_unseen;

	thread->is_unseen = false;
	if (is_unseen)
		return false;
	count_repair(thread);
	if (!thread->run_ns || left >= clock)
		return false;
	thread->left_clock = left;
	thread->is_sampled = false;
	thread->waker_pid = 0;
	thread->queue_class = is_throttled(task) ? CLASS_THROTTLED : CLASS_RUNQUEUE;
	if (clock - left < queued_ns + PREEMPTED_NS)
		wait_in_class(thread, thread->queue_class);
	else
		classify(thread, plain(task), (struct pt_regs *)bpf_task_pt_regs(task), 0,
			 address_of(task));
	return true;
}

/* Thread `tid` of process `pid` comes back at `clock`, having been runnable for `queued_ns`. A function of
 * its own, so that the verifier walks it once. */
__noinline int arrive(struct thread *thread, __u64 clock, __u64 queued_ns, __u32 pid, __u32 tid)
{
	struct over over = {.arrived = clock, .queued_ns = queued_ns, .pid = pid};
	__u64 blocked_ns;

	if (!thread)
		return 0;
	if (queued_ns >= THIEF_LEAST_NS && thread->depth)
		over.thief = find_thief(clock - queued_ns, clock);
	if (profile_scope) {
		thread->arrived_ns = bpf_ktime_get_ns();
	} else if (thread->off_class ==
		   thread->queue_class) { /* maybe in the middle of a program */
		see_lag(thread, clock);
		thread->arrived_ns = clock + thread->clock_lag;
	}
	blocked_ns = clock - thread->left_clock;
	blocked_ns -= queued_ns < blocked_ns ? queued_ns : blocked_ns;
	if (thread->off_syscall != NO_SYSCALL || thread->off_class == CLASS_PAGEFAULT)
		judge_wait(thread, pid, tid, blocked_ns);
	if (profile_scope && is_profiled(thread))
		profile_absence(thread, pid, tid, blocked_ns,
				clock - thread->left_clock - blocked_ns);
	clock_add(thread, &over);
	if (thread->owner_tid)
		lock_woken(thread, pid, tid, clock, over.queued_ns);
	thread->owner_tid = 0;
	return 0;
}

/* The run queue's clock was brought up to date for this very switch, and costs less than the other.
 * How long the task has been runnable is what the kernel counted while it was away, and the wait that
 * ends here, which the kernel counts after this tracepoint. */
static __always_inline void come_back(struct task_struct *task)
{
	struct thread *thread = thread_if_any(task);
	__u64 clock, queued_ns;
	bool is_away;

	if (!thread)
		return;
	if (profile_scope == PROFILE_WHOLE && !thread->left_clock && thread->is_unseen)
		leave_unseen(thread, task);
	clock = clock_of(task);
	is_away = thread->left_clock || leave_late(thread, task, clock);
	queued_ns = queued_since(task, thread->run_delay, clock);
	thread->run_delay += queued_ns;
	thread->run_ns = task->se.sum_exec_runtime;
	if (is_away)
		arrive(thread, clock, queued_ns, task->tgid, task->pid);
}

/* As when the kernel skips the program, which it does now and then: too seldom for both ends of one
 * absence, which nobody could tell from running. */
static __always_inline bool is_lost(struct task_struct *next)
{
	struct thread *thread;

	if (!lose_switches || bpf_get_prandom_u32() % lose_switches)
		return false;
	thread = thread_if_any(next);
	return !thread || thread->left_clock;
}

SEC("?tp_btf/sched_switch")
int BPF_PROG(on_switch, bool is_preempted, struct task_struct *prev, struct task_struct *next,
	     unsigned int state)
{
	__u32 zero = 0;
	struct runs *runs;

	if (!is_recording || is_lost(next))
		return 0;
	leave(ctx, prev, is_preempted, state);
	come_back(next);
	runs = bpf_map_lookup_elem(&cpu_runs, &zero);
	if (runs && !is_same_run(runs, next->tgid))
		note_run(runs, clock_of(next), next->tgid);
	return 0;
}

/* ---- page faults ---- */

/* What is faulted is known here alone. */
SEC("?tp_btf/page_fault_user")
int BPF_PROG(on_fault, unsigned long address)
{
	struct thread *thread;

	if (!is_recording)
		return 0;
	thread = thread_if_any(bpf_get_current_task_btf());
	if (thread && thread->depth)
		thread->fault_address = address;
	return 0;
}

/* ---- wakers ---- */

/* How long the thread has been away, roughly: clocks of two CPUs. */
static __always_inline __u64 waited_ns(const struct thread *thread)
{
	__u64 left_ns = thread->left_clock + thread->clock_lag;
	__u64 now = bpf_ktime_get_ns();

	return thread->clock_lag && now > left_ns ? now - left_ns : 0;
}

/* The woken thread's own stack, where nobody copied it when it left: its memory is ours. */
static __always_inline void copy_woken(struct thread *thread, struct task_struct *task)
{
	struct stack_slot *slot;

	if (thread->is_sampled || task->tgid != (int)(bpf_get_current_pid_tgid() >> 32))
		return;
	slot = slot_take(task->pid);
	if (!slot)
		return;
	if (copy_stack(slot, thread, task, thread->left_clock))
		thread->is_sampled = true;
	slot_give(slot);
}

static __always_inline void sample_waker(void *ctx, struct thread *thread, struct task_struct *task,
					 struct task_struct *waker)
{
	__u64 now = clock_of(waker);
	__u64 *last = copy_allowance(thread, now);
	struct wait_identity wait;
	struct stack_slot *slot;
	bool is_copied;
	__u64 ns;

	if (!last) /* told first, as the time takes longer */
		return;
	ns = waited_ns(thread);
	if (ns < long_wait_ns(thread) || waker->pid == 0 || !in_task(ctx, waker))
		return;
	*last = now;
	wait = identity_of(thread, task->tgid);
	copy_woken(thread, task);
	slot = slot_take(waker->pid);
	if (!slot)
		return;
	is_copied = copy_own_stack(slot, NULL, 0);
	copy_kernel_stack(slot, ctx);
	if (is_copied)
		emit(slot, STACK_WAKER, innermost_probe(thread), &wait, ns);
	slot_give(slot);
}

/* pthread_join(): once the waiter is back the thread is gone, with all that it did. */
static __always_inline void note_end(const struct thread *thread, __u32 pid,
				     struct task_struct *waker)
{
	if ((waker->flags & PF_EXITING) && thread->owner_tid == (__u32)waker->pid)
		lock_ended(thread->off_address, pid, clock_of(waker));
}

/* Who ends the thread's wait. */
static __always_inline void note_waker(void *ctx, struct thread *thread, struct task_struct *waker)
{
	if (waker->pid == 0 || !in_task(ctx, waker))
		return;
	thread->waker_pid = waker->tgid;
	if (thread->named_pid == thread->waker_pid)
		return;
	thread->named_pid = thread->waker_pid;
	note_name(waker->tgid, waker);
}

SEC("?tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
	struct task_struct *waker;
	struct thread *thread;

	if (!is_recording)
		return 0;
	thread = thread_if_any(task);
	if (!thread || !thread->left_clock || !thread->depth)
		return 0;
	if (thread->off_class != CLASS_LOCK && thread->off_class != CLASS_IPC)
		return 0;
	waker = bpf_get_current_task_btf();
	if (thread->off_class == CLASS_IPC)
		note_waker(ctx, thread, waker);
	if (thread->owner_tid)
		note_end(thread, task->tgid, waker);
	sample_waker(ctx, thread, task, waker);
	return 0;
}

#include "profile_list.h"

char program_license[] SEC("license") = "Dual BSD/GPL";
