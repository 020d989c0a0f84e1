/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading members of JSON objects with their types and ranges checked. */
#include "json_read.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	json_int_t lowest;
	json_int_t highest;
} ranges[FIELD_TYPES] = {
	[FIELD_U64] = {0, INT64_MAX},
	[FIELD_U32] = {0, UINT32_MAX},
	[FIELD_I64] = {INT64_MIN, INT64_MAX},
	[FIELD_I32] = {INT32_MIN, INT32_MAX},
};

int json_malformed(const struct json_reader *r, const char *key, const char *format, ...)
{
	char reason[160];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return error_failed(r->err, -EBADMSG, "cannot read snapshot '%s': %s%s %s", r->name,
			    r->place, key, reason);
}

size_t json_enter(struct json_reader *r, const char *key, long i)
{
	size_t length = strlen(r->place);

	if (i < 0)
		snprintf(r->place + length, sizeof(r->place) - length, "%s.", key);
	else
		snprintf(r->place + length, sizeof(r->place) - length, "%s[%ld].", key, i);
	return length;
}

void json_leave(struct json_reader *r, size_t length)
{
	r->place[length] = '\0';
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
	char *bytes = malloc(size + 1);
	char *again = malloc(4 * size + 1);
	size_t used = 0;

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

int json_read_text(const struct json_reader *r, const char *key, const json_t *value, char **text)
{
	if (!json_is_string(value))
		return json_malformed(r, key, "is not a string");
	*text = restore_text(json_string_value(value));
	return *text ? 0 : error_no_memory(r->err);
}

int json_read_integer(const struct json_reader *r, const char *key, const json_t *value,
		      enum json_field_type type, json_int_t *number)
{
	if (!json_is_integer(value))
		return json_malformed(r, key, "is not an integer");
	*number = json_integer_value(value);
	if (*number < ranges[type].lowest || *number > ranges[type].highest)
		return json_malformed(r, key, "is out of range: %" JSON_INTEGER_FORMAT, *number);
	return 0;
}

int json_read_share(const struct json_reader *r, const char *key, const json_t *value,
		    double *share)
{
	double number = json_number_value(value);

	if (!json_is_number(value))
		return json_malformed(r, key, "is not a number");
	if (!(number >= 0 && number <= 1))
		return json_malformed(r, key, "is not within 0 and 1");
	*share = number;
	return 0;
}

static int read_field(const struct json_reader *r, const json_t *object,
		      const struct json_field *field, void *out)
{
	const json_t *value = json_object_get(object, field->key);
	void *target = (char *)out + field->offset;
	json_int_t number = 0;
	int ret;

	if (!value || json_is_null(value))
		return field->is_required ? json_malformed(r, field->key, "is missing") : 0;
	if (field->type == FIELD_TEXT)
		return json_read_text(r, field->key, value, target);
	if (field->type == FIELD_SHARE)
		return json_read_share(r, field->key, value, target);
	if (field->type == FIELD_BOOL) {
		*(bool *)target = json_is_true(value);
		return json_is_boolean(value) ? 0
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

int json_read_fields(const struct json_reader *r, const json_t *object,
		     const struct json_field *fields, size_t count, void *out)
{
	int ret = 0;

	for (size_t i = 0; i < count && !ret; i++)
		ret = read_field(r, object, &fields[i], out);
	return ret;
}

int json_read_object(struct json_reader *r, const json_t *object, const char *key,
		     const struct json_field *fields, size_t count, void *out)
{
	const json_t *inner = json_object_get(object, key);
	size_t outside;
	int ret;

	if (!inner || json_is_null(inner))
		return 0;
	if (!json_is_object(inner))
		return json_malformed(r, key, "is not an object");
	outside = json_enter(r, key, -1);
	ret = json_read_fields(r, inner, fields, count, out);
	json_leave(r, outside);
	return ret;
}

int json_read_list(const struct json_reader *r, const json_t *object, const char *key,
		   const json_t **list)
{
	*list = json_object_get(object, key);
	if (!*list || json_is_null(*list)) {
		*list = NULL;
		return 0;
	}
	return json_is_array(*list) ? 0 : json_malformed(r, key, "is not a list");
}
