/* SPDX-License-Identifier: BSD-2-Clause */
/* What a person reads of a comparison. */
#include "comparisons.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shown.h"
#include "snapshots.h"

static void render_styled(const struct made *made, unsigned int width, bool has_colour)
{
	const struct text_style style = {.width = width, .has_colour = has_colour};
	FILE *out = show_open();
	int result = out_compare_text(out, &style, &made->view);

	assert_int_equal(fclose(out), 0);
	assert_int_equal(result, 0);
}

static void render(const struct made *made)
{
	render_styled(made, 80, false);
}

static void assert_begins(const struct made *made, const char *sentence)
{
	render(made);
	if (strncmp(shown, sentence, strlen(sentence)) != 0 || shown[strlen(sentence)] != '\n')
		fail_msg("not '%s', but:\n%s", sentence, shown);
}

static void a_report_reads_as_the_golden_file(void **state)
{
	struct made made;

	(void)state;
	made_all(&made);
	made.view.mode_reason = "they compute nearly all of their time";
	render(&made);
	assert_is_file("data/compare-report.txt");
	made_done(&made);
}

static void a_report_of_rules_reads_as_the_golden_file(void **state)
{
	struct made made;

	(void)state;
	made_all_with_rules(&made);
	render_styled(&made, 120, false);
	assert_is_file("data/compare-rules.txt");
	made_done(&made);
}

/* ---- the first line ---- */

static void the_outcome_is_one_sentence(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made_probe(&made, "a", 1000, 1, PROBEKIT_VERDICT_SAME);
	made_probe(&made, "b", 1000, 1, PROBEKIT_VERDICT_SAME);
	assert_begins(&made, "no regression: 2 of 2 probes the same within 2 %");
	made_probe(&made, "c", 1000, 0.5, PROBEKIT_VERDICT_IMPROVE);
	assert_begins(&made, "no regression: 2 of 3 probes the same within 2 %, 1 faster");
	made_probe(&made, "d", 1000, 1.1, PROBEKIT_VERDICT_UNDECIDED);
	assert_begins(&made, "no regression found; 2 of 8 measures undecided, 1 probe faster");
	made_probe(&made, "e", 1000, 1.1, PROBEKIT_VERDICT_REGRESS);
	made.info.outcome = PROBEKIT_RULE_FAILED;
	assert_begins(&made, "REGRESSION: 1 of 5 probes is slower for certain");
	made_done(&made);
}

/* The p99 of a probe may be anything, though its p50 is the same. */
static void what_is_undecided_is_counted_by_measures(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made_change(&made, "a", "p50", 1000, 1, PROBEKIT_VERDICT_SAME);
	made_change(&made, "a", "p99", 9000, 1, PROBEKIT_VERDICT_UNDECIDED);
	assert_begins(&made, "no regression found; 1 of 2 measures undecided");
	made_done(&made);
}

static void what_cannot_be_compared_is_not_told(void **state)
{
	struct made made;

	(void)state;
	made_all_with_rules(&made);
	made.info.incomparable = "other \x1b kernels";
	made.view.is_verbose = true;
	render(&made);
	assert_string_equal(shown, "incomparable: other \\x1b kernels\n"
				   "base ./old, head ./new: 10 pairs, sliced\n");
	made_done(&made);
}

static void what_is_undecided_says_how_many_pairs_are_missing(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made.info.outcome = PROBEKIT_RULE_UNDECIDED;
	assert_begins(&made, "undecided: no probe has spans in both builds");
	made_probe(&made, "a", 1000, 1.1, PROBEKIT_VERDICT_UNDECIDED);
	assert_begins(&made,
		      "undecided: 10 pairs decide none of 1 probe; about 4 more would decide some");
	made_probe(&made, "b", 1000, 1.1, PROBEKIT_VERDICT_UNDECIDED);
	((struct probekit_change *)(uintptr_t)made.view.changes[4])->pairs_needed = 30;
	assert_begins(
		&made,
		"undecided: 10 pairs decide none of 2 probes; about 4 more would decide some");
	made_rule(&made, "p50>+1%", made.view.changes[0], PROBEKIT_RULE_UNDECIDED, 0.1, 0.01);
	assert_begins(&made,
		      "undecided: 10 pairs decide none of 1 rule; about 7 more would decide some");
	made_done(&made);
}

