/* SPDX-License-Identifier: BSD-2-Clause */
/* The statistics of paired differences: the numbers of scipy and numpy, and what they promise. */
#include "paired.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "samples.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SPREAD 0.01

static void assert_near(double found, double expected, double relative)
{
	if (!(fabs(found - expected) <= relative * fabs(expected)))
		fail_msg("%.17g is not %.17g", found, expected);
}

/* ---- Student's t ---- */

static void student_quantiles_are_those_of_scipy(void **state)
{
	/* scipy.stats.t.ppf(p, df), scipy 1.10.1 */
	static const struct {
		double p;
		double df;
		double t;
	} known[] = {
		{0.05, 0.5, -41.1360000928421},	   {0.975, 0.5, 164.557673520961},
		{1e-9, 1, -318309886.183791},	   {0.51, 1, 0.0314262660433513},
		{0.95, 1, 6.31375151480093},	   {0.9999, 1, 3183.09875715371},
		{1e-9, 2, -22360.6797414069},	   {0.9, 2, 1.88561808316415},
		{0.975, 2, 4.30265272991127},	   {0.51, 3, 0.0272114670489932},
		{0.95, 3, 2.35336343480183},	   {0.9999, 3, 22.2037422667806},
		{0.05, 5, -2.01504837266916},	   {0.9, 5, 1.47588404878203},
		{0.975, 5, 2.57058183661474},	   {0.995, 5, 4.03214298355754},
		{1e-9, 9, -23.7299198192828},	   {0.05, 9, -1.83311293265363},
		{0.51, 9, 0.0257740475076905},	   {0.9, 9, 1.38302873839649},
		{0.975, 9, 2.26215716274099},	   {0.9999, 9, 6.01013212935548},
		{0.95, 11, 1.79588481870367},	   {0.975, 11, 2.20098516008295},
		{1e-9, 30, -8.4458627966555},	   {0.995, 30, 2.74999565356703},
		{0.51, 100, 0.0251316975375922},   {0.975, 100, 1.98397151844963},
		{0.9, 1000, 1.28239872146092},	   {0.9999, 1000, 3.73285160457511},
		{1e-9, 1000000, -5.9978624557109}, {0.975, 1000000, 1.95996635681411},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(known); i++)
		assert_near(student_quantile(known[i].p, known[i].df), known[i].t, 1e-9);
}

static void student_quantile_of_a_half_is_zero(void **state)
{
	(void)state;
	for (double df = 0.25; df < 1e6; df *= 3)
		assert_true(student_quantile(0.5, df) == 0);
}

/* The Cauchy distribution, and tan() knows nothing of beta functions. */
static void student_quantile_of_one_degree_is_the_tangent(void **state)
{
	(void)state;
	for (double p = 0.501; p < 1; p += 0.001) {
		assert_near(student_quantile(p, 1), tan(M_PI * (p - 0.5)), 1e-11);
		assert_near(student_quantile(1 - p, 1), -tan(M_PI * (p - 0.5)), 1e-11);
	}
}

/* ---- one hypothesis ---- */

static void deviation_leaves_out_what_is_not_known(void **state)
{
	const double values[] = {NAN, 2, 4, NAN, 4, 4, 5, 5, 7, 9, NAN};
	struct paired paired = paired_of(values, COUNT(values));

	(void)state;
	assert_int_equal(paired.count, 8);
	assert_near(paired.mean, 5, 1e-15);
	assert_near(paired.deviation, sqrt(32.0 / 7), 1e-15);
	/* t of .975 and 7 degrees is 2.36462425159278 */
	assert_near(paired_half_width(&paired, 0.95), 2.36462425159278 * sqrt(32.0 / 7 / 8), 1e-12);
}

static void equal_values_have_no_deviation(void **state)
{
	const double values[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1};
	struct paired paired = paired_of(values, COUNT(values));

	(void)state;
	assert_true(paired.mean == 0.1);
	assert_true(paired.deviation == 0);
	assert_true(paired_half_width(&paired, 0.95) == 0);
}

