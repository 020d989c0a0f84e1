/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns which rows of different runs are of one probe: those of one name and kind.
 */
#include "compare_subjects.h"

#include <stdlib.h>
#include <string.h>

/* A row, by where it stands. */
struct entry {
	const struct probekit_probe *row;
	size_t run;   /* base's before head's */
	size_t place; /* in all rows: what comes first stays first */
};

struct entries {
	struct entry *items;
	size_t size;
};

static int by_name(const struct entry *a, const struct entry *b)
{
	int order = strcmp(a->row->name, b->row->name);

	return order ? order : (a->row->kind > b->row->kind) - (a->row->kind < b->row->kind);
}

static int by_name_and_place(const void *a, const void *b)
{
	const struct entry *left = a;
	const struct entry *right = b;
	int order = by_name(left, right);

	return order ? order : (left->place > right->place) - (left->place < right->place);
}

static size_t rows_of(const struct probekit_snapshot *const *runs, size_t pairs)
{
	size_t size = 0;

	for (size_t i = 0; i < pairs; i++)
		size += probekit_snapshot_size(runs[i]);
	return size;
}

static void add_rows(const struct probekit_snapshot *const *runs, size_t pairs, size_t first_run,
		     struct entries *entries)
{
	for (size_t i = 0; i < pairs; i++) {
		for (size_t j = 0; j < probekit_snapshot_size(runs[i]); j++) {
			const struct probekit_probe *row = probekit_snapshot_probe(runs[i], j);

			if (row->has_key)
				continue;
			entries->items[entries->size] = (struct entry){
				.row = row, .run = first_run + i, .place = entries->size};
			entries->size++;
		}
	}
}

static bool is_same_subject(const struct entry *a, const struct entry *b)
{
	return by_name(a, b) == 0;
}

struct placed {
	struct subject subject;
	size_t place;
};

static int by_place(const void *a, const void *b)
{
	const struct placed *left = a;
	const struct placed *right = b;

	return (left->place > right->place) - (left->place < right->place);
}

/* Of two rows of one run the later one counts. */
static void place(const struct probekit_probe **at, const struct probekit_probe *row, size_t *runs,
		  uint64_t *spans)
{
	*runs += !*at;
	*spans += row->count - (*at ? (*at)->count : 0);
	*at = row;
}

static void fill(const struct entry *entry, size_t pairs, struct subject *subject)
{
	if (entry->run < pairs)
		place(&subject->base[entry->run], entry->row, &subject->base_runs,
		      &subject->base_spans);
	else
		place(&subject->head[entry->run - pairs], entry->row, &subject->head_runs,
		      &subject->head_spans);
}

static size_t count_subjects(const struct entries *entries)
{
	size_t size = entries->size ? 1 : 0;

	for (size_t i = 1; i < entries->size; i++)
		size += !is_same_subject(&entries->items[i - 1], &entries->items[i]);
	return size;
}

static int gather(const struct entries *entries, size_t pairs, struct subjects *subjects)
{
	size_t size = count_subjects(entries);
	struct placed *placed = calloc(size ? size : 1, sizeof(*placed));
	size_t at = 0;

	subjects->pairs = pairs;
	subjects->items = calloc(size ? size : 1, sizeof(*subjects->items));
	subjects->rows = calloc(size ? size * pairs * 2 : 1, sizeof(*subjects->rows));
	if (!placed || !subjects->items || !subjects->rows) {
		free(placed);
		subjects_done(subjects);
		return -1;
	}
	for (size_t i = 0; i < entries->size; i++) {
		const struct entry *entry = &entries->items[i];

		if (i == 0 || !is_same_subject(entry - 1, entry)) {
			placed[at].place = entry->place;
			placed[at].subject = (struct subject){
				.name = entry->row->name,
				.kind = entry->row->kind,
				.base = &subjects->rows[at * pairs * 2],
				.head = &subjects->rows[at * pairs * 2 + pairs],
			};
			at++;
		}
		fill(entry, pairs, &placed[at - 1].subject);
	}
	qsort(placed, size, sizeof(*placed), by_place);
	for (size_t i = 0; i < size; i++)
		subjects->items[i] = placed[i].subject;
	subjects->size = size;
	free(placed);
	return 0;
}

int subjects_of(const struct probekit_snapshot *const *base,
		const struct probekit_snapshot *const *head, size_t pairs,
		struct subjects *subjects, struct probekit_error *err)
{
	size_t rows = rows_of(base, pairs) + rows_of(head, pairs);
	struct entries entries = {.items = calloc(rows ? rows : 1, sizeof(*entries.items))};
	int result = -1;

	*subjects = (struct subjects){0};
	if (entries.items) {
		add_rows(base, pairs, 0, &entries);
		add_rows(head, pairs, pairs, &entries);
		qsort(entries.items, entries.size, sizeof(*entries.items), by_name_and_place);
		result = gather(&entries, pairs, subjects);
		free(entries.items);
	}
	return result ? error_no_memory(err) : 0;
}

void subjects_done(struct subjects *subjects)
{
	free(subjects->items);
	free(subjects->rows);
	*subjects = (struct subjects){0};
}
