/* SPDX-License-Identifier: BSD-2-Clause */
/* The harness's rounds, on sides that are made up; and its children, on ordinary commands. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "report.h"

/* What the made-up sides saw; `order` is of the sides as they were called. */
static struct {
	char order[4096];
	bool has_begun;
	bool has_ended;
	int fails_from; /* call of the side "fickle" that fails; 0: none */
	int fickle_calls;
	int unsteady_calls;
} seen;

static int begin(struct bench_run *run)
{
	(void)run;
	seen.has_begun = true;
	return 0;
}

static void end(struct bench_run *run)
{
	(void)run;
	seen.has_ended = true;
}

static void note_call(char letter)
{
	size_t length = strlen(seen.order);

	assert_true(length + 1 < sizeof(seen.order));
	seen.order[length] = letter;
	seen.order[length + 1] = 0;
}

static int steady(struct bench_run *run, const struct bench_side *side, double *values)
{
	note_call(side->name[0]);
	values[0] = side->variant;
	bench_note(run, "a note");
	return 0;
}

/* Now little, now much: no ratio to it becomes precise. */
static int unsteady(struct bench_run *run, const struct bench_side *side, double *values)
{
	(void)run;
	note_call(side->name[0]);
	values[0] = seen.unsteady_calls++ % 2 ? 100000 : 100;
	return 0;
}

static int absent(struct bench_run *run, const struct bench_side *side, double *values)
{
	(void)values;
	note_call(side->name[0]);
	return bench_missing(run, "not installed");
}

static int fickle(struct bench_run *run, const struct bench_side *side, double *values)
{
	note_call(side->name[0]);
	values[0] = 1;
	if (++seen.fickle_calls == seen.fails_from) {
		bench_fail(run, "the cause");
		return bench_fail(run, "its consequence");
	}
	return 0;
}

static const struct bench_metric metrics[] = {{"time", "ns"}, {"never filled", "bytes"}, {0}};

static const struct bench_side sides[] = {
	{"untraced", steady, 10, NULL}, {"probekit", steady, 20, NULL}, {"peer", steady, 50, NULL},
	{"missing", absent, 0, NULL},	{"fickle", fickle, 0, NULL},	{0},
};

static const struct bench_ratio ratios[] = {
	{"probekit", "peer", "untraced", "time", 0.5, false},
	{"peer", "probekit", NULL, "time", 2, false},
	{"peer", "probekit", NULL, "time", 2, true},
	{"probekit", "missing", NULL, NULL, 0, false},
	{0},
};

static const struct bench_group group = {
	.name = "made-up",
	.about = "sides that are made up",
	.metrics = metrics,
	.sides = sides,
	.ratios = ratios,
	.rounds = 4,
	.budget_s = 60,
	.begin = begin,
	.end = end,
};

static int forget(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	return 0;
}

static size_t count_calls(char letter)
{
	size_t count = 0;

	for (const char *at = seen.order; *at; at++)
		count += *at == letter;
	return count;
}

static void a_round_runs_every_side_once(void **state)
{
	const struct bench_options options = {0};
	struct bench_run *run = run_group(&group, &options);

	(void)state;
	assert_non_null(run);
	assert_true(seen.has_begun && seen.has_ended);
	assert_int_equal(run->rounds, 4);
	assert_string_equal(run->stopped_by, "precision");
	for (size_t round = 0; round < 3; round++) {
		/* five calls in the first round, four in those after: one side is missing */
		const char *from = seen.order + (round ? 5 + (round - 1) * 4 : 0);

		for (const char *letter = "upf"; *letter; letter++)
			assert_non_null(memchr(from, *letter, round ? 4 : 5));
	}
	assert_int_equal(count_calls('u'), 4);
	assert_int_equal(run->note_count, 1);
	run_free(run);
}

static void a_missing_side_is_asked_once_and_keeps_its_reason(void **state)
{
	const struct bench_options options = {0};
	struct bench_run *run = run_group(&group, &options);

	(void)state;
	assert_int_equal(count_calls('m'), 1);
	assert_int_equal(run->results[3].status, SIDE_MISSING);
	assert_string_equal(run->results[3].reason, "not installed");
	assert_false(run_has_failed(run));
	assert_true(isnan(run->ratios[3].ratio.value));
	run_free(run);
}

static void ratios_are_of_what_was_added_and_know_their_aims(void **state)
{
	const struct bench_options options = {0};
	struct bench_run *run = run_group(&group, &options);

	(void)state;
	assert_true(fabs(run->ratios[0].ratio.value - 0.25) < 1e-9);
	assert_true(ratio_meets_aim(&run->ratios[0]));
	assert_true(fabs(run->ratios[1].ratio.value - 2.5) < 1e-9);
	assert_false(ratio_meets_aim(&run->ratios[1]));
	assert_true(ratio_meets_aim(&run->ratios[2]));
	run_free(run);
}

