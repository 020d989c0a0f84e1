/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what can be asked of a value of a tree. json_tree.c makes them. */
#include "json_value.h"

#include <string.h>

bool json_value_is(const struct json_value *value, enum json_value_type type)
{
	return value && value->type == type;
}

bool json_value_is_null(const struct json_value *value)
{
	return !value || value->type == VALUE_NULL;
}

bool json_value_is_bool(const struct json_value *value)
{
	return json_value_is(value, VALUE_TRUE) || json_value_is(value, VALUE_FALSE);
}

bool json_value_is_number(const struct json_value *value)
{
	return json_value_is(value, VALUE_INTEGER) || json_value_is(value, VALUE_REAL);
}

const struct json_value *json_value_get(const struct json_value *object, const char *key)
{
	uint32_t hash;

	if (!json_value_is(object, VALUE_OBJECT) || !object->size)
		return NULL;
	hash = json_key_hash(key, strlen(key));
	for (uint32_t i = 0; i < object->size; i++)
		if (object->items[i].key_hash == hash && strcmp(object->items[i].key, key) == 0)
			return &object->items[i];
	return NULL;
}

size_t json_value_size(const struct json_value *list)
{
	return json_value_is(list, VALUE_LIST) ? list->size : 0;
}

const struct json_value *json_value_at(const struct json_value *list, size_t i)
{
	return i < json_value_size(list) ? &list->items[i] : NULL;
}

const char *json_value_text(const struct json_value *value)
{
	return json_value_is(value, VALUE_TEXT) ? value->text : NULL;
}

int64_t json_value_integer(const struct json_value *value)
{
	return json_value_is(value, VALUE_INTEGER) ? value->integer : 0;
}

double json_value_number(const struct json_value *value)
{
	if (json_value_is(value, VALUE_REAL))
		return value->real;
	return (double)json_value_integer(value);
}
