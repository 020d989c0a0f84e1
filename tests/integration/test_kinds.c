/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys, values, events, locks and async spans: every figure against what the program did. */
#include "scenarios.h"
#include "series.h"

#include <math.h>
#include <string.h>

/* ---- keys ---- */

static void threads_share_the_rows_of_their_keys(void **state)
{
	uint64_t each = scaled(3000, 10);
	struct run run;

	(void)state;
	measure_program("kinds", "keys", number_text(each), &run);
	assert_row(run.snapshot, "kinds:keyed", .count = 4 * 55 * each);
	for (int64_t key = 0; key < 10; key++)
		assert_key(run.snapshot, "kinds:keyed", key, 4 * each * (uint64_t)(key + 1));
	assert_null(find_key(run.snapshot, "kinds:keyed", 10));
	assert_null(find_key_overflow(run.snapshot, "kinds:keyed"));
	run_done(&run);
}

/* 100 keys: whichever 64 have a row, each is exact, and the overflow is the rest. */
static void check_many_keys(const struct probekit_snapshot *snapshot, uint64_t each, uint64_t rows)
{
	const struct probekit_probe *overflow = find_key_overflow(snapshot, "kinds:keyed");
	uint64_t kept = 0;
	uint64_t spans = 0;

	assert_row(snapshot, "kinds:keyed", .count = 5050 * each);
	for (int64_t key = 0; key < 100; key++) {
		const struct probekit_probe *row = find_key(snapshot, "kinds:keyed", key * 1000);

		if (!row)
			continue;
		kept++;
		spans += row->count;
		assert_int_equal(row->count, each * (uint64_t)(key + 1));
	}
	assert_int_equal(kept, rows);
	assert_non_null(overflow);
	assert_int_equal(overflow->count, 5050 * each - spans);
}

/* Keys split a histogram without losing any of it. */
static void check_sum_of_keys(const struct probekit_snapshot *snapshot, const char *name)
{
	const struct probekit_probe *total = find_row(snapshot, name);
	uint64_t count = 0;
	int64_t sum = 0;
	int64_t min = INT64_MAX;
	int64_t max = 0;

	for (size_t i = 0; i < probekit_snapshot_size(snapshot); i++) {
		const struct probekit_probe *row = probekit_snapshot_probe(snapshot, i);

		if (!row->has_key || strcmp(row->name, name) != 0)
			continue;
		count += row->count;
		sum += row->sum;
		min = row->min < min ? row->min : min;
		max = row->max > max ? row->max : max;
	}
	assert_int_equal(count, total->count);
	assert_int_equal(sum, total->sum);
	assert_int_equal(min, total->min);
	assert_int_equal(max, total->max);
}

static void keys_beyond_64_are_summed_in_one_row(void **state)
{
	uint64_t each = scaled(30, 1);
	struct run run;

	(void)state;
	measure_program("kinds", "many_keys", number_text(each), &run);
	check_many_keys(run.snapshot, each, 64);
	check_sum_of_keys(run.snapshot, "kinds:keyed");
	run_done(&run);
}

static void fewer_keys_are_kept_when_asked(void **state)
{
	uint64_t each = scaled(30, 1);
	const char *const command[] = {program_path("kinds"), "many_keys", number_text(each), NULL};
	struct run run;

	(void)state;
	measure_run(&(struct measure){.command = command, .options.max_keys = 5}, &run);
	check_many_keys(run.snapshot, each, 5);
	check_sum_of_keys(run.snapshot, "kinds:keyed");
	run_done(&run);
}

/* 16 common keys and 16 of each thread's own: 80, which race for 64 rows. */
static void keys_that_race_for_rows_lose_no_span(void **state)
{
	uint64_t each = scaled(2000, 10);
	uint64_t kept = 0;
	struct run run;

	(void)state;
	measure_program("kinds", "racing_keys", number_text(each), &run);
	assert_row(run.snapshot, "kinds:keyed", .count = 4 * 32 * each);
	check_sum_of_keys(run.snapshot, "kinds:keyed");
	for (size_t i = 0; i < probekit_snapshot_size(run.snapshot); i++) {
		const struct probekit_probe *row = probekit_snapshot_probe(run.snapshot, i);

		if (!row->has_key || row->is_key_overflow || strcmp(row->name, "kinds:keyed") != 0)
			continue;
		kept++;
		assert_int_equal(row->count, row->key < 1000 ? 4 * each : each);
	}
	assert_int_equal(kept, 64);
	run_done(&run);
}

