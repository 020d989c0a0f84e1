/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PUBLIC_LOCK_H
#define PROBEKIT_PUBLIC_LOCK_H
/* Locks that threads waited for, who held them, and deadlocks. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <probekit/error.h>
#include <probekit/row.h>
#include <probekit/thread.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which of a lock's users wait: those of a reader-writer lock are told apart. */
enum probekit_lock_access {
	PROBEKIT_LOCK_ANY,
	PROBEKIT_LOCK_READ,
	PROBEKIT_LOCK_WRITE,
};

/* A thread that held a lock while others waited for it. */
struct probekit_lock_holder {
	double share;	     /* of the time of all waits for the lock, [0, 1] */
	bool is_certain;     /* the lock is of a kind whose memory names its owner */
	uint64_t long_waits; /* of a millisecond and more, in which it held the lock longest of all */
	struct probekit_holder *holder; /* never NULL; `threads` is 1 */
};

/* Threads that ended waits, by stack. */
struct probekit_lock_waker {
	double share; /* of the time of those waits whose end was sampled, [0, 1] */
	struct probekit_thread thread;
	struct probekit_stack stack;
	/* What it did from the time that the thread blocked, or it last woke another, until it woke the thread;
	 * most time first. */
	struct probekit_activity *did;
	size_t did_count;
};

/* Time that was waited for a lock inside the spans of one probe. */
struct probekit_lock_span {
	const char *name;
	double share; /* of the lock's; spans in one another have the same time, [0, 1] */
};

/*
 * A futex that threads waited for: a lock, a condition variable, a semaphore or a thread's end. A reader-writer
 * lock has up to two rows of one address. A wait lasts from the moment that a thread leaves its CPU until it
 * is back on one; who is woken and finds the lock taken again goes on waiting.
 */
struct probekit_lock {
	pid_t pid;
	uint64_t address;   /* of the object, in that process */
	const char *symbol; /* its variable, "log_mutex" or "pool+16"; NULL: not known */
	const char *place;  /* file and address in it, "logger+0x4050"; NULL: not known */
	const char *name;   /* as PROBEKIT_MUTEX_LOCK() has it, "provider:name"; NULL: not known */
	const char *kind; /* "mutex", "rwlock", "condvar", "semaphore", "join" ...; NULL: not known */
	enum probekit_lock_access access;
	bool is_shared; /* between processes, as the waits for it say */
	/* Locks that this row is of: nameless ones that are waited for from the same calls are one row, whose
	 * `pid` and `address` are of the one that was waited for most. 1: only itself. */
	uint32_t objects;
	/* The waits that have ended, as a row of kind USDT: count, sum, min, max and histogram. */
	struct probekit_probe waits;
	/* The same of holds by its owners, waited for or not; of a reader-writer lock by writers, and by readers.
	 * Only where measure_holds was asked for. */
	struct probekit_probe holds;
	struct probekit_probe read_holds;
	uint64_t runqueue_ns; /* of `waits.sum`: woken, and without a CPU */
	uint32_t threads;     /* that waited, about */
	uint64_t handoffs;    /* releases that woke a thread which waited, those for nothing too */
	uint64_t barged;      /* times that a thread was woken and found it taken again */
	uint32_t waiting;     /* threads that wait now */
	uint64_t waiting_ns;  /* for so long together, since the start at most; not in `waits` */
	struct probekit_lock_span *spans; /* most time first */
	size_t span_count;
	/* Where they waited, with the shares of the time that was sampled; most first. */
	struct probekit_stack *waiters;
	size_t waiter_count;
	struct probekit_lock_holder *holders; /* most time first; at most 16 */
	size_t holder_count;
	uint32_t holder_threads; /* that held it, also those that are not listed; 0: not known, or none */
	double unowned_share; /* of the time, that for which no holder is certain */
	struct probekit_lock_waker *wakers;
	size_t waker_count;
};

/* Does a thread wait there to be told of something, as idle ones do, and not for others to be done with a lock?
 * False where the kind is not known. */
PROBEKIT_API bool probekit_lock_is_event(const struct probekit_lock *lock);

/* Threads each of which waits for a lock that the next one holds, the last one's is held by the first. */
struct probekit_deadlock {
	struct probekit_blocker *threads;
	size_t size;
};

#ifdef __cplusplus
}
#endif
#endif
