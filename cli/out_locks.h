/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_OUT_LOCKS_H
#define PROBEKIT_CLI_OUT_LOCKS_H
/* Locks of a snapshot as text for people. */
#include "out_text.h"

/* Deadlocks, then the locks that were waited for most, then what threads waited for to be woken. */
void out_locks_report(FILE *out, const struct text_style *style,
		      const struct probekit_snapshot *snapshot);
/* A line for each of the locks that were waited for most, under one that starts with `clock`. */
void out_locks_interval(FILE *out, const struct text_style *style,
			const struct probekit_snapshot *snapshot, const char *clock);
/* The deadlocks alone. */
void out_locks_deadlocks(FILE *out, const struct text_style *style,
			 const struct probekit_snapshot *snapshot);

#endif
