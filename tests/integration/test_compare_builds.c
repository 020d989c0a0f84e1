/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `probekit compare` and `diff` on builds whose differences are known (programs/builds.c). What is asserted are
 * rules with differences far beyond any noise, exact counts, and what is said of builds that cannot be compared.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

#define SPECIAL "work:f07"
#define CALLS "200"
#define MANY_CALLS "8000" /* so many that a p99 is far from both ends of what lies beyond it */
#define PAIRS "6"	  /* the fewest that decide */

static const char *build(const char *name)
{
	return support_program(*name ? name : "builds");
}

/* The first of a list whose member `key` is `value`; NULL: none. */
static json_t *find(json_t *list, const char *key, const char *value)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *found = json_string_value(json_object_get(item, key));

		if (found && strcmp(found, value) == 0)
			return item;
	}
	return NULL;
}

static void assert_text(const json_t *object, const char *key, const char *expected)
{
	const char *found = json_string_value(json_object_get(object, key));

	assert_non_null(found);
	assert_string_equal(found, expected);
}

/* The comparison of a build with `builds`, with a rule, and its exit code. */
static json_t *compare_calls(struct support_child *child, const char *head, const char *mode,
			     const char *rule, const char *calls, int expected)
{
	int status;

	support_require_tracing();
	status = support_run(child, NULL, support_probekit(), "compare", "--json", "--mode", mode,
			     "--pairs", PAIRS, "--fail-on", rule, "--base", build("builds"),
			     "--head", build(head), "--", calls, NULL);
	if (status != expected)
		fail_msg("status %d: %s", status, child->err.text);
	return support_json(child->out.text);
}

static json_t *compare(struct support_child *child, const char *head, const char *mode,
		       const char *rule, int expected)
{
	return compare_calls(child, head, mode, rule, CALLS, expected);
}

/* ---- verdicts ---- */

/* It computes three times as long in one span. */
static void check_slower(const char *mode)
{
	struct support_child child;
	json_t *root = compare(&child, "builds_triple", mode, SPECIAL " p50>+50%", 4);
	json_t *rule = json_array_get(json_object_get(root, "rules"), 0);
	json_t *change = json_object_get(rule, "change");
	json_t *why = find(json_object_get(root, "why"), "probe", SPECIAL);
	json_t *cause;

	assert_text(root, "schema", "probekit.comparison/1");
	assert_text(root, "mode", mode);
	assert_text(root, "outcome", "failed");
	assert_text(rule, "state", "failed");
	assert_text(change, "probe", SPECIAL);
	assert_text(change, "verdict", "regress");
	assert_int_equal(json_integer_value(json_object_get(change, "pairs")), 6);
	assert_true(json_real_value(json_object_get(change, "ratio")) > 1.5);
	assert_non_null(why);
	cause = find(json_object_get(why, "causes"), "class", "oncpu");
	assert_true(json_number_value(json_object_get(cause, "head_ns")) >
		    1.5 * json_number_value(json_object_get(cause, "base_ns")));
	assert_int_equal(json_array_size(json_object_get(root, "unmatched")), 0);
	json_decref(root);
	support_done(&child);
}

static void a_slower_build_fails_its_rule(void **state)
{
	(void)state;
	check_slower("pairs");
}

static void a_slower_build_fails_its_rule_sliced_too(void **state)
{
	(void)state;
	check_slower("sliced");
}

/* Fifteen calls of a thousand compute ten times as long: the median knows nothing of it. */
static void a_rare_slow_call_is_found_at_p99_with_its_cause(void **state)
{
	struct support_child child;
	json_t *root =
		compare_calls(&child, "builds_tail", "pairs", SPECIAL " p99>+50%", MANY_CALLS, 4);
	json_t *change =
		json_object_get(json_array_get(json_object_get(root, "rules"), 0), "change");
	json_t *why = find(json_object_get(root, "why"), "probe", SPECIAL);
	json_t *cause = find(json_object_get(why, "causes"), "class", "oncpu");

	(void)state;
	assert_text(change, "verdict", "regress");
	assert_true(json_real_value(json_object_get(change, "ratio")) > 1.5);
	assert_non_null(cause);
	assert_true(json_number_value(json_object_get(cause, "head_ns")) >
		    json_number_value(json_object_get(cause, "base_ns")));
	assert_text(json_array_get(json_object_get(cause, "stack"), 0), "function", "compute");
	json_decref(root);
	support_done(&child);
}

