/* SPDX-License-Identifier: BSD-2-Clause */
#include "told_causes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "lightest.h"

int told_causes_add(struct told_causes *causes, const struct cause_key *key, const char *name,
		    const struct cause *sum)
{
	struct told_cause *grown = array_grow(causes->items, causes->size, sizeof(*grown));
	char *copy = name ? strdup(name) : NULL;

	if (grown)
		causes->items = grown;
	if (!grown || (name && !copy))
		return free(copy), -ENOMEM;
	grown[causes->size++] = (struct told_cause){.key = *key, .name = copy, .sum = *sum};
	return 0;
}

static int by_identity(const void *left, const void *right)
{
	const struct told_cause *a = left;
	const struct told_cause *b = right;
	int order = memcmp(&a->key, &b->key, sizeof(a->key));

	if (order || !a->name || !b->name)
		return order ? order : !!a->name - !!b->name;
	return strcmp(a->name, b->name);
}

void told_causes_join(struct told_causes *causes)
{
	struct told_cause *items = causes->items;
	size_t kept = 0;

	if (causes->size)
		qsort(items, causes->size, sizeof(*items), by_identity);
	for (size_t i = 0; i < causes->size; i++) {
		if (kept && by_identity(&items[kept - 1], &items[i]) == 0) {
			items[kept - 1].sum.ns += items[i].sum.ns;
			items[kept - 1].sum.waits += items[i].sum.waits;
			items[kept - 1].sum.spans += items[i].sum.spans;
			free(items[i].name);
		} else {
			items[kept++] = items[i];
		}
	}
	causes->size = kept;
}

int told_causes_trim(struct told_causes *causes, size_t room,
		     void (*visit)(const struct told_cause *cause, void *arg), void *arg)
{
	struct table_entry *entries = calloc(causes->size + 1, sizeof(*entries));
	size_t kept = 0;
	size_t leaving;

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < causes->size; i++)
		entries[i] = (struct table_entry){
			.key.cause = causes->items[i].key,
			.at = i,
			.weight = (double)causes->items[i].sum.ns,
		};
	leaving = lightest_to_leave(entries, causes->size, room, true);
	for (size_t i = 0; i < leaving; i++) {
		struct told_cause *cause = &causes->items[entries[i].at];

		visit(cause, arg);
		free(cause->name);
		cause->is_leaving = true;
	}
	free(entries);
	for (size_t i = 0; i < causes->size; i++)
		if (!causes->items[i].is_leaving)
			causes->items[kept++] = causes->items[i];
	causes->size = kept;
	return 0;
}

void told_causes_done(struct told_causes *causes)
{
	for (size_t i = 0; i < causes->size; i++)
		free(causes->items[i].name);
	free(causes->items);
}
