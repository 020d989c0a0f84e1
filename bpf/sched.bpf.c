// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Where the time goes: what a thread with an open span waits for is decided when it leaves its CPU,
 * from what it left in, and charged when it comes back. Other tasks cost a load.
 */
#include "absences.h"
#include "holds.h"
#include "thieves.h"

#define PF_EXITING 0x04 /* include/linux/sched.h */

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

/* May `owner` have what the task waits for? In shared memory a thread of another process may. */
static __always_inline bool may_own(__u64 space, struct task_struct *task,
				    struct task_struct *owner)
{
	return owner->tgid == task->tgid || space & SHARED_MEMORY;
}

/* A thread of process `pid` blocks on what may be a lock of its `owner_tid`, which is forgotten when it
 * is not. */
__noinline int wait_for_owner(struct thread *thread, __u32 pid, bool is_number_alone)
{
	struct task_struct *owner = NULL;
	struct thread *holder;

	if (!thread)
		return 0;
	thread->owner_pid = pid;
	thread->owner_tid = tid_seen_from(bpf_get_current_task_btf(), thread->owner_tid);
	if (!has_task_from_pid) {
		holder = thread_by_tid(pid, thread->owner_tid);
		if (holder)
			lock_blocked(thread, holder);
		else
			thread->owner_tid = 0;
		return 0;
	}
	owner = bpf_task_from_pid((__s32)thread->owner_tid);
	if (!owner) {
		thread->owner_tid = 0;
		return 0;
	}
	if (may_own(thread->futex_space, bpf_get_current_task_btf(), owner) &&
	    (!is_number_alone || is_own_number(owner, thread->call_address))) {
		holder = thread_if_any(owner);
		thread->owner_pid = owner->tgid;
		lock_blocked(thread, holder);
		if (holder && (__u32)owner->tgid == pid)
			suspect_holder(thread, holder, owner);
	} else {
		thread->owner_tid = 0;
	}
	bpf_task_release(owner);
	return 0;
}

/* By the last one. Of short waits it is not told what the waker did. */
static __always_inline bool may_be_long(const struct thread *thread)
{
	return !thread->futex_ns || thread->futex_ns >= LONG_WAIT_NS;
}

/* The task has been classified. If it is not in futex, but goes on with it after a signal, all is known. Who
 * wakes others may wait in the kernel too, but not for the futex. */
static __always_inline void see_futex(struct thread *thread, struct task_struct *task,
				      const struct pt_regs *regs)
{
	if (REGS_SYSCALL(regs) != futex_syscall)
		return;
	if (!is_futex_wait(REGS_ARGUMENT_2(regs))) {
		thread->off_address = 0;
		thread->call_address = 0;
		return;
	}
	place_futex(thread, task, REGS_ARGUMENT_2(regs));
	if (counts_futexes)
		note_futex(thread, task, regs);
}

static __always_inline void leave(void *ctx, struct thread *thread, struct task_struct *task,
				  bool is_preempted, __u32 state, __u64 clock)
{
	struct pt_regs *regs;
	bool was_unseen;

	if (!thread->is_own_tid_noted)
		note_own_tid(thread, task);
	was_unseen = thread->is_unseen;
	thread->is_unseen = false;
	if (thread->left_clock)
		clock_repair(thread, task->sched_info.last_arrival, task->sched_info.run_delay,
			     task->tgid);
	if (counts_futexes && thread->futex_owed_ns) {
		count_futex(thread, task->pid, thread->futex_owed_ns, thread->futex_owed_queued_ns);
		thread->futex_owed_ns = 0;
		thread->futex_waker = 0;
	}
	if (thread->owner_tid) /* it was not seen to come back */
		lock_left(thread);
	thread->owner_tid = 0;
	thread->run_delay = task->sched_info.run_delay;
	thread->queue_class = is_throttled(task) ? CLASS_THROTTLED : CLASS_RUNQUEUE;
	thread->left_clock = clock;
	see_lag(thread, clock);
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
	regs = registers_of(task);
	classify(thread, task, regs, state, 0);
	see_futex(thread, task, regs);
	if (counts_futexes)
		check_again(thread, task->se.sum_exec_runtime);
	if (thread->off_syscall == futex_syscall)
		thread->owner_tid = read_owner(thread, regs);
	if (thread->owner_tid)
		wait_for_owner(thread, task->tgid,
			       futex_is_number_alone(REGS_ARGUMENT_2(regs), REGS_ARGUMENT_3(regs)));
	/* Others begin holds while it is away, when what it waits for has to have its place. */
	find_total(thread, thread->off_class, thread->off_syscall, true);
	suspect_wait(ctx, thread, task);
	if (counts_futexes && !thread->owner_tid && waits_for_futex(thread) && may_be_long(thread))
		waker_begins(thread);
}

