/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_WAKERS_H
#define PROBEKIT_WAKERS_H
/* Who ends a wait. A waker is believed only where the kernel runs on its behalf: interrupts wake
 * threads too, in whoever's time they come. */
#include "evidence.h"

#define TASK_STACK_BYTES 16384 /* THREAD_SIZE on x86-64 and arm64, or less than it */

/* Interrupts have stacks of their own, except those of user mode on x86, which leave no number of a
 * system call; a tracepoint's arguments are on the present one. Where the count of interrupts stands,
 * not every kernel tells (without CONFIG_KALLSYMS_ALL). */
static __always_inline bool in_task(void *ctx, struct task_struct *task)
{
	__u64 at = 0;

	/* The verifier of older kernels subtracts nothing unknown from ctx; read back it is a number. */
	bpf_probe_read_kernel(&at, sizeof(at), &ctx);
	return at - (__u64)task->stack < TASK_STACK_BYTES &&
	       REGS_SYSCALL((struct pt_regs *)bpf_task_pt_regs(task)) >= 0;
}

static __always_inline void note_name(__u32 pid, struct task_struct *task)
{
	struct process_name name = {0};

	if (bpf_map_lookup_elem(&process_names, &pid))
		return;
	if (has_own_numbers)
		note_numbers(task);
	bpf_probe_read_kernel_str(name.comm, sizeof(name.comm),
				  BPF_CORE_READ(task, group_leader, comm));
	bpf_map_update_elem(&process_names, &pid, &name, BPF_ANY);
}

#endif