static void negative_and_extreme_keys_are_kept_apart(void **state)
{
	uint64_t each = scaled(2000, 10);
	struct run run;

	(void)state;
	measure_program("kinds", "odd_keys", number_text(each), &run);
	assert_row(run.snapshot, "kinds:keyed", .count = 5 * each);
	assert_key(run.snapshot, "kinds:keyed", -1, each);
	assert_key(run.snapshot, "kinds:keyed", 0, each);
	assert_key(run.snapshot, "kinds:keyed", INT64_MAX, each);
	assert_key(run.snapshot, "kinds:keyed", INT64_MIN + 1, each);
	/* The least of all has no row of its own. */
	assert_non_null(find_key_overflow(run.snapshot, "kinds:keyed"));
	assert_int_equal(find_key_overflow(run.snapshot, "kinds:keyed")->count, each);
	run_done(&run);
}

static void one_key_alone_is_measured_when_asked(void **state)
{
	uint64_t each = scaled(2000, 10);
	const char *const command[] = {program_path("kinds"), "keys", number_text(each), NULL};
	struct run run;

	(void)state;
	measure_run(&(struct measure){.command = command, .options = {.key_only = true, .key = 7}},
		    &run);
	assert_row(run.snapshot, "kinds:keyed", .count = 4 * 8 * each);
	assert_key(run.snapshot, "kinds:keyed", 7, 4 * 8 * each);
	assert_null(find_key(run.snapshot, "kinds:keyed", 6));
	run_done(&run);
}

/* ---- values ---- */

static void assert_value(const struct probekit_probe *row, int64_t sum, int64_t min, int64_t max)
{
	assert_int_equal(row->kind, PROBEKIT_KIND_VALUE);
	assert_int_equal(row->sum, sum);
	assert_int_equal(row->min, min);
	assert_int_equal(row->max, max);
}

/* 1 to N, each once: all is known, quantiles too. */
static void values_of_threads_are_summed_exactly(void **state)
{
	uint64_t each = scaled(100000, 1000);
	int64_t n = (int64_t)(4 * each);
	const struct probekit_probe *row;
	struct run run;

	(void)state;
	series_program("kinds", "values", number_text(each), &run);
	assert_row(run.snapshot, "kinds:sampled", .count = (uint64_t)n);
	row = find_row(run.snapshot, "kinds:sampled");
	assert_value(row, n * (n + 1) / 2, 1, n);
	for (int i = 1; i < 1000; i++) {
		double at = (double)((i * n + 999) / 1000); /* the ceil(qn)-th */

		/* Half a bucket: 2^(1/128) = 0.55 %. */
		assert_true(fabs(probekit_probe_quantile(row, i * 1e-3) / at - 1) < 0.0055);
	}
	run_done(&run);
}

static void zero_and_negative_values_are_counted_apart(void **state)
{
	uint64_t each = scaled(5000, 10);
	int64_t once = -1 - 1000000007ll + INT32_MAX + 7;
	const struct probekit_probe *row;
	struct run run;

	(void)state;
	series_program("kinds", "odd_values", number_text(each), &run);
	assert_row(run.snapshot, "kinds:sampled", .count = 6 * each);
	row = find_row(run.snapshot, "kinds:sampled");
	assert_value(row, once * (int64_t)each, -1000000007, INT32_MAX);
	assert_int_equal(row->histogram.zero_count, 2 * each);
	assert_int_equal(row->histogram.negative_count, 2 * each);
	assert_int_equal(row->histogram.size, 2);
	run_done(&run);
}

static void extreme_values_are_exact_and_out_of_range(void **state)
{
	uint64_t each = scaled(5000, 10);
	const struct probekit_probe *row;
	struct run run;

	(void)state;
	series_program("kinds", "extreme_values", number_text(each), &run);
	assert_row(run.snapshot, "kinds:sampled", .count = 3 * each, .out_of_range = each);
	row = find_row(run.snapshot, "kinds:sampled");
	assert_value(row, -(int64_t)each, INT64_MIN, INT64_MAX);
	assert_int_equal(row->histogram.zero_count, each);
	assert_int_equal(row->histogram.negative_count, each);
	run_done(&run);
}

