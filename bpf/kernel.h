/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_KERNEL_H
#define PROBEKIT_KERNEL_H
/*
 * The kernel types that the programs read, with only the members they read; CO-RE finds the offsets
 * in the running kernel's BTF. pt_regs is user ABI in all but name and needs no relocation.
 */
#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/types.h>

#define CORE __attribute__((preserve_access_index))

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx;
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
#define REGS_SP(regs) ((regs)->sp)
#define REGS_FLAGS(regs) ((regs)->flags)
#define REGS_SYSCALL(regs) ((__s64)(regs)->orig_ax) /* negative: not in a system call */
#define REGS_ARGUMENT(regs) ((regs)->di)
#define REGS_ARGUMENT_2(regs) ((regs)->si)
#define REGS_ARGUMENT_3(regs) ((regs)->dx)
#define REGS_PARAMETER(regs) ((regs)->di) /* of a function; the others are of system calls */
#define REGS_PARAMETER_2(regs) ((regs)->si)
/* Of those that the loop of a lock which waits on leaves alone. */
#define REGS_KEPT(regs)                                                                      \
	((regs)->sp + (regs)->bx * 3 + (regs)->bp * 5 + (regs)->r12 * 7 + (regs)->r13 * 11 + \
	 (regs)->r14 * 13 + (regs)->r15 * 17 + (regs)->r8 * 19 + (regs)->r9 * 23)
#define RETURN_POPS 8 /* what a return takes off the stack */

struct thread_struct {
	unsigned long fsbase;
} CORE;
#define THREAD_POINTER(task) BPF_CORE_READ(task, thread.fsbase)
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	unsigned long regs[31], sp, pc, pstate, orig_x0;
	int syscallno;
};
#define REGS_SP(regs) ((regs)->sp)
#define REGS_FLAGS(regs) 0 /* no exit has a condition */
#define REGS_SYSCALL(regs) ((__s64)(regs)->syscallno)
#define REGS_ARGUMENT(regs) ((regs)->orig_x0)
#define REGS_ARGUMENT_2(regs) ((regs)->regs[1])
#define REGS_ARGUMENT_3(regs) ((regs)->regs[2])
#define REGS_PARAMETER(regs) ((regs)->regs[0])
#define REGS_PARAMETER_2(regs) ((regs)->regs[1])
#define REGS_KEPT(regs)                                                                    \
	((regs)->sp + (regs)->regs[19] * 3 + (regs)->regs[20] * 5 + (regs)->regs[21] * 7 + \
	 (regs)->regs[22] * 11 + (regs)->regs[29] * 13)
#define RETURN_POPS 0

struct thread_struct {
	struct {
		unsigned long tp_value;
	} uw;
} CORE;
#define THREAD_POINTER(task) BPF_CORE_READ(task, thread.uw.tp_value)
#else
#error "no register layout for this architecture"
#endif

/* ---- uprobes ---- */

/* The page of a process to which replaced return addresses lead, and where probed instructions are
 * single-stepped. */
struct xol_area {
	unsigned long vaddr;
} CORE;

struct uprobes_state {
	struct xol_area *xol_area;
} CORE;

/* A call whose return is probed. */
struct return_instance {
	unsigned long stack;
	unsigned long orig_ret_vaddr;
	struct return_instance *next; /* that was called before */
} CORE;

struct uprobe_task {
	struct return_instance *return_instances;
	unsigned long vaddr;	 /* of the instruction that is being stepped ... */
	unsigned long xol_vaddr; /* ... at this address; 0: none is */
} CORE;

/* ---- memory ---- */

struct rw_semaphore {
	struct {
		long counter;
	} owner;
} CORE;

struct mm_struct {
	unsigned long start_stack;
	struct rw_semaphore mmap_lock;
	struct uprobes_state uprobes_state;
} CORE;

struct file;

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	unsigned long vm_flags;
	unsigned long vm_pgoff;
	struct file *vm_file;
} CORE;

/* ---- scheduler ---- */

struct sched_info {
	unsigned long long run_delay;
	unsigned long long last_arrival;
	unsigned long long last_queued;
} CORE;

struct rq {
	__u64 clock;
} CORE;

struct cfs_rq {
	struct rq *rq;
	int throttle_count;
} CORE;

struct sched_entity {
	struct cfs_rq *cfs_rq;
	__u64 sum_exec_runtime;
	unsigned char sched_delayed; /* since Linux 6.12 */
} CORE;

/* ---- files ---- */

struct super_block {
	__u32 s_dev;
} CORE;

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
	__u32 i_generation;
	struct super_block *i_sb;
	struct rw_semaphore i_rwsem;
} CORE;

struct qstr {
	const unsigned char *name;
} CORE;

struct dentry {
	struct qstr d_name;
	struct dentry *d_parent;
} CORE;

struct path {
	struct dentry *dentry;
} CORE;

struct file {
	struct inode *f_inode;
	struct path f_path;
	void *private_data;
} CORE;

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
} CORE;

struct files_struct {
	struct fdtable *fdt;
} CORE;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
} CORE;

struct sock_common {
	__u32 skc_daddr;
	__u16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	struct in6_addr skc_v6_daddr;
} CORE;

struct sock {
	struct sock_common __sk_common;
} CORE;

struct socket {
	struct sock *sk;
} CORE;

/* ---- tasks ---- */

struct signal_struct {
	struct {
		int counter;
	} live; /* threads that have not begun to exit */
	unsigned int flags;
} CORE;

struct upid {
	int nr;
	void *ns;
} CORE;

struct pid {
	unsigned int level;	/* of the PID namespace; 0: the first */
	struct upid numbers[1]; /* in each of them, from the first on */
} CORE;

struct task_io_accounting {
	__u64 syscr;
	__u64 syscw;
} CORE;

struct task_struct {
	struct pid *thread_pid;
	int pid;
	int tgid;
	struct signal_struct *signal;
	void *stack;
	unsigned long long start_time;
	struct mm_struct *mm;
	struct task_struct *group_leader;
	char comm[16];
	struct thread_struct thread;
	struct sched_info sched_info;
	unsigned int flags;
	unsigned int __state;
	unsigned int on_cpu; /* of another size since Linux 7.0, */
	unsigned int on_rq;  /* too */
	struct sched_entity se;
	struct files_struct *files;
	struct uprobe_task *utask;
	void *bpf_storage;
	struct task_io_accounting ioac; /* of kernels with CONFIG_TASK_XACCT */
	unsigned in_iowait : 1;
	unsigned in_memstall : 1;
	bool throttled; /* since Linux 6.18 */
} CORE;

struct linux_binprm;
struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
} CORE;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} CORE;

#endif
