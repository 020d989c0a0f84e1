/* SPDX-License-Identifier: BSD-2-Clause */
#include "breakdown.h"

int64_t breakdown_sum(const uint64_t times[static PROBEKIT_CLASS_COUNT])
{
	uint64_t sum = 0;

	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		sum += times[i];
	return (int64_t)sum;
}

/* Neither below nor above what its count allows, to the ns that edges are rounded to. */
static void check_band(const struct probekit_band *band, uint64_t count, bool is_explained)
{
	double low = 1e9;
	double sum = (double)breakdown_sum(band->time_ns);

	for (int i = 0; i > band->exponent; i--)
		low /= 2;
	for (int i = 0; i < band->exponent; i++)
		low *= 2;
	assert_true(sum <= (double)count * (2 * low + 1));
	if (is_explained)
		assert_true(sum >= (double)count * (low - 1));
}

static void check_bands(const struct probekit_probe *row)
{
	uint64_t total[PROBEKIT_CLASS_COUNT] = {0};
	uint64_t counts[128];
	int32_t first;
	size_t size = probekit_probe_bands(row, &first, counts, 128);

	for (size_t i = 0; i < row->band_count; i++) {
		const struct probekit_band *band = &row->bands[i];
		size_t at = (size_t)(band->exponent - first);

		assert_true(i == 0 || band->exponent > row->bands[i - 1].exponent);
		assert_true(band->exponent >= first && at < size);
		check_band(band, counts[at], row->unexplained_ns == 0);
		for (int k = 0; k < PROBEKIT_CLASS_COUNT; k++)
			total[k] += band->time_ns[k];
	}
	assert_memory_equal(total, row->time_ns, sizeof(total));
}

static void check_relations(const struct probekit_snapshot *snapshot,
			    const struct probekit_probe *row)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < row->child_count; i++) {
		const struct probekit_relation *child = &row->children[i];

		sum += child->time_ns;
		assert_true(child->count <= find_row(snapshot, child->name)->count);
	}
	/* (Children of a span that is still open have ended.) */
	assert_true(row->open_count > 0 || sum <= (uint64_t)row->sum);
}

void breakdowns_check(const struct probekit_snapshot *snapshot)
{
	for (size_t i = 0; i < probekit_snapshot_size(snapshot); i++) {
		const struct probekit_probe *row = probekit_snapshot_probe(snapshot, i);

		assert_true(row->has_time);
		assert_int_equal(breakdown_sum(row->time_ns) + (int64_t)row->unexplained_ns,
				 row->sum);
		assert_true(row->time_ns[PROBEKIT_CLASS_OTHER] <= (uint64_t)row->sum / 100);
		check_bands(row);
		check_relations(snapshot, row);
	}
}

int64_t breakdown_queued(const struct probekit_probe *row)
{
	return (int64_t)(row->time_ns[PROBEKIT_CLASS_RUNQUEUE] +
			 row->time_ns[PROBEKIT_CLASS_THROTTLED]);
}

int64_t breakdown_blocked(const struct probekit_probe *row)
{
	return row->sum - breakdown_queued(row) - (int64_t)row->time_ns[PROBEKIT_CLASS_ONCPU];
}

bool breakdowns_are_repaired(const struct probekit_snapshot *snapshot)
{
	for (size_t i = 0; i < probekit_snapshot_size(snapshot); i++)
		if (probekit_snapshot_probe(snapshot, i)->lost.sched_repaired)
			return true;
	return false;
}
