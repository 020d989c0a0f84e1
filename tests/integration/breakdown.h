/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_BREAKDOWN_H
#define PROBEKIT_TESTS_BREAKDOWN_H
/* Where the time of a row went, and what holds of every row whatever was measured. */
#include "measure.h"

int64_t breakdown_sum(const uint64_t times[static PROBEKIT_CLASS_COUNT]);
/* Runnable, without a CPU. */
int64_t breakdown_queued(const struct probekit_probe *row);
/* Neither on a CPU nor waiting for one. */
int64_t breakdown_blocked(const struct probekit_probe *row);

/* Of all rows: classes and bands add up to the sum, bands are as their counts allow, and children have no more
 * time than there is. */
void breakdowns_check(const struct probekit_snapshot *snapshot);
/* Did the kernel not report a switch, which some do a few times a minute? Sums are exact all the same, but
 * classes are not. */
bool breakdowns_are_repaired(const struct probekit_snapshot *snapshot);

#endif