/* As a number, which functions of their own take. */
static __always_inline __u64 address_of(struct task_struct *task)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &task);
	return address;
}

/* What a task waits for that is not the current one. */
static __always_inline void classify_other(struct thread *thread, struct task_struct *task,
					   __u32 state)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	classify(thread, plain(task), regs, state, address_of(task));
	see_futex(thread, task, regs);
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
	classify_other(thread, task, TASK_INTERRUPTIBLE);
}

#define PREEMPTED_NS 20000 /* a shorter rest of an absence is what accounting takes */

/* SIGNAL_CLD_MASK in include/linux/sched/signal.h: that the process was stopped or continued is still to be told to
 * its parent, which is done by the first of its threads that comes back to that. */
#define STOP_IS_NEWS 0x30

static __always_inline bool was_stopped(struct task_struct *task)
{
	return plain(task)->signal->flags & STOP_IS_NEWS;
}

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
	if (thread->owner_tid) /* of the wait before */
		lock_left(thread);
	thread->owner_tid = 0;
	if (clock - left < queued_ns + PREEMPTED_NS)
		wait_in_class(thread, thread->queue_class);
	else if (was_stopped(task))
		wait_in_class(thread, CLASS_STOPPED);
	else
		classify_other(thread, task, 0);
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
	if (queued_ns >= THIEF_LEAST_NS && (thread->depth || thread->watched[0].address))
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
		judge_wait(thread, tid, blocked_ns);
	if (profile_scope && is_profiled(thread))
		profile_absence(thread, tid, blocked_ns, clock - thread->left_clock - blocked_ns);
	if (counts_futexes && waits_for_futex(thread)) {
		thread->futex_begin = thread->left_clock;
		count_futex(thread, tid, clock - thread->left_clock, queued_ns);
	}
	if (thread->watched[0].address || thread->watched[1].address)
		name_waits(thread, tid, over.thief, clock);
	clock_add(thread, &over, true);
	if (thread->owner_tid) {
		lock_woken(thread, (__u64)pid << 32 | tid, clock, over.queued_ns);
		readers_see(thread, (__u64)pid << 32 | tid, clock);
	}
	thread->owner_tid = 0;
	if (counts_futexes)
		thread->futex_waker = 0;
	return 0;
}

/* The run queue's clock was brought up to date for this very switch, and costs less than the other.
 * How long the task has been runnable is what the kernel counted while it was away, and the wait that
 * ends here, which the kernel counts after this tracepoint. */
