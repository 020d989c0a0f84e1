/* SPDX-License-Identifier: BSD-2-Clause */
/* Causes that come and go without end, in a table that has room for few: one that comes late is told all the same. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#define ROOM "64"
#define PASSING 400
#define ROUNDS 3000

static void prepare(void *arg)
{
	(void)arg;
	setenv("LD_PRELOAD", support_program("small_map.so"), 1);
	setenv("SMALL_MAP", "causes", 1);
	setenv("SMALL_MAP_ROOM", ROOM, 1);
}

/* Of the class alone: what the causes have together. */
static int64_t time_of_causes(const json_t *row, const char *time_class)
{
	int64_t sum = 0;
	size_t i;
	json_t *cause;

	json_array_foreach (json_object_get(row, "causes"), i, cause)
		if (strcmp(json_string_value(json_object_get(cause, "class")), time_class) == 0)
			sum += support_integer(cause, "time_ns");
	return sum;
}

static void check_told(json_t *row, int64_t last)
{
	const json_t *first = json_array_get(json_object_get(row, "causes"), 0);
	const json_t *waker = json_object_get(first, "released_by");
	const json_t *tail = json_object_get(json_object_get(row, "tail"), "time_ns");
	int64_t unnamed = support_integer(json_object_get(row, "lost"), "waits_unnamed");
	int64_t waits = support_integer(first, "waits");

	print_message("  %lld waits of the last, %lld unnamed\n", (long long)waits,
		      (long long)unnamed);
	assert_int_equal(support_integer(row, "count"), PASSING + ROUNDS);
	assert_int_equal(support_integer(waker, "pid"), last);
	/* (of its first ones it is not known, until room is made) */
	assert_true(waits > ROUNDS / 4 && waits <= ROUNDS);
	assert_true(unnamed > PASSING / 2);
	assert_int_equal(time_of_causes(row, "ipc"), support_integer(tail, "ipc"));
}

static void who_comes_late_and_often_is_told(void **state)
{
	const struct support_how how = {.prepare = prepare};
	struct support_child child;
	const char *ends;
	char passing[16];
	char rounds[16];
	json_t *snapshot;

	(void)state;
	support_require_tracing();
	snprintf(passing, sizeof(passing), "%d", PASSING);
	snprintf(rounds, sizeof(rounds), "%d", ROUNDS);
	support_run(&child, &how, support_probekit(), "latency", "--slow-over", "100us", "--json",
		    "--", support_program("passers"), passing, rounds, NULL);
	assert_int_equal(child.status, 0);
	assert_non_null(strstr(child.err.text, "small map: causes\n"));
	ends = strstr(child.err.text, "small map: causes\n") + strlen("small map: causes\n");
	snapshot = support_json(child.out.text);
	check_told(support_row(snapshot, "passers:wait"), strtol(ends, NULL, 10));
	json_decref(snapshot);
	support_done(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_comes_late_and_often_is_told),
	};

	return cmocka_run_group_tests_name("faults: causes", tests, NULL, NULL);
}
