/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns comparisons: which measures of which probes are tested together, and what the rules make of them.
 * What rules name is a family of its own, so that a rule's certainty does not depend on how many other
 * probes there are.
 */
#include <probekit/compare.h>

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare_rules.h"
#include "compare_subjects.h"
#include "compare_verdict.h"
#include "compare_why.h"

#define DELTA_DEFAULT 0.02

/* Hypotheses that are tested together. */
struct family {
	struct compare_hypothesis *items;
	double *differences; /* `pairs` of each */
	size_t size;
	size_t capacity;
};

struct probekit_comparison {
	const struct probekit_snapshot *const *base; /* the caller's, as long as it is made */
	const struct probekit_snapshot *const *head;
	struct probekit_comparison_info info;
	struct subjects subjects;
	struct family all;
	struct family ruled;
	struct compare_rule *rules;
	size_t rule_count;
	struct probekit_rule_result *results;
	size_t result_count;
	struct probekit_unmatched *unmatched;
	size_t unmatched_count;
	struct probekit_why *why;
	size_t why_count;
};

const char *probekit_verdict_name(enum probekit_verdict verdict)
{
	static const char *const names[] = {"undecided", "same", "improve", "regress"};

	return (unsigned int)verdict < sizeof(names) / sizeof(names[0]) ? names[verdict] : NULL;
}

const char *probekit_rule_state_name(enum probekit_rule_state state)
{
	static const char *const names[] = {"undecided", "passed", "failed"};

	return (unsigned int)state < sizeof(names) / sizeof(names[0]) ? names[state] : NULL;
}

/* ---- families ---- */

static int reserve(struct family *family, size_t capacity, size_t pairs)
{
	family->capacity = capacity;
	family->items = calloc(capacity ? capacity : 1, sizeof(*family->items));
	family->differences = calloc(capacity ? capacity * pairs : 1, sizeof(double));
	return family->items && family->differences ? 0 : -ENOMEM;
}

/* What the probe itself reads of a span that does nothing, at most. A scoped span's is measured; of other
 * kinds it is known what begin and end cost together, of which a part lies between the two. */
static double floor_in(const struct probekit_probe *row, const struct probekit_snapshot *run)
{
	if (!row || row->kind == PROBEKIT_KIND_VALUE)
		return 0;
	if (row->kind == PROBEKIT_KIND_SPAN || row->kind == PROBEKIT_KIND_ASYNC)
		return (double)probekit_snapshot_info(run)->floor_ns;
	return (double)row->probe_cost_ns;
}

static double floor_of(const struct probekit_comparison *made, const struct subject *subject)
{
	double floor_ns = 0;

	for (size_t i = 0; i < made->info.pairs; i++) {
		floor_ns = fmax(floor_ns, floor_in(subject->base[i], made->base[i]));
		floor_ns = fmax(floor_ns, floor_in(subject->head[i], made->head[i]));
	}
	return floor_ns;
}

static void add(const struct probekit_comparison *made, struct family *family,
		const struct subject *subject, const struct compare_measure *measure)
{
	struct compare_hypothesis *h = &family->items[family->size];
	size_t pairs = made->info.pairs;

	*h = (struct compare_hypothesis){
		.subject = subject,
		.measure = measure,
		.floor_ns = floor_of(made, subject),
	};
	compare_hypothesis_weigh(h, pairs, &family->differences[family->size * pairs]);
	family->size++;
}

static bool has_spans_in_both(const struct subject *subject)
{
	return subject->base_spans && subject->head_spans;
}

static size_t count_in_both(const struct subjects *subjects)
{
	size_t count = 0;

	for (size_t i = 0; i < subjects->size; i++)
		count += has_spans_in_both(&subjects->items[i]);
	return count;
}

static int add_every_probe(struct probekit_comparison *made)
{
	const struct subjects *subjects = &made->subjects;
	size_t measures = 0;

	while (compare_measure_at(measures))
		measures++;
	if (reserve(&made->all, count_in_both(subjects) * measures, made->info.pairs))
		return -ENOMEM;
	for (size_t i = 0; i < subjects->size; i++) {
		const struct subject *subject = &subjects->items[i];

		for (size_t j = 0; j < measures && has_spans_in_both(subject); j++) {
			const struct compare_measure *measure = compare_measure_at(j);
			struct compare_hypothesis *h = &made->all.items[made->all.size];

			add(made, &made->all, subject, measure);
			h->change.is_informational = !measure->is_tested_always;
			h->is_tested = measure->is_tested_always;
		}
	}
	return 0;
}

