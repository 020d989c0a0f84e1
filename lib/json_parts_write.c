/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how locks, threads, stacks, times and their like are written. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "json_parts.h"

#define NS_PER_S 1000000000ll

void json_count_or_null(struct json_text *json, const char *key, uint64_t value)
{
	if (value)
		json_text_unsigned(json, key, value);
	else
		json_text_null(json, key);
}

void json_share(struct json_text *json, const char *key, double share)
{
	json_text_decimal(json, key, share > 0 ? fmin(share, 1) : 0);
}

void json_instant(struct json_text *json, const char *key, int64_t unix_ns)
{
	time_t seconds = (time_t)(unix_ns / NS_PER_S);
	char date[32];
	char text[48];
	struct tm tm;

	if (unix_ns <= 0 || !gmtime_r(&seconds, &tm)) {
		json_text_null(json, key);
		return;
	}
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%09lldZ", date, (long long)(unix_ns % NS_PER_S));
	json_text_string(json, key, text);
}

void json_times(struct json_text *json, const uint64_t time_ns[static PROBEKIT_CLASS_COUNT])
{
	json_text_open_inline(json, "time_ns", '{');
	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		if (time_ns[i] || !json->is_sparse)
			json_text_unsigned(json, probekit_class_name((enum probekit_class)i),
					   time_ns[i]);
	json_text_close(json, '}');
}

void json_address(struct json_text *json, const char *key, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
	json_text_string(json, key, text);
}

void json_lock(struct json_text *json, const char *key, const struct json_lock *lock)
{
	if (!lock->address) {
		json_text_null(json, key);
		return;
	}
	json_text_open_inline(json, key, '{');
	json_address(json, "address", lock->address);
	json_text_string(json, "symbol", lock->symbol);
	json_text_string(json, "place", lock->place);
	json_text_string(json, "kind", lock->kind);
	json_text_close(json, '}');
}

static void frame(struct json_text *json, const struct probekit_frame *f)
{
	json_text_open_inline(json, NULL, '{');
	json_text_string(json, "function", f->function);
	json_text_string(json, "file", f->file);
	json_count_or_null(json, "line", f->line);
	json_text_string(json, "module", f->module);
	json_address(json, "module_offset", f->module_offset);
	json_text_bool(json, "is_inlined", f->is_inlined);
	json_text_close(json, '}');
}

void json_stack(struct json_text *json, const char *key, const struct probekit_stack *stack)
{
	char name[64];

	json_text_open(json, key, '[');
	for (size_t i = 0; i < stack->size; i++)
		frame(json, &stack->frames[i]);
	json_text_close(json, ']');
	snprintf(name, sizeof(name), "%s_share", key);
	if (stack->size)
		json_share(json, name, stack->share);
	else
		json_text_null(json, name);
	snprintf(name, sizeof(name), "%s_is_complete", key);
	if (stack->size)
		json_text_bool(json, name, stack->is_complete);
	else
		json_text_null(json, name);
	snprintf(name, sizeof(name), "%s_end", key);
	json_text_string(json, name, stack->end ? probekit_stack_end_name(stack->end) : NULL);
}

void json_stack_ends(struct json_text *json, bool is_known,
		     const uint64_t counts[static PROBEKIT_STACK_END_COUNT])
{
	if (!is_known) {
		json_text_null(json, "stacks");
		return;
	}
	json_text_open_inline(json, "stacks", '{');
	for (int i = 0; i < PROBEKIT_STACK_END_COUNT; i++)
		json_text_unsigned(json, probekit_stack_end_name((enum probekit_stack_end)i),
				   counts[i]);
	json_text_close(json, '}');
}

static void id_or_null(struct json_text *json, const char *key, pid_t id)
{
	if (id)
		json_text_integer(json, key, id);
	else
		json_text_null(json, key);
}

void json_thread_ids(struct json_text *json, const struct probekit_thread *thread)
{
	id_or_null(json, "pid", thread->pid);
	id_or_null(json, "tid", thread->tid);
	json_text_string(json, "comm", thread->comm[0] ? thread->comm : NULL);
}

static bool open_thread(struct json_text *json, const char *key,
			const struct probekit_thread *thread)
{
	if (!thread->pid && !thread->tid && !thread->comm[0]) {
		json_text_null(json, key);
		return false;
	}
	json_text_open_inline(json, key, '{');
	json_thread_ids(json, thread);
	return true;
}

void json_thread(struct json_text *json, const char *key, const struct probekit_thread *thread)
{
	if (open_thread(json, key, thread))
		json_text_close(json, '}');
}

void json_thread_at(struct json_text *json, const char *key, const struct probekit_thread *thread,
		    const struct probekit_stack *stack)
{
	if (!open_thread(json, key, thread))
		return;
	json_stack(json, "stack", stack);
	json_text_close(json, '}');
}

const char *json_object_key(enum probekit_class time_class)
{
	switch (time_class) {
	case PROBEKIT_CLASS_NETWORK:
	case PROBEKIT_CLASS_IPC:
		return "peer";
	case PROBEKIT_CLASS_PAGEFAULT:
		return "mapping";
	case PROBEKIT_CLASS_THROTTLED:
	case PROBEKIT_CLASS_MEMORY:
		return "cgroup";
	default:
		return "file";
	}
}

void json_object_of(struct json_text *json, enum probekit_class time_class, const char *object,
		    const char *direction)
{
	static const char *const keys[] = {"file", "peer", "mapping", "cgroup"};
	const char *key = json_object_key(time_class);

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		json_text_string(json, keys[i], strcmp(keys[i], key) == 0 ? object : NULL);
	json_text_string(json, "direction", direction);
}

void json_histogram(struct json_text *json, const char *unit, const struct probekit_histogram *h)
{
	bool is_sparse = json->is_sparse;

	json->is_sparse = false; /* no buckets are no buckets */
	json_text_open_inline(json, "histogram", '{');
	json_text_string(json, "unit", unit);
	json_text_integer(json, "scale", h->scale);
	json_text_unsigned(json, "zero_count", h->zero_count);
	if (strcmp(unit, "1") == 0)
		json_text_unsigned(json, "negative_count", h->negative_count);
	json_text_open(json, "buckets", '[');
	for (size_t i = 0; i < h->size; i++) {
		json_text_open(json, NULL, '[');
		json_text_integer(json, NULL, h->index[i]);
		json_text_unsigned(json, NULL, h->count[i]);
		json_text_close(json, ']');
	}
	json_text_close(json, ']');
	json_text_close(json, '}');
	json->is_sparse = is_sparse;
}
