/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each BPF map in turn has room for one entry (preload/small_map.c): counts stay exact, or what is not in them
 * is counted as lost; the target does what it does untraced. PROBEKIT_TEST_ALL=1 takes all maps, otherwise some.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STRIDE 6
#define NO_SUCH_MAP 99 /* small_map's exit status */
#define ROUNDS 200

static char number[16];

static void prepare(void *arg)
{
	setenv("LD_PRELOAD", support_program("small_map.so"), 1);
	setenv("SMALL_MAP", arg, 1);
}

/* But for samples, whose rate is bounded, and switches that were repaired. */
static int64_t lost_of(const json_t *object)
{
	const char *name;
	json_t *value;
	int64_t lost = 0;

	json_object_foreach (json_object_get(object, "lost"), name, value)
		if (strncmp(name, "samples_", 8) != 0 && strcmp(name, "sched_repaired") != 0)
			lost += json_integer_value(value);
	return lost;
}

static void check_row(json_t *snapshot, const char *name, int64_t count)
{
	json_t *row = support_row(snapshot, name);
	int64_t is = support_integer(row, "count");

	if (is > count || (is < count && !lost_of(row) && !lost_of(snapshot)))
		fail_msg("%s: %lld of %lld, and nothing is lost", name, (long long)is,
			 (long long)count);
}

/* Refused in one line, or all is told. */
static void check_told(const struct support_child *child)
{
	json_t *snapshot;

	if (child->status) {
		assert_true(child->status == 1 || child->status == 3);
		assert_non_null(strstr(child->err.text, "probekit: cannot "));
		return;
	}
	snapshot = support_json(child->out.text);
	check_row(snapshot, "steady:mix", 32 * ROUNDS);
	check_row(snapshot, "steady:low", 16 * ROUNDS);
	check_row(snapshot, "steady:round", 2 * ROUNDS);
	check_row(snapshot, "steady:total.wait", 16 * ROUNDS);
	check_row(snapshot, "steady:total.hold", 16 * ROUNDS);
	print_message("  %lld lost\n", (long long)lost_of(snapshot));
	json_decref(snapshot);
}

/* What the target wrote stands in what probekit did, as its standard output is the snapshot. */
static void check_output(const char *text)
{
	struct support_child untraced;

	support_run(&untraced, NULL, support_program("steady"), number, "0", NULL);
	assert_int_equal(untraced.status, 0);
	assert_non_null(strstr(text, untraced.out.text));
	support_done(&untraced);
}

/* False: there is no map of this number. */
static bool try_map(unsigned long index)
{
	char text[16];
	const struct support_how how = {.prepare = prepare, .arg = text};
	struct support_child child;
	int status;

	snprintf(text, sizeof(text), "%lu", index);
	status = support_run(&child, &how, support_probekit(), "locks", "--hold", "--force", "-s",
			     "*", "--children", "--json", "--", support_program("steady"), number,
			     "100", NULL);
	if (status != NO_SUCH_MAP) {
		print_message("  %.*s\n", (int)strcspn(child.err.text, "\n"), child.err.text);
		check_told(&child);
		if (status == 0)
			check_output(child.err.text);
	}
	support_done(&child);
	return status != NO_SUCH_MAP;
}

static void a_map_that_is_full_loses_nothing_silently(void **state)
{
	unsigned long stride = getenv("PROBEKIT_TEST_ALL") ? 1 : STRIDE;
	unsigned long index = (unsigned long)time(NULL) % stride;
	unsigned long tried = 0;

	(void)state;
	support_require_tracing();
	snprintf(number, sizeof(number), "%d", ROUNDS);
	for (; try_map(index); index += stride)
		tried++;
	print_message("%lu maps\n", tried);
	assert_true(tried > 2);
}

/* Who is in whom is told of one pair alone, but no span is lost. */
static void spans_in_no_pair_are_counted_for_what_they_are(void **state)
{
	char map[] = "relations";
	const struct support_how how = {.prepare = prepare, .arg = map};
	struct support_child child;
	json_t *snapshot;

	(void)state;
	support_require_tracing();
	snprintf(number, sizeof(number), "%d", ROUNDS);
	support_run(&child, &how, support_probekit(), "latency", "-s", "steady:*", "--json", "--",
		    support_program("steady"), number, "100", NULL);
	assert_int_equal(child.status, 0);
	snapshot = support_json(child.out.text);
	assert_int_equal(support_integer(support_row(snapshot, "steady:round"), "count"),
			 2 * ROUNDS);
	assert_int_equal(support_integer(support_row(snapshot, "steady:mix"), "count"),
			 32 * ROUNDS);
	assert_int_equal(support_integer(json_object_get(snapshot, "lost"), "map_full"), 0);
	assert_true(support_integer(json_object_get(snapshot, "lost"), "children_unnamed") > 0);
	json_decref(snapshot);
	support_done(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_in_no_pair_are_counted_for_what_they_are),
		cmocka_unit_test(a_map_that_is_full_loses_nothing_silently),
	};

	return cmocka_run_group_tests_name("faults: maps", tests, NULL, NULL);
}
