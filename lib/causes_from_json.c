/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading the tail, its causes with their evidence, the slowest spans, and the open ones. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "breakdown.h"
#include "causes_json.h"

int tail_from_json(struct json_reader *r, const struct json_value *object,
		   struct probekit_probe *probe)
{
	static const struct json_field fields[] = {
		{"exponent", offsetof(struct probekit_tail, exponent), FIELD_I32, false},
		{"from_ns", offsetof(struct probekit_tail, from_ns), FIELD_U64, true},
		{"count", offsetof(struct probekit_tail, count), FIELD_U64, true},
		{"share_of_spans", offsetof(struct probekit_tail, share_of_spans), FIELD_SHARE,
		 true},
		{"share_of_time", offsetof(struct probekit_tail, share_of_time), FIELD_SHARE, true},
	};
	struct probekit_tail *tail = &probe->tail;
	const struct json_value *inner;
	bool is_known;
	size_t outside;
	int result;

	inner = json_enter_object(r, object, "tail", &outside, &result);
	if (!inner)
		return result;
	tail->exponent = INT32_MIN;
	result = JSON_READ_FIELDS(r, inner, fields, tail);
	if (!result)
		result = json_read_times(r, inner, tail->time_ns, &is_known);
	json_leave(r, outside);
	return result;
}

/* Those of system calls, "#451", "oncpu" ...: nothing that JSON would escape. */
static bool is_activity_name(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("_#-. ", name[i]))
			return false;
	return length > 0 && length <= 64;
}

static int read_activity(struct json_reader *r, const char *key, const struct json_value *member,
			 struct probekit_activity *activity)
{
	if (!is_activity_name(member->key))
		return json_malformed(r, key, "has a name that is none of an activity");
	if (breakdown_copy_text(member->key, &activity->name))
		return error_no_memory(r->err);
	return json_read_share(r, key, member, &activity->share);
}

int activities_from_json(struct json_reader *r, const struct json_value *object, const char *key,
			 struct probekit_activity **activities, size_t *count)
{
	const struct json_value *inner = json_value_get(object, key);
	int result = 0;

	if (json_value_is_null(inner))
		return 0;
	if (!json_value_is(inner, VALUE_OBJECT))
		return json_malformed(r, key, "is not an object");
	if (inner->size == 0)
		return 0;
	*activities = calloc(inner->size, sizeof(**activities));
	if (!*activities)
		return error_no_memory(r->err);
	for (uint32_t i = 0; i < inner->size && !result; i++)
		result = read_activity(r, key, &inner->items[i], &(*activities)[(*count)++]);
	return result;
}

/* `waits_for` of the holder; the holder in it is *next, or NULL. */
static int read_waits_for(struct json_reader *r, const struct json_value *object,
			  struct probekit_holder *holder, const struct json_value **next)
{
	struct json_lock lock = {0};
	int result;

	*next = NULL;
	if (json_value_is_null(object))
		return 0;
	result = json_read_lock(r, object, "lock", &lock);
	holder->next_address = lock.address;
	holder->next_symbol = lock.symbol;
	holder->next_place = lock.place;
	free((char *)lock.kind); /* of a cause alone */
	if (!result && !lock.address)
		return json_malformed(r, "lock", "is missing");
	*next = json_value_get(object, "holder");
	return result;
}

static int read_holder(struct json_reader *r, const struct json_value *object,
		       struct probekit_holder *holder, const struct json_value **next)
{
	static const struct json_field fields[] = {
		{"threads", offsetof(struct probekit_holder, threads), FIELD_U32, false},
		{"file", offsetof(struct probekit_holder, file), FIELD_TEXT, false},
		{"file_activity", offsetof(struct probekit_holder, file_activity), FIELD_TEXT,
		 false},
	};
	const struct json_value *inner = json_value_get(object, "waits_for");
	int result = JSON_READ_FIELDS(r, object, fields, holder);

