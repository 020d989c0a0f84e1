// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Where the time goes: what a thread with an open span waits for is decided when it leaves its CPU,
 * from what it left in, and charged when it comes back. Other tasks cost a load. There is no program
 * at system calls.
 */
#include "evidence.h"
#include "locks.h"
#include "thieves.h"
#include "things.h"
#include "wakers.h"

/* include/linux/sched.h; tested as bits, as a state may carry flags such as TASK_FREEZABLE. */
#define TASK_INTERRUPTIBLE 0x01
#define TASK_UNINTERRUPTIBLE 0x02
#define TASK_STOPPED_OR_TRACED 0x0c
#define TASK_PARKED 0x40
#define TASK_FROZEN 0x8000
#define PF_EXITING 0x04

/* ---- files ---- */

/* What a system call waits for: a class, and which of its kind. */
struct target {
	__u64 address;
	__u64 owner; /* as struct thread.kernel_owner */
	__u32 time_class;
};

static __always_inline struct target target_socket(struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);
	struct sock *sk = BPF_CORE_READ(socket, sk);

	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX)
		return (struct target){.time_class = CLASS_IPC};
	return (struct target){.time_class = CLASS_NETWORK, .address = peer_thing((__u64)sk)};
}

/* Event, timer and signal descriptors, which have no file type, are told by their name. */
static __always_inline __u32 class_of_anonymous(struct file *file)
{
	char name[8] = "";
	const unsigned char *at = BPF_CORE_READ(file, f_path.dentry, d_name.name);

	bpf_probe_read_kernel_str(name, sizeof(name), at);
	/* [timerfd], [io_uring] */
	if (name[1] == 't' && name[2] == 'i' && name[3] == 'm')
		return CLASS_SLEEP;
	if (name[1] == 'i' && name[2] == 'o' && name[3] == '_')
		return CLASS_IO;
	return CLASS_IPC;
}

static __always_inline struct target target_file(struct task_struct *task, __u64 fd,
						 bool is_sleeping)
{
	struct file *file = open_file(task, fd);
	struct target target = {.time_class = CLASS_OTHER};

	if (!file)
		return target;
	switch (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFBLK:
		/* Neither reads nor waits to be woken: behind another task (i_rwsem, a journal). */
		target.time_class = is_sleeping ? CLASS_DISK : CLASS_LOCK;
		target.address = file_thing((__u64)file);
		target.owner = is_sleeping ? 0 : file_owner(file, task);
		return target;
	case S_IFSOCK:
		return target_socket(file);
	case S_IFIFO:
	case S_IFCHR:
		target.time_class = CLASS_IPC;
		return target;
	default:
		target.time_class = class_of_anonymous(file);
		return target;
	}
}

/* ---- system calls ---- */

static __always_inline struct target target_sync(struct task_struct *task, __u64 fd)
{
	struct file *file = open_file(task, fd);
	struct target target = {.time_class = CLASS_DISK};

	if (file)
		target.address = file_thing((__u64)file);
	return target;
}

/* `is_sleeping`: interruptible, as waits for something from outside are. */
static __always_inline struct target target_of(struct task_struct *task, __u32 kind, __u64 argument,
					       bool is_sleeping)
{
	struct target target = {.time_class = CLASS_OTHER};

	switch (kind) {
	case SYSCALL_FUTEX:
		target.address = argument;
		target.time_class = CLASS_LOCK;
		break;
	case SYSCALL_SYNC:
		return target_sync(task, argument);
	case SYSCALL_DISK:
		target.time_class = CLASS_DISK;
		break;
	case SYSCALL_FILE:
		return target_file(task, argument, is_sleeping);
	case SYSCALL_PATH:
		/* opens a FIFO; behind another task */
		target.time_class = is_sleeping ? CLASS_IPC : CLASS_LOCK;
		break;
	case SYSCALL_IPC:
		target.time_class = CLASS_IPC;
		break;
	case SYSCALL_IO:
		target.time_class = CLASS_IO;
		break;
	case SYSCALL_SLEEP:
		target.time_class = CLASS_SLEEP;
		break;
	case SYSCALL_POLL:
		target.time_class = CLASS_POLL;
		break;
	case SYSCALL_MEMORY_MAP:
		target.time_class = CLASS_LOCK;
		target.owner = memory_owner(task);
		break;
	case SYSCALL_LOCK:
	case SYSCALL_FCNTL:
		target.time_class = CLASS_LOCK;
		break;
	}
	return target;
}