/* A power of two is the last value of the bucket below it: 2^k lies in (b^(64k - 1), b^(64k)]. */
static void powers_of_two_end_their_buckets(void **state)
{
	uint64_t each = scaled(1000, 10);
	const struct probekit_probe *row;
	struct run run;

	(void)state;
	series_program("kinds", "powers", number_text(each), &run);
	assert_row(run.snapshot, "kinds:sampled", .count = 40 * each);
	row = find_row(run.snapshot, "kinds:sampled");
	assert_value(row, ((1ll << 40) - 1) * (int64_t)each, 1, 1ll << 39);
	assert_int_equal(row->histogram.size, 40);
	for (int k = 0; k < 40; k++) {
		assert_int_equal(row->histogram.index[k], k * (1 << row->histogram.scale) - 1);
		assert_int_equal(row->histogram.count[k], each);
	}
	run_done(&run);
}

static void values_keep_the_sign_and_width_of_their_type(void **state)
{
	uint64_t each = scaled(5000, 10);
	int64_t once = 200 - 100 + 60000 - 2000000000ll + 4000000000ll + 42;
	const struct probekit_probe *row;
	struct run run;

	(void)state;
	series_program("kinds", "types", number_text(each), &run);
	assert_row(run.snapshot, "kinds:typed", .count = 6 * each, .sites = 6);
	row = find_row(run.snapshot, "kinds:typed");
	assert_value(row, once * (int64_t)each, -2000000000, 4000000000ll);
	assert_int_equal(row->histogram.negative_count, 2 * each);
	run_done(&run);
}

/* ---- events ---- */

#define TRANSACTION "kinds:transaction__start,transaction__commit|transaction__abort"

static void two_events_make_a_pair(void **state)
{
	uint64_t each = scaled(20000, 100);
	const char *const command[] = {program_path("kinds"), "events", number_text(each), NULL};
	struct run run;

	(void)state;
	measure_run(&(struct measure){.command = command, .pair = TRANSACTION}, &run);
	assert_row(run.snapshot, TRANSACTION, .count = each, .sites = 1);
	assert_int_equal(find_row(run.snapshot, TRANSACTION)->kind, PROBEKIT_KIND_USDT);
	assert_int_equal(probekit_snapshot_size(run.snapshot), 1);
	run_done(&run);
}

/* Every fourth transaction aborts: its begin is still open when the next one's comes. */
static void a_pair_without_its_other_end_abandons_those_begins(void **state)
{
	uint64_t each = scaled(20000, 100) / 4 * 4;
	const char *const command[] = {program_path("kinds"), "events", number_text(each), NULL};
	const char *pair = "kinds:transaction__start,transaction__commit";
	struct run run;

	(void)state;
	measure_run(&(struct measure){.command = command, .pair = pair}, &run);
	assert_row(run.snapshot, pair, .count = each / 4 * 3, .abandoned = each / 4);
	run_done(&run);
}

/* ---- async spans ---- */

/* Which is known once the session has ended. */
static void async_spans_of_ended_processes_are_abandoned(void **state)
{
	uint64_t each = scaled(1000, 1);
	struct run run;

	(void)state;
	measure_program("locks", "unended", number_text(each), &run);
	assert_row(run.snapshot, "locks:request", .count = 3 * each, .abandoned = each);
	run_done(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_share_the_rows_of_their_keys),
		cmocka_unit_test(keys_beyond_64_are_summed_in_one_row),
		cmocka_unit_test(fewer_keys_are_kept_when_asked),
		cmocka_unit_test(keys_that_race_for_rows_lose_no_span),
		cmocka_unit_test(negative_and_extreme_keys_are_kept_apart),
		cmocka_unit_test(one_key_alone_is_measured_when_asked),
		cmocka_unit_test(values_of_threads_are_summed_exactly),
		cmocka_unit_test(zero_and_negative_values_are_counted_apart),
		cmocka_unit_test(extreme_values_are_exact_and_out_of_range),
		cmocka_unit_test(powers_of_two_end_their_buckets),
		cmocka_unit_test(values_keep_the_sign_and_width_of_their_type),
		cmocka_unit_test(two_events_make_a_pair),
		cmocka_unit_test(a_pair_without_its_other_end_abandons_those_begins),
		cmocka_unit_test(async_spans_of_ended_processes_are_abandoned),
	};

	return scenarios_run("kinds", kind_scenarios, tests, sizeof(tests) / sizeof(*tests));
}
