/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what the kernel's rows say of locks: waits that have ended, the spans around them, and holds. */
#include "lock_groups.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "breakdown.h"
#include "histogram.h"

#define NS_PER_S 1e9

/* ---- waits that have ended ---- */

/* A wait that goes on leaves its slot for a higher one: read between, a slot may be some below 0. */
#define SLOT_RACES 65536

static int add_histogram(const struct futex_row *row, struct probekit_probe *waits)
{
	uint64_t slots[BUCKET_SLOTS(FUTEX_SCALE)];
	struct probekit_histogram histogram;
	int result;

	for (size_t i = 0; i < BUCKET_SLOTS(FUTEX_SCALE); i++)
		slots[i] = row->slots[i] < UINT32_MAX - SLOT_RACES ? row->slots[i] : 0;
	result = histogram_from_slots(slots, BUCKET_SLOTS(FUTEX_SCALE),
				      BUCKET_SLOT_BASE - (BUCKET_SECONDS_EXPONENT << FUTEX_SCALE),
				      FUTEX_SCALE, &histogram);
	if (result)
		return result;
	result = histogram_add(&waits->histogram, &histogram);
	histogram_done(&histogram);
	return result;
}

/* PROBEKIT_MUTEX_LOCK(provider, name, m) has its wait in the span "provider:name.wait". */
static int name_by_span(const struct probekit_session *session, uint32_t probe,
			struct probekit_lock *lock)
{
	static const char suffix[] = ".wait";
	const char *name;
	size_t length;

	if (lock->name || probe == 0 || probe > session->plan.probe_count)
		return 0;
	name = session->plan.probes[probe - 1].name;
	length = strlen(name);
	if (length < strlen(suffix) || strcmp(name + length - strlen(suffix), suffix) != 0)
		return 0;
	lock->name = strndup(name, length - strlen(suffix));
	return lock->name ? 0 : -ENOMEM;
}

/* What is new in the row since the last interval, or all of it. */
static int see_row(struct lock_groups *groups, const struct futex_key *key,
		   const struct futex_row *row, struct futex_row *added)
{
	*added = *row;
	if (!groups->is_interval)
		return 0;
	if (futex_history_add(&groups->now, key, row))
		return -ENOMEM;
	futex_history_subtract(&groups->session->futexes_before, key, added);
	return 0;
}

static int add_times(const struct futex_row *added, struct probekit_probe *times)
{
	times->sum += (int64_t)added->ns;
	if ((int64_t)added->max_ns > times->max)
		times->max = (int64_t)added->max_ns;
	return add_histogram(added, times);
}

static int add_wait(const struct futex_key *key, const struct futex_row *row, void *arg)
{
	struct lock_groups *groups = arg;
	struct lock_group *group;
	struct futex_row added;

	if (lock_is_foreign(groups->session, key->space))
		return 0;
	group = lock_group_of(groups, key);
	if (!group || see_row(groups, key, row, &added))
		return -ENOMEM;
	group->whole_ns += row->ns;
	group->lock.runqueue_ns += added.queued_ns;
	group->lock.handoffs += added.woken;
	group->lock.barged += added.again;
	for (size_t i = 0; i < FUTEX_THREAD_WORDS; i++)
		group->threads[i] |= added.threads[i];
	if (name_by_span(groups->session, added.wait_probe, &group->lock))
		return -ENOMEM;
	return add_times(&added, &group->lock.waits);
}

/* The kernel's rows, with what is kept of them since they left its table once. */
struct row_visit {
	struct lock_groups *groups;
	bool *is_there; /* by number of the row that has left */
};

static int add_whole(const struct futex_key *key, const struct futex_row *row, void *arg)
{
	const struct row_visit *visit = arg;
	const struct futex_history *retired = &visit->groups->session->retired.rows;
	const struct counted_futex *then = futex_history_find(retired, key);
	struct futex_row whole = *row;

	if (then) {
		futex_row_add(&whole, &then->row);
		visit->is_there[then - retired->items] = true;
	}
	return add_wait(key, &whole, visit->groups);
}

static int add_waits(struct lock_groups *groups)
{
	const struct futex_history *retired = &groups->session->retired.rows;
	struct row_visit visit = {groups, calloc(retired->size + 1, sizeof(*visit.is_there))};
	int result;

	if (!visit.is_there)
		return -ENOMEM;
	result = engine_visit_futexes(groups->session->engine, add_whole, &visit);
	for (size_t i = 0; i < retired->size && !result; i++)
		if (!visit.is_there[i])
			result = add_wait(&retired->items[i].key, &retired->items[i].row, groups);
	free(visit.is_there);
	return result;
}

