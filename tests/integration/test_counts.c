/* SPDX-License-Identifier: BSD-2-Clause */
/* Every span is counted once: under load, however its scope is left, and in the sums of
 * intervals. */
#include "scenarios.h"
#include "series.h"

#include <stdlib.h>
#include <string.h>

#define INTERVALS 4096
#define TRIES 4

static void eight_threads_lose_no_span(void **state)
{
	uint64_t each = scaled(1000000, 1000);
	struct run run;

	(void)state;
	measure_program("threads", "hot", number_text(each), &run);
	assert_row(run.snapshot, "threads:hot", .count = 8 * each);
	run_done(&run);
}

/* 32 fillers leave no room for their loop's spans; 31 do. */
static void spans_in_a_loop_at_the_depth_limit_are_each_counted_as_overflow(void **state)
{
	uint64_t each = scaled(20000, 100);
	struct run run;

	(void)state;
	series_program("scopes", "brim", number_text(each), &run);
	assert_row(run.snapshot, "scopes:filler", .count = 32 + 31);
	assert_row(run.snapshot, "scopes:inner", .count = each, .depth_overflow = each);
	run_done(&run);
}

static void a_glob_measures_what_it_names_and_nothing_else(void **state)
{
	const char *count = scaled_text(10000, 100);
	const char *const command[] = {program_path("scopes"), "nested", count, NULL};
	const char *const globs[] = {"scopes:inn*", NULL};
	struct run run;

	(void)state;
	measure_run(&(struct measure){.command = command, .globs = globs}, &run);
	assert_row(run.snapshot, "scopes:inner", .count = 3 * strtoull(count, NULL, 10));
	assert_int_equal(probekit_snapshot_size(run.snapshot), 1);
	run_done(&run);
}

/* ---- intervals ---- */

static const struct probekit_probe *same_row(const struct probekit_snapshot *snapshot,
					     const struct probekit_probe *like)
{
	if (like->is_key_overflow)
		return find_key_overflow(snapshot, like->name);
	return like->has_key ? find_key(snapshot, like->name, like->key)
			     : find_row(snapshot, like->name);
}

static uint64_t bucket_count(const struct probekit_probe *row, int32_t index)
{
	for (size_t i = 0; i < row->histogram.size; i++)
		if (row->histogram.index[i] == index)
			return row->histogram.count[i];
	return 0;
}

static void check_sum_of_intervals(struct probekit_snapshot *const *intervals, size_t count,
				   const struct probekit_probe *whole)
{
	const struct probekit_histogram *histogram = &whole->histogram;
	uint64_t *buckets = calloc(histogram->size + 1, sizeof(*buckets));
	uint64_t total = 0;
	int64_t sum = 0;
	int64_t min = INT64_MAX;
	int64_t max = INT64_MIN;

	assert_non_null(buckets);
	for (size_t i = 0; i < count; i++) {
		const struct probekit_probe *row = same_row(intervals[i], whole);

		if (!row || row->count == 0)
			continue;
		total += row->count;
		sum += row->sum;
		min = row->min < min ? row->min : min;
		max = row->max > max ? row->max : max;
		for (size_t b = 0; b < histogram->size; b++)
			buckets[b] += bucket_count(row, histogram->index[b]);
	}
	assert_int_equal(total, whole->count);
	assert_int_equal(sum, whole->sum);
	assert_int_equal(whole->count ? min : 0, whole->min);
	assert_int_equal(whole->count ? max : 0, whole->max);
	for (size_t b = 0; b < histogram->size; b++)
		assert_int_equal(buckets[b], histogram->count[b]);
	free(buckets);
}

/* Reads an interval every few milliseconds while the program runs at full speed. */
static size_t read_intervals(struct probekit_session *session, struct probekit_snapshot **intervals)
{
	struct probekit_error err;
	size_t count = 0;
	int event = 0;

	while (!(event & PROBEKIT_EVENT_TARGETS_ENDED)) {
		event = probekit_session_poll(session, 5, &err);
		if (event < 0 || count + 2 > INTERVALS ||
		    probekit_session_interval(session, &intervals[count++], &err))
			fail_msg("%s", err.text);
	}
	if (probekit_session_stop(session, &err) ||
	    probekit_session_interval(session, &intervals[count++], &err))
		fail_msg("%s", err.text);
	return count;
}