static void the_other_way_round_it_passes(void **state)
{
	struct support_child child;
	json_t *root;
	int status;

	(void)state;
	support_require_tracing();
	status = support_run(&child, NULL, support_probekit(), "compare", "--json", "--mode",
			     "pairs", "--pairs", PAIRS, "--fail-on", SPECIAL " p50>+50%", "--base",
			     build("builds_triple"), "--head", build("builds"), "--", CALLS, NULL);
	if (status)
		fail_msg("status %d: %s", status, child.err.text);
	root = support_json(child.out.text);
	assert_text(root, "outcome", "passed");
	json_decref(root);
	support_done(&child);
}

/* Each tenth call waits 0.3 ms for a mutex whose holder sleeps: it takes 40 us more in the mean, all of it lock. */
static void a_new_lock_is_named_with_what_its_holder_does(void **state)
{
	struct support_child child;
	json_t *root = compare(&child, "builds_locked", "pairs", SPECIAL " lock>+10us", 4);
	json_t *why = find(json_object_get(root, "why"), "probe", SPECIAL);
	json_t *lock = find(json_object_get(why, "classes"), "class", "lock");
	json_t *cause = find(json_object_get(why, "causes"), "class", "lock");

	(void)state;
	assert_non_null(why);
	assert_true(json_is_true(json_object_get(lock, "is_certain")));
	assert_non_null(cause);
	assert_text(json_object_get(cause, "lock"), "symbol", "table_lock");
	assert_true(json_number_value(json_object_get(cause, "head_ns")) > 10000);
	assert_non_null(
		json_object_get(json_object_get(json_object_get(cause, "holder"), "blocked_in"),
				"clock_nanosleep"));
	json_decref(root);
	support_done(&child);
}

static void fewer_than_six_pairs_stay_undecided(void **state)
{
	struct support_child child;
	json_t *root;

	(void)state;
	support_require_tracing();
	assert_int_equal(support_run(&child, NULL, support_probekit(), "compare", "--json",
				     "--mode", "pairs", "--pairs", "1", "--base", build("builds"),
				     "--head", build("builds_triple"), "--", CALLS, NULL),
			 5);
	root = support_json(child.out.text);
	assert_text(root, "outcome", "undecided");
	assert_int_equal(json_integer_value(json_object_get(root, "pairs")), 1);
	json_decref(root);
	support_done(&child);
}

static void spans_of_one_build_are_listed(void **state)
{
	struct support_child child;
	json_t *root;
	json_t *unmatched;

	(void)state;
	support_require_tracing();
	support_run(&child, NULL, support_probekit(), "compare", "--json", "--mode", "pairs",
		    "--pairs", "1", "--base", build("builds_gone"), "--head", build("builds_came"),
		    "--", CALLS, NULL);
	root = support_json(child.out.text);
	unmatched = json_object_get(root, "unmatched");
	assert_int_equal(json_array_size(unmatched), 2);
	assert_text(find(unmatched, "probe", "work:gone"), "build", "base");
	assert_text(find(unmatched, "probe", "work:came"), "build", "head");
	assert_int_equal(support_integer(find(unmatched, "probe", "work:came"), "count"), 1);
	json_decref(root);
	support_done(&child);
}

/* ---- modes ---- */

static void a_program_that_sleeps_is_not_sliced(void **state)
{
	struct support_child child;
	json_t *root = compare(&child, "builds_sleepy", "auto", "mean>+100000%", 0);

	(void)state;
	assert_text(root, "mode", "pairs");
	assert_non_null(strstr(json_string_value(json_object_get(root, "mode_reason")), "sleep"));
	json_decref(root);
	support_done(&child);
}

