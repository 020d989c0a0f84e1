/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spans of a process that is stopped and continued meanwhile. What a span took without its stops lies between what its thread's CPU clock and run delay show just
 * inside and just outside of it.
 */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS 4
#define ROUNDS 30
#define STOPS 3	    /* a round, as the program makes them */
#define SIDE_US 100 /* of a stop, what one account takes for running and the other for waiting */

struct bracket {
	int64_t low;
	int64_t high;
};

static struct bracket bracket_of(const struct run *run, const char *what)
{
	char inner[32];
	char outer[32];

	snprintf(inner, sizeof(inner), "inner-%s", what);
	snprintf(outer, sizeof(outer), "outer-%s", what);
	return (struct bracket){run_truth(run, inner), run_truth(run, outer)};
}

/* On a CPU, or runnable without one. */
static struct bracket busy_of(const struct run *run)
{
	struct bracket cpu = bracket_of(run, "cpu");
	struct bracket delay = bracket_of(run, "delay");

	return (struct bracket){cpu.low + delay.low, cpu.high + delay.high};
}

/* Of so many stops. An emulated CPU stands still between any two instructions. */
static int64_t allowed_ns(const struct run *run, uint64_t stops)
{
	int64_t side = SIDE_US * 1000 * (test_scale() > 1 ? 40 : 1);

	return side * (int64_t)stops + run_truth(run, "stolen");
}

static void check_between(const char *row, const char *what, int64_t is, struct bracket truth,
			  int64_t allowed)
{
	if (is < truth.low - allowed || is > truth.high + allowed)
		fail_msg("%s: %s %lld ns, not %lld to %lld, and %lld beyond at most", row, what,
			 (long long)is, (long long)truth.low, (long long)truth.high,
			 (long long)allowed);
}

static int64_t sum_of(const uint64_t times[static PROBEKIT_CLASS_COUNT])
{
	uint64_t sum = 0;

	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		sum += times[i];
	return (int64_t)sum;
}

static bool is_repaired(const struct probekit_snapshot *snapshot)
{
	for (size_t i = 0; i < probekit_snapshot_size(snapshot); i++)
		if (probekit_snapshot_probe(snapshot, i)->lost.sched_repaired)
			return true;
	return false;
}

/* Where the kernel does not report a switch, which some do a few times a minute, a stop may not be known to
 * be one: that run is made again. */
static void run_stops(const char *mode, bool is_excluded, struct run *run)
{
	const char *const command[] = {program_path("stops"), mode, scaled_text(ROUNDS, 3), NULL};
	const char *const functions[] = {"stopped_call", NULL};
	const char *const globs[] = {"stops:*", NULL};
	const struct measure what = {
		.command = command,
		.globs = globs,
		.functions = functions,
		.options.exclude_stopped = is_excluded,
	};

	for (int i = 0; i < RUNS; i++) {
		measure_run(&what, run);
		assert_int_equal(run->status, 0);
		if (!is_repaired(run->snapshot))
			return;
		print_message("  repaired, once more\n");
		run_done(run);
	}
	fail_msg("%s: %d of %d runs are repaired", mode, RUNS, RUNS);
}

/* All of them around the same stops, but for the last. */
static const char *const shapes[] = {
	"stops:inner", "stops:async", "stops:pair", "stops:outer", "stopped_call", "stops:plain",
};
#define STOPPED_SHAPES 5

static void check_bands(const struct probekit_probe *row)
{
	uint64_t total[PROBEKIT_CLASS_COUNT] = {0};

	for (size_t i = 0; i < row->band_count; i++)
		for (int k = 0; k < PROBEKIT_CLASS_COUNT; k++)
			total[k] += row->bands[i].time_ns[k];
	assert_memory_equal(total, row->time_ns, sizeof(total));
}

static void check_count_and_sums(const struct run *run)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		const struct probekit_probe *row = find_row(run->snapshot, shapes[i]);

		assert_row(run->snapshot, shapes[i], .count = scaled(ROUNDS, 3));
		assert_true(row->has_time);
		assert_int_equal(row->unexplained_ns, 0);
		assert_int_equal(sum_of(row->time_ns), row->sum);
		check_bands(row);
	}
	assert_key(run->snapshot, "stops:inner", 7, scaled(ROUNDS, 3));
	assert_int_equal(find_key(run->snapshot, "stops:inner", 7)->sum,
			 find_row(run->snapshot, "stops:inner")->sum);
}

