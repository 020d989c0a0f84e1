/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_LIGHTEST_H
#define PROBEKIT_LIGHTEST_H
/* What leaves the tables of causes and of what holders did, so that they have room for what comes: files, processes and
 * locks come without end. Pure functions. */
#include <stdbool.h>
#include <stddef.h>

#include "../bpf/shared.h"

union table_key {
	struct cause_key cause;
	struct holding_key holding;
	unsigned char bytes[sizeof(struct holding_key)]; /* of the largest, to compare */
};

struct table_entry {
	union table_key key;
	double weight; /* its time */
	size_t at;     /* whatever its owner knows it by */
};

/* How many are to leave a table with room for `room` entries, so that there is some for others; those come first
 * then. Causes are weighed by their shares of what all took in spans of the same probe and length: those of the few
 * slow spans are not lighter than those of many fast ones. Where a quarter is taken those leave that are hardly
 * reasons, so that what is told does not grow for hours; where three quarters are, the lightest of all. */
size_t lightest_to_leave(struct table_entry *entries, size_t size, size_t room, bool are_causes);

#endif
