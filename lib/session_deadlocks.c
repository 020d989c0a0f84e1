/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns who waits for whom now, and which of them wait for each other; also since before we came. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "array.h"
#include "breakdown.h"
#include "evidence.h"
#include "lock.h"
#include "session.h"
#include "snapshot.h"
#include "stack.h"

#define MAX_CIRCLE 64 /* threads */

struct futex_key wait_key(const struct futex_record *record)
{
	return (struct futex_key){
		.address = record->place.address,
		.space = (uint32_t)record->place.space,
		.command = (uint8_t)record->operation,
		.value = futex_told_value(record->operation, record->value),
	};
}

/* ---- noting them ---- */

struct noting {
	struct present_wait *items;
	size_t size;
};

static int note_one(const struct futex_record *record, void *arg)
{
	struct noting *noting = arg;
	struct present_wait *grown = array_grow(noting->items, noting->size, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	noting->items = grown;
	grown[noting->size] = (struct present_wait){.record = *record};
	grown[noting->size++].record.comm[sizeof(record->comm) - 1] = '\0';
	return 0;
}

static int by_tid(const void *left, const void *right)
{
	const struct present_wait *a = left;
	const struct present_wait *b = right;

	return a->record.tid < b->record.tid ? -1 : a->record.tid > b->record.tid;
}

static struct present_wait *find(const struct noting *noting, uint32_t tid)
{
	struct present_wait wanted = {.record.tid = tid};

	return noting->size ? bsearch(&wanted, noting->items, noting->size, sizeof(*noting->items),
				      by_tid)
			    : NULL;
}

static bool is_same_wait(const struct futex_record *a, const struct futex_record *b)
{
	return a->tid == b->tid && a->pid == b->pid && a->place.address == b->place.address &&
	       a->place.space == b->place.space && a->last_arrival == b->last_arrival;
}

static void done(struct noting *noting)
{
	for (size_t i = 0; i < noting->size; i++)
		stack_done(&noting->items[i].stack);
	free(noting->items);
}

/* What was found out of a wait before goes with it. */
static void take_over(struct noting *from, struct noting *to)
{
	for (size_t i = 0; i < to->size; i++) {
		struct present_wait *known = find(from, to->items[i].record.tid);

		if (!known || !is_same_wait(&known->record, &to->items[i].record))
			continue;
		to->items[i].is_told = known->is_told;
		to->items[i].lock_kind = known->lock_kind;
		to->items[i].stack = known->stack;
		known->stack = (struct probekit_stack){0};
	}
}

/* The stack of a thread that others wait for, and that waits for no futex itself. */
static int note_owner(struct probekit_session *session, const struct stack_record *header,
		      const void *bytes, size_t size_bytes)
{
	struct present_owner *grown;
	const char *lock_kind;
	bool is_owner = false;
	int result;

	for (size_t i = 0; i < session->present_count && !is_owner; i++)
		is_owner = session->present[i].record.owner_tid == header->tid;
	if (!is_owner)
		return 0;
	grown = reallocarray(session->owners, session->owner_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	session->owners = grown;
	grown += session->owner_count;
	*grown = (struct present_owner){.tid = header->tid, .syscall = header->wait.syscall};
	result = evidence_stack(session->evidence, bytes, size_bytes, &grown->stack, &lock_kind);
	session->owner_count += !result;
	return result == -EINVAL ? 0 : result;
}

static void forget_owners(struct probekit_session *session)
{
	for (size_t i = 0; i < session->owner_count; i++)
		stack_done(&session->owners[i].stack);
	free(session->owners);
	session->owners = NULL;
	session->owner_count = 0;
}

/* The stack of a thread that waits: what it waits for, and another sample of such waits. */
static int note_stack(const void *bytes, size_t size_bytes, void *arg)
{
	struct probekit_session *session = arg;
	struct noting noting = {session->present, session->present_count};
	struct stack_record header;
	struct present_wait *wait;
	struct futex_key key;
	uint8_t *copy;
	int result;

	memcpy(&header, bytes, sizeof(header));
	wait = find(&noting, header.tid);
	if (!wait)
		return note_owner(session, &header, bytes, size_bytes);
	if (wait->is_told)
		return 0;
	result = evidence_stack(session->evidence, bytes, size_bytes, &wait->stack,
				&wait->lock_kind);
	copy = result ? NULL : malloc(size_bytes);
	if (!copy)
		return result && result != -EINVAL ? result : result ? 0 : -ENOMEM;
	wait->is_told = true;
	key = wait_key(&wait->record);
	memcpy(copy, bytes, size_bytes);
	header.role = STACK_WAITER;
	header.probe = 0;
	header.wait_ns = 0;
	header.holder_tid = 0;
	header.wait = (struct wait_identity){
		.address = key.address,
		.pid = key.space,
		.syscall = SYS_futex,
		.time_class = CLASS_LOCK,
		.futex_value = key.value,
	};
	memcpy(copy, &header, sizeof(header));
	result = evidence_add(session->evidence, copy, size_bytes);
	free(copy);
	return result == -EINVAL ? 0 : result;
}

void session_forget_present(struct probekit_session *session)
{
	struct noting noting = {session->present, session->present_count};

	done(&noting);
	forget_owners(session);
	free(session->deadlocks_told);
}

bool present_has_owner(const struct present_wait *wait)
{
	const struct futex_record *record = &wait->record;

	/* (readers that let writers pass wait for a number that is nobody's) */
	if (wait->lock_kind && strcmp(wait->lock_kind, "rwlock") == 0 &&
	    record->value > RWLOCK_CONTENDED && !futex_is_pi(record->operation))
		return false;
	return record->owner_tid && !(wait->stack.size && !evidence_has_owner(wait->lock_kind));
}

const struct present_wait *session_present_wait(const struct probekit_session *session,
						uint32_t tid)
{
	struct noting noting = {session->present, session->present_count};

	return find(&noting, tid);
}

/* ---- circles ---- */

/* The thread that has what this one waits for; NULL: that is not certain (without a stack no lock's kind is
 * known), or it does not wait. */
static const struct present_wait *blocker_of(const struct probekit_session *session,
					     const struct present_wait *wait)
{
	struct noting noting = {session->present, session->present_count};

	return wait->record.owner_tid && evidence_has_owner(wait->lock_kind)
		       ? find(&noting, wait->record.owner_tid)
		       : NULL;
}

/* Fills the circle that leads back to `start`; 0: there is none. Each is found from its lowest tid. */
static size_t circle_from(const struct probekit_session *session, const struct present_wait *start,
			  const struct present_wait *circle[static MAX_CIRCLE])
{
	const struct present_wait *at = start;
	size_t size = 0;

	do {
		if (size == MAX_CIRCLE || at->record.tid < start->record.tid)
			return 0;
		circle[size++] = at;
		at = blocker_of(session, at);
	} while (at && at != start);
	return at ? size : 0;
}

struct rereading {
	const struct present_wait *const *circle;
	size_t size;
	size_t same;
};

static int reread(const struct futex_record *record, void *arg)
{
	struct rereading *rereading = arg;

	for (size_t i = 0; i < rereading->size; i++)
		if (is_same_wait(&rereading->circle[i]->record, record) &&
		    rereading->circle[i]->record.owner_tid == record->owner_tid)
			rereading->same++;
	return 0;
}

/* Owners are read one by one. Where none of the threads has run until they were all read again, each had
 * its lock all the time. */
static bool is_still_there(struct probekit_session *session,
			   const struct present_wait *const *circle, size_t size)
{
	struct rereading rereading = {.circle = circle, .size = size};

	return engine_visit_futex_waits(session->engine, reread, &rereading) == 0 &&
	       rereading.same == size;
}

/* Notes that a circle is found from this thread. */
static void mark_circle(struct probekit_session *session, struct present_wait *start)
{
	const struct present_wait *circle[MAX_CIRCLE];
	size_t size = circle_from(session, start, circle);

	start->begins_circle = size && is_still_there(session, circle, size);
}

int session_note_present(struct probekit_session *session)
{
	struct noting before = {session->present, session->present_count};
	struct noting now = {0};
	bool has_new = false;
	int result = engine_visit_futex_waits(session->engine, note_one, &now);

	if (result) {
		free(now.items);
		return result == -ENOMEM ? result : 0; /* not every kernel can tell */
	}
	if (now.size)
		qsort(now.items, now.size, sizeof(*now.items), by_tid);
	take_over(&before, &now);
	done(&before);
	session->present = now.items;
	session->present_count = now.size;
	for (size_t i = 0; i < now.size; i++)
		has_new |= !now.items[i].is_told || now.items[i].record.owner_tid;
	forget_owners(session);
	if (has_new)
		result = engine_visit_open_stacks(session->engine, note_stack, session);
	for (size_t i = 0; i < now.size; i++)
		mark_circle(session, &now.items[i]);
	return result;
}

/* ---- showing them ---- */

static int show_thread(struct probekit_session *session, const struct present_wait *wait,
		       struct probekit_blocker *shown)
{
	const struct futex_record *record = &wait->record;
	const struct named_lock *lock = session_lock(session, record->place);

	shown->thread =
		(struct probekit_thread){.pid = (pid_t)record->pid, .tid = (pid_t)record->tid};
	memcpy(shown->thread.comm, record->comm, sizeof(shown->thread.comm));
	if (!lock || stack_copy(&shown->stack, &wait->stack))
		return -ENOMEM;
	shown->lock_address = lock->address;
	return breakdown_copy_text(lock->symbol, &shown->lock_symbol) |
	       breakdown_copy_text(lock->place, &shown->lock_place);
}

static int show_circle(struct probekit_session *session, const struct present_wait *const *circle,
		       size_t size, struct probekit_snapshot *snapshot)
{
	struct probekit_deadlock *deadlock =
		reallocarray(snapshot->deadlocks, snapshot->deadlock_count + 1, sizeof(*deadlock));

	if (!deadlock)
		return -ENOMEM;
	snapshot->deadlocks = deadlock;
	deadlock += snapshot->deadlock_count;
	*deadlock = (struct probekit_deadlock){.threads = calloc(size, sizeof(*deadlock->threads))};
	if (!deadlock->threads)
		return -ENOMEM;
	snapshot->deadlock_count++;
	deadlock->size = size;
	for (size_t i = 0; i < size; i++)
		if (show_thread(session, circle[i], &deadlock->threads[i]))
			return -ENOMEM;
	return 0;
}

int session_add_deadlocks(struct probekit_session *session, struct probekit_snapshot *snapshot)
{
	const struct present_wait *circle[MAX_CIRCLE];
	int result = 0;

	for (size_t i = 0; i < session->present_count && !result; i++) {
		if (session->present[i].begins_circle)
			result = show_circle(session, circle,
					     circle_from(session, &session->present[i], circle),
					     snapshot);
	}
	return result;
}

/* ---- while it runs ---- */

static uint64_t hash_of(const struct present_wait *const *circle, size_t size)
{
	uint64_t hash = size;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ circle[i]->record.tid ^ circle[i]->record.place.address) *
		       0x9e3779b97f4a7c15ull;
	return hash;
}

static int tell(struct probekit_session *session, uint64_t hash)
{
	uint64_t *grown;

	for (size_t i = 0; i < session->deadlock_count; i++)
		if (session->deadlocks_told[i] == hash)
			return 0;
	grown = reallocarray(session->deadlocks_told, session->deadlock_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	session->deadlocks_told = grown;
	grown[session->deadlock_count++] = hash;
	session->has_new_deadlock = true;
	return 0;
}

int session_watch_deadlocks(struct probekit_session *session)
{
	const struct present_wait *circle[MAX_CIRCLE];
	int result;

	if (session->state != SESSION_RUNNING)
		return 0;
	result = session_note_present(session);
	for (size_t i = 0; i < session->present_count && !result; i++) {
		if (session->present[i].begins_circle)
			result = tell(session,
				      hash_of(circle,
					      circle_from(session, &session->present[i], circle)));
	}
	return result;
}
