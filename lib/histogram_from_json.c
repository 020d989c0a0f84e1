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

static int read_bucket(const struct json_reader *r, const json_t *pair, size_t i,
		       struct probekit_histogram *h)
{
	const json_t *index = json_array_get(pair, 0);
	const json_t *count = json_array_get(pair, 1);
	json_int_t number = json_integer_value(index);
	char key[40];

	snprintf(key, sizeof(key), "buckets[%zu]", i);
	if (json_array_size(pair) != 2 || !json_is_integer(index) || !json_is_integer(count))
		return json_malformed(r, key, "is not [index, count]");
	if (number < (json_int_t)OCTAVE_LOWEST * (1 << h->scale) ||
	    number >= (json_int_t)(OCTAVE_HIGHEST + 1) * (1 << h->scale))
		return json_malformed(r, key, "has an index out of range: %" JSON_INTEGER_FORMAT,
				      number);
	if (i > 0 && number <= h->index[i - 1])
		return json_malformed(r, key, "does not ascend");
	if (json_integer_value(count) <= 0)
		return json_malformed(r, key, "has a count that is not positive");
	h->index[i] = (int32_t)number;
	h->count[i] = (uint64_t)json_integer_value(count);
	h->size = i + 1;
	return 0;
}

static int read_buckets(const struct json_reader *r, const json_t *list,
			struct probekit_histogram *h)
{
	size_t size = json_array_size(list);
	int ret = 0;

	if (size > (size_t)(OCTAVE_HIGHEST + 1 - OCTAVE_LOWEST) << h->scale)
		return json_malformed(r, "buckets", "is too long: %zu", size);
	if (size == 0)
		return 0;
	h->index = calloc(size, sizeof(*h->index));
	h->count = calloc(size, sizeof(*h->count));
	if (!h->index || !h->count)
		return error_no_memory(r->err);
	for (size_t i = 0; i < size && !ret; i++)
		ret = read_bucket(r, json_array_get(list, i), i, h);
	if (!ret && histogram_total(h) > INT64_MAX)
		return json_malformed(r, "buckets", "has counts that add up to more than 2^63");
	return ret;
}

int json_read_histogram(struct json_reader *r, const json_t *object, const char *unit,
			struct probekit_histogram *histogram)
{
	static const struct json_field fields[] = {
		{"scale", offsetof(struct probekit_histogram, scale), FIELD_I32, true},
		{"zero_count", offsetof(struct probekit_histogram, zero_count), FIELD_U64, true},
		{"negative_count", offsetof(struct probekit_histogram, negative_count), FIELD_U64,
		 false},
	};
	const json_t *inner = json_object_get(object, "histogram");
	const char *found = json_string_value(json_object_get(inner, "unit"));
	const json_t *buckets;
	size_t outside;
	int ret;

	if (!json_is_object(inner))
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
