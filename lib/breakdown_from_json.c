/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading time_ns, bands, relations and waits; what does not add up is refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "breakdown.h"
#include "breakdown_json.h"

/* `time_ns` of an object; `is_known` is false where it is null or missing. */
static int read_times(struct json_reader *r, const json_t *object,
		      uint64_t time_ns[static PROBEKIT_CLASS_COUNT], bool *is_known)
{
	const json_t *inner = json_object_get(object, "time_ns");
	size_t outside;
	int result = 0;

	*is_known = inner && !json_is_null(inner);
	if (!*is_known)
		return 0;
	if (!json_is_object(inner))
		return json_malformed(r, "time_ns", "is not an object");
	outside = json_enter(r, "time_ns", -1);
	for (int i = 0; i < PROBEKIT_CLASS_COUNT && !result; i++) {
		const struct json_field field = {probekit_class_name((enum probekit_class)i), 0,
						 FIELD_U64, false};

		result = json_read_fields(r, inner, &field, 1, &time_ns[i]);
	}
	json_leave(r, outside);
	return result;
}

/* The histogram's next band at or behind bucket *i, which moves on past it. */
static int32_t next_band(const struct probekit_histogram *h, size_t *i)
{
	int32_t band = h->index[*i] >> h->scale;

	while (*i < h->size && h->index[*i] >> h->scale == band)
		(*i)++;
	return band;
}

static int read_band(struct json_reader *r, const json_t *object, int32_t exponent,
		     struct probekit_probe *probe)
{
	struct probekit_band *band = &probe->bands[probe->band_count];
	bool is_known;
	int result;

	band->exponent = exponent;
	result = read_times(r, object, band->time_ns, &is_known);
	if (!result && !is_known)
		result = json_malformed(r, "time_ns", "is missing");
	probe->band_count++;
	return result;
}

static int read_bands(struct json_reader *r, const json_t *object, struct probekit_probe *probe)
{
	const struct probekit_histogram *h = &probe->histogram;
	const json_t *list;
	size_t bucket = 0;
	int result = json_read_list(r, object, "bands", &list);
	size_t size = result ? 0 : json_array_size(list);

	if (!result && size)
		probe->bands = calloc(size, sizeof(*probe->bands));
	if (size && !probe->bands)
		return error_no_memory(r->err);
	for (size_t i = 0; i < size && !result; i++) {
		size_t outside = json_enter(r, "bands", (long)i);

		if (bucket >= h->size)
			result = json_malformed(r, "", "is not a band of the histogram");
		else
			result =
				read_band(r, json_array_get(list, i), next_band(h, &bucket), probe);
		json_leave(r, outside);
	}
	if (!result && bucket < h->size)
		result = json_malformed(r, "bands", "does not have every band of the histogram");
	return result;
}

struct relation_text {
	char *name;
	uint64_t count;
	uint64_t time_ns;
};

static int read_relation(struct json_reader *r, const json_t *object,
			 struct probekit_relation **into, size_t *count)
{
	static const struct json_field fields[] = {
		{"name", offsetof(struct relation_text, name), FIELD_TEXT, true},
		{"count", offsetof(struct relation_text, count), FIELD_U64, true},
		{"time_ns", offsetof(struct relation_text, time_ns), FIELD_U64, true},
	};
	struct relation_text text = {0};
	int result;

	if (!json_is_object(object))
		return json_malformed(r, "", "is not an object");
	result = JSON_READ_FIELDS(r, object, fields, &text);
	if (!result && breakdown_relate(into, count, text.name, text.count, text.time_ns))
		result = error_no_memory(r->err);
	free(text.name);
	return result;
}

static int read_relations(struct json_reader *r, const json_t *object, const char *key,
			  struct probekit_relation **into, size_t *count)
{
	const json_t *list;
	int result = json_read_list(r, object, key, &list);

	for (size_t i = 0; !result && i < json_array_size(list); i++) {
		size_t outside = json_enter(r, key, (long)i);

		result = read_relation(r, json_array_get(list, i), into, count);
		json_leave(r, outside);
	}
	return result;
}

static int read_class(struct json_reader *r, const json_t *object, enum probekit_class *found)
{
	const char *name = json_string_value(json_object_get(object, "class"));

	for (int i = 0; name && i < PROBEKIT_CLASS_COUNT; i++) {
		*found = (enum probekit_class)i;
		if (strcmp(name, probekit_class_name(*found)) == 0)
			return 0;
	}
	return json_malformed(r, "class", "is none that is known");
}

static int read_lock(struct json_reader *r, const json_t *object, struct probekit_wait *wait)
{
	static const struct json_field fields[] = {
		{"symbol", offsetof(struct probekit_wait, symbol), FIELD_TEXT, false},
		{"place", offsetof(struct probekit_wait, place), FIELD_TEXT, false},
	};
	const json_t *lock = json_object_get(object, "lock");
	const char *address = json_string_value(json_object_get(lock, "address"));

	if (!lock || json_is_null(lock))
		return 0;
	if (address)
		wait->address = strtoull(address, NULL, 16);
	if (!wait->address)
		return json_malformed(r, "lock", "has no address");
	return JSON_READ_FIELDS(r, lock, fields, wait);
}

static int read_wait(struct json_reader *r, const json_t *object, struct probekit_probe *probe)
{
	static const struct json_field fields[] = {
		{"exponent", offsetof(struct probekit_wait, exponent), FIELD_I32, true},
		{"syscall", offsetof(struct probekit_wait, syscall), FIELD_TEXT, false},
		{"pid", offsetof(struct probekit_wait, pid), FIELD_I32, false},
		{"time_ns", offsetof(struct probekit_wait, time_ns), FIELD_U64, true},
		{"count", offsetof(struct probekit_wait, count), FIELD_U64, true},
		{"spans", offsetof(struct probekit_wait, spans), FIELD_U64, true},
	};
	struct probekit_wait *wait = &probe->waits[probe->wait_count++];
	int result;

	if (!json_is_object(object))
		return json_malformed(r, "", "is not an object");
	result = JSON_READ_FIELDS(r, object, fields, wait);
	if (!result)
		result = read_class(r, object, &wait->time_class);
	return result ? result : read_lock(r, object, wait);
}

static int read_waits(struct json_reader *r, const json_t *object, struct probekit_probe *probe)
{
	const json_t *list;
	int result = json_read_list(r, object, "waits", &list);
	size_t size = result ? 0 : json_array_size(list);

	if (!size)
		return result;
	probe->waits = calloc(size, sizeof(*probe->waits));
	if (!probe->waits)
		return error_no_memory(r->err);
	for (size_t i = 0; i < size && !result; i++) {
		size_t outside = json_enter(r, "waits", (long)i);

		result = read_wait(r, json_array_get(list, i), probe);
		json_leave(r, outside);
	}
	return result;
}

int breakdown_from_json(struct json_reader *r, const json_t *object, struct probekit_probe *probe)
{
	static const struct json_field fields[] = {
		{"unexplained_ns", offsetof(struct probekit_probe, unexplained_ns), FIELD_U64,
		 false},
	};
	int result = read_times(r, object, probe->time_ns, &probe->has_time);

	if (!result && probe->has_time) {
		result = JSON_READ_FIELDS(r, object, fields, probe);
		if (!result)
			result = read_bands(r, object, probe);
		if (!result)
			result = read_waits(r, object, probe);
	}
	if (!result)
		result = read_relations(r, object, "children", &probe->children,
					&probe->child_count);
	if (!result)
		result =
			read_relations(r, object, "parents", &probe->parents, &probe->parent_count);
	return result;
}
