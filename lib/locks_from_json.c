/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading locks and deadlocks back; everything in the file is checked as the rest of a snapshot is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "causes_json.h"
#include "histogram.h"
#include "lock.h"
#include "locks_json.h"

#define LOCK_FIELD(key, member, type, is_required)                             \
	{                                                                      \
		key, offsetof(struct probekit_lock, member), type, is_required \
	}

static int read_access(const struct json_reader *r, const struct json_value *object,
		       struct probekit_lock *lock)
{
	const struct json_value *member = json_value_get(object, "access");
	const char *name = json_value_text(member);

	if (json_value_is_null(member))
		return 0;
	if (name && strcmp(name, "read") == 0)
		lock->access = PROBEKIT_LOCK_READ;
	else if (name && strcmp(name, "write") == 0)
		lock->access = PROBEKIT_LOCK_WRITE;
	else
		return json_malformed(r, "access", "is neither \"read\" nor \"write\"");
	return 0;
}

/* What the members of times are called. */
struct time_names {
	const char *count;
	const char *sum;
	const char *min;
	const char *max;
};

static const struct time_names wait_names = {"waits", "wait_ns", "min_ns", "max_ns"};
static const struct time_names hold_names = {"count", "sum_ns", "min_ns", "max_ns"};

/* Their histogram, which the numbers that have been read must go with. */
static int read_times(struct json_reader *r, const struct json_value *object,
		      const struct time_names *names, struct probekit_probe *times)
{
	int result;

	if (times->sum < 0)
		return json_malformed(r, names->sum, "is negative");
	if (times->min < 0 || times->min > times->max)
		return json_malformed(r, names->min, "is negative, or above %s", names->max);
	result = json_read_histogram(r, object, "s", &times->histogram);
	if (!result && histogram_total(&times->histogram) != times->count)
		result = json_malformed(r, names->count, "is not what the histogram holds");
	return result;
}

static int read_numbers(struct json_reader *r, const struct json_value *object,
			struct probekit_lock *lock)
{
	static const struct json_field fields[] = {
		LOCK_FIELD("pid", pid, FIELD_I32, true),
		LOCK_FIELD("symbol", symbol, FIELD_TEXT, false),
		LOCK_FIELD("place", place, FIELD_TEXT, false),
		LOCK_FIELD("name", name, FIELD_TEXT, false),
		LOCK_FIELD("kind", kind, FIELD_TEXT, false),
		LOCK_FIELD("is_shared", is_shared, FIELD_BOOL, false),
		LOCK_FIELD("objects", objects, FIELD_U32, false),
		LOCK_FIELD("waits", waits.count, FIELD_U64, true),
		LOCK_FIELD("wait_ns", waits.sum, FIELD_I64, true),
		LOCK_FIELD("min_ns", waits.min, FIELD_I64, false),
		LOCK_FIELD("max_ns", waits.max, FIELD_I64, false),
		LOCK_FIELD("runqueue_ns", runqueue_ns, FIELD_U64, false),
		LOCK_FIELD("threads", threads, FIELD_U32, false),
		LOCK_FIELD("waiting", waiting, FIELD_U32, false),
		LOCK_FIELD("waiting_ns", waiting_ns, FIELD_U64, false),
		LOCK_FIELD("handoffs", handoffs, FIELD_U64, false),
		LOCK_FIELD("barged", barged, FIELD_U64, false),
		LOCK_FIELD("holder_threads", holder_threads, FIELD_U32, false),
		LOCK_FIELD("unowned_share", unowned_share, FIELD_SHARE, false),
	};
	int result = JSON_READ_FIELDS(r, object, fields, lock);

	if (!result)
		result = json_read_address(r, object, "address", &lock->address);
	if (!result)
		result = read_access(r, object, lock);
	lock_prepare(lock);
	return result ? result : read_times(r, object, &wait_names, &lock->waits);
}

/* The member is NULL where holds were not measured. */
static int read_holds(struct json_reader *r, const struct json_value *object, const char *key,
		      struct probekit_probe *times)
{
	static const struct json_field fields[] = {
		{"count", offsetof(struct probekit_probe, count), FIELD_U64, true},
		{"sum_ns", offsetof(struct probekit_probe, sum), FIELD_I64, true},
		{"min_ns", offsetof(struct probekit_probe, min), FIELD_I64, true},
		{"max_ns", offsetof(struct probekit_probe, max), FIELD_I64, true},
	};
	const struct json_value *member;
	size_t outside;
	int result;

	member = json_enter_object(r, object, key, &outside, &result);
	if (!member)
		return result;
	result = JSON_READ_FIELDS(r, member, fields, times);
	if (!result)
		result = read_times(r, member, &hold_names, times);
	json_leave(r, outside);
	return result;
}

static int read_span(struct json_reader *r, const struct json_value *object, size_t i, void *arg)
{
	static const struct json_field fields[] = {
		{"name", offsetof(struct probekit_lock_span, name), FIELD_TEXT, true},
		{"share", offsetof(struct probekit_lock_span, share), FIELD_SHARE, true},
	};

	return JSON_READ_FIELDS(r, object, fields, (struct probekit_lock_span *)arg + i);
}

static int read_waiter(struct json_reader *r, const struct json_value *object, size_t i, void *arg)
{
	return json_read_stack(r, object, "stack", (struct probekit_stack *)arg + i);
}

