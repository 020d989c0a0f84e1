/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_COMPARE_WHY_H
#define PROBEKIT_COMPARE_WHY_H
/* What a probe's spans do longer or shorter in one build than in the other. */
#include "compare_subjects.h"

enum { COMPARE_CAUSES_MAX = 16 };

/* Distributions are of all runs that have the subject, what its spans did of those pairs in which
 * both tell. -ENOMEM. */
int compare_why_fill(const struct subject *subject, size_t pairs, struct probekit_why *why,
		     struct probekit_error *err);
void compare_why_done(struct probekit_why *why);

#endif