	*next = NULL;
	if (!result)
		result = json_read_thread_ids(r, object, &holder->thread);
	if (!result)
		result = activities_from_json(r, object, "blocked_in", &holder->activities,
					      &holder->activity_count);
	if (!result)
		result = json_read_stack(r, object, "stack", &holder->stack);
	if (!result)
		result = json_read_thread(r, object, "thief", &holder->thief, NULL);
	if (!result && !json_value_is_null(inner)) {
		json_enter(r, "waits_for", -1); /* left with the holder */
		result = json_value_is(inner, VALUE_OBJECT)
				 ? read_waits_for(r, inner, holder, next)
				 : json_malformed(r, "", "is not an object");
	}
	return result;
}

/* From the object of the holder at `depth`; `into` is where it goes, or where the next one does. */
static int add_holder(struct json_reader *r, const struct json_value **object, int depth,
		      struct probekit_holder **into)
{
	if (depth == HOLDERS_MAX)
		return json_malformed(r, "", "is nested too deep");
	if (!json_value_is(*object, VALUE_OBJECT))
		return json_malformed(r, "", "is not an object");
	*into = calloc(1, sizeof(**into));
	if (!*into)
		return error_no_memory(r->err);
	return read_holder(r, *object, *into, object);
}

static int read_chain(struct json_reader *r, const struct json_value *holder, int depth,
		      struct probekit_holder **into)
{
	size_t outside = r->depth;
	int result = 0;

	for (; !json_value_is_null(holder) && !result; depth++) {
		json_enter(r, "holder", -1);
		result = add_holder(r, &holder, depth, into);
		if (!result)
			into = &(*into)->next;
	}
	if (!result)
		json_leave(r, outside);
	return result;
}

static int read_holders(struct json_reader *r, const struct json_value *object,
			struct probekit_holder **into)
{
	return read_chain(r, json_value_get(object, "holder"), 0, into);
}

int holders_from_json(struct json_reader *r, const struct json_value *object,
		      struct probekit_holder **holder)
{
	size_t outside = r->depth;
	int result = add_holder(r, &object, 0, holder);

	if (!result)
		result = read_chain(r, object, 1, &(*holder)->next);
	if (!result)
		json_leave(r, outside);
	return result;
}

static int read_identity(struct json_reader *r, const struct json_value *object,
			 struct probekit_cause *cause)
{
	static const struct json_field fields[] = {
		{"share", offsetof(struct probekit_cause, share), FIELD_SHARE, true},
		{"time_ns", offsetof(struct probekit_cause, time_ns), FIELD_U64, true},
		{"waits", offsetof(struct probekit_cause, count), FIELD_U64, true},
		{"spans", offsetof(struct probekit_cause, spans), FIELD_U64, true},
		{"syscall", offsetof(struct probekit_cause, syscall), FIELD_TEXT, false},
		{"pid", offsetof(struct probekit_cause, pid), FIELD_I32, false},
	};
	struct json_lock lock = {0};
	int result = json_read_class(r, object, &cause->time_class);

	if (!result)
		result = JSON_READ_FIELDS(r, object, fields, cause);
	if (!result)
		result = json_read_lock(r, object, "lock", &lock);
	cause->address = lock.address;
	cause->symbol = lock.symbol;
	cause->place = lock.place;
	cause->lock_kind = lock.kind;
	return result ? result
		      : json_read_object_of(r, object, cause->time_class, &cause->object,
					    &cause->direction);
}

static int read_cause(struct json_reader *r, const struct json_value *object, size_t i, void *arg)
{
	struct probekit_cause *cause = (struct probekit_cause *)arg + i;
	int result = read_identity(r, object, cause);

	if (!result)
		result = json_read_stack(r, object, "stack", &cause->stack);
	if (!result)
		result = json_read_stack(r, object, "kernel_stack", &cause->kernel_stack);
	if (!result)
		result = read_holders(r, object, &cause->holder);
	if (!result)
		result = json_read_thread(r, object, "released_by", &cause->waker,
					  &cause->waker_stack);
	return result ? result : json_read_thread(r, object, "thief", &cause->thief, NULL);
}

int causes_from_json(struct json_reader *r, const struct json_value *object,
		     struct probekit_probe *probe)
{
	void *room;
	int result = json_read_room(r, object, "causes", sizeof(*probe->causes), &room,
				    &probe->cause_count);

