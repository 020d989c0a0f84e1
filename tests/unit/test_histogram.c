/* SPDX-License-Identifier: BSD-2-Clause */
/* Histograms, quantiles and bands, against the sorted values themselves. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "samples.h"

#define HALF_BUCKET 1.00545 /* 2^(1/128) */

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static struct samples *new_samples(enum probekit_kind kind, uint64_t seed)
{
	struct samples *s = malloc(sizeof(*s));

	assert_non_null(s);
	samples_init(s, kind, seed);
	return s;
}

static void free_samples(struct samples *s)
{
	samples_done(s);
	free(s);
}

static void quantile_is_the_bucket_of_the_ranked_value(void **state)
{
	static const double qs[] = {0, 0.001, 0.07, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
	enum { N = 10000 };
	struct samples *s = new_samples(PROBEKIT_KIND_SPAN, 42);
	int64_t *values = calloc(N, sizeof(*values));

	(void)state;
	assert_non_null(values);
	for (int i = 0; i < N; i++) {
		values[i] = llround(samples_log_normal(s, 5e5, 2));
		samples_add_many(s, values[i], 1);
	}
	assert_int_equal(samples_finish(s), 0);
	qsort(values, N, sizeof(*values), compare);
	for (size_t i = 0; i < sizeof(qs) / sizeof(qs[0]); i++) {
		/* qs[i] * N is a whole number for each */
		long rank = lround(qs[i] * N);
		double exact = (double)values[rank > 0 ? rank - 1 : 0];
		double found = probekit_probe_quantile(&s->probe, qs[i]);

		assert_true(found / exact < HALF_BUCKET && exact / found < HALF_BUCKET);
		assert_true(found >= (double)s->probe.min && found <= (double)s->probe.max);
	}
	free(values);
	free_samples(s);
}

static void quantile_rank_is_not_raised_by_binary_fractions(void **state)
{
	struct samples *s = new_samples(PROBEKIT_KIND_VALUE, 1);

	(void)state;
	/* 0.07 * 100 is 7.000000000000001: still the seventh */
	samples_add_many(s, 1000, 7);
	samples_add_many(s, 1000000, 93);
	assert_int_equal(samples_finish(s), 0);
	assert_true(probekit_probe_quantile(&s->probe, 0.07) < 1100);
	assert_true(probekit_probe_quantile(&s->probe, 0.071) > 900000);
	free_samples(s);
}

static void quantile_of_one_value_is_that_value(void **state)
{
	(void)state;
	for (int64_t v = 1; v < INT64_MAX / 7; v *= 7) {
		struct samples *s = new_samples(PROBEKIT_KIND_SPAN, 1);

		samples_add_many(s, v, 3);
		assert_int_equal(samples_finish(s), 0);
		assert_true(probekit_probe_quantile(&s->probe, 0.5) == (double)v);
		free_samples(s);
	}
}

static void quantile_counts_negative_and_zero_values_first(void **state)
{
	struct samples *s = new_samples(PROBEKIT_KIND_VALUE, 1);

	(void)state;
	samples_add_many(s, -100, 10);
	samples_add_many(s, -1, 10);
	samples_add_many(s, 0, 20);
	samples_add_many(s, 50, 60);
	assert_int_equal(samples_finish(s), 0);
	assert_true(probekit_probe_quantile(&s->probe, 0.2) < 0);
	assert_true(probekit_probe_quantile(&s->probe, 0.2) >= -100);
	assert_true(probekit_probe_quantile(&s->probe, 0.21) == 0);
	assert_true(probekit_probe_quantile(&s->probe, 0.4) == 0);
	assert_true(probekit_probe_quantile(&s->probe, 0.41) == 50);
	free_samples(s);
}

static void quantile_of_nothing_is_zero(void **state)
{
	struct probekit_probe probe = {.kind = PROBEKIT_KIND_SPAN};
	int32_t first = 7;
	uint64_t counts[1];

	(void)state;
	assert_true(probekit_probe_quantile(&probe, 0.5) == 0);
	assert_int_equal(probekit_probe_bands(&probe, &first, counts, 1), 0);
}

static void quantile_survives_what_is_not_a_fraction(void **state)
{
	struct samples *s = new_samples(PROBEKIT_KIND_VALUE, 1);

	(void)state;
	samples_add_many(s, 5, 1);
	samples_add_many(s, 9, 1);
	assert_int_equal(samples_finish(s), 0);
	assert_true(probekit_probe_quantile(&s->probe, NAN) ==
		    probekit_probe_quantile(&s->probe, 0));
	assert_true(probekit_probe_quantile(&s->probe, -1) ==
		    probekit_probe_quantile(&s->probe, 0));
	assert_true(probekit_probe_quantile(&s->probe, 2) == probekit_probe_quantile(&s->probe, 1));
	free_samples(s);
}

static void bands_are_exact_at_their_edges(void **state)
{
	struct samples *s = new_samples(PROBEKIT_KIND_VALUE, 1);
	uint64_t counts[16] = {0};
	int32_t first;

	(void)state;
	samples_add_many(s, 4, 1); /* (2, 4] */
	samples_add_many(s, 5, 2); /* (4, 8] */
	samples_add_many(s, 8, 4);
	samples_add_many(s, 9, 8);   /* (8, 16] */
	samples_add_many(s, 64, 16); /* (32, 64] */
	samples_add_many(s, 0, 32);
	assert_int_equal(samples_finish(s), 0);
	assert_int_equal(probekit_probe_bands(&s->probe, &first, counts, 16), 5);
	assert_int_equal(first, 1);
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 6);
	assert_int_equal(counts[2], 8);
	assert_int_equal(counts[3], 0);
	assert_int_equal(counts[4], 16);
	counts[2] = 99;
	assert_int_equal(probekit_probe_bands(&s->probe, &first, counts, 2), 5);
	assert_int_equal(counts[2], 99);
	free_samples(s);
}

