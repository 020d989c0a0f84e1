/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the spans that are open when the measurement stops: what they wait for, and where. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "breakdown.h"
#include "evidence.h"
#include "process.h"
#include "session.h"
#include "stack.h"
#include "syscalls.h"

#define MAX_CHAIN 64 /* threads that wait for each other */

/* ---- noting them ---- */

/* The command's process may be kept until the session is freed, though it has ended. */
static bool has_gone(const struct probekit_session *session, pid_t pid)
{
	if (pid == session->command.pid && session->command.status >= 0)
		return true;
	return process_has_ended(pid);
}

static int note_one(const struct open_record *record, void *arg)
{
	struct probekit_session *session = arg;
	struct open_record *noted;
	struct open_span *open;

	/* A program that was running at the pause may have begun a span after it. */
	if (record->probe > session->plan.probe_count ||
	    (record->probe && record->begin_ns >= session->stopped_ns))
		return 0;
	/* It may have returned since: nobody was there to see. */
	if (record->probe && session->plan.probes[record->probe - 1].dropped_ns)
		return 0;
	open = reallocarray(session->open, session->open_count + 1, sizeof(*open));
	if (!open)
		return -ENOMEM;
	session->open = open;
	open += session->open_count++;
	*open = (struct open_span){.record = *record};
	noted = &open->record;
	noted->comm[sizeof(noted->comm) - 1] = '\0';
	/* An async span outlives its thread, but not its process. */
	if (record->probe && session->plan.probes[record->probe - 1].kind == PROBEKIT_KIND_ASYNC &&
	    has_gone(session, (pid_t)record->pid))
		noted->pid = 0;
	return 0;
}

/* The stack of a thread is that of all its spans. */
static int note_stack(const void *bytes, size_t size_bytes, void *arg)
{
	struct probekit_session *session = arg;
	struct probekit_stack stack;
	struct stack_record record;
	const char *lock_kind;
	int result = evidence_stack(session->evidence, bytes, size_bytes, &stack, &lock_kind);

	if (result)
		return result == -EINVAL ? 0 : result;
	memcpy(&record, bytes, sizeof(record));
	for (size_t i = 0; i < session->open_count && !result; i++) {
		struct open_span *open = &session->open[i];

		if (open->record.tid != record.tid || open->stack.size)
			continue;
		open->lock_kind = lock_kind;
		result = stack_copy(&open->stack, &stack);
	}
	stack_done(&stack);
	return result;
}

/* Does it run, or wait for a CPU, which it may have by now? */
static bool may_run(const struct open_span *open)
{
	return !open->record.is_blocked || open->record.time_class == CLASS_RUNQUEUE ||
	       open->record.time_class == CLASS_THROTTLED;
}

/* Registers of a thread that runs are with the CPU; what it ran last has been sampled. */
static int note_running(struct probekit_session *session)
{
	int result = 0;

	for (size_t i = 0; i < session->open_count && !result; i++) {
		struct open_span *open = &session->open[i];

		if (may_run(open) && !open->stack.size)
			result = evidence_running_stack(session->evidence, open->record.tid,
							open->record.begin_ns, &open->stack);
	}
	return result;
}

int session_note_open(struct probekit_session *session, struct probekit_error *err)
{
	int result = engine_visit_open(session->engine, note_one, session, err);

	if (!result && session->evidence && session->open_count &&
	    (engine_visit_open_stacks(session->engine, note_stack, session) ||
	     session_poll_evidence(session) || note_running(session)))
		result = error_no_memory(err);
	return result;
}

void session_forget_open(struct probekit_session *session)
{
	for (size_t i = 0; i < session->open_count; i++)
		stack_done(&session->open[i].stack);
	free(session->open);
}

/* ---- who waits for whom ---- */

static const struct open_span *span_of_thread(const struct probekit_session *session, uint32_t tid)
{
	for (size_t i = 0; i < session->open_count; i++)
		if (session->open[i].record.tid == tid)
			return &session->open[i];
	return NULL;
}

/* The owner of the lock that it waits for; 0: none, or the lock is of a kind without. */
static uint32_t owner_of(const struct open_span *open)
{
	if (!open->record.is_blocked || open->record.time_class != CLASS_LOCK)
		return 0;
	/* Where there is no stack its word is all there is. */
	if (open->stack.size && !evidence_has_owner(open->lock_kind))
		return 0;
	return open->record.owner_tid;
}

static bool is_blocker(const struct probekit_open_span *open, uint32_t tid)
{
	for (size_t i = 0; i < open->blocker_count; i++)
		if ((uint32_t)open->blockers[i].thread.tid == tid)
			return true;
	return false;
}

/* The lock that a thread waits for; NULL: none. */
static int lock_of(struct probekit_session *session, const struct open_record *record,
		   const struct named_lock **lock)
{
	*lock = NULL;
	if (!record->is_blocked || !record->place.address)
		return 0;
	*lock = session_lock(session, record->place);
	return *lock ? 0 : -ENOMEM;
}

