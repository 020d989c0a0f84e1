/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading time_ns, bands, relations and waits; what does not add up is refused. */
#include <stdlib.h>
#include <string.h>

#include "breakdown.h"
#include "breakdown_json.h"
#include "causes_json.h"

/* The histogram's next band at or behind bucket *i, which moves on past it. */
static int32_t next_band(const struct probekit_histogram *h, size_t *i)
{
	int32_t band = h->index[*i] >> h->scale;

	while (*i < h->size && h->index[*i] >> h->scale == band)
		(*i)++;
	return band;
}

static int read_band(struct json_reader *r, const struct json_value *object, int32_t exponent,
		     struct probekit_probe *probe)
{
	struct probekit_band *band = &probe->bands[probe->band_count];
	bool is_known;
	int result;

	band->exponent = exponent;
	result = json_read_times(r, object, band->time_ns, &is_known);
	if (!result && !is_known)
		result = json_malformed(r, "time_ns", "is missing");
	probe->band_count++;
	return result;
}

static int read_bands(struct json_reader *r, const struct json_value *object,
		      struct probekit_probe *probe)
{
	const struct probekit_histogram *h = &probe->histogram;
	const struct json_value *list;
	size_t bucket = 0;
	int result = json_read_list(r, object, "bands", &list);
	size_t size = result ? 0 : json_value_size(list);

	if (!result && size)
		probe->bands = calloc(size, sizeof(*probe->bands));
	if (size && !probe->bands)
		return error_no_memory(r->err);
	for (size_t i = 0; i < size && !result; i++) {
		size_t outside = json_enter(r, "bands", (long)i);

		if (bucket >= h->size)
			result = json_malformed(r, "", "is not a band of the histogram");
		else
			result = read_band(r, json_value_at(list, i), next_band(h, &bucket), probe);
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

struct relations {
	struct probekit_relation **list;
	size_t *count;
};

static int read_relation(struct json_reader *r, const struct json_value *object, size_t i,
			 void *arg)
{
	static const struct json_field fields[] = {
		{"name", offsetof(struct relation_text, name), FIELD_TEXT, true},
		{"count", offsetof(struct relation_text, count), FIELD_U64, true},
		{"time_ns", offsetof(struct relation_text, time_ns), FIELD_U64, true},
	};
	const struct relations *into = arg;
	struct relation_text text = {0};
	int result = JSON_READ_FIELDS(r, object, fields, &text);

	(void)i;
	if (!result &&
	    breakdown_relate(into->list, into->count, text.name, text.count, text.time_ns))
		result = error_no_memory(r->err);
	free(text.name);
	return result;
}

static int read_wait(struct json_reader *r, const struct json_value *object, size_t i, void *arg)
{
	static const struct json_field fields[] = {
		{"exponent", offsetof(struct probekit_wait, exponent), FIELD_I32, true},
		{"is_slow", offsetof(struct probekit_wait, is_slow), FIELD_BOOL, false},
		{"syscall", offsetof(struct probekit_wait, syscall), FIELD_TEXT, false},
		{"pid", offsetof(struct probekit_wait, pid), FIELD_I32, false},
		{"time_ns", offsetof(struct probekit_wait, time_ns), FIELD_U64, true},
		{"count", offsetof(struct probekit_wait, count), FIELD_U64, true},
		{"spans", offsetof(struct probekit_wait, spans), FIELD_U64, true},
	};
	struct probekit_wait *wait = (struct probekit_wait *)arg + i;
	struct probekit_thread other = {0};
	struct json_lock lock = {0};
	int result = JSON_READ_FIELDS(r, object, fields, wait);

	if (!result)
		result = json_read_class(r, object, &wait->time_class);
	if (!result)
		result = json_read_lock(r, object, "lock", &lock);
	wait->address = lock.address;
	wait->symbol = lock.symbol;
	wait->place = lock.place;
	free((char *)lock.kind); /* of a cause alone */
	if (!result)
		result = json_read_object_of(r, object, wait->time_class, &wait->object,
					     &wait->direction);
	if (!result)
		result = json_read_thread(r, object, "other", &other, NULL);
	wait->other_pid = other.pid;
	memcpy(wait->other_comm, other.comm, sizeof(wait->other_comm));
	return result;
}

static int read_waits(struct json_reader *r, const struct json_value *object,
		      struct probekit_probe *probe)
{
	void *room;
	int result = json_read_room(r, object, "waits", sizeof(*probe->waits), &room,
				    &probe->wait_count);

	probe->waits = room;
	return result ? result : json_read_each(r, object, "waits", read_wait, probe->waits);
}

int breakdown_from_json(struct json_reader *r, const struct json_value *object,
			struct probekit_probe *probe)
{
	static const struct json_field fields[] = {
		{"unexplained_ns", offsetof(struct probekit_probe, unexplained_ns), FIELD_U64,
		 false},
	};
	struct relations children = {&probe->children, &probe->child_count};
	struct relations parents = {&probe->parents, &probe->parent_count};
	int result = json_read_times(r, object, probe->time_ns, &probe->has_time);

	if (!result && probe->has_time) {
		result = JSON_READ_FIELDS(r, object, fields, probe);
		if (!result)
			result = read_bands(r, object, probe);
		if (!result)
			result = read_waits(r, object, probe);
	}
	if (!result)
		result = json_read_each(r, object, "children", read_relation, &children);
	if (!result)
		result = json_read_each(r, object, "parents", read_relation, &parents);
	if (!result)
		result = tail_from_json(r, object, probe);
	return result ? result : causes_from_json(r, object, probe);
}
