/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading a histogram: its buckets ascend, are in range, and hold what can be added up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bpf/bucket.h"
#include "histogram.h"
#include "json_parts.h"

#define OCTAVE_LOWEST (-64) /* of a bucket: more than 64-bit nanoseconds or values need */
#define OCTAVE_HIGHEST 63

/* What is wrong with it; NULL: nothing. */
static const char *read_bucket(const struct json_value *pair, size_t i,
			       struct probekit_histogram *h)
{
	const struct json_value *index = json_value_at(pair, 0);
	const struct json_value *count = json_value_at(pair, 1);
	int64_t number = json_value_integer(index);

	if (json_value_size(pair) != 2 || !json_value_is(index, VALUE_INTEGER) ||
	    !json_value_is(count, VALUE_INTEGER))
		return "is not [index, count]";
	if (number < (int64_t)OCTAVE_LOWEST * (1 << h->scale) ||
	    number >= (int64_t)(OCTAVE_HIGHEST + 1) * (1 << h->scale))
		return "has an index out of range";
	if (i > 0 && number <= h->index[i - 1])
		return "does not ascend";
	if (json_value_integer(count) <= 0)
		return "has a count that is not positive";
	h->index[i] = (int32_t)number;
	h->count[i] = (uint64_t)json_value_integer(count);
	h->size = i + 1;
	return NULL;
}

static int read_buckets(const struct json_reader *r, const struct json_value *list,
			struct probekit_histogram *h)
{
	size_t size = json_value_size(list);

	if (size > (size_t)(OCTAVE_HIGHEST + 1 - OCTAVE_LOWEST) << h->scale)
		return json_malformed(r, "buckets", "is too long: %zu", size);
	if (size == 0)
		return 0;
	h->index = calloc(size, sizeof(*h->index));
	h->count = calloc(size, sizeof(*h->count));
	if (!h->index || !h->count)
		return error_no_memory(r->err);
	for (size_t i = 0; i < size; i++) {
		const char *wrong = read_bucket(json_value_at(list, i), i, h);
		char key[40];

		if (!wrong)
			continue;
		snprintf(key, sizeof(key), "buckets[%zu]", i);
		return json_malformed(r, key, "%s", wrong);
	}
	if (histogram_total(h) > INT64_MAX)
		return json_malformed(r, "buckets", "has counts that add up to more than 2^63");
	return 0;
}

int json_read_histogram(struct json_reader *r, const struct json_value *object, const char *unit,
			struct probekit_histogram *histogram)
{
	static const struct json_field fields[] = {
		{"scale", offsetof(struct probekit_histogram, scale), FIELD_I32, true},
		{"zero_count", offsetof(struct probekit_histogram, zero_count), FIELD_U64, true},
		{"negative_count", offsetof(struct probekit_histogram, negative_count), FIELD_U64,
		 false},
	};
	const struct json_value *inner = json_value_get(object, "histogram");
	const char *found = json_value_text(json_value_get(inner, "unit"));
	const struct json_value *buckets;
	size_t outside;
	int ret;

	if (!json_value_is(inner, VALUE_OBJECT))
		return json_malformed(r, "histogram", "is not an object");
	outside = json_enter(r, "histogram", -1);
	ret = JSON_READ_FIELDS(r, inner, fields, histogram);
	if (!ret && (!found || strcmp(found, unit) != 0))
		ret = json_malformed(r, "unit", "is not \"%s\"", unit);
	if (!ret && histogram->negative_count && strcmp(unit, "1") != 0)
		ret = json_malformed(r, "negative_count", "is not 0, and times are never negative");
	if (!ret && (histogram->scale < 0 || histogram->scale > BUCKET_SCALE))
		ret = json_malformed(r, "scale", "is not within 0 and %d", BUCKET_SCALE);
	if (!ret)
		ret = json_read_list(r, inner, "buckets", &buckets);
	if (!ret && !buckets)
		ret = json_malformed(r, "buckets", "is missing");
	if (!ret)
		ret = read_buckets(r, buckets, histogram);
	json_leave(r, outside);
	return ret;
}
