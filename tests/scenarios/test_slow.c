/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tail by a threshold: exactly the spans over it, as the program that made them counted, their
 * waits alone, and the slowest of them; and the measurement that ends once it has seen enough.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support.h"

#define COUNT "20"
#define RUNS 20 /* that a machine may disturb before one is as it was written */
#define SLOWEST 10
/* Of a date that was found when the record was read, on a machine that is busy. */
#define DATE_NS 100000000

struct measured {
	struct support_child child;
	json_t *snapshot;
};

static void read_last(struct measured *measured)
{
	char *text = measured->child.out.text;
	size_t size = measured->child.out.size_bytes;
	char *last;

	assert_true(size > 1);
	text[size - 1] = '\0';
	last = strrchr(text, '\n');
	measured->snapshot = support_json(last ? last + 1 : text);
}

static void measure(const char *threshold, const char *interval, const char *mode,
		    struct measured *measured)
{
	int status;

	support_require_tracing();
	status = support_run(&measured->child, NULL, support_probekit(), "latency", "--json",
			     "--slow-over", threshold, "-i", interval, "--",
			     support_program("slow"), mode, COUNT, NULL);
	if (status)
		fail_msg("status %d: %s", status, measured->child.err.text);
	read_last(measured);
}

static void measured_done(struct measured *measured)
{
	json_decref(measured->snapshot);
	support_done(&measured->child);
}

static const json_t *tail_of(json_t *snapshot, const char *name)
{
	return json_object_get(support_row(snapshot, name), "tail");
}

static int64_t truth(const struct measured *measured, const char *name)
{
	return (int64_t)support_number(measured->child.err.text, name);
}

/* ---- which spans ---- */

/* Where the machine held up no span that was to be fast, what is counted and why is known exactly. */
static void measure_undisturbed(const char *threshold, const char *mode, struct measured *measured)
{
	for (int i = 0; i < RUNS; i++) {
		int64_t count;

		measure(threshold, "10s", mode, measured);
		count = support_integer(tail_of(measured->snapshot, "slow:span"), "count");
		assert_in_range(count, truth(measured, "least"), truth(measured, "most"));
		if (truth(measured, "most") == strtol(COUNT, NULL, 10))
			return;
		print_message("  a fast span was held up, once more\n");
		measured_done(measured);
	}
	fail_msg("spans were held up in each of %d runs", RUNS);
}

static int64_t sum_of(const json_t *times)
{
	const char *name;
	json_t *value;
	int64_t sum = 0;

	json_object_foreach ((json_t *)times, name, value)
		sum += json_integer_value(value);
	return sum;
}

static const json_t *cause_of(const json_t *row, const char *time_class)
{
	json_t *cause;
	size_t i;

	json_array_foreach (json_object_get(row, "causes"), i, cause)
		if (strcmp(json_string_value(json_object_get(cause, "class")), time_class) == 0)
			return cause;
	return NULL;
}

/* Slow spans sleep, fast ones poll. */
static void check_causes(const json_t *row)
{
	const json_t *tail = json_object_get(row, "tail");
	const json_t *sleeping = cause_of(row, "sleep");
	json_t *cause;
	int64_t sum = 0;
	size_t i;

	json_array_foreach (json_object_get(row, "causes"), i, cause)
		sum += support_integer(cause, "time_ns");
	assert_int_equal(sum, sum_of(json_object_get(tail, "time_ns")));
	assert_int_equal(support_integer(json_object_get(tail, "time_ns"), "poll"), 0);
	assert_true(support_integer(json_object_get(row, "time_ns"), "poll") > 0);
	assert_null(cause_of(row, "poll"));
	assert_non_null(sleeping);
	assert_int_equal(support_integer(sleeping, "waits"), strtol(COUNT, NULL, 10));
	assert_int_equal(support_integer(sleeping, "spans"), strtol(COUNT, NULL, 10));
}

static void check_tail(const char *threshold, int64_t from_ns, const char *mode)
{
	struct measured measured;
	const json_t *row;
	const json_t *tail;

	measure_undisturbed(threshold, mode, &measured);
	row = support_row(measured.snapshot, "slow:span");
	tail = json_object_get(row, "tail");
	assert_int_equal(support_integer(tail, "count"), strtol(COUNT, NULL, 10));
	assert_true(json_is_null(json_object_get(tail, "exponent")));
	assert_int_equal(support_integer(tail, "from_ns"), from_ns);
	check_causes(row);
	measured_done(&measured);
}

static void the_tail_is_the_spans_over_the_threshold(void **state)
{
	(void)state;
	check_tail("2ms", 2000000, "among_fast");
}

static void a_threshold_parts_spans_of_one_band(void **state)
{
	(void)state;
	check_tail("6ms", 6000000, "in_one_band");
}

