/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_LOCK_GROUPS_H
#define PROBEKIT_LOCK_GROUPS_H
/* The locks of a snapshot while they are put together: which futexes are one lock, and what the kernel's rows of
 * them say. */
#include "session.h"

/* One lock while it is put together. */
struct lock_group {
	struct probekit_lock lock;
	struct lock_words words;
	uint64_t threads[FUTEX_THREAD_WORDS];
	bool is_explained;
	uint64_t whole_ns; /* of all waits that have ended, which shares refer to; `lock` may be of an interval */
};

/* How many long waits there were in which a thread held the lock longest. */
struct longest_holder {
	struct futex_holder_key key;
	uint64_t waits;
};

struct lock_groups {
	struct probekit_session *session;
	struct lock_group **items;
	size_t size;
	struct lock_group **slots; /* the same by hash, until they are joined; a power of two */
	size_t slot_count;
	bool is_interval;
	struct longest_holder *longest; /* by space and address */
	size_t longest_count;
	struct futex_history now; /* for the next interval */
};

/* Less than 0, 0 or more, as qsort() has it: all places of one space stand together. */
int place_order(const struct futex_place *a, const struct futex_place *b);

/* That the key belongs to; one more where it is new. NULL: no memory. */
struct lock_group *lock_group_of(struct lock_groups *groups, const struct futex_key *key);
void lock_groups_done(struct lock_groups *groups);
void lock_group_free(struct lock_group *group);
/* That was waited, also by those who still do; shares are of it. */
double lock_group_time(const struct lock_group *group);
/* Do waiters of the group wait at this word for an owner? */
bool lock_group_is_owned_at(const struct lock_group *group, struct futex_place place);
/* Words that are not there yet. -ENOMEM. */
int lock_words_add(struct lock_words *words, const struct lock_word *added, size_t count);
/* Is it of this process, though nobody asked for it? Calibration has had it followed. */
bool lock_is_foreign(const struct probekit_session *session, uint32_t pid);

/* Fills the groups with waits that have ended, and the spans that they were in. -ENOMEM. */
int lock_groups_add_waits(struct lock_groups *groups);
/* With holds, and with what follows from all waits, once all locks are there that are waited for. -ENOMEM. */
int lock_groups_add_holds(struct lock_groups *groups);
/* Makes those that are alike one row each. Sorted before, and not after. -ENOMEM. */
int lock_groups_join(struct lock_groups *groups);
/* Once those that are one row are joined. */
void lock_group_set_threads(struct lock_group *group);
/* Has the next interval begin. */
void lock_groups_keep(struct lock_groups *groups);

#endif
