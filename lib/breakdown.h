/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_BREAKDOWN_H
#define PROBEKIT_BREAKDOWN_H
/*
 * Where the time of a row's spans went: the members has_time to parents of struct probekit_probe,
 * which own their arrays and strings. Pure functions.
 */
#include "engine.h"
#include "error.h"

/* From the kernel's row. -ENOMEM. */
int breakdown_from_row(const struct row_sums *sums, struct probekit_probe *probe);
/* into += from. -ENOMEM leaves `into` half done. */
int breakdown_add(struct probekit_probe *into, const struct probekit_probe *from);
/* now -= before, of one growing row. */
void breakdown_subtract(struct probekit_probe *now, const struct probekit_probe *before);
/* Appends to a list of relations. -ENOMEM. */
int breakdown_relate(struct probekit_relation **list, size_t *count, const char *name,
		     uint64_t spans, uint64_t time_ns);
/* Appends a copy. -ENOMEM. */
int breakdown_add_wait(struct probekit_probe *probe, const struct probekit_wait *wait);
void breakdown_done(struct probekit_probe *probe);

/* Of texts that may be NULL. */
bool breakdown_is_same(const char *a, const char *b);
/* NULL: the row has no such band. */
const struct probekit_band *breakdown_band(const struct probekit_probe *probe, int32_t exponent);

#endif
