/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_PROFILE_LIST_H
#define PROBEKIT_PROFILE_LIST_H
/* What the threads of a profile are at when it is taken. The last part of sched.bpf.c, whose classify() it
 * uses. */
#include "profile.h"

#define PF_EXITING 0x04 /* include/linux/sched.h */

/* classify() writes what it finds here. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct thread);
} unseen_room SEC(".maps");

/* Of a thread that has been away since before it was followed. */
static __always_inline void tell_unseen(struct profile_record *record, struct thread *thread,
					struct task_struct *task)
{
	__u32 zero = 0;
	struct thread *room = bpf_map_lookup_elem(&unseen_room, &zero);
	__u32 state = task->__state;

	record->time_class = CLASS_RUNQUEUE;
	if (!room || state == 0 || thread->is_unseen == UNSEEN_NEW)
		return;
	room->call_number = NO_SYSCALL;
	room->call_class = CLASS_OTHER;
	classify(room, plain(task), (struct pt_regs *)bpf_task_pt_regs(task), state,
		 address_of(task));
	record->time_class = room->off_class;
	record->syscall = room->off_syscall;
}

static __always_inline void tell_absence(struct profile_record *record, const struct thread *thread,
					 const struct task_struct *task)
{
	record->since_ns = thread->left_clock + thread->clock_lag;
	record->time_class = thread->off_class;
	record->syscall = thread->off_syscall;
	record->queue_class = thread->queue_class;
	record->queued_ns = task->sched_info.run_delay - thread->run_delay;
	if (task->sched_info.last_queued)
		record->queued_since_ns = task->sched_info.last_queued + thread->clock_lag;
}

/* What the threads of the profile are at. */
SEC("?probekit.iter")
int list_profiled(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread *thread = task ? thread_of(task) : NULL;
	struct profile_record record = {.syscall = NO_SYSCALL, .queue_class = CLASS_RUNQUEUE};

	if (!thread || !is_profiled(thread) || task->flags & PF_EXITING)
		return 0;
	record.pid = task->tgid;
	record.tid = task->pid;
	record.since_ns = thread->arrived_ns;
	if (thread->left_clock)
		tell_absence(&record, thread, task);
	else if (profile_scope == PROFILE_SPANS && thread->frames[0].begin_ns > thread->arrived_ns)
		record.since_ns = thread->frames[0].begin_ns;
	else if (thread->is_unseen && !task->on_cpu)
		tell_unseen(&record, thread, task);
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}

#endif
