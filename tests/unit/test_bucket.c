/* SPDX-License-Identifier: BSD-2-Clause */
/* The integer bucket arithmetic of the kernel side, against definitions in wide floating point. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../bpf/bucket.h"

#define ROUNDS 200000

static uint64_t random_state = 1;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static unsigned int clamp_slot(long index, unsigned int scale)
{
	long slot = index - BUCKET_SLOT_BASE;

	return slot < (long)BUCKET_SLOTS(scale) ? (unsigned int)slot : BUCKET_SLOTS(scale) - 1;
}

/* ceil(log2(x) * 2^scale) - 1; `x` is no power of two, or exactly one. */
static long index_by_definition(long double x, unsigned int scale)
{
	return (long)ceill(ldexpl(log2l(x), (int)scale)) - 1;
}

/* Where even 64 bits of mantissa leave it open on which side of a bound a value lies. */
static int is_too_close(long double x, unsigned int scale)
{
	long double position = ldexpl(log2l(x), (int)scale);

	return fabsl(position - roundl(position)) < 1e-13L;
}

static void bounds_of_an_octave_are_exact_powers(void **state)
{
	(void)state;
	for (unsigned int i = 1; i < 64; i++) {
		long double exact = exp2l(63 + i / 64.0L);

		assert_true(fabsl((long double)bucket_bounds[i - 1] - exact) <= 2);
	}
	assert_true(bucket_bounds[63] == UINT64_MAX);
	assert_true(bucket_bounds[31] == 0xb504f333f9de6484ull); /* sqrt(2) */
}

static void guesses_count_the_bounds_below(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 128; i++) {
		uint64_t start = 1ull << 63 | (uint64_t)i << 56;
		unsigned int below = 0;

		while (bucket_bounds[below] < start)
			below++;
		assert_int_equal(bucket_guess[i], below);
		assert_true(below == 63 || bucket_bounds[below + 1] >= start + (1ull << 56) - 1);
	}
}

static void log2_is_the_position_of_the_top_bit(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++) {
		assert_int_equal(bucket_log2(1ull << bit), bit);
		assert_int_equal(bucket_log2((1ull << bit) | ((1ull << bit) - 1)), bit);
	}
}

static void a_power_of_two_is_the_upper_end_of_its_bucket(void **state)
{
	(void)state;
	for (unsigned int scale = 0; scale <= BUCKET_SCALE; scale++) {
		for (unsigned int bit = 0; bit < 64; bit++) {
			long index = ((long)bit << scale) - 1;

			assert_int_equal(bucket_slot_of_value(1ull << bit, scale),
					 clamp_slot(index, scale));
			if (bit < 63)
				assert_int_equal(
					bucket_slot_of_value((1ull << bit) + 1, scale),
					clamp_slot(index_by_definition((1ull << bit) + 1.0L, scale),
						   scale));
		}
	}
}

static void small_values_lie_in_their_defined_bucket(void **state)
{
	(void)state;
	for (unsigned int scale = 0; scale <= BUCKET_SCALE; scale++)
		for (uint64_t v = 1; v < 70000; v++)
			assert_int_equal(bucket_slot_of_value(v, scale),
					 clamp_slot(index_by_definition((long double)v, scale),
						    scale));
}

static void random_values_lie_in_their_defined_bucket(void **state)
{
	(void)state;
	for (unsigned int scale = 0; scale <= BUCKET_SCALE; scale++) {
		for (int i = 0; i < ROUNDS; i++) {
			uint64_t v = (next_random() >> (next_random() % 63)) | 2;

			if (!is_too_close((long double)v, scale))
				assert_int_equal(
					bucket_slot_of_value(v, scale),
					clamp_slot(index_by_definition((long double)v, scale),
						   scale));
		}
	}
}

static long double seconds_position(uint64_t ns)
{
	return (long double)ns / 1e9L * 0x1p30L;
}