	probe->causes = room;
	return result ? result : json_read_each(r, object, "causes", read_cause, probe->causes);
}

static int read_slow_span(struct json_reader *r, const struct json_value *object, size_t i,
			  void *arg)
{
	static const struct json_field fields[] = {
		{"key", offsetof(struct probekit_slow_span, key), FIELD_I64, false},
		{"duration_ns", offsetof(struct probekit_slow_span, duration_ns), FIELD_U64, true},
	};
	struct probekit_slow_span *span = (struct probekit_slow_span *)arg + i;
	bool is_known;
	int result = JSON_READ_FIELDS(r, object, fields, span);

	span->has_key = json_value_is(json_value_get(object, "key"), VALUE_INTEGER);
	if (!result)
		result = json_read_instant(r, object, "at", &span->ended_unix_ns);
	if (!result)
		result = json_read_thread_ids(r, object, &span->thread);
	return result ? result : json_read_times(r, object, span->time_ns, &is_known);
}

int slowest_from_json(struct json_reader *r, const struct json_value *object,
		      struct probekit_probe *probe)
{
	void *room;
	int result = json_read_room(r, object, "slowest", sizeof(*probe->slowest), &room,
				    &probe->slowest_count);

	probe->slowest = room;
	return result ? result
		      : json_read_each(r, object, "slowest", read_slow_span, probe->slowest);
}

static int read_blocker(struct json_reader *r, const struct json_value *object, size_t i, void *arg)
{
	struct probekit_blocker *blocker = (struct probekit_blocker *)arg + i;
	struct json_lock lock = {0};
	int result = json_read_thread_ids(r, object, &blocker->thread);

	if (!result)
		result = json_read_lock(r, object, "lock", &lock);
	blocker->lock_address = lock.address;
	blocker->lock_symbol = lock.symbol;
	blocker->lock_place = lock.place;
	free((char *)lock.kind); /* not of blockers */
	return result ? result : json_read_stack(r, object, "stack", &blocker->stack);
}

static int read_blockers(struct json_reader *r, const struct json_value *object,
			 struct probekit_open_span *span)
{
	void *room;
	int result = json_read_room(r, object, "blockers", sizeof(*span->blockers), &room,
				    &span->blocker_count);

	span->blockers = room;
	return result ? result
		      : json_read_each(r, object, "blockers", read_blocker, span->blockers);
}

static int read_open_span(struct json_reader *r, const struct json_value *object, size_t i,
			  void *arg)
{
	static const struct json_field fields[] = {
		{"pid", offsetof(struct probekit_open_span, pid), FIELD_I32, true},
		{"tid", offsetof(struct probekit_open_span, tid), FIELD_I32, true},
		{"age_ns", offsetof(struct probekit_open_span, age_ns), FIELD_U64, true},
		{"blocked_in", offsetof(struct probekit_open_span, blocked_in), FIELD_TEXT, false},
		{"blocked_ns", offsetof(struct probekit_open_span, blocked_ns), FIELD_U64, false},
		{"holder_tid", offsetof(struct probekit_open_span, holder_tid), FIELD_I32, false},
		{"is_deadlock", offsetof(struct probekit_open_span, is_deadlock), FIELD_BOOL,
		 false},
	};
	struct probekit_open_span *span = (struct probekit_open_span *)arg + i;
	struct json_lock lock = {0};
	int result = JSON_READ_FIELDS(r, object, fields, span);

	if (!result)
		result = json_read_comm(r, object, span->comm);
	if (!result)
		result = json_read_lock(r, object, "lock", &lock);
	span->lock_address = lock.address;
	span->lock_symbol = lock.symbol;
	span->lock_place = lock.place;
	free((char *)lock.kind); /* not of open spans */
	if (!result)
		result = read_blockers(r, object, span);
	return result ? result : json_read_stack(r, object, "stack", &span->stack);
}

int open_from_json(struct json_reader *r, const struct json_value *object,
		   struct probekit_probe *probe)
{
	void *room;
	int result =
		json_read_room(r, object, "open", sizeof(*probe->open), &room, &probe->open_count);

	probe->open = room;
	return result ? result : json_read_each(r, object, "open", read_open_span, probe->open);
}
