/* SPDX-License-Identifier: BSD-2-Clause */
/* What an interval adds to the kernel's rows of futexes. */
#include "futex_history.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool is_out_of_memory;

/* In the place of the C library's. */
void *reallocarray(void *old, size_t count, size_t size)
{
	size_t bytes;

	if (is_out_of_memory || __builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, bytes);
}

static struct futex_key key_of(uint64_t address)
{
	return (struct futex_key){.address = address, .space = 42, .value = 2};
}

/* All numbers of it are of that size. */
static struct futex_row row_of(uint32_t size)
{
	struct futex_row row = {
		.ns = 1000ull * size,
		.queued_ns = 100ull * size,
		.max_ns = 10ull * size,
		.woken = 2ull * size,
		.again = 3ull * size,
		.threads = {5, 6},
		.wait_probe = 7,
		.slots = {[40] = size, [90] = 4 * size},
	};

	return row;
}

static void keep(struct futex_history *history, struct futex_key key, uint32_t size)
{
	const struct futex_row row = row_of(size);

	assert_int_equal(futex_history_add(history, &key, &row), 0);
}

/* What a row of that size has more than it had. */
static struct futex_row subtract(const struct futex_history *before, struct futex_key key,
				 uint32_t size)
{
	struct futex_row row = row_of(size);

	futex_history_subtract(before, &key, &row);
	return row;
}

/* `size` is that of what was added; the rest is of the whole time. */
static void check(const struct futex_row *row, uint32_t size, uint32_t whole)
{
	struct futex_row expected = row_of(size);

	expected.max_ns = 10ull * whole;
	assert_memory_equal(row, &expected, sizeof(expected));
}

static void a_row_that_was_not_there_is_all_new(void **state)
{
	struct futex_history none = {0};
	struct futex_history one = {0};
	struct futex_row row = subtract(&none, key_of(0x1000), 9);

	(void)state;
	futex_history_sort(&none);
	check(&row, 9, 9);
	keep(&one, key_of(0x1000), 5);
	futex_history_sort(&one);
	row = subtract(&one, key_of(0x1004), 9);
	check(&row, 9, 9);
	futex_history_done(&one);
	futex_history_done(&none);
}

static void what_was_added_to_a_row_is_its_growth(void **state)
{
	struct futex_history before = {0};
	struct futex_row row;

	(void)state;
	keep(&before, key_of(0x1000), 5);
	futex_history_sort(&before);
	row = subtract(&before, key_of(0x1000), 9);
	check(&row, 4, 9);
	row = subtract(&before, key_of(0x1000), 5);
	check(&row, 0, 5);
	futex_history_done(&before);
}

static void every_part_of_the_key_tells_rows_apart(void **state)
{
	static const struct futex_key keys[] = {
		{.address = 0x1000, .space = 42, .command = 0, .value = 2},
		{.address = 0x1000, .space = 43, .command = 0, .value = 2},
		{.address = 0x1000, .space = 42, .command = 9, .value = 2},
		{.address = 0x1000, .space = 42, .command = 0, .value = 1},
		{.address = 0x100000001000, .space = 42, .command = 0, .value = 2},
		{.address = 0, .space = 0},
	};
	struct futex_history before = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		keep(&before, keys[i], (uint32_t)i + 1);
	futex_history_sort(&before);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct futex_row row = subtract(&before, keys[i], 100);

		check(&row, 99 - (uint32_t)i, 100);
	}
	futex_history_done(&before);
}

static void many_rows_are_found_in_any_order(void **state)
{
	enum { ROWS = 4096 };
	struct futex_history before = {0};

	(void)state;
	for (uint32_t i = 0; i < ROWS; i++)
		keep(&before, key_of((uint64_t)i * 2654435761u), i);
	assert_int_equal(before.size, ROWS);
	futex_history_sort(&before);
	for (uint32_t i = 0; i < ROWS; i++) {
		struct futex_row row = subtract(&before, key_of((uint64_t)i * 2654435761u), i + 3);

		check(&row, 3, i + 3);
	}
	futex_history_done(&before);
}

