/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the list of what a row's spans waited for: in the order of identities, each once, while it is made; most time
 * first once it is told. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "breakdown.h"

static void release(const char *text)
{
	free((void *)(uintptr_t)text);
}

static void wait_done(struct probekit_wait *wait)
{
	release(wait->syscall);
	release(wait->symbol);
	release(wait->place);
	release(wait->object);
	release(wait->direction);
}

void breakdown_waits_done(struct probekit_probe *probe)
{
	for (size_t i = 0; i < probe->wait_count; i++)
		wait_done(&probe->waits[i]);
	free(probe->waits);
}

int breakdown_add_wait(struct probekit_probe *probe, const struct probekit_wait *from)
{
	struct probekit_wait *grown =
		reallocarray(probe->waits, probe->wait_count + 1, sizeof(*grown));
	struct probekit_wait *wait;

	if (!grown)
		return -ENOMEM;
	probe->waits = grown;
	wait = &grown[probe->wait_count++];
	*wait = *from;
	/* All of them, so that none is left that belongs to `from`. */
	return breakdown_copy_text(from->syscall, &wait->syscall) |
	       breakdown_copy_text(from->symbol, &wait->symbol) |
	       breakdown_copy_text(from->place, &wait->place) |
	       breakdown_copy_text(from->object, &wait->object) |
	       breakdown_copy_text(from->direction, &wait->direction);
}

/* ---- orders ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_texts(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : !!a - !!b;
}

static int by_identity(const void *left, const void *right)
{
	const struct probekit_wait *a = left;
	const struct probekit_wait *b = right;
	int order = a->exponent < b->exponent ? -1 : a->exponent > b->exponent;

	order = order ? order : a->is_slow - b->is_slow;
	order = order ? order : (int)a->time_class - (int)b->time_class;
	order = order ? order : compare_numbers((uint64_t)a->pid, (uint64_t)b->pid);
	order = order ? order : compare_numbers(a->address, b->address);
	order = order ? order : compare_numbers((uint64_t)a->other_pid, (uint64_t)b->other_pid);
	order = order ? order : compare_texts(a->syscall, b->syscall);
	order = order ? order : compare_texts(a->object, b->object);
	return order ? order : compare_texts(a->direction, b->direction);
}

static int by_time(const void *left, const void *right)
{
	const struct probekit_wait *a = left;
	const struct probekit_wait *b = right;

	if (a->exponent != b->exponent)
		return a->exponent < b->exponent ? -1 : 1;
	return compare_numbers(b->time_ns, a->time_ns);
}

static void sort(struct probekit_probe *probe, int (*compare)(const void *, const void *))
{
	if (probe->wait_count)
		qsort(probe->waits, probe->wait_count, sizeof(*probe->waits), compare);
}

void breakdown_sort_waits(struct probekit_probe *probe)
{
	sort(probe, by_time);
}

/* ---- as wholes ---- */

void breakdown_join_waits(struct probekit_probe *probe)
{
	struct probekit_wait *waits = probe->waits;
	size_t kept = 0;

	sort(probe, by_identity);
	for (size_t i = 0; i < probe->wait_count; i++) {
		if (kept && by_identity(&waits[kept - 1], &waits[i]) == 0) {
			waits[kept - 1].time_ns += waits[i].time_ns;
			waits[kept - 1].count += waits[i].count;
			waits[kept - 1].spans += waits[i].spans;
			wait_done(&waits[i]);
		} else {
			waits[kept++] = waits[i];
		}
	}
	probe->wait_count = kept;
}

static struct probekit_wait *find(const struct probekit_probe *probe,
				  const struct probekit_wait *wait)
{
	if (!probe->wait_count)
		return NULL;
	return bsearch(wait, probe->waits, probe->wait_count, sizeof(*wait), by_identity);
}

static void lessen(uint64_t *sum, uint64_t by)
{
	*sum -= by < *sum ? by : *sum;
}

/* A part of it may have come since. */
void breakdown_forget_wait(struct probekit_probe *before, const struct probekit_wait *wait)
{
	struct probekit_wait *old = find(before, wait);

	if (!old)
		return;
	lessen(&old->time_ns, wait->time_ns);
	lessen(&old->count, wait->count);
	lessen(&old->spans, wait->spans);
}

/* A word that is told as part of another lock once more is known of it is no more part of this. */
static bool has_begun_anew(const struct probekit_wait *now, const struct probekit_wait *before)
{
	return now->time_ns < before->time_ns || now->count < before->count ||
	       now->spans < before->spans;
}

void breakdown_subtract_waits(struct probekit_probe *now, const struct probekit_probe *before)
{
	size_t kept = 0;

	for (size_t i = 0; i < now->wait_count; i++) {
		struct probekit_wait *wait = &now->waits[i];
		const struct probekit_wait *old = find(before, wait);

		if (old && !has_begun_anew(wait, old)) {
			wait->time_ns -= old->time_ns;
			wait->count -= old->count;
			wait->spans -= old->spans;
		}
		if (wait->count)
			now->waits[kept++] = *wait;
		else
			wait_done(wait);
	}
	now->wait_count = kept;
}
