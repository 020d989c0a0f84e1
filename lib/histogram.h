/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_HISTOGRAM_H
#define PROBEKIT_HISTOGRAM_H
/* Pure functions on exponential histograms. */
#include "error.h"

/* Bounds of bucket `index` at `scale` in the histogram's unit (seconds, or 1): (lower, upper]. */
double histogram_lower(int32_t index, int32_t scale);
double histogram_upper(int32_t index, int32_t scale);

/* Builds the sparse histogram from a row of `slots` dense counts, slot 0 being bucket `base`. The
 * result owns its arrays: free index and count. -ENOMEM. */
int histogram_from_slots(const uint64_t *counts, size_t slots, int32_t base, int32_t scale,
			 struct probekit_histogram *histogram);
void histogram_done(struct probekit_histogram *histogram);

/* into += from, at the coarser of the two scales (exact). -ENOMEM leaves `into` as it was. */
int histogram_add(struct probekit_histogram *into, const struct probekit_histogram *from);
/* newer - older of one growing histogram of the same scale; buckets that did not grow vanish. */
int histogram_subtract(const struct probekit_histogram *newer,
		       const struct probekit_histogram *older, struct probekit_histogram *delta);
/* All values, with those that are zero or negative. */
uint64_t histogram_total(const struct probekit_histogram *histogram);

#endif