static void one_build_against_itself_tells_what_can_be_seen(void **state)
{
	struct support_child child;
	json_t *root;
	int status;

	(void)state;
	support_require_tracing();
	status = support_run(&child, NULL, support_probekit(), "compare", "--json", "--aa",
			     "--pairs", PAIRS, "--base", build("builds"), "--", CALLS, NULL);
	if (status != 0 && status != 4 && status != 5) /* one time in twenty it alarms */
		fail_msg("status %d: %s", status, child.err.text);
	root = support_json(child.out.text);
	assert_true(json_is_true(json_object_get(root, "is_same_build")));
	assert_true(json_number_value(json_object_get(root, "detectable")) > 0);
	assert_int_equal(json_array_size(json_object_get(root, "changes")), 20 * 4);
	assert_non_null(strstr(child.err.text, "four times of five"));
	json_decref(root);
	support_done(&child);
}

/* ---- what is kept ---- */

static void what_was_saved_gives_the_same_verdict(void **state)
{
	char *folder = support_new_folder();
	char *base = support_join(folder, "base.json");
	char *head = support_join(folder, "head.json");
	struct support_child child;
	json_t *stored;
	json_t *live;

	(void)state;
	support_require_tracing();
	assert_int_equal(support_run(&child, NULL, support_probekit(), "compare", "--json",
				     "--mode", "pairs", "--pairs", PAIRS, "--save-base", base,
				     "--save-head", head, "--fail-on", SPECIAL " p50>+50%",
				     "--base", build("builds"), "--head", build("builds_triple"),
				     "--", CALLS, NULL),
			 4);
	live = support_json(child.out.text);
	support_done(&child);
	assert_int_equal(support_run(&child, NULL, support_probekit(), "diff", "--json",
				     "--fail-on", SPECIAL " p50>+50%", base, head, NULL),
			 4);
	stored = support_json(child.out.text);
	support_done(&child);
	assert_text(stored, "mode", "stored");
	assert_true(
		json_equal(json_object_get(live, "changes"), json_object_get(stored, "changes")));
	assert_true(json_equal(json_object_get(live, "rules"), json_object_get(stored, "rules")));
	/* the other way round nothing fails */
	assert_int_equal(support_run(&child, NULL, support_probekit(), "diff", "--fail-on",
				     SPECIAL " p50>+50%", head, base, NULL),
			 0);
	support_done(&child);
	json_decref(live);
	json_decref(stored);
	support_remove_folder(folder);
	free(base);
	free(head);
}

static void rules_stand_in_a_file_of_the_folder(void **state)
{
	static const char rules[] =
		"# what matters\n\n  " SPECIAL " p50>+50%\r\nmean > +100000 %\n";
	char *folder = support_new_folder();
	char *file = support_join(folder, ".probekit-ci");
	const struct support_how how = {.folder = folder};
	struct support_child child;
	json_t *root;

	(void)state;
	support_require_tracing();
	support_write_file(file, rules, strlen(rules));
	assert_int_equal(support_run(&child, &how, support_probekit(), "compare", "--json",
				     "--mode", "pairs", "--pairs", PAIRS, "--base", build("builds"),
				     "--head", build("builds_triple"), "--", CALLS, NULL),
			 4);
	root = support_json(child.out.text);
	assert_int_equal(json_array_size(json_object_get(root, "rules")), 1 + 20);
	json_decref(root);
	support_done(&child);
	support_remove_folder(folder);
	free(file);
}

/* ---- what goes wrong ---- */

/* The text of the file that the error names in quotes behind `words`. */
static char *named_file(const char *text, const char *words)
{
	const char *begin = strstr(text, words);
	char *path;

	assert_non_null(begin);
	begin = strchr(begin, '\'') + 1;
	path = strndup(begin, strcspn(begin, "'"));
	assert_non_null(path);
	return path;
}

static void a_build_that_fails_is_an_error_with_its_output(void **state)
{
	struct support_child child;
	size_t size;
	char *path;
	char *text;

	(void)state;
	support_require_tracing();
	assert_int_equal(support_run(&child, NULL, support_probekit(), "compare", "--base",
				     build("builds"), "--head", build("builds_fails"), "--", CALLS,
				     NULL),
			 1);
	assert_string_equal(child.out.text, "");
	assert_non_null(strstr(child.err.text, "builds_fails"));
	assert_non_null(strstr(child.err.text, "status 7"));
	path = named_file(child.err.text, "printed is in");
	text = support_read_file(path, &size);
	assert_non_null(strstr(text, "this build fails\n"));
	unlink(path);
	free(text);
	free(path);
	support_done(&child);
}

