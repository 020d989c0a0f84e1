/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns the verdicts. A change is certain where the test over all hypotheses says so, and it counts where its
 * estimate is at least delta; two builds are the same where the 90 % interval lies within delta on either side,
 * which is the test of equivalence by two one-sided tests of 5 % each (Schuirmann, J. Pharmacokinet. Biopharm. 15,
 * 1987).
 */
#include "compare_verdict.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALPHA 0.05
#define POWER 0.8
/* Of what is measured the probe itself may be so much before ratios say little of the program. */
#define FLOOR_SHARE_MAX 0.5
#define PAIRS_NEEDED_MAX 9999
/* Fixed: the same runs give the same verdict whenever they are compared. */
#define FLIP_SEED 0x70726f62656b6974u

/* ---- one by itself ---- */

static double mean_span_ns(const struct subject *subject, size_t pairs)
{
	double sum = 0;
	size_t known = 0;

	for (size_t i = 0; i < pairs; i++) {
		if (!subject->base[i] || !subject->base[i]->count)
			continue;
		sum += (double)subject->base[i]->sum / (double)subject->base[i]->count;
		known++;
	}
	return known ? sum / (double)known : 0;
}

static double value_in(const struct compare_measure *measure, const struct probekit_probe *row)
{
	return row ? compare_measure_value(measure, row) : NAN;
}

struct means {
	double base;
	double head;
	size_t count;
};

/* Times by logarithms, whose means are geometric. */
static struct means weigh_ratios(const struct compare_hypothesis *h, size_t pairs,
				 double *differences)
{
	struct means means = {0};

	for (size_t i = 0; i < pairs; i++) {
		double base = value_in(h->measure, h->subject->base[i]);
		double head = value_in(h->measure, h->subject->head[i]);

		differences[i] = NAN;
		if (!(base > 0 && head > 0))
			continue;
		differences[i] = log(head / base);
		means.base += log(base);
		means.head += log(head);
		means.count++;
	}
	means.base = exp(means.base / (double)means.count);
	means.head = exp(means.head / (double)means.count);
	return means;
}

/* A class may take no time at all, which has no logarithm. */
static struct means weigh_times(const struct compare_hypothesis *h, size_t pairs,
				double *differences)
{
	struct means means = {0};

	for (size_t i = 0; i < pairs; i++) {
		double base = value_in(h->measure, h->subject->base[i]);
		double head = value_in(h->measure, h->subject->head[i]);

		differences[i] = h->scale > 0 ? (head - base) / h->scale : NAN;
		if (isnan(differences[i]))
			continue;
		means.base += base;
		means.head += head;
		means.count++;
	}
	means.base /= (double)means.count;
	means.head /= (double)means.count;
	return means;
}

/* Of the hypothesis's mean, moved by `offset`, as head to base. */
static double ratio_at(const struct compare_hypothesis *h, double offset)
{
	double at = h->paired.mean + offset;

	return h->scale > 0 ? 1 + at * h->scale / h->change.base : exp(at);
}

void compare_hypothesis_weigh(struct compare_hypothesis *h, size_t pairs, double *differences)
{
	struct probekit_change *change = &h->change;
	struct means means;
	double width;

	h->scale = h->measure->is_class ? mean_span_ns(h->subject, pairs) : 0;
	means = h->measure->is_class ? weigh_times(h, pairs, differences)
				     : weigh_ratios(h, pairs, differences);
	h->paired = paired_of(differences, pairs);
	h->is_tested = !h->measure->is_informational;
	*change = (struct probekit_change){
		.probe = h->subject->name,
		.kind = h->subject->kind,
		.measure = h->measure->name,
		.pairs = means.count,
		.base = means.count ? means.base : NAN,
		.head = means.count ? means.head : NAN,
		.p_regress = NAN,
		.p_improve = NAN,
		.detectable = NAN,
		.is_informational = h->measure->is_informational,
	};
	width = paired_half_width(&h->paired, 1 - ALPHA);
	change->ratio = ratio_at(h, 0);
	change->low = ratio_at(h, -width);
	change->high = ratio_at(h, width);
	if (h->scale > 0 && means.base <= 0 && means.head <= 0)
		change->ratio = change->low = change->high = 1; /* neither takes any */
}