/* ---- rules ---- */

static bool concerns(const struct compare_rule *rule, const struct subject *subject)
{
	return has_spans_in_both(subject) &&
	       (!rule->is_quantity || subject->kind == PROBEKIT_KIND_VALUE) &&
	       (!rule->glob || fnmatch(rule->glob, subject->name, 0) == 0);
}

static size_t hypothesis_of(const struct family *family, const struct subject *subject,
			    const struct compare_measure *measure)
{
	size_t i = 0;

	while (i < family->size &&
	       (family->items[i].subject != subject || family->items[i].measure != measure))
		i++;
	return i;
}

/* A measure that several rules bound is tested once. */
static int add_ruled(struct probekit_comparison *made)
{
	const struct subjects *subjects = &made->subjects;
	size_t most = 0;

	for (size_t i = 0; i < made->rule_count; i++)
		for (size_t j = 0; j < subjects->size; j++)
			most += concerns(&made->rules[i], &subjects->items[j]);
	made->results = calloc(most + made->rule_count + 1, sizeof(*made->results));
	if (!made->results || reserve(&made->ruled, most, made->info.pairs))
		return -ENOMEM;
	for (size_t j = 0; j < subjects->size; j++) {
		const struct subject *subject = &subjects->items[j];
		size_t first = made->ruled.size;

		for (size_t i = 0; i < made->rule_count; i++) {
			const struct compare_rule *rule = &made->rules[i];
			const struct family own = {.items = &made->ruled.items[first],
						   .size = made->ruled.size - first};

			if (concerns(rule, subject) &&
			    hypothesis_of(&own, subject, rule->measure) == own.size)
				add(made, &made->ruled, subject, rule->measure);
		}
	}
	return 0;
}

static void judge_all(struct probekit_comparison *made)
{
	for (size_t i = 0; i < made->rule_count; i++) {
		const struct compare_rule *rule = &made->rules[i];
		const struct probekit_rule_result none = {
			.rule = rule->text,
			.bound = rule->bound,
			.is_absolute = rule->is_absolute,
			.estimate = NAN,
			.reason = rule->is_quantity ? "its bound has no unit, and it matches no "
						      "quantity of both builds"
						    : "it matches no probe of both builds",
		};
		size_t before = made->result_count;

		for (size_t j = 0; j < made->ruled.size; j++) {
			const struct compare_hypothesis *h = &made->ruled.items[j];

			if (h->measure != rule->measure || !concerns(rule, h->subject))
				continue;
			made->results[made->result_count] = none;
			compare_judge(h, made->info.delta, &made->results[made->result_count++]);
		}
		if (made->result_count == before) {
			made->results[made->result_count++] = none;
			made->info.unmatched_rules++;
		}
	}
}

static int parse_rules(const char *const *rules, struct probekit_comparison *made,
		       struct probekit_error *err)
{
	size_t count = 0;

	while (rules && rules[count])
		count++;
	made->rules = calloc(count ? count : 1, sizeof(*made->rules));
	if (!made->rules)
		return error_no_memory(err);
	for (; made->rule_count < count; made->rule_count++) {
		int result = compare_rule_parse(rules[made->rule_count],
						&made->rules[made->rule_count], err);

		if (result)
			return result;
	}
	return 0;
}

/* ---- what else is told ---- */

static bool has_other_kind(const struct subjects *subjects, const struct subject *subject)
{
	for (size_t i = 0; i < subjects->size; i++)
		if (subjects->items[i].kind != subject->kind &&
		    strcmp(subjects->items[i].name, subject->name) == 0)
			return true;
	return false;
}

/* What no run of either build has called is of no interest, where both have it. */
static bool is_unmatched(const struct subject *subject)
{
	return !subject->base_runs || !subject->head_runs ||
	       (subject->base_spans == 0) != (subject->head_spans == 0);
}

static int list_unmatched(struct probekit_comparison *made)
{
	const struct subjects *subjects = &made->subjects;

	made->unmatched = calloc(subjects->size + 1, sizeof(*made->unmatched));
	if (!made->unmatched)
		return -ENOMEM;
	for (size_t i = 0; i < subjects->size; i++) {
		const struct subject *subject = &subjects->items[i];
		bool is_in_both = subject->base_runs && subject->head_runs;
		bool is_in_head = is_in_both ? subject->head_spans != 0 : subject->head_runs != 0;

		if (!is_unmatched(subject))
			continue;
		made->unmatched[made->unmatched_count++] = (struct probekit_unmatched){
			.probe = subject->name,
			.is_in_head = is_in_head,
			.reason = is_in_both ? "the other build does not call it"
				  : has_other_kind(subjects, subject) ? "its kind differs"
								      : "",
			.runs = is_in_head ? subject->head_runs : subject->base_runs,
			.count = subject->base_spans + subject->head_spans,
		};
	}
	return 0;
}

