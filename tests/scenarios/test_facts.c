/* SPDX-License-Identifier: BSD-2-Clause */
/* The checker of facts: what holds is not missed, and what does not is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "facts.h"

static const char truth[] = "pid 7\nfile /tmp/a b\npid 8\n";
static json_t *row;

static int read_row(void **state)
{
	(void)state;
	row = json_loads(
		"{\"causes\": [{\"class\": \"lock\", \"share\": 0.75, \"blocked_in\": {\"fsync\": 0.3, \"runqueue\": 0.5}, \"file\": \"/tmp/a b\","
		" \"lock\": null, \"tid\": 8, \"is\": true, \"stack\":"
		" [{\"function\": \"inner\", \"line\": 3}, {\"function\": \"outer\"}]}]}",
		0, NULL);
	return row ? 0 : -1;
}

static int free_row(void **state)
{
	(void)state;
	json_decref(row);
	return 0;
}

static bool holds(const char *path, enum fact_kind kind, const char *expected)
{
	char missed[FACT_TEXT_MAX];

	return fact_holds(&(struct fact){path, kind, expected}, row, truth, missed);
}

static void a_fact_that_the_row_states_holds(void **state)
{
	(void)state;
	assert_true(holds("causes[0].class", FACT_IS, "lock"));
	assert_true(holds("causes[0].is", FACT_IS, "true"));
	assert_true(holds("causes[0].share", FACT_AT_LEAST, "0.75"));
	assert_true(holds("causes[0].blocked_in.fsync", FACT_OF_REST, "0.6"));
	assert_true(holds("causes[0].share", FACT_OF_REST, "0.75"));
	assert_true(holds("causes[0].stack[1].function", FACT_IS, "outer"));
	assert_true(holds("causes[0].stack[function:inner].line", FACT_IS, "3"));
	assert_true(holds("causes[0].stack[function:outer]", FACT_EXISTS, NULL));
	assert_true(holds("causes[0].file", FACT_IS, "$file"));
	assert_true(holds("causes[0].file", FACT_HAS, "a b"));
	assert_true(holds("causes[tid:$pid].class", FACT_IS, "lock"));
}

static void a_fact_that_the_row_does_not_state_is_missed(void **state)
{
	(void)state;
	assert_false(holds("causes[0].class", FACT_IS, "loc"));
	assert_false(holds("causes[0].class", FACT_HAS, "locks"));
	assert_false(holds("causes[0].class", FACT_AT_LEAST, "0"));
	assert_false(holds("causes[0].share", FACT_AT_LEAST, "0.8"));
	assert_false(holds("causes[0].blocked_in.fsync", FACT_OF_REST, "0.61"));
	assert_false(holds("causes[0].lock", FACT_EXISTS, NULL));
	assert_false(holds("causes[0].lock.symbol", FACT_EXISTS, NULL));
	assert_false(holds("causes[1].class", FACT_EXISTS, NULL));
	assert_false(holds("causes[0].stack[function:other]", FACT_EXISTS, NULL));
	assert_false(holds("causes[0].stack[function:outer].line", FACT_AT_LEAST, "0"));
	assert_false(holds("causes[0].tid", FACT_IS, "7"));
	assert_false(holds("open[tid:$left].age_ns", FACT_EXISTS, NULL));
	assert_false(holds("causes[0].class", FACT_IS, "$left"));
}

static void what_is_missed_is_told_with_what_was_found(void **state)
{
	char missed[FACT_TEXT_MAX];

	(void)state;
	assert_false(
		fact_holds(&(struct fact){"causes[0].class", FACT_IS, "disk"}, row, truth, missed));
	assert_string_equal(missed, "causes[0].class: expected disk, found lock");
	assert_false(fact_holds(&(struct fact){"causes[0].stack[function:main].line", FACT_AT_LEAST,
					       "1"},
				row, truth, missed));
	assert_string_equal(missed, "causes[0].stack[function:main].line: expected at least 1, "
				    "found inner <- outer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fact_that_the_row_states_holds),
		cmocka_unit_test(a_fact_that_the_row_does_not_state_is_missed),
		cmocka_unit_test(what_is_missed_is_told_with_what_was_found),
	};

	return cmocka_run_group_tests_name("facts", tests, read_row, free_row);
}