static void bands_of_durations_are_in_seconds(void **state)
{
	struct samples *s = new_samples(PROBEKIT_KIND_SPAN, 1);
	uint64_t counts[64];
	int32_t first;

	(void)state;
	samples_add_many(s, 1953125, 3); /* 2^-9 s: the upper edge */
	samples_add_many(s, 1953126, 5);
	assert_int_equal(samples_finish(s), 0);
	assert_int_equal(probekit_probe_bands(&s->probe, &first, counts, 64), 2);
	assert_int_equal(first, -10);
	assert_int_equal(counts[0], 3);
	assert_int_equal(counts[1], 5);
	free_samples(s);
}

static void bounds_of_adjoining_buckets_meet(void **state)
{
	(void)state;
	for (int32_t i = -2000; i < 2000; i++)
		assert_true(histogram_upper(i, 6) == histogram_lower(i + 1, 6));
	assert_true(histogram_lower(0, 6) == 1);
	assert_true(histogram_upper(63, 6) == 2);
	assert_true(histogram_lower(-640, 6) == 0x1p-10);
	assert_true(histogram_upper(INT32_MAX, 31) == 2);
}

static uint64_t slot_value(size_t i)
{
	return i % 3 == 0 ? i + 1 : 0;
}

/* One bucket for every third of `slots`. */
static void make(struct probekit_histogram *h, size_t slots, int32_t base, int32_t scale)
{
	uint64_t counts[300];

	assert_true(slots <= 300);
	for (size_t i = 0; i < slots; i++)
		counts[i] = slot_value(i);
	assert_int_equal(histogram_from_slots(counts, slots, base, scale, h), 0);
}

static void from_slots_keeps_what_is_not_empty(void **state)
{
	struct probekit_histogram h;

	(void)state;
	make(&h, 300, -1921, 6);
	assert_int_equal(h.size, 100);
	for (size_t i = 0; i < h.size; i++) {
		assert_int_equal(h.index[i], -1921 + (int)(3 * i));
		assert_int_equal(h.count[i], 3 * i + 1);
	}
	histogram_done(&h);
	assert_int_equal(h.size, 0);
	make(&h, 0, 0, 6);
	assert_int_equal(h.size, 0);
	histogram_done(&h);
}

