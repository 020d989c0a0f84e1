/* SPDX-License-Identifier: BSD-2-Clause */
#include "slow_spans.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

_Static_assert((int)PROBEKIT_CLASS_COUNT == (int)CLASS_COUNT, "the same classes");

struct slowest {
	uint32_t probe;
	size_t size;
	struct probekit_slow_span spans[SLOWEST_MAX]; /* slowest first */
};

static int compare(const void *left, const void *right)
{
	const struct slowest *a = left;
	const struct slowest *b = right;

	return a->probe < b->probe ? -1 : a->probe > b->probe;
}

static struct slowest *find_or_add(struct slow_spans *spans, uint32_t probe)
{
	struct slowest **node = tfind(&(struct slowest){.probe = probe}, &spans->tree, compare);
	struct slowest *slowest;

	if (node)
		return *node;
	slowest = calloc(1, sizeof(*slowest));
	if (!slowest)
		return NULL;
	slowest->probe = probe;
	if (tsearch(slowest, &spans->tree, compare))
		return slowest;
	free(slowest);
	return NULL;
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* The kernel's clock has no date. */
static int64_t date_of(uint64_t monotonic_ns)
{
	uint64_t age_ns = (uint64_t)now_ns(CLOCK_MONOTONIC) - monotonic_ns;

	return (int64_t)((uint64_t)now_ns(CLOCK_REALTIME) - age_ns);
}

static struct probekit_slow_span slow_span(const struct span_record *record)
{
	struct probekit_slow_span span = {
		.ended_unix_ns = date_of(record->end_ns),
		.thread = {.pid = (pid_t)record->pid, .tid = (pid_t)record->tid},
		.has_key = record->has_key,
		.key = record->has_key ? record->key : 0,
		.duration_ns = record->ns,
	};
	uint64_t left = record->ns;

	memcpy(span.thread.comm, record->comm, sizeof(span.thread.comm) - 1);
	for (int i = 0; i < CLASS_COUNT; i++) {
		if (i == CLASS_ONCPU)
			continue;
		span.time_ns[i] = record->off.ns[i];
		left -= record->off.ns[i] < left ? record->off.ns[i] : left;
	}
	span.time_ns[CLASS_ONCPU] = left;
	return span;
}

int slow_spans_add(struct slow_spans *spans, const struct span_record *record)
{
	struct slowest *slowest = find_or_add(spans, record->probe);
	size_t at;

	if (!slowest)
		return -ENOMEM;
	at = slowest->size;
	while (at && slowest->spans[at - 1].duration_ns < record->ns)
		at--;
	if (at == SLOWEST_MAX)
		return 0;
	slowest->size += slowest->size < SLOWEST_MAX;
	memmove(&slowest->spans[at + 1], &slowest->spans[at],
		(slowest->size - 1 - at) * sizeof(slowest->spans[0]));
	slowest->spans[at] = slow_span(record);
	return 0;
}

void slow_spans_done(struct slow_spans *spans)
{
	tdestroy(spans->tree, free);
	spans->tree = NULL;
}

int slow_spans_list(const struct slow_spans *spans, uint32_t probe,
		    struct probekit_slow_span **list, size_t *count)
{
	struct slowest **node = tfind(&(struct slowest){.probe = probe}, &spans->tree, compare);
	struct probekit_slow_span *copy = NULL;

	if (node) {
		copy = malloc((*node)->size * sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, (*node)->spans, (*node)->size * sizeof(*copy));
	}
	*list = copy;
	*count = node ? (*node)->size : 0;
	return 0;
}