static void rules_are_counted_once_whatever_they_apply_to(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made_probe(&made, "a", 1000, 1.1, PROBEKIT_VERDICT_REGRESS);
	made_probe(&made, "b", 1000, 1.1, PROBEKIT_VERDICT_SAME);
	made_rule(&made, "p50>+20%", made.view.changes[0], PROBEKIT_RULE_PASSED, 0.1, 0.2);
	made_rule(&made, "p50>+20%", made.view.changes[4], PROBEKIT_RULE_PASSED, 0.1, 0.2);
	assert_begins(&made,
		      "no rule failed: 1 of 1 rule passed; 1 of 2 probes is slower for certain");
	made_rule(&made, "p99>+20%", made.view.changes[2], PROBEKIT_RULE_PASSED, 0.1, 0.2);
	made_rule(&made, "p99>+20%", made.view.changes[6], PROBEKIT_RULE_FAILED, 0.3, 0.2);
	made.info.outcome = PROBEKIT_RULE_FAILED;
	assert_begins(&made, "REGRESSION: 1 of 2 rules failed");
	made_done(&made);
}

static void a_rule_that_matches_nothing_is_no_undecided_one(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made.info.outcome = PROBEKIT_RULE_UNDECIDED;
	made_probe(&made, "a", 1000, 1, PROBEKIT_VERDICT_SAME);
	made_rule(&made, "b p50>+20%", NULL, PROBEKIT_RULE_UNDECIDED, NAN, 0.2);
	assert_begins(&made, "undecided: 1 rule matches no probe");
	made_rule(&made, "p99>+20%", made.view.changes[2], PROBEKIT_RULE_UNDECIDED, 0.1, 0.2);
	render_styled(&made, 120, false);
	assert_has("undecided: 10 pairs decide none of 2 rules; about 7 more would decide some; "
		   "1 rule matches no probe\n");
	made_rule(&made, "p50>+20%", made.view.changes[0], PROBEKIT_RULE_PASSED, 0.1, 0.2);
	made.info.outcome = PROBEKIT_RULE_PASSED;
	assert_begins(&made,
		      "no rule failed: 1 of 3 rules passed, 1 undecided; 1 rule matches no probe");
	made_done(&made);
}

/* The change itself is decided: what is missing is of the rule. */
static void an_undecided_rule_tells_its_own_reason_and_pairs(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made_probe(&made, "a", 1000, 1.1, PROBEKIT_VERDICT_REGRESS);
	made_rule(&made, "p50>+10%", made.view.changes[0], PROBEKIT_RULE_UNDECIDED, 0.1, 0.1);
	render_styled(&made, 140, false);
	assert_has("  undecided  p50>+10%  a p50: +10 %, bound +10 %; its increase may be beyond "
		   "the bound or not; about 7 more pairs needed\n");
	made_done(&made);
}

static void doubts_stand_under_the_rows_that_they_are_of(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made_change(&made, "a", "p50", 1000, 1.5, PROBEKIT_VERDICT_REGRESS)->doubt =
		"some of its spans were lost";
	made_change(&made, "a", "p99", 9000, 1.5, PROBEKIT_VERDICT_REGRESS)->doubt =
		"some of its spans were lost";
	made_change(&made, "b", "p50", 1000, 1.5, PROBEKIT_VERDICT_REGRESS)->doubt = "\x1b";
	made_change(&made, "b", "p99", 9000, 1.5, PROBEKIT_VERDICT_UNDECIDED);
	made_rule(&made, "p50>+1%", made.view.changes[0], PROBEKIT_RULE_FAILED, 0.5, 0.01);
	render_styled(&made, 120, false);
	assert_int_equal(count_of("  note: some of its spans were lost\n"), 1);
	assert_has("REGRESS\n                note: some of its spans were lost\n  b  ");
	assert_has("REGRESS\n                note: \\x1b\n                p99  ");
	assert_has("a p50: +50 %, bound +1.0 %; note: some of its spans were lost  p 0.002\n");
	made_done(&made);
}

