/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns the numbers that a pair of builds gives: differences run by run, their mean and interval. Times are
 * compared by logarithms, so that noise of a machine that is slower for a while is the same for short and long
 * ones; what may be 0 or negative by differences.
 */
#include <math.h>

#include "compare_verdict.h"

struct means {
	double base;
	double head;
	size_t count;
};

static double value_in(const struct compare_measure *measure, const struct probekit_probe *row)
{
	return row ? compare_measure_value(measure, row) : NAN;
}

/* Over the runs that have one; 0 without. */
static double mean_of(const struct probekit_probe *const *rows, size_t pairs,
		      const struct compare_measure *measure)
{
	double sum = 0;
	size_t known = 0;

	for (size_t i = 0; i < pairs; i++) {
		double value = value_in(measure, rows[i]);

		if (isnan(value))
			continue;
		sum += fabs(value);
		known++;
	}
	return known ? sum / (double)known : 0;
}

static bool has_no_logarithm(const struct probekit_probe *const *rows, size_t pairs,
			     const struct compare_measure *measure)
{
	for (size_t i = 0; i < pairs; i++)
		if (value_in(measure, rows[i]) <= 0)
			return true;
	return false;
}

/* What a difference is a share of: of a class base's mean span, else base's own value, or where that is 0 head's.
 * 0: logarithms do. */
static double scale_of(const struct compare_hypothesis *h, size_t pairs)
{
	const struct subject *subject = h->subject;
	double scale;

	if (h->measure->is_class)
		return mean_of(subject->base, pairs, compare_measure_find("mean", 4));
	if (!has_no_logarithm(subject->base, pairs, h->measure) &&
	    !has_no_logarithm(subject->head, pairs, h->measure))
		return 0;
	scale = mean_of(subject->base, pairs, h->measure);
	if (scale <= 0)
		scale = mean_of(subject->head, pairs, h->measure);
	return scale > 0 ? scale : 1;
}

/* Fills the differences; means of logarithms are geometric ones. */
static struct means differ(const struct compare_hypothesis *h, size_t pairs, double *differences)
{
	struct means means = {0};
	bool is_log = h->scale <= 0;

	for (size_t i = 0; i < pairs; i++) {
		double base = value_in(h->measure, h->subject->base[i]);
		double head = value_in(h->measure, h->subject->head[i]);

		differences[i] = is_log ? log(head / base) : (head - base) / h->scale;
		if (isnan(differences[i]))
			continue;
		means.base += is_log ? log(base) : base;
		means.head += is_log ? log(head) : head;
		means.count++;
	}
	means.base /= (double)means.count; /* NAN without any */
	means.head /= (double)means.count;
	if (is_log) {
		means.base = exp(means.base);
		means.head = exp(means.head);
	}
	return means;
}

/* Of the hypothesis's mean, moved by `offset`, as head to base. */
static double ratio_at(const struct compare_hypothesis *h, double offset)
{
	double at = h->paired.mean + offset;

	if (h->scale <= 0)
		return exp(at);
	if (h->change.base < 0)
		return NAN;
	if (h->change.base == 0 && at == 0)
		return 1;
	return 1 + at * h->scale / h->change.base;
}

static bool has_lost(const struct probekit_probe *row, double share)
{
	const struct probekit_lost *lost = &row->lost;
	uint64_t count = lost->abandoned + lost->depth_overflow + lost->state_unavailable +
			 lost->map_full + lost->unreadable_argument;

	return (double)count > share * (double)(row->count + count);
}

bool compare_has_lost(const struct subject *subject, size_t pairs, double share)
{
	for (size_t i = 0; i < pairs; i++)
		if ((subject->base[i] && has_lost(subject->base[i], share)) ||
		    (subject->head[i] && has_lost(subject->head[i], share)))
			return true;
	return false;
}

void compare_hypothesis_weigh(struct compare_hypothesis *h, size_t pairs, double *differences)
{
	struct probekit_change *change = &h->change;
	struct means means;
	double width;

	h->scale = scale_of(h, pairs);
	means = differ(h, pairs, differences);
	h->paired = paired_of(differences, pairs);
	h->is_tested = !h->measure->is_informational;
	h->s0 = h->critical = NAN;
	*change = (struct probekit_change){
		.probe = h->subject->name,
		.kind = h->subject->kind,
		.measure = h->measure->name,
		.pairs = means.count,
		.base = means.base,
		.head = means.head,
		.p_regress = NAN,
		.p_improve = NAN,
		.detectable = NAN,
		.is_informational = h->measure->is_informational,
		.doubt = compare_has_lost(h->subject, pairs, 0) ? "some of its spans were lost"
								: NULL,
	};
	width = paired_half_width(&h->paired, 1 - COMPARE_ALPHA);
	change->ratio = ratio_at(h, 0);
	change->low = ratio_at(h, -width);
	change->high = ratio_at(h, width);
}
