/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_FUTEX_LIST_H
#define PROBEKIT_FUTEX_LIST_H
/* Who waits for which futex now, also since before we came: part of sched.bpf.c. */
#include "locks.h"

/* Has it not come back since it was seen to leave? */
static __always_inline bool is_still_away(const struct thread *thread,
					  const struct task_struct *task)
{
	return thread->left_clock && task->sched_info.last_arrival <= thread->left_clock;
}

/* Is it in the system call, or in what goes on with it after a signal? */
static __always_inline bool is_in_futex(const struct thread *thread, const struct task_struct *task,
					const struct pt_regs *regs)
{
	return REGS_SYSCALL(regs) == futex_syscall ||
	       (is_still_away(thread, task) && thread->off_syscall == futex_syscall);
}

/* Since when it waits: 0: before it was followed. ~0: it has begun to after the last that is recorded. */
static __always_inline __u64 waits_since(const struct thread *thread,
					 const struct task_struct *task)
{
	if (is_still_away(thread, task))
		return thread->left_clock + thread->clock_lag;
	return thread->is_unseen ? 0 : ~0ull;
}

/* Of a lock that the task waits for. */
static __always_inline void find_present_owner(struct futex_record *record,
					       struct task_struct *task, const struct pt_regs *regs)
{
	void *at = (void *)REGS_ARGUMENT(regs);
	__u32 words[LOCK_WORDS] = {0};
	struct task_struct *owner;
	__u32 tid;

	if (!lock_may_have_owner(record->operation, record->value))
		return;
	if (bpf_copy_from_user_task(words, sizeof(words), at, task, 0) &&
	    bpf_copy_from_user_task(words, sizeof(words[0]), at, task, 0))
		return;
	tid = lock_owner(words, record->operation, record->value);
	if (tid)
		tid = tid_seen_from(task, tid);
	if (!tid)
		return;
	if (!has_task_from_pid) {
		if (!thread_by_tid(task->tgid, tid))
			return;
		record->owner_pid = task->tgid;
		record->owner_tid = tid;
		return;
	}
	owner = bpf_task_from_pid((__s32)tid);
	if (!owner)
		return;
	if (may_own(record->place.space, task, owner) &&
	    (!futex_is_number_alone(record->operation, record->value) ||
	     is_own_number(owner, REGS_ARGUMENT(regs)))) {
		record->owner_pid = owner->tgid;
		record->owner_tid = tid;
	}
	bpf_task_release(owner);
}

static __always_inline void find_held_since(struct futex_record *record,
					    const struct thread *thread)
{
	const struct lock_state *state = bpf_map_lookup_elem(&locks, &record->place);

	if (state && state->holder_tid && state->holder_tid == record->owner_tid)
		record->held_since_ns = state->since + thread->clock_lag;
}

SEC("?probekit.iter.s")
int list_futexes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread *thread = task ? thread_of(task) : NULL;
	struct futex_record record = {0};
	struct pt_regs *regs;

	if (!thread || !(task->__state & (TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE)))
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	record.operation = REGS_ARGUMENT_2(regs);
	if (!is_in_futex(thread, task, regs) || !is_futex_wait(record.operation))
		return 0;
	record.since_ns = waits_since(thread, task);
	if (record.since_ns == ~0ull)
		return 0;
	record.place.address = REGS_ARGUMENT(regs);
	record.place.space = task->tgid;
	if (!(record.operation & FUTEX_PRIVATE_BIT))
		find_shared_place(task, REGS_ARGUMENT(regs), &record.place);
	record.value = REGS_ARGUMENT_3(regs);
	record.last_arrival = task->sched_info.last_arrival;
	record.pid = task->tgid;
	record.tid = task->pid;
	bpf_probe_read_kernel_str(record.comm, sizeof(record.comm), task->comm);
	if (!thread->is_own_tid_noted)
		note_own_tid(thread, task);
	find_present_owner(&record, task, regs);
	find_held_since(&record, thread);
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}

#endif
