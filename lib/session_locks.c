/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the locks of a snapshot: who waits for each now, who held it, and all else that is known of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "breakdown.h"
#include "evidence.h"
#include "lock.h"
#include "lock_evidence.h"
#include "lock_groups.h"
#include "lock_holders.h"
#include "lock_join.h"
#include "process.h"
#include "stack.h"
#include "syscalls.h"

#define MAX_EXPLAINED 128 /* locks: those that were waited for most */

int session_start_locks(struct probekit_session *session, struct probekit_error *err)
{
	int result;

	if (!session->options.measure_locks)
		return 0;
	result = engine_begin_futexes(session->engine);
	if (result)
		return error_errno(err, result, "cannot fill the BPF maps");
	return session_note_all(session) ? error_no_memory(err) : 0;
}

/* ---- room in the kernel's table ---- */

static int mark_row(const struct futex_key *key, const struct futex_row *row, void *arg)
{
	return futex_marks_add(arg, key, row->ns);
}

/* Takes those that were as far at the last look. */
static int take_idle(struct probekit_session *session, const struct futex_marks *now,
		     struct futex_history *taken)
{
	for (size_t i = 0; i < now->size; i++) {
		const struct futex_mark *mark = &now->items[i];
		struct futex_row row;
		int result;

		if (!mark->key.space || lock_is_foreign(session, mark->key.space) ||
		    !futex_marks_has(&session->retired.marks, mark))
			continue;
		result = engine_take_futex(session->engine, &mark->key, &row);
		if (!result && futex_history_add(taken, &mark->key, &row))
			return -ENOMEM;
	}
	return 0;
}

int session_retire_futexes(struct probekit_session *session)
{
	struct futex_marks now = {0};
	struct futex_history taken = {0};
	int result = engine_visit_futexes(session->engine, mark_row, &now);

	if (!result && now.size > MAX_FUTEXES / 2)
		result = take_idle(session, &now, &taken);
	if (!result)
		result = retired_futexes_add(&session->retired, &taken, &session->futexes_before);
	futex_history_done(&taken);
	futex_marks_done(&session->retired.marks);
	session->retired.marks = now;
	futex_marks_sort(&session->retired.marks);
	return result;
}

/* ---- waits that go on ---- */

/* What it has had the lock for since the others' holds that are counted. */
static int add_present_holder(struct lock_group *group, const struct present_wait *wait,
			      uint64_t since_ns, uint64_t now_ns)
{
	uint64_t held_since_ns = wait->record.held_since_ns;
	struct probekit_thread thread = {
		.pid = (pid_t)wait->record.owner_pid,
		.tid = (pid_t)wait->record.owner_tid,
	};
	struct probekit_lock_holder *holder;

	if (!present_has_owner(wait))
		return 0;
	holder = lock_holder_of(&group->lock, &thread);
	if (!holder)
		return -ENOMEM;
	if (since_ns < held_since_ns)
		since_ns = held_since_ns;
	holder->share += now_ns > since_ns ? (double)(now_ns - since_ns) : 0;
	return 0;
}

static int add_present(struct lock_groups *groups)
{
	const struct probekit_session *session = groups->session;
	uint64_t now_ns = session->stopped_ns ? session->stopped_ns : session_now_ns();

	for (size_t i = 0; i < session->present_count; i++) {
		const struct present_wait *wait = &session->present[i];
		struct futex_key key = wait_key(&wait->record);
		struct lock_group *group;
		uint64_t since_ns = wait->record.since_ns;

		if (lock_is_foreign(session, key.space))
			continue;
		group = lock_group_of(groups, &key);
		if (!group)
			return -ENOMEM;
		if (since_ns < session->started_ns)
			since_ns = session->started_ns;
		group->lock.waiting++;
		group->lock.waiting_ns += now_ns > since_ns ? now_ns - since_ns : 0;
		if (add_present_holder(group, wait, since_ns, now_ns))
			return -ENOMEM;
	}
	return 0;
}

/* ---- what is known of them ---- */

/* Holders are known by the word alone; of waiters the value tells readers from writers. */
static bool is_of_group(const struct wait_identity *wait, void *arg)
{
	const struct lock_group *group = arg;
	const struct futex_place place = {wait->address, wait->pid};
	const struct lock_word *word = lock_word_at(&group->words, place);

	if (wait->time_class != CLASS_LOCK || !word)
		return false;
	if (!wait->futex_value && group->lock.kind && evidence_has_owner(group->lock.kind))
		return lock_group_is_owned_at(group, place);
	if (group->lock.access == PROBEKIT_LOCK_ANY)
		return true;
	return (group->lock.access == PROBEKIT_LOCK_READ) ==
	       (word->address == group->lock.address || (word->address == group->lock.address + 8 &&
							 wait->futex_value == RWLOCK_CONTENDED));
}

