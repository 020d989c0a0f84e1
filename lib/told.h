/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TOLD_H
#define PROBEKIT_TOLD_H
/* What has left the kernel's table of causes, or of what holders did, by what is told of it: a file that is made anew
 * again and again is many to the kernel, and one to who reads. Sums grow until they leave as wholes. Pure functions. */
#include <stdbool.h>
#include <stddef.h>

#include "lightest.h"

#define TOLD_BY_NAME 1 /* the key's address of what is told by its name, which may be unknown */

struct told {
	union table_key key; /* the kernel's, but for what `name` stands for; zeros behind it */
	char *name;
	struct cause sum; /* of what a holder did no spans */
	bool is_leaving;  /* while others stay */
};

/* Of one table. All zero is empty. */
struct told_list {
	struct told *items;
	size_t size;
};

/* Of one that may be there already: to be joined. `name` may be NULL. -ENOMEM. */
int told_add_cause(struct told_list *list, const struct cause_key *key, const char *name,
		   const struct cause *cause) __attribute__((warn_unused_result));
int told_add_holding(struct told_list *list, const struct holding_key *key,
		     const struct holding *holding) __attribute__((warn_unused_result));
/* What is told as one becomes one. */
void told_join(struct told_list *list);
/* Of joined ones the lightest leave, as of a table with room for `room`: lightest_to_leave(). Calls `visit` for each,
 * until it returns other than 0, which is returned. -ENOMEM. */
int told_trim(struct told_list *list, size_t room, bool are_causes,
	      int (*visit)(const struct told *told, void *arg), void *arg)
	__attribute__((warn_unused_result));
void told_done(struct told_list *list);

#endif