/* Squares of such values differ by less than they are rounded by. */
static void deviation_around_a_large_mean_is_exact(void **state)
{
	const double values[] = {1e9 + 1, 1e9 + 2, 1e9 + 3};
	struct paired paired = paired_of(values, COUNT(values));

	(void)state;
	assert_true(paired.mean == 1e9 + 2);
	assert_true(paired.deviation == 1);
}

static void too_few_values_have_no_interval(void **state)
{
	const double values[] = {NAN, 3};
	struct paired none = paired_of(values, 1);
	struct paired one = paired_of(values, 2);

	(void)state;
	assert_int_equal(none.count, 0);
	assert_true(isnan(none.mean) && isnan(none.deviation));
	assert_true(isnan(paired_half_width(&none, 0.9)));
	assert_int_equal(one.count, 1);
	assert_true(one.mean == 3 && isnan(one.deviation));
	assert_true(isnan(paired_half_width(&one, 0.9)));
}

/* ---- all hypotheses ---- */

struct tested {
	double critical;
	double s0;
};

static struct tested test_all(const double *values, size_t hypotheses, size_t pairs, uint64_t seed,
			      struct flip_result *results)
{
	struct tested tested;

	assert_int_equal(
		flip_test(values, NULL, hypotheses, pairs, seed, results, &tested.critical), 0);
	tested.s0 = hypotheses ? results[0].s0 : NAN;
	return tested;
}

static void assert_flips(double p, unsigned int count, unsigned int flips)
{
	assert_near(p, (double)count / flips, 1e-12);
}

static void max_t_is_that_of_numpy(void **state)
{
	/*
	 * Of each flip g of itertools.product((1, -1), repeat=7), over rows with two values or more:
	 *	s = nanstd(X * g, 1, ddof=1); t = nanmean(X * g, 1) / ((s + median(s) / 2) / sqrt(n))
	 *	(0 where the mean is), and M.append(t.max()).
	 * statistic and s0: of the first, g = 1. greater: (M >= t - 1e-9).sum(); less: the same of
	 * -t; critical: sort(M)[ceil(.95 * 128) - 1]. numpy 1.24.2.
	 */
	static const double x[] = {
		5.0,  6.0,  4.5,  5.5,	6.5,  5.0,  4.0,  /* */
		0.5,  -1.0, 0.7,  0.2,	-0.4, 0.1,  -0.3, /* */
		-2.0, -1.5, -3.0, -2.5, NAN,  -1.0, -2.0, /* */
		1.0,  9.0,  -4.0, 3.0,	2.0,  -6.0, 5.0,  /* */
		0.3,  0.1,  0.2,  0.2,	0.4,  0.0,  0.1,  /* */
		NAN,  NAN,  NAN,  NAN,	NAN,  NAN,  3.0,  /* */
		0.0,  0.0,  0.0,  0.0,	0.0,  0.0,  0.0,  /* */
	};
	static const struct {
		double statistic;
		unsigned int greater;
		unsigned int less;
	} known[] = {
		{11.676718849025288, 1, 128},
		{-0.083562765069477143, 128, 128},
		{-4.758818177031725, 128, 3},
		{0.69360115036411663, 77, 128},
		{1.0754908107029033, 46, 128},
		{NAN, 0, 0},
		{0, 128, 128},
	};
	struct flip_result results[COUNT(known)];
	struct tested tested = test_all(x, COUNT(known), 7, 0, results);

	(void)state;
	assert_near(tested.s0, 0.32234618451218711, 1e-12);
	assert_near(tested.critical, 2.3410475615554769, 1e-12);
	for (size_t i = 0; i < COUNT(known); i++) {
		if (isnan(known[i].statistic)) {
			assert_true(isnan(results[i].statistic));
			assert_true(isnan(results[i].p_greater) && isnan(results[i].p_less));
			continue;
		}
		assert_near(results[i].statistic, known[i].statistic, 1e-12);
		assert_flips(results[i].p_greater, known[i].greater, 128);
		assert_flips(results[i].p_less, known[i].less, 128);
	}
}

