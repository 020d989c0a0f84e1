/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns `probekit compare`: two builds run by turns until there are pairs enough to tell them apart. */
#include "cmd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "build_arguments.h"
#include "clock.h"
#include "duet.h"
#include "format.h"
#include "measure.h"
#include "output_check.h"
#include "rights.h"
#include "runs.h"
#include "verdict.h"

enum { PAIRS_DEFAULT = 10, PAIRS_MAX = 1000 };

struct options {
	const char *base;
	const char *head;
	struct opt_integer pairs;
	const char *mode;
	struct opt_integer warm_up;
	uint64_t budget_ns;
	uint64_t timeout_ns;
	bool is_aa;
	const char *save_base;
	const char *save_head;
	struct measure_what what;
	bool has_children;
	double max_overhead;
	bool is_forced;
	struct verdict_options verdict;
};

static const struct opt option_table[] = {
	{0, "base", OPT_FILE, "A", offsetof(struct options, base),
	 "The build to compare with: a program of the current folder, else of PATH, run with the "
	 "arguments behind \"--\"."},
	{0, "head", OPT_FILE, "B", offsetof(struct options, head), "The build that is judged."},
	{0, "pairs", OPT_INTEGER, "R", offsetof(struct options, pairs),
	 "How many runs of each (10); fewer than six decide nothing."},
	{0, "mode", OPT_TEXT, "MODE", offsetof(struct options, mode),
	 "\"pairs\": one run after the other; \"sliced\": both at once on one CPU, by turns of "
	 "5 ms, which sees smaller changes but is for programs that compute; \"auto\": sliced where "
	 "a run by itself shows that it suits (auto)."},
	{0, "warm-up", OPT_INTEGER, "N", offsetof(struct options, warm_up),
	 "Runs of each before those that count (1)."},
	{0, "budget", OPT_DURATION, "SECONDS", offsetof(struct options, budget_ns),
	 "Begin no pair that would end later than this; what is known then is the result."},
	{0, "timeout", OPT_DURATION, "SECONDS", offsetof(struct options, timeout_ns),
	 "End a run that takes longer, which is an error (600)."},
	{0, "aa", OPT_FLAG, NULL, offsetof(struct options, is_aa),
	 "Compare --base with itself: the smallest change that this machine can see."},
	MEASURE_WHAT_OPTIONS(struct options, what),
	{0, "children", OPT_FLAG, NULL, offsetof(struct options, has_children),
	 "Measure the processes too that the program creates."},
	{0, "max-overhead", OPT_SHARE, "SHARE", offsetof(struct options, max_overhead),
	 "How much of one CPU probing functions may take (5%)."},
	{0, "force", OPT_FLAG, NULL, offsetof(struct options, is_forced),
	 "Drop no function, whatever it costs."},
	{0, "save-base", OPT_FILE, "FILE", offsetof(struct options, save_base),
	 "Keep the runs of base, for diff and --from."},
	{0, "save-head", OPT_FILE, "FILE", offsetof(struct options, save_head),
	 "The same of head."},
	VERDICT_OPTIONS(struct options),
	{0},
};

/* ---- runs ---- */

/* Everything of one comparison. */
struct trial {
	const struct options *options;
	struct run_request base;
	struct run_request head;
	struct verdict_rules rules;
	struct probekit_snapshot **base_runs;
	struct probekit_snapshot **head_runs;
	struct probekit_snapshot *base_joined; /* owns these runs from then on */
	struct probekit_snapshot *head_joined;
	size_t done;
	size_t wanted;
	bool is_sliced;
	const char *mode_reason; /* NULL: the mode was asked for */
	char reason_text[256];
	char asked_text[300];
	uint64_t random;
	uint64_t started_ns;
	uint64_t first_pair_ns;
};

static int run_in_order(struct trial *trial, struct run_result *base, struct run_result *head,
			struct probekit_error *err)
{
	bool is_head_first = clock_next_random(&trial->random) & 1;
	int result;

	if (is_head_first) {
		result = run_once(&trial->head, head, err);
		if (!result)
			result = run_once(&trial->base, base, err);
	} else {
		result = run_once(&trial->base, base, err);
		if (!result)
			result = run_once(&trial->head, head, err);
	}
	return result;
}

