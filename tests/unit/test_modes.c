/* SPDX-License-Identifier: BSD-2-Clause */
/* Modes of synthetic distributions whose number of modes is known, over many seeds. */
#include <math.h>
#include <stdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "samples.h"

#define SEEDS 60
#define MODES 8

enum shape { LOG_NORMAL, EXPONENTIAL, SHIFTED_EXPONENTIAL, PARETO, UNIFORM, WEIBULL, SHOULDER };

struct hump {
	enum shape shape;
	double at;
	double width;
};

struct part {
	struct hump hump;
	int count;
};

static double draw(struct samples *s, const struct hump *hump)
{
	double u = samples_uniform(s);

	switch (hump->shape) {
	case LOG_NORMAL:
		return samples_log_normal(s, hump->at, hump->width);
	case EXPONENTIAL:
		return -hump->at * log(u);
	case SHIFTED_EXPONENTIAL:
		return hump->at - hump->width * log(u);
	case PARETO:
		return hump->at * pow(u, -1 / hump->width);
	case UNIFORM:
		return hump->at + hump->width * u;
	case WEIBULL:
		return hump->at * pow(-log(u), 1 / hump->width);
	case SHOULDER:
		return u < 0.8 ? samples_log_normal(s, hump->at, 0.4)
			       : samples_log_normal(s, hump->at * hump->width, 0.6);
	}
	return 0;
}

static size_t modes_of(struct samples *s, const struct part *parts, size_t count, uint64_t seed,
		       struct probekit_mode modes[static MODES])
{
	size_t found;

	samples_init(s, PROBEKIT_KIND_SPAN, seed * 7919 + 1);
	for (size_t i = 0; i < count; i++)
		for (int j = 0; j < parts[i].count; j++)
			samples_add(s, draw(s, &parts[i].hump));
	assert_int_equal(samples_finish(s), 0);
	found = probekit_probe_modes(&s->probe, modes, MODES);
	samples_done(s);
	return found;
}

static void one_hump_of_any_shape_is_one_mode(void **state)
{
	static const struct hump humps[] = {
		{LOG_NORMAL, 2000, 0.05}, {LOG_NORMAL, 2000, 0.3}, {LOG_NORMAL, 20000, 1},
		{LOG_NORMAL, 2e5, 2.5},	  {EXPONENTIAL, 5000, 0},  {SHIFTED_EXPONENTIAL, 300, 20},
		{PARETO, 1000, 0.5},	  {PARETO, 1000, 1},	   {PARETO, 1000, 2.5},
		{UNIFORM, 1000, 9000},	  {UNIFORM, 50, 20},	   {UNIFORM, 1, 40},
		{WEIBULL, 1e6, 0.5},	  {SHOULDER, 2000, 1.75},
	};
	static const int sizes[] = {20, 100, 1000, 10000};
	struct samples *s = malloc(sizeof(*s));
	struct probekit_mode modes[MODES];
	int split = 0;

	(void)state;
	assert_non_null(s);
	for (size_t h = 0; h < sizeof(humps) / sizeof(humps[0]); h++) {
		for (size_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
			struct part part = {humps[h], sizes[n]};
			int wrong = 0;

			for (uint64_t seed = 0; seed < SEEDS; seed++)
				wrong += modes_of(s, &part, 1, seed, modes) != 1;
			if (wrong)
				print_message(
					"shape %d at %g width %g, %d values: %d of %d split\n",
					(int)humps[h].shape, humps[h].at, humps[h].width, sizes[n],
					wrong, SEEDS);
			assert_true(wrong <= 1);
			split += wrong;
		}
	}
	/* 3,360 sets: at most 0.3 % */
	assert_true(split <= 10);
	free(s);
}

