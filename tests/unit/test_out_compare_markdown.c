/* SPDX-License-Identifier: BSD-2-Clause */
/* What a pull request shows of a comparison. How Markdown is read, a test among the viewers says. */
#include "comparisons.h"

#include <stdlib.h>
#include <string.h>

#include "shown.h"
#include "snapshots.h"

static void render(const struct made *made)
{
	show(made_text(out_compare_markdown, made));
}

static void a_report_reads_as_the_golden_file(void **state)
{
	struct made made;

	(void)state;
	made_all(&made);
	made.view.mode_reason = "they compute nearly all of their time";
	render(&made);
	assert_is_file("data/compare-report.md");
	made_done(&made);
}

static void failed_rules_precede_what_changed(void **state)
{
	struct made made;

	(void)state;
	made_all_with_rules(&made);
	render(&made);
	assert_has("### REGRESSION: 1 of 3 rules failed; 1 rule matches no probe\n");
	assert_has("| <code>p99&#62;+10%</code> | <code>logger:flush</code> p99 "
		   "| +17 %, bound +10 % | **FAILED** |\n");
	assert_has("| <code>nosuch lock&#62;+5%</code> |  | it matches no probe of both builds "
		   "| undecided |\n");
	assert_has("\nrules passed in 2 cases\n");
	assert_true(strstr(shown, "**FAILED**") < strstr(shown, "| undecided |"));
	assert_true(strstr(shown, "| undecided |") < strstr(shown, "| probe | | base |"));
	made_done(&made);
}

/* Every row is a whole line, and every block that is opened is closed. */
static void assert_whole(void)
{
	size_t size = strlen(shown);

	assert_true(size <= MARKDOWN_MAX);
	assert_int_equal(shown[size - 1], '\n');
	assert_int_equal(count_of("<details>"), count_of("</details>"));
	assert_int_equal(count_of("<code>"), count_of("</code>"));
	assert_int_equal(count_of("<summary>"), count_of("</summary>"));
	for (const char *s = shown; *s; s += strcspn(s, "\n") + 1) {
		size_t length = strcspn(s, "\n");

		if (strncmp(s, "| ", 2) == 0 && s[length - 1] != '|')
			fail_msg("cut: %.*s", (int)length, s);
	}
}

/* The number before `what`, which is on a line of its own. */
static size_t left_out(const char *what)
{
	const char *at = strstr(shown, what);
	const char *start = at;
	size_t number = 0;

	if (!at)
		fail_msg("nothing says '%s'", what);
	while (start > shown && start[-1] != '\n')
		start--;
	for (; start < at; start++)
		if (*start != ' ')
			number = 10 * number + (size_t)(*start - '0');
	return number;
}

static void thousands_of_hostile_names_fit_a_comment(void **state)
{
	enum { PROBES = 5000 };
	struct made made;
	size_t rows;

	(void)state;
	made_many(&made, PROBES);
	made.view.base = made.view.head = made.view.mode_reason = made.view.unmatched[0]->probe;
	render(&made);
	assert_whole();
	assert_has("### REGRESSION");
	assert_int_equal(count_of("**FAILED**") + count_of("undecided |\n") +
				 left_out("more results of rules"),
			 PROBES);
	rows = count_of("**REGRESS**");
	assert_true(rows >= 10 && rows % 2 == 0);
	assert_int_equal(rows / 2 + left_out("more probes\n"), PROBES / 2);
	assert_true(count_of("</summary>\n\n```") >= 2);
	assert_int_equal(count_of("</summary>\n\n```") + left_out("more probes that changed"),
			 PROBES / 2);
	made_done(&made);
}

/* Wherever the page ends: with names of any length it is cut between rows. */
static void every_size_is_cut_between_rows(void **state)
{
	struct made made;

	(void)state;
	for (size_t count = 1; count < 80; count += 3) {
		made_many(&made, count);
		render(&made);
		assert_whole();
		made_done(&made);
	}
}

static void what_cannot_be_compared_is_not_told(void **state)
{
	struct made made;

	(void)state;
	made_all_with_rules(&made);
	made.info.incomparable = "other kernels";
	render(&made);
	assert_string_equal(shown, "### incomparable: other kernels\n\nbase <code>./old</code>, "
				   "head <code>./new</code>: 10 pairs, sliced\n");
	made_done(&made);
}

static void doubts_stand_in_the_rows_that_they_are_of(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made_change(&made, "a", "p50", 1000, 1.5, PROBEKIT_VERDICT_REGRESS)->doubt = "spans <lost>";
	made_change(&made, "b", "p50", 1000, 1.5, PROBEKIT_VERDICT_UNDECIDED)->doubt = "a|b";
	render(&made);
	assert_has("| **REGRESS**<br>note: spans &#60;lost&#62; |\n");
	assert_has("| runs differ too much<br>note: a&#124;b |\n");
	made_done(&made);
}

static void names_are_no_markup(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made.view.base = "<script>alert(1)</script>";
	made.view.mode_reason = "as @octocat said of #1 | <b>";
	made_change(&made, made_hostile, "p50", 1000, 1.5, PROBEKIT_VERDICT_REGRESS);
	made_change(&made, "__init_x_", "p50", 1000, 1.5, PROBEKIT_VERDICT_REGRESS);
	render(&made);
	assert_has("<code>&#60;script&#62;alert(1)&#60;/script&#62;</code>");
	assert_has("(as @&#8203;octocat said of #&#8203;1 &#124; &#60;b&#62;)");
	assert_has("<code>a&#124;b&#60;c&#62;&#38;\"'&#96;&#64;everyone&#92;x1b&#91;31m&#92;xff"
		   "&#92;x0a&#42;x&#42; &#93;&#93;&#62;</code>");
	assert_has("<code>&#95;&#95;init_x&#95;</code>");
	assert_null(strstr(shown, "<script>"));
	assert_null(strstr(shown, "@everyone"));
	made_done(&made);
}

static void no_name_ends_the_block_that_it_stands_in(void **state)
{
	static const char name[] = "a````` b ```";
	struct made made;

	(void)state;
	made_init(&made);
	made_change(&made, name, "p50", 1000, 1.5, PROBEKIT_VERDICT_REGRESS);
	made_why(&made, name);
	render(&made);
	assert_has("\n``````text\nwhy a````` b ``` is slower");
	assert_has("\n``````\n\n</details>\n");
	made_done(&made);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_report_reads_as_the_golden_file, release),
		cmocka_unit_test_teardown(failed_rules_precede_what_changed, release),
		cmocka_unit_test_teardown(thousands_of_hostile_names_fit_a_comment, release),
		cmocka_unit_test_teardown(every_size_is_cut_between_rows, release),
		cmocka_unit_test_teardown(what_cannot_be_compared_is_not_told, release),
		cmocka_unit_test_teardown(doubts_stand_in_the_rows_that_they_are_of, release),
		cmocka_unit_test_teardown(names_are_no_markup, release),
		cmocka_unit_test_teardown(no_name_ends_the_block_that_it_stands_in, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
