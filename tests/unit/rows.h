/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_ROWS_H
#define PROBEKIT_TESTS_ROWS_H
/* Rows of snapshots made by hand, for what shows them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "out_text.h"

#define SCALE 6
#define MAX_BUCKETS 64
#define MAX_BANDS 8

/* A row that owns its buckets. */
struct row {
	struct probekit_probe probe;
	int32_t index[MAX_BUCKETS];
	uint64_t count[MAX_BUCKETS];
	struct probekit_band bands[MAX_BANDS];
};

static inline void row_init(struct row *row, const char *name, enum probekit_kind kind)
{
	memset(row, 0, sizeof(*row));
	row->probe.name = name;
	row->probe.kind = kind;
	row->probe.object = "./logger";
	row->probe.sites = 4;
	row->probe.probe_cost_ns = 500;
	row->probe.histogram.scale = SCALE;
	row->probe.histogram.index = row->index;
	row->probe.histogram.count = row->count;
}

/* Adds `n` values of `value` ns (kind VALUE: units); to be called in ascending order. */
static inline void row_add(struct row *row, double value, uint64_t n)
{
	struct probekit_probe *probe = &row->probe;
	struct probekit_histogram *histogram = &probe->histogram;
	double unit = probe->kind == PROBEKIT_KIND_VALUE ? 1 : 1e-9;
	int32_t index = (int32_t)ceil(log2(value * unit) * (1 << SCALE)) - 1;

	if (histogram->size && row->index[histogram->size - 1] == index) {
		row->count[histogram->size - 1] += n;
	} else {
		assert_true(histogram->size < MAX_BUCKETS);
		row->index[histogram->size] = index;
		row->count[histogram->size++] = n;
	}
	if (probe->count == 0)
		probe->min = (int64_t)value;
	probe->max = (int64_t)value;
	probe->count += n;
	probe->sum += (int64_t)(value * (double)n);
}

/* Adds time to the band that begins at 2^exponent s; to be called in ascending order. */
static inline void row_spend(struct row *row, int32_t exponent, enum probekit_class time_class,
			     double ns)
{
	struct probekit_probe *probe = &row->probe;

	probe->has_time = true;
	probe->bands = row->bands;
	if (!probe->band_count || row->bands[probe->band_count - 1].exponent != exponent) {
		assert_true(probe->band_count < MAX_BANDS);
		row->bands[probe->band_count++].exponent = exponent;
	}
	row->bands[probe->band_count - 1].time_ns[time_class] += (uint64_t)ns;
	probe->time_ns[time_class] += (uint64_t)ns;
}

#endif
