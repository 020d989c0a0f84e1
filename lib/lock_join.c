/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns which locks are told as one, and what is told of them together. */
#include "lock_join.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "breakdown.h"
#include "histogram.h"
#include "lock.h"
#include "lock_groups.h"
#include "stack.h"

#define FRAMES_ALIKE \
	4 /* innermost ones: a lock function of the program's own has several callers */

/* ---- alike ---- */

static bool is_same_frame(const struct probekit_frame *a, const struct probekit_frame *b)
{
	return breakdown_is_same(a->module, b->module) &&
	       breakdown_is_same(a->function, b->function) &&
	       (a->function ? a->line == b->line : a->module_offset == b->module_offset);
}

static bool is_same_call(const struct probekit_stack *a, const struct probekit_stack *b)
{
	size_t size = a->size < FRAMES_ALIKE ? a->size : FRAMES_ALIKE;

	if (!size || (b->size < FRAMES_ALIKE ? b->size : FRAMES_ALIKE) != size)
		return false;
	for (size_t i = 0; i < size; i++)
		if (!is_same_frame(&a->frames[i], &b->frames[i]))
			return false;
	return true;
}

/* A stack of the call that most of the waiting is from, whoever is behind its frames. In a joined row it is that
 * of all its locks; a stack that is first in one of them need not be. NULL: none was seen. */
static const struct probekit_stack *most_called(const struct probekit_lock *lock)
{
	const struct probekit_stack *most = NULL;
	double most_share = -1;

	for (size_t i = 0; i < lock->waiter_count; i++) {
		double share = 0;

		for (size_t k = i; k < lock->waiter_count; k++)
			if (is_same_call(&lock->waiters[i], &lock->waiters[k]))
				share += lock->waiters[k].share;
		if (share > most_share) {
			most = &lock->waiters[i];
			most_share = share;
		}
	}
	return most;
}

bool lock_is_alike(const struct probekit_lock *a, const struct probekit_lock *b)
{
	if (a->name || b->name || a->symbol || b->symbol || a->access != b->access ||
	    a->is_shared != b->is_shared || !breakdown_is_same(a->kind, b->kind))
		return false;
	/* (of shared memory it is one of the processes that map it) */
	if ((a->pid != b->pid && !a->is_shared) || !a->waiter_count || !b->waiter_count)
		return false;
	return is_same_call(most_called(a), most_called(b));
}

/* ---- the lists of a lock ---- */

static bool is_same_span(const void *left, const void *right)
{
	const struct probekit_lock_span *a = left;
	const struct probekit_lock_span *b = right;

	return breakdown_is_same(a->name, b->name);
}

static bool is_same_waiter(const void *left, const void *right)
{
	const struct probekit_stack *a = left;
	const struct probekit_stack *b = right;

	if (a->size != b->size)
		return false;
	for (size_t i = 0; i < a->size; i++)
		if (!is_same_frame(&a->frames[i], &b->frames[i]))
			return false;
	return true;
}

static bool is_same_waker(const void *left, const void *right)
{
	const struct probekit_lock_waker *a = left;
	const struct probekit_lock_waker *b = right;

	return a->thread.tid == b->thread.tid && is_same_waiter(&a->stack, &b->stack);
}

static void span_done(void *element)
{
	free((void *)(uintptr_t)((struct probekit_lock_span *)element)->name);
}

static void waiter_done(void *element)
{
	stack_done(element);
}

static void holder_done(void *element)
{
	holder_free(((struct probekit_lock_holder *)element)->holder);
}

static void waker_done(void *element)
{
	lock_waker_done(element);
}

struct list {
	size_t list; /* in a struct probekit_lock */
	size_t count;
	size_t element_bytes;
	size_t share;	 /* in an element */
	size_t most;	 /* elements that are kept; SIZE_MAX: all */
	bool is_sampled; /* shares of what was sampled: nothing where nothing was */
	bool (*is_same)(const void *left, const void *right); /* NULL: that is looked at later */
	void (*done)(void *element);
};

#define LOCK_LIST(member, counter, type)                                                 \
	.list = offsetof(struct probekit_lock, member),                                  \
	.count = offsetof(struct probekit_lock, counter), .element_bytes = sizeof(type), \
	.share = offsetof(type, share)

