/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_LOCK_ROWS_H
#define PROBEKIT_TESTS_LOCK_ROWS_H
/*
 * Locks of a snapshot against what a program told of them (programs/lock_tell.h). Whatever is not
 * as it was told fails the running test.
 */
#include "support.h"

#define LOCK_LONG_WAIT_NS 100000
#define LOCK_ENOUGH .95 /* of waits, or of the time */
#define LOCK_MOST .8	/* of what a holder does, which also looks whether others wait */

/* What the programs do not tell. */
struct lock_kind {
	const char *name; /* as a test's: what it claims */
	const char *program;
	const char *mode;
	const char *kind;     /* NULL: not known */
	bool has_no_symbol;   /* it lies on the heap, a stack or in shared memory */
	unsigned int word_at; /* the address may be this much into the lock */
	bool is_owned;	      /* who has it is written in it */
	const char *holder;   /* function in the holder's stack */
	const char *waiter;   /* the same of who waits */
	const char *waker;    /* the same of who wakes; NULL: not looked at */
	const char *does;     /* who is waited for, most of the time; NULL: not looked at */
	bool does_only_that;
	bool has_processes;    /* the other one is a process of its own */
	const char *waits_for; /* the lock behind which its holder waits */
	const char *rounds;    /* NULL: as many as of the others */
	bool is_starved;       /* the holder has no CPU for as long as is told */
	bool has_many_holders; /* a wait each */
	bool has_brief_waits;  /* of others too, shorter than are told */
};

/* All locks of which the program told, which are of one kind. */
void lock_rows_check(const json_t *snapshot, const struct lock_kind *kind, const char *told);

/* Its waits alone, under whatever kind and as however many rows. */
void lock_rows_check_counts(const json_t *snapshot, const char *told);

/* In none of its long waits a wrong thread is said to have had it. */
void lock_rows_check_holders(const json_t *snapshot, const struct lock_kind *kind,
			     const char *told);

/* The function is in the stacks of at least that share of the row's "waiters", "holders" or "wakers". */
void lock_rows_require_function(const json_t *row, const char *list, const char *function,
				double least);
/* The first lock whose member `key` is this text. */
const json_t *lock_row_with(const json_t *snapshot, const char *key, const char *value);
/* Its waits that were longer. */
int64_t lock_row_count_above(const json_t *row, double ns);
bool lock_row_is_text(const json_t *value, const char *expected);

#endif
