/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns the arithmetic of sparse exponential histograms. Invariant: `index` strictly ascending,
 * every `count` positive. Counts saturate instead of wrapping.
 */
#include "histogram.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1e9

static double bound(double index, int32_t scale)
{
	return exp2(ldexp(index, -scale));
}

double histogram_lower(int32_t index, int32_t scale)
{
	return bound(index, scale);
}

double histogram_upper(int32_t index, int32_t scale)
{
	return bound(index + 1.0, scale);
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t subtract_floored(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Room for `size` buckets, at least one so that NULL means no memory. */
static int allocate(struct probekit_histogram *h, size_t size)
{
	size = size ? size : 1;
	h->index = calloc(size, sizeof(*h->index));
	h->count = calloc(size, sizeof(*h->count));
	if (h->index && h->count)
		return 0;
	histogram_done(h);
	return -ENOMEM;
}

/* Indices arrive in ascending order; equal ones fall together. */
static void append(struct probekit_histogram *h, int32_t index, uint64_t count)
{
	if (count == 0)
		return;
	if (h->size && h->index[h->size - 1] == index) {
		h->count[h->size - 1] = add_saturated(h->count[h->size - 1], count);
		return;
	}
	h->index[h->size] = index;
	h->count[h->size++] = count;
}

int histogram_from_slots(const uint64_t *counts, size_t slots, int32_t base, int32_t scale,
			 struct probekit_histogram *histogram)
{
	struct probekit_histogram made = {.scale = scale};
	size_t used = 0;

	for (size_t i = 0; i < slots; i++)
		used += counts[i] != 0;
	if (allocate(&made, used))
		return -ENOMEM;
	for (size_t i = 0; i < slots; i++)
		append(&made, base + (int32_t)i, counts[i]);
	*histogram = made;
	return 0;
}

void histogram_done(struct probekit_histogram *histogram)
{
	free(histogram->index);
	free(histogram->count);
	*histogram = (struct probekit_histogram){0};
}

/* Bucket of a scale that is `shift` lower. An arithmetic shift floors, which is what merges
 * exactly. */
static int32_t coarser(int32_t index, int32_t shift)
{
	return index >> (shift < 31 ? shift : 31);
}

int histogram_add(struct probekit_histogram *into, const struct probekit_histogram *from)
{
	struct probekit_histogram sum = {
		.scale = into->scale < from->scale ? into->scale : from->scale,
		.zero_count = add_saturated(into->zero_count, from->zero_count),
		.negative_count = add_saturated(into->negative_count, from->negative_count),
	};
	int32_t into_shift = into->scale - sum.scale;
	int32_t from_shift = from->scale - sum.scale;
	size_t i = 0;
	size_t j = 0;

	if (allocate(&sum, into->size + from->size))
		return -ENOMEM;
	while (i < into->size || j < from->size) {
		int32_t a = i < into->size ? coarser(into->index[i], into_shift) : INT32_MAX;
		int32_t b = j < from->size ? coarser(from->index[j], from_shift) : INT32_MAX;

		if (j == from->size || (i < into->size && a <= b))
			append(&sum, a, into->count[i++]);
		else
			append(&sum, b, from->count[j++]);
	}
	histogram_done(into);
	*into = sum;
	return 0;
}

int histogram_subtract(const struct probekit_histogram *newer,
		       const struct probekit_histogram *older, struct probekit_histogram *delta)
{
	struct probekit_histogram made = {
		.scale = newer->scale,
		.zero_count = subtract_floored(newer->zero_count, older->zero_count),
		.negative_count = subtract_floored(newer->negative_count, older->negative_count),
	};
	size_t j = 0;

	if (newer->scale != older->scale)
		return -EINVAL;
	if (allocate(&made, newer->size))
		return -ENOMEM;
	for (size_t i = 0; i < newer->size; i++) {
		while (j < older->size && older->index[j] < newer->index[i])
			j++;
		append(&made, newer->index[i],
		       j < older->size && older->index[j] == newer->index[i]
			       ? subtract_floored(newer->count[i], older->count[j])
			       : newer->count[i]);
	}
	*delta = made;
	return 0;
}

uint64_t histogram_total(const struct probekit_histogram *histogram)
{
	uint64_t total = add_saturated(histogram->zero_count, histogram->negative_count);

	for (size_t i = 0; i < histogram->size; i++)
		total = add_saturated(total, histogram->count[i]);
	return total;
}

/* ceil(q * n), from 1 to n. The slack of two roundings keeps 0.07 * 100 at 7: the caller means the
 * decimal fraction, not the double just above it. */
static uint64_t rank_of(double q, uint64_t n)
{
	double exact = q * (double)n;
	double rank = ceil(exact - 2 * DBL_EPSILON * exact);

	if (!(rank > 1))
		return 1;
	return rank < (double)n ? (uint64_t)rank : n;
}

static double clamp_to_range(const struct probekit_probe *probe, double value)
{
	if (value > (double)probe->max)
		value = (double)probe->max;
	return value < (double)probe->min ? (double)probe->min : value;
}

double probekit_probe_quantile(const struct probekit_probe *probe, double q)
{
	const struct probekit_histogram *h = &probe->histogram;
	double unit = probe->kind == PROBEKIT_KIND_VALUE ? 1 : NS_PER_S;
	uint64_t total = histogram_total(h);
	uint64_t rank;
	size_t i;

	if (total == 0)
		return 0;
	rank = rank_of(q, total);
	if (rank <= h->negative_count) {
		/* All that is known of the negative values: they lie from min to -1 (or max). */
		double nearest = probe->max < -1 ? (double)probe->max : -1;

		return clamp_to_range(probe, -sqrt(nearest * (double)probe->min));
	}
	rank -= h->negative_count;
	if (rank <= h->zero_count || h->size == 0)
		return clamp_to_range(probe, 0);
	rank -= h->zero_count;
	for (i = 0; i + 1 < h->size && rank > h->count[i]; i++)
		rank -= h->count[i];
	return clamp_to_range(probe, bound(h->index[i] + 0.5, h->scale) * unit);
}

size_t probekit_probe_bands(const struct probekit_probe *probe, int32_t *first, uint64_t *counts,
			    size_t capacity)
{
	const struct probekit_histogram *h = &probe->histogram;
	size_t bands;

	if (h->size == 0)
		return 0;
	*first = coarser(h->index[0], h->scale);
	bands = (size_t)((int64_t)coarser(h->index[h->size - 1], h->scale) - *first) + 1;
	memset(counts, 0, (bands < capacity ? bands : capacity) * sizeof(*counts));
	for (size_t i = 0; i < h->size; i++) {
		size_t band = (size_t)((int64_t)coarser(h->index[i], h->scale) - *first);

		if (band < capacity)
			counts[band] = add_saturated(counts[band], h->count[i]);
	}
	return bands;
}
