/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs read of a comparison. That it is as docs/comparison.schema.json has it, a test among the viewers says. */
#include "comparisons.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "breakdown.h"
#include "snapshots.h"

static json_t *tree_of(const struct made *made)
{
	char *text = made_text(out_compare_json, made);
	json_error_t error;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!root)
		fail_msg("line %d: %s", error.line, error.text);
	free(text);
	return root;
}

static void assert_number(json_t *root, const char *path, double expected)
{
	json_t *value = member_at(root, path);

	if (!json_is_number(value) || fabs(json_number_value(value) - expected) > 1e-9)
		fail_msg("%s is not %g", path, expected);
}

static void assert_json_null(json_t *root, const char *path)
{
	if (!json_is_null(member_at(root, path)))
		fail_msg("%s is not null", path);
}

static void the_whole_is_told_at_the_top(void **state)
{
	struct made made;
	json_t *root;

	(void)state;
	made_all(&made);
	made.view.mode_reason = "it was \"so\"";
	root = tree_of(&made);
	assert_member_text(root, "schema", "probekit.comparison/1");
	assert_member_text(root, "base", "./old");
	assert_member_text(root, "head", "./new");
	assert_member_text(root, "mode", "sliced");
	assert_member_text(root, "mode_reason", "it was \"so\"");
	assert_member_text(root, "outcome", "failed");
	assert_member_text(root, "summary", "REGRESSION: 2 of 5 probes are slower for certain");
	assert_number(root, "pairs", 10);
	assert_number(root, "delta", 0.02);
	assert_number(root, "detectable", 0.08);
	assert_number(root, "detectable_known", 10);
	assert_number(root, "tested", 10);
	assert_number(root, "undecided", 2);
	assert_number(root, "unmatched_rules", 0);
	assert_json_null(root, "incomparable");
	assert_true(json_is_true(member_at(root, "has_undecided")));
	assert_true(json_is_false(member_at(root, "is_same_build")));
	assert_int_equal(json_array_size(member_at(root, "changes")), 20);
	json_decref(root);
	made_done(&made);
}

static void nothing_compared_is_empty_lists(void **state)
{
	static const char *const lists[] = {"rules", "changes", "unmatched", "why"};
	struct made made;
	json_t *root;

	(void)state;
	made_init(&made);
	made.info.incomparable = "other kernels";
	root = tree_of(&made);
	for (size_t i = 0; i < COUNT(lists); i++) {
		assert_true(json_is_array(member_at(root, lists[i])));
		assert_int_equal(json_array_size(member_at(root, lists[i])), 0);
	}
	assert_json_null(root, "detectable");
	assert_member_text(root, "incomparable", "other kernels");
	json_decref(root);
	made_done(&made);
}

static void a_change_has_its_numbers(void **state)
{
	struct made made;
	json_t *root;

	(void)state;
	made_init(&made);
	made_change(&made, "a", "p99", 3e6, 1.25, PROBEKIT_VERDICT_REGRESS)->kind =
		PROBEKIT_KIND_FUNCTION;
	made_change(&made, "b", "p50", 3e6, 1.25, PROBEKIT_VERDICT_UNDECIDED)->is_informational =
		true;
	((struct probekit_change *)(uintptr_t)made.view.changes[1])->doubt = "spans were lost";
	root = tree_of(&made);
	assert_member_text(root, "changes/0/probe", "a");
	assert_member_text(root, "changes/0/kind", "function");
	assert_member_text(root, "changes/0/measure", "p99");
	assert_member_text(root, "changes/0/verdict", "regress");
	assert_json_null(root, "changes/0/reason");
	assert_json_null(root, "changes/0/doubt");
	assert_member_text(root, "changes/1/doubt", "spans were lost");
	assert_json_null(root, "changes/0/pairs_needed");
	assert_number(root, "changes/0/pairs", 10);
	assert_number(root, "changes/0/base", 3e6);
	assert_number(root, "changes/0/head", 3.75e6);
	assert_number(root, "changes/0/ratio", 1.25);
	assert_number(root, "changes/0/low", 1.2);
	assert_number(root, "changes/0/high", 1.3);
	assert_number(root, "changes/0/p_regress", 0.002);
	assert_number(root, "changes/0/p_improve", 0.7);
	assert_number(root, "changes/0/detectable", 0.08);
	assert_member_text(root, "changes/1/reason", "runs differ too much");
	assert_number(root, "changes/1/pairs_needed", 14);
	assert_true(json_is_true(member_at(root, "changes/1/is_informational")));
	json_decref(root);
	made_done(&made);
}

static void what_is_not_known_or_infinite_is_null(void **state)
{
	static const char *const members[] = {"ratio",	   "low",	"high",
					      "p_regress", "p_improve", "detectable"};
	struct made made;
	struct probekit_change *change;
	json_t *root;

	(void)state;
	made_init(&made);
	change = made_change(&made, "a", "lock", 0, 1, PROBEKIT_VERDICT_UNDECIDED);
	change->head = 2000;
	change->ratio = change->low = change->high = INFINITY;
	change->p_regress = change->p_improve = change->detectable = NAN;
	root = tree_of(&made);
	for (size_t i = 0; i < COUNT(members); i++) {
		char path[64];

		snprintf(path, sizeof(path), "changes/0/%s", members[i]);
		assert_json_null(root, path);
	}
	assert_number(root, "changes/0/base", 0);
	assert_number(root, "changes/0/head", 2000);
	json_decref(root);
	made_done(&made);
}