static __always_inline void come_back(struct thread *thread, struct task_struct *task, __u64 clock)
{
	__u64 queued_ns;
	bool is_away;

	if (follows_whole() && !thread->left_clock && thread->is_unseen)
		leave_unseen(thread, task);
	is_away = thread->left_clock || leave_late(thread, task, clock);
	queued_ns = queued_since(task, thread->run_delay, clock);
	thread->run_delay += queued_ns;
	thread->run_ns = task->se.sum_exec_runtime;
	if (!is_away)
		return;
	place_again(thread, task);
	if (measures_holds && waits_for_futex(thread))
		holds_begin(task, (struct futex_place){thread->off_address, thread->futex_space});
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

SEC("?probekit.tp/sched_switch")
int BPF_PROG(on_switch, bool is_preempted, struct task_struct *prev, struct task_struct *next,
	     unsigned int state)
{
	struct thread *thread;
	__u64 clock = 0;
	__u32 zero = 0;
	struct runs *runs;

	if (!is_recording || is_lost(next))
		return 0;
	thread = thread_if_any(prev);
	if (thread) {
		clock = clock_of(next); /* both are on this run queue */
		leave(ctx, thread, prev, is_preempted, state, clock);
	}
	thread = thread_if_any(next);
	if (thread)
		come_back(thread, next, clock ? clock : clock_of(next));
	runs = bpf_map_lookup_elem(&cpu_runs, &zero);
	if (runs && !is_same_run(runs, next->tgid))
		note_run(runs, clock_of(next), next->tgid);
	return 0;
}

/* ---- page faults ---- */

/* What is faulted is known here alone. */
SEC("?probekit.tp/page_fault_user")
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
	wait = identity_of(thread);
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

/* The lock's holder lets it go. Once the waiter is back that one may be gone, with all that it did. What it does
 * from now on is no part of the hold. */
static __always_inline void note_end(struct thread *thread, struct task_struct *waker)
{
	struct futex_place place = off_place(thread);
	struct thread *holder;

	lock_ended(thread, waker->pid, thread->left_clock + waited_ns(thread));
	holder = thread_if_any(waker);
	if (holder)
		watch(holder, &place, false);
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

/* Is it the futex's system call, or the thread's end, that wakes? Not a timer, and not a signal, upon which the
 * waiter waits on. */
static __always_inline bool is_by_futex(void *ctx, struct task_struct *waker)
{
	struct pt_regs *regs;

	if (waker->pid == 0 || !in_task(ctx, waker))
		return false;
	regs = (struct pt_regs *)bpf_task_pt_regs(waker);
	return REGS_SYSCALL(regs) == futex_syscall || waker->flags & PF_EXITING;
}

/* Has it left the run queue, or will it in the very switch that is under way? */
static __always_inline bool is_leaving(const struct task_struct *task)
{
	return !task->on_rq ||
	       (bpf_core_field_exists(task->se.sched_delayed) && task->se.sched_delayed);
}

/* The waker has let others have the lock: if it waits for it next, that is another wait. */
static __always_inline void note_let(const struct thread *thread, struct task_struct *waker)
{
	struct thread *self = thread_if_any(waker);

	if (self && self->futex_address == thread->off_address &&
	    self->futex_last_space == thread->futex_space)
		self->futex_has_let = true;
}

/* Of every wait for a futex. */
static __always_inline void wake_futex(void *ctx, struct thread *thread, struct task_struct *task,
				       struct task_struct *waker)
{
	if (!is_by_futex(ctx, waker))
		return;
	if (!thread->left_clock) { /* it blocks on another CPU, and has not been seen to yet */
		if (is_leaving(task))
			thread->futex_waker = waker->pid;
		return;
	}
	if (!waits_for_futex(thread))
		return;
	thread->futex_waker = waker->pid;
	note_let(thread, waker);
	sample_waker(ctx, thread, task, waker);
	if (thread->owner_tid)
		note_end(thread, waker);
	else if (may_be_long(thread) &&
		 (waker->tgid == task->tgid || thread->futex_space & SHARED_MEMORY))
		waker_ends(thread, thread->left_clock + waited_ns(thread));
}

SEC("?probekit.tp/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
	struct task_struct *waker;
	struct thread *thread;

	if (!is_recording)
		return 0;
	thread = thread_if_any(task);
	if (!thread)
		return 0;
	if (!counts_futexes &&
	    (!thread->left_clock || !thread->depth ||
	     (thread->off_class != CLASS_LOCK && thread->off_class != CLASS_IPC)))
		return 0;
	waker = bpf_get_current_task_btf();
	if (counts_futexes) {
		wake_futex(ctx, thread, task, waker);
		return 0;
	}
	if (thread->off_class == CLASS_IPC)
		note_waker(ctx, thread, waker);
	if (thread->owner_tid == (__u32)waker->pid && waker->flags & PF_EXITING &&
	    in_task(ctx, waker))
		note_end(thread, waker);
	sample_waker(ctx, thread, task, waker);
	return 0;
}

/* A map without preallocated elements has four of them ready on each CPU at first, and gets more only once
 * interrupts are on (Linux: prefill_mem_cache() of kernel/bpf/memalloc.c). A hold has more parts, which are added
 * with interrupts off. Run once on each CPU, this makes the kernel get dozens. */
SEC("raw_tp")
int stock_up(void *ctx)
{
	const struct holding_key key = {0};
	const struct holding none = {0};

	(void)ctx;
	bpf_map_update_elem(&holdings, &key, &none, BPF_ANY);
	bpf_map_delete_elem(&holdings, &key);
	return 0;
}

#include "futex_list.h"
#include "profile_list.h"

char program_license[] SEC("license") = "Dual BSD/GPL";
