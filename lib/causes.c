/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what made the slow spans slow: the waits of their bands, joined by cause. */
#include <errno.h>
#include <stdlib.h>

#include "breakdown.h"

/* A lock with a name is one cause in all processes of a binary. */
static bool is_cause_of(const struct probekit_cause *cause, const struct probekit_wait *wait)
{
	if (cause->time_class != wait->time_class ||
	    !breakdown_is_same(cause->syscall, wait->syscall) || !cause->address != !wait->address)
		return false;
	if (cause->symbol || wait->symbol)
		return breakdown_is_same(cause->symbol, wait->symbol) &&
		       breakdown_is_same(cause->place, wait->place);
	return cause->pid == wait->pid && cause->address == wait->address;
}

static void join(struct probekit_cause *causes, size_t *size, const struct probekit_wait *wait)
{
	size_t i = 0;

	while (i < *size && !is_cause_of(&causes[i], wait))
		i++;
	if (i == *size) {
		causes[(*size)++] = (struct probekit_cause){
			.time_class = wait->time_class,
			.syscall = wait->syscall,
			.pid = wait->pid,
			.address = wait->address,
			.symbol = wait->symbol,
			.place = wait->place,
		};
	}
	causes[i].time_ns += wait->time_ns;
	causes[i].count += wait->count;
	causes[i].spans += wait->spans;
}

/* What a class has beyond its causes: all of oncpu, and waits that found no room in the kernel. */
static void add_rest(struct probekit_cause *causes, size_t *size, const struct probekit_tail *tail)
{
	size_t known = *size;

	for (int c = 0; c < PROBEKIT_CLASS_COUNT; c++) {
		uint64_t rest = tail->time_ns[c];

		for (size_t i = 0; i < known; i++)
			if ((int)causes[i].time_class == c)
				rest -= causes[i].time_ns < rest ? causes[i].time_ns : rest;
		if (rest)
			causes[(*size)++] = (struct probekit_cause){
				.time_class = (enum probekit_class)c, .time_ns = rest};
	}
}

static int by_time(const void *a, const void *b)
{
	const struct probekit_cause *x = a;
	const struct probekit_cause *y = b;

	return x->time_ns < y->time_ns ? 1 : -(x->time_ns > y->time_ns);
}

int probekit_probe_causes(const struct probekit_probe *probe, struct probekit_cause **causes,
			  size_t *size)
{
	struct probekit_tail tail;
	uint64_t all = 0;

	*causes = NULL;
	*size = 0;
	if (!probekit_probe_tail(probe, &tail))
		return 0;
	*causes = calloc(probe->wait_count + PROBEKIT_CLASS_COUNT, sizeof(**causes));
	if (!*causes)
		return -ENOMEM;
	for (size_t i = 0; i < probe->wait_count; i++)
		if (probe->waits[i].exponent >= tail.exponent)
			join(*causes, size, &probe->waits[i]);
	add_rest(*causes, size, &tail);
	for (int c = 0; c < PROBEKIT_CLASS_COUNT; c++)
		all += tail.time_ns[c];
	for (size_t i = 0; i < *size; i++)
		(*causes)[i].share = all ? (double)(*causes)[i].time_ns / (double)all : 0;
	qsort(*causes, *size, sizeof(**causes), by_time);
	return 0;
}
