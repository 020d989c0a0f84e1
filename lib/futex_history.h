/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_FUTEX_HISTORY_H
#define PROBEKIT_FUTEX_HISTORY_H
/* Rows of futexes that are kept here, by what the kernel counts them by: what a lock is called, and which futexes
 * are one, may be found out later. They are those at the begin of an interval, or those that have left the
 * kernel's table. */
#include "../bpf/shared_locks.h"

#include <stddef.h>
#include <stdint.h>

struct counted_futex {
	struct futex_key key;
	struct futex_row row;
};

struct futex_history {
	struct counted_futex *items; /* by key, once sorted */
	size_t size;
	size_t capacity;
};

/* Orders elements that begin with a struct futex_key, as qsort() and bsearch() have it. */
int futex_by_key(const void *left, const void *right);

/* -ENOMEM. */
int futex_history_add(struct futex_history *history, const struct futex_key *key,
		      const struct futex_row *row);
void futex_history_sort(struct futex_history *history);
/* Once sorted; NULL: it is not there. */
struct counted_futex *futex_history_find(const struct futex_history *history,
					 const struct futex_key *key);
/* Of one futex, or of several that are told as one. */
void futex_row_add(struct futex_row *into, const struct futex_row *from);
/* Keeps the `most` rows with the most time, and adds the rest to that of all others, so that what `before` had of
 * it is of those too. Both are sorted before and after. -ENOMEM: all is as it was. */
int futex_history_fold(struct futex_history *history, size_t most, struct futex_history *before);
/* Leaves in `row` what was added since. Which threads waited is of the whole time. */
void futex_history_subtract(const struct futex_history *before, const struct futex_key *key,
			    struct futex_row *row);
void futex_history_done(struct futex_history *history);

#endif
