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

#define POWER 0.8
/* Of what is measured the probe itself may be so much before ratios say little of the program. */
#define FLOOR_SHARE_MAX 0.5
/* Of its spans so many may be lost. */
#define LOST_SHARE_MAX 0.1
#define PAIRS_NEEDED_MAX 9999
/* Fixed: the same runs give the same verdict whenever they are compared. */
#define FLIP_SEED 0x70726f62656b6974u

/* ---- verdicts ---- */

/* The share of what is measured that is the probe's own, at most. */
static double floor_share(const struct compare_hypothesis *h)
{
	return h->floor_ns > 0 && h->change.base > 0 && !h->measure->is_class
		       ? h->floor_ns / h->change.base
		       : 0;
}

/* A relative change on the scale of the differences. */
static double on_scale(const struct compare_hypothesis *h, double share)
{
	return h->scale > 0 ? share : log1p(share);
}

static double half_width_90(const struct compare_hypothesis *h)
{
	return paired_half_width(&h->paired, 1 - 2 * COMPARE_ALPHA);
}

/* The test of equivalence. What the probe adds to both makes them more alike than they are. */
static bool is_same(const struct compare_hypothesis *h, double delta)
{
	double limit = on_scale(h, delta * (1 - floor_share(h)));

	return fabs(h->paired.mean) + half_width_90(h) < limit;
}

static double standard_error(const struct compare_hypothesis *h)
{
	return (h->paired.deviation + h->s0) / sqrt((double)h->paired.count);
}

static double student(const struct compare_hypothesis *h, double p)
{
	return student_quantile(p, (double)h->paired.count - 1);
}

/* Called a regression are changes that are both certain and as large as matters. */
static double detectable(const struct compare_hypothesis *h, double delta)
{
	double luck = student(h, POWER) * standard_error(h);
	double least = fmax(h->critical * standard_error(h), on_scale(h, delta)) + luck;

	return h->scale > 0 ? least * h->scale / h->change.base : expm1(least);
}

/* How many pairs it would take to be certain of a mean that is beyond the limit, or that one which is not is not. */
static size_t pairs_needed(const struct compare_hypothesis *h, double mean, double limit)
{
	double deviation = h->paired.deviation;
	double root = mean >= limit ? h->critical * (deviation + h->s0) / mean
				    : student(h, 1 - COMPARE_ALPHA) * deviation / (limit - mean);
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

static const char too_few_pairs[] = "fewer than 6 pairs of runs";

/* Nothing of a hypothesis that cannot be decided is told but its estimate. NULL: it can. */
static const char *untestable(const struct compare_hypothesis *h, size_t pairs)
{
	if (h->change.is_informational)
		return "told, never decided";
	if (h->paired.count < pairs && was_dropped(h->subject, pairs))
		return "probing it cost more than was allowed";
	if (compare_has_lost(h->subject, pairs, LOST_SHARE_MAX))
		return "too many of its spans were lost";
	if (!h->paired.count)
		return h->measure->quantile ? "too few spans in a run"
					    : "not known in any pair of runs";
	if (h->paired.count < PROBEKIT_COMPARE_MIN_PAIRS)
		return too_few_pairs;
	if (floor_share(h) > FLOOR_SHARE_MAX)
		return "most of it may be the probe itself";
	return NULL;
}

static void decide(struct compare_hypothesis *h, const struct flip_result *result, size_t pairs,
		   double delta, double critical)
{
	struct probekit_change *change = &h->change;
	double limit = on_scale(h, delta);

	change->reason = untestable(h, pairs);
	if (change->reason) {
		if (change->reason == too_few_pairs) /* no number of pairs mends the others */
			change->pairs_needed = PROBEKIT_COMPARE_MIN_PAIRS;
		return;
	}
	h->s0 = result->s0;
	h->critical = critical;
	change->p_regress = result->p_greater;
	change->p_improve = result->p_less;
	if (!isnan(critical))
		change->detectable = detectable(h, delta);
	if (result->p_greater <= COMPARE_ALPHA && h->paired.mean >= limit)
		change->verdict = PROBEKIT_VERDICT_REGRESS;
	else if (result->p_less <= COMPARE_ALPHA && h->paired.mean <= -limit)
		change->verdict = PROBEKIT_VERDICT_IMPROVE;
	else if (is_same(h, delta))
		change->verdict = PROBEKIT_VERDICT_SAME;
	if (change->verdict != PROBEKIT_VERDICT_UNDECIDED)
		return;
	change->pairs_needed = pairs_needed(h, fabs(h->paired.mean), limit);
	change->reason = result->p_greater <= COMPARE_ALPHA || result->p_less <= COMPARE_ALPHA
				 ? "it changed, by about as much as matters"
				 : "too few pairs of runs for their spread";
}

/* ---- rules ---- */

/* In the bound's unit. */
static double increase(const struct compare_hypothesis *h, bool is_absolute)
{
	double at = h->paired.mean;

	if (h->scale <= 0)
		return expm1(at) * (is_absolute ? h->change.base : 1);
	if (at == 0)
		return 0;
	return at * h->scale / (is_absolute ? 1 : fabs(h->change.base));
}

/* On the scale of the differences. A share of next to nothing is next to nothing: it must be delta of the whole. */
static double bound_on_scale(const struct compare_hypothesis *h, double delta, double bound,
			     bool is_absolute)
{
	if (h->scale <= 0)
		return log1p(is_absolute ? bound / h->change.base : bound);
	if (is_absolute)
		return bound / h->scale;
	return fmax(bound * fabs(h->change.base) / h->scale, delta);
}

void compare_judge(const struct compare_hypothesis *h, double delta,
		   struct probekit_rule_result *result)
{
	const struct probekit_change *change = &h->change;
	double limit = bound_on_scale(h, delta, result->bound, result->is_absolute);
	/* What the probe adds to both makes a share of it less than it is. */
	double sure =
		result->is_absolute
			? limit
			: bound_on_scale(h, delta, result->bound * (1 - floor_share(h)), false);

	result->change = change;
	result->estimate = increase(h, result->is_absolute);
	result->reason = change->reason;
	result->pairs_needed = change->pairs_needed;
	if (isnan(change->p_regress) && change->verdict == PROBEKIT_VERDICT_UNDECIDED)
		return;
	result->reason = NULL;
	result->pairs_needed = 0;
	if (change->p_regress <= COMPARE_ALPHA && h->paired.mean > limit) {
		result->state = PROBEKIT_RULE_FAILED;
	} else if (h->paired.mean + half_width_90(h) < sure) {
		result->state = PROBEKIT_RULE_PASSED;
	} else {
		result->reason = change->p_regress <= COMPARE_ALPHA
					 ? "it grew, by about as much as is allowed"
					 : "too few pairs of runs for their spread";
		result->pairs_needed = pairs_needed(h, h->paired.mean, limit);
	}
}

/* ---- families ---- */

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
	double critical = NAN;
	const struct flip_result none = {NAN, NAN, NAN, NAN};
	struct tested tested;
	size_t at = 0;
	int result = tested_init(hypotheses, size, pairs, differences, &tested);

	if (!result)
		result = flip_test(tested.rows, tested.groups, tested.size, pairs, FLIP_SEED,
				   tested.results, &critical);
	for (size_t i = 0; i < size && !result; i++)
		decide(&hypotheses[i], is_tested(&hypotheses[i]) ? &tested.results[at++] : &none,
		       pairs, delta, critical);
	tested_done(&tested);
	return result ? error_no_memory(err) : 0;
}
