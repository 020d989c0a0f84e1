/* SPDX-License-Identifier: BSD-2-Clause */
#include "thread_stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STACKS_MAX 8

static struct stacks_of_thread *lightest(const struct thread_stacks *list)
{
	struct stacks_of_thread *least = &list->items[0];

	for (size_t i = 1; i < list->size; i++)
		if (list->items[i].weight < least->weight)
			least = &list->items[i];
	return least;
}

/* NULL: no memory. */
static struct stacks_of_thread *item_of(struct thread_stacks *list, struct traces *traces,
					const struct thread_count *thread)
{
	struct stacks_of_thread *item;

	for (size_t i = 0; i < list->size; i++)
		if (list->items[i].thread.tid == thread->tid)
			return &list->items[i];
	if (list->size == THREADS_MAX) {
		item = lightest(list);
		tally_done(&item->stacks, traces);
	} else {
		item = reallocarray(list->items, list->size + 1, sizeof(*item));
		if (!item)
			return NULL;
		list->items = item;
		item += list->size++;
	}
	*item = (struct stacks_of_thread){.thread = *thread};
	return item;
}

int thread_stacks_add(struct thread_stacks *list, struct traces *traces,
		      const struct thread_count *thread, struct trace *trace, uint64_t weight)
{
	struct stacks_of_thread *item = item_of(list, traces, thread);

	if (!item)
		return -ENOMEM;
	item->weight += weight;
	list->total += weight;
	if (thread->comm[0])
		memcpy(item->thread.comm, thread->comm, sizeof(item->thread.comm));
	return tally_add(&item->stacks, traces, trace, weight, STACKS_MAX);
}

int thread_stacks_add_all(struct thread_stacks *list, struct traces *traces,
			  const struct thread_stacks *from)
{
	for (size_t i = 0; i < from->size; i++) {
		struct stacks_of_thread *item = item_of(list, traces, &from->items[i].thread);

		if (!item || tally_add_all(&item->stacks, traces, &from->items[i].stacks))
			return -ENOMEM;
		item->weight += from->items[i].weight;
	}
	list->total += from->total;
	return 0;
}

static int heaviest_first(const void *left, const void *right)
{
	uint64_t a = ((const struct stacks_of_thread *)left)->weight;
	uint64_t b = ((const struct stacks_of_thread *)right)->weight;

	return a < b ? 1 : -(a > b);
}

int thread_stacks_join(struct thread_stacks *list, struct traces *traces)
{
	int result = 0;

	for (size_t i = 0; i < list->size && !result; i++)
		result = tally_join(&list->items[i].stacks, traces);
	if (list->size)
		qsort(list->items, list->size, sizeof(*list->items), heaviest_first);
	return result;
}

void thread_stacks_done(struct thread_stacks *list, struct traces *traces)
{
	for (size_t i = 0; i < list->size; i++)
		tally_done(&list->items[i].stacks, traces);
	free(list->items);
	*list = (struct thread_stacks){0};
}