static void a_separate_slow_mode_is_found(void **state)
{
	static const struct part pairs[][2] = {
		{{{LOG_NORMAL, 1900, 0.3}, 9700}, {{LOG_NORMAL, 17e6, 0.3}, 300}},
		{{{LOG_NORMAL, 1900, 0.3}, 3980}, {{LOG_NORMAL, 17e6, 0.3}, 20}},
		{{{LOG_NORMAL, 1900, 0.3}, 1980}, {{LOG_NORMAL, 17e6, 0.5}, 20}},
		{{{LOG_NORMAL, 1900, 0.3}, 30}, {{LOG_NORMAL, 17e6, 0.3}, 970}},
		{{{LOG_NORMAL, 1000, 0.1}, 100}, {{LOG_NORMAL, 2000, 0.1}, 100}},
		{{{LOG_NORMAL, 1000, 0.1}, 19600}, {{LOG_NORMAL, 2000, 0.1}, 400}},
		{{{LOG_NORMAL, 1000, 1}, 9700}, {{LOG_NORMAL, 1e6, 1}, 300}},
		{{{UNIFORM, 1000, 1000}, 970}, {{UNIFORM, 1e6, 1e6}, 30}},
		{{{EXPONENTIAL, 2000, 0}, 4900}, {{UNIFORM, 4e6, 1e6}, 100}},
	};
	struct samples *s = malloc(sizeof(*s));
	struct probekit_mode modes[MODES];

	(void)state;
	assert_non_null(s);
	for (size_t p = 0; p < sizeof(pairs) / sizeof(pairs[0]); p++) {
		double total = pairs[p][0].count + pairs[p][1].count;

		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			assert_int_equal(modes_of(s, pairs[p], 2, seed, modes), 2);
			assert_true(fabs(modes[1].share - pairs[p][1].count / total) <
				    0.003 + 4 / total);
			assert_true(fabs(modes[0].share + modes[1].share - 1) < 1e-9);
			assert_true(modes[0].at < modes[0].to && modes[0].to == modes[1].from &&
				    modes[1].from < modes[1].at);
		}
	}
	free(s);
}

static void a_mode_lies_where_its_values_are(void **state)
{
	static const struct part parts[] = {
		{{LOG_NORMAL, 1900, 0.1}, 9700},
		{{LOG_NORMAL, 17e6, 0.1}, 300},
	};
	struct samples *s = malloc(sizeof(*s));
	struct probekit_mode modes[MODES];

	(void)state;
	assert_non_null(s);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		assert_int_equal(modes_of(s, parts, 2, seed, modes), 2);
		assert_true(fabs(log(modes[0].at / 1900)) < 0.06);
		assert_true(fabs(log(modes[1].at / 17e6)) < 0.12);
		assert_true(modes[0].from == (double)s->probe.min);
		assert_true(modes[1].to == (double)s->probe.max);
		assert_true(modes[0].to > 4000 && modes[0].to < 1e7);
	}
	free(s);
}

static void three_modes_are_found(void **state)
{
	static const struct part parts[] = {
		{{LOG_NORMAL, 900, 0.2}, 9000},
		{{LOG_NORMAL, 40000, 0.3}, 900},
		{{LOG_NORMAL, 8e6, 0.4}, 100},
	};
	struct samples *s = malloc(sizeof(*s));
	struct probekit_mode modes[MODES];

	(void)state;
	assert_non_null(s);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		assert_int_equal(modes_of(s, parts, 3, seed, modes), 3);
		assert_true(fabs(modes[1].share - 0.09) < 0.005);
		assert_true(fabs(modes[2].share - 0.01) < 0.005);
	}
	free(s);
}

static void a_few_stray_values_are_no_mode(void **state)
{
	static const struct part parts[] = {
		{{LOG_NORMAL, 1900, 0.3}, 1000},
		{{LOG_NORMAL, 17e6, 0.3}, 5},
	};
	struct samples *s = malloc(sizeof(*s));
	struct probekit_mode modes[MODES];

	(void)state;
	assert_non_null(s);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		assert_int_equal(modes_of(s, parts, 2, seed, modes), 1);
		assert_true(modes[0].share == 1);
	}
	free(s);
}

static size_t modes_of_values(struct samples *s, const int64_t (*values)[2], size_t count,
			      struct probekit_mode modes[static MODES])
{
	size_t found;

	samples_init(s, PROBEKIT_KIND_VALUE, 1);
	for (size_t i = 0; i < count; i++)
		samples_add_many(s, values[i][0], (uint64_t)values[i][1]);
	assert_int_equal(samples_finish(s), 0);
	found = probekit_probe_modes(&s->probe, modes, MODES);
	samples_done(s);
	return found;
}

