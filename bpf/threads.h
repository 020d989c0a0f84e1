/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_THREADS_H
#define PROBEKIT_THREADS_H
/* Where the state of a thread is. */
#include "maps.h"

static const struct thread empty_thread;

static __always_inline struct thread *thread_create(struct task_struct *task)
{
	struct thread *thread =
		bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	__u64 key = (__u64)task;

	if (thread)
		return thread;
	bpf_map_update_elem(&spare_threads, &key, &empty_thread, BPF_NOEXIST);
	has_spare_threads = true;
	return bpf_map_lookup_elem(&spare_threads, &key);
}

static __always_inline struct thread *thread_of(struct task_struct *task)
{
	struct thread *thread = bpf_task_storage_get(&threads, task, NULL, 0);
	__u64 key = (__u64)task;

	if (!thread && has_spare_threads)
		thread = bpf_map_lookup_elem(&spare_threads, &key);
	return thread;
}

static __always_inline struct thread *thread_current(bool create)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *thread = thread_of(task);

	return thread || !create ? thread : thread_create(task);
}

#endif
