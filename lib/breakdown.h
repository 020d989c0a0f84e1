/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_BREAKDOWN_H
#define PROBEKIT_BREAKDOWN_H
/*
 * Where the time of a row's spans went: the members has_time to parents of struct probekit_probe,
 * which own their arrays and strings. Pure functions.
 */
#include "engine.h"
#include "error.h"

/* From the kernel's row; `slow_over_ns`: the caller's threshold for the tail, or 0. -ENOMEM. */
int breakdown_from_row(const struct row_sums *sums, uint64_t slow_over_ns,
		       struct probekit_probe *probe);
/* into += from. -ENOMEM leaves `into` half done. */
int breakdown_add(struct probekit_probe *into, const struct probekit_probe *from);
/* now -= before, of one growing row, whose waits are as breakdown_join_waits() leaves them. */
void breakdown_subtract(struct probekit_probe *now, const struct probekit_probe *before);
/* Appends to a list of relations. -ENOMEM. */
int breakdown_relate(struct probekit_relation **list, size_t *count, const char *name,
		     uint64_t spans, uint64_t time_ns);
/* Appends a copy. -ENOMEM. */
int breakdown_add_wait(struct probekit_probe *probe, const struct probekit_wait *wait);
/* Those that are told as one become one; the order is of breakdown_subtract(). */
void breakdown_join_waits(struct probekit_probe *probe);
/* As they are told: by band, most time first. */
void breakdown_sort_waits(struct probekit_probe *probe);
/* Some of what was told, or all, is told no more: as it comes again it begins anew. The order is of
 * breakdown_join_waits(). */
void breakdown_forget_wait(struct probekit_probe *before, const struct probekit_wait *wait);
void breakdown_subtract_waits(struct probekit_probe *now, const struct probekit_probe *before);
void breakdown_waits_done(struct probekit_probe *probe);
/* Finds the tail, unless it is a threshold's already, and its causes from the waits. -ENOMEM. */
int breakdown_explain(struct probekit_probe *probe);
void breakdown_done(struct probekit_probe *probe);

/* The slow spans by the distribution's shape; none where it is not known what took the time. */
void tail_by_shape(const struct probekit_probe *probe, struct probekit_tail *tail);
/* The shares of one whose count and time are known. */
void tail_by_threshold(const struct probekit_probe *probe, struct probekit_tail *tail);
/* Free what they own: every text and array in them is malloc'ed. */
void cause_done(struct probekit_cause *cause);
void holder_free(struct probekit_holder *holder);
/* Who ended the cause's waits or, where it was a CPU that was missing, had it. */
struct probekit_thread *cause_other(struct probekit_cause *cause);

/* Of texts that may be NULL. */
bool breakdown_is_same(const char *a, const char *b);
/* A copy of a text that may be NULL, in *into. -ENOMEM. */
int breakdown_copy_text(const char *text, const char **into);
/* NULL: the row has no such band. */
const struct probekit_band *breakdown_band(const struct probekit_probe *probe, int32_t exponent);

#endif