double compare_increase(const struct compare_hypothesis *h, bool is_absolute, double *upper)
{
	double width = paired_half_width(&h->paired, 1 - 2 * ALPHA);
	double at = h->paired.mean;
	double factor = is_absolute ? h->change.base : 1;

	if (h->scale > 0) { /* shares of `scale`, as the base may be 0 */
		factor = is_absolute ? h->scale : h->scale / h->change.base;
		*upper = at + width > 0 ? (at + width) * factor : 0;
		return at == 0 ? 0 : at * factor;
	}
	*upper = expm1(at + width) * factor;
	return expm1(at) * factor;
}

/* ---- verdicts ---- */

struct family {
	size_t pairs;
	double delta;
	double critical; /* that the largest statistic stays below in 95 % of flips */
};

/* The share of what is measured that is the probe's own. */
static double floor_share(const struct compare_hypothesis *h)
{
	return h->floor_ns > 0 && h->change.base > 0 && !h->measure->is_class
		       ? h->floor_ns / h->change.base
		       : 0;
}

/* The test of equivalence. What the probe adds to both makes them more alike than they are. */
static bool is_same(const struct compare_hypothesis *h, double delta)
{
	double width = paired_half_width(&h->paired, 1 - 2 * ALPHA);
	double rest = 1 - floor_share(h);
	double limit = log1p(delta);

	if (h->scale > 0)
		return fabs(h->paired.mean) + width < delta;
	return h->paired.mean + width < log1p(expm1(limit) * rest) &&
	       h->paired.mean - width > -log1p(expm1(limit) * rest);
}

static double standard_error(const struct compare_hypothesis *h, double s0)
{
	return (h->paired.deviation + s0) / sqrt((double)h->paired.count);
}

/* How many pairs the verdict would take that the estimate points to. */
static size_t pairs_needed(const struct compare_hypothesis *h, const struct family *family,
			   double s0)
{
	double limit = h->scale > 0 ? family->delta : log1p(family->delta);
	double at = fabs(h->paired.mean);
	double deviation = h->paired.deviation;
	double root = at >= limit ? family->critical * (deviation + s0) / at
				  : student_quantile(1 - ALPHA, (double)h->paired.count - 1) *
					    deviation / (limit - at);
	double needed = ceil(root * root);

	if (isnan(needed))
		return 0;
	needed = fmax(needed, (double)h->paired.count + 1);
	needed = fmax(needed, PROBEKIT_COMPARE_MIN_PAIRS);
	return (size_t)fmin(needed, PAIRS_NEEDED_MAX);
}

static bool was_dropped(const struct subject *subject, size_t pairs)
{
	for (size_t i = 0; i < pairs; i++)
		if ((subject->base[i] && subject->base[i]->dropped_after_ns) ||
		    (subject->head[i] && subject->head[i]->dropped_after_ns))
			return true;
	return false;
}

/* Nothing of a hypothesis that cannot be decided is told but its estimate. NULL: it can. */
static const char *untestable(const struct compare_hypothesis *h, size_t pairs)
{
	if (h->change.is_informational)
		return "told, never decided";
	if (h->paired.count < pairs && was_dropped(h->subject, pairs))
		return "probing it cost more than was allowed";
	if (!h->paired.count)
		return h->measure->quantile ? "too few spans in a run"
					    : "not known in any pair of runs";
	if (h->paired.count < PROBEKIT_COMPARE_MIN_PAIRS)
		return "fewer than 6 pairs of runs";
	if (floor_share(h) > FLOOR_SHARE_MAX)
		return "most of it is the probe itself";
	return NULL;
}

