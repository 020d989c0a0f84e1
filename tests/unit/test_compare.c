/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of two builds whose difference is known. */
#include "builds.h"

/* ---- verdicts ---- */

static void one_build_is_the_same_as_itself(void **state)
{
	static struct builds builds;
	struct probekit_comparison *comparison =
		builds_compare_one(&builds, 10, &build_plain, &build_plain, NULL);
	const struct probekit_change *change = builds_change(comparison, "web:request", "p50");

	(void)state;
	assert_int_equal(change->verdict, PROBEKIT_VERDICT_SAME);
	assert_int_equal(change->pairs, 10);
	assert_int_equal(change->pairs_needed, 0);
	assert_null(change->reason);
	assert_true(change->low < 1 && change->high > 1);
	assert_int_equal(probekit_comparison_info(comparison)->outcome, PROBEKIT_RULE_PASSED);
	assert_int_equal(probekit_comparison_why_count(comparison), 0);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

static void a_slower_build_is_a_regression(void **state)
{
	static struct builds builds;
	struct build_probe slower = build_plain;
	struct probekit_comparison *comparison;
	const struct probekit_change *change;

	(void)state;
	slower.median_ns *= 1.05;
	comparison = builds_compare_one(&builds, 8, &build_plain, &slower, NULL);
	change = builds_change(comparison, "web:request", "p50");
	assert_int_equal(change->verdict, PROBEKIT_VERDICT_REGRESS);
	assert_true(change->low <= 1.05 && change->high >= 1.05);
	assert_true(change->ratio > 1.03 && change->ratio < 1.07);
	assert_true(change->p_regress <= 0.05);
	assert_true(change->p_improve > 0.5);
	assert_true(fabs(change->base / MS - 1) < 0.02);
	assert_true(fabs(change->head / change->base - change->ratio) < 1e-9);
	assert_int_equal(probekit_comparison_info(comparison)->outcome, PROBEKIT_RULE_FAILED);
	assert_int_equal(probekit_comparison_why_count(comparison), 1);
	assert_string_equal(probekit_comparison_why(comparison, 0)->probe, "web:request");
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

static void a_faster_build_is_an_improvement(void **state)
{
	static struct builds builds;
	struct build_probe faster = build_plain;
	struct probekit_comparison *comparison;

	(void)state;
	faster.median_ns /= 1.05;
	comparison = builds_compare_one(&builds, 8, &build_plain, &faster, NULL);
	assert_int_equal(builds_change(comparison, "web:request", "p50")->verdict,
			 PROBEKIT_VERDICT_IMPROVE);
	assert_int_equal(probekit_comparison_info(comparison)->outcome, PROBEKIT_RULE_PASSED);
	assert_int_equal(probekit_comparison_why_count(comparison), 1);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

/* One call of a hundred and fifty becomes ten times slower: the median cannot tell. */
static void a_slower_tail_is_seen_at_p99_alone(void **state)
{
	static struct builds builds;
	struct build_probe base = build_plain;
	struct build_probe head = build_plain;
	struct probekit_comparison *comparison;

	(void)state;
	base.count = head.count = 5000;
	head.slow_share = 0.015;
	head.slow_factor = 10;
	comparison = builds_compare_one(&builds, 8, &base, &head, NULL);
	assert_int_equal(builds_change(comparison, "web:request", "p50")->verdict,
			 PROBEKIT_VERDICT_SAME);
	assert_int_equal(builds_change(comparison, "web:request", "p99")->verdict,
			 PROBEKIT_VERDICT_REGRESS);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

static void fewer_than_six_pairs_decide_nothing(void **state)
{
	static struct builds builds;
	struct build_probe slower = build_plain;
	struct probekit_comparison *comparison;
	const struct probekit_change *change;

	(void)state;
	slower.median_ns *= 2;
	comparison = builds_compare_one(&builds, 5, &build_plain, &slower, NULL);
	change = builds_change(comparison, "web:request", "p50");
	assert_int_equal(change->verdict, PROBEKIT_VERDICT_UNDECIDED);
	assert_int_equal(change->pairs_needed, 6);
	assert_non_null(change->reason);
	assert_true(change->ratio > 1.8); /* what is seen is told all the same */
	assert_int_equal(probekit_comparison_info(comparison)->outcome, PROBEKIT_RULE_UNDECIDED);
	assert_true(probekit_comparison_info(comparison)->has_undecided);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

static void a_certain_change_that_does_not_matter_is_no_regression(void **state)
{
	static struct builds builds;
	struct build_probe base = build_plain;
	struct build_probe head = build_plain;
	struct probekit_comparison *comparison;
	const struct probekit_change *change;

	(void)state;
	base.run_spread = head.run_spread = 0;
	base.spread = head.spread = 0.02;
	head.median_ns *= 1.01;
	comparison = builds_compare_one(&builds, 8, &base, &head, NULL);
	change = builds_change(comparison, "web:request", "p50");
	assert_true(change->p_regress <= 0.05);
	assert_int_equal(change->verdict, PROBEKIT_VERDICT_SAME);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

static void noise_is_undecided_and_says_how_many_pairs_would_do(void **state)
{
	static struct builds builds;
	struct build_probe noisy = build_plain;
	struct probekit_comparison *comparison;
	const struct probekit_change *change;

	(void)state;
	noisy.run_spread = 0.1;
	comparison = builds_compare_one(&builds, 8, &noisy, &noisy, NULL);
	change = builds_change(comparison, "web:request", "p50");
	assert_int_equal(change->verdict, PROBEKIT_VERDICT_UNDECIDED);
	assert_true(change->pairs_needed > 8);
	assert_true(change->detectable > 0.05);
	assert_true(probekit_comparison_info(comparison)->detectable >= change->detectable);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

static void a_quantile_needs_spans_beyond_it(void **state)
{
	static struct builds builds;
	struct build_probe rare = build_plain;
	struct probekit_comparison *comparison;

	(void)state;
	rare.count = 99;
	comparison = builds_compare_one(&builds, 8, &rare, &rare, NULL);
	assert_int_equal(builds_change(comparison, "web:request", "p50")->pairs, 8);
	assert_int_equal(builds_change(comparison, "web:request", "p99")->pairs, 0);
	assert_int_equal(builds_change(comparison, "web:request", "p99")->verdict,
			 PROBEKIT_VERDICT_UNDECIDED);
	assert_true(isnan(builds_change(comparison, "web:request", "p99")->ratio));
	assert_true(builds_change(comparison, "web:request", "p99.9")->is_informational);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

static void what_is_mostly_the_probe_is_undecided(void **state)
{
	static struct builds builds;
	struct build_probe tiny = build_plain;
	const struct build_probe probes[] = {tiny, build_none};
	struct probekit_comparison *comparison;

	(void)state;
	builds_init(&builds, 7);
	builds_add(&builds, 8, probes, probes);
	for (size_t i = 0; i < builds.pairs; i++)
		builds.base[i]->info.floor_ns = (uint64_t)(0.6 * MS);
	comparison = builds_compare(&builds, 0.02, NULL);
	assert_int_equal(builds_change(comparison, "web:request", "p50")->verdict,
			 PROBEKIT_VERDICT_UNDECIDED);
	assert_string_equal(builds_change(comparison, "web:request", "p50")->reason,
			    "most of it may be the probe itself");
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

/* What begin and end cost is known of functions, not how much of it is between the two. */
static void a_function_no_slower_than_its_probe_is_undecided(void **state)
{
	static struct builds builds;
	struct build_probe function = build_plain;
	struct probekit_comparison *comparison;

	(void)state;
	function.kind = PROBEKIT_KIND_FUNCTION;
	function.median_ns = 1500;
	{
		const struct build_probe probes[] = {function, build_none};

		builds_init(&builds, 7);
		builds_add(&builds, 8, probes, probes);
	}
	for (size_t i = 0; i < builds.pairs; i++)
		builds.base[i]->probes[0].probe_cost_ns = 1000;
	comparison = builds_compare(&builds, 0.02, NULL);
	assert_string_equal(builds_change(comparison, "web:request", "p50")->reason,
			    "most of it may be the probe itself");
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

/* 1000 ns of which 450 are the probe: 9 % more are 16 % of the rest. */
static void a_rule_does_not_pass_by_what_the_probe_adds(void **state)
{
	static const char *const rules[] = {"p50>+10%", "p50>+200us", NULL};
	static struct builds builds;
	struct build_probe slower = build_plain;
	struct probekit_comparison *comparison;

	(void)state;
	slower.median_ns *= 1.09;
	{
		const struct build_probe base[] = {build_plain, build_none};
		const struct build_probe head[] = {slower, build_none};

		builds_init(&builds, 9);
		builds_add(&builds, 12, base, head);
	}
	for (size_t i = 0; i < builds.pairs; i++)
		builds.head[i]->info.floor_ns = (uint64_t)(0.45 * MS);
	comparison = builds_compare(&builds, 0.02, rules);
	assert_int_equal(probekit_comparison_rule(comparison, 0)->state, PROBEKIT_RULE_UNDECIDED);
	assert_int_equal(probekit_comparison_rule(comparison, 1)->state, PROBEKIT_RULE_PASSED);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

static void lost_spans_are_a_doubt_and_many_undecided(void **state)
{
	static struct builds builds;
	const struct build_probe probes[] = {build_plain, build_none};
	struct probekit_comparison *comparison;
	const struct probekit_change *change;

	(void)state;
	builds_init(&builds, 8);
	builds_add(&builds, 8, probes, probes);
	builds.head[3]->probes[0].lost.map_full = 1;
	comparison = builds_compare(&builds, 0.02, NULL);
	change = builds_change(comparison, "web:request", "p50");
	assert_int_equal(change->verdict, PROBEKIT_VERDICT_SAME);
	assert_string_equal(change->doubt, "some of its spans were lost");
	probekit_comparison_free(comparison);
	builds.head[3]->probes[0].lost.map_full = 900000;
	comparison = builds_compare(&builds, 0.02, NULL);
	change = builds_change(comparison, "web:request", "p50");
	assert_int_equal(change->verdict, PROBEKIT_VERDICT_UNDECIDED);
	assert_string_equal(change->reason, "too many of its spans were lost");
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

/* A queue's depth: 0 in every run of base, which has no logarithm. */
static void quantities_may_be_zero(void **state)
{
	static struct builds builds;
	struct probekit_comparison *comparison;
	const struct probekit_change *change;
	const struct build_probe base[] = {
		{.name = "queue:depth", .kind = PROBEKIT_KIND_VALUE, .median_ns = 0.1, .count = 200},
		build_none};
	const struct build_probe head[] = {{.name = "queue:depth",
					    .kind = PROBEKIT_KIND_VALUE,
					    .median_ns = 7000,
					    .spread = 0.1,
					    .count = 200},
					   build_none};

	(void)state;
	builds_init(&builds, 10);
	builds_add(&builds, 8, base, head);
	comparison = builds_compare(&builds, 0.02, NULL);
	change = builds_change(comparison, "queue:depth", "p50");
	assert_int_equal(change->verdict, PROBEKIT_VERDICT_REGRESS);
	assert_true(change->base == 0);
	assert_true(fabs(change->head - 7000) < 500);
	assert_true(isinf(change->ratio));
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

static void what_is_detectable_matters(void **state)
{
	static struct builds builds;
	struct build_probe still = build_plain;
	struct probekit_comparison *comparison;

	(void)state;
	still.spread = 0.001;
	still.run_spread = 0.0001;
	comparison = builds_compare_one(&builds, 8, &still, &still, NULL);
	assert_true(builds_change(comparison, "web:request", "p50")->detectable >= 0.02);
	assert_true(builds_change(comparison, "web:request", "p50")->detectable < 0.022);
	assert_int_equal(probekit_comparison_info(comparison)->tested, 2);
	assert_int_equal(probekit_comparison_info(comparison)->detectable_known, 2);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

/* What the guard has taken out, in one run, is known of its first calls alone. More pairs do not mend that. */
static void a_function_that_was_not_probed_to_the_end_is_undecided(void **state)
{
	static struct builds builds;
	const struct build_probe probes[] = {build_plain, build_none};
	struct probekit_comparison *comparison;
	const struct probekit_change *change;

	(void)state;
	builds_init(&builds, 8);
	builds_add(&builds, 8, probes, probes);
	for (size_t dropped = 1; dropped <= 5; dropped++) {
		builds.head[dropped]->probes[0].dropped_after_ns = 1000;
		comparison = builds_compare(&builds, 0.02, NULL);
		change = builds_change(comparison, "web:request", "p50");
		assert_int_equal(change->pairs, 8 - dropped);
		assert_int_equal(change->verdict, PROBEKIT_VERDICT_UNDECIDED);
		assert_string_equal(change->reason, "probing it cost more than was allowed");
		assert_int_equal(change->pairs_needed, 0);
		probekit_comparison_free(comparison);
	}
	builds_done(&builds);
}

/* Two hundred times twenty probes of one build: the whole of it may alarm in one time of twenty. */
static void false_alarms_are_rare(void **state)
{
	static char names[20][16];
	struct build_probe probes[21] = {0};
	size_t alarms = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "web:%d", i);
		probes[i] = build_plain;
		probes[i].name = names[i];
		probes[i].count = 150;
		probes[i].run_spread = 0.03;
	}
	for (uint64_t i = 0; i < 200; i++) {
		static struct builds builds;
		struct probekit_comparison *comparison;

		builds_init(&builds, i);
		builds_add(&builds, 6, probes, probes);
		comparison = builds_compare(&builds, 0.02, NULL);
		alarms += probekit_comparison_info(comparison)->outcome == PROBEKIT_RULE_FAILED;
		probekit_comparison_free(comparison);
		builds_done(&builds);
	}
	assert_in_range(alarms, 1, 16);
}

/* ---- which probes ---- */

static void probes_of_one_build_are_listed(void **state)
{
	const struct build_probe base[] = {
		build_plain,
		{.name = "web:gone", .median_ns = MS, .count = 2000},
		{.name = "web:kind", .median_ns = MS, .count = 5},
		build_none,
	};
	const struct build_probe head[] = {
		{.name = "web:kind", .kind = PROBEKIT_KIND_ASYNC, .median_ns = MS, .count = 5},
		build_plain,
		build_none,
	};
	static struct builds builds;
	struct probekit_comparison *comparison;
	const struct probekit_unmatched *unmatched;

	(void)state;
	builds_init(&builds, 3);
	builds_add(&builds, 6, base, head);
	comparison = builds_compare(&builds, 0.02, NULL);
	assert_int_equal(probekit_comparison_size(comparison), 4); /* the measures of one probe */
	assert_int_equal(probekit_comparison_unmatched_count(comparison), 3);
	unmatched = probekit_comparison_unmatched(comparison, 0);
	assert_string_equal(unmatched->probe, "web:gone");
	assert_false(unmatched->is_in_head);
	assert_int_equal(unmatched->runs, 6);
	assert_int_equal(unmatched->count, 12000);
	assert_string_equal(unmatched->reason, "");
	unmatched = probekit_comparison_unmatched(comparison, 2);
	assert_string_equal(unmatched->probe, "web:kind");
	assert_true(unmatched->is_in_head);
	assert_string_equal(unmatched->reason, "its kind differs");
	assert_null(probekit_comparison_unmatched(comparison, 3));
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

static void what_no_run_calls_is_of_no_interest_and_what_one_build_calls_is(void **state)
{
	const struct build_probe base[] = {build_plain,
					   {.name = "never", .median_ns = MS},
					   {.name = "now", .median_ns = MS},
					   build_none};
	const struct build_probe head[] = {build_plain,
					   {.name = "never", .median_ns = MS},
					   {.name = "now", .median_ns = MS, .count = 7},
					   build_none};
	static struct builds builds;
	struct probekit_comparison *comparison;
	const struct probekit_unmatched *unmatched;

	(void)state;
	builds_init(&builds, 4);
	builds_add(&builds, 6, base, head);
	comparison = builds_compare(&builds, 0.02, NULL);
	assert_int_equal(probekit_comparison_size(comparison), 4);
	assert_int_equal(probekit_comparison_info(comparison)->tested, 2);
	assert_int_equal(probekit_comparison_unmatched_count(comparison), 1);
	unmatched = probekit_comparison_unmatched(comparison, 0);
	assert_string_equal(unmatched->probe, "now");
	assert_true(unmatched->is_in_head);
	assert_int_equal(unmatched->count, 42);
	assert_string_equal(unmatched->reason, "the other build does not call it");
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

static void another_kernel_is_incomparable(void **state)
{
	static struct builds builds;
	const struct build_probe probes[] = {build_plain, build_none};
	struct probekit_comparison *comparison;

	(void)state;
	builds_init(&builds, 5);
	builds_add(&builds, 6, probes, probes);
	builds.base[2]->info.environment.kernel = copied("6.1.0");
	builds.head[2]->info.environment.kernel = copied("6.12.0");
	comparison = builds_compare(&builds, 0.02, NULL);
	assert_non_null(probekit_comparison_info(comparison)->incomparable);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_build_is_the_same_as_itself),
		cmocka_unit_test(a_slower_build_is_a_regression),
		cmocka_unit_test(a_faster_build_is_an_improvement),
		cmocka_unit_test(a_slower_tail_is_seen_at_p99_alone),
		cmocka_unit_test(fewer_than_six_pairs_decide_nothing),
		cmocka_unit_test(a_certain_change_that_does_not_matter_is_no_regression),
		cmocka_unit_test(noise_is_undecided_and_says_how_many_pairs_would_do),
		cmocka_unit_test(a_quantile_needs_spans_beyond_it),
		cmocka_unit_test(what_is_mostly_the_probe_is_undecided),
		cmocka_unit_test(a_function_no_slower_than_its_probe_is_undecided),
		cmocka_unit_test(a_rule_does_not_pass_by_what_the_probe_adds),
		cmocka_unit_test(lost_spans_are_a_doubt_and_many_undecided),
		cmocka_unit_test(quantities_may_be_zero),
		cmocka_unit_test(what_is_detectable_matters),
		cmocka_unit_test(a_function_that_was_not_probed_to_the_end_is_undecided),
		cmocka_unit_test(false_alarms_are_rare),
		cmocka_unit_test(probes_of_one_build_are_listed),
		cmocka_unit_test(what_no_run_calls_is_of_no_interest_and_what_one_build_calls_is),
		cmocka_unit_test(another_kernel_is_incomparable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
