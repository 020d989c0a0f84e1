/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the tests of which functions cost too much. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard.h"

#define WINDOW_NS 10000000 /* in which 1,000 calls of 1,000 ns take a tenth of a CPU */

static void takes_nothing_below_the_limit(void **state)
{
	struct guard_load loads[] = {{.calls = 400, .call_ns = 1000},
				     {.calls = 90, .call_ns = 1000}};

	(void)state;
	assert_true(fabs(guard_share(loads, 2, WINDOW_NS) - 0.049) < 1e-9);
	assert_int_equal(guard_choose(loads, 2, WINDOW_NS, 0.05), 0);
	assert_false(loads[0].is_dropped || loads[1].is_dropped);
}

static void drops_the_hottest_and_no_more_than_needed(void **state)
{
	struct guard_load loads[] = {
		{.calls = 300, .call_ns = 1000},
		{.calls = 1000, .call_ns = 5000}, /* a half of a CPU */
		{.calls = 2000, .call_ns = 1000}, /* more calls, and a fifth */
		{.calls = 100, .call_ns = 1000},
	};

	(void)state;
	assert_int_equal(guard_choose(loads, 4, WINDOW_NS, 0.3), 1);
	assert_true(loads[1].is_dropped);
	assert_int_equal(guard_choose(loads, 4, WINDOW_NS, 0.05), 1);
	assert_true(loads[2].is_dropped);
	assert_false(loads[0].is_dropped || loads[3].is_dropped);
	assert_true(fabs(guard_share(loads, 4, WINDOW_NS) - 0.04) < 1e-9);
}

static void leaves_what_was_dropped_before_out(void **state)
{
	struct guard_load loads[] = {{.calls = 9000, .call_ns = 1000, .is_dropped = true},
				     {.calls = 400, .call_ns = 1000}};

	(void)state;
	assert_int_equal(guard_choose(loads, 2, WINDOW_NS, 0.05), 0);
}

static void a_few_calls_drop_nothing(void **state)
{
	struct guard_load loads[] = {{.calls = GUARD_CALLS_MIN - 1, .call_ns = 1000000}};

	(void)state;
	assert_int_equal(guard_choose(loads, 1, WINDOW_NS, 0.05), 0);
	loads[0].calls = GUARD_CALLS_MIN;
	assert_int_equal(guard_choose(loads, 1, WINDOW_NS, 0.05), 1);
}

static void an_empty_window_tells_nothing(void **state)
{
	struct guard_load loads[] = {{.calls = 1000, .call_ns = 1000}};

	(void)state;
	assert_int_equal(guard_choose(loads, 1, 0, 0.05), 0);
	assert_int_equal(guard_choose(loads, 0, WINDOW_NS, 0.05), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_nothing_below_the_limit),
		cmocka_unit_test(drops_the_hottest_and_no_more_than_needed),
		cmocka_unit_test(leaves_what_was_dropped_before_out),
		cmocka_unit_test(a_few_calls_drop_nothing),
		cmocka_unit_test(an_empty_window_tells_nothing),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
