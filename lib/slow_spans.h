/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_SLOW_SPANS_H
#define PROBEKIT_SLOW_SPANS_H
/* The slowest spans of each probe. */
#include <probekit/probekit.h>

#include "../bpf/shared.h"

#define SLOWEST_MAX 10

/* All zero is empty. */
struct slow_spans {
	void *tree; /* by probe */
};

/* -ENOMEM. */
int slow_spans_add(struct slow_spans *spans, const struct span_record *record)
	__attribute__((warn_unused_result));
void slow_spans_done(struct slow_spans *spans);
/* As evidence_slowest(). */
int slow_spans_list(const struct slow_spans *spans, uint32_t probe,
		    struct probekit_slow_span **list, size_t *count)
	__attribute__((warn_unused_result));

#endif