static int run_pair(struct trial *trial, struct probekit_error *err)
{
	struct run_result base = {0};
	struct run_result head = {0};
	int result = trial->is_sliced
			     ? duet_run(&trial->base, &trial->head,
					clock_next_random(&trial->random), &base, &head, err)
			     : run_in_order(trial, &base, &head, err);

	if (result) {
		probekit_snapshot_free(base.snapshot);
		probekit_snapshot_free(head.snapshot);
		return result;
	}
	trial->base_runs[trial->done] = base.snapshot;
	trial->head_runs[trial->done] = head.snapshot;
	trial->done++;
	return 0;
}

/* Runs whose numbers are not used, but that tell whether the programs suit the sliced mode. */
static int warm_up(struct trial *trial, struct probekit_error *err)
{
	int64_t count = trial->options->warm_up.is_given ? trial->options->warm_up.value : 1;
	const struct run_request *requests[] = {&trial->base, &trial->head};
	bool is_auto = !trial->options->mode || strcmp(trial->options->mode, "auto") == 0;

	trial->is_sliced = !is_auto && strcmp(trial->options->mode, "sliced") == 0;
	if (is_auto)
		trial->mode_reason = "no run by itself told whether turns would suit it";
	for (int64_t i = 0; i < count; i++) {
		const char *refusal = NULL;

		for (size_t j = 0; j < 2; j++) {
			struct run_result alone = {0};
			int result = run_once(requests[j], &alone, err);

			if (result)
				return result;
			if (!refusal)
				refusal = duet_refusal(&alone, trial->reason_text,
						       sizeof(trial->reason_text));
			probekit_snapshot_free(alone.snapshot);
		}
		if (is_auto) {
			trial->is_sliced = !refusal;
			trial->mode_reason =
				refusal ? refusal : "it computes nearly all of its time";
		} else if (trial->is_sliced && refusal) {
			snprintf(trial->asked_text, sizeof(trial->asked_text),
				 "asked for, although %s", refusal);
			trial->mode_reason = trial->asked_text;
		}
	}
	return 0;
}

/* ---- what is told on the way ---- */

static struct verdict_subject subject_of(const struct trial *trial)
{
	return (struct verdict_subject){
		.base = trial->options->base,
		.head = trial->options->is_aa ? trial->options->base : trial->options->head,
		.mode = trial->is_sliced ? "sliced" : "pairs",
		.mode_reason = trial->mode_reason,
		.is_same_build = trial->options->is_aa,
		.base_runs = (const struct probekit_snapshot *const *)trial->base_runs,
		.head_runs = (const struct probekit_snapshot *const *)trial->head_runs,
		.pairs = trial->done,
	};
}

static void count_changes(const struct probekit_comparison *comparison, size_t *undecided,
			  size_t *changed)
{
	*undecided = *changed = 0;
	for (size_t i = 0; i < probekit_comparison_size(comparison); i++) {
		const struct probekit_change *change = probekit_comparison_change(comparison, i);

		if (change->is_informational)
			continue;
		*undecided += change->verdict == PROBEKIT_VERDICT_UNDECIDED;
		*changed += change->verdict >= PROBEKIT_VERDICT_IMPROVE;
	}
}

/* A line for each pair; on a terminal each takes the last one's place. */
static int show_progress(const struct trial *trial, struct probekit_error *err)
{
	const struct verdict_subject subject = subject_of(trial);
	bool is_terminal = isatty(STDERR_FILENO);
	struct probekit_comparison *comparison;
	size_t undecided;
	size_t changed;
	int result = verdict_compare(&trial->options->verdict, &trial->rules, &subject, &comparison,
				     err);

	if (result)
		return result;
	count_changes(comparison, &undecided, &changed);
	probekit_comparison_free(comparison);
	fprintf(stderr, "%sprobekit: pair %zu of %zu (%s), %s: %zu undecided, %zu changed%s",
		is_terminal ? "\r" : "", trial->done, trial->wanted,
		trial->is_sliced ? "sliced" : "pairs",
		format_duration((double)(clock_now_ns() - trial->started_ns)).text, undecided,
		changed, is_terminal ? "\033[K" : "\n");
	fflush(stderr);
	return 0;
}