static void add_lowers_to_the_coarser_scale_exactly(void **state)
{
	struct probekit_histogram fine;
	struct probekit_histogram coarse;
	uint64_t before;

	(void)state;
	make(&fine, 300, -150, 6);
	make(&coarse, 30, -12, 3);
	fine.zero_count = 5;
	coarse.negative_count = 7;
	before = histogram_total(&fine) + histogram_total(&coarse);
	assert_int_equal(histogram_add(&fine, &coarse), 0);
	assert_int_equal(fine.scale, 3);
	assert_int_equal(histogram_total(&fine), before);
	for (size_t i = 0; i < fine.size; i++) {
		uint64_t expected = 0;

		for (int j = 0; j < 300; j++)
			if ((int)floor((j - 150) / 8.0) == fine.index[i])
				expected += slot_value((size_t)j);
		for (int j = 0; j < 30; j++)
			if (j - 12 == fine.index[i])
				expected += slot_value((size_t)j);
		assert_int_equal(fine.count[i], expected);
		assert_true(i == 0 || fine.index[i] > fine.index[i - 1]);
	}
	histogram_done(&fine);
	histogram_done(&coarse);
}

static void add_saturates(void **state)
{
	struct probekit_histogram a;
	struct probekit_histogram b;
	uint64_t most = UINT64_MAX - 1;
	uint64_t two = 2;

	(void)state;
	assert_int_equal(histogram_from_slots(&most, 1, 3, 6, &a), 0);
	assert_int_equal(histogram_from_slots(&two, 1, 3, 6, &b), 0);
	assert_int_equal(histogram_add(&a, &b), 0);
	assert_int_equal(a.size, 1);
	assert_true(a.count[0] == UINT64_MAX);
	histogram_done(&a);
	histogram_done(&b);
}

static void subtract_undoes_add(void **state)
{
	struct probekit_histogram older;
	struct probekit_histogram grown;
	struct probekit_histogram newer;
	struct probekit_histogram delta;

	(void)state;
	make(&older, 200, -100, 6);
	make(&newer, 200, -100, 6);
	make(&grown, 90, -31, 6);
	grown.zero_count = 4;
	assert_int_equal(histogram_add(&newer, &grown), 0);
	assert_int_equal(histogram_subtract(&newer, &older, &delta), 0);
	assert_int_equal(delta.size, grown.size);
	assert_memory_equal(delta.index, grown.index, grown.size * sizeof(*grown.index));
	assert_memory_equal(delta.count, grown.count, grown.size * sizeof(*grown.count));
	assert_int_equal(delta.zero_count, 4);
	older.scale = 5;
	histogram_done(&delta);
	assert_int_equal(histogram_subtract(&newer, &older, &delta), -EINVAL);
	histogram_done(&older);
	histogram_done(&newer);
	histogram_done(&grown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantile_is_the_bucket_of_the_ranked_value),
		cmocka_unit_test(quantile_rank_is_not_raised_by_binary_fractions),
		cmocka_unit_test(quantile_of_one_value_is_that_value),
		cmocka_unit_test(quantile_counts_negative_and_zero_values_first),
		cmocka_unit_test(quantile_of_nothing_is_zero),
		cmocka_unit_test(quantile_survives_what_is_not_a_fraction),
		cmocka_unit_test(bands_are_exact_at_their_edges),
		cmocka_unit_test(bands_of_durations_are_in_seconds),
		cmocka_unit_test(bounds_of_adjoining_buckets_meet),
		cmocka_unit_test(from_slots_keeps_what_is_not_empty),
		cmocka_unit_test(add_lowers_to_the_coarser_scale_exactly),
		cmocka_unit_test(add_saturates),
		cmocka_unit_test(subtract_undoes_add),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
