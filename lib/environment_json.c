/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how the machine that was measured on stands in a snapshot. */
#include "environment_json.h"

#include <math.h>
#include <string.h>

#include "json_parts.h"

#define NO_QUOTA "none"

static void decimal_or_null(struct json_text *json, const char *key, double value)
{
	if (isnan(value))
		json_text_null(json, key);
	else
		json_text_decimal(json, key, value);
}

void environment_to_json(struct json_text *json, const struct probekit_environment *environment)
{
	json_text_open_inline(json, "environment", '{');
	json_text_string(json, "kernel", environment->kernel);
	json_count_or_null(json, "cpus", environment->cpus);
	json_text_string(json, "cpu_model", environment->cpu_model);
	json_text_string(json, "governor", environment->governor);
	if (environment->is_virtual < 0)
		json_text_null(json, "virtual");
	else
		json_text_bool(json, "virtual", environment->is_virtual);
	if (isinf(environment->cpu_quota))
		json_text_string(json, "cpu_quota", NO_QUOTA);
	else
		decimal_or_null(json, "cpu_quota", environment->cpu_quota);
	decimal_or_null(json, "load", environment->load);
	decimal_or_null(json, "steal", environment->steal);
	if (environment->aslr < 0)
		json_text_null(json, "aslr");
	else
		json_text_integer(json, "aslr", environment->aslr);
	json_text_string(json, "revision", environment->revision);
	json_text_close(json, '}');
}

static int read_number(const struct json_reader *r, const struct json_value *object,
		       const char *key, double *number)
{
	const struct json_value *value = json_value_get(object, key);

	if (json_value_is_null(value))
		return 0;
	if (!json_value_is_number(value) || !(json_value_number(value) >= 0))
		return json_malformed(r, key, "is not a number of 0 or more");
	*number = json_value_number(value);
	return 0;
}

static int read_quota(const struct json_reader *r, const struct json_value *object, double *quota)
{
	const char *text = json_value_text(json_value_get(object, "cpu_quota"));

	if (!text)
		return read_number(r, object, "cpu_quota", quota);
	if (strcmp(text, NO_QUOTA) != 0)
		return json_malformed(r, "cpu_quota", "is neither a number nor \"none\"");
	*quota = INFINITY;
	return 0;
}

static int read_virtual(const struct json_reader *r, const struct json_value *object,
			int *is_virtual)
{
	const struct json_value *value = json_value_get(object, "virtual");

	if (json_value_is_null(value))
		return 0;
	*is_virtual = json_value_is(value, VALUE_TRUE);
	return json_value_is_bool(value) ? 0 : json_malformed(r, "virtual", "is not a boolean");
}

static int read_members(const struct json_reader *r, const struct json_value *object,
			struct probekit_environment *environment)
{
#define FIELD(key, member, type)                                                \
	{                                                                       \
		key, offsetof(struct probekit_environment, member), type, false \
	}
	static const struct json_field fields[] = {
		FIELD("kernel", kernel, FIELD_TEXT),	   FIELD("cpus", cpus, FIELD_U32),
		FIELD("cpu_model", cpu_model, FIELD_TEXT), FIELD("governor", governor, FIELD_TEXT),
		FIELD("steal", steal, FIELD_SHARE),	   FIELD("aslr", aslr, FIELD_I32),
		FIELD("revision", revision, FIELD_TEXT),
	};
	int result = JSON_READ_FIELDS(r, object, fields, environment);

	if (!result && (environment->aslr < -1 || environment->aslr > 2))
		result = json_malformed(r, "aslr", "is not within 0 and 2");
	if (!result)
		result = read_virtual(r, object, &environment->is_virtual);
	if (!result)
		result = read_quota(r, object, &environment->cpu_quota);
	return result ? result : read_number(r, object, "load", &environment->load);
}

int environment_from_json(struct json_reader *r, const struct json_value *object,
			  struct probekit_environment *environment)
{
	const struct json_value *inner;
	size_t outside;
	int result;

	inner = json_enter_object(r, object, "environment", &outside, &result);
	if (!inner)
		return result;
	result = read_members(r, inner, environment);
	json_leave(r, outside);
	return result;
}
