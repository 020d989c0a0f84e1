/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_THREADS_H
#define PROBEKIT_THREADS_H
/*
 * Where the state of a thread is. The first span of a process is an event, on which the library has
 * its other threads adopted: they may hold what its spans wait for.
 */
#include "maps.h"
#include "own_numbers.h"

static const struct thread empty_thread;

static __always_inline __u64 spare_key(const struct task_struct *task)
{
	return (__u64)task->tgid << 32 | (__u32)task->pid;
}

/* May a thread of the process have its state there? One of ours must not make every switch of all others look. */
static __always_inline bool may_be_spare(__u32 pid)
{
	return spare_processes && spare_processes >> (pid & 63) & 1;
}

/* Of two that create the first storage of a task at once the kernel refuses one. What the other has made may be of
 * another map, also of another tracer's: so it is found, or created beside that. */
static __always_inline struct thread *stored_thread(struct task_struct *task)
{
	struct thread *thread =
		bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	return thread ? thread
		      : bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* Where tasks cannot be found by number, all state is in the map that has it by number. A task that may be
 * running has its state at any moment where it is looked for last: then nobody else puts it where it is
 * looked for first. */
static __always_inline struct thread *thread_create(struct task_struct *task, bool may_run)
{
	struct thread *thread = NULL;
	__u64 key = spare_key(task);

	if (has_own_numbers)
		note_numbers(task);
	if (has_task_from_pid)
		thread = stored_thread(task);
	if (thread || (has_task_from_pid && may_run))
		return thread;
	bpf_map_update_elem(&spare_threads, &key, &empty_thread, BPF_NOEXIST);
	__sync_fetch_and_or(&spare_processes, 1ull << (task->tgid & 63));
	return bpf_map_lookup_elem(&spare_threads, &key);
}

/* The spare one first: a thread may be adopted while it is refused and gets it. */
static __always_inline struct thread *thread_of(struct task_struct *task)
{
	struct thread *thread = NULL;
	__u64 key = spare_key(task);

	if (may_be_spare(task->tgid))
		thread = bpf_map_lookup_elem(&spare_threads, &key);
	if (!thread && has_task_from_pid)
		thread = bpf_task_storage_get(&threads, task, NULL, 0);
	return thread;
}

/* A task without any storage is told without the helper, which costs several times the load. */
static __always_inline struct thread *thread_if_any(struct task_struct *task)
{
	if (bpf_core_field_exists(task->bpf_storage) && !task->bpf_storage &&
	    !may_be_spare(task->tgid))
		return NULL;
	return thread_of(task);
}

static __always_inline void tell(__u32 kind, __u32 pid)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return;
	event->kind = kind;
	event->pid = pid;
	bpf_ringbuf_submit(event, 0);
}

static __always_inline void note_process(__u32 pid)
{
	__u32 one = 1;

	if (bpf_map_lookup_elem(&processes, &pid))
		return;
	if ((int)bpf_map_update_elem(&processes, &pid, &one, BPF_NOEXIST) == 0)
		tell(EVENT_PROCESS, pid);
}

static __always_inline struct thread *thread_current(bool create)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *thread = thread_of(task);

	if (thread || !create)
		return thread;
	thread = thread_create(task, false);
	if (thread && has_breakdown)
		note_process(bpf_get_current_pid_tgid() >> 32);
	return thread;
}

/* How long the thread has been stopped since the clock stood so, if that is to be left out of spans. */
static __always_inline __u64 left_out_since(const struct thread *thread,
					    const struct off_time *before)
{
	return excludes_stopped ? thread->off.ns[CLASS_STOPPED] - before->ns[CLASS_STOPPED] : 0;
}

#endif
