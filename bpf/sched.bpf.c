// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Where the time goes: what a thread with an open span waits for is decided when it leaves its CPU,
 * from what it left in, and charged when it comes back. Other tasks cost a load. There is no program
 * at system calls.
 */
#include "clock.h"

/* include/linux/sched.h; tested as bits, as a state may carry flags such as TASK_FREEZABLE. */
#define TASK_UNINTERRUPTIBLE 0x02
#define TASK_STOPPED_OR_TRACED 0x0c
#define TASK_PARKED 0x40
#define TASK_FROZEN 0x8000

#define S_IFMT 0170000
#define S_IFIFO 0010000
#define S_IFCHR 0020000
#define S_IFDIR 0040000
#define S_IFBLK 0060000
#define S_IFREG 0100000
#define S_IFSOCK 0140000
#define AF_UNIX 1

/* ---- files ---- */

static __always_inline struct file *open_file(struct task_struct *task, __u64 fd)
{
	struct file *file = NULL;
	struct fdtable *table;

	if (!task->files)
		return NULL;
	table = task->files->fdt;
	if (!table || fd >= table->max_fds)
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), table->fd + fd);
	return file;
}

static __always_inline __u32 class_of_socket(struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);

	return BPF_CORE_READ(socket, sk, __sk_common.skc_family) == AF_UNIX ? CLASS_IPC
									    : CLASS_NETWORK;
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

static __always_inline __u32 class_of_file(struct task_struct *task, __u64 fd, bool is_sleeping)
{
	struct file *file = open_file(task, fd);

	if (!file)
		return CLASS_OTHER;
	switch (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFBLK:
		/* Neither reads nor waits to be woken: behind another task (i_rwsem, a journal). */
		return is_sleeping ? CLASS_DISK : CLASS_LOCK;
	case S_IFSOCK:
		return class_of_socket(file);
	case S_IFIFO:
	case S_IFCHR:
		return CLASS_IPC;
	default:
		return class_of_anonymous(file);
	}
}

/* ---- system calls ---- */

/* `is_sleeping`: interruptible, as waits for something from outside are. */
static __always_inline __u32 class_of_syscall(struct task_struct *task, __u32 kind, __u64 fd,
					      bool is_sleeping)
{
	switch (kind) {
	case SYSCALL_FUTEX:
	case SYSCALL_LOCK:
		return CLASS_LOCK;
	case SYSCALL_SYNC:
		return CLASS_DISK;
	case SYSCALL_PATH:
		return is_sleeping ? CLASS_IPC : CLASS_LOCK; /* opens a FIFO; behind another task */
	case SYSCALL_FILE:
		return class_of_file(task, fd, is_sleeping);
	case SYSCALL_IPC:
		return CLASS_IPC;
	case SYSCALL_IO:
		return CLASS_IO;
	case SYSCALL_SLEEP:
		return CLASS_SLEEP;
	case SYSCALL_POLL:
		return CLASS_POLL;
	case SYSCALL_MEMORY_MAP:
	case SYSCALL_FCNTL:
		return CLASS_LOCK;
	default:
		return CLASS_OTHER;
	}
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
		return;
	}
	kind = syscall_kinds[number & (MAX_SYSCALLS - 1)];
	if (kind != SYSCALL_RESTART) {
		thread->call_class = class_of_syscall(task, kind, REGS_ARGUMENT(regs),
						      !(state & TASK_UNINTERRUPTIBLE));
		thread->call_number = number;
		thread->call_address = kind == SYSCALL_FUTEX ? REGS_ARGUMENT(regs) : 0;
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

/* A task without any storage is told without the helper, which costs several times the load. */
static __always_inline struct thread *thread_with_clock(struct task_struct *task)
{
	struct thread *thread;

	if (bpf_core_field_exists(task->bpf_storage) && !task->bpf_storage && !has_spare_threads)
		return NULL;
	thread = thread_of(task);
	return thread && clock_runs(thread) ? thread : NULL;
}

static __always_inline void leave(struct task_struct *task, bool is_preempted, __u32 state)
{
	struct thread *thread = thread_with_clock(task);

	if (!thread)
		return;
	if (thread->left_clock)
		clock_repair(thread, task, bpf_ktime_get_ns());
	thread->run_delay = task->sched_info.run_delay;
	thread->queue_class = is_throttled(task) ? CLASS_THROTTLED : CLASS_RUNQUEUE;
	/* A task that is preempted while it prepares to sleep is still runnable. */
	if (is_preempted || state == 0)
		wait_in_class(thread, thread->queue_class);
	else
		classify(thread, task, state);
	thread->left_clock = task->se.cfs_rq->rq->clock;
}

/* The run queue's clock was brought up to date for this very switch, and costs less than the other.
 * How long the task has been runnable is what the kernel counted while it was away, and the wait that
 * ends here, which the kernel counts after this tracepoint. */
static __always_inline void arrive(struct task_struct *task)
{
	struct thread *thread = thread_with_clock(task);
	__u64 queued_ns;
	__u64 clock;

	if (!thread)
		return;
	if (!thread->left_clock) {
		count_repair(thread);
		return;
	}
	clock = task->se.cfs_rq->rq->clock;
	queued_ns = task->sched_info.run_delay - thread->run_delay;
	if (task->sched_info.last_queued)
		queued_ns += clock - task->sched_info.last_queued;
	thread->arrived_ns = bpf_ktime_get_ns();
	clock_add(thread, thread->arrived_ns, clock - thread->left_clock, queued_ns);
}

SEC("?tp_btf/sched_switch")
int BPF_PROG(on_switch, bool is_preempted, struct task_struct *prev, struct task_struct *next,
	     unsigned int state)
{
	if (!is_recording)
		return 0;
	leave(prev, is_preempted, state);
	arrive(next);
	return 0;
}

char program_license[] SEC("license") = "Dual BSD/GPL";
