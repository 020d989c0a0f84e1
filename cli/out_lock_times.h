/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_OUT_LOCK_TIMES_H
#define PROBEKIT_CLI_OUT_LOCK_TIMES_H
/* Times of locks: how long threads waited for them, and had them. */
#include "out_parts.h"

enum {
	OUT_LOCK_INDENT = 4,
	OUT_LOCK_LABEL = 9, /* "waiting: " */
};

/* Less of a lock's waits, or of their time, has no line. */
#define OUT_LOCK_LEAST_SHARE 0.02

/* The line of all waits for it. */
void out_lock_waits(struct text_line *line, const struct probekit_lock *lock);
/* The histogram of those; and what is known of the times that it was taken and held. */
void out_lock_times(struct text_line *line, const struct probekit_snapshot *snapshot,
		    const struct probekit_lock *lock);
/* Holds of all locks, where they were measured, with what was lost of them. */
void out_lock_holds(struct text_line *line, const struct probekit_snapshot *snapshot);

#endif
