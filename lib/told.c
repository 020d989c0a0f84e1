/* SPDX-License-Identifier: BSD-2-Clause */
#include "told.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"

static int add(struct told_list *list, const void *key, size_t key_bytes, const char *name,
	       const struct cause *sum)
{
	struct told *grown = array_grow(list->items, list->size, sizeof(*grown));
	char *copy = name ? strdup(name) : NULL;
	struct told *told;

	if (grown)
		list->items = grown;
	if (!grown || (name && !copy))
		return free(copy), -ENOMEM;
	told = &grown[list->size++];
	memset(told, 0, sizeof(*told));
	memcpy(&told->key, key, key_bytes);
	told->name = copy;
	told->sum = *sum;
	return 0;
}

int told_add_cause(struct told_list *list, const struct cause_key *key, const char *name,
		   const struct cause *cause)
{
	return add(list, key, sizeof(*key), name, cause);
}

int told_add_holding(struct told_list *list, const struct holding_key *key,
		     const struct holding *holding)
{
	const struct cause sum = {.ns = holding->ns, .waits = holding->count};

	return add(list, key, sizeof(*key), NULL, &sum);
}

static int by_identity(const void *left, const void *right)
{
	const struct told *a = left;
	const struct told *b = right;
	int order = memcmp(a->key.bytes, b->key.bytes, sizeof(a->key.bytes));

	if (order || !a->name || !b->name)
		return order ? order : !!a->name - !!b->name;
	return strcmp(a->name, b->name);
}

void told_join(struct told_list *list)
{
	struct told *items = list->items;
	size_t kept = 0;

	if (list->size)
		qsort(items, list->size, sizeof(*items), by_identity);
	for (size_t i = 0; i < list->size; i++) {
		if (kept && by_identity(&items[kept - 1], &items[i]) == 0) {
			items[kept - 1].sum.ns += items[i].sum.ns;
			items[kept - 1].sum.waits += items[i].sum.waits;
			items[kept - 1].sum.spans += items[i].sum.spans;
			free(items[i].name);
		} else {
			items[kept++] = items[i];
		}
	}
	list->size = kept;
}

int told_trim(struct told_list *list, size_t room, bool are_causes,
	      int (*visit)(const struct told *told, void *arg), void *arg)
{
	struct table_entry *entries = calloc(list->size + 1, sizeof(*entries));
	size_t kept = 0;
	size_t leaving;
	int result = 0;

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < list->size; i++)
		entries[i] = (struct table_entry){
			.key = list->items[i].key,
			.at = i,
			.weight = (double)list->items[i].sum.ns,
		};
	leaving = lightest_to_leave(entries, list->size, room, are_causes);
	for (size_t i = 0; i < leaving && !result; i++) {
		struct told *told = &list->items[entries[i].at];

		result = visit(told, arg);
		free(told->name);
		told->is_leaving = true;
	}
	free(entries);
	for (size_t i = 0; i < list->size; i++)
		if (!list->items[i].is_leaving)
			list->items[kept++] = list->items[i];
	list->size = kept;
	return result;
}

void told_done(struct told_list *list)
{
	for (size_t i = 0; i < list->size; i++)
		free(list->items[i].name);
	free(list->items);
}
