/* SPDX-License-Identifier: BSD-2-Clause */
/* The benchmark's arithmetic against values worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "statistics.h"

static void assert_near(double value, double expected)
{
	assert_true(fabs(value - expected) <= 1e-3 * fabs(expected));
}

static void ratio_is_the_geometric_mean_of_the_rounds(void **state)
{
	const double a[] = {2, 8};
	const double b[] = {1, 1};
	struct ratio ratio = ratio_of(a, b, NULL, 2);

	(void)state;
	assert_near(ratio.value, 4);
}

static void interval_of_two_rounds_takes_t_of_one_degree(void **state)
{
	const double a[] = {1, M_E};
	const double b[] = {1, 1};
	struct ratio ratio = ratio_of(a, b, NULL, 2);

	/* logs 0 and 1: mean 0.5, standard error 0.5, t 12.7062 */
	(void)state;
	assert_near(ratio.low, exp(0.5 - 6.3531));
	assert_near(ratio.high, exp(0.5 + 6.3531));
	assert_near(ratio.half_width, exp(6.3531) - 1);
}

static void interval_of_ten_rounds_takes_t_of_nine_degrees(void **state)
{
	double a[10];
	double b[10];
	struct ratio ratio;

	(void)state;
	for (int i = 0; i < 10; i++) {
		a[i] = exp(i % 2 ? 0.1 : -0.1);
		b[i] = 1;
	}
	ratio = ratio_of(a, b, NULL, 10);
	assert_near(ratio.value, 1);
	/* standard deviation 0.1 * sqrt(10 / 9), over sqrt(10); t 2.2622 */
	assert_near(ratio.half_width, expm1(2.2622 * 0.1 / 3));
}

static void one_round_has_a_value_and_no_interval(void **state)
{
	const double a[] = {3};
	const double b[] = {2};
	struct ratio ratio = ratio_of(a, b, NULL, 1);

	(void)state;
	assert_near(ratio.value, 1.5);
	assert_true(isinf(ratio.half_width));
}

static void added_cost_is_taken_over_the_same_rounds_baseline(void **state)
{
	const double a[] = {110, 220};
	const double b[] = {60, 120};
	const double over[] = {10, 20};
	struct ratio ratio = ratio_of(a, b, over, 2);

	(void)state;
	assert_near(ratio.value, 2);
	assert_near(ratio.half_width + 1, 1);
}

static void a_round_that_added_nothing_leaves_no_figure(void **state)
{
	const double a[] = {110, 19};
	const double b[] = {60, 120};
	const double over[] = {10, 20};
	struct ratio ratio = ratio_of(a, b, over, 2);

	(void)state;
	assert_true(isnan(ratio.value));
	assert_int_equal(ratio.useless, 1);
}

static void no_rounds_leave_no_figure(void **state)
{
	struct ratio ratio = ratio_of(NULL, NULL, NULL, 0);

	(void)state;
	assert_true(isnan(ratio.value));
	assert_int_equal(ratio.useless, 0);
	assert_true(isnan(median(NULL, 0)));
}

static void quantiles_lie_between_their_neighbours(void **state)
{
	const double values[] = {4, 1, 3, 2};
	const double odd[] = {9, 5, 7};

	(void)state;
	assert_near(median(values, 4), 2.5);
	assert_near(median(odd, 3), 7);
	assert_near(quantile(values, 4, 0), 1);
	assert_near(quantile(values, 4, 1), 4);
	assert_near(quantile(values, 4, 0.25), 1.75);
}

static void slope_is_of_the_least_squares_line(void **state)
{
	const double x[] = {0, 1, 2};
	const double y[] = {5, 7, 12};
	const double flat[] = {1, 1, 1};

	(void)state;
	assert_near(slope(x, y, 3), 3.5);
	assert_true(isnan(slope(flat, y, 3)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ratio_is_the_geometric_mean_of_the_rounds),
		cmocka_unit_test(interval_of_two_rounds_takes_t_of_one_degree),
		cmocka_unit_test(interval_of_ten_rounds_takes_t_of_nine_degrees),
		cmocka_unit_test(one_round_has_a_value_and_no_interval),
		cmocka_unit_test(added_cost_is_taken_over_the_same_rounds_baseline),
		cmocka_unit_test(a_round_that_added_nothing_leaves_no_figure),
		cmocka_unit_test(no_rounds_leave_no_figure),
		cmocka_unit_test(quantiles_lie_between_their_neighbours),
		cmocka_unit_test(slope_is_of_the_least_squares_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
