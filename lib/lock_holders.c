/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns who held the locks of a snapshot, and for how long, of what the kernel's tables say of all locks. */
#include "lock_holders.h"

#include <errno.h>
#include <stdlib.h>

#include "array.h"
#include "evidence.h"
#include "lock_evidence.h"

/* ---- the tables, by lock ---- */

static struct futex_place held_place(const struct held *held)
{
	return (struct futex_place){held->key.lock, held->key.space};
}

static struct futex_place longest_place(const struct longest_holder *longest)
{
	return (struct futex_place){longest->key.address, longest->key.space};
}

static int held_by_lock(const void *left, const void *right)
{
	const struct held *a = left;
	const struct held *b = right;
	const struct futex_place x = held_place(a);
	const struct futex_place y = held_place(b);
	int order = place_order(&x, &y);

	return order ? order : (a->key.tid > b->key.tid) - (a->key.tid < b->key.tid);
}

static int longest_by_lock(const void *left, const void *right)
{
	const struct futex_place x = longest_place(left);
	const struct futex_place y = longest_place(right);

	return place_order(&x, &y);
}

static int keep_longest(const struct futex_holder_key *key, uint64_t waits, void *arg)
{
	struct lock_groups *groups = arg;
	struct longest_holder *grown =
		array_grow(groups->longest, groups->longest_count, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	groups->longest = grown;
	grown[groups->longest_count++] = (struct longest_holder){*key, waits};
	return 0;
}

int lock_groups_read_holders(struct lock_groups *groups)
{
	struct probekit_session *session = groups->session;
	int result = engine_visit_futex_holders(session->engine, keep_longest, groups);

	if (groups->longest_count)
		qsort(groups->longest, groups->longest_count, sizeof(*groups->longest),
		      longest_by_lock);
	if (session->held_count)
		qsort(session->held, session->held_count, sizeof(*session->held), held_by_lock);
	return result;
}

const struct held *session_held_at(const struct probekit_session *session, struct futex_place place,
				   size_t *count)
{
	size_t low = 0;
	size_t high = session->held_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct futex_place at = held_place(&session->held[middle]);

		if (place_order(&at, &place) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (high = low; high < session->held_count; high++) {
		struct futex_place at = held_place(&session->held[high]);

		if (place_order(&at, &place))
			break;
	}
	*count = high - low;
	return session->held + low;
}

static size_t first_longest(const struct lock_groups *groups, struct futex_place place)
{
	size_t low = 0;
	size_t high = groups->longest_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct futex_place at = longest_place(&groups->longest[middle]);

		if (place_order(&at, &place) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- of one lock ---- */

/* How long each thread held it, for each of those who waited at the word: in `share`, in ns for now. */
static int add_times(const struct probekit_session *session, struct futex_place place,
		     struct probekit_lock *lock)
{
	struct probekit_lock_holder *holder = NULL;
	size_t count;
	const struct held *held = session_held_at(session, place, &count);

	for (size_t i = 0; i < count; i++) {
		const struct holding_key *key = &held[i].key;
		struct probekit_thread thread = {.pid = (pid_t)key->pid, .tid = (pid_t)key->tid};

		if (key->band == BAND_OF_WAKER || holding_waits_for_own(key))
			continue;
		if (!holder || holder->holder->thread.tid != thread.tid)
			holder = lock_holder_of(lock, &thread);
		if (!holder)
			return -ENOMEM;
		holder->share += (double)held[i].holding.ns;
	}
	return 0;
}

static int add_longest(const struct lock_groups *groups, struct futex_place place,
		       struct probekit_lock *lock)
{
	for (size_t i = first_longest(groups, place); i < groups->longest_count; i++) {
		const struct futex_holder_key *key = &groups->longest[i].key;
		struct probekit_thread thread = {.pid = (pid_t)key->pid, .tid = (pid_t)key->tid};
		struct probekit_lock_holder *holder;

		if (key->address != place.address || key->space != place.space)
			break;
		holder = lock_holder_of(lock, &thread);
		if (!holder)
			return -ENOMEM;
		holder->long_waits += groups->longest[i].waits;
	}
	return 0;
}

int lock_group_add_holders(const struct lock_groups *groups, struct lock_group *group)
{
	int result = 0;

	for (size_t i = 0; i < group->words.size && !result; i++) {
		struct futex_place place = group->words.at[i].place;

		if (!lock_group_is_owned_at(group, place))
			continue;
		result = add_times(groups->session, place, &group->lock);
		if (!result)
			result = add_longest(groups, place, &group->lock);
	}
	return result;
}

void lock_group_set_shares(struct lock_group *group)
{
	struct probekit_lock *lock = &group->lock;
	double whole_ns = lock_group_time(group);
	bool is_certain = group->is_explained && evidence_has_owner(lock->kind);
	double held_ns = 0;

	for (size_t i = 0; i < lock->holder_count; i++)
		held_ns += lock->holders[i].share;
	if (whole_ns < held_ns) /* some of the waits found no room, and are told elsewhere */
		whole_ns = held_ns;
	for (size_t i = 0; i < lock->holder_count; i++) {
		lock->holders[i].share = whole_ns > 0 ? lock->holders[i].share / whole_ns : 0;
		lock->holders[i].is_certain = is_certain;
	}
	lock->unowned_share = is_certain && whole_ns > 0 ? 1 - held_ns / whole_ns : 1;
}