static int read_holder(struct json_reader *r, const struct json_value *object, size_t i, void *arg)
{
	static const struct json_field fields[] = {
		{"share", offsetof(struct probekit_lock_holder, share), FIELD_SHARE, true},
		{"is_certain", offsetof(struct probekit_lock_holder, is_certain), FIELD_BOOL, true},
		{"long_waits", offsetof(struct probekit_lock_holder, long_waits), FIELD_U64, false},
	};
	struct probekit_lock_holder *holder = (struct probekit_lock_holder *)arg + i;
	int result = JSON_READ_FIELDS(r, object, fields, holder);

	return result ? result : holders_from_json(r, object, &holder->holder);
}

static int read_waker(struct json_reader *r, const struct json_value *object, size_t i, void *arg)
{
	static const struct json_field fields[] = {
		{"share", offsetof(struct probekit_lock_waker, share), FIELD_SHARE, true},
	};
	struct probekit_lock_waker *waker = (struct probekit_lock_waker *)arg + i;
	int result = JSON_READ_FIELDS(r, object, fields, waker);

	if (!result)
		result = json_read_thread_ids(r, object, &waker->thread);
	if (!result)
		result = activities_from_json(r, object, "did", &waker->did, &waker->did_count);
	return result ? result : json_read_stack(r, object, "stack", &waker->stack);
}

/* The lists of a lock, each in an array of its own. */
static const struct {
	const char *key;
	size_t list;
	size_t count;
	size_t element_bytes;
	int (*read)(struct json_reader *r, const struct json_value *element, size_t i, void *arg);
} lists[] = {
	{"spans", offsetof(struct probekit_lock, spans), offsetof(struct probekit_lock, span_count),
	 sizeof(struct probekit_lock_span), read_span},
	{"waiters", offsetof(struct probekit_lock, waiters),
	 offsetof(struct probekit_lock, waiter_count), sizeof(struct probekit_stack), read_waiter},
	{"holders", offsetof(struct probekit_lock, holders),
	 offsetof(struct probekit_lock, holder_count), sizeof(struct probekit_lock_holder),
	 read_holder},
	{"wakers", offsetof(struct probekit_lock, wakers),
	 offsetof(struct probekit_lock, waker_count), sizeof(struct probekit_lock_waker),
	 read_waker},
};

static int read_lists(struct json_reader *r, const struct json_value *object,
		      struct probekit_lock *lock)
{
	int result = 0;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && !result; i++) {
		size_t count;
		void *room;

		result = json_read_room(r, object, lists[i].key, lists[i].element_bytes, &room,
					&count);
		memcpy((char *)lock + lists[i].list, &room, sizeof(room));
		memcpy((char *)lock + lists[i].count, &count, sizeof(count));
		if (!result)
			result = json_read_each(r, object, lists[i].key, lists[i].read, room);
	}
	return result;
}

static int read_lock(struct json_reader *r, const struct json_value *object, size_t i, void *arg)
{
	struct probekit_lock *lock = (struct probekit_lock *)arg + i;
	int result = read_numbers(r, object, lock);

	if (!result)
		result = read_holds(r, object, "holds", &lock->holds);
	if (!result)
		result = read_holds(r, object, "read_holds", &lock->read_holds);
	return result ? result : read_lists(r, object, lock);
}

static int read_stuck(struct json_reader *r, const struct json_value *object,
		      struct probekit_blocker *thread)
{
	struct json_lock lock = {0};
	int result;

	if (!json_value_is(object, VALUE_OBJECT))
		return json_malformed(r, "", "is not an object");
	result = json_read_thread_ids(r, object, &thread->thread);
	if (!result)
		result = json_read_lock(r, object, "lock", &lock);
	thread->lock_address = lock.address;
	thread->lock_symbol = lock.symbol;
	thread->lock_place = lock.place;
	free((void *)(uintptr_t)lock.kind); /* not of these */
	return result ? result : json_read_stack(r, object, "stack", &thread->stack);
}

static int read_deadlock(struct json_reader *r, const struct json_value *list,
			 struct probekit_deadlock *deadlock)
{
	size_t size = json_value_size(list);
	int result = 0;

	if (!size)
		return json_malformed(r, "", "is not a list of threads");
	deadlock->threads = calloc(size, sizeof(*deadlock->threads));
	if (!deadlock->threads)
		return error_no_memory(r->err);
	deadlock->size = size;
	for (size_t i = 0; i < size && !result; i++) {
		size_t outside = json_enter(r, "", (long)i);

		result = read_stuck(r, json_value_at(list, i), &deadlock->threads[i]);
		json_leave(r, outside);
	}
	return result;
}

static int read_deadlocks(struct json_reader *r, const struct json_value *root,
			  struct probekit_snapshot *snapshot)
{
	const struct json_value *list;
	void *room;
	int result = json_read_room(r, root, "deadlocks", sizeof(*snapshot->deadlocks), &room,
				    &snapshot->deadlock_count);

	snapshot->deadlocks = room;
	if (!result)
		result = json_read_list(r, root, "deadlocks", &list);
	for (size_t i = 0; i < snapshot->deadlock_count && !result; i++) {
		size_t outside = json_enter(r, "deadlocks", (long)i);

		result = read_deadlock(r, json_value_at(list, i), &snapshot->deadlocks[i]);
		json_leave(r, outside);
	}
	return result;
}

int locks_from_json(struct json_reader *r, const struct json_value *root,
		    struct probekit_snapshot *snapshot)
{
	void *room;
	int result = json_read_room(r, root, "locks", sizeof(*snapshot->locks), &room,
				    &snapshot->lock_count);

	snapshot->info.has_locks = json_value_is(json_value_get(root, "locks"), VALUE_LIST);
	snapshot->locks = room;
	if (!result)
		result = json_read_each(r, root, "locks", read_lock, room);
	return result ? result : read_deadlocks(r, root, snapshot);
}
