/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how locks, threads, stacks, times and their like are read, each type and range checked. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json_parts.h"

#define NS_PER_S 1000000000ll
#define YEAR_LAST 2261 /* 64-bit nanoseconds since 1970 end in 2262 */

int json_read_each(struct json_reader *r, const struct json_value *object, const char *key,
		   int (*read)(struct json_reader *r, const struct json_value *element, size_t i,
			       void *arg),
		   void *arg)
{
	const struct json_value *list;
	int result = json_read_list(r, object, key, &list);

	for (size_t i = 0; !result && i < json_value_size(list); i++) {
		const struct json_value *element = json_value_at(list, i);
		size_t outside = json_enter(r, key, (long)i);

		result = json_value_is(element, VALUE_OBJECT)
				 ? read(r, element, i, arg)
				 : json_malformed(r, "", "is not an object");
		json_leave(r, outside);
	}
	return result;
}

int json_read_room(const struct json_reader *r, const struct json_value *object, const char *key,
		   size_t element_bytes, void **room, size_t *size)
{
	const struct json_value *list;
	int result = json_read_list(r, object, key, &list);
	size_t count = result ? 0 : json_value_size(list);

	*room = NULL;
	*size = 0;
	if (!count)
		return result;
	*room = calloc(count, element_bytes);
	if (!*room)
		return error_no_memory(r->err);
	*size = count;
	return 0;
}

/* As it is written, with up to nine decimals. */
int json_read_instant(const struct json_reader *r, const struct json_value *object, const char *key,
		      int64_t *unix_ns)
{
	const struct json_value *value = json_value_get(object, key);
	const char *text = json_value_text(value);
	struct tm tm = {0};
	int64_t fraction = 0;
	const char *s;

	if (json_value_is_null(value))
		return 0;
	s = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	if (s && *s == '.') {
		int64_t weight = NS_PER_S / 10;

		for (s++; isdigit((unsigned char)*s); s++, weight /= 10)
			fraction += (*s - '0') * weight;
	}
	if (!s || strcmp(s, "Z") != 0 || tm.tm_year < 70 || tm.tm_year > YEAR_LAST - 1900)
		return json_malformed(r, key, "is not a time like 2026-01-31T12:00:00.5Z");
	*unix_ns = (int64_t)timegm(&tm) * NS_PER_S + fraction;
	return 0;
}

static bool find_class(const char *name, enum probekit_class *time_class)
{
	for (int i = 0; name && i < PROBEKIT_CLASS_COUNT; i++) {
		*time_class = (enum probekit_class)i;
		if (strcmp(name, probekit_class_name(*time_class)) == 0)
			return true;
	}
	return false;
}

/* By the members that there are: rows of runs have few of them. */
int json_read_times(struct json_reader *r, const struct json_value *object,
		    uint64_t time_ns[static PROBEKIT_CLASS_COUNT], bool *is_known)
{
	const struct json_value *inner;
	size_t outside;
	int result;

	inner = json_enter_object(r, object, "time_ns", &outside, &result);
	*is_known = inner != NULL;
	if (!inner)
		return result;
	for (uint32_t i = 0; i < inner->size && !result; i++) {
		const struct json_value *value = &inner->items[i];
		enum probekit_class time_class;
		int64_t ns;

		if (json_value_is_null(value) || !find_class(value->key, &time_class))
			continue;
		result = json_read_integer(r, value->key, value, FIELD_U64, &ns);
		if (!result)
			time_ns[time_class] = (uint64_t)ns;
	}
	json_leave(r, outside);
	return result;
}

int json_read_class(const struct json_reader *r, const struct json_value *object,
		    enum probekit_class *time_class)
{
	if (find_class(json_value_text(json_value_get(object, "class")), time_class))
		return 0;
	return json_malformed(r, "class", "is none that is known");
}

/* "0x1f" */
int json_read_address(const struct json_reader *r, const struct json_value *object, const char *key,
		      uint64_t *address)
{
	const struct json_value *value = json_value_get(object, key);
	const char *text = json_value_text(value);
	char *end = NULL;

	if (json_value_is_null(value))
		return 0;
	errno = 0;
	if (text && strncmp(text, "0x", 2) == 0 && isxdigit((unsigned char)text[2]))
		*address = strtoull(text, &end, 16);
	return end && !*end && !errno ? 0
				      : json_malformed(r, key, "is not an address like \"0x1f\"");
}

int json_read_lock(struct json_reader *r, const struct json_value *object, const char *key,
		   struct json_lock *lock)
{
	static const struct json_field fields[] = {
		{"symbol", offsetof(struct json_lock, symbol), FIELD_TEXT, false},
		{"place", offsetof(struct json_lock, place), FIELD_TEXT, false},
		{"kind", offsetof(struct json_lock, kind), FIELD_TEXT, false},
	};
	const struct json_value *inner;
	size_t outside;
	int result;

	inner = json_enter_object(r, object, key, &outside, &result);
	if (!inner)
		return result;
	result = json_read_address(r, inner, "address", &lock->address);
	if (!result && !lock->address)
		result = json_malformed(r, "address", "is missing");
	if (!result)
		result = JSON_READ_FIELDS(r, inner, fields, lock);
	json_leave(r, outside);
	return result;
}

