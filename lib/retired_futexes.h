/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_RETIRED_FUTEXES_H
#define PROBEKIT_RETIRED_FUTEXES_H
/* Rows of futexes that have left the kernel's table, as nobody has waited for them lately: it has room for new
 * ones, also in a program whose locks live as short as its requests. */
#include "futex_history.h"

#include <stdbool.h>

#define MAX_RETIRED 4096 /* beyond, those with the least time are part of all others */

/* How far a row was. */
struct futex_mark {
	struct futex_key key;
	uint64_t ns;
};

struct futex_marks {
	struct futex_mark *items; /* by key, once sorted */
	size_t size;
	size_t capacity;
};

struct retired_futexes {
	struct futex_history rows;
	struct futex_marks marks; /* of the kernel's rows, when they were last looked at */
};

/* -ENOMEM. */
int futex_marks_add(struct futex_marks *marks, const struct futex_key *key, uint64_t ns);
void futex_marks_sort(struct futex_marks *marks);
/* Is the row as far as it was then? */
bool futex_marks_has(const struct futex_marks *marks, const struct futex_mark *mark);
void futex_marks_done(struct futex_marks *marks);
/* Adds rows that have been taken out of the table, each of another key; some may have been before. What `before`
 * is for, futex_history_fold() tells. -ENOMEM. */
int retired_futexes_add(struct retired_futexes *retired, const struct futex_history *taken,
			struct futex_history *before);
void retired_futexes_done(struct retired_futexes *retired);

#endif
