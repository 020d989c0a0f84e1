/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns which futexes are one lock. */
#include "lock_groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "breakdown.h"
#include "lock.h"
#include "process.h"

/* ---- words ---- */

int place_order(const struct futex_place *a, const struct futex_place *b)
{
	if (a->space != b->space)
		return a->space < b->space ? -1 : 1;
	return (a->address > b->address) - (a->address < b->address);
}

static int by_place(const void *left, const void *right)
{
	const struct lock_word *a = left;
	const struct lock_word *b = right;

	return place_order(&a->place, &b->place);
}

const struct lock_word *lock_word_at(const struct lock_words *words, struct futex_place place)
{
	const struct lock_word like = {.place = place};

	return words->size ? bsearch(&like, words->at, words->size, sizeof(like), by_place) : NULL;
}

int lock_words_add(struct lock_words *words, const struct lock_word *added, size_t count)
{
	struct lock_word *grown =
		reallocarray(words->at, words->size + count + 1, sizeof(*words->at));

	if (!grown)
		return -ENOMEM;
	words->at = grown;
	memcpy(grown + words->size, added, count * sizeof(*added));
	words->size += count;
	qsort(grown, words->size, sizeof(*grown), by_place);
	return 0;
}

/* ---- groups ---- */

/* A writer waits for readers with a value of its own, and for writers at a word of its own; at the first word
 * readers alone wait. */
static enum probekit_lock_access access_of(const struct named_lock *lock, uint8_t value)
{
	if (!lock->kind || strcmp(lock->kind, "rwlock") != 0)
		return PROBEKIT_LOCK_ANY;
	return lock->word == lock->address ||
			       (lock->word == lock->address + 8 && value == RWLOCK_CONTENDED)
		       ? PROBEKIT_LOCK_READ
		       : PROBEKIT_LOCK_WRITE;
}

/* Where the lock's group is, or may be put. */
static struct lock_group **slot_of(struct lock_group **slots, size_t count,
				   const struct probekit_lock *lock)
{
	uint64_t hash = (lock->address + (uint64_t)(uint32_t)lock->pid * 4 + lock->access) *
			0x9e3779b97f4a7c15ull;
	size_t i = hash >> 32 & (count - 1);

	while (slots[i] && !lock_is_same(&slots[i]->lock, lock))
		i = (i + 1) & (count - 1);
	return &slots[i];
}

/* Has room for one more. */
static int grow_slots(struct lock_groups *groups)
{
	size_t count = groups->slot_count ? 2 * groups->slot_count : 64;
	struct lock_group **slots;

	if (2 * (groups->size + 1) < groups->slot_count)
		return 0;
	slots = calloc(count, sizeof(struct lock_group *));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < groups->size; i++)
		*slot_of(slots, count, &groups->items[i]->lock) = groups->items[i];
	free(groups->slots);
	groups->slots = slots;
	groups->slot_count = count;
	return 0;
}

static int name_group(struct lock_group *group, const struct named_lock *named)
{
	return breakdown_copy_text(named->symbol, &group->lock.symbol) |
			       breakdown_copy_text(named->place, &group->lock.place) |
			       breakdown_copy_text(named->kind, &group->lock.kind)
		       ? -ENOMEM
		       : 0;
}

static struct lock_group *add_group(struct lock_groups *groups, const struct probekit_lock *like,
				    const struct named_lock *named)
{
	struct lock_group **grown = array_grow(groups->items, groups->size, sizeof(*grown));
	struct lock_group *group = calloc(1, sizeof(*group));

	if (grown)
		groups->items = grown;
	if (!grown || !group)
		return free(group), NULL;
	group->lock = *like;
	group->lock.objects = 1;
	lock_prepare(&group->lock);
	group->lock.waits.histogram.scale = FUTEX_SCALE;
	group->lock.holds.histogram.scale = FUTEX_SCALE;
	group->lock.read_holds.histogram.scale = FUTEX_SCALE;
	grown[groups->size++] = group;
	return name_group(group, named) ? NULL : group;
}

struct lock_group *lock_group_of(struct lock_groups *groups, const struct futex_key *key)
{
	static const struct named_lock nameless;
	struct probekit_session *session = groups->session;
	struct futex_place place = {key->address, key->space};
	const struct named_lock *named = key->space ? session_lock(session, place) : &nameless;
	struct probekit_lock like = {0};
	struct lock_group **slot;
	struct lock_group *group;

	if (!named)
		return NULL;
	like.pid = named->pid;
	like.address = named->address;
	like.access = access_of(named, key->value);
	if (grow_slots(groups))
		return NULL;
	slot = slot_of(groups->slots, groups->slot_count, &like);
	if (!*slot)
		*slot = add_group(groups, &like, named);
	group = *slot;
	if (!group)
		return NULL;
	group->lock.is_shared |= (key->space & SHARED_MEMORY) != 0;
	/* (of all others no evidence is known by the word) */
	if (key->space && !lock_word_at(&group->words, place) &&
	    lock_words_add(&group->words, &(struct lock_word){place, named->word}, 1))
		return NULL;
	return group;
}

/* Where readers wait for a writer, a writer waits for readers, which have no owner; and nobody's number is where
 * readers let writers pass. */
bool lock_group_is_owned_at(const struct lock_group *group, struct futex_place place)
{
	const struct lock_word *word = lock_word_at(&group->words, place);

	if (!word || group->lock.access == PROBEKIT_LOCK_ANY)
		return word != NULL;
	return word->address != group->lock.address && (group->lock.access == PROBEKIT_LOCK_READ ||
							word->address != group->lock.address + 8);
}

double lock_group_time(const struct lock_group *group)
{
	return (double)group->whole_ns + (double)group->lock.waiting_ns;
}

void lock_group_free(struct lock_group *group)
{
	lock_done(&group->lock);
	free(group->words.at);
	free(group);
}

void lock_groups_done(struct lock_groups *groups)
{
	for (size_t i = 0; i < groups->size; i++)
		lock_group_free(groups->items[i]);
	free(groups->items);
	free(groups->slots);
	free(groups->longest);
	futex_history_done(&groups->now);
}

bool lock_is_foreign(const struct probekit_session *session, uint32_t pid)
{
	for (size_t i = 0; i < session->pid_count; i++)
		if ((uint32_t)session->pids[i] == pid)
			return false;
	return pid == (uint32_t)getpid();
}
