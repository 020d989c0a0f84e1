/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_SHARED_LOCKS_H
#define PROBEKIT_SHARED_LOCKS_H
/* The part of shared.h that is about locks, which includes it: owners, holds, and waits for futexes. */
#include "shared.h"

/* ---- owners of locks ---- */

/*
 * Words of a pthread_mutex_t and a pthread_rwlock_t as glibc has them since 2.25 (sysdeps/nptl/bits:
 * struct_mutex.h, struct_rwlock.h), and the values that it waits for.
 */
#define MUTEX_CONTENDED 2
#define RWLOCK_CONTENDED 3
#define MUTEX_OWNER 2	    /* word, from the one that is waited for */
#define WRITER_OF_WRITERS 3 /* where a writer waits for another */
#define WRITER_OF_PHASE 4   /* where a reader waits for a writer */
#define LOCK_WORDS 5

/* Of linux/futex.h, which has not all of them everywhere. */
#define FUTEX_COMMAND_BITS 127
#define FUTEX_PRIVATE_BIT 128
#define FUTEX_COMMAND_LOCK_PI 6
#define FUTEX_COMMAND_LOCK_PI2 13
#define FUTEX_OWNER_BITS 0x3fffffff
#define FUTEX_WAITED_FOR 0x80000000u /* its FUTEX_WAITERS */

static inline __attribute__((always_inline)) int futex_is_pi(__u32 operation)
{
	__u32 command = operation & FUTEX_COMMAND_BITS;

	return command == FUTEX_COMMAND_LOCK_PI || command == FUTEX_COMMAND_LOCK_PI2;
}

/* What is waited for tells most uses of futexes that have no owner without a look at their words.
 * pthread_join() waits for the thread's own number until the kernel wakes it. */
static inline __attribute__((always_inline)) int lock_may_have_owner(__u32 operation, __u32 value)
{
	return futex_is_pi(operation) || !(operation & FUTEX_PRIVATE_BIT) ||
	       value & FUTEX_WAITED_FOR || value == MUTEX_CONTENDED || value == RWLOCK_CONTENDED;
}

/* Is it a thread's number that is waited for, or any other? */
static inline __attribute__((always_inline)) int futex_is_number_alone(__u32 operation, __u32 value)
{
	return !futex_is_pi(operation) && !(value & FUTEX_WAITED_FOR) && value != MUTEX_CONTENDED &&
	       value != RWLOCK_CONTENDED;
}

/* The owner as the words at the futex have it; 0: none. (Where a writer waits for others, the word behind that of
 * the writer says 1 in a lock that processes share.) */
static inline __attribute__((always_inline)) __u32 lock_owner(const __u32 words[LOCK_WORDS],
							      __u32 operation, __u32 value)
{
	if (futex_is_pi(operation))
		return words[0] & FUTEX_OWNER_BITS;
	if (value == MUTEX_CONTENDED)
		return words[MUTEX_OWNER];
	if (value == RWLOCK_CONTENDED)
		return words[WRITER_OF_WRITERS]	    ? words[WRITER_OF_WRITERS]
		       : words[WRITER_OF_PHASE] > 1 ? words[WRITER_OF_PHASE]
						    : 0;
	if (words[0] != value || (operation & FUTEX_PRIVATE_BIT && !(value & FUTEX_WAITED_FOR)))
		return 0;
	return value & FUTEX_OWNER_BITS; /* a robust mutex, or a thread that is joined */
}

/* ---- locks that are waited for ---- */

/* Since when which thread has held it, as far as those who wait have seen. */
struct lock_state {
	__u64 since; /* by the run queue's clock */
	__u32 holder_pid;
	__u32 holder_tid;
	__s32 waiters;
	__u64 late_ns;		  /* of those who came later: how much, together */
	__u64 named_ns;		  /* of this hold, charged already */
	__u64 before[MAX_TOTALS]; /* the holder's totals then */
};
#define MAX_LOCKS 16384

/* ---- what holders of locks did while others waited ---- */

