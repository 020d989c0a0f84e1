/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading members of JSON objects with their types and ranges checked. */
#include "json_read.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	int64_t lowest;
	int64_t highest;
} ranges[FIELD_TYPES] = {
	[FIELD_U64] = {0, INT64_MAX},
	[FIELD_U32] = {0, UINT32_MAX},
	[FIELD_I64] = {INT64_MIN, INT64_MAX},
	[FIELD_I32] = {INT32_MIN, INT32_MAX},
};

int json_not_json(const struct json_reader *r, const struct json_fault *fault)
{
	size_t column = 1;
	size_t line = 1;

	if (fault->kind == FAULT_NO_MEMORY)
		return error_no_memory(r->err);
	for (const char *s = r->text; s < fault->at; s++, column++) {
		if (*s != '\n')
			continue;
		line++;
		column = 0;
	}
	if (fault->kind == FAULT_MORE && !r->depth)
		return error_failed(
			r->err, -EBADMSG,
			"cannot read snapshot '%s': more follows the first snapshot, line %zu column %zu",
			r->name, line, column);
	if (fault->kind == FAULT_TRUNCATED && fault->at == r->end)
		return error_failed(
			r->err, -EBADMSG,
			"cannot read snapshot '%s': truncated, it ends in line %zu column %zu",
			r->name, line, column);
	return error_failed(r->err, -EBADMSG,
			    "cannot read snapshot '%s': not JSON, line %zu column %zu: %s", r->name,
			    line, column, fault->what ? fault->what : "a value should begin here");
}

/* "probes[3].histogram." or "" */
static void put_place(const struct json_reader *r, char *place, size_t size)
{
	size_t used = 0;

	place[0] = '\0';
	for (size_t i = 0; i < r->depth && i < JSON_STEPS_MAX && used < size; i++) {
		const struct json_step *step = &r->steps[i];

		if (step->i < 0)
			used += (size_t)snprintf(place + used, size - used, "%s.", step->key);
		else
			used += (size_t)snprintf(place + used, size - used, "%s[%ld].", step->key,
						 step->i);
	}
}

int json_malformed(const struct json_reader *r, const char *key, const char *format, ...)
{
	char reason[160];
	char place[256];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	put_place(r, place, sizeof(place));
	return error_failed(r->err, -EBADMSG, "cannot read snapshot '%s': %s%s %s", r->name, place,
			    key, reason);
}

size_t json_enter(struct json_reader *r, const char *key, long i)
{
	if (r->depth < JSON_STEPS_MAX)
		r->steps[r->depth] = (struct json_step){key, i};
	return r->depth++;
}

void json_leave(struct json_reader *r, size_t depth)
{
	r->depth = depth;
}

const struct json_value *json_enter_object(struct json_reader *r, const struct json_value *object,
					   const char *key, size_t *outside, int *result)
{
	const struct json_value *inner = json_value_get(object, key);

	*result = 0;
	if (json_value_is_null(inner))
		return NULL;
	if (!json_value_is(inner, VALUE_OBJECT)) {
		*result = json_malformed(r, key, "is not an object");
		return NULL;
	}
	*outside = json_enter(r, key, -1);
	return inner;
}

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Byte that an escape of escape_text() stands for, or -1 when `s` is no such escape. */
static int escaped_byte(const char *s, size_t *length)
{
	int high;
	int low;

	*length = 2;
	if (s[0] != '\\')
		return -1;
	if (s[1] == 'n' || s[1] == 't')
		return s[1] == 'n' ? '\n' : '\t';
	if (s[1] != 'x')
		return -1;
	high = hex_digit(s[2]);
	low = high < 0 ? -1 : hex_digit(s[3]);
	*length = 4;
	return low < 0 ? -1 : high << 4 | low;
}

/* The bytes that were escaped, unless that would not be written the same way again (a name may hold
 * what looks like an escape). NULL: no memory. */