/* True if there was work in more than one interval. */
static bool do_intervals_add_up(const char *const command[], uint64_t spans, const char *name)
{
	static struct probekit_snapshot *intervals[INTERVALS];
	struct probekit_session *session = measure_start(&(struct measure){.command = command});
	size_t count = read_intervals(session, intervals);
	struct probekit_snapshot *whole = measure_stop(session);
	size_t busy = 0;

	assert_row(whole, name, .count = spans);
	for (size_t i = 0; i < probekit_snapshot_size(whole); i++)
		check_sum_of_intervals(intervals, count, probekit_snapshot_probe(whole, i));
	for (size_t i = 0; i < count; i++) {
		busy += find_row(intervals[i], name) && find_row(intervals[i], name)->count;
		probekit_snapshot_free(intervals[i]);
	}
	probekit_snapshot_free(whole);
	return busy > 1;
}

/* `spans` a unit of work; of that there is more until it lasts for several intervals, which on a slow machine
 * take long themselves. */
static void check_intervals(const char *program, const char *mode, uint64_t each, uint64_t spans,
			    const char *name)
{
	for (int i = 0; i < TRIES; i++, each *= 4) {
		const char *const command[] = {program_path(program), mode, number_text(each),
					       NULL};

		if (do_intervals_add_up(command, spans * each, name))
			return;
	}
	fail_msg("all work was in one interval");
}

static void intervals_of_busy_threads_add_up_to_the_whole(void **state)
{
	(void)state;
	check_intervals("threads", "hot", scaled(200000, 20000), 8, "threads:hot");
}

static void intervals_of_keys_add_up_to_the_whole(void **state)
{
	(void)state;
	check_intervals("kinds", "keys", scaled(4000, 500), 4 * 55, "kinds:keyed");
}

/* The second process leaves most keys of the first idle. */
static void an_interval_with_idle_keys_has_the_extremes_of_the_others(void **state)
{
	const struct measure what = {.path = program_path("kinds")};
	struct probekit_session *session = measure_start(&what);
	const char *const modes[] = {"keys", "odd_keys"};
	struct probekit_snapshot *intervals[2];
	struct probekit_error err;
	struct output output;

	(void)state;
	for (int i = 0; i < 2; i++) {
		run_captured((const char *const[]){program_path("kinds"), modes[i], "10", NULL},
			     &output);
		assert_int_equal(output.status, 0);
		output_done(&output);
		if (probekit_session_interval(session, &intervals[i], &err))
			fail_msg("%s", err.text);
	}
	for (int i = 0; i < 2; i++) {
		assert_true(find_row(intervals[i], "kinds:keyed")->count > 0);
		assert_true(find_row(intervals[i], "kinds:keyed")->min > 0);
		probekit_snapshot_free(intervals[i]);
	}
	probekit_snapshot_free(measure_stop(session));
}

static void intervals_of_values_add_up_to_the_whole(void **state)
{
	(void)state;
	check_intervals("kinds", "values", scaled(200000, 20000), 4, "kinds:sampled");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eight_threads_lose_no_span),
		cmocka_unit_test(spans_in_a_loop_at_the_depth_limit_are_each_counted_as_overflow),
		cmocka_unit_test(a_glob_measures_what_it_names_and_nothing_else),
		cmocka_unit_test(intervals_of_busy_threads_add_up_to_the_whole),
		cmocka_unit_test(intervals_of_keys_add_up_to_the_whole),
		cmocka_unit_test(an_interval_with_idle_keys_has_the_extremes_of_the_others),
		cmocka_unit_test(intervals_of_values_add_up_to_the_whole),
	};

	return scenarios_run("counts", scope_scenarios, tests, sizeof(tests) / sizeof(*tests));
}