static void stopped_time_is_in_no_span_where_it_is_left_out(void **state)
{
	uint64_t stops = STOPS * scaled(ROUNDS, 3);
	struct bracket most;
	struct run run;

	(void)state;
	run_stops("shapes", true, &run);
	check_count_and_sums(&run);
	most = bracket_of(&run, "most");
	for (size_t i = 0; i < STOPPED_SHAPES; i++) {
		const struct probekit_probe *row = find_row(run.snapshot, shapes[i]);

		print_message("  %s: sum %lld us of %lld to %lld, max %lld us of %lld to %lld\n",
			      shapes[i], (long long)row->sum / 1000,
			      (long long)busy_of(&run).low / 1000,
			      (long long)busy_of(&run).high / 1000, (long long)row->max / 1000,
			      (long long)most.low / 1000, (long long)most.high / 1000);
		check_between(shapes[i], "sum", row->sum, busy_of(&run), allowed_ns(&run, stops));
		check_between(shapes[i], "max", row->max, most, allowed_ns(&run, STOPS));
		assert_int_equal(row->time_ns[PROBEKIT_CLASS_STOPPED], 0);
		assert_true(allowed_ns(&run, stops) < run_truth(&run, "least")); /* it tells */
		if (row->kind == PROBEKIT_KIND_ASYNC) /* of which the slowest are not kept */
			continue;
		assert_true(row->slowest_count > 0);
		assert_int_equal(row->slowest[0].time_ns[PROBEKIT_CLASS_STOPPED], 0);
		assert_true((int64_t)row->slowest[0].duration_ns <= row->max);
	}
	run_done(&run);
}

static void nested_spans_are_reduced_alike(void **state)
{
	struct run run;

	(void)state;
	run_stops("shapes", true, &run);
	for (size_t i = 1; i < STOPPED_SHAPES; i++) {
		const struct probekit_probe *inner = find_row(run.snapshot, shapes[i - 1]);
		const struct probekit_probe *outer = find_row(run.snapshot, shapes[i]);

		assert_true(inner->sum <= outer->sum);
		assert_true(inner->max <= outer->max);
		assert_true(inner->min <= outer->min);
	}
	run_done(&run);
}

static void stopped_time_is_part_of_spans_by_default(void **state)
{
	uint64_t stops = STOPS * scaled(ROUNDS, 3);
	struct run run;

	(void)state;
	run_stops("shapes", false, &run);
	check_count_and_sums(&run);
	for (size_t i = 0; i < STOPPED_SHAPES; i++) {
		const struct probekit_probe *row = find_row(run.snapshot, shapes[i]);

		check_between(shapes[i], "stopped", (int64_t)row->time_ns[PROBEKIT_CLASS_STOPPED],
			      (struct bracket){run_truth(&run, "least"), run_truth(&run, "most")},
			      allowed_ns(&run, stops));
	}
	run_done(&run);
}

static void an_async_span_that_ends_elsewhere_keeps_its_stops_unexplained(void **state)
{
	const struct probekit_probe *row;
	struct run run;

	(void)state;
	run_stops("handed", true, &run);
	row = find_row(run.snapshot, "stops:handed");
	assert_row(run.snapshot, "stops:handed", .count = scaled(ROUNDS, 3));
	assert_true(row->sum >= run_truth(&run, "least"));
	assert_int_equal(row->unexplained_ns, row->sum);
	assert_int_equal(row->time_ns[PROBEKIT_CLASS_STOPPED], 0);
	run_done(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stopped_time_is_in_no_span_where_it_is_left_out),
		cmocka_unit_test(nested_spans_are_reduced_alike),
		cmocka_unit_test(stopped_time_is_part_of_spans_by_default),
		cmocka_unit_test(an_async_span_that_ends_elsewhere_keeps_its_stops_unexplained),
	};

	return cmocka_run_group_tests_name("stopped", tests, NULL, NULL);
}