int json_read_comm(const struct json_reader *r, const struct json_value *object,
		   char comm[static 16])
{
	const struct json_value *value = json_value_get(object, "comm");
	char *text;
	int result;

	if (json_value_is_null(value))
		return 0;
	result = json_read_text(r, "comm", value, &text);
	if (result)
		return result;
	snprintf(comm, 16, "%s", text);
	free(text);
	return 0;
}

static int read_frame(struct json_reader *r, const struct json_value *object, size_t i, void *arg)
{
	static const struct json_field fields[] = {
		{"function", offsetof(struct probekit_frame, function), FIELD_TEXT, false},
		{"file", offsetof(struct probekit_frame, file), FIELD_TEXT, false},
		{"line", offsetof(struct probekit_frame, line), FIELD_U32, false},
		{"module", offsetof(struct probekit_frame, module), FIELD_TEXT, false},
		{"is_inlined", offsetof(struct probekit_frame, is_inlined), FIELD_BOOL, false},
	};
	struct probekit_frame *frame = (struct probekit_frame *)arg + i;
	int result = JSON_READ_FIELDS(r, object, fields, frame);

	return result ? result
		      : json_read_address(r, object, "module_offset", &frame->module_offset);
}

/* One that a newer version may know is none that is known here. */
static enum probekit_stack_end read_end(const struct json_value *object, const char *key)
{
	const char *text = json_value_text(json_value_get(object, key));

	for (int i = 0; text && i < PROBEKIT_STACK_END_COUNT; i++)
		if (strcmp(text, probekit_stack_end_name((enum probekit_stack_end)i)) == 0)
			return (enum probekit_stack_end)i;
	return PROBEKIT_STACK_NONE;
}

int json_read_stack(struct json_reader *r, const struct json_value *object, const char *key,
		    struct probekit_stack *stack)
{
	char share[64];
	char is_complete[64];
	char end[64];
	const struct json_field fields[] = {
		{share, offsetof(struct probekit_stack, share), FIELD_SHARE, false},
		{is_complete, offsetof(struct probekit_stack, is_complete), FIELD_BOOL, false},
	};
	void *frames;
	int result = json_read_room(r, object, key, sizeof(*stack->frames), &frames, &stack->size);

	stack->frames = frames;
	if (result || !stack->size)
		return result;
	snprintf(share, sizeof(share), "%s_share", key);
	snprintf(is_complete, sizeof(is_complete), "%s_is_complete", key);
	snprintf(end, sizeof(end), "%s_end", key);
	stack->end = read_end(object, end);
	result = json_read_each(r, object, key, read_frame, stack->frames);
	return result ? result : JSON_READ_FIELDS(r, object, fields, stack);
}

int json_read_stack_ends(struct json_reader *r, const struct json_value *object, bool *is_known,
			 uint64_t counts[static PROBEKIT_STACK_END_COUNT])
{
	const struct json_value *inner;
	size_t outside;
	int result;

	inner = json_enter_object(r, object, "stacks", &outside, &result);
	*is_known = inner != NULL;
	if (!inner)
		return result;
	for (int i = 0; i < PROBEKIT_STACK_END_COUNT && !result; i++) {
		const struct json_field field = {
			probekit_stack_end_name((enum probekit_stack_end)i), 0, FIELD_U64, false};

		result = json_read_fields(r, inner, &field, 1, &counts[i]);
	}
	json_leave(r, outside);
	return result;
}

int json_read_thread_ids(const struct json_reader *r, const struct json_value *object,
			 struct probekit_thread *thread)
{
	static const struct json_field fields[] = {
		{"pid", offsetof(struct probekit_thread, pid), FIELD_I32, false},
		{"tid", offsetof(struct probekit_thread, tid), FIELD_I32, false},
	};
	int result = JSON_READ_FIELDS(r, object, fields, thread);

	return result ? result : json_read_comm(r, object, thread->comm);
}

int json_read_thread(struct json_reader *r, const struct json_value *object, const char *key,
		     struct probekit_thread *thread, struct probekit_stack *stack)
{
	const struct json_value *inner;
	size_t outside;
	int result;

	inner = json_enter_object(r, object, key, &outside, &result);
	if (!inner)
		return result;
	result = json_read_thread_ids(r, inner, thread);
	if (!result && !thread->pid && !thread->tid && !thread->comm[0])
		result = json_malformed(r, "", "names no thread");
	if (!result && stack)
		result = json_read_stack(r, inner, "stack", stack);
	json_leave(r, outside);
	return result;
}

int json_read_object_of(const struct json_reader *r, const struct json_value *object,
			enum probekit_class time_class, const char **name, const char **direction)
{
	const struct json_field fields[] = {
		{json_object_key(time_class), 0, FIELD_TEXT, false},
	};
	const struct json_field directions[] = {{"direction", 0, FIELD_TEXT, false}};
	int result = JSON_READ_FIELDS(r, object, fields, name);

	return result ? result : JSON_READ_FIELDS(r, object, directions, direction);
}
