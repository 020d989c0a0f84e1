/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns why the latency of a probe changed: both distributions, and what its spans did longer or
 * shorter. Times are per span, so that runs of different length weigh the same.
 */
#include "compare_why.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "compare_causes.h"
#include "histogram.h"
#include "paired.h"

#define CERTAINTY 0.95

/* Pairs of rows that both tell what their spans did. */
struct known {
	const struct probekit_probe **base;
	const struct probekit_probe **head;
	double *differences; /* room for one a pair */
	size_t size;
};

static bool is_known(const struct probekit_probe *row)
{
	return row && row->has_time && row->count;
}

static void known_done(struct known *known)
{
	free(known->base);
	free(known->head);
	free(known->differences);
}

static int known_init(const struct subject *subject, size_t pairs, struct known *known)
{
	*known = (struct known){
		.base = calloc(pairs, sizeof(struct probekit_probe *)),
		.head = calloc(pairs, sizeof(struct probekit_probe *)),
		.differences = calloc(pairs, sizeof(double)),
	};
	if (!known->base || !known->head || !known->differences) {
		known_done(known);
		return -ENOMEM;
	}
	for (size_t i = 0; i < pairs; i++) {
		if (!is_known(subject->base[i]) || !is_known(subject->head[i]))
			continue;
		known->base[known->size] = subject->base[i];
		known->head[known->size++] = subject->head[i];
	}
	return 0;
}

/* ---- distributions ---- */

static int join_histograms(const struct probekit_probe *const *rows, size_t pairs,
			   struct probekit_histogram *joined)
{
	bool is_first = true;
	int result = 0;

	for (size_t i = 0; i < pairs && !result; i++) {
		if (!rows[i])
			continue;
		if (is_first)
			joined->scale = rows[i]->histogram.scale;
		is_first = false;
		result = histogram_add(joined, &rows[i]->histogram);
	}
	return result;
}

/* ---- classes ---- */

static double per_span(const struct probekit_probe *row, int time_class)
{
	return (double)row->time_ns[time_class] / (double)row->count;
}

static struct probekit_difference difference_of(const struct known *known, int time_class)
{
	struct probekit_difference difference = {.time_class = (enum probekit_class)time_class};
	struct paired paired;

	for (size_t i = 0; i < known->size; i++) {
		double base = per_span(known->base[i], time_class);
		double head = per_span(known->head[i], time_class);

		known->differences[i] = head - base;
		difference.base_ns += base / (double)known->size;
		difference.head_ns += head / (double)known->size;
	}
	paired = paired_of(known->differences, known->size);
	difference.is_certain = fabs(paired.mean) > paired_half_width(&paired, CERTAINTY);
	return difference;
}

static int by_difference(const void *left, const void *right)
{
	const struct probekit_difference *a = left;
	const struct probekit_difference *b = right;
	double x = fabs(a->head_ns - a->base_ns);
	double y = fabs(b->head_ns - b->base_ns);

	return x < y ? 1 : x > y ? -1 : (int)a->time_class - (int)b->time_class;
}

static int fill_classes(const struct known *known, struct probekit_why *why)
{
	why->classes = calloc(PROBEKIT_CLASS_COUNT, sizeof(*why->classes));
	if (!why->classes)
		return -ENOMEM;
	for (int c = 0; c < PROBEKIT_CLASS_COUNT; c++) {
		struct probekit_difference difference = difference_of(known, c);

		if (difference.base_ns > 0 || difference.head_ns > 0)
			why->classes[why->class_count++] = difference;
	}
	qsort(why->classes, why->class_count, sizeof(*why->classes), by_difference);
	return 0;
}

int compare_why_fill(const struct subject *subject, size_t pairs, struct probekit_why *why,
		     struct probekit_error *err)
{
	struct probekit_why made = {.probe = subject->name};
	struct known known;

	if (known_init(subject, pairs, &known))
		return error_no_memory(err);
	if (join_histograms(subject->base, pairs, &made.base) ||
	    join_histograms(subject->head, pairs, &made.head) || fill_classes(&known, &made) ||
	    compare_causes(known.base, known.head, known.size, COMPARE_CAUSES_MAX, &made.causes,
			   &made.cause_count)) {
		compare_why_done(&made);
		known_done(&known);
		return error_no_memory(err);
	}
	known_done(&known);
	*why = made;
	return 0;
}

void compare_why_done(struct probekit_why *why)
{
	histogram_done(&why->base);
	histogram_done(&why->head);
	free(why->classes);
	free(why->causes);
	*why = (struct probekit_why){0};
}