static void small_integers_in_a_row_are_one_mode(void **state)
{
	static const int64_t uniform[][2] = {{1, 500}, {2, 500}, {3, 500}, {4, 500},
					     {5, 500}, {6, 500}, {7, 500}, {8, 500}};
	static const int64_t poisson[][2] = {{0, 3679}, {1, 3679}, {2, 1839}, {3, 613},
					     {4, 153},	{5, 31},   {6, 5}};
	struct samples *s = malloc(sizeof(*s));
	struct probekit_mode modes[MODES];

	(void)state;
	assert_non_null(s);
	assert_int_equal(modes_of_values(s, uniform, 8, modes), 1);
	assert_int_equal(modes_of_values(s, poisson, 7, modes), 1);
	free(s);
}

static void zero_far_from_the_rest_is_a_mode(void **state)
{
	static const int64_t values[][2] = {{-3, 100}, {0, 500}, {90, 100}, {95, 200}, {100, 100}};
	struct samples *s = malloc(sizeof(*s));
	struct probekit_mode modes[MODES];

	(void)state;
	assert_non_null(s);
	assert_int_equal(modes_of_values(s, values, 5, modes), 2);
	assert_true(modes[0].at == 0);
	assert_true(modes[0].from == -3);
	assert_true(fabs(modes[0].share - 0.6) < 1e-9);
	assert_true(modes[1].at > 90 && modes[1].at < 100);
	free(s);
}

static void degenerate_rows_have_one_mode_or_none(void **state)
{
	static const int64_t one[][2] = {{77, 1}};
	static const int64_t same[][2] = {{77, 1000000}};
	static const int64_t zero[][2] = {{0, 9}};
	static const int64_t negative[][2] = {{-9, 9}};
	struct samples *s = malloc(sizeof(*s));
	struct probekit_mode modes[MODES];

	(void)state;
	assert_non_null(s);
	assert_int_equal(modes_of_values(s, NULL, 0, modes), 0);
	assert_int_equal(modes_of_values(s, one, 1, modes), 1);
	assert_true(modes[0].at == 77 && modes[0].share == 1);
	assert_int_equal(modes_of_values(s, same, 1, modes), 1);
	assert_true(modes[0].from == 77 && modes[0].to == 77);
	assert_int_equal(modes_of_values(s, zero, 1, modes), 1);
	assert_true(modes[0].at == 0 && modes[0].share == 1);
	assert_int_equal(modes_of_values(s, negative, 1, modes), 1);
	assert_true(modes[0].at == -9 && modes[0].share == 1);
	free(s);
}

static void no_more_modes_are_filled_than_fit(void **state)
{
	static const int64_t values[][2] = {{10, 500}, {1000, 500}, {100000, 500}};
	struct samples *s = malloc(sizeof(*s));
	struct probekit_mode mode = {0};

	(void)state;
	assert_non_null(s);
	samples_init(s, PROBEKIT_KIND_VALUE, 1);
	for (int i = 0; i < 3; i++)
		samples_add_many(s, values[i][0], 500);
	assert_int_equal(samples_finish(s), 0);
	assert_int_equal(probekit_probe_modes(&s->probe, NULL, 0), 3);
	assert_int_equal(probekit_probe_modes(&s->probe, &mode, 1), 3);
	assert_true(fabs(mode.at - 10) < 0.2);
	samples_done(s);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_hump_of_any_shape_is_one_mode),
		cmocka_unit_test(a_separate_slow_mode_is_found),
		cmocka_unit_test(a_mode_lies_where_its_values_are),
		cmocka_unit_test(three_modes_are_found),
		cmocka_unit_test(a_few_stray_values_are_no_mode),
		cmocka_unit_test(small_integers_in_a_row_are_one_mode),
		cmocka_unit_test(zero_far_from_the_rest_is_a_mode),
		cmocka_unit_test(degenerate_rows_have_one_mode_or_none),
		cmocka_unit_test(no_more_modes_are_filled_than_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
