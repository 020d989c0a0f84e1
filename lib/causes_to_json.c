/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns writing the tail, its causes with their evidence, the slowest spans, and the open ones. */
#include "causes_json.h"

void tail_to_json(struct json_text *json, const struct probekit_tail *tail)
{
	if (!tail->count && !(tail->exponent == INT32_MIN && tail->from_ns)) {
		json_text_null(json, "tail");
		return;
	}
	json_text_open_inline(json, "tail", '{');
	if (tail->exponent == INT32_MIN)
		json_text_null(json, "exponent");
	else
		json_text_integer(json, "exponent", tail->exponent);
	json_text_unsigned(json, "from_ns", tail->from_ns);
	json_text_unsigned(json, "count", tail->count);
	json_share(json, "share_of_spans", tail->share_of_spans);
	json_share(json, "share_of_time", tail->share_of_time);
	json_times(json, tail->time_ns);
	json_text_close(json, '}');
}

void activities_to_json(struct json_text *json, const char *key,
			const struct probekit_activity *activities, size_t count)
{
	json_text_open(json, key, '{');
	for (size_t i = 0; i < count; i++)
		json_share(json, activities[i].name, activities[i].share);
	json_text_close(json, '}');
}

static void holder_of(struct json_text *json, const struct probekit_holder *holder, int room);

/* Holders of holders are written inside it: `room` for that many. */
static void holder_members(struct json_text *json, const struct probekit_holder *holder, int room)
{
	json_thread_ids(json, &holder->thread);
	json_text_unsigned(json, "threads", holder->threads);
	activities_to_json(json, "blocked_in", holder->activities, holder->activity_count);
	json_stack(json, "stack", &holder->stack);
	json_text_string(json, "file", holder->file);
	json_text_string(json, "file_activity", holder->file_activity);
	json_thread(json, "thief", &holder->thief);
	if (holder->next_address) {
		const struct json_lock next = {holder->next_address, holder->next_symbol,
					       holder->next_place, NULL};

		json_text_open(json, "waits_for", '{');
		json_lock(json, "lock", &next);
		holder_of(json, holder->next, room - 1);
		json_text_close(json, '}');
	} else {
		json_text_null(json, "waits_for");
	}
}

static void holder_of(struct json_text *json, const struct probekit_holder *holder, int room)
{
	if (!holder || !room) {
		json_text_null(json, "holder");
		return;
	}
	json_text_open_inline(json, "holder", '{');
	holder_members(json, holder, room);
	json_text_close(json, '}');
}

void holder_members_to_json(struct json_text *json, const struct probekit_holder *holder)
{
	holder_members(json, holder, HOLDERS_MAX);
}

static void cause(struct json_text *json, const struct probekit_cause *c)
{
	const struct json_lock lock = {c->address, c->symbol, c->place, c->lock_kind};

	json_text_open_inline(json, NULL, '{');
	json_text_string(json, "class", probekit_class_name(c->time_class));
	json_share(json, "share", c->share);
	json_text_unsigned(json, "time_ns", c->time_ns);
	json_text_unsigned(json, "waits", c->count);
	json_text_unsigned(json, "spans", c->spans);
	json_text_string(json, "syscall", c->syscall);
	json_text_integer(json, "pid", c->pid);
	json_lock(json, "lock", &lock);
	json_object_of(json, c->time_class, c->object, c->direction);
	json_stack(json, "stack", &c->stack);
	json_stack(json, "kernel_stack", &c->kernel_stack);
	holder_of(json, c->holder, HOLDERS_MAX);
	json_thread_at(json, "released_by", &c->waker, &c->waker_stack);
	json_thread(json, "thief", &c->thief);
	json_text_close(json, '}');
}

void causes_to_json(struct json_text *json, const struct probekit_probe *probe)
{
	json_text_open(json, "causes", '[');
	for (size_t i = 0; i < probe->cause_count; i++)
		cause(json, &probe->causes[i]);
	json_text_close(json, ']');
}

void slowest_to_json(struct json_text *json, const struct probekit_probe *probe)
{
	json_text_open(json, "slowest", '[');
	for (size_t i = 0; i < probe->slowest_count; i++) {
		const struct probekit_slow_span *span = &probe->slowest[i];

		json_text_open_inline(json, NULL, '{');
		json_instant(json, "at", span->ended_unix_ns);
		json_thread_ids(json, &span->thread);
		if (span->has_key)
			json_text_integer(json, "key", span->key);
		else
			json_text_null(json, "key");
		json_text_unsigned(json, "duration_ns", span->duration_ns);
		json_times(json, span->time_ns);
		json_text_close(json, '}');
	}
	json_text_close(json, ']');
}

static void blockers(struct json_text *json, const struct probekit_open_span *span)
{
	json_text_open(json, "blockers", '[');
	for (size_t i = 0; i < span->blocker_count; i++) {
		const struct probekit_blocker *blocker = &span->blockers[i];
		const struct json_lock lock = {blocker->lock_address, blocker->lock_symbol,
					       blocker->lock_place, NULL};

		json_text_open_inline(json, NULL, '{');
		json_thread_ids(json, &blocker->thread);
		json_lock(json, "lock", &lock);
		json_stack(json, "stack", &blocker->stack);
		json_text_close(json, '}');
	}
	json_text_close(json, ']');
}

void open_to_json(struct json_text *json, const struct probekit_probe *probe)
{
	json_text_open(json, "open", '[');
	for (size_t i = 0; i < probe->open_count; i++) {
		const struct probekit_open_span *span = &probe->open[i];
		const struct json_lock lock = {span->lock_address, span->lock_symbol,
					       span->lock_place, NULL};

		json_text_open_inline(json, NULL, '{');
		json_text_integer(json, "pid", span->pid);
		json_text_integer(json, "tid", span->tid);
		json_text_string(json, "comm", span->comm);
		json_text_unsigned(json, "age_ns", span->age_ns);
		json_text_string(json, "blocked_in", span->blocked_in);
		json_count_or_null(json, "blocked_ns", span->blocked_ns);
		json_lock(json, "lock", &lock);
		if (span->holder_tid)
			json_text_integer(json, "holder_tid", span->holder_tid);
		else
			json_text_null(json, "holder_tid");
		json_text_bool(json, "is_deadlock", span->is_deadlock);
		blockers(json, span);
		json_stack(json, "stack", &span->stack);
		json_text_close(json, '}');
	}
	json_text_close(json, ']');
}
