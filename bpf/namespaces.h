/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_NAMESPACES_H
#define PROBEKIT_NAMESPACES_H
/*
 * The numbers that threads know of each other, which are in their locks, are those of their PID namespace, as in
 * a container. Threads of such are noted when they are first seen to leave a CPU.
 */
#include "threads.h"

#define MAX_OWN_TIDS 16384

struct own_tid {
	__u64 space; /* of the PID namespace */
	__u32 tid;   /* in it */
	__u32 padding;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_OWN_TIDS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct own_tid);
	__type(value, __u32); /* the kernel's */
} own_tids WEAK SEC(".maps");

/* The task's number in its own namespace; `tid` 0: that is the kernel's too. */
static __always_inline struct own_tid own_tid_of(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	struct own_tid own = {0};
	struct upid *number;

	if (!level)
		return own;
	number = number_at(pid, level);
	own.space = (__u64)BPF_CORE_READ(number, ns);
	own.tid = BPF_CORE_READ(number, nr);
	return own;
}

static __always_inline void forget_own_tid(struct task_struct *task)
{
	struct own_tid own = own_tid_of(task);

	if (own.tid)
		bpf_map_delete_elem(&own_tids, &own);
}

/* The thread that the task calls `tid`; 0: not known. */
static __always_inline __u32 tid_seen_from(struct task_struct *task, __u32 tid)
{
	struct own_tid own = own_tid_of(task);
	__u32 *known;

	if (!own.tid)
		return tid;
	own.tid = tid;
	known = bpf_map_lookup_elem(&own_tids, &own);
	return known ? *known : 0;
}

#define THREAD_BYTES 4096 /* what a C library keeps at a thread's pointer is less */

/* Is the futex where the C library keeps the thread's own number? Then it is joined; else a number that is waited
 * for may be any other's by chance. */
static __always_inline bool is_own_number(struct task_struct *task, __u64 address)
{
	return address - THREAD_POINTER(task) + THREAD_BYTES < 2 * THREAD_BYTES;
}

#endif