static __always_inline bool is_in_memstall(struct task_struct *task)
{
	return bpf_core_field_exists(task->in_memstall) &&
	       BPF_CORE_READ_BITFIELD(task, in_memstall);
}

/* Outside of a system call: a page fault, or work on the way back to user space. */
static __always_inline __u32 class_of_fault(struct task_struct *task, bool in_iowait)
{
	return is_in_memstall(task) && !in_iowait ? CLASS_MEMORY : CLASS_PAGEFAULT;
}

/* Sets what a thread waits for of which no system call is known. */
static __always_inline void wait_in_class(struct thread *thread, __u32 time_class)
{
	thread->off_class = time_class;
	thread->off_syscall = NO_SYSCALL;
	thread->off_address = 0;
	thread->owner_tid = 0;
}

/* Sets what a thread that blocks waits for. */
static __always_inline void classify(struct thread *thread, struct task_struct *task, __u32 state)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	bool in_iowait = BPF_CORE_READ_BITFIELD(task, in_iowait);
	__s64 number = REGS_SYSCALL(regs);
	__u32 kind;

	if (state & (TASK_STOPPED_OR_TRACED | TASK_PARKED | TASK_FROZEN)) {
		wait_in_class(thread, CLASS_STOPPED);
		return;
	}
	if (number < 0 || number >= MAX_SYSCALLS) {
		wait_in_class(thread, class_of_fault(task, in_iowait));
		if (thread->fault_address && thread->off_class == CLASS_PAGEFAULT)
			thread->off_address = mapped_thing(task, thread->fault_address);
		return;
	}
	thread->fault_address = 0; /* that fault is over */
	kind = syscall_kinds[number & (MAX_SYSCALLS - 1)];
	if (kind != SYSCALL_RESTART) {
		struct target target =
			target_of(task, kind, REGS_ARGUMENT(regs), !(state & TASK_UNINTERRUPTIBLE));

		thread->call_class = target.time_class;
		thread->call_address = target.address;
		thread->call_number = number;
		thread->kernel_owner = target.owner;
	} /* else it goes on with what it did before the signal */
	thread->off_syscall = thread->call_number;
	thread->off_address = thread->call_address;
	/* io_uring calls its waits I/O, whatever they are for. */
	if (is_in_memstall(task))
		thread->off_class = CLASS_MEMORY;
	else if (in_iowait && kind != SYSCALL_IO)
		thread->off_class = CLASS_DISK;
	else
		thread->off_class = thread->call_class;
}

/* Who has the lock that the current task blocks on. */
static __always_inline void note_owner(struct thread *thread, struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	if (thread->off_syscall != futex_syscall)
		return;
	thread->owner_tid =
		read_owner(thread->off_address, REGS_ARGUMENT_2(regs), REGS_ARGUMENT_3(regs));
	if (thread->owner_tid && !is_thread_of(task->tgid, thread->owner_tid))
		thread->owner_tid = 0; /* not a lock's owner */
}

/* ---- switches ---- */

/* Since Linux 6.18 a throttled task is parked when it would return to user space, and says so
 * itself; before, its queue is throttled as a whole. */
static __always_inline bool is_throttled(struct task_struct *task)
{
	if (bpf_core_field_exists(task->throttled))
		return task->throttled;
	if (bpf_core_field_exists(task->se.cfs_rq->throttle_count))
		return task->se.cfs_rq->throttle_count > 0;
	return false;
}

/* ---- evidence ---- */

