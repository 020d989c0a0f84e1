/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_LOCK_TOLD_H
#define PROBEKIT_TESTS_LOCK_TOLD_H
/* What a program has told of its locks, as programs/lock_tell.h has it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOCK_HOLDERS_MAX 32

struct lock_told_holder {
	long tid;
	long pid;
	long long_waits;  /* over 1 ms in which it had it longest */
	long rival_waits; /* the same in which another had it as long, or nearly */
	double share;	  /* of the time that was waited */
};

struct lock_told {
	char name[64]; /* without "/read" and "/write" */
	const char *access;
	unsigned long long address;
	long waits;
	long long ns;
	long long most_ns;
	long long unsure_ns; /* of it, perhaps no wait */
	long barged;
	struct lock_told_holder holders[LOCK_HOLDERS_MAX];
	size_t holder_count;
	size_t waiter_count;
	long waker;
};

/* The line behind this one; NULL at the end. */
const char *lock_told_next_line(const char *line);
/* False: `line` of `text` tells of no lock. */
bool lock_told_read(const char *text, const char *line, struct lock_told *told);
/* The thread as a holder; one of nothing where it was none. */
const struct lock_told_holder *lock_told_holder(const struct lock_told *told, int64_t tid);
/* Who had it longest in the most waits. */
long lock_told_longest_holder(const struct lock_told *told);
/* Of the time that was waited, that in which anybody had it. In the rest it was free, and the waiter had no CPU yet. */
double lock_told_shares(const struct lock_told *told);

#endif