static void decide(struct compare_hypothesis *h, const struct flip_result *result,
		   const struct family *family)
{
	struct probekit_change *change = &h->change;
	double limit = h->scale > 0 ? family->delta : log1p(family->delta);

	change->reason = untestable(h, family->pairs);
	if (change->reason) {
		if (h->paired.count && h->paired.count < PROBEKIT_COMPARE_MIN_PAIRS &&
		    !change->is_informational)
			change->pairs_needed = PROBEKIT_COMPARE_MIN_PAIRS;
		return;
	}
	change->p_regress = result->p_greater;
	change->p_improve = result->p_less;
	if (!isnan(family->critical)) {
		double seen =
			(family->critical + student_quantile(POWER, (double)h->paired.count - 1)) *
			standard_error(h, result->s0);

		change->detectable = h->scale > 0 ? seen * h->scale / change->base : expm1(seen);
	}
	if (result->p_greater <= ALPHA && h->paired.mean >= limit)
		change->verdict = PROBEKIT_VERDICT_REGRESS;
	else if (result->p_less <= ALPHA && h->paired.mean <= -limit)
		change->verdict = PROBEKIT_VERDICT_IMPROVE;
	else if (is_same(h, family->delta))
		change->verdict = PROBEKIT_VERDICT_SAME;
	if (change->verdict != PROBEKIT_VERDICT_UNDECIDED)
		return;
	change->pairs_needed = pairs_needed(h, family, result->s0);
	change->reason = result->p_greater <= ALPHA || result->p_less <= ALPHA
				 ? "it changed, by about as much as matters"
				 : "too few pairs of runs for their spread";
}

/* What is tested of a family, without what is not. */
struct tested {
	double *rows;
	unsigned int *groups; /* the measures: of each the spread is its own */
	struct flip_result *results;
	size_t size;
};

static bool is_tested(const struct compare_hypothesis *h)
{
	return h->is_tested && h->paired.count >= PROBEKIT_COMPARE_MIN_PAIRS;
}

static int tested_init(const struct compare_hypothesis *hypotheses, size_t size, size_t pairs,
		       const double *differences, struct tested *tested)
{
	*tested = (struct tested){
		.rows = calloc(size + 1, pairs * sizeof(*tested->rows)),
		.groups = calloc(size + 1, sizeof(*tested->groups)),
		.results = calloc(size + 1, sizeof(*tested->results)),
	};
	if (!tested->rows || !tested->groups || !tested->results)
		return -ENOMEM;
	for (size_t i = 0; i < size; i++) {
		if (!is_tested(&hypotheses[i]))
			continue;
		memcpy(&tested->rows[tested->size * pairs], &differences[i * pairs],
		       pairs * sizeof(*differences));
		tested->groups[tested->size++] = compare_measure_number(hypotheses[i].measure);
	}
	return 0;
}

static void tested_done(struct tested *tested)
{
	free(tested->rows);
	free(tested->groups);
	free(tested->results);
}

int compare_hypotheses_decide(struct compare_hypothesis *hypotheses, size_t size, size_t pairs,
			      const double *differences, double delta, struct probekit_error *err)
{
	struct family family = {.pairs = pairs, .delta = delta, .critical = NAN};
	const struct flip_result none = {NAN, NAN, NAN, NAN};
	struct tested tested;
	size_t at = 0;
	int result = tested_init(hypotheses, size, pairs, differences, &tested);

	if (!result)
		result = flip_test(tested.rows, tested.groups, tested.size, pairs, FLIP_SEED,
				   tested.results, &family.critical);
	for (size_t i = 0; i < size && !result; i++)
		decide(&hypotheses[i], is_tested(&hypotheses[i]) ? &tested.results[at++] : &none,
		       &family);
	tested_done(&tested);
	return result ? error_no_memory(err) : 0;
}