static void a_build_that_hangs_is_ended_and_an_error(void **state)
{
	struct support_child child;

	(void)state;
	support_require_tracing();
	assert_int_equal(support_run(&child, NULL, support_probekit(), "compare", "--timeout", "2",
				     "--mode", "pairs", "--base", build("builds"), "--head",
				     build("builds_hangs"), "--", "1", NULL),
			 1);
	assert_non_null(strstr(child.err.text, "builds_hangs"));
	assert_non_null(strstr(child.err.text, "timeout of 2 s"));
	support_done(&child);
}

static void ctrl_c_tells_what_was_learnt(void **state)
{
	const char *const words[] = {support_probekit(),
				     "compare",
				     "--json",
				     "--mode",
				     "pairs",
				     "--pairs",
				     "1000",
				     "--base",
				     build("builds"),
				     "--head",
				     build("builds_triple"),
				     "--",
				     CALLS,
				     NULL};
	struct support_child child;
	json_t *root;
	int status;

	(void)state;
	support_require_tracing();
	support_start(&child, NULL, words);
	assert_true(support_wait_text(&child, &child.err, "pair 2 of 1000"));
	kill(child.pid, SIGINT);
	status = support_finish(&child);
	if (status != 5)
		fail_msg("status %d: %s", status, child.err.text);
	assert_non_null(strstr(child.err.text, "interrupted after"));
	root = support_json(child.out.text);
	assert_true(support_integer(root, "pairs") >= 2);
	json_decref(root);
	support_done(&child);
}

static void a_budget_that_no_pair_fits_decides_nothing(void **state)
{
	struct support_child child;

	(void)state;
	support_require_tracing();
	assert_int_equal(support_run(&child, NULL, support_probekit(), "compare", "--budget",
				     "0.001", "--mode", "pairs", "--base", build("builds"),
				     "--head", build("builds"), "--", "1", NULL),
			 5);
	assert_string_equal(child.out.text, "undecided: no pair of runs was finished\n");
	assert_non_null(strstr(child.err.text, "the budget is used up after 0 of 10 pairs"));
	support_done(&child);
}

/* Neither build is run: there is none. */
static void where_runs_cannot_be_saved_nothing_is_run(void **state)
{
	static const char *const options[] = {"--save-base", "--save-head"};
	struct support_child child;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(support_run(&child, NULL, support_probekit(), "compare",
					     options[i], "/no/such/folder/runs.json", "--base",
					     "/no/base", "--head", "/no/head", NULL),
				 1);
		assert_non_null(strstr(child.err.text, "cannot write '/no/such/folder/runs.json'"));
		support_done(&child);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slower_build_fails_its_rule),
		cmocka_unit_test(a_slower_build_fails_its_rule_sliced_too),
		cmocka_unit_test(a_rare_slow_call_is_found_at_p99_with_its_cause),
		cmocka_unit_test(the_other_way_round_it_passes),
		cmocka_unit_test(a_new_lock_is_named_with_what_its_holder_does),
		cmocka_unit_test(fewer_than_six_pairs_stay_undecided),
		cmocka_unit_test(spans_of_one_build_are_listed),
		cmocka_unit_test(a_program_that_sleeps_is_not_sliced),
		cmocka_unit_test(one_build_against_itself_tells_what_can_be_seen),
		cmocka_unit_test(what_was_saved_gives_the_same_verdict),
		cmocka_unit_test(rules_stand_in_a_file_of_the_folder),
		cmocka_unit_test(a_build_that_fails_is_an_error_with_its_output),
		cmocka_unit_test(a_build_that_hangs_is_ended_and_an_error),
		cmocka_unit_test(ctrl_c_tells_what_was_learnt),
		cmocka_unit_test(a_budget_that_no_pair_fits_decides_nothing),
		cmocka_unit_test(where_runs_cannot_be_saved_nothing_is_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
