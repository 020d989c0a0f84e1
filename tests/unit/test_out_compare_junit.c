/* SPDX-License-Identifier: BSD-2-Clause */
/* What continuous integration reads of a comparison. That it is well-formed, a test among the viewers says. */
#include "comparisons.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shown.h"
#include "snapshots.h"

static void render(const struct made *made)
{
	show(made_text(out_compare_junit, made));
}

static void a_report_reads_as_the_golden_file(void **state)
{
	struct made made;

	(void)state;
	made_all(&made);
	made.view.mode_reason = "they compute nearly all of their time";
	render(&made);
	assert_is_file("data/compare-report.xml");
	made_done(&made);
}

static void with_rules_each_result_is_a_test_case(void **state)
{
	struct made made;

	(void)state;
	made_all_with_rules(&made);
	render(&made);
	assert_has("tests=\"5\" failures=\"1\" errors=\"0\" skipped=\"2\">");
	assert_int_equal(count_of("<testcase "), 5);
	assert_int_equal(count_of("<failure "), 1);
	assert_int_equal(count_of("<skipped "), 2);
	assert_has("<testcase classname=\"web:parse\" name=\"p99&gt;+10%\">\n      <system-out>");
	assert_has("<testcase classname=\"logger:flush\" name=\"p99&gt;+10%\">\n"
		   "      <failure type=\"regression\" message=\"+17 %, bound +10 %\"/>\n"
		   "      <system-out>18 ms -&gt; 21.1 ms, +17 % (+12 to +22 %), p 0.002\n\n"
		   "why logger:flush is slower: +3.1 ms of lock wait on log_mutex");
	assert_has("<testcase classname=\"no probe\" name=\"nosuch lock&gt;+5%\">\n"
		   "      <skipped message=\"it matches no probe of both builds\"/>\n"
		   "    </testcase>");
	made_done(&made);
}

static void what_cannot_be_compared_neither_fails_nor_passes(void **state)
{
	struct made made;

	(void)state;
	made_all(&made);
	made.info.incomparable = "other kernels";
	render(&made);
	assert_has("tests=\"10\" failures=\"0\" errors=\"0\" skipped=\"10\">");
	assert_int_equal(count_of("<skipped message=\"other kernels\"/>"), 10);
	assert_has("<system-out>incomparable: other kernels\n");
	made_done(&made);
}

static void nothing_compared_is_an_empty_suite(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made.info.outcome = PROBEKIT_RULE_UNDECIDED;
	render(&made);
	assert_has("tests=\"0\" failures=\"0\" errors=\"0\" skipped=\"0\">");
	assert_has("undecided: no probe has spans in both builds");
	made_done(&made);
}

static void what_is_not_known_is_told_in_words(void **state)
{
	struct made made;
	struct probekit_change *change;

	(void)state;
	made_init(&made);
	change = made_change(&made, "a", "p50", NAN, NAN, PROBEKIT_VERDICT_UNDECIDED);
	change->pairs_needed = 5000;
	render(&made);
	assert_has("; more than 999 more pairs needed");
	assert_has("<system-out>not measured\n");
	made_done(&made);
}

/* XML 1.0 has no control characters but tab and line breaks, and neither U+FFFE nor U+FFFF. */
static void foreign_names_hold_no_character_that_xml_forbids(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made.view.base = "\xef\xbf\xbf\xef\xbf\xbe\xef\xbf\xbd";
	made_change(&made, made_hostile, "p50", 1000, 1.5, PROBEKIT_VERDICT_REGRESS);
	made_unmatched(&made, made_hostile, true)->reason = made_hostile;
	made_why(&made, made_hostile);
	render(&made);
	assert_has("<property name=\"base\" value=\"??\xef\xbf\xbd\"/>");
	assert_has(
		"<testcase classname=\"a|b&lt;c&gt;&amp;&quot;&apos;`@everyone\\x1b[31m\\xff\\x0a"
		"*x* ]]&gt;\" name=\"p50\">");
	for (const char *c = shown; *c; c++)
		assert_true(*c == '\n' || (unsigned char)*c >= 0x20);
	assert_null(strstr(shown, "\xff"));
	assert_null(strstr(shown, "]]>"));
	made_done(&made);
}

/* Names that differ far behind their beginning are other test cases. */
static void long_names_are_not_cut(void **state)
{
	static char name[3000];
	struct made made;
	const char *at;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	made_init(&made);
	made_change(&made, name, "p50", 1000, 1, PROBEKIT_VERDICT_SAME);
	render(&made);
	at = strstr(shown, "classname=\"n");
	assert_non_null(at);
	assert_int_equal(strspn(at + strlen("classname=\""), "n"), sizeof(name) - 1);
	made_done(&made);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_report_reads_as_the_golden_file, release),
		cmocka_unit_test_teardown(with_rules_each_result_is_a_test_case, release),
		cmocka_unit_test_teardown(what_cannot_be_compared_neither_fails_nor_passes,
					  release),
		cmocka_unit_test_teardown(nothing_compared_is_an_empty_suite, release),
		cmocka_unit_test_teardown(what_is_not_known_is_told_in_words, release),
		cmocka_unit_test_teardown(foreign_names_hold_no_character_that_xml_forbids,
					  release),
		cmocka_unit_test_teardown(long_names_are_not_cut, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
