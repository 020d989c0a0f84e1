/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns which spans are the slow ones, and what their time was made of. */
#include <math.h>
#include <string.h>

#include "breakdown.h"
#include "histogram.h"

#define NS_PER_S 1e9
#define TAIL_QUANTILE 0.99
#define MAX_MODES 16
#define LEAST_STEP 4 /* as a factor: what is nearer is not another kind of span */

/* The band that a duration lies in: (2^k, 2^(k+1)] seconds. */
static int32_t band_of(double ns)
{
	return (int32_t)ceil(log2(ns / NS_PER_S)) - 1;
}

/* Of several modes, those behind the widest step (as a factor) from one to the next. */
static double slow_from_ns(const struct probekit_probe *probe)
{
	struct probekit_mode modes[MAX_MODES];
	size_t n = probekit_probe_modes(probe, modes, MAX_MODES);
	double from_ns = 0;
	double widest = 0;

	for (size_t i = 1; i < n && i < MAX_MODES; i++) {
		double step = modes[i].at / fmax(modes[i - 1].at, 1);

		if (step >= LEAST_STEP && step > widest) {
			widest = step;
			from_ns = modes[i].from;
		}
	}
	return from_ns > 0 ? from_ns : probekit_probe_quantile(probe, TAIL_QUANTILE);
}

void tail_by_shape(const struct probekit_probe *probe, struct probekit_tail *tail)
{
	const struct probekit_histogram *h = &probe->histogram;
	double from_ns = probe->has_time && probe->sum > 0 ? slow_from_ns(probe) : 0;
	int32_t from = from_ns > 0 ? band_of(from_ns) : 0;
	uint64_t count = 0;
	uint64_t time_ns = 0;

	memset(tail, 0, sizeof(*tail));
	if (from_ns <= 0)
		return;
	for (size_t i = 0; i < h->size; i++)
		if (h->index[i] >> h->scale >= from)
			count += h->count[i];
	for (size_t i = 0; i < probe->band_count; i++) {
		if (probe->bands[i].exponent < from)
			continue;
		for (int c = 0; c < PROBEKIT_CLASS_COUNT; c++) {
			tail->time_ns[c] += probe->bands[i].time_ns[c];
			time_ns += probe->bands[i].time_ns[c];
		}
	}
	tail->exponent = from;
	tail->from_ns = (uint64_t)llround(histogram_lower(from, 0) * NS_PER_S);
	tail->count = count;
	tail->share_of_spans = (double)count / (double)probe->count;
	tail->share_of_time = (double)time_ns / (double)probe->sum;
}

void tail_by_threshold(const struct probekit_probe *probe, struct probekit_tail *tail)
{
	double time_ns = 0;

	for (int c = 0; c < PROBEKIT_CLASS_COUNT; c++)
		time_ns += (double)tail->time_ns[c];
	tail->share_of_spans = probe->count ? (double)tail->count / (double)probe->count : 0;
	tail->share_of_time = probe->sum > 0 ? fmin(time_ns / (double)probe->sum, 1) : 0;
}
