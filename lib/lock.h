/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_LOCK_H
#define PROBEKIT_LOCK_H
/* Locks and deadlocks as parts of a snapshot: values that own all they point to. */
#include <probekit/probekit.h>

/* Its rows of times are of the kind that they are. */
void lock_prepare(struct probekit_lock *lock);
void lock_done(struct probekit_lock *lock);
void lock_waker_done(struct probekit_lock_waker *waker);
void locks_free(struct probekit_lock *locks, size_t count);
void deadlocks_free(struct probekit_deadlock *deadlocks, size_t count);

/* Are they of one lock, and of readers or writers alike? */
bool lock_is_same(const struct probekit_lock *a, const struct probekit_lock *b);
/* Most waited time first, as qsort() has it. */
int lock_by_time(const struct probekit_lock *a, const struct probekit_lock *b);

#endif