static void durations_lie_in_their_defined_bucket(void **state)
{
	(void)state;
	for (unsigned int scale = 0; scale <= BUCKET_SCALE; scale++) {
		for (int i = 0; i < ROUNDS; i++) {
			/* exact under 2^32 ns, and whatever has 32 significant bits */
			uint64_t ns = ((next_random() & UINT32_MAX) | 1) >> (next_random() % 32);

			ns = (ns ? ns : 1) << (next_random() % 16);
			if (!is_too_close(seconds_position(ns), scale))
				assert_int_equal(
					bucket_slot_of_ns(ns, scale),
					clamp_slot(index_by_definition(seconds_position(ns), scale),
						   scale));
		}
	}
}

static void long_durations_miss_by_less_than_a_billionth(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t ns = next_random() >> (next_random() % 31) >> 1 | 1ull << 32;
		long found = (long)bucket_slot_of_ns(ns, BUCKET_SCALE);
		long low = clamp_slot(index_by_definition(seconds_position(ns) * (1 - 1e-9L),
							  BUCKET_SCALE),
				      BUCKET_SCALE);
		long high = clamp_slot(index_by_definition(seconds_position(ns) * (1 + 1e-9L),
							   BUCKET_SCALE),
				       BUCKET_SCALE);

		assert_in_range(found, low, high);
	}
}

static void durations_of_a_power_of_two_seconds_are_upper_ends(void **state)
{
	(void)state;
	/* 2^-9 s = 5^9 ns is the shortest that is a whole number of ns. */
	for (unsigned int scale = 0; scale <= BUCKET_SCALE; scale++) {
		for (int exponent = -9; exponent <= 17; exponent++) {
			uint64_t ns = 1953125ull << (exponent + 9);
			long index = ((long)(exponent + BUCKET_SECONDS_EXPONENT) << scale) - 1;

			assert_int_equal(bucket_slot_of_ns(ns, scale), clamp_slot(index, scale));
			if (ns < UINT32_MAX)
				assert_int_equal(bucket_slot_of_ns(ns + 1, scale),
						 clamp_slot(index + 1, scale));
		}
	}
}

static void a_lower_scale_merges_neighbours(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		/* short of the last octave, part of which falls into the last slot */
		uint64_t v = next_random() >> (18 + next_random() % 45) | 1;
		int fine = (int)bucket_slot_of_ns(v, BUCKET_SCALE) + BUCKET_SLOT_BASE;

		for (unsigned int scale = 0; scale < BUCKET_SCALE; scale++)
			assert_int_equal((int)bucket_slot_of_ns(v, scale) + BUCKET_SLOT_BASE,
					 fine >> (BUCKET_SCALE - scale));
	}
}

static void what_lies_beyond_the_row_falls_into_the_last_slot(void **state)
{
	(void)state;
	for (unsigned int scale = 0; scale <= BUCKET_SCALE; scale++) {
		assert_int_equal(bucket_slot_of_value(UINT64_MAX, scale), BUCKET_SLOTS(scale) - 1);
		assert_int_equal(bucket_slot_of_ns(UINT64_MAX, scale), BUCKET_SLOTS(scale) - 1);
		assert_int_equal(bucket_slot_of_value(1, scale), 0);
		assert_int_equal(bucket_slot_of_ns(1, scale),
				 clamp_slot(index_by_definition(seconds_position(1), scale),
					    scale));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_of_an_octave_are_exact_powers),
		cmocka_unit_test(guesses_count_the_bounds_below),
		cmocka_unit_test(log2_is_the_position_of_the_top_bit),
		cmocka_unit_test(a_power_of_two_is_the_upper_end_of_its_bucket),
		cmocka_unit_test(small_values_lie_in_their_defined_bucket),
		cmocka_unit_test(random_values_lie_in_their_defined_bucket),
		cmocka_unit_test(durations_lie_in_their_defined_bucket),
		cmocka_unit_test(long_durations_miss_by_less_than_a_billionth),
		cmocka_unit_test(durations_of_a_power_of_two_seconds_are_upper_ends),
		cmocka_unit_test(a_lower_scale_merges_neighbours),
		cmocka_unit_test(what_lies_beyond_the_row_falls_into_the_last_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
