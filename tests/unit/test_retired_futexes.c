/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of futexes that have left the kernel's table. */
#include "retired_futexes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct futex_key others;

static struct futex_key key_of(uint64_t address)
{
	return (struct futex_key){.address = address, .space = 42, .value = 2};
}

static void take(struct futex_history *taken, struct futex_key key, uint32_t waits)
{
	const struct futex_row row = {.ns = 1000ull * waits, .slots = {[40] = waits}};

	assert_int_equal(futex_history_add(taken, &key, &row), 0);
}

/* As many are there as were taken, in the row or in that of all others. */
static uint64_t waits_of(const struct retired_futexes *retired, const struct futex_key *key)
{
	const struct counted_futex *item = futex_history_find(&retired->rows, key);

	if (!item)
		return 0;
	assert_int_equal(item->row.ns, 1000ull * item->row.slots[40]);
	return item->row.slots[40];
}

static void add(struct retired_futexes *retired, struct futex_history *taken)
{
	struct futex_history before = {0};

	assert_int_equal(retired_futexes_add(retired, taken, &before), 0);
	futex_history_done(taken);
}

static void what_was_taken_before_is_added_to(void **state)
{
	const struct futex_key keys[] = {key_of(0x3000), key_of(0x1000), key_of(0x2000)};
	struct retired_futexes retired = {0};
	struct futex_history taken = {0};

	(void)state;
	add(&retired, &taken);
	take(&taken, keys[0], 3);
	take(&taken, keys[1], 1);
	add(&retired, &taken);
	take(&taken, keys[2], 2);
	take(&taken, keys[0], 30);
	take(&taken, keys[1], 10);
	add(&retired, &taken);
	assert_int_equal(retired.rows.size, 3);
	assert_int_equal(waits_of(&retired, &keys[0]), 33);
	assert_int_equal(waits_of(&retired, &keys[1]), 11);
	assert_int_equal(waits_of(&retired, &keys[2]), 2);
	retired_futexes_done(&retired);
}

/* Some of them come again and again. */
static void no_wait_is_lost_and_there_is_a_bound(void **state)
{
	enum { TIMES = 5, ROWS = 3000 };
	const struct futex_key hot = key_of(8);
	struct retired_futexes retired = {0};
	uint64_t whole = 0;
	uint64_t found = 0;

	(void)state;
	for (uint32_t i = 0; i < TIMES; i++) {
		struct futex_history taken = {0};

		for (uint32_t k = 0; k < ROWS; k++) {
			bool is_hot = k == ROWS / 2;

			take(&taken, is_hot ? hot : key_of(0x1000 + 16 * (i * ROWS / 2 + k)),
			     is_hot ? 1000 : 1 + k % 7);
			whole += is_hot ? 1000 : 1 + k % 7;
		}
		add(&retired, &taken);
		assert_true(retired.rows.size <= MAX_RETIRED + 1);
	}
	for (size_t i = 0; i < retired.rows.size; i++)
		found += waits_of(&retired, &retired.rows.items[i].key);
	assert_int_equal(found, whole);
	assert_int_equal(waits_of(&retired, &hot), TIMES * 1000);
	assert_true(waits_of(&retired, &others) > 0);
	retired_futexes_done(&retired);
}

static void a_row_is_idle_where_it_is_as_far_as_it_was(void **state)
{
	struct futex_marks marks = {0};
	struct futex_mark mark = {.key = key_of(0x1000 * 40), .ns = 40};

	(void)state;
	assert_false(futex_marks_has(&marks, &mark));
	for (uint64_t i = 100; i > 0; i--)
		assert_int_equal(futex_marks_add(&marks,
						 &(struct futex_key){.address = 0x1000 * i,
								     .space = 42,
								     .value = 2},
						 i),
				 0);
	futex_marks_sort(&marks);
	assert_true(futex_marks_has(&marks, &mark));
	mark.ns++;
	assert_false(futex_marks_has(&marks, &mark));
	mark.ns--;
	mark.key.value = 3;
	assert_false(futex_marks_has(&marks, &mark));
	futex_marks_done(&marks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_taken_before_is_added_to),
		cmocka_unit_test(no_wait_is_lost_and_there_is_a_bound),
		cmocka_unit_test(a_row_is_idle_where_it_is_as_far_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
