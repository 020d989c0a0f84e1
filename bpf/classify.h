/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_CLASSIFY_H
#define PROBEKIT_CLASSIFY_H
/*
 * What a thread that leaves its CPU waits for: a class, and which of its kind, from the system call that it
 * is in, the state that it sleeps in, and the file. There is no program at system calls.
 */
#include "locks.h"
#include "things.h"

/* include/linux/sched.h; tested as bits, as a state may carry flags such as TASK_FREEZABLE. */
#define TASK_INTERRUPTIBLE 0x01
#define TASK_UNINTERRUPTIBLE 0x02
#define TASK_STOPPED_OR_TRACED 0x0c
#define TASK_PARKED 0x40
#define TASK_FROZEN 0x8000

/* ---- files ---- */

/* Sets what the system call waits for. */
static __always_inline void wait_for(struct thread *thread, __u32 time_class, __u64 address)
{
	thread->call_class = time_class;
	thread->call_address = address;
}

static __always_inline void wait_for_socket(struct thread *thread, struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);
	struct sock *sk = BPF_CORE_READ(socket, sk);

	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX)
		wait_for(thread, CLASS_IPC, 0);
	else
		wait_for(thread, CLASS_NETWORK, peer_thing((__u64)sk));
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

/* A file of the current task, or of the one at the address `other`. */
static __always_inline struct file *file_of(__u64 other, __u64 fd)
{
	return other ? open_file_of((struct task_struct *)other, fd)
		     : open_file(bpf_get_current_task_btf(), fd);
}

/* Sets what a thread waits for in a system call on a file: the current one, or, where it could not be
 * looked at in time, that of the task at the address `other`; functions of their own take no pointers into
 * the kernel. `is_sleeping`: interruptible, as waits for something from outside are. */
__noinline int wait_for_file(struct thread *thread, __u64 fd, bool is_sleeping, __u64 other)
{
	struct file *file = file_of(other, fd);

	if (!thread || !file)
		return 0;
	switch (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFBLK:
		/* Neither reads nor waits to be woken: behind another task (i_rwsem, a journal). */
		wait_for(thread, is_sleeping ? CLASS_DISK : CLASS_LOCK, file_thing((__u64)file));
		if (!is_sleeping && !other)
			thread->kernel_owner = file_owner(file);
		return 0;
	case S_IFSOCK:
		wait_for_socket(thread, file);
		return 0;
	case S_IFIFO:
	case S_IFCHR:
		wait_for(thread, CLASS_IPC, 0);
		return 0;
	default:
		wait_for(thread, class_of_anonymous(file), 0);
		return 0;
	}
}

/* The same in one that waits for the file's storage. */
__noinline int wait_for_storage(struct thread *thread, __u64 fd, __u64 other)
{
	struct file *file = file_of(other, fd);

	if (thread && file)
		thread->call_address = file_thing((__u64)file);
	return 0;
}

/* ---- system calls ---- */

/* The class of a system call's wait, by its kind, unless more is known. */
const volatile __u8 kind_classes[SYSCALL_KINDS] = {
	[SYSCALL_OTHER] = CLASS_OTHER, [SYSCALL_FUTEX] = CLASS_LOCK,
	[SYSCALL_LOCK] = CLASS_LOCK,   [SYSCALL_SYNC] = CLASS_DISK,
	[SYSCALL_DISK] = CLASS_DISK,   [SYSCALL_PATH] = CLASS_LOCK, /* behind another task */
	[SYSCALL_FILE] = CLASS_OTHER,  [SYSCALL_IPC] = CLASS_IPC,
	[SYSCALL_IO] = CLASS_IO,       [SYSCALL_SLEEP] = CLASS_SLEEP,
	[SYSCALL_POLL] = CLASS_POLL,   [SYSCALL_MEMORY_MAP] = CLASS_LOCK,
	[SYSCALL_FCNTL] = CLASS_LOCK,
};

static __always_inline void begin_call(struct thread *thread, __u16 number, __u32 kind,
				       struct pt_regs *regs, bool is_sleeping, __u64 other)
{
	thread->call_number = number;
	thread->kernel_owner = 0;
	wait_for(thread, kind_classes[kind & (SYSCALL_KINDS - 1)], 0);
	if (kind == SYSCALL_FUTEX)
		thread->call_address = REGS_ARGUMENT(regs);
	if (kind == SYSCALL_FILE)
		wait_for_file(thread, REGS_ARGUMENT(regs), is_sleeping, other);
	else if (kind == SYSCALL_SYNC)
		wait_for_storage(thread, REGS_ARGUMENT(regs), other);
	else if (kind == SYSCALL_PATH && is_sleeping)
		thread->call_class = CLASS_IPC; /* opens a FIFO */
	else if (kind == SYSCALL_MEMORY_MAP && !other)
		thread->kernel_owner = memory_owner();
}

static __always_inline bool is_in_memstall(struct task_struct *task)
{
	return bpf_core_field_exists(task->in_memstall) &&
	       BPF_CORE_READ_BITFIELD(task, in_memstall);
}

/* Sets what a thread waits for of which no system call is known. */
static __always_inline void wait_in_class(struct thread *thread, __u32 time_class)
{
	thread->off_class = time_class;
	thread->off_syscall = NO_SYSCALL;
	thread->off_address = 0;
}

/* The current thread blocks outside of a system call: in a page fault, or in work on the way back to
 * user space. */
__noinline int wait_in_fault(struct thread *thread)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!thread)
		return 0;
	if (is_in_memstall(task) && !BPF_CORE_READ_BITFIELD(task, in_iowait)) {
		wait_in_class(thread, CLASS_MEMORY);
		return 0;
	}
	wait_in_class(thread, CLASS_PAGEFAULT);
	if (thread->fault_address)
		thread->off_address = mapped_thing(task, thread->fault_address);
	return 0;
}

/* Sets what a thread that blocks waits for. `other`: as in wait_for_file(). */
static __always_inline void classify(struct thread *thread, struct task_struct *task,
				     struct pt_regs *regs, __u32 state, __u64 other)
{
	__s64 number = REGS_SYSCALL(regs);
	__u32 kind;

	if (state & (TASK_STOPPED_OR_TRACED | TASK_PARKED | TASK_FROZEN)) {
		wait_in_class(thread, CLASS_STOPPED);
		return;
	}
	if (number < 0 || number >= MAX_SYSCALLS) {
		if (other)
			wait_in_class(thread, CLASS_PAGEFAULT);
		else
			wait_in_fault(thread);
		return;
	}
	thread->fault_address = 0; /* that fault is over */
	kind = syscall_kinds[number & (MAX_SYSCALLS - 1)];
	if (kind != SYSCALL_RESTART) /* else it goes on with what it did before the signal */
		begin_call(thread, number, kind, regs, !(state & TASK_UNINTERRUPTIBLE), other);
	thread->off_syscall = thread->call_number;
	thread->off_address = thread->call_address;
	thread->off_class = thread->call_class;
	/* io_uring calls its waits I/O, whatever they are for. */
	if (is_in_memstall(task))
		thread->off_class = CLASS_MEMORY;
	else if (kind != SYSCALL_IO && BPF_CORE_READ_BITFIELD(task, in_iowait))
		thread->off_class = CLASS_DISK;
}

#endif
