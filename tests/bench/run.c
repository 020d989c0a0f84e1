/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the rounds: every side once in each, in random order, until the ratios are precise enough. */
#include "run.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_ROUNDS 10
#define DEFAULT_BUDGET_S 120
#define PRECISE_HALF_WIDTH 0.1
#define SIDE_FINAL 1 /* what bench_missing() and bench_fail() return */

uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

double bench_ms_since(uint64_t start_ns)
{
	return (double)(bench_now_ns() - start_ns) * 1e-6;
}

/* ---- what groups say ---- */

void bench_set_state(struct bench_run *run, void *state)
{
	run->state = state;
}

void *bench_state(const struct bench_run *run)
{
	return run->state;
}

static int finalise(struct bench_run *run, enum side_status status, const char *format,
		    va_list args)
{
	struct side_result *result = run->current;

	if (result->status == SIDE_MEASURED) { /* the first reason is the cause */
		vsnprintf(result->reason, sizeof(result->reason), format, args);
		result->status = status;
	}
	return SIDE_FINAL;
}

int bench_missing(struct bench_run *run, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	finalise(run, SIDE_MISSING, format, args);
	va_end(args);
	return SIDE_FINAL;
}

int bench_fail(struct bench_run *run, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	finalise(run, SIDE_FAILED, format, args);
	va_end(args);
	return SIDE_FINAL;
}

void bench_note(struct bench_run *run, const char *format, ...)
{
	char *line = NULL;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&line, format, args);
	va_end(args);
	if (length < 0)
		return;
	for (size_t i = 0; i < run->note_count; i++)
		if (strcmp(run->notes[i], line) == 0) {
			free(line);
			return;
		}
	if (run->note_count < BENCH_MAX_NOTES)
		run->notes[run->note_count++] = line;
	else
		free(line);
}

/* ---- figures ---- */

static ssize_t find_side(const struct bench_group *group, const char *name)
{
	for (size_t i = 0; group->sides[i].name; i++)
		if (strcmp(group->sides[i].name, name) == 0)
			return (ssize_t)i;
	return -1;
}

static const double *side_values(const struct bench_run *run, const char *name, size_t metric)
{
	ssize_t side = find_side(run->group, name);

	if (side < 0 || run->results[side].status != SIDE_MEASURED)
		return NULL;
	return run->results[side].values[metric];
}

/* No value at all is a gap, which is no figure; values in some rounds only would be a defect. */
static bool has_values(const double *values, size_t rounds)
{
	for (size_t i = 0; values && i < rounds; i++)
		if (isnan(values[i]))
			return false;
	return values && rounds > 0;
}

static struct ratio_result compute(const struct bench_run *run, const struct bench_ratio *what,
				   size_t metric)
{
	const double *a = side_values(run, what->of, metric);
	const double *b = side_values(run, what->to, metric);
	const double *over = what->over ? side_values(run, what->over, metric) : NULL;
	struct ratio_result result = {
		.what = what,
		.metric = metric,
		.is_gap = !has_values(a, run->rounds) || !has_values(b, run->rounds) ||
			  (what->over && !has_values(over, run->rounds)),
	};
	size_t rounds = result.is_gap ? 0 : run->rounds;

	result.ratio = over ? ratio_of_added(a, b, over, rounds) : ratio_of(a, b, rounds);
	return result;
}

static void compute_ratios(struct bench_run *run)
{
	const struct bench_group *group = run->group;

	run->ratio_count = 0;
	for (size_t i = 0; group->ratios && group->ratios[i].of; i++)
		for (size_t m = 0; m < run->metric_count; m++) {
			const struct bench_ratio *what = &group->ratios[i];

			if (what->metric && strcmp(what->metric, group->metrics[m].name) != 0)
				continue;
			if (run->ratio_count < BENCH_MAX_RATIOS)
				run->ratios[run->ratio_count++] = compute(run, what, m);
		}
}

bool ratio_meets_aim(const struct ratio_result *result)
{
	if (result->what->aim <= 0)
		return false;
	return result->what->is_at_least ? result->ratio.value >= result->what->aim
					 : result->ratio.value <= result->what->aim;
}