static void one_direction_throughout_is_one_flip_of_all(void **state)
{
	static const double values[] = {0.05, 0.03, 0.04, 0.06, 0.02, 0.05,
					0.01, 0.04, 0.03, 0.02, 0.05, 0.06};
	struct flip_result result;

	(void)state;
	for (size_t pairs = 2; pairs <= COUNT(values); pairs++) {
		test_all(values, 1, pairs, 0, &result);
		assert_flips(result.p_greater, 1, 1U << pairs);
		assert_flips(result.p_less, 1, 1);
	}
}

/* As max_t_is_that_of_numpy, with s0 = median(s[groups == k]) / 2 in each group k. */
static void s0_is_of_a_group(void **state)
{
	static const double x[] = {
		5.0,  6.0,  4.5,  5.5,	6.5,  5.0,  4.0,  /* */
		0.5,  -1.0, 0.7,  0.2,	-0.4, 0.1,  -0.3, /* */
		-2.0, -1.5, -3.0, -2.5, NAN,  -1.0, -2.0, /* */
		1.0,  9.0,  -4.0, 3.0,	2.0,  -6.0, 5.0,  /* */
		0.3,  0.1,  0.2,  0.2,	0.4,  0.0,  0.1,  /* */
	};
	static const unsigned int groups[] = {0, 31, 0, 0, 31};
	static const struct {
		double statistic;
		double s0;
		unsigned int greater;
		unsigned int less;
	} known[] = {
		{10.705239396558792, 0.4295623464921123, 1, 128},
		{-0.09927139822713463, 0.17919912467227767, 128, 126},
		{-4.309943295082888, 0.4295623464921123, 128, 2},
		{0.6802177327161715, 0.4295623464921123, 72, 128},
		{1.56622934371236, 0.17919912467227767, 15, 128},
	};
	struct flip_result results[COUNT(known)];
	double critical;

	(void)state;
	assert_int_equal(flip_test(x, groups, COUNT(known), 7, 0, results, &critical), 0);
	assert_near(critical, 1.9826836567538004, 1e-12);
	for (size_t i = 0; i < COUNT(known); i++) {
		assert_near(results[i].statistic, known[i].statistic, 1e-12);
		assert_near(results[i].s0, known[i].s0, 1e-12);
		assert_flips(results[i].p_greater, known[i].greater, 128);
		assert_flips(results[i].p_less, known[i].less, 128);
	}
}

/* They are all 1 % slower: as sure as it gets, though nothing varies. */
static void equal_values_are_tested(void **state)
{
	static const double values[6] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1};
	struct flip_result result;
	struct tested tested = test_all(values, 1, 6, 0, &result);

	(void)state;
	assert_true(tested.s0 == 0);
	assert_true(isinf(result.statistic) && result.statistic > 0);
	assert_flips(result.p_greater, 1, 64);
	assert_flips(result.p_less, 1, 1);
}

static void what_never_differs_is_not_tested(void **state)
{
	static const double values[2 * 6] = {0};
	struct flip_result results[2];
	struct tested tested = test_all(values, 2, 6, 0, results);

	(void)state;
	assert_true(tested.s0 == 0);
	assert_true(isnan(tested.critical));
	assert_true(isnan(results[1].statistic) && isnan(results[1].p_greater));
}

static void nothing_is_tested_of_too_few_values(void **state)
{
	static const double values[] = {0.1, NAN, NAN, NAN, NAN, 0.1};
	struct flip_result results[2];

	(void)state;
	assert_true(isnan(test_all(values, 2, 3, 0, results).critical));
	assert_true(isnan(results[0].p_greater) && isnan(results[1].p_less));
	assert_true(isnan(test_all(values, 1, 1, 0, results).critical));
	assert_true(isnan(test_all(values, 1, 0, 0, results).critical));
	assert_true(isnan(test_all(values, 0, 6, 0, results).s0));
}