static void a_side_that_fails_is_out_and_the_first_reason_stays(void **state)
{
	const struct bench_options options = {0};
	struct bench_run *run;

	(void)state;
	seen.fails_from = 2;
	run = run_group(&group, &options);
	assert_int_equal(seen.fickle_calls, 2);
	assert_int_equal(run->results[4].status, SIDE_FAILED);
	assert_string_equal(run->results[4].reason, "the cause");
	assert_true(run_has_failed(run));
	assert_int_equal(run->rounds, 4);
	run_free(run);
}

static void a_ratio_that_stays_wide_ends_with_the_budget(void **state)
{
	static const struct bench_side wide_sides[] = {
		{"untraced", steady, 10, NULL}, {"wide", unsteady, 0, NULL}, {0}};
	static const struct bench_ratio wide_ratios[] = {
		{"wide", "untraced", NULL, "time", 0, false}, {0}};
	static const struct bench_group wide = {
		.name = "wide",
		.about = "",
		.metrics = metrics,
		.sides = wide_sides,
		.ratios = wide_ratios,
	};
	const struct bench_options options = {.rounds = 3, .budget_s = 1e-9};
	struct bench_run *run = run_group(&wide, &options);

	(void)state;
	assert_int_equal(run->rounds, 3);
	assert_string_equal(run->stopped_by, "budget");
	assert_true(run->ratios[0].ratio.half_width > 0.1);
	run_free(run);
}

static char *printed(const struct bench_run *run)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	report_print(run, out);
	fclose(out);
	return text;
}

static void a_ratio_to_what_may_add_nothing_says_so_and_is_not_precise(void **state)
{
	static const struct bench_side uncertain_sides[] = {{"untraced", steady, 10, NULL},
							    {"probekit", steady, 20, NULL},
							    {"wide", unsteady, 0, NULL},
							    {0}};
	static const struct bench_ratio uncertain_ratios[] = {
		{"probekit", "wide", "untraced", "time", 0.5, false}, {0}};
	static const struct bench_group uncertain = {
		.name = "uncertain",
		.about = "",
		.metrics = metrics,
		.sides = uncertain_sides,
		.ratios = uncertain_ratios,
	};
	const struct bench_options options = {.rounds = 3, .budget_s = 1e-9};
	struct bench_run *run = run_group(&uncertain, &options);
	char *text = printed(run);

	(void)state;
	assert_string_equal(run->stopped_by, "budget");
	assert_non_null(strstr(text, "no figure: wide may add nothing\n"));
	assert_null(strstr(text, "MISSED"));
	free(text);
	run_free(run);
}

static int refuse(struct bench_run *run)
{
	return bench_missing(run, "no server");
}

static void a_group_that_cannot_begin_gives_every_side_the_reason(void **state)
{
	struct bench_group refused = group;
	const struct bench_options options = {0};
	struct bench_run *run;

	(void)state;
	refused.begin = refuse;
	run = run_group(&refused, &options);
	assert_int_equal(strlen(seen.order), 0);
	assert_true(seen.has_ended);
	for (size_t i = 0; i < run->side_count; i++)
		assert_string_equal(run->results[i].reason, "no server");
	run_free(run);
}

static void json_has_null_for_what_is_not_known(void **state)
{
	const struct bench_options options = {0};
	struct bench_run *run = run_group(&group, &options);
	json_t *report = report_json(run);
	json_t *first = json_array_get(json_object_get(report, "sides"), 0);
	json_t *values = json_object_get(first, "values");
	json_t *missing = json_array_get(json_object_get(report, "sides"), 3);
	json_t *ratio = json_array_get(json_object_get(report, "ratios"), 0);

	(void)state;
	assert_true(json_is_null(json_object_get(first, "reason")));
	assert_true(json_number_value(json_object_get(json_object_get(values, "time"), "median")) ==
		    10);
	assert_true(
		json_is_null(json_object_get(json_object_get(values, "never filled"), "median")));
	assert_string_equal(json_string_value(json_object_get(missing, "status")), "missing");
	assert_true(json_is_null(json_object_get(missing, "values")));
	assert_true(json_is_true(json_object_get(ratio, "aim_met")));
	json_decref(report);
	run_free(run);
}

/* ---- children: a side may do anything, so a group of one side is the place to start them ---- */

static int (*child_test)(struct bench_run *run);

static int run_child_test(struct bench_run *run, const struct bench_side *side, double *values)
{
	(void)side, (void)values;
	return child_test(run);
}

static struct bench_run *run_with(int (*test)(struct bench_run *run))
{
	static const struct bench_side one[] = {{"side", run_child_test, 0, NULL}, {0}};
	static const struct bench_group children = {
		.name = "children", .about = "", .metrics = metrics, .sides = one, .rounds = 1};
	const struct bench_options options = {.rounds = 1};

	child_test = test;
	return run_group(&children, &options);
}