static void end_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

/* Would one more pair, as long as those before, end beyond the budget? */
static bool is_budget_used(const struct trial *trial)
{
	uint64_t now = clock_now_ns();
	uint64_t each = trial->done ? (now - trial->first_pair_ns) / trial->done : 0;

	return trial->options->budget_ns &&
	       now - trial->started_ns + each > trial->options->budget_ns;
}

/* 0 also where Ctrl-C ended it, as what was learnt until then is told. */
static int run_pairs(struct trial *trial, struct probekit_error *err)
{
	int result;

	trial->started_ns = clock_now_ns();
	result = warm_up(trial, err);
	trial->first_pair_ns = clock_now_ns();
	while (!result && trial->done < trial->wanted && !is_budget_used(trial)) {
		result = run_pair(trial, err);
		if (!result)
			result = show_progress(trial, err);
	}
	end_progress();
	if (trial->done == trial->wanted || (result && result != -EINTR && !trial->done))
		return result;
	if (result == -EINTR)
		fputs("probekit: interrupted", stderr);
	else
		fprintf(stderr, "probekit: %s", result ? "ended" : "the budget is used up");
	fprintf(stderr, " after %zu of %zu pairs%s\n", trial->done, trial->wanted,
		result && result != -EINTR ? ", which are not compared" : "");
	return result == -EINTR ? 0 : result;
}

/* ---- the whole ---- */

static int save(struct probekit_snapshot **runs, size_t count, const char *path,
		struct probekit_snapshot **joined)
{
	struct probekit_error err;

	if (!path)
		return 0;
	if (probekit_snapshot_join(runs, count, joined, &err))
		return report_error(&err);
	for (size_t i = 0; i < count; i++)
		runs[i] = (struct probekit_snapshot *)(uintptr_t)probekit_snapshot_run(*joined, i);
	return probekit_snapshot_write(*joined, path, &err) ? report_error(&err) : 0;
}

static void free_runs(struct probekit_snapshot **runs, size_t count,
		      struct probekit_snapshot *joined)
{
	for (size_t i = 0; i < count && !joined; i++)
		probekit_snapshot_free(runs[i]);
	probekit_snapshot_free(joined);
	free(runs);
}

/* Files first: text into a closed pipe ends the process. */
static int give(struct trial *trial)
{
	const struct options *options = trial->options;
	struct verdict_subject subject;
	int code;
	int base;
	int head;

	if (!trial->done) {
		fputs("undecided: no pair of runs was finished\n",
		      options->verdict.is_json ? stderr : stdout);
		return EXIT_UNDECIDED;
	}
	base = save(trial->base_runs, trial->done, options->save_base, &trial->base_joined);
	head = save(trial->head_runs, trial->done, options->save_head, &trial->head_joined);
	subject = subject_of(trial);
	code = verdict_give(&options->verdict, &trial->rules, &subject);
	return base ? base : head ? head : code;
}

static int check_usage(const struct options *options, const struct opt_operands *operands,
		       struct probekit_error *err)
{
	static const char *const modes[] = {"auto", "pairs", "sliced"};
	bool is_mode = !options->mode;

	if (operands->target)
		return usage_error(
			err, "compare: '%s' is no option; builds are given with --base and --head",
			operands->target);
	if (!options->base)
		return usage_error(err, "compare: --base is missing");
	if (options->is_aa && options->head)
		return usage_error(err, "--aa compares --base with itself: no --head");
	if (!options->is_aa && !options->head)
		return usage_error(err, "compare: --head is missing");
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]) && !is_mode; i++)
		is_mode = strcmp(options->mode, modes[i]) == 0;
	if (!is_mode)
		return usage_error(err, "--mode: '%s' is none of auto, pairs, sliced",
				   options->mode);
	if (options->pairs.is_given &&
	    (options->pairs.value < 1 || options->pairs.value > PAIRS_MAX))
		return usage_error(err, "--pairs takes a number from 1 to %d", PAIRS_MAX);
	if (options->warm_up.is_given && options->warm_up.value < 0)
		return usage_error(err, "--warm-up takes a number from 0 on");
	return 0;
}