static bool is_precise(const struct bench_run *run)
{
	for (size_t i = 0; i < run->ratio_count; i++)
		if (!run->ratios[i].is_gap &&
		    !(run->ratios[i].ratio.half_width <= PRECISE_HALF_WIDTH))
			return false;
	return true;
}

/* ---- rounds ---- */

static void measure_side(struct bench_run *run, size_t side)
{
	struct side_result *result = &run->results[side];
	double values[BENCH_MAX_METRICS];

	for (size_t i = 0; i < BENCH_MAX_METRICS; i++)
		values[i] = NAN;
	run->current = result;
	if (run->group->sides[side].measure(run, &run->group->sides[side], values) &&
	    result->status == SIDE_MEASURED)
		bench_fail(run, "failed without a reason");
	for (size_t i = 0; i < run->metric_count; i++)
		result->values[i][run->rounds] = values[i];
}

/* False when no side is left. */
static bool run_round(struct bench_run *run)
{
	size_t order[BENCH_MAX_SIDES];
	size_t count = 0;

	for (size_t i = 0; i < run->side_count; i++)
		if (run->results[i].status == SIDE_MEASURED)
			order[count++] = i;
	for (size_t i = count; i > 1; i--) {
		size_t other = (size_t)random() % i;
		size_t swapped = order[i - 1];

		order[i - 1] = order[other];
		order[other] = swapped;
	}
	for (size_t i = 0; i < count; i++)
		measure_side(run, order[i]);
	run->rounds++;
	compute_ratios(run);
	return count > 0;
}

static void run_rounds(struct bench_run *run, const struct bench_options *options)
{
	const struct bench_group *group = run->group;
	size_t least = options->rounds ? options->rounds : group->rounds;
	double budget_s = options->budget_s > 0 ? options->budget_s : group->budget_s;
	uint64_t start = bench_now_ns();

	least = least ? least : DEFAULT_ROUNDS;
	budget_s = budget_s > 0 ? budget_s : DEFAULT_BUDGET_S;
	for (;;) {
		bool has_sides = run_round(run);

		run->seconds = (double)(bench_now_ns() - start) * 1e-9;
		run->stopped_by = !has_sides			    ? "nothing to measure"
				  : run->rounds == BENCH_MAX_ROUNDS ? "rounds"
				  : run->rounds < least		    ? NULL
				  : is_precise(run)		    ? "precision"
				  : run->seconds >= budget_s	    ? "budget"
								    : NULL;
		if (run->stopped_by)
			return;
	}
}

static void begin_failed(struct bench_run *run)
{
	const struct side_result *begin = &run->results[run->side_count];

	for (size_t i = 0; i < run->side_count; i++) {
		run->results[i].status = begin->status;
		memcpy(run->results[i].reason, begin->reason, sizeof(begin->reason));
	}
	run->stopped_by = "nothing to measure";
	compute_ratios(run);
}

struct bench_run *run_group(const struct bench_group *group, const struct bench_options *options)
{
	struct bench_run *run = calloc(1, sizeof(*run));

	if (!run)
		return NULL;
	run->group = group;
	while (group->sides[run->side_count].name && run->side_count < BENCH_MAX_SIDES)
		run->side_count++;
	while (group->metrics[run->metric_count].name && run->metric_count < BENCH_MAX_METRICS)
		run->metric_count++;
	run->results = calloc(run->side_count + 1, sizeof(*run->results));
	if (!run->results) {
		free(run);
		return NULL;
	}
	run->current = &run->results[run->side_count];
	if (group->begin && group->begin(run)) {
		if (run->current->status == SIDE_MEASURED)
			bench_fail(run, "cannot begin");
		begin_failed(run);
	} else {
		run_rounds(run, options);
	}
	run->current = &run->results[run->side_count];
	if (group->end)
		group->end(run);
	children_kill();
	scratch_remove();
	return run;
}

void run_free(struct bench_run *run)
{
	if (!run)
		return;
	for (size_t i = 0; i < run->note_count; i++)
		free(run->notes[i]);
	free(run->results);
	free(run);
}

bool run_has_failed(const struct bench_run *run)
{
	for (size_t i = 0; i <= run->side_count; i++)
		if (run->results[i].status == SIDE_FAILED)
			return true;
	return false;
}