/* Per-CPU parts are read one after the other, while they are written: a sum may be of a little earlier. */
static void a_row_that_shrank_adds_nothing(void **state)
{
	struct futex_history before = {0};
	struct futex_row row;

	(void)state;
	keep(&before, key_of(0x1000), 9);
	futex_history_sort(&before);
	row = subtract(&before, key_of(0x1000), 5);
	assert_int_equal(row.ns, 0);
	assert_int_equal(row.queued_ns, 0);
	assert_int_equal(row.woken, 0);
	assert_int_equal(row.again, 0);
	futex_history_done(&before);
}

/* A row is of the last interval that had it, and of none before. */
static void a_row_that_was_away_for_an_interval_is_new_again(void **state)
{
	struct futex_history first = {0};
	struct futex_history second = {0};
	struct futex_row row;

	(void)state;
	keep(&first, key_of(0x1000), 9);
	keep(&first, key_of(0x2000), 9);
	futex_history_sort(&first);
	keep(&second, key_of(0x2000), 10);
	futex_history_sort(&second);
	row = subtract(&second, key_of(0x1000), 2);
	check(&row, 2, 2);
	row = subtract(&second, key_of(0x2000), 12);
	check(&row, 2, 12);
	futex_history_done(&first);
	futex_history_done(&second);
}

/* Its slot is the higher one now; together they are no wait more. */
static void a_wait_that_went_on_is_less_than_none_in_the_slot_it_left(void **state)
{
	struct futex_history before = {0};
	struct futex_key key = key_of(0x1000);
	struct futex_row row = {.slots = {[40] = 1}};
	int64_t sum = 0;

	(void)state;
	assert_int_equal(futex_history_add(&before, &key, &row), 0);
	futex_history_sort(&before);
	row = (struct futex_row){.slots = {[60] = 1}};
	futex_history_subtract(&before, &key, &row);
	assert_int_equal((int32_t)row.slots[40], -1);
	assert_int_equal((int32_t)row.slots[60], 1);
	for (size_t i = 0; i < BUCKET_SLOTS(FUTEX_SCALE); i++)
		sum += (int32_t)row.slots[i];
	assert_int_equal(sum, 0);
	futex_history_done(&before);
}

static void a_counter_that_wrapped_has_grown(void **state)
{
	struct futex_history before = {0};
	struct futex_key key = key_of(0x1000);
	struct futex_row row = {.slots = {[40] = UINT32_MAX - 1, [41] = UINT32_MAX}};

	(void)state;
	assert_int_equal(futex_history_add(&before, &key, &row), 0);
	futex_history_sort(&before);
	row = (struct futex_row){.slots = {[40] = 3, [41] = 0}};
	futex_history_subtract(&before, &key, &row);
	assert_int_equal(row.slots[40], 5);
	assert_int_equal(row.slots[41], 1);
	futex_history_done(&before);
}

static void without_memory_what_is_there_stays(void **state)
{
	struct futex_history history = {0};
	struct futex_key key = key_of(0x3000);
	struct futex_row row = row_of(1);

	(void)state;
	is_out_of_memory = true;
	assert_int_equal(futex_history_add(&history, &key, &row), -ENOMEM);
	assert_int_equal(history.size, 0);
	is_out_of_memory = false;
	keep(&history, key_of(0x1000), 5);
	keep(&history, key_of(0x2000), 5);
	is_out_of_memory = true;
	assert_int_equal(futex_history_add(&history, &key, &row), -ENOMEM);
	is_out_of_memory = false;
	assert_int_equal(history.size, 2);
	futex_history_sort(&history);
	row = subtract(&history, key_of(0x2000), 9);
	check(&row, 4, 9);
	futex_history_done(&history);
	assert_null(history.items);
	assert_int_equal(history.size, 0);
	futex_history_done(&history);
}

static const struct futex_key others;