static __always_inline struct wait_identity identity_of(const struct thread *thread, __u32 pid)
{
	struct wait_identity wait = {
		.address = thread->off_address,
		.syscall = thread->off_syscall,
		.time_class = thread->off_class,
	};

	if (waits_for_futex(thread))
		wait.pid = pid;
	else if (wait.time_class == CLASS_IPC)
		wait.pid = thread->waker_pid;
	return wait;
}

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
static __always_inline void check_held(struct thread *thread, struct task_struct *task)
{
	struct lock_key key = {.address = thread->watched_lock, .pid = task->tgid};
	struct lock_state *state;

	if (!thread->watched_lock)
		return;
	state = bpf_map_lookup_elem(&locks, &key);
	if (!state || state->waiters <= 0 || state->holder_tid != (__u32)task->pid ||
	    (thread->owner_tid && thread->off_address == thread->watched_lock))
		thread->watched_lock = 0;
}

static __always_inline bool is_stack_wanted(const struct thread *thread)
{
	if (profile_scope && is_profiled(thread))
		return true;
	return (thread->depth || thread->watched_lock) && thread->off_class != CLASS_STOPPED;
}

/* The thread blocks: its stack may be wanted. */
static __always_inline void suspect_wait(void *ctx, struct thread *thread, struct task_struct *task)
{
	struct wait_identity wait = identity_of(thread, task->tgid);
	struct stack_slot *slot;

	check_held(thread, task);
	thread->is_sampled = false;
	if (!is_stack_wanted(thread) || !may_copy(&wait, thread->left_clock))
		return;
	slot = slot_take(task->pid);
	if (!slot)
		return;
	thread->is_sampled = copy_stack(slot, thread, task, thread->left_clock, ctx);
	slot_give(slot);
}

