/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the counting of what samples showed. */
#include "tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"

#define LIMIT_NONE SIZE_MAX

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

/* ---- stacks ---- */

static int heavier_first(const void *left, const void *right)
{
	const struct weighed *a = left;
	const struct weighed *b = right;

	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	return 0;
}

static void sort(struct tally *tally)
{
	if (tally->size)
		qsort(tally->items, tally->size, sizeof(tally->items[0]), heavier_first);
}

int tally_join(struct tally *tally, struct traces *traces)
{
	size_t kept = 0;

	for (size_t i = 0; i < tally->size; i++)
		if (traces_resolve(traces, tally->items[i].trace))
			return -ENOMEM;
	/* so that the heaviest stands for the others */
	sort(tally);
	for (size_t i = 0; i < tally->size; i++) {
		struct weighed item = tally->items[i];
		size_t at = 0;

		while (at < kept && !trace_is_shown_same(tally->items[at].trace, item.trace))
			at++;
		if (at == kept) {
			tally->items[kept++] = item;
			continue;
		}
		tally->items[at].weight = add_saturated(tally->items[at].weight, item.weight);
		traces_drop(traces, item.trace);
	}
	tally->size = kept;
	sort(tally);
	return 0;
}

/* The array stays large enough for as many as there were. */
static int make_room(struct tally *tally, struct traces *traces, size_t limit)
{
	struct weighed *grown;

	if (tally->size < limit) {
		grown = array_grow(tally->items, tally->size, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		tally->items = grown;
		return 0;
	}
	if (tally_join(tally, traces))
		return -ENOMEM;
	if (tally->size == limit) {
		traces_drop(traces, tally->items[--tally->size].trace);
		tally->replaced++;
	}
	return 0;
}

int tally_add(struct tally *tally, struct traces *traces, struct trace *trace, uint64_t weight,
	      size_t limit)
{
	if (!trace)
		return 0;
	/* what has no length weighs all the same */
	weight += !weight;
	tally->total = add_saturated(tally->total, weight);
	for (size_t i = 0; i < tally->size; i++) {
		if (tally->items[i].trace == trace) {
			tally->items[i].weight = add_saturated(tally->items[i].weight, weight);
			return 0;
		}
	}
	if (make_room(tally, traces, limit))
		return -ENOMEM;
	tally->items[tally->size++] = (struct weighed){trace_use(trace), weight};
	return 0;
}

int tally_add_all(struct tally *tally, struct traces *traces, const struct tally *from)
{
	uint64_t total = add_saturated(tally->total, from->total);

	for (size_t i = 0; i < from->size; i++)
		if (tally_add(tally, traces, from->items[i].trace, from->items[i].weight,
			      LIMIT_NONE))
			return -ENOMEM;
	tally->total = total;
	return 0;
}

void tally_done(struct tally *tally, struct traces *traces)
{
	for (size_t i = 0; i < tally->size; i++)
		traces_drop(traces, tally->items[i].trace);
	free(tally->items);
	*tally = (struct tally){0};
}

int tally_show(const struct tally *tally, struct probekit_stack *stack)
{
	if (!tally->size)
		return 0;
	return trace_show(tally->items[0].trace,
			  (double)tally->items[0].weight / (double)tally->total, stack);
}

typedef bool alike(const struct trace *a, const struct trace *b);

/* Of all items that are like the one at `at`. */
static uint64_t weight_of(const struct tally *tally, size_t at, alike *is_like)
{
	uint64_t weight = 0;

	for (size_t i = 0; i < tally->size; i++)
		if (is_like(tally->items[i].trace, tally->items[at].trace))
			weight = add_saturated(weight, tally->items[i].weight);
	return weight;
}

/* The first of those that weigh most together; NULL: there is none that is like itself. */
static struct trace *heaviest(const struct tally *tally, alike *is_like, uint64_t *most)
{
	struct trace *found = NULL;

	*most = 0;
	for (size_t i = 0; i < tally->size; i++) {
		uint64_t weight = weight_of(tally, i, is_like);

		if (weight > *most) {
			*most = weight;
			found = tally->items[i].trace;
		}
	}
	return found;
}

int tally_show_hottest(const struct tally *tally, struct probekit_stack *stack)
{
	uint64_t most;
	struct trace *hottest = heaviest(tally, trace_is_at_same_function, &most);

	return hottest ? trace_show(hottest, (double)most / (double)tally->total, stack) : 0;
}

static bool is_same_kind(const struct trace *a, const struct trace *b)
{
	return a->lock_kind && b->lock_kind && strcmp(a->lock_kind, b->lock_kind) == 0;
}

const char *tally_lock_kind(const struct tally *tally)
{
	uint64_t most;
	const struct trace *trace = heaviest(tally, is_same_kind, &most);

	return trace ? trace->lock_kind : NULL;
}

/* ---- threads ---- */

static struct thread_count *find_thread(const struct thread_tally *tally, pid_t tid)
{
	for (size_t i = 0; i < tally->size; i++)
		if (tally->items[i].tid == tid)
			return &tally->items[i];
	return NULL;
}

static struct thread_count *seen_least(const struct thread_tally *tally)
{
	struct thread_count *least = &tally->items[0];

	for (size_t i = 1; i < tally->size; i++)
		if (tally->items[i].count < least->count)
			least = &tally->items[i];
	return least;
}

int thread_tally_add(struct thread_tally *tally, const struct thread_count *thread, size_t limit)
{
	struct thread_count *known = find_thread(tally, thread->tid);
	struct thread_count *grown;

	if (known) {
		known->count = add_saturated(known->count, thread->count);
		if (thread->comm[0])
			memcpy(known->comm, thread->comm, sizeof(known->comm));
		return 0;
	}
	if (tally->size == limit) {
		*seen_least(tally) = *thread;
		return 0;
	}
	grown = array_grow(tally->items, tally->size, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	tally->items = grown;
	tally->items[tally->size++] = *thread;
	return 0;
}

bool thread_tally_has(const struct thread_tally *tally, pid_t tid)
{
	return find_thread(tally, tid) != NULL;
}

int thread_tally_add_all(struct thread_tally *tally, const struct thread_tally *from)
{
	for (size_t i = 0; i < from->size; i++)
		if (thread_tally_add(tally, &from->items[i], LIMIT_NONE))
			return -ENOMEM;
	return 0;
}

void thread_tally_done(struct thread_tally *tally)
{
	free(tally->items);
	*tally = (struct thread_tally){0};
}

struct probekit_thread thread_tally_most(const struct thread_tally *tally)
{
	const struct thread_count *most = NULL;
	struct probekit_thread thread = {0};

	for (size_t i = 0; i < tally->size; i++)
		if (!most || tally->items[i].count > most->count)
			most = &tally->items[i];
	if (most) {
		thread.pid = most->pid;
		thread.tid = most->tid;
		memcpy(thread.comm, most->comm, sizeof(thread.comm));
	}
	return thread;
}
