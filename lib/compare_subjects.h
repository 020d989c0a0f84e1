/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_COMPARE_SUBJECTS_H
#define PROBEKIT_COMPARE_SUBJECTS_H
/* Probes of several runs of two builds, brought together by their names. */
#include <probekit/compare.h>

#include "error.h"

struct subject {
	const char *name; /* of a row: not its own */
	enum probekit_kind kind;
	size_t base_runs; /* that have it */
	size_t head_runs;
	uint64_t base_spans; /* of all these runs */
	uint64_t head_spans;
	/* A row for each pair; NULL: the run has none. Without its keys' rows. */
	const struct probekit_probe **base;
	const struct probekit_probe **head;
};

struct subjects {
	struct subject
		*items; /* in the order of their first row, base's before what head alone has */
	size_t size;
	size_t pairs;
	const struct probekit_probe **rows; /* behind all of them */
};

/* -ENOMEM. */
int subjects_of(const struct probekit_snapshot *const *base,
		const struct probekit_snapshot *const *head, size_t pairs,
		struct subjects *subjects, struct probekit_error *err);
void subjects_done(struct subjects *subjects);

#endif
