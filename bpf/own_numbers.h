/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_OWN_NUMBERS_H
#define PROBEKIT_OWN_NUMBERS_H
/*
 * Where probekit itself is in a PID namespace, as in a container, all that it can do with a process it does by the
 * number of that namespace, while programs see the kernel's. Both are noted of each thread that is followed, and the
 * library translates.
 */
#include "maps.h"

WEAK const volatile bool has_own_numbers;
WEAK __u32 own_level; /* of probekit's namespace, */
WEAK __u64 own_space; /* and which it is: set by list_numbers */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct own_number);
} own_numbers WEAK SEC(".maps"); /* by the kernel's of the thread */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} kernel_numbers WEAK SEC(".maps"); /* of a process, by our own */

static __always_inline struct upid *number_at(struct pid *pid, __u32 level)
{
	return (struct upid *)((char *)pid + bpf_core_field_offset(pid->numbers)) + level;
}

/* 0: it is not in our namespace. */
static __always_inline __u32 own_number_of(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct upid *number = number_at(pid, own_level);

	if (BPF_CORE_READ(pid, level) < own_level || (__u64)BPF_CORE_READ(number, ns) != own_space)
		return 0;
	return BPF_CORE_READ(number, nr);
}

/* A function of its own, for its stack. */
static __noinline int note_numbers(struct task_struct *task)
{
	struct own_number own = {
		.pid = own_number_of(task->group_leader),
		.tid = own_number_of(task),
	};
	__u32 key = task->pid;

	if (!own.pid || !own.tid)
		return 0;
	bpf_map_update_elem(&own_numbers, &key, &own, BPF_ANY);
	key = task->tgid;
	own.tid = own.pid;
	bpf_map_update_elem(&own_numbers, &key, &own, BPF_ANY);
	bpf_map_update_elem(&kernel_numbers, &own.pid, &key, BPF_ANY);
	return 0;
}

#endif