static char *restore_text(const char *text)
{
	size_t size = strlen(text);
	size_t used = 0;
	char *bytes;
	char *again;

	if (!memchr(text, '\\', size))
		return strdup(text);
	bytes = malloc(size + 1);
	again = malloc(4 * size + 1);
	if (bytes && again) {
		for (const char *s = text; *s;) {
			size_t length;
			int byte = escaped_byte(s, &length);

			bytes[used++] = byte > 0 ? (char)byte : *s;
			s += byte > 0 ? length : 1;
		}
		bytes[used] = '\0';
		escape_text(bytes, again, 4 * size + 1);
		if (strcmp(again, text) != 0)
			memcpy(bytes, text, size + 1);
	} else {
		free(bytes);
		bytes = NULL;
	}
	free(again);
	return bytes;
}

int json_read_text(const struct json_reader *r, const char *key, const struct json_value *value,
		   char **text)
{
	if (!json_value_is(value, VALUE_TEXT))
		return json_malformed(r, key, "is not a string");
	*text = restore_text(json_value_text(value));
	return *text ? 0 : error_no_memory(r->err);
}

int json_read_integer(const struct json_reader *r, const char *key, const struct json_value *value,
		      enum json_field_type type, int64_t *number)
{
	if (!json_value_is(value, VALUE_INTEGER))
		return json_malformed(r, key, "is not an integer");
	*number = json_value_integer(value);
	if (*number < ranges[type].lowest || *number > ranges[type].highest)
		return json_malformed(r, key, "is out of range: %" PRId64, *number);
	return 0;
}

int json_read_share(const struct json_reader *r, const char *key, const struct json_value *value,
		    double *share)
{
	double number = json_value_number(value);

	if (!json_value_is_number(value))
		return json_malformed(r, key, "is not a number");
	if (!(number >= 0 && number <= 1))
		return json_malformed(r, key, "is not within 0 and 1");
	*share = number;
	return 0;
}

static int read_field(const struct json_reader *r, const struct json_value *object,
		      const struct json_field *field, void *out)
{
	const struct json_value *value = json_value_get(object, field->key);
	void *target = (char *)out + field->offset;
	int64_t number = 0;
	int ret;

	if (json_value_is_null(value))
		return field->is_required ? json_malformed(r, field->key, "is missing") : 0;
	if (field->type == FIELD_TEXT)
		return json_read_text(r, field->key, value, target);
	if (field->type == FIELD_SHARE)
		return json_read_share(r, field->key, value, target);
	if (field->type == FIELD_BOOL) {
		*(bool *)target = json_value_is(value, VALUE_TRUE);
		return json_value_is_bool(value)
			       ? 0
			       : json_malformed(r, field->key, "is not a boolean");
	}
	ret = json_read_integer(r, field->key, value, field->type, &number);
	if (ret)
		return ret;
	if (field->type == FIELD_U64 || field->type == FIELD_I64)
		*(int64_t *)target = number;
	else
		*(uint32_t *)target = (uint32_t)number;
	return 0;
}

int json_read_fields(const struct json_reader *r, const struct json_value *object,
		     const struct json_field *fields, size_t count, void *out)
{
	int ret = 0;

	for (size_t i = 0; i < count && !ret; i++)
		ret = read_field(r, object, &fields[i], out);
	return ret;
}

int json_read_object(struct json_reader *r, const struct json_value *object, const char *key,
		     const struct json_field *fields, size_t count, void *out)
{
	const struct json_value *inner;
	size_t outside;
	int ret;

	inner = json_enter_object(r, object, key, &outside, &ret);
	if (!inner)
		return ret;
	ret = json_read_fields(r, inner, fields, count, out);
	json_leave(r, outside);
	return ret;
}

int json_read_list(const struct json_reader *r, const struct json_value *object, const char *key,
		   const struct json_value **list)
{
	*list = json_value_get(object, key);
	if (!*list || json_value_is_null(*list)) {
		*list = NULL;
		return 0;
	}
	return json_value_is(*list, VALUE_LIST) ? 0 : json_malformed(r, key, "is not a list");
}
