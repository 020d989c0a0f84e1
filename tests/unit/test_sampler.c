/* SPDX-License-Identifier: BSD-2-Clause */
/* The distance of samples, for kernels with ticks of all lengths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sampler.h"

static void period_is_a_long_tick(void **state)
{
	(void)state;
	assert_int_equal(sampler_period_of(10000000, 1), 10000000);
	assert_int_equal(sampler_period_of(4000000, 1), 4000000);
	assert_int_equal(sampler_period_of(2000000, 1), 2000000);
}

static void short_ticks_are_taken_together(void **state)
{
	(void)state;
	assert_int_equal(sampler_period_of(1000000, 1), 2000000);
	/* 300 Hz and 1024 Hz */
	assert_int_equal(sampler_period_of(3333333, 1), 3333333);
	assert_int_equal(sampler_period_of(976562, 1), 3 * 976562);
}

static void without_high_resolution_timers_nothing_is_sampled(void **state)
{
	(void)state;
	assert_int_equal(sampler_period_of(4000000, 4000000), 0);
	assert_int_equal(sampler_period_of(4000000, 0), 0);
	assert_int_equal(sampler_period_of(0, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(period_is_a_long_tick),
		cmocka_unit_test(short_ticks_are_taken_together),
		cmocka_unit_test(without_high_resolution_timers_nothing_is_sampled),
	};

	return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