/* Quantiles are middles of buckets, so that differences are multiples of a step: two flips then
 * often have one statistic, in which only the order of the additions differs. */
static void flips_that_differ_by_rounding_alone_are_ties(void **state)
{
	static const int steps[] = {3, 3, 3, 3, 3, 3, -3, 3, 3, 3, 3, 3};
	double values[COUNT(steps)];
	struct flip_result result;

	(void)state;
	for (size_t r = 0; r < COUNT(steps); r++)
		values[r] = steps[r] * (M_LN2 / 64) + (double)r * 1e-17;
	test_all(values, 1, COUNT(steps), 0, &result);
	/* those with one negative value or none */
	assert_flips(result.p_greater, 13, 4096);
}

static void mirrored_values_swap_the_directions(void **state)
{
	static struct samples s = {.state = 5};
	double values[4 * 8];
	struct flip_result results[4];
	struct flip_result mirrored[4];

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++)
		values[i] = SPREAD * (samples_normal(&s) + (double)(i / 8));
	test_all(values, 4, 8, 0, results);
	for (size_t i = 0; i < COUNT(values); i++)
		values[i] = -values[i];
	test_all(values, 4, 8, 0, mirrored);
	for (size_t h = 0; h < 4; h++) {
		assert_true(results[h].statistic == -mirrored[h].statistic);
		assert_true(results[h].p_greater == mirrored[h].p_less);
		assert_true(results[h].p_less == mirrored[h].p_greater);
	}
	assert_true(results[3].p_greater < results[0].p_greater);
}

/* ---- against the definition, taken literally ---- */

enum { FEW = 11, PAIRS = 6, FLIPS = 1 << PAIRS };

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median_of(const double *values, size_t size)
{
	double sorted[FEW];

	memcpy(sorted, values, size * sizeof(*sorted));
	qsort(sorted, size, sizeof(*sorted), ascending);
	return (sorted[(size - 1) / 2] + sorted[size / 2]) / 2;
}

static void literal_statistics(const double *values, unsigned int flip, double *statistics)
{
	struct paired paired[FEW];
	double deviations[FEW];
	double flipped[PAIRS];

	for (size_t h = 0; h < FEW; h++) {
		for (size_t r = 0; r < PAIRS; r++)
			flipped[r] = values[h * PAIRS + r] * (flip >> r & 1 ? -1 : 1);
		paired[h] = paired_of(flipped, PAIRS);
		deviations[h] = paired[h].deviation;
	}
	for (size_t h = 0; h < FEW; h++)
		statistics[h] = paired[h].mean / (deviations[h] + median_of(deviations, FEW) / 2) *
				sqrt((double)paired[h].count);
}

/* And adjusted for others, nothing is ever surer than by itself. */
static void max_t_is_what_its_definition_says(void **state)
{
	static struct samples s = {.state = 6};
	static double t[FLIPS][FEW];
	double values[FEW * PAIRS];
	struct flip_result results[FEW];

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++)
		values[i] = samples_normal(&s) * (double)(1 + i / 10) + 0.5 * (double)(i / PAIRS);
	values[5] = values[9] = values[10] = NAN;
	test_all(values, FEW, PAIRS, 0, results);
	for (unsigned int flip = 0; flip < FLIPS; flip++)
		literal_statistics(values, flip, t[flip]);
	for (size_t h = 0; h < FEW; h++) {
		unsigned int adjusted = 0;
		unsigned int raw = 0;

		for (size_t flip = 0; flip < FLIPS; flip++) {
			double largest = -INFINITY;

			for (size_t other = 0; other < FEW; other++)
				largest = fmax(largest, t[flip][other]);
			adjusted += largest >= t[0][h] - 1e-9;
			raw += t[flip][h] >= t[0][h] - 1e-9;
		}
		assert_near(results[h].statistic, t[0][h], 1e-12);
		assert_flips(results[h].p_greater, adjusted, FLIPS);
		assert_true(results[h].p_greater >= raw / (double)FLIPS - 1e-12);
	}
	assert_true(results[FEW - 1].p_greater < 0.2 && results[0].p_greater > 0.5);
}