static void rows_of_one_futex_add_up(void **state)
{
	struct futex_row row = row_of(2);
	struct futex_row added = row_of(3);

	(void)state;
	added.threads[0] = 8;
	row.wait_probe = 0;
	futex_row_add(&row, &added);
	assert_int_equal(row.threads[0], 13);
	row.threads[0] = 5;
	check(&row, 5, 3);
}

/* The kernel's new row of it has less than none in the slot that the wait has left. */
static void a_wait_that_goes_on_in_a_new_row_is_in_its_last_slot_alone(void **state)
{
	struct futex_row row = {.slots = {[40] = 1}};
	const struct futex_row added = {.slots = {[40] = UINT32_MAX, [60] = 1}};

	(void)state;
	futex_row_add(&row, &added);
	assert_int_equal(row.slots[40], 0);
	assert_int_equal(row.slots[60], 1);
}

static void what_was_waited_for_least_is_part_of_all_others(void **state)
{
	struct futex_history history = {0};
	struct futex_history before = {0};
	struct futex_row row;

	(void)state;
	for (uint32_t i = 1; i <= 5; i++) {
		keep(&history, key_of(0x1000 * i), i);
		keep(&before, key_of(0x1000 * i), i);
	}
	futex_history_sort(&history);
	futex_history_sort(&before);
	assert_int_equal(futex_history_fold(&history, 5, &before), 0);
	assert_int_equal(history.size, 5);
	assert_int_equal(futex_history_fold(&history, 2, &before), 0);
	assert_int_equal(history.size, 3);
	assert_non_null(futex_history_find(&history, &others));
	row = futex_history_find(&history, &others)->row;
	assert_int_equal(row.wait_probe, 0); /* which would name it */
	row.wait_probe = 7;
	check(&row, 1 + 2 + 3, 3);
	for (uint32_t i = 4; i <= 5; i++) {
		struct futex_key key = key_of(0x1000 * i);

		row = futex_history_find(&history, &key)->row;
		check(&row, i, i);
	}
	futex_history_done(&history);
	futex_history_done(&before);
}

/* Else the interval in which rows are folded would have all their waits. */
static void folded_rows_add_nothing_to_an_interval(void **state)
{
	struct futex_history history = {0};
	struct futex_history before = {0};
	struct futex_row row;

	(void)state;
	for (uint32_t i = 1; i <= 5; i++)
		keep(&history, key_of(0x1000 * i), i + 10);
	for (uint32_t i = 2; i <= 4; i++)
		keep(&before, key_of(0x1000 * i), i);
	futex_history_sort(&history);
	futex_history_sort(&before);
	assert_int_equal(futex_history_fold(&history, 2, &before), 0);
	row = futex_history_find(&history, &others)->row;
	futex_history_subtract(&before, &others, &row);
	assert_int_equal(row.slots[40], 11 + (12 - 2) + (13 - 3));
	assert_int_equal(row.ns, 1000 * (11 + (12 - 2) + (13 - 3)));
	row = subtract(&before, key_of(0x4000), 14);
	check(&row, 10, 14);
	row = subtract(&before, key_of(0x3000), 2); /* there again */
	check(&row, 2, 2);
	futex_history_done(&history);
	futex_history_done(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_that_was_not_there_is_all_new),
		cmocka_unit_test(what_was_added_to_a_row_is_its_growth),
		cmocka_unit_test(every_part_of_the_key_tells_rows_apart),
		cmocka_unit_test(many_rows_are_found_in_any_order),
		cmocka_unit_test(a_row_that_shrank_adds_nothing),
		cmocka_unit_test(a_row_that_was_away_for_an_interval_is_new_again),
		cmocka_unit_test(a_wait_that_went_on_is_less_than_none_in_the_slot_it_left),
		cmocka_unit_test(a_counter_that_wrapped_has_grown),
		cmocka_unit_test(without_memory_what_is_there_stays),
		cmocka_unit_test(rows_of_one_futex_add_up),
		cmocka_unit_test(a_wait_that_goes_on_in_a_new_row_is_in_its_last_slot_alone),
		cmocka_unit_test(what_was_waited_for_least_is_part_of_all_others),
		cmocka_unit_test(folded_rows_add_nothing_to_an_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
