/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TOLD_CAUSES_H
#define PROBEKIT_TOLD_CAUSES_H
/* Causes that have left the kernel's table, by what is told of them: a file that is made anew again and again is
 * many to the kernel, and one to who reads. Their sums grow until they leave as wholes. Pure functions. */
#include <stdbool.h>
#include <stddef.h>

#include "../bpf/shared.h"

#define TOLD_BY_NAME 1 /* the key's address of what is told by its name, which may be unknown */

struct told_cause {
	struct cause_key key; /* the kernel's, but for what `name` stands for */
	char *name;
	struct cause sum;
	bool is_leaving; /* while others stay */
};

/* All zero is empty. */
struct told_causes {
	struct told_cause *items;
	size_t size;
};

/* Of one that may be there already: to be joined. `name` may be NULL. -ENOMEM. */
int told_causes_add(struct told_causes *causes, const struct cause_key *key, const char *name,
		    const struct cause *sum) __attribute__((warn_unused_result));
/* What is told as one becomes one. */
void told_causes_join(struct told_causes *causes);
/* Of joined ones the lightest leave, as of a table with room for `room`: lightest_to_leave(). Calls `visit` for each.
 * -ENOMEM. */
int told_causes_trim(struct told_causes *causes, size_t room,
		     void (*visit)(const struct told_cause *cause, void *arg), void *arg)
	__attribute__((warn_unused_result));
void told_causes_done(struct told_causes *causes);

#endif