/* What a holder does now, where nobody's wait for it has ended yet. */
static int add_present_activity(struct probekit_session *session, struct probekit_holder *holder)
{
	const struct present_wait *wait =
		session_present_wait(session, (uint32_t)holder->thread.tid);
	const struct present_owner *owner = NULL;
	const struct probekit_stack *stack;
	const struct named_lock *next;

	for (size_t i = 0; i < session->owner_count && !owner; i++)
		if (session->owners[i].tid == (uint32_t)holder->thread.tid)
			owner = &session->owners[i];
	if (holder->activity_count || !(wait || owner))
		return 0;
	holder->activities = calloc(1, sizeof(*holder->activities));
	if (!holder->activities)
		return -ENOMEM;
	holder->activities->share = 1;
	holder->activities->name = wait				  ? strdup("futex")
				   : owner->syscall == NO_SYSCALL ? strdup("other")
								  : syscalls_name(owner->syscall);
	holder->activity_count = 1;
	stack = wait ? &wait->stack : &owner->stack;
	if (!holder->activities->name || (!holder->stack.size && stack_copy(&holder->stack, stack)))
		return -ENOMEM;
	if (!wait)
		return 0;
	next = session_lock(session, wait->record.place);
	if (!next)
		return -ENOMEM;
	holder->next_address = next->address;
	return breakdown_copy_text(next->symbol, &holder->next_symbol) |
			       breakdown_copy_text(next->place, &holder->next_place)
		       ? -ENOMEM
		       : 0;
}

/* A thread that has ended is called as its process was. */
static int name_holder(struct probekit_session *session, struct probekit_thread *thread)
{
	const struct named_process *process;

	if (!thread->comm[0])
		process_thread_name(thread->pid, thread->tid, thread->comm);
	if (thread->comm[0])
		return 0;
	process = session_process(session, thread->pid);
	if (process)
		memcpy(thread->comm, process->comm, sizeof(thread->comm));
	return process ? 0 : -ENOMEM;
}

/* All that is known of one lock, of which others may be told in the same row. */
static int gather(struct lock_groups *groups, struct lock_group *group)
{
	struct probekit_lock *lock = &group->lock;
	int result = 0;

	if (!lock->kind || evidence_has_owner(lock->kind))
		result = lock_group_add_holders(groups, group);
	return result ? result
		      : evidence_fill_lock(groups->session->evidence, is_of_group, group, lock);
}

/* What those did that the row tells of. */
static int explain(struct probekit_session *session, struct lock_group *group)
{
	struct probekit_lock *lock = &group->lock;
	int result = 0;

	for (size_t i = 0; i < lock->waker_count && !result; i++)
		result = session_explain_waker(session, &group->words, &lock->wakers[i]);
	for (size_t i = 0; i < lock->holder_count && !result; i++) {
		struct probekit_holder *holder = lock->holders[i].holder;

		result = name_holder(session, &holder->thread);
		if (!result)
			result = session_explain_holder(session, &group->words, holder);
		if (!result)
			result = add_present_activity(session, holder);
	}
	return result;
}

/* ---- the snapshot's ---- */

static int most_waited_first(const void *left, const void *right)
{
	const struct lock_group *const *a = left;
	const struct lock_group *const *b = right;

	return lock_by_time(&(*a)->lock, &(*b)->lock);
}

static void sort_groups(struct lock_groups *groups)
{
	if (groups->size)
		qsort(groups->items, groups->size, sizeof(struct lock_group *), most_waited_first);
}

/* Of all futexes without room nothing is known but times. */
static bool is_others(const struct lock_group *group)
{
	return group->words.size && !group->words.at[0].place.space;
}

/* Those that were waited for most, of locks and of events apart: threads that have nothing to do wait longest. */
static int gather_most(struct lock_groups *groups)
{
	size_t explained[2] = {0};

	for (size_t i = 0; i < groups->size; i++) {
		struct lock_group *group = groups->items[i];

		group->is_explained =
			!is_others(group) &&
			explained[probekit_lock_is_event(&group->lock)]++ < MAX_EXPLAINED;
		if (group->is_explained && gather(groups, group))
			return -ENOMEM;
		lock_group_set_shares(group);
	}
	return 0;
}

static int explain_most(struct lock_groups *groups)
{
	for (size_t i = 0; i < groups->size; i++) {
		struct lock_group *group = groups->items[i];

		lock_keep_holders(&group->lock);
		if (group->is_explained && explain(groups->session, group))
			return -ENOMEM;
	}
	return 0;
}

static bool has_waits(const struct lock_groups *groups, const struct probekit_lock *lock)
{
	return !groups->is_interval || lock->waits.count || lock->waiting;
}

static int take_groups(struct lock_groups *groups, struct probekit_snapshot *snapshot)
{
	sort_groups(groups);
	snapshot->locks = calloc(groups->size + 1, sizeof(*snapshot->locks));
	if (!snapshot->locks || lock_groups_read_holders(groups) || gather_most(groups) ||
	    lock_groups_join(groups) || explain_most(groups))
		return -ENOMEM;
	sort_groups(groups);
	for (size_t i = 0; i < groups->size; i++) {
		lock_group_set_threads(groups->items[i]);
		if (!has_waits(groups, &groups->items[i]->lock))
			continue;
		snapshot->locks[snapshot->lock_count++] = groups->items[i]->lock;
		groups->items[i]->lock = (struct probekit_lock){0};
	}
	return 0;
}

int session_add_locks(struct probekit_session *session, struct probekit_snapshot *snapshot,
		      bool is_interval)
{
	struct lock_groups groups = {.session = session, .is_interval = is_interval};
	int result = session->state == SESSION_RUNNING ? session_note_present(session) : 0;

	if (!result)
		result = lock_groups_add_waits(&groups);
	if (!result)
		result = add_present(&groups);
	if (!result)
		result = lock_groups_add_holds(&groups);
	if (!result)
		result = take_groups(&groups, snapshot);
	if (!result)
		result = session_add_deadlocks(session, snapshot);
	if (!result)
		lock_groups_keep(&groups);
	lock_groups_done(&groups);
	session_forget_maps(session);
	return result;
}