static void one_build_against_itself_has_false_alarms_only(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made.view.is_same_build = true;
	made_probe(&made, "a", 1000, 1, PROBEKIT_VERDICT_SAME);
	made.info.detectable = 0.031;
	assert_begins(&made, "no false alarm in 1 probe");
	render_styled(&made, 120, false);
	assert_has("a change of 3.1 % would be found by 10 pairs four times of five, in any "
		   "measure\n");
	made.info.detectable_known = 1;
	render_styled(&made, 120, false);
	assert_has("four times of five, in 1 of 2 measures\n");
	made_probe(&made, "b", 1000, 0.9, PROBEKIT_VERDICT_IMPROVE);
	assert_begins(&made, "FALSE ALARM: 1 of 2 probes differs, and both builds are one");
	made_done(&made);
}

/* ---- the table ---- */

static void probes_stand_worst_first_and_the_same_are_summed_up(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made.info.outcome = PROBEKIT_RULE_FAILED;
	made_probe(&made, "alike", 1000, 1, PROBEKIT_VERDICT_SAME);
	made_probe(&made, "unknown", 1000, 1.9, PROBEKIT_VERDICT_UNDECIDED);
	made_probe(&made, "better", 1000, 0.1, PROBEKIT_VERDICT_IMPROVE);
	made_probe(&made, "worse", 1000, 1.1, PROBEKIT_VERDICT_REGRESS);
	made_probe(&made, "worst", 1000, 1.2, PROBEKIT_VERDICT_REGRESS);
	render(&made);
	assert_true(strstr(shown, "worst") < strstr(shown, "worse"));
	assert_true(strstr(shown, "worse") < strstr(shown, "better"));
	assert_true(strstr(shown, "better") < strstr(shown, "unknown"));
	assert_has("  1 probe the same within 2 %\n");
	assert_lacks("alike");
	assert_lacks("p90");
	made.view.is_verbose = true;
	render(&made);
	assert_true(strstr(shown, "unknown") < strstr(shown, "alike"));
	assert_has("p99.9");
	assert_has("(info)");
	made_done(&made);
}

static void undecided_measures_stand_by_their_reasons(void **state)
{
	struct made made;
	struct probekit_change *p99;

	(void)state;
	made_init(&made);
	made_probe(&made, "a", 1000, 1.1, PROBEKIT_VERDICT_UNDECIDED);
	made_probe(&made, "b", 1000, 1.1, PROBEKIT_VERDICT_UNDECIDED);
	p99 = (struct probekit_change *)(uintptr_t)made.view.changes[2];
	p99->reason = "too few spans in a run";
	p99->pairs_needed = 0;
	p99->detectable = NAN;
	p99 = (struct probekit_change *)(uintptr_t)made.view.changes[6];
	p99->pairs_needed = 5000;
	render(&made);
	assert_has("\nundecided: runs differ too much\n"
		   "  probe              change  95 % interval      p  more pairs  would find\n"
		   "  a             p50   +10 %  +5.0 to +15 %  0.400           4         8 %\n"
		   "  b             p50   +10 %  +5.0 to +15 %  0.400           4         8 %\n"
		   "                p99   +10 %  +5.0 to +15 %  0.400        >999         8 %\n"
		   "\nundecided: too few spans in a run\n");
	assert_has("  a             p99   +10 %  +5.0 to +15 %  0.400           -           -\n");
	made_done(&made);
}

static void many_undecided_probes_are_summed_up(void **state)
{
	static char names[30][8];
	struct made made;

	(void)state;
	made_init(&made);
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(names[i], sizeof(names[i]), "n%zu", i);
		made_probe(&made, names[i], 1000, 1.1, PROBEKIT_VERDICT_UNDECIDED);
	}
	render(&made);
	assert_int_equal(count_of("p50   +10 %"), 20);
	assert_has("  10 more probes\n");
	made.view.is_verbose = true;
	render(&made);
	assert_int_equal(count_of("p50   +10 %"), 30);
	assert_lacks("more probes");
	made_done(&made);
}