/* What the holder waited for, or CLASS_ONCPU; together they are the holds. */
struct holding_key {
	__u64 lock;
	__u64 address;	     /* that the holder itself waited for, as in struct wait; 0 */
	__u32 space;	     /* that `lock` is in: struct futex_place */
	__u32 address_space; /* the same of `address`, where it is a futex's */
	__u32 pid;	     /* the holder, where every wait for a futex is counted; else 0 */
	__u32 tid;
	__u16 syscall;
	__u8 time_class;
	__u8 band; /* floor(log2) of the hold's ns; where holders are told apart 0, or BAND_OF_WAKER */
	__u32 padding;
};
_Static_assert(sizeof(struct holding_key) == 40, "no padding");
#define BAND_OF_WAKER 1 /* the thread did it before it ended the wait; no hold is so short */

struct holding {
	__u64 ns;
	__u64 count;
};
#define MAX_HOLDINGS 16384
#define MAX_LOCK_HOLDINGS 131072 /* where holders are told apart */

/* ---- every wait for a futex ---- */

#define FUTEX_SCALE 4
#define FUTEX_ANY_VALUE 255   /* beyond those that C libraries give a meaning */
#define FUTEX_OWNER_VALUE 254 /* with the owner's number in it: of a robust mutex */
#define FUTEX_VALUES 4
#define MAX_FUTEXES 4096
#define MAX_FUTEX_SPANS 8192
#define FUTEX_THREAD_WORDS 8
#define FUTEX_HOLD 255 /* there are not so many commands */
#define MAX_HELD_LOCKS 4096

static inline __attribute__((always_inline)) __u8 futex_told_value(__u32 operation, __u32 value)
{
	if (futex_is_pi(operation))
		return 0;
	if (value < FUTEX_VALUES)
		return value;
	return value & FUTEX_WAITED_FOR && value & FUTEX_OWNER_BITS ? FUTEX_OWNER_VALUE
								    : FUTEX_ANY_VALUE;
}

/* A word that threads wait for, and how; space 0: of all that found no room. Or a lock that is held: the begin
 * of the object. */
struct futex_key {
	__u64 address;
	__u32 space;
	__u8 command; /* FUTEX_WAIT ..., with FUTEX_PRIVATE_BIT where it is private; or FUTEX_HOLD */
	__u8 value; /* that they wait with, as futex_told_value() has it; of holds 1: by a reader */
	__u16 padding;
};
_Static_assert(sizeof(struct futex_key) == 16, "no padding");

/* How many waits, or holds, there were, its slots tell. A wait lasts from the switch off the CPU to the one back to it;
 * one whose thread found the lock taken again goes on. */
struct futex_row {
	__u64 ns;
	__u64 queued_ns; /* of it runnable, without a CPU */
	__u64 max_ns;
	__u64 woken; /* ended by another thread */
	__u64 again; /* times that a thread that was woken found it taken again */
	__u64 threads[FUTEX_THREAD_WORDS]; /* bit tid & 511 of those that waited, or held */
	__u32 wait_probe; /* of the span of PROBEKIT_MUTEX_LOCK() in which it is waited for; 0: none */
	__u32 padding;
	__u32 slots[BUCKET_SLOTS(FUTEX_SCALE)];
};

/* The last holds of a lock, of which those who waited long are told who held it longest. */
#define PAST_HOLDS 64 /* a power of two */

struct past_hold {
	__u64 since;
	__u64 until;
	__u32 pid;
	__u32 tid;
};

struct lock_past {
	__u64 count;
	struct past_hold holds[PAST_HOLDS];
};

#define LONG_FUTEX_NS 1000000
#define MAX_FUTEX_HOLDERS 65536

struct futex_holder_key {
	__u64 address;
	__u32 space;
	__u32 pid;
	__u32 tid;
	__u32 padding;
};

struct futex_span_key {
	struct futex_key futex;
	__u32 probe;
	__u32 padding;
};

/* A thread that is blocked in futex, as the task iterator writes it. */
struct futex_record {
	__u64 since_ns;	     /* CLOCK_MONOTONIC; 0: before it was followed */
	__u64 held_since_ns; /* by the owner, as far as was seen; 0: not known */
	__u64 last_arrival;  /* on a CPU: while it is the same, the thread has not run */
	struct futex_place place;
	__u32 pid;
	__u32 tid;
	__u32 owner_pid; /* of the lock, as its words say; 0: none */
	__u32 owner_tid;
	__u32 operation; /* with flags */
	__u32 value;
	char comm[16];
};
_Static_assert(sizeof(struct futex_record) == 80, "no padding");

#endif
