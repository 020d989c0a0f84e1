/* SPDX-License-Identifier: BSD-2-Clause */
#include "lightest.h"

#include <stdlib.h>

#define LIGHT_SHARE 0.001 /* of what spans waited for: hardly a reason */

static bool is_of_same_spans(const struct cause_key *a, const struct cause_key *b)
{
	return a->probe == b->probe && a->band == b->band && a->is_slow == b->is_slow;
}

static int by_spans(const void *left, const void *right)
{
	const struct cause_key *a = &((const struct table_entry *)left)->key.cause;
	const struct cause_key *b = &((const struct table_entry *)right)->key.cause;

	if (a->probe != b->probe)
		return a->probe < b->probe ? -1 : 1;
	if (a->band != b->band)
		return a->band < b->band ? -1 : 1;
	return a->is_slow - b->is_slow;
}

/* From times to shares. The order changes. */
static void weigh_by_share(struct table_entry *entries, size_t size)
{
	qsort(entries, size, sizeof(*entries), by_spans);
	for (size_t i = 0, end; i < size; i = end) {
		double all = 0;

		for (end = i; end < size; end++) {
			if (!is_of_same_spans(&entries[i].key.cause, &entries[end].key.cause))
				break;
			all += entries[end].weight;
		}
		for (size_t k = i; k < end && all > 0; k++)
			entries[k].weight /= all;
	}
}

static int by_weight(const void *left, const void *right)
{
	double a = ((const struct table_entry *)left)->weight;
	double b = ((const struct table_entry *)right)->weight;

	return a < b ? -1 : a > b;
}

size_t lightest_to_leave(struct table_entry *entries, size_t size, size_t room, bool are_causes)
{
	size_t leaving = 0;

	if (size <= room / 4)
		return 0;
	if (are_causes)
		weigh_by_share(entries, size);
	qsort(entries, size, sizeof(*entries), by_weight);
	if (size > room - room / 4)
		leaving = size - room / 2;
	while (are_causes && leaving < size - room / 8 && entries[leaving].weight < LIGHT_SHARE)
		leaving++;
	return leaving;
}