static void what_is_not_known_has_a_dash(void **state)
{
	struct made made;
	struct probekit_change *change;

	(void)state;
	made_init(&made);
	made.view.is_verbose = true;
	change = made_change(&made, "a", "p50", NAN, NAN, PROBEKIT_VERDICT_UNDECIDED);
	change->p_regress = change->p_improve = NAN;
	render(&made);
	assert_has("a             p50     -     -       -              -  -  undecided\n");
	change->base = 0;
	change->head = 3e6;
	change->ratio = change->low = change->high = INFINITY;
	render(&made);
	assert_has("p50  0 ns  3 ms     new              -  -  undecided\n");
	made_done(&made);
}

static void quantities_have_no_unit_of_time(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made_change(&made, "queue:depth", "p50", 2, 1.5, PROBEKIT_VERDICT_REGRESS)->kind =
		PROBEKIT_KIND_VALUE;
	made_rule(&made, "p50>+3", made.view.changes[0], PROBEKIT_RULE_PASSED, 1, 3);
	made.view.is_verbose = true;
	render(&made);
	assert_has("  queue:depth   p50     2     3   +50 %   +45 to +55 %  0.002  REGRESS\n");
	assert_has("queue:depth p50: +1, bound +3  p 0.002\n");
	made_done(&made);
}

static void foreign_text_cannot_steer_the_terminal(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made.view.base = made_hostile;
	made.view.mode_reason = made_hostile;
	made_probe(&made, made_hostile, 1000, 1.1, PROBEKIT_VERDICT_REGRESS);
	made_unmatched(&made, made_hostile, true)->reason = made_hostile;
	made_rule(&made, made_hostile, made.view.changes[0], PROBEKIT_RULE_FAILED, 0.1, 0.01);
	made_why(&made, made_hostile);
	render(&made);
	for (const char *c = shown; *c; c++)
		assert_true(*c == '\n' || (unsigned char)*c >= 0x20);
	assert_int_equal(count_of("\\x1b[31m\\xff\\x0a"), 8);
	made_done(&made);
}

static void colour_is_only_where_it_is_wanted(void **state)
{
	struct made made;

	(void)state;
	made_all_with_rules(&made);
	render(&made);
	assert_lacks("\033");
	render_styled(&made, 80, true);
	assert_has("\033[33mREGRESS\033[0m");
	assert_has("\033[33m+++");
	made_done(&made);
}

static void no_line_of_usual_names_is_longer_than_the_screen(void **state)
{
	struct made made;

	(void)state;
	made_all_with_rules(&made);
	made.view.unmatched_count = 1; /* without the name of many columns */
	for (unsigned int width = 80; width <= 140; width += 15) {
		render_styled(&made, width, false);
		assert_fits(width);
	}
	made.view.unmatched_count = 2;
	made_done(&made);
}

/* ---- why ---- */

static void what_became_faster_tells_what_its_holder_did_before(void **state)
{
	struct made made;
	struct probekit_why *why;

	(void)state;
	made_init(&made);
	made_probe(&made, "a", 1000, 0.5, PROBEKIT_VERDICT_IMPROVE);
	why = made_why(&made, "a");
	why->classes[0].base_ns = 3.3e6;
	why->classes[0].head_ns = 0.2e6;
	why->causes[0].base_ns = 3.2e6;
	why->causes[0].head_ns = 0.2e6;
	why->causes[0].is_of_head = false;
	render_styled(&made, 120, false);
	assert_has("why a is faster: -3.1 ms of lock wait on log_mutex (logger+0x4050); "
		   "holder was in fsync\n");
	made_done(&made);
}