/* Significant is what is above the critical statistic, and nothing else. */
static void critical_statistic_parts_the_significant(void **state)
{
	enum { HYPOTHESES = 40 };
	static struct samples s = {.state = 7};
	double values[HYPOTHESES * PAIRS];
	struct flip_result results[HYPOTHESES];
	struct tested tested;
	size_t found = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++)
		values[i] = SPREAD * (samples_normal(&s) + 0.05 * (double)(i / PAIRS));
	tested = test_all(values, HYPOTHESES, PAIRS, 0, results);
	for (size_t h = 0; h < HYPOTHESES; h++) {
		found += results[h].p_greater <= 0.05;
		assert_int_equal(results[h].p_greater <= 0.05,
				 results[h].statistic > tested.critical * (1 + 1e-9));
	}
	assert_true(found > 0 && found < HYPOTHESES);
}

/* ---- random flips ---- */

/* As in max_t_is_that_of_numpy, of all 8,192 flips. */
static void random_flips_come_near_all_flips(void **state)
{
	static const double x[4 * 13] = {
		5,   -1,   4,	2,    -3,  6,	 1,    -2,   3,	   4,	 -1,   2,   1,	/* */
		1,   2,	   -1,	0.5,  3,   -2,	 1.5,  0,    -0.5, 2.5,	 1,    -3,  2,	/* */
		-2,  -1,   -4,	1,    -3,  -2.5, 0.5,  -1.5, -2,   1,	 -0.5, -3,  -1, /* */
		0.1, -0.2, 0.4, -0.3, 0.2, 0.6,	 -0.1, 0.5,  0.3,  -0.4, 0.2,  0.1, 0,
	};
	static const double statistics[4] = {1.60580904207444, 0.739057874215015, -2.0585259214234,
					     0.338807048326077};
	struct flip_result results[4];

	(void)state;
	for (uint64_t seed = 0; seed < 8; seed++) {
		test_all(x, 4, 13, seed, results);
		for (size_t h = 0; h < 4; h++)
			assert_near(results[h].statistic, statistics[h], 1e-12);
		/* within four of their standard deviations */
		assert_true(fabs(results[0].p_greater - 460 / 8192.0) < 4 * 0.0051);
		assert_true(fabs(results[1].p_greater - 3427 / 8192.0) < 4 * 0.011);
		assert_true(fabs(results[2].p_less - 128 / 8192.0) < 4 * 0.0028);
		assert_true(results[2].p_greater == 1);
	}
}

static void random_flips_are_those_of_the_seed(void **state)
{
	static struct samples s = {.state = 8};
	double values[40];
	struct flip_result results[3];

	(void)state;
	for (size_t r = 0; r < COUNT(values); r++)
		values[r] = samples_normal(&s);
	test_all(values, 1, COUNT(values), 1, &results[0]);
	test_all(values, 1, COUNT(values), 1, &results[1]);
	test_all(values, 1, COUNT(values), 2, &results[2]);
	assert_true(results[0].p_greater == results[1].p_greater);
	assert_true(results[0].p_greater != results[2].p_greater);
}

/* What was seen is one of the flips, so that nothing is ever impossible. */
static void random_flips_count_what_was_seen(void **state)
{
	double values[64];
	struct flip_result result;

	(void)state;
	for (size_t r = 0; r < COUNT(values); r++)
		values[r] = 1 + (double)(r % 7) / 10;
	test_all(values, 1, COUNT(values), 3, &result);
	assert_flips(result.p_greater, 1, 4096);
	assert_flips(result.p_less, 1, 1);
}

