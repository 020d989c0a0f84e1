/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the layout of the JSON text that is written. */
#include "json_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

#define FIRST_CAPACITY 4096
#define INDENT 2

/* Space for `more` bytes and a terminator. */
static char *reserve(struct json_text *json, size_t more)
{
	size_t capacity = json->capacity ? json->capacity : FIRST_CAPACITY;
	char *text;

	if (json->has_failed)
		return NULL;
	while (capacity - json->size <= more)
		capacity *= 2;
	if (capacity != json->capacity) {
		text = realloc(json->text, capacity);
		if (!text) {
			json->has_failed = true;
			return NULL;
		}
		json->text = text;
		json->capacity = capacity;
	}
	return json->text + json->size;
}

static void put(struct json_text *json, const char *text, size_t size)
{
	char *end = reserve(json, size);

	if (!end)
		return;
	memcpy(end, text, size);
	end[size] = '\0';
	json->size += size;
}

static void put_line(struct json_text *json)
{
	size_t indent = (size_t)json->depth * INDENT;
	char *end;

	if (json->is_compact || (json->inline_depth && json->depth >= json->inline_depth)) {
		return;
	}
	end = reserve(json, indent + 1);
	if (!end)
		return;
	end[0] = '\n';
	memset(end + 1, ' ', indent);
	json->size += indent + 1;
}

/* Comma, line break and key before a value. */
static void begin_value(struct json_text *json, const char *key)
{
	bool is_inline = json->inline_depth && json->depth >= json->inline_depth;

	if (json->has_member)
		put(json, is_inline && !json->is_compact ? ", " : ",",
		    is_inline && !json->is_compact ? 2 : 1);
	if (json->depth > 0)
		put_line(json);
	json->has_member = true;
	if (!key)
		return;
	put(json, "\"", 1);
	put(json, key, strlen(key));
	put(json, "\": ", json->is_compact ? 2 : 3);
}

void json_text_open(struct json_text *json, const char *key, char bracket)
{
	json->opened_at = key ? json->size : 0;
	json->opened_after_member = json->has_member;
	begin_value(json, key);
	put(json, &bracket, 1);
	json->depth++;
	json->has_member = false;
}

void json_text_open_inline(struct json_text *json, const char *key, char bracket)
{
	json_text_open(json, key, bracket);
	if (!json->inline_depth)
		json->inline_depth = json->depth;
}

void json_text_close(struct json_text *json, char bracket)
{
	bool was_inline = json->inline_depth && json->depth >= json->inline_depth;

	if (json->inline_depth == json->depth)
		json->inline_depth = 0;
	json->depth--;
	if (json->is_sparse && bracket == ']' && !json->has_member && json->opened_at) {
		json->size = json->opened_at;
		json->has_member = json->opened_after_member;
		return;
	}
	if (json->has_member && !was_inline)
		put_line(json);
	put(json, &bracket, 1);
	json->has_member = true;
}

void json_text_unsigned(struct json_text *json, const char *key, uint64_t value)
{
	char digits[24];

	/* What a signed 64-bit reader cannot hold would make the file unreadable. */
	value = value < INT64_MAX ? value : INT64_MAX;
	begin_value(json, key);
	put(json, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, value));
}

void json_text_integer(struct json_text *json, const char *key, int64_t value)
{
	char digits[24];

	begin_value(json, key);
	put(json, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRId64, value));
}

void json_text_rounded(struct json_text *json, const char *key, double value)
{
	int64_t nearest = value >= 0x1p63    ? INT64_MAX
			  : value <= -0x1p63 ? INT64_MIN
					     : llround(value);

	json_text_integer(json, key, nearest);
}

void json_text_decimal(struct json_text *json, const char *key, double value)
{
	double whole = floor(fabs(value));
	uint64_t billionths = (uint64_t)llround((fabs(value) - whole) * 1e9);
	char digits[48];
	int size;

	if (billionths >= 1000000000) {
		whole++;
		billionths = 0;
	}
	begin_value(json, key);
	/* Not "%f": its point depends on the locale. */
	size = snprintf(digits, sizeof(digits), "%s%" PRIu64 ".%09" PRIu64, value < 0 ? "-" : "",
			whole < 0x1p63 ? (uint64_t)whole : INT64_MAX, billionths);
	while (digits[size - 1] == '0')
		size--;
	if (digits[size - 1] == '.')
		size--;
	put(json, digits, (size_t)size);
}

void json_text_bool(struct json_text *json, const char *key, bool value)
{
	begin_value(json, key);
	put(json, value ? "true" : "false", value ? 4 : 5);
}

void json_text_null(struct json_text *json, const char *key)
{
	if (json->is_sparse && key)
		return;
	begin_value(json, key);
	put(json, "null", 4);
}

void json_text_string(struct json_text *json, const char *key, const char *value)
{
	size_t size = value ? 4 * strlen(value) + 1 : 0; /* \xNN for each byte at most */
	char *escaped;

	if (!value) {
		json_text_null(json, key);
		return;
	}
	escaped = malloc(size);
	if (!escaped) {
		json->has_failed = true;
		return;
	}
	escape_text(value, escaped, size);
	begin_value(json, key);
	put(json, "\"", 1);
	for (const char *s = escaped; *s; s++) {
		if (*s == '"' || *s == '\\')
			put(json, "\\", 1);
		put(json, s, 1);
	}
	put(json, "\"", 1);
	free(escaped);
}

char *json_text_take(struct json_text *json)
{
	char *text = json->text;

	if (text && json->has_failed) {
		free(text);
		text = NULL;
	} else if (text) {
		text[json->size] = '\0';
	}
	*json = (struct json_text){0};
	return text;
}
