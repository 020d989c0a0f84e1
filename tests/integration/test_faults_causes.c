/* SPDX-License-Identifier: BSD-2-Clause */
/* Causes that come and go without end, in a table that has room for few: one that comes late is told all the same. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#define ROOM "64"
#define PASSING 400
#define ROUNDS 3000

static void prepare(void *room)
{
	setenv("LD_PRELOAD", support_program("small_map.so"), 1);
	setenv("SMALL_MAP", "causes", 1);
	setenv("SMALL_MAP_ROOM", room, 1);
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
	const struct support_how how = {.prepare = prepare, .arg = ROOM};
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

/* ---- many things of one name ---- */

#define FILES "2000"
#define ROOM_OF_FILES "4096"

struct disk_time {
	int64_t whole;
	int64_t named; /* for the journal */
};

static struct disk_time disk_time_of(json_t *snapshot)
{
	json_t *row = support_row(snapshot, "journals:commit");
	struct disk_time time = {0};
	size_t i;
	json_t *cause;

	json_array_foreach (json_object_get(row, "causes"), i, cause) {
		const char *file = json_string_value(json_object_get(cause, "file"));

		if (strcmp(json_string_value(json_object_get(cause, "class")), "disk") != 0)
			continue;
		if (file && strstr(file, "the-journal"))
			time.named += support_integer(cause, "time_ns");
	}
	time.whole =
		support_integer(json_object_get(json_object_get(row, "tail"), "time_ns"), "disk");
	return time;
}

/* Each of them is light; and of an interval it is not told what intervals before had. */
static void a_file_made_anew_for_each_span_is_told_whole(void **state)
{
	const struct support_how how = {.prepare = prepare, .arg = ROOM_OF_FILES};
	struct support_child child;
	struct disk_time sum = {0};
	struct disk_time time = {0};
	char *next;

	(void)state;
	support_require_tracing();
	support_run(&child, &how, support_probekit(), "latency", "--slow-over", "1ns", "--json",
		    "-i", "1", "--", support_program("journals"), FILES, NULL);
	assert_int_equal(child.status, 0);
	for (char *line = child.out.text; *line; line = next) {
		json_t *snapshot;

		sum.named += time.named;
		sum.whole += time.whole;
		next = strchr(line, '\n');
		assert_non_null(next);
		*next++ = '\0';
		snapshot = support_json(line);
		time = disk_time_of(snapshot);
		print_message("  %lld of %lld us\n", (long long)time.named / 1000,
			      (long long)time.whole / 1000);
		json_decref(snapshot);
	}
	support_done(&child);
	if (!time.whole) {
		print_message("skipped: needs storage: a file system on a disk\n");
		skip();
	}
	/* the last is of all; waits between two looks may find no room */
	assert_true(time.named <= time.whole && time.named > time.whole / 10 * 9);
	assert_true(sum.whole <= time.whole);
	assert_true(sum.named <= time.named && sum.named > time.named / 10 * 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_comes_late_and_often_is_told),
		cmocka_unit_test(a_file_made_anew_for_each_span_is_told_whole),
	};

	return cmocka_run_group_tests_name("faults: causes", tests, NULL, NULL);
}