/* A thread blocks on a lock whose holder is off its CPU already: its stack is in the same memory. */
static __always_inline void suspect_holder(struct thread *waiter, struct task_struct *task)
{
	struct wait_identity wait = identity_of(waiter, task->tgid);
	struct task_struct *holder;
	struct stack_slot *slot;
	struct thread *thread;

	if (!has_task_from_pid)
		return;
	holder = bpf_task_from_pid((__s32)waiter->owner_tid);
	if (!holder)
		return;
	thread = holder->tgid == task->tgid ? thread_if_any(holder) : NULL;
	slot = thread && thread->left_clock && !thread->is_sampled &&
			       may_copy(&wait, waiter->left_clock)
		       ? slot_take(waiter->owner_tid)
		       : NULL;
	if (slot) {
		thread->is_sampled = copy_stack(slot, thread, holder, thread->left_clock, NULL);
		slot_give(slot);
	}
	bpf_task_release(holder);
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

/* A wait of `ns` is over. */
static __always_inline void judge_wait(struct thread *thread, struct task_struct *task, __u64 ns)
{
	struct wait_identity wait;
	struct stack_slot *slot;
	bool is_told;
	__u64 *hot;

	check_held(thread, task); /* the lock may have gone to another meanwhile */
	if (!(thread->depth || thread->watched_lock) || thread->off_class == CLASS_STOPPED)
		return;
	thread->sampled_ns += ns;
	if (thread->sampled_ns < long_wait_ns(thread))
		return;
	thread->sampled_ns = 0;
	slot = thread->is_sampled ? slot_take(task->pid) : NULL;
	is_told = slot && slot->left == thread->left_clock;
	if (is_told)
		emit_wait(thread, slot, task->tgid, ns);
	if (slot)
		slot_give(slot);
	if (is_told)
		return;
	COUNT(innermost_probe(thread), samples_skipped);
	wait = identity_of(thread, task->tgid);
	hot = hot_kind(&wait);
	if (hot)
		*hot = thread->left_clock;
}

/* A thread's next sample of the kind stands for those without a stack too. */
static __always_inline void miss_absence(struct thread *thread, struct task_struct *task,
					 __u64 blocked, __u64 queued, bool is_same)
{
	struct wait_identity wait = identity_of(thread, task->tgid);
	__u64 *hot = hot_kind(&wait);

	COUNT(0, samples_skipped);
	if (hot)
		*hot = thread->left_clock;
	thread->missed_queued_ns += queued;
	if (!blocked)
		return;
	thread->missed_ns = blocked + (is_same ? thread->missed_ns : 0);
	thread->missed_class = thread->off_class;
	thread->missed_syscall = thread->off_syscall;
}

/* The absence that ends is a sample of the profile, where chance has it and its stack was copied. */
static __always_inline void profile_absence(struct thread *thread, struct task_struct *task,
					    __u64 blocked_ns, __u64 queued_ns)
{
	struct wait_identity wait = {.syscall = NO_SYSCALL, .time_class = thread->queue_class};
	bool is_same = thread->missed_class == thread->off_class &&
		       thread->missed_syscall == thread->off_syscall;
	__u64 blocked = profile_weight(blocked_ns);
	__u64 queued = profile_weight(queued_ns);
	struct stack_slot *slot;

	if (!(blocked | queued))
		return;
	slot = thread->is_sampled ? slot_take(task->pid) : NULL;
	if (!slot || slot->left != thread->left_clock) {
		miss_absence(thread, task, blocked, queued, is_same);
	} else {
		if (queued)
			emit(slot, STACK_PROFILED, 0, &wait, queued + thread->missed_queued_ns);
		wait = identity_of(thread, task->tgid);
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

/* The thread comes back from an absence that had begun before it was followed. Of what it waited for
 * all is still there, but for the state of its sleep. */
static __always_inline void leave_unseen(struct thread *thread, struct task_struct *task)
{
	bool is_new = thread->is_unseen == UNSEEN_NEW;

	thread->is_unseen = false;
	thread->left_clock =
		task->se.cfs_rq->rq->clock - (bpf_ktime_get_ns() - followed_since(thread));
	thread->run_delay = task->sched_info.run_delay;
	thread->queue_class = CLASS_RUNQUEUE;
	wait_in_class(thread, CLASS_RUNQUEUE);
	if (is_new)
		return;
	thread->call_number = NO_SYSCALL;
	thread->call_class = CLASS_OTHER;
	classify(thread, task, TASK_INTERRUPTIBLE);
	thread->owner_tid = 0; /* read from the memory of another process, maybe */
}

static __always_inline void leave(void *ctx, struct task_struct *task, bool is_preempted,
				  __u32 state)
{
	struct thread *thread = thread_if_any(task);
	bool was_unseen;

	if (!thread)
		return;
	was_unseen = thread->is_unseen;
	thread->is_unseen = false;
	if (thread->left_clock)
		clock_repair(thread, task, bpf_ktime_get_ns());
	if (thread->owner_tid) /* it was not seen to come back */
		lock_left(thread->off_address, task->tgid);
	thread->owner_tid = 0;
	thread->run_delay = task->sched_info.run_delay;
	thread->queue_class = is_throttled(task) ? CLASS_THROTTLED : CLASS_RUNQUEUE;
	thread->left_clock = task->se.cfs_rq->rq->clock;
	if (!thread->clock_lag)
		thread->clock_lag = bpf_ktime_get_ns() - thread->left_clock;
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
	classify(thread, task, state);
	note_owner(thread, task);
	if (thread->owner_tid) {
		lock_blocked(thread->off_address, thread->owner_tid, thread->left_clock);
		suspect_holder(thread, task);
	}
	suspect_wait(ctx, thread, task);
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
		classify(thread, task, 0);
	return true;
}

/* The run queue's clock was brought up to date for this very switch, and costs less than the other.
 * How long the task has been runnable is what the kernel counted while it was away, and the wait that
 * ends here, which the kernel counts after this tracepoint. */
static __always_inline void arrive(struct task_struct *task, struct task_struct *prev)
{
	struct thread *thread = thread_if_any(task);
	struct over over = {.pid = task->tgid};
	__u64 blocked_ns;
	bool is_away;

	if (!thread)
		return;
	if (profile_scope == PROFILE_WHOLE && !thread->left_clock && thread->is_unseen)
		leave_unseen(thread, task);
	over.arrived = task->se.cfs_rq->rq->clock;
	is_away = thread->left_clock || leave_late(thread, task, over.arrived);
	over.queued_ns = queued_since(task, thread->run_delay, over.arrived);
	thread->run_delay += over.queued_ns;
	thread->run_ns = task->se.sum_exec_runtime;
	if (!is_away)
		return;
	if (over.queued_ns >= THIEF_LEAST_NS && thread->depth)
		over.thief = find_thief(over.arrived - over.queued_ns, over.arrived);
	if (over.thief == (__u32)prev->tgid)
		note_name(over.thief, prev);
	thread->arrived_ns = bpf_ktime_get_ns();
	thread->clock_lag = thread->arrived_ns - over.arrived;
	over.now = thread->arrived_ns;
	blocked_ns = over.arrived - thread->left_clock;
	blocked_ns -= over.queued_ns < blocked_ns ? over.queued_ns : blocked_ns;
	if (thread->off_syscall != NO_SYSCALL || thread->off_class == CLASS_PAGEFAULT)
		judge_wait(thread, task, blocked_ns);
	if (profile_scope && is_profiled(thread))
		profile_absence(thread, task, blocked_ns,
				over.arrived - thread->left_clock - blocked_ns);
	clock_add(thread, &over);
	if (thread->owner_tid)
		lock_woken(thread->off_address, task->tgid, task->pid, over.arrived,
			   over.queued_ns);
	thread->owner_tid = 0;
}

/* As when the kernel skips the program, which it does now and then. */
static __always_inline bool is_lost(void)
{
	return lose_switches && bpf_get_prandom_u32() % lose_switches == 0;
}

SEC("?tp_btf/sched_switch")
int BPF_PROG(on_switch, bool is_preempted, struct task_struct *prev, struct task_struct *next,
	     unsigned int state)
{
	__u32 zero = 0;
	struct runs *runs;

	if (!is_recording || is_lost())
		return 0;
	leave(ctx, prev, is_preempted, state);
	arrive(next, prev);
	runs = bpf_map_lookup_elem(&cpu_runs, &zero);
	if (runs)
		note_run(runs, next->se.cfs_rq->rq->clock, next->tgid);
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
	if (copy_stack(slot, thread, task, thread->left_clock, NULL))
		thread->is_sampled = true;
	slot_give(slot);
}

static __always_inline void sample_waker(void *ctx, struct thread *thread, struct task_struct *task,
					 struct task_struct *waker)
{
	struct wait_identity wait = identity_of(thread, task->tgid);
	__u64 ns = waited_ns(thread);
	struct stack_slot *slot;

	if (ns < long_wait_ns(thread) || !may_copy(&wait, waker->se.cfs_rq->rq->clock))
		return;
	copy_woken(thread, task);
	slot = slot_take(waker->pid);
	if (!slot)
		return;
	if (copy_stack(slot, &empty_thread, waker, 0, ctx))
		emit(slot, STACK_WAKER, innermost_probe(thread), &wait, ns);
	slot_give(slot);
}

SEC("?tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
	struct task_struct *waker = bpf_get_current_task_btf();
	struct thread *thread;

	if (!is_recording)
		return 0;
	thread = thread_if_any(task);
	if (!thread || !thread->left_clock || !thread->depth)
		return 0;
	if (thread->off_class != CLASS_LOCK && thread->off_class != CLASS_IPC)
		return 0;
	if (waker->pid == 0 || !in_task(ctx, waker))
		return 0;
	thread->waker_pid = waker->tgid;
	thread->waker_tid = waker->pid;
	note_name(waker->tgid, waker);
	/* pthread_join(): once the waiter is back the thread is gone, with all that it did. */
	if ((waker->flags & PF_EXITING) && thread->owner_tid == (__u32)waker->pid)
		lock_ended(thread->off_address, task->tgid, waker->se.cfs_rq->rq->clock);
	sample_waker(ctx, thread, task, waker);
	return 0;
}

#include "profile_list.h"

char program_license[] SEC("license") = "Dual BSD/GPL";
