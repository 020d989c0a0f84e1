/* SPDX-License-Identifier: BSD-2-Clause */
/* The benchmark's arithmetic against values worked out by hand, or by another way. */
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
	struct ratio ratio = ratio_of(a, b, 2);

	(void)state;
	assert_near(ratio.value, 4);
}

static void interval_of_two_rounds_takes_t_of_one_degree(void **state)
{
	const double a[] = {1, M_E};
	const double b[] = {1, 1};
	struct ratio ratio = ratio_of(a, b, 2);

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
	ratio = ratio_of(a, b, 10);
	assert_near(ratio.value, 1);
	/* standard deviation 0.1 * sqrt(10 / 9), over sqrt(10); t 2.2622 */
	assert_near(ratio.half_width, expm1(2.2622 * 0.1 / 3));
}

static void one_round_has_a_value_and_no_interval(void **state)
{
	const double a[] = {3};
	const double b[] = {2};
	struct ratio ratio = ratio_of(a, b, 1);

	(void)state;
	assert_near(ratio.value, 1.5);
	assert_true(isinf(ratio.half_width));
}

static void a_value_that_is_not_above_0_leaves_no_figure(void **state)
{
	const double a[] = {1, 0};
	const double b[] = {1, 1};

	(void)state;
	assert_true(isnan(ratio_of(a, b, 2).value));
	assert_true(isnan(ratio_of(b, a, 2).value));
}

/* The bounds are the r at which a t test of (a - over) - r (b - over) against 0 gives 0.05, found by bisection. */
static void added_cost_has_fiellers_interval(void **state)
{
	const double a[] = {14, 10, 15, 11, 16};
	const double b[] = {24, 22, 27, 18, 29};
	const double over[] = {4, 1, 2, 3, 5};
	struct ratio ratio = ratio_of_added(a, b, over, 5);

	(void)state;
	assert_near(ratio.value, 0.48571);
	assert_near(ratio.low, 0.43415);
	assert_near(ratio.high, 0.54303);
	assert_near(ratio.half_width, 0.11801);
}

/* Bounds as above. */
static void a_round_that_added_nothing_is_a_round_as_others(void **state)
{
	const double a[] = {2900, 2600, 3100, 2700, 3000, 2800};
	const double b[] = {6600, 6300, 7000, 6500, 6900, 6400};
	const double over[] = {2300, 2700, 2400, 2250, 2350, 2450};
	struct ratio ratio = ratio_of_added(a, b, over, 6);

	(void)state;
	assert_near(ratio.value, 0.10495);
	assert_near(ratio.low, 0.03435);
	assert_near(ratio.high, 0.16388);
	assert_near(ratio.half_width, 0.67273); /* of the lower side, the wider one */
}

static void what_both_sides_share_does_not_widen_the_interval(void **state)
{
	const double a[] = {110, 140, 100};
	const double b[] = {60, 80, 60};
	const double over[] = {10, 20, 20};
	struct ratio ratio = ratio_of_added(a, b, over, 3);

	(void)state;
	assert_near(ratio.value, 2);
	assert_near(ratio.low, 2);
	assert_near(ratio.high, 2);
}

static void what_may_add_nothing_divides_nothing(void **state)
{
	/* means of 3 and 2 with an error of 1 / sqrt(3); t of two degrees is 4.3027 */
	const double enough[] = {12, 13, 14};
	const double too_little[] = {11, 12, 13};
	const double less[] = {8, 7, 6};
	const double a[] = {20, 20, 20};
	const double over[] = {10, 10, 10};

	(void)state;
	assert_near(ratio_of_added(a, enough, over, 3).value, 10. / 3);
	assert_true(isnan(ratio_of_added(a, too_little, over, 3).value));
	assert_true(isnan(ratio_of_added(a, less, over, 3).value));
	assert_true(isnan(ratio_of_added(a, enough, over, 1).value));
}

static void no_rounds_leave_no_figure(void **state)
{
	(void)state;
	assert_true(isnan(ratio_of(NULL, NULL, 0).value));
	assert_true(isnan(ratio_of_added(NULL, NULL, NULL, 0).value));
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
		cmocka_unit_test(a_value_that_is_not_above_0_leaves_no_figure),
		cmocka_unit_test(added_cost_has_fiellers_interval),
		cmocka_unit_test(a_round_that_added_nothing_is_a_round_as_others),
		cmocka_unit_test(what_both_sides_share_does_not_widen_the_interval),
		cmocka_unit_test(what_may_add_nothing_divides_nothing),
		cmocka_unit_test(no_rounds_leave_no_figure),
		cmocka_unit_test(quantiles_lie_between_their_neighbours),
		cmocka_unit_test(slope_is_of_the_least_squares_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