static void a_rule_has_its_measure_or_null(void **state)
{
	struct made made;
	json_t *root;

	(void)state;
	made_all_with_rules(&made);
	root = tree_of(&made);
	assert_member_text(root, "rules/1/rule", "p99>+10%");
	assert_member_text(root, "rules/1/state", "failed");
	assert_member_text(root, "rules/1/unit", "relative");
	assert_number(root, "rules/1/bound", 0.1);
	assert_number(root, "rules/1/estimate", 0.17);
	assert_member_text(root, "rules/1/change/probe", "logger:flush");
	assert_member_text(root, "rules/1/change/measure", "p99");
	assert_json_null(root, "rules/1/reason");
	assert_json_null(root, "rules/1/pairs_needed");
	assert_member_text(root, "rules/2/reason", "its increase may be beyond the bound or not");
	assert_number(root, "rules/2/pairs_needed", 17);
	assert_number(root, "unmatched_rules", 1);
	assert_member_text(root, "rules/3/unit", "absolute");
	assert_number(root, "rules/3/bound", 50000);
	assert_member_text(root, "rules/4/state", "undecided");
	assert_json_null(root, "rules/4/change");
	assert_json_null(root, "rules/4/estimate");
	json_decref(root);
	made_done(&made);
}

static void foreign_names_stay_json(void **state)
{
	struct made made;
	json_t *root;

	(void)state;
	made_all(&made);
	root = tree_of(&made);
	assert_member_text(root, "unmatched/0/build", "head");
	assert_member_text(root, "unmatched/0/reason", "its kind differs");
	assert_member_text(root, "unmatched/1/build", "base");
	assert_json_null(root, "unmatched/1/reason");
	assert_member_text(root, "unmatched/1/probe",
			   "a|b<c>&\"'`@everyone\x1b[31m\xef\xbf\xbd\n*x* ]]>");
	assert_number(root, "unmatched/1/runs", 1);
	assert_number(root, "unmatched/1/count", 12043);
	json_decref(root);
	made_done(&made);
}

static void why_has_differences_causes_and_both_histograms(void **state)
{
	struct made made;
	json_t *root;

	(void)state;
	made_all(&made);
	root = tree_of(&made);
	assert_int_equal(json_array_size(member_at(root, "why")), 1);
	assert_member_text(root, "why/0/probe", "logger:flush");
	assert_member_text(
		root, "why/0/summary",
		"+3.1 ms of lock wait on log_mutex (logger+0x4050); holder now in fsync");
	assert_member_text(root, "why/0/base/unit", "s");
	assert_int_equal(json_array_size(member_at(root, "why/0/base/buckets")), 3);
	assert_number(root, "why/0/head/buckets/3/0", -6);
	assert_number(root, "why/0/head/buckets/3/1", 10);
	assert_member_text(root, "why/0/classes/0/class", "lock");
	assert_number(root, "why/0/classes/0/base_ns", 200000);
	assert_number(root, "why/0/classes/0/head_ns", 3300000);
	assert_true(json_is_true(member_at(root, "why/0/classes/0/is_certain")));
	assert_true(json_is_false(member_at(root, "why/0/classes/1/is_certain")));
	assert_member_text(root, "why/0/causes/0/seen_in", "head");
	assert_member_text(root, "why/0/causes/0/lock/symbol", "log_mutex");
	assert_member_text(root, "why/0/causes/0/lock/address", "0x555555558050");
	assert_number(root, "why/0/causes/0/holder/blocked_in/fsync", 0.94);
	assert_member_text(root, "why/0/causes/0/holder/file", "/var/log/app.log");
	assert_member_text(root, "why/0/causes/0/holder/file_activity", "fsync");
	assert_member_text(root, "why/0/causes/0/holder/stack/0/function", "flush_log");
	assert_member_text(root, "why/0/causes/0/stack/1/function", "handle_request");
	assert_member_text(root, "why/0/causes/1/object", "/var/log/app.log");
	assert_json_null(root, "why/0/causes/1/lock");
	assert_json_null(root, "why/0/causes/1/holder");
	json_decref(root);
	made_done(&made);
}

static void a_chain_of_holders_is_told_to_its_end(void **state)
{
	struct made made;
	struct probekit_why *why;
	struct probekit_cause cause = {.time_class = PROBEKIT_CLASS_LOCK, .address = 1};
	struct probekit_holder *holder = new_holder(3);
	json_t *root;

	(void)state;
	made_init(&made);
	made_probe(&made, "a", 1000, 1.5, PROBEKIT_VERDICT_REGRESS);
	why = made_why(&made, "a");
	cause.holder = holder;
	why->causes[0].cause = &cause;
	root = tree_of(&made);
	assert_true(json_is_object(
		member_at(root, "why/0/causes/0/holder/waits_for/holder/waits_for/holder")));
	assert_json_null(root, "why/0/causes/0/holder/waits_for/holder/waits_for/holder/waits_for");
	json_decref(root);
	made_done(&made);
	holder_free(holder);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_is_told_at_the_top),
		cmocka_unit_test(nothing_compared_is_empty_lists),
		cmocka_unit_test(a_change_has_its_numbers),
		cmocka_unit_test(what_is_not_known_or_infinite_is_null),
		cmocka_unit_test(a_rule_has_its_measure_or_null),
		cmocka_unit_test(foreign_names_stay_json),
		cmocka_unit_test(why_has_differences_causes_and_both_histograms),
		cmocka_unit_test(a_chain_of_holders_is_told_to_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