static const struct list lists[] = {
	{LOCK_LIST(spans, span_count, struct probekit_lock_span), .most = SIZE_MAX,
	 .is_same = is_same_span, .done = span_done},
	{LOCK_LIST(waiters, waiter_count, struct probekit_stack), .most = 8, .is_sampled = true,
	 .is_same = is_same_waiter, .done = waiter_done},
	{LOCK_LIST(holders, holder_count, struct probekit_lock_holder), .most = SIZE_MAX,
	 .done = holder_done},
	{LOCK_LIST(wakers, waker_count, struct probekit_lock_waker), .most = 32, .is_sampled = true,
	 .is_same = is_same_waker, .done = waker_done},
};

/* One of the lists of one lock. */
struct elements {
	const struct list *list;
	char *at;
	size_t count;
};

static struct elements elements_of(const struct list *list, const struct probekit_lock *lock)
{
	struct elements elements = {.list = list};

	memcpy(&elements.at, (const char *)lock + list->list, sizeof(elements.at));
	memcpy(&elements.count, (const char *)lock + list->count, sizeof(elements.count));
	return elements;
}

static void set_elements(const struct elements *elements, struct probekit_lock *lock)
{
	memcpy((char *)lock + elements->list->list, &elements->at, sizeof(elements->at));
	memcpy((char *)lock + elements->list->count, &elements->count, sizeof(elements->count));
}

static void *element(const struct elements *elements, size_t i)
{
	return elements->at + i * elements->list->element_bytes;
}

static double *share_of(const struct elements *elements, size_t i)
{
	return (double *)(void *)((char *)element(elements, i) + elements->list->share);
}

static void scale(struct elements *elements, double part)
{
	for (size_t i = 0; i < elements->count; i++)
		*share_of(elements, i) *= part;
}

/* Element `i` of `from` goes into the list, or is added to the one that is the same. There is room. */
static void take(struct elements *into, const struct elements *from, size_t i)
{
	const struct list *list = into->list;

	for (size_t k = 0; k < into->count && list->is_same; k++) {
		if (!list->is_same(element(into, k), element(from, i)))
			continue;
		*share_of(into, k) += *share_of(from, i);
		list->done(element(from, i));
		return;
	}
	memcpy(element(into, into->count++), element(from, i), list->element_bytes);
}

/* Largest share first: a list of some dozens. */
static void sort(struct elements *elements)
{
	size_t bytes = elements->list->element_bytes;
	char held[sizeof(struct probekit_lock_waker) + sizeof(struct probekit_stack)];

	for (size_t i = 1; i < elements->count; i++)
		for (size_t k = i; k > 0 && *share_of(elements, k) > *share_of(elements, k - 1);
		     k--) {
			memcpy(held, element(elements, k), bytes);
			memcpy(element(elements, k), element(elements, k - 1), bytes);
			memcpy(element(elements, k - 1), held, bytes);
		}
	while (elements->count > elements->list->most)
		elements->list->done(element(elements, --elements->count));
}

static int join_list(const struct list *list, struct probekit_lock *into, double into_part,
		     struct probekit_lock *from, double from_part)
{
	struct elements all = elements_of(list, into);
	struct elements added = elements_of(list, from);
	char *grown = reallocarray(all.at, all.count + added.count + 1, list->element_bytes);

	if (!grown)
		return -ENOMEM;
	all.at = grown;
	if (!list->is_sampled || (all.count && added.count)) {
		scale(&all, into_part);
		scale(&added, from_part);
	}
	for (size_t i = 0; i < added.count; i++)
		take(&all, &added, i);
	added.count = 0;
	set_elements(&added, from);
	if (list->is_same)
		sort(&all);
	set_elements(&all, into);
	return 0;
}

/* ---- the whole ---- */

static int add_times(struct probekit_probe *into, const struct probekit_probe *from)
{
	if (from->count && (into->min > from->min || !into->count))
		into->min = from->min;
	into->count += from->count;
	into->sum += from->sum;
	if (into->max < from->max)
		into->max = from->max;
	return histogram_add(&into->histogram, &from->histogram);
}

static void add_numbers(struct probekit_lock *into, const struct probekit_lock *from)
{
	into->runqueue_ns += from->runqueue_ns;
	into->handoffs += from->handoffs;
	into->barged += from->barged;
	into->waiting += from->waiting;
	into->waiting_ns += from->waiting_ns;
	into->objects += from->objects;
}

