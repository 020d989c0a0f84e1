/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_SAMPLES_H
#define PROBEKIT_TESTS_SAMPLES_H
/* Rows made of known values, through the same bucket arithmetic as in the kernel, and a
 * generator of random values that gives the same ones everywhere. */
#include "histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/bucket.h"

struct samples {
	uint64_t slots[BUCKET_SLOTS(BUCKET_SCALE)];
	uint64_t state;
	struct probekit_probe probe;
};

static inline void samples_init(struct samples *s, enum probekit_kind kind, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->state = seed;
	s->probe.kind = kind;
}

static inline void samples_add_many(struct samples *s, int64_t value, uint64_t count)
{
	struct probekit_probe *p = &s->probe;

	if (p->count == 0 || value < p->min)
		p->min = value;
	if (p->count == 0 || value > p->max)
		p->max = value;
	p->count += count;
	p->sum += value * (int64_t)count;
	if (value < 0)
		p->histogram.negative_count += count;
	else if (value == 0)
		p->histogram.zero_count += count;
	else if (p->kind == PROBEKIT_KIND_VALUE)
		s->slots[bucket_slot_of_value((uint64_t)value, BUCKET_SCALE)] += count;
	else
		s->slots[bucket_slot_of_ns((uint64_t)value, BUCKET_SCALE)] += count;
}

static inline void samples_add(struct samples *s, double value)
{
	samples_add_many(s, value < 9e18 ? (int64_t)llround(value) : INT64_MAX, 1);
}

/* Builds the row's histogram from what was added; 0 or -ENOMEM. */
static inline int samples_finish(struct samples *s)
{
	struct probekit_histogram *h = &s->probe.histogram;
	uint64_t zero_count = h->zero_count;
	uint64_t negative_count = h->negative_count;
	int32_t base = BUCKET_SLOT_BASE;

	if (s->probe.kind != PROBEKIT_KIND_VALUE)
		base -= BUCKET_SECONDS_EXPONENT << BUCKET_SCALE;
	if (histogram_from_slots(s->slots, BUCKET_SLOTS(BUCKET_SCALE), base, BUCKET_SCALE, h))
		return -1;
	h->zero_count = zero_count;
	h->negative_count = negative_count;
	return 0;
}

static inline void samples_done(struct samples *s)
{
	histogram_done(&s->probe.histogram);
}

/* splitmix64 */
static inline uint64_t samples_next(struct samples *s)
{
	uint64_t z = s->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* In (0, 1). */
static inline double samples_uniform(struct samples *s)
{
	return ((double)(samples_next(s) >> 12) + 0.5) * 0x1p-52;
}

static inline double samples_normal(struct samples *s)
{
	return sqrt(-2 * log(samples_uniform(s))) * cos(2 * M_PI * samples_uniform(s));
}

static inline double samples_log_normal(struct samples *s, double median, double sigma)
{
	return median * exp(sigma * samples_normal(s));
}

#endif
