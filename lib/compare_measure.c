/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the numbers that runs are compared by. */
#include "compare_measure.h"

#include <math.h>
#include <string.h>

#include "histogram.h"

#define NS_PER_S 1e9

#define CLASS(text, number)                                                           \
	{                                                                             \
		.name = text, .is_class = true, .time_class = PROBEKIT_CLASS_##number \
	}

static const struct compare_measure measures[] = {
	{.name = "p50", .quantile = 0.5, .is_tested_always = true},
	{.name = "p90", .quantile = 0.9},
	{.name = "p99", .quantile = 0.99, .is_tested_always = true},
	{.name = "p99.9", .quantile = 0.999, .is_informational = true},
	{.name = "mean"},
	CLASS("oncpu", ONCPU),
	CLASS("runqueue", RUNQUEUE),
	CLASS("throttled", THROTTLED),
	CLASS("lock", LOCK),
	CLASS("disk", DISK),
	CLASS("network", NETWORK),
	CLASS("ipc", IPC),
	CLASS("io", IO),
	CLASS("sleep", SLEEP),
	CLASS("poll", POLL),
	CLASS("pagefault", PAGEFAULT),
	CLASS("memory", MEMORY),
	CLASS("stopped", STOPPED),
	CLASS("other", OTHER),
};

const struct compare_measure *compare_measure_at(size_t i)
{
	return i < sizeof(measures) / sizeof(measures[0]) && measures[i].quantile ? &measures[i]
										  : NULL;
}

const struct compare_measure *compare_measure_find(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++)
		if (strlen(measures[i].name) == length &&
		    memcmp(measures[i].name, name, length) == 0)
			return &measures[i];
	return NULL;
}

unsigned int compare_measure_number(const struct compare_measure *measure)
{
	return (unsigned int)(measure - measures);
}

/* At the rank's place among the bucket's values, on a logarithmic axis. */
static double interpolated_quantile(const struct probekit_probe *row, double q)
{
	const struct probekit_histogram *h = &row->histogram;
	double unit = row->kind == PROBEKIT_KIND_VALUE ? 1 : NS_PER_S;
	double rank = q * (double)row->count - (double)h->negative_count - (double)h->zero_count;
	double value;
	double lower;
	size_t i;

	if (rank <= 0 || !h->size)
		return probekit_probe_quantile(row, q);
	for (i = 0; i + 1 < h->size && rank > (double)h->count[i]; i++)
		rank -= (double)h->count[i];
	lower = histogram_lower(h->index[i], h->scale);
	value = lower * unit *
		pow(histogram_upper(h->index[i], h->scale) / lower,
		    fmin(rank / (double)h->count[i], 1));
	return fmax((double)row->min, fmin((double)row->max, value));
}

double compare_measure_value(const struct compare_measure *measure,
			     const struct probekit_probe *row)
{
	double count = (double)row->count;

	if (!row->count ||
	    row->dropped_after_ns) /* the first calls of a run are not like the others */
		return NAN;
	if (measure->is_class)
		return row->has_time ? (double)row->time_ns[measure->time_class] / count : NAN;
	if (!measure->quantile)
		return (double)row->sum / count;
	/* With fewer it would be the largest value, or close to it. */
	if (count * (1 - measure->quantile) < 1 - 1e-9)
		return NAN;
	return interpolated_quantile(row, measure->quantile);
}
