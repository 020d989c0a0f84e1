/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns rows of futexes at a moment: what was added since, and which of many are kept. */
#include "futex_history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int futex_history_add(struct futex_history *history, const struct futex_key *key,
		      const struct futex_row *row)
{
	if (history->size == history->capacity) {
		size_t capacity = history->capacity ? 2 * history->capacity : 1;
		struct counted_futex *grown =
			reallocarray(history->items, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		history->items = grown;
		history->capacity = capacity;
	}
	history->items[history->size++] = (struct counted_futex){.key = *key, .row = *row};
	return 0;
}

int futex_by_key(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(struct futex_key));
}

void futex_history_sort(struct futex_history *history)
{
	if (history->size)
		qsort(history->items, history->size, sizeof(*history->items), futex_by_key);
}

struct counted_futex *futex_history_find(const struct futex_history *history,
					 const struct futex_key *key)
{
	const struct counted_futex like = {.key = *key};

	return history->size
		       ? bsearch(&like, history->items, history->size, sizeof(like), futex_by_key)
		       : NULL;
}

void futex_row_add(struct futex_row *into, const struct futex_row *from)
{
	into->ns += from->ns;
	into->queued_ns += from->queued_ns;
	if (into->max_ns < from->max_ns)
		into->max_ns = from->max_ns;
	into->woken += from->woken;
	into->again += from->again;
	for (size_t i = 0; i < FUTEX_THREAD_WORDS; i++)
		into->threads[i] |= from->threads[i];
	if (!into->wait_probe)
		into->wait_probe = from->wait_probe;
	for (size_t i = 0; i < BUCKET_SLOTS(FUTEX_SCALE); i++)
		into->slots[i] += from->slots[i];
}

/* ---- all others ---- */

static const struct futex_key others;

/* Their row, which sorts first. */
static int add_others(struct futex_history *history)
{
	static const struct futex_row none;
	int result;

	if (futex_history_find(history, &others))
		return 0;
	result = futex_history_add(history, &others, &none);
	futex_history_sort(history);
	return result;
}

/* That of all others stays before them. */
static int by_time(const void *left, const void *right)
{
	const struct counted_futex *a = left;
	const struct counted_futex *b = right;

	if (!a->key.space != !b->key.space)
		return a->key.space ? 1 : -1;
	if (a->row.ns != b->row.ns)
		return a->row.ns < b->row.ns ? 1 : -1;
	return futex_by_key(left, right);
}

int futex_history_fold(struct futex_history *history, size_t most, struct futex_history *before)
{
	struct futex_row *into;

	if (history->size <= most)
		return 0;
	if (add_others(history) || (before->size && add_others(before)))
		return -ENOMEM;
	qsort(history->items, history->size, sizeof(*history->items), by_time);
	into = &history->items[0].row;
	while (history->size > most + 1) {
		const struct counted_futex *last = &history->items[--history->size];
		struct counted_futex *then = futex_history_find(before, &last->key);

		futex_row_add(into, &last->row);
		into->wait_probe = 0;
		if (!then)
			continue;
		futex_row_add(&before->items[0].row, &then->row);
		then->row = (struct futex_row){0};
	}
	futex_history_sort(history);
	return 0;
}

/* ---- intervals ---- */

static uint64_t grown_by(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

void futex_history_subtract(const struct futex_history *before, const struct futex_key *key,
			    struct futex_row *row)
{
	const struct counted_futex *then = futex_history_find(before, key);

	if (!then)
		return;
	row->ns = grown_by(row->ns, then->row.ns);
	row->queued_ns = grown_by(row->queued_ns, then->row.queued_ns);
	row->woken = grown_by(row->woken, then->row.woken);
	row->again = grown_by(row->again, then->row.again);
	/* (a wait that went on has left its slot for a higher one) */
	for (size_t i = 0; i < BUCKET_SLOTS(FUTEX_SCALE); i++)
		row->slots[i] -= then->row.slots[i];
}

void futex_history_done(struct futex_history *history)
{
	free(history->items);
	*history = (struct futex_history){0};
}