/* What was measured for hours is not to be lost for a misspelt folder. */
static int check_saves(const struct options *options, struct probekit_error *err)
{
	int result = options->save_base ? check_output(options->save_base, err) : 0;

	return !result && options->save_head ? check_output(options->save_head, err) : result;
}

static struct run_request request_of(const struct options *options, char **argv)
{
	return (struct run_request){
		.argv = argv,
		.what = &options->what,
		.max_overhead = options->is_forced ? -1 : options->max_overhead,
		.has_children = options->has_children,
		.is_verbose = options->verdict.is_verbose,
		.outputs = verdict_rights(&options->verdict) | rights_to_write(options->save_base) |
			   rights_to_write(options->save_head),
		.timeout_ns = options->timeout_ns ? options->timeout_ns : 600000000000u,
	};
}

static int compare(struct trial *trial)
{
	struct probekit_error err;
	int code;

	if (getrandom(&trial->random, sizeof(trial->random), 0) != sizeof(trial->random))
		trial->random = clock_now_ns();
	measure_catch_signals();
	if (run_pairs(trial, &err))
		code = report_error(&err);
	else
		code = give(trial);
	return code;
}

static int run(void *values, const struct opt_operands *operands)
{
	struct options *options = values;
	struct trial trial = {.options = options};
	struct probekit_error err;
	char **base;
	char **head;
	int code;

	if (check_usage(options, operands, &err) || check_saves(options, &err) ||
	    verdict_prepare(&options->verdict, &trial.rules, &err))
		return report_error(&err);
	trial.wanted = options->pairs.is_given ? (size_t)options->pairs.value : PAIRS_DEFAULT;
	trial.base_runs = calloc(trial.wanted, sizeof(struct probekit_snapshot *));
	trial.head_runs = calloc(trial.wanted, sizeof(struct probekit_snapshot *));
	base = build_arguments(options->base, operands->command);
	head = build_arguments(options->is_aa ? options->base : options->head, operands->command);
	if (trial.base_runs && trial.head_runs && base && head) {
		trial.base = request_of(options, base);
		trial.head = request_of(options, head);
		code = compare(&trial);
	} else {
		code = report_no_memory();
	}
	build_arguments_free(base);
	build_arguments_free(head);
	free_runs(trial.base_runs, trial.done, trial.base_joined);
	free_runs(trial.head_runs, trial.done, trial.head_joined);
	verdict_rules_free(&trial.rules);
	return code;
}

const struct command command_compare = {
	.name = "compare",
	.summary = "run two builds by turns and tell what became slower, for certain or not",
	.synopsis = (const char *const[]){"[OPTIONS] --base A --head B [-- ARGS]",
					  "[OPTIONS] --aa --base A [-- ARGS]", NULL},
	.description =
		(const char *const[]){
			"Runs both builds several times with the same arguments, in pairs, and measures the "
			"latency of their spans, or of what -s, -u and -f name. Each pair gives one ratio for "
			"each quantile of each probe; what is told of them is certain over all probes "
			"together (p at most 5 %).",
			"Without rules any regression, a certain increase by --delta or more, exits with 4. "
			"A rule fails when an increase is certain and its estimate is beyond the rule's bound: "
			"a change that is right at the bound fails about half of the times.",
			"What a run prints is kept, and named, only when the run fails.", NULL},
	.options = option_table,
	.examples =
		(const struct example[]){
			{"probekit compare --base ./old --head ./new -- --requests 10000",
			 "Is the new build slower?"},
			{"probekit compare --base ./old --head ./new -f 'parse_*' --fail-on 'p50>+5%'",
			 "Functions of programs that were not modified, with a rule:"},
			{"probekit compare --aa --base ./old", "What can this machine tell apart?"},
			{NULL, NULL}},
	.takes_command = true,
	.takes_arguments = true,
	.gives_verdict = true,
	.options_size = sizeof(struct options),
	.run = run,
};