/* Each line but the last is an interval. */
static void the_tails_of_intervals_add_up_to_the_whole(void **state)
{
	struct measured measured;
	int64_t count = 0;
	int64_t sum = 0;
	size_t lines = 0;
	char *rest = NULL;

	(void)state;
	measure("2ms", "50ms", "among_fast", &measured);
	*strrchr(measured.child.out.text, '\n') = '\0';
	for (char *line = strtok_r(measured.child.out.text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		json_t *interval = support_json(line);
		const json_t *tail = tail_of(interval, "slow:span");

		lines++;
		count += json_integer_value(json_object_get(tail, "count"));
		sum += sum_of(json_object_get(tail, "time_ns"));
		json_decref(interval);
	}
	assert_true(lines > 1);
	assert_int_equal(count, support_integer(tail_of(measured.snapshot, "slow:span"), "count"));
	assert_int_equal(
		sum, sum_of(json_object_get(tail_of(measured.snapshot, "slow:span"), "time_ns")));
	assert_in_range(count, truth(&measured, "least"), truth(&measured, "most"));
	measured_done(&measured);
}

static void no_span_over_the_threshold_is_said(void **state)
{
	struct measured measured;
	const json_t *tail;

	(void)state;
	measure("100s", "10s", "among_fast", &measured);
	tail = tail_of(measured.snapshot, "slow:span");
	assert_int_equal(support_integer(tail, "count"), 0);
	assert_int_equal(json_array_size(json_object_get(
				 support_row(measured.snapshot, "slow:span"), "causes")),
			 0);
	assert_non_null(strstr(measured.child.err.text, "none took longer than 100 s"));
	measured_done(&measured);
}

/* ---- enough of them ---- */

static void a_command_is_ended_once_enough_was_slow(void **state)
{
	struct measured measured;
	int64_t count;
	int status;

	(void)state;
	support_require_tracing();
	status = support_run(&measured.child, NULL, support_probekit(), "latency", "--json",
			     "--slow-over", "2ms", "--until-slow", "5", "--",
			     support_program("slow"), "for_ever", "1", NULL);
	assert_int_equal(status, 0);
	measured.snapshot = support_json(measured.child.out.text);
	count = support_integer(tail_of(measured.snapshot, "slow:span"), "count");
	assert_true(count >= 5);
	assert_int_equal(support_integer(measured.snapshot, "child_status"), 128 + SIGTERM);
	measured_done(&measured);
}

static void a_process_runs_on_once_enough_was_slow(void **state)
{
	const char *const words[] = {support_program("slow"), "for_ever", "1", NULL};
	struct support_child program;
	struct measured measured;
	char pid[16];
	int status;

	(void)state;
	support_require_tracing();
	support_start(&program, NULL, words);
	assert_true(support_wait_text(&program, &program.out, "\n"));
	snprintf(pid, sizeof(pid), "%d", (int)program.pid);
	status = support_run(&measured.child, NULL, support_probekit(), "latency", "--json",
			     "--slow-over", "2ms", "--until-slow", "5", "-p", pid, NULL);
	assert_int_equal(status, 0);
	measured.snapshot = support_json(measured.child.out.text);
	assert_true(support_integer(tail_of(measured.snapshot, "slow:span"), "count") >= 5);
	assert_int_equal(kill(program.pid, 0), 0);
	assert_true(json_is_null(json_object_get(measured.snapshot, "child_status")));
	measured_done(&measured);
	support_done(&program);
}

/* ---- the slowest ---- */

static int64_t keyed_truth(const struct measured *measured, const char *what, int64_t key)
{
	char name[32];

	snprintf(name, sizeof(name), "%s-%lld", what, (long long)key);
	return truth(measured, name);
}

/* "2026-01-31T12:00:00.123456789Z", in ns since 1970. */
static int64_t date_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));
	struct tm date = {0};
	const char *rest;

	assert_non_null(text);
	rest = strptime(text, "%Y-%m-%dT%H:%M:%S.", &date);
	assert_non_null(rest);
	assert_string_equal(rest + 9, "Z");
	return (int64_t)timegm(&date) * 1000000000 + strtol(rest, NULL, 10);
}

static void check_slow_span(const struct measured *measured, const json_t *span)
{
	int64_t key = support_integer(span, "key");
	int64_t at = date_of(span, "at");
	int64_t ns = support_integer(span, "duration_ns");
	int64_t started = date_of(measured->snapshot, "started");

	assert_in_range(ns, keyed_truth(measured, "least", key),
			keyed_truth(measured, "most", key));
	assert_int_equal(support_integer(span, "tid"), keyed_truth(measured, "tid", key));
	assert_int_equal(sum_of(json_object_get(span, "time_ns")), ns);
	assert_in_range(at, keyed_truth(measured, "after", key) - DATE_NS,
			keyed_truth(measured, "before", key) + DATE_NS);
	assert_in_range(at, started,
			started + support_integer(measured->snapshot, "duration_ns") + DATE_NS);
}

static bool is_listed(const json_t *slowest, int64_t key)
{
	json_t *span;
	size_t i;

	json_array_foreach ((json_t *)slowest, i, span)
		if (support_integer(span, "key") == key)
			return true;
	return false;
}

/* Of 14 spans with keys 1 to 14. */
static void the_slowest_are_listed_with_who_and_when(void **state)
{
	struct measured measured;
	const json_t *slowest;
	int64_t last = INT64_MAX;
	json_t *span;
	size_t i;

	(void)state;
	measure("2ms", "10s", "durations", &measured);
	slowest = json_object_get(support_row(measured.snapshot, "slow:keyed"), "slowest");
	assert_int_equal(json_array_size(slowest), SLOWEST);
	json_array_foreach ((json_t *)slowest, i, span) {
		check_slow_span(&measured, span);
		assert_true(support_integer(span, "duration_ns") <= last);
		last = support_integer(span, "duration_ns");
	}
	for (int64_t key = 1; key <= 14; key++)
		assert_true(is_listed(slowest, key) ||
			    keyed_truth(&measured, "least", key) <= last);
	measured_done(&measured);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tail_is_the_spans_over_the_threshold),
		cmocka_unit_test(a_threshold_parts_spans_of_one_band),
		cmocka_unit_test(the_tails_of_intervals_add_up_to_the_whole),
		cmocka_unit_test(no_span_over_the_threshold_is_said),
		cmocka_unit_test(a_command_is_ended_once_enough_was_slow),
		cmocka_unit_test(a_process_runs_on_once_enough_was_slow),
		cmocka_unit_test(the_slowest_are_listed_with_who_and_when),
	};

	return cmocka_run_group_tests_name("tail", tests, NULL, NULL);
}