int lock_join(struct probekit_lock *into, double into_ns, struct probekit_lock *from,
	      double from_ns)
{
	double whole_ns = into_ns + from_ns;
	double into_part = whole_ns > 0 ? into_ns / whole_ns : 0.5;
	int result = add_times(&into->waits, &from->waits);

	if (!result)
		result = add_times(&into->holds, &from->holds);
	if (!result)
		result = add_times(&into->read_holds, &from->read_holds);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && !result; i++)
		result = join_list(&lists[i], into, into_part, from, 1 - into_part);
	if (result)
		return result;
	into->unowned_share =
		into->unowned_share * into_part + from->unowned_share * (1 - into_part);
	add_numbers(into, from);
	lock_done(from);
	return 0;
}

/* ---- holders ---- */

static int holder_by_thread(const void *left, const void *right)
{
	const struct probekit_lock_holder *a = left;
	const struct probekit_lock_holder *b = right;

	if (a->holder->thread.tid != b->holder->thread.tid)
		return a->holder->thread.tid < b->holder->thread.tid ? -1 : 1;
	return a->share < b->share ? 1 : -(a->share > b->share);
}

static int holder_by_share(const void *left, const void *right)
{
	const struct probekit_lock_holder *a = left;
	const struct probekit_lock_holder *b = right;

	if (a->share != b->share)
		return a->share < b->share ? 1 : -1;
	return (a->holder->thread.tid > b->holder->thread.tid) -
	       (a->holder->thread.tid < b->holder->thread.tid);
}

/* The same thread held both, `into` longer: a stack of that is told, if there is one. */
static void join_holder(struct probekit_lock_holder *into, struct probekit_lock_holder *from)
{
	struct probekit_holder *seen = from->holder;

	into->share += from->share;
	into->long_waits += from->long_waits;
	into->is_certain &= from->is_certain;
	if (!into->holder->stack.size && seen->stack.size) {
		from->holder = into->holder;
		into->holder = seen;
	}
	holder_free(from->holder);
}

void lock_keep_holders(struct probekit_lock *lock)
{
	struct probekit_lock_holder *holders = lock->holders;
	size_t count = 0;

	if (!lock->holder_count)
		return;
	qsort(holders, lock->holder_count, sizeof(*holders), holder_by_thread);
	for (size_t i = 0; i < lock->holder_count; i++)
		if (count && holders[count - 1].holder->thread.tid == holders[i].holder->thread.tid)
			join_holder(&holders[count - 1], &holders[i]);
		else
			holders[count++] = holders[i];
	qsort(holders, count, sizeof(*holders), holder_by_share);
	lock->holder_threads = (uint32_t)count;
	while (count > HOLDERS_KEPT)
		holder_free(holders[--count].holder);
	lock->holder_count = count;
}

/* ---- the locks of a snapshot ---- */

static int join_group(struct lock_group *into, struct lock_group *group)
{
	if (lock_words_add(&into->words, group->words.at, group->words.size) ||
	    lock_join(&into->lock, lock_group_time(into), &group->lock, lock_group_time(group)))
		return -ENOMEM;
	into->whole_ns += group->whole_ns;
	for (size_t k = 0; k < FUTEX_THREAD_WORDS; k++)
		into->threads[k] |= group->threads[k];
	return 0;
}

/* Into the first that is like it, which was waited for more. 1: it was. */
static int join_to_like(struct lock_groups *groups, size_t count, struct lock_group *group)
{
	for (size_t i = 0; i < count && group->lock.waiter_count; i++)
		if (lock_is_alike(&groups->items[i]->lock, &group->lock))
			return join_group(groups->items[i], group) ? -ENOMEM : 1;
	return 0;
}

int lock_groups_join(struct lock_groups *groups)
{
	size_t kept = 0;
	int result = 0;

	for (size_t i = 0; i < groups->size; i++) {
		struct lock_group *group = groups->items[i];

		if (result >= 0)
			result = join_to_like(groups, kept, group);
		if (result > 0)
			lock_group_free(group);
		else
			groups->items[kept++] = group;
	}
	groups->size = kept;
	return result < 0 ? result : 0;
}
