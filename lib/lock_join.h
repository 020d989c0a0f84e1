/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_LOCK_JOIN_H
#define PROBEKIT_LOCK_JOIN_H
/*
 * Locks without a name that are waited for at the same place, as one row: the semaphores that each process of a
 * database has for itself, the locks in objects of one class.
 */
#include <probekit/probekit.h>

/* Are both nameless, of one kind, and waited for from the same calls? */
bool lock_is_alike(const struct probekit_lock *a, const struct probekit_lock *b);
/* Adds `from`, which was waited for `from_ns` in all, to the row that was for `into_ns`. What `from` owns is taken
 * over or freed. -ENOMEM. */
int lock_join(struct probekit_lock *into, double into_ns, struct probekit_lock *from,
	      double from_ns) __attribute__((warn_unused_result));
/* Once all are joined: a thread that held several of them is one, and of the threads those stay that took most. */
#define HOLDERS_KEPT 64
void lock_keep_holders(struct probekit_lock *lock);

#endif
