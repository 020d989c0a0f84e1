/* SPDX-License-Identifier: BSD-2-Clause */
/* What rules make of builds whose difference is known, and which are none. */
#include <errno.h>

#include "builds.h"

static void a_rule_fails_where_the_increase_is_certain_and_beyond_its_bound(void **state)
{
	static const char *const rules[] = {"p50>+4%",	  "p50>+10%",	  "web:* p50>+20us",
					    "p50>+100us", "db:* p50>+1%", NULL};
	static const enum probekit_rule_state expected[] = {
		PROBEKIT_RULE_FAILED, PROBEKIT_RULE_PASSED, PROBEKIT_RULE_FAILED,
		PROBEKIT_RULE_PASSED, PROBEKIT_RULE_UNDECIDED};
	static struct builds builds;
	struct build_probe slower = build_plain;
	struct probekit_comparison *comparison;

	(void)state;
	slower.median_ns *= 1.06;
	comparison = builds_compare_one(&builds, 10, &build_plain, &slower, rules);
	assert_int_equal(probekit_comparison_rule_count(comparison), COUNT(expected));
	for (size_t i = 0; i < COUNT(expected); i++) {
		const struct probekit_rule_result *result = probekit_comparison_rule(comparison, i);

		assert_string_equal(result->rule, rules[i]);
		assert_int_equal(result->state, expected[i]);
	}
	assert_true(fabs(probekit_comparison_rule(comparison, 0)->estimate - 0.06) < 0.01);
	assert_true(fabs(probekit_comparison_rule(comparison, 2)->estimate - 0.06 * MS) <
		    0.01 * MS);
	assert_null(probekit_comparison_rule(comparison, 4)->change);
	assert_int_equal(probekit_comparison_info(comparison)->outcome, PROBEKIT_RULE_FAILED);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

/* A regression that no rule names does not fail, and stands there all the same. */
static void rules_decide_instead_of_regressions(void **state)
{
	static const char *const rules[] = {"p50>+20%", NULL};
	static struct builds builds;
	struct build_probe slower = build_plain;
	struct probekit_comparison *comparison;

	(void)state;
	slower.median_ns *= 1.1;
	comparison = builds_compare_one(&builds, 8, &build_plain, &slower, rules);
	assert_int_equal(probekit_comparison_info(comparison)->outcome, PROBEKIT_RULE_PASSED);
	assert_int_equal(builds_change(comparison, "web:request", "p50")->verdict,
			 PROBEKIT_VERDICT_REGRESS);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

static void a_class_that_took_no_time_before_can_fail(void **state)
{
	static const char *const rules[] = {"lock>+5%", "lock>+50us", "disk>+5%", NULL};
	static struct builds builds;
	struct build_probe locked = build_plain;
	struct probekit_comparison *comparison;
	const struct probekit_rule_result *result;

	(void)state;
	locked.lock_share = 0.2;
	comparison = builds_compare_one(&builds, 8, &build_plain, &locked, rules);
	result = probekit_comparison_rule(comparison, 0);
	assert_int_equal(result->state, PROBEKIT_RULE_FAILED);
	assert_true(isinf(result->estimate));
	assert_true(isinf(result->change->ratio));
	assert_true(result->change->base == 0);
	assert_true(fabs(result->change->head / MS - 0.2) < 0.02);
	assert_int_equal(probekit_comparison_rule(comparison, 1)->state, PROBEKIT_RULE_FAILED);
	result = probekit_comparison_rule(comparison, 2);
	assert_int_equal(result->state, PROBEKIT_RULE_PASSED);
	assert_true(result->change->ratio == 1);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

/* By its bound, which is far from where the estimate is; delta would take thousands. */
static void a_rule_says_how_many_pairs_it_takes(void **state)
{
	static const char *const rules[] = {"p50>+6%", "p50>+1000%", "db p50>+1%", NULL};
	static struct builds builds;
	struct build_probe noisy = build_plain;
	struct build_probe slower;
	struct probekit_comparison *comparison;
	const struct probekit_rule_result *result;

	(void)state;
	noisy.run_spread = 0.04;
	slower = noisy;
	slower.median_ns *= 1.02;
	comparison = builds_compare_one(&builds, 6, &noisy, &slower, rules);
	result = probekit_comparison_rule(comparison, 0);
	assert_int_equal(result->state, PROBEKIT_RULE_UNDECIDED);
	assert_non_null(result->reason);
	assert_in_range(result->pairs_needed, 7, 60);
	result = probekit_comparison_rule(comparison, 1);
	assert_int_equal(result->state, PROBEKIT_RULE_PASSED);
	assert_null(result->reason);
	assert_int_equal(result->pairs_needed, 0);
	assert_string_equal(probekit_comparison_rule(comparison, 2)->reason,
			    "it matches no probe of both builds");
	assert_int_equal(probekit_comparison_info(comparison)->unmatched_rules, 1);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

/* +10 after p99 was meant as 10 %, and hardly as 10 ns. */
static void a_bound_without_a_unit_is_of_quantities(void **state)
{
	static const char *const rules[] = {"* p50>+10", "items p50>+10", "request p50>+10", NULL};
	static struct builds builds;
	struct build_probe probes[] = {build_plain, build_plain, build_none};
	struct probekit_comparison *comparison;
	const struct probekit_rule_result *result;

	(void)state;
	probes[1].name = "items";
	probes[1].kind = PROBEKIT_KIND_VALUE;
	builds_init(&builds, 8);
	builds_add(&builds, 8, probes, probes);
	comparison = builds_compare(&builds, 0.02, rules);
	assert_int_equal(probekit_comparison_rule_count(comparison), 3);
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(probekit_comparison_rule(comparison, i)->change->probe,
				    "items");
	result = probekit_comparison_rule(comparison, 2);
	assert_int_equal(result->state, PROBEKIT_RULE_UNDECIDED);
	assert_null(result->change);
	assert_string_equal(result->reason,
			    "its bound has no unit, and it matches no quantity of both builds");
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

/* 1 us of lock in spans of 1 ms is more than five hundredths of nothing, and nothing that matters. */
static void a_share_of_next_to_nothing_does_not_fail(void **state)
{
	static const char *const rules[] = {"lock>+5%", NULL};
	static struct builds builds;
	struct build_probe locked = build_plain;
	struct probekit_comparison *comparison;

	(void)state;
	locked.lock_share = 0.001;
	comparison = builds_compare_one(&builds, 8, &build_plain, &locked, rules);
	assert_int_equal(probekit_comparison_rule(comparison, 0)->state, PROBEKIT_RULE_PASSED);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

static void rules_that_say_nothing_are_refused(void **state)
{
	static const struct {
		const char *rule;
		const char *why;
	} wrong[] = {
		{"p99", "has no '>'"},
		{"p99>10%", "a '+'"},
		{"p99>+", "not a number"},
		{"p99>+-3%", "not a number"},
		{"p99>+10%%", "unit"},
		{"p99>+10min", "unit"},
		{"p99>+1e999%", "too large"},
		{"p99>+10", "a bound without a unit is of a quantity"},
		{">+10%", "no measure"},
		{"web:request >+10%", "its measure is none"},
		{"p95>+10%", "its measure is none"},
		{"p99.9>+10%", "too rare"},
	};
	struct probekit_error err;

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		const char *const rules[] = {"p50>+1%", wrong[i].rule, NULL};
		const struct probekit_compare_options options = {.size = sizeof(options),
								 .rules = rules};

		assert_int_equal(probekit_compare_check(&options, &err), -EINVAL);
		assert_int_equal(err.kind, PROBEKIT_ERROR_USAGE);
		assert_non_null(strstr(err.text, wrong[i].rule));
		assert_non_null(strstr(err.text, wrong[i].why));
	}
}

static void rules_may_name_what_has_blanks_and_signs(void **state)
{
	static const char *const rules[] = {" operator>(a, b)  p50 > +10%", "mean>+1.5ms", NULL};
	static struct builds builds;
	struct build_probe odd = build_plain;
	struct probekit_comparison *comparison;

	(void)state;
	odd.name = "operator>(a, b)";
	odd.kind = PROBEKIT_KIND_FUNCTION;
	comparison = builds_compare_one(&builds, 6, &odd, &odd, rules);
	assert_string_equal(probekit_comparison_rule(comparison, 0)->change->probe, odd.name);
	assert_true(fabs(probekit_comparison_rule(comparison, 0)->bound - 0.1) < 1e-12);
	assert_true(fabs(probekit_comparison_rule(comparison, 1)->bound - 1.5 * MS) < 1e-6);
	assert_true(probekit_comparison_rule(comparison, 1)->is_absolute);
	probekit_comparison_free(comparison);
	builds_done(&builds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_fails_where_the_increase_is_certain_and_beyond_its_bound),
		cmocka_unit_test(rules_decide_instead_of_regressions),
		cmocka_unit_test(a_class_that_took_no_time_before_can_fail),
		cmocka_unit_test(a_rule_says_how_many_pairs_it_takes),
		cmocka_unit_test(a_bound_without_a_unit_is_of_quantities),
		cmocka_unit_test(a_share_of_next_to_nothing_does_not_fail),
		cmocka_unit_test(rules_that_say_nothing_are_refused),
		cmocka_unit_test(rules_may_name_what_has_blanks_and_signs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