static bool has_changed(const struct probekit_comparison *made, const struct subject *subject)
{
	for (size_t i = 0; i < made->all.size; i++)
		if (made->all.items[i].subject == subject &&
		    made->all.items[i].change.verdict >= PROBEKIT_VERDICT_IMPROVE)
			return true;
	for (size_t i = 0; i < made->result_count; i++)
		if (made->results[i].state == PROBEKIT_RULE_FAILED &&
		    made->results[i].change->probe == subject->name)
			return true;
	return false;
}

static int explain(struct probekit_comparison *made, struct probekit_error *err)
{
	made->why = calloc(made->subjects.size + 1, sizeof(*made->why));
	if (!made->why)
		return error_no_memory(err);
	for (size_t i = 0; i < made->subjects.size; i++) {
		const struct subject *subject = &made->subjects.items[i];
		int result;

		if (subject->kind == PROBEKIT_KIND_VALUE || !has_changed(made, subject))
			continue;
		result = compare_why_fill(subject, made->info.pairs, &made->why[made->why_count],
					  err);
		if (result)
			return result;
		made->why_count++;
	}
	return 0;
}

/* ---- the outcome ---- */

static void conclude_changes(struct probekit_comparison *made)
{
	struct probekit_comparison_info *info = &made->info;
	bool has_decided = false;

	info->detectable = NAN;
	for (size_t i = 0; i < made->all.size; i++) {
		const struct probekit_change *change = &made->all.items[i].change;

		if (change->is_informational)
			continue;
		info->tested++;
		info->detectable_known += !isnan(change->detectable);
		info->detectable = fmax(info->detectable, change->detectable);
		if (change->verdict == PROBEKIT_VERDICT_REGRESS)
			info->outcome = PROBEKIT_RULE_FAILED;
		if (change->verdict == PROBEKIT_VERDICT_UNDECIDED)
			info->undecided++;
		else
			has_decided = true;
	}
	info->has_undecided = info->undecided != 0;
	if (info->outcome != PROBEKIT_RULE_FAILED && has_decided)
		info->outcome = PROBEKIT_RULE_PASSED;
}

static void conclude_rules(struct probekit_comparison *made)
{
	struct probekit_comparison_info *info = &made->info;
	size_t count[3] = {0};

	for (size_t i = 0; i < made->result_count; i++)
		count[made->results[i].state]++;
	info->has_undecided = count[PROBEKIT_RULE_UNDECIDED] != 0;
	info->outcome = count[PROBEKIT_RULE_FAILED]   ? PROBEKIT_RULE_FAILED
			: count[PROBEKIT_RULE_PASSED] ? PROBEKIT_RULE_PASSED
						      : PROBEKIT_RULE_UNDECIDED;
}

static bool differs(const char *a, const char *b)
{
	return a && b && strcmp(a, b) != 0;
}

static const char *incomparable(const struct probekit_snapshot_info *base,
				const struct probekit_snapshot_info *head)
{
	const struct probekit_environment *a = &base->environment;
	const struct probekit_environment *b = &head->environment;

	if (differs(a->kernel, b->kernel))
		return "they were measured on different kernels";
	if (differs(a->cpu_model, b->cpu_model))
		return "they were measured on different kinds of CPU";
	if (a->cpus && b->cpus && a->cpus != b->cpus)
		return "they were measured on different numbers of CPUs";
	if (differs(a->governor, b->governor))
		return "they were measured under different governors of the CPU's frequency";
	if (a->cpu_quota > 0 && b->cpu_quota > 0 && a->cpu_quota != b->cpu_quota)
		return "they were measured under different quotas of CPU time";
	if (base->excludes_stopped != head->excludes_stopped)
		return "one was measured by turns on one CPU (sliced), the other was not";
	if (differs(base->attach, head->attach) || differs(base->site, head->site))
		return "they were measured by different kinds of probes";
	return NULL;
}

/* ---- the whole ---- */