static int describe_blocker(struct probekit_session *session, const struct open_span *from,
			    struct probekit_blocker *blocker)
{
	const struct named_lock *lock;

	memcpy(blocker->thread.comm, from->record.comm, sizeof(blocker->thread.comm));
	if (lock_of(session, &from->record, &lock) || stack_copy(&blocker->stack, &from->stack))
		return -ENOMEM;
	if (!lock)
		return 0;
	blocker->lock_address = lock->address;
	return breakdown_copy_text(lock->symbol, &blocker->lock_symbol) |
	       breakdown_copy_text(lock->place, &blocker->lock_place);
}

/* `at`: what is known of the thread; NULL: nothing. */
static int add_blocker(struct probekit_session *session, pid_t pid, uint32_t tid,
		       const struct open_span *at, struct probekit_open_span *open)
{
	struct probekit_blocker *grown =
		reallocarray(open->blockers, open->blocker_count + 1, sizeof(*grown));
	struct probekit_blocker *blocker;

	if (!grown)
		return -ENOMEM;
	open->blockers = grown;
	blocker = &grown[open->blocker_count++];
	*blocker = (struct probekit_blocker){.thread = {.pid = pid, .tid = (pid_t)tid}};
	if (at)
		return describe_blocker(session, at, blocker);
	process_thread_name(pid, (pid_t)tid, blocker->thread.comm);
	return 0;
}

/* Follows the owners up to one who waits for none, or has been there before. */
static int add_blockers(struct probekit_session *session, const struct open_span *from,
			struct probekit_open_span *open)
{
	uint32_t owner = owner_of(from);
	pid_t pid = (pid_t)from->record.owner_pid;
	int result = 0;

	while (owner && owner != from->record.tid && !is_blocker(open, owner) &&
	       open->blocker_count < MAX_CHAIN && !result) {
		const struct open_span *at = span_of_thread(session, owner);

		result = add_blocker(session, pid, owner, at, open);
		owner = at ? owner_of(at) : 0;
		pid = at ? (pid_t)at->record.owner_pid : 0;
	}
	open->is_deadlock = owner == from->record.tid;
	return result;
}

/* ---- rows ---- */

static int name_wait(const struct open_record *record, struct probekit_open_span *open)
{
	const char *name = NULL;

	if (record->is_blocked && record->syscall != NO_SYSCALL)
		open->blocked_in = syscalls_name(record->syscall);
	else if (record->is_blocked && record->time_class < PROBEKIT_CLASS_COUNT)
		name = probekit_class_name((enum probekit_class)record->time_class);
	else
		name = probekit_class_name(PROBEKIT_CLASS_ONCPU);
	if (name)
		open->blocked_in = strdup(name);
	return open->blocked_in ? 0 : -ENOMEM;
}

static int name_open_lock(struct probekit_session *session, const struct open_span *from,
			  struct probekit_open_span *open)
{
	const struct named_lock *lock;
	int result = lock_of(session, &from->record, &lock);

	if (result || !lock)
		return result;
	open->lock_address = lock->address;
	open->holder_tid = (pid_t)owner_of(from);
	if (breakdown_copy_text(lock->symbol, &open->lock_symbol) |
	    breakdown_copy_text(lock->place, &open->lock_place))
		return -ENOMEM;
	return add_blockers(session, from, open);
}

static int fill(struct probekit_session *session, const struct open_span *from,
		struct probekit_open_span *open)
{
	const struct open_record *record = &from->record;
	int result;

	open->pid = (pid_t)record->pid;
	open->tid = (pid_t)record->tid;
	open->age_ns = session->stopped_ns - record->begin_ns;
	memcpy(open->comm, record->comm, sizeof(open->comm));
	if (!session->evidence ||
	    session->plan.probes[record->probe - 1].kind == PROBEKIT_KIND_ASYNC)
		return 0;
	if (record->is_blocked && record->blocked_since_ns &&
	    record->blocked_since_ns < session->stopped_ns)
		open->blocked_ns = session->stopped_ns - record->blocked_since_ns;
	/* What it was stopped before is left out already. */
	if (session->options.exclude_stopped && record->time_class == CLASS_STOPPED)
		open->age_ns -= open->blocked_ns < open->age_ns ? open->blocked_ns : open->age_ns;
	result = name_wait(record, open);
	if (!result)
		result = name_open_lock(session, from, open);
	return result ? result : stack_copy(&open->stack, &from->stack);
}

int session_add_open(struct probekit_session *session, uint32_t index, struct probekit_probe *row)
{
	int result = 0;

	if (!session->open_count)
		return 0;
	row->open = calloc(session->open_count, sizeof(*row->open));
	if (!row->open)
		return -ENOMEM;
	for (size_t i = 0; i < session->open_count && !result; i++) {
		const struct open_span *open = &session->open[i];

		if (open->record.probe != index + 1)
			continue;
		if (open->record.pid == 0)
			row->lost.abandoned++;
		else
			result = fill(session, open, &row->open[row->open_count++]);
	}
	session_forget_maps(session);
	return result;
}