/* What the histogram tells: each wait is in it once, whenever it is read. The kernel's longest may be of before
 * the interval. */
static void set_count(struct probekit_probe *times)
{
	const struct probekit_histogram *h = &times->histogram;
	int64_t most = 0;

	times->count = histogram_total(h);
	if (h->size) {
		times->min = (int64_t)(histogram_lower(h->index[0], h->scale) * NS_PER_S);
		most = (int64_t)(histogram_upper(h->index[h->size - 1], h->scale) * NS_PER_S);
	}
	if (times->max > most)
		times->max = most;
	if (times->min > times->max)
		times->min = times->max;
}

void lock_group_set_threads(struct lock_group *group)
{
	group->lock.threads = 0;
	for (size_t i = 0; i < FUTEX_THREAD_WORDS; i++)
		group->lock.threads += (uint32_t)__builtin_popcountll(group->threads[i]);
}

/* ---- spans ---- */

static int add_span(const struct futex_span_key *key, uint64_t ns, void *arg)
{
	struct lock_groups *groups = arg;
	const struct plan *plan = &groups->session->plan;
	struct lock_group *group;
	struct probekit_lock_span *grown;
	struct probekit_lock *lock;
	const char *name;

	if (!key->probe || key->probe > plan->probe_count || !key->futex.space ||
	    lock_is_foreign(groups->session, key->futex.space))
		return 0;
	group = lock_group_of(groups, &key->futex);
	if (!group)
		return -ENOMEM;
	lock = &group->lock;
	name = plan->probes[key->probe - 1].name;
	for (size_t i = 0; i < lock->span_count; i++)
		if (strcmp(lock->spans[i].name, name) == 0)
			return lock->spans[i].share += (double)ns, 0;
	grown = reallocarray(lock->spans, lock->span_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	lock->spans = grown;
	grown += lock->span_count++;
	*grown = (struct probekit_lock_span){.share = (double)ns}; /* ns for now */
	return breakdown_copy_text(name, &grown->name);
}

static int span_by_share(const void *left, const void *right)
{
	const struct probekit_lock_span *a = left;
	const struct probekit_lock_span *b = right;

	return a->share < b->share ? 1 : -(a->share > b->share);
}

static void set_span_shares(struct lock_group *group)
{
	struct probekit_lock *lock = &group->lock;
	double whole = (double)group->whole_ns;

	for (size_t i = 0; i < lock->span_count; i++) {
		double share = whole > 0 ? lock->spans[i].share / whole : 0;

		lock->spans[i].share = share < 1 ? share : 1;
	}
	if (lock->span_count)
		qsort(lock->spans, lock->span_count, sizeof(*lock->spans), span_by_share);
}

int lock_groups_add_waits(struct lock_groups *groups)
{
	int result = add_waits(groups);

	return result ? result
		      : engine_visit_futex_spans(groups->session->engine, add_span, groups);
}

/* ---- holds ---- */

/* Where the object begins that the word is part of. */
static bool is_object(const struct lock_group *group, const struct futex_key *key)
{
	for (size_t i = 0; i < group->words.size; i++) {
		const struct lock_word *word = &group->words.at[i];

		if (word->place.space == key->space &&
		    word->place.address - (word->address - group->lock.address) == key->address)
			return true;
	}
	return false;
}

/* Writers and readers wait at one lock, and each for the holds of both. Of locks that nobody waits for there is
 * the sum alone. */
static int add_hold(const struct futex_key *key, const struct futex_row *row, void *arg)
{
	struct lock_groups *groups = arg;
	struct futex_row added;

	if (see_row(groups, key, row, &added))
		return -ENOMEM;
	for (size_t i = 0; i < groups->size; i++) {
		struct probekit_lock *lock = &groups->items[i]->lock;

		if (is_object(groups->items[i], key) &&
		    add_times(&added, key->value ? &lock->read_holds : &lock->holds))
			return -ENOMEM;
	}
	return 0;
}

int lock_groups_add_holds(struct lock_groups *groups)
{
	int result = engine_visit_holds(groups->session->engine, add_hold, groups);

	for (size_t i = 0; i < groups->size; i++) {
		struct lock_group *group = groups->items[i];

		set_count(&group->lock.waits);
		set_count(&group->lock.holds);
		set_count(&group->lock.read_holds);
		set_span_shares(group);
	}
	return result;
}

/* ---- intervals ---- */

void lock_groups_keep(struct lock_groups *groups)
{
	if (!groups->is_interval)
		return;
	futex_history_sort(&groups->now);
	futex_history_done(&groups->session->futexes_before);
	groups->session->futexes_before = groups->now;
	groups->now = (struct futex_history){0};
}