/* A larger difference the other way round is not why it is slower, nor one that chance may make. */
static void the_sentence_is_of_a_certain_difference_in_the_direction_of_the_change(void **state)
{
	struct made made;
	struct probekit_why *why;

	(void)state;
	made_init(&made);
	made_probe(&made, "a", 1000, 1.5, PROBEKIT_VERDICT_REGRESS);
	why = made_why(&made, "a");
	why->classes[0] = (struct probekit_difference){PROBEKIT_CLASS_LOCK, 9e6, 1e6, true};
	why->classes[1] = (struct probekit_difference){PROBEKIT_CLASS_RUNQUEUE, 0, 5e6, false};
	why->classes[2] = (struct probekit_difference){PROBEKIT_CLASS_DISK, 0, 2e6, true};
	why->causes[1].head_ns = 2e6;
	why->causes[1].base_ns = 0;
	render_styled(&made, 120, false);
	assert_has("why a is slower: +2 ms of disk wait: fsync(\"/var/log/app.log\")\n");
	why->classes[2].is_certain = false;
	render_styled(&made, 120, false);
	assert_has("why a is slower: +5 ms of waiting for a CPU, not certain\n");
	why->class_count = 0;
	render_styled(&made, 120, false);
	assert_has("why a is slower\n");
	made_done(&made);
}

static void a_hot_function_is_why_only_where_it_is_what_differs(void **state)
{
	static struct probekit_frame frame = {.function = "longest_match", .module = "/x"};
	static const struct probekit_cause hot = {
		.time_class = PROBEKIT_CLASS_ONCPU,
		.stack = {.frames = &frame, .size = 1, .share = 0.8},
	};
	struct made made;
	struct probekit_why *why;

	(void)state;
	made_init(&made);
	made_probe(&made, "a", 1000, 1.5, PROBEKIT_VERDICT_REGRESS);
	why = made_why(&made, "a");
	why->classes[0] = (struct probekit_difference){PROBEKIT_CLASS_ONCPU, 0, 9e6, true};
	why->causes[0] = (struct probekit_cause_difference){&hot, true, 0, 9e6, false};
	render_styled(&made, 120, false);
	assert_has("why a is slower: +9 ms on CPU\n");
	assert_has("in longest_match, 80 % of it, hot but not known to be what differs");
	why->causes[0].is_located = true;
	render_styled(&made, 120, false);
	assert_has("why a is slower: +9 ms on CPU: in longest_match, 80 % of it\n");
	assert_lacks("not known to be");
	made_done(&made);
}

/* What failed is told, not that the probe is faster otherwise. */
static void why_a_rule_failed_precedes_what_improved(void **state)
{
	struct made made;
	struct probekit_change *lock;
	struct probekit_change *mean;
	struct probekit_why *why;

	(void)state;
	made_init(&made);
	made_probe(&made, "a", 1000, 0.5, PROBEKIT_VERDICT_IMPROVE);
	lock = made_change(&made, "a", "lock", 200e3, 16.5, PROBEKIT_VERDICT_REGRESS);
	mean = made_change(&made, "a", "mean", 200e3, 1.5, PROBEKIT_VERDICT_REGRESS);
	made.view.change_count -= 2; /* they are of rules alone */
	made_rule(&made, "lock>+20%", lock, PROBEKIT_RULE_FAILED, 15.5, 0.2);
	why = made_why(&made, "a");
	why->classes[1] = why->classes[0];
	why->classes[0] = (struct probekit_difference){PROBEKIT_CLASS_ONCPU, 0, 9e6, true};
	render_styled(&made, 120, false);
	assert_has("why a has more lock time: +3.1 ms of lock wait on log_mutex "
		   "(logger+0x4050); holder now in fsync\n");
	assert_lacks("why a is faster");
	((struct probekit_rule_result *)(uintptr_t)made.view.rules[0])->change = mean;
	render_styled(&made, 120, false);
	assert_has("why a is slower: +9 ms on CPU\n");
	free(lock);
	free(mean);
	made_done(&made);
}