static int test_families(struct probekit_comparison *made, struct probekit_error *err)
{
	struct family *families[] = {&made->all, &made->ruled};

	if (add_every_probe(made) || add_ruled(made) || list_unmatched(made))
		return error_no_memory(err);
	for (size_t i = 0; i < 2; i++) {
		int result = compare_hypotheses_decide(families[i]->items, families[i]->size,
						       made->info.pairs, families[i]->differences,
						       made->info.delta, err);

		if (result)
			return result;
	}
	return 0;
}

static int check_options(const struct probekit_compare_options *options, struct probekit_error *err)
{
	if (options && options->size < sizeof(*options))
		return error_usage(err, "probekit_compare_options has no size");
	if (options && !(options->delta >= 0 && options->delta <= 1))
		return error_usage(
			err,
			"the smallest change that matters is %g %%, and not within 0 and 100 %%",
			100 * options->delta);
	return 0;
}

int probekit_compare_check(const struct probekit_compare_options *options,
			   struct probekit_error *err)
{
	int result = check_options(options, err);

	for (size_t i = 0; !result && options && options->rules && options->rules[i]; i++) {
		struct compare_rule rule = {0};

		result = compare_rule_parse(options->rules[i], &rule, err);
		compare_rule_done(&rule);
	}
	return result;
}

int probekit_compare(const struct probekit_snapshot *const *base,
		     const struct probekit_snapshot *const *head, size_t pairs,
		     const struct probekit_compare_options *options,
		     struct probekit_comparison **comparison, struct probekit_error *err)
{
	struct probekit_comparison *made;
	int result = check_options(options, err);

	if (!result && !pairs)
		result = error_usage(err, "there is no run to compare");
	if (result)
		return result;
	made = calloc(1, sizeof(*made));
	if (!made)
		return error_no_memory(err);
	made->base = base;
	made->head = head;
	made->info.pairs = pairs;
	made->info.delta = options && options->delta > 0 ? options->delta : DELTA_DEFAULT;
	for (size_t i = 0; i < pairs && !made->info.incomparable; i++)
		made->info.incomparable = incomparable(probekit_snapshot_info(base[i]),
						       probekit_snapshot_info(head[i]));
	result = parse_rules(options ? options->rules : NULL, made, err);
	if (!result)
		result = subjects_of(base, head, pairs, &made->subjects, err);
	if (!result)
		result = test_families(made, err);
	if (!result) {
		judge_all(made);
		conclude_changes(made);
		if (made->rule_count)
			conclude_rules(made);
		result = explain(made, err);
	}
	if (result) {
		probekit_comparison_free(made);
		return result;
	}
	*comparison = made;
	return 0;
}

void probekit_comparison_free(struct probekit_comparison *comparison)
{
	if (!comparison)
		return;
	for (size_t i = 0; i < comparison->rule_count; i++)
		compare_rule_done(&comparison->rules[i]);
	for (size_t i = 0; i < comparison->why_count; i++)
		compare_why_done(&comparison->why[i]);
	subjects_done(&comparison->subjects);
	free(comparison->all.items);
	free(comparison->all.differences);
	free(comparison->ruled.items);
	free(comparison->ruled.differences);
	free(comparison->rules);
	free(comparison->results);
	free(comparison->unmatched);
	free(comparison->why);
	free(comparison);
}

/* ---- access ---- */

const struct probekit_comparison_info *probekit_comparison_info(
	const struct probekit_comparison *comparison)
{
	return &comparison->info;
}

size_t probekit_comparison_size(const struct probekit_comparison *comparison)
{
	return comparison->all.size;
}

const struct probekit_change *probekit_comparison_change(
	const struct probekit_comparison *comparison, size_t i)
{
	return i < comparison->all.size ? &comparison->all.items[i].change : NULL;
}

size_t probekit_comparison_rule_count(const struct probekit_comparison *comparison)
{
	return comparison->result_count;
}

const struct probekit_rule_result *probekit_comparison_rule(
	const struct probekit_comparison *comparison, size_t i)
{
	return i < comparison->result_count ? &comparison->results[i] : NULL;
}

size_t probekit_comparison_unmatched_count(const struct probekit_comparison *comparison)
{
	return comparison->unmatched_count;
}

const struct probekit_unmatched *probekit_comparison_unmatched(
	const struct probekit_comparison *comparison, size_t i)
{
	return i < comparison->unmatched_count ? &comparison->unmatched[i] : NULL;
}

size_t probekit_comparison_why_count(const struct probekit_comparison *comparison)
{
	return comparison->why_count;
}

const struct probekit_why *probekit_comparison_why(const struct probekit_comparison *comparison,
						   size_t i)
{
	return i < comparison->why_count ? &comparison->why[i] : NULL;
}