static int talk(struct bench_run *run)
{
	const char *const argv[] = {"cat", NULL};
	struct bench_child child;
	double answer;

	assert_int_equal(bench_child_start(run, &child, argv), 0);
	assert_int_equal(bench_child_ask(run, &child, &answer, "%d", 42), 0);
	assert_true(answer == 42);
	assert_int_equal(bench_child_tell(&child, "the end"), 0);
	assert_int_equal(bench_child_end(&child, 0, 60000), 0);
	assert_string_equal(child.text, "42\nthe end\n");
	bench_child_done(&child);
	bench_child_done(&child);
	return 0;
}

static void a_child_answers_and_its_text_is_whole(void **state)
{
	struct bench_run *run = run_with(talk);

	(void)state;
	assert_false(run_has_failed(run));
	run_free(run);
}

static int complain(struct bench_run *run)
{
	const char *const argv[] = {"sh", "-c", "echo first >&2; echo last >&2; exit 7", NULL};
	struct bench_child child;

	assert_int_equal(bench_child_run(run, &child, argv, 60000), 7);
	assert_string_equal(bench_child_error(&child), "last");
	assert_int_equal(bench_child_wait_error(&child, "fir", 1), 0);
	bench_child_done(&child);
	return 0;
}

static void the_last_line_of_a_childs_stderr_is_kept(void **state)
{
	struct bench_run *run = run_with(complain);

	(void)state;
	assert_false(run_has_failed(run));
	run_free(run);
}

static pid_t forgotten;

static int forget_child(struct bench_run *run)
{
	const char *const argv[] = {"sleep", "1000", NULL};
	static struct bench_child child;

	assert_int_equal(bench_child_start(run, &child, argv), 0);
	forgotten = child.pid;
	assert_int_equal(kill(forgotten, 0), 0);
	return 0;
}

static void no_child_outlives_its_group(void **state)
{
	struct bench_run *run = run_with(forget_child);

	(void)state;
	assert_int_equal(kill(forgotten, 0), -1);
	run_free(run);
}

static char folder[64];

static int use_scratch(struct bench_run *run)
{
	const char *scratch = bench_scratch(run);
	char path[128];
	FILE *file;

	assert_non_null(scratch);
	assert_ptr_equal(bench_scratch(run), scratch);
	snprintf(folder, sizeof(folder), "%s", scratch);
	snprintf(path, sizeof(path), "%s/file", scratch);
	file = fopen(path, "we");
	assert_non_null(file);
	fclose(file);
	return 0;
}

static void the_scratch_folder_goes_with_its_group(void **state)
{
	struct bench_run *run = run_with(use_scratch);

	(void)state;
	assert_int_equal(access(folder, F_OK), -1);
	run_free(run);
}

/* In a process of its own, which is killed while it has the folder. */
static void the_scratch_folder_goes_with_a_bench_that_is_killed(void **state)
{
	struct side_result result = {0};
	struct bench_run run = {.current = &result};
	char path[64] = "";
	int told[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(told), 0);
	pid = fork();
	if (pid == 0) {
		const char *scratch = bench_scratch(&run);

		if (!scratch || write(told[1], scratch, strlen(scratch) + 1) < 0)
			_exit(1);
		pause();
	}
	assert_true(read(told[0], path, sizeof(path) - 1) > 0);
	assert_int_equal(access(path, F_OK), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	while (access(path, F_OK) == 0) /* the test's timeout is the limit */
		usleep(1000);
	close(told[0]);
	close(told[1]);
}

static void printed_histograms_of_both_kinds_are_counted(void **state)
{
	(void)state;
	assert_int_equal(bench_histogram_count("@h: \n[256, 512)      7 |@@  |\n"
					       "[1K, 2K)          5 |@   |\n"),
			 12);
	assert_int_equal(bench_histogram_count("     nsecs               : count    distribution\n"
					       "       256 -> 511        : 30     |***|\n"
					       "       512 -> 1023       : 4      |   |\n"),
			 34);
	assert_int_equal(bench_histogram_count(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_round_runs_every_side_once, forget),
		cmocka_unit_test_setup(a_missing_side_is_asked_once_and_keeps_its_reason, forget),
		cmocka_unit_test_setup(ratios_are_of_what_was_added_and_know_their_aims, forget),
		cmocka_unit_test_setup(a_side_that_fails_is_out_and_the_first_reason_stays, forget),
		cmocka_unit_test_setup(a_ratio_that_stays_wide_ends_with_the_budget, forget),
		cmocka_unit_test_setup(a_ratio_to_what_may_add_nothing_says_so_and_is_not_precise,
				       forget),
		cmocka_unit_test_setup(a_group_that_cannot_begin_gives_every_side_the_reason,
				       forget),
		cmocka_unit_test_setup(json_has_null_for_what_is_not_known, forget),
		cmocka_unit_test(a_child_answers_and_its_text_is_whole),
		cmocka_unit_test(the_last_line_of_a_childs_stderr_is_kept),
		cmocka_unit_test(no_child_outlives_its_group),
		cmocka_unit_test(the_scratch_folder_goes_with_its_group),
		cmocka_unit_test(the_scratch_folder_goes_with_a_bench_that_is_killed),
		cmocka_unit_test(printed_histograms_of_both_kinds_are_counted),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