static void small_differences_are_left_out_unless_all_is_wanted(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	made_probe(&made, "a", 1000, 1.5, PROBEKIT_VERDICT_REGRESS);
	made_why(&made, "a");
	render(&made);
	assert_has("     -300 us  runqueue     500 us   200 us  not certain\n");
	assert_lacks("-10 us  disk");
	made.view.is_verbose = true;
	render(&made);
	assert_has("-10 us  disk          10 us     0 ns\n");
	made_done(&made);
}

static void bars_show_what_one_build_has_beyond_the_other(void **state)
{
	struct made made;
	struct probekit_why *why;

	(void)state;
	made_init(&made);
	made_change(&made, "depth", "p50", 2, 1.5, PROBEKIT_VERDICT_REGRESS)->kind =
		PROBEKIT_KIND_VALUE;
	why = made_why(&made, "depth");
	why->base.index[0] = 0; /* (1, 2] */
	why->base.count[0] = 90;
	why->base.size = 1;
	why->base.zero_count = 10;
	why->head.index[0] = 0;
	why->head.count[0] = 10;
	why->head.index[1] = 3; /* (8, 16] */
	why->head.count[1] = 80;
	why->head.size = 2;
	why->head.negative_count = 10;
	render_styled(&made, 60, false);
	assert_has("    value   base   head  square roots: # both, - base alone, + head alone\n"
		   "  below 0          10 % |++++++++++++\n"
		   "        0   10 %        |------------\n"
		   "        2   90 %   10 % |############-----------------------\n"
		   "    3 - 4               |\n"
		   "    5 - 8               |\n"
		   "   9 - 16          80 % |+++++++++++++++++++++++++++++++++\n");
	made_done(&made);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_report_reads_as_the_golden_file, release),
		cmocka_unit_test_teardown(a_report_of_rules_reads_as_the_golden_file, release),
		cmocka_unit_test_teardown(the_outcome_is_one_sentence, release),
		cmocka_unit_test_teardown(what_is_undecided_says_how_many_pairs_are_missing,
					  release),
		cmocka_unit_test_teardown(what_is_undecided_is_counted_by_measures, release),
		cmocka_unit_test_teardown(what_cannot_be_compared_is_not_told, release),
		cmocka_unit_test_teardown(rules_are_counted_once_whatever_they_apply_to, release),
		cmocka_unit_test_teardown(a_rule_that_matches_nothing_is_no_undecided_one, release),
		cmocka_unit_test_teardown(an_undecided_rule_tells_its_own_reason_and_pairs,
					  release),
		cmocka_unit_test_teardown(doubts_stand_under_the_rows_that_they_are_of, release),
		cmocka_unit_test_teardown(one_build_against_itself_has_false_alarms_only, release),
		cmocka_unit_test_teardown(probes_stand_worst_first_and_the_same_are_summed_up,
					  release),
		cmocka_unit_test_teardown(undecided_measures_stand_by_their_reasons, release),
		cmocka_unit_test_teardown(many_undecided_probes_are_summed_up, release),
		cmocka_unit_test_teardown(what_is_not_known_has_a_dash, release),
		cmocka_unit_test_teardown(quantities_have_no_unit_of_time, release),
		cmocka_unit_test_teardown(foreign_text_cannot_steer_the_terminal, release),
		cmocka_unit_test_teardown(colour_is_only_where_it_is_wanted, release),
		cmocka_unit_test_teardown(no_line_of_usual_names_is_longer_than_the_screen,
					  release),
		cmocka_unit_test_teardown(what_became_faster_tells_what_its_holder_did_before,
					  release),
		cmocka_unit_test_teardown(
			the_sentence_is_of_a_certain_difference_in_the_direction_of_the_change,
			release),
		cmocka_unit_test_teardown(a_hot_function_is_why_only_where_it_is_what_differs,
					  release),
		cmocka_unit_test_teardown(why_a_rule_failed_precedes_what_improved, release),
		cmocka_unit_test_teardown(small_differences_are_left_out_unless_all_is_wanted,
					  release),
		cmocka_unit_test_teardown(bars_show_what_one_build_has_beyond_the_other, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