/* ---- how often it errs ---- */

/* Of families in which nothing differs, those in which something is called greater. Hypotheses of
 * one family go together, as functions of one process do, and vary differently. */
static size_t false_alarms(size_t families, size_t hypotheses, size_t pairs, uint64_t seed)
{
	static struct samples s;
	static double values[64 * 64];
	static struct flip_result results[64];
	size_t found = 0;

	assert_true(hypotheses <= 64 && pairs <= 64);
	s.state = seed;
	for (size_t family = 0; family < families; family++) {
		bool is_alarm = false;

		for (size_t r = 0; r < pairs; r++) {
			double shared = samples_normal(&s);

			for (size_t h = 0; h < hypotheses; h++)
				values[h * pairs + r] =
					SPREAD * (double)(h + 1) * (shared + samples_normal(&s));
		}
		test_all(values, hypotheses, pairs, family, results);
		for (size_t h = 0; h < hypotheses; h++)
			is_alarm |= results[h].p_greater <= 0.05;
		found += is_alarm;
	}
	return found;
}

/* At most 12 of 256 flips are below .05; 204 of 4,096. Within three standard deviations. */
static void false_alarms_are_one_family_in_twenty(void **state)
{
	size_t exact = false_alarms(400, 20, 8, 1);
	size_t random = false_alarms(200, 20, 15, 2);

	(void)state;
	if (exact < 400 * 0.0469 - 12.7 || exact > 400 * 0.0469 + 12.7)
		fail_msg("%zu of 400", exact);
	if (random < 200 * 0.0498 - 9.2 || random > 200 * 0.0498 + 9.2)
		fail_msg("%zu of 200", random);
}

static void large_families_are_tested_exactly(void **state)
{
	enum { HYPOTHESES = 2000, MANY = 12 };
	static struct samples s = {.state = 9};
	static double values[HYPOTHESES * MANY];
	static struct flip_result results[HYPOTHESES];
	size_t others = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++)
		values[i] = SPREAD * samples_normal(&s);
	for (size_t r = 0; r < MANY; r++)
		values[77 * MANY + r] += 6 * SPREAD;
	test_all(values, HYPOTHESES, MANY, 0, results);
	assert_flips(results[77].p_greater, 1, 4096);
	for (size_t h = 0; h < HYPOTHESES; h++)
		others += h != 77 && results[h].p_greater <= 0.05;
	assert_int_equal(others, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(student_quantiles_are_those_of_scipy),
		cmocka_unit_test(student_quantile_of_a_half_is_zero),
		cmocka_unit_test(student_quantile_of_one_degree_is_the_tangent),
		cmocka_unit_test(deviation_leaves_out_what_is_not_known),
		cmocka_unit_test(equal_values_have_no_deviation),
		cmocka_unit_test(deviation_around_a_large_mean_is_exact),
		cmocka_unit_test(too_few_values_have_no_interval),
		cmocka_unit_test(max_t_is_that_of_numpy),
		cmocka_unit_test(one_direction_throughout_is_one_flip_of_all),
		cmocka_unit_test(s0_is_of_a_group),
		cmocka_unit_test(equal_values_are_tested),
		cmocka_unit_test(what_never_differs_is_not_tested),
		cmocka_unit_test(nothing_is_tested_of_too_few_values),
		cmocka_unit_test(flips_that_differ_by_rounding_alone_are_ties),
		cmocka_unit_test(mirrored_values_swap_the_directions),
		cmocka_unit_test(max_t_is_what_its_definition_says),
		cmocka_unit_test(critical_statistic_parts_the_significant),
		cmocka_unit_test(random_flips_come_near_all_flips),
		cmocka_unit_test(random_flips_are_those_of_the_seed),
		cmocka_unit_test(random_flips_count_what_was_seen),
		cmocka_unit_test(false_alarms_are_one_family_in_twenty),
		cmocka_unit_test(large_families_are_tested_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
