/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_COMPARE_CAUSES_H
#define PROBEKIT_COMPARE_CAUSES_H
/* What spans wait for in two builds, matched across all their runs. */
#include <probekit/compare.h>

/*
 * The causes of a probe's tails, with what all its spans spent on them: largest difference first,
 * at most `most`. Every row has spans and tells what they did; base[i] and head[i] are a pair.
 * -ENOMEM.
 */
int compare_causes(const struct probekit_probe *const *base,
		   const struct probekit_probe *const *head, size_t pairs, size_t most,
		   struct probekit_cause_difference **causes, size_t *count);

#endif
