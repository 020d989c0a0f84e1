/* SPDX-License-Identifier: BSD-2-Clause */
#include "lock.h"

#include <stdlib.h>
#include <string.h>

#include "breakdown.h"
#include "histogram.h"
#include "snapshot.h"
#include "stack.h"

static void release(const char *text)
{
	free((void *)(uintptr_t)text);
}

void lock_prepare(struct probekit_lock *lock)
{
	lock->waits.kind = PROBEKIT_KIND_USDT;
	lock->holds.kind = PROBEKIT_KIND_USDT;
	lock->read_holds.kind = PROBEKIT_KIND_USDT;
}

void lock_waker_done(struct probekit_lock_waker *waker)
{
	stack_done(&waker->stack);
	for (size_t i = 0; i < waker->did_count; i++)
		release(waker->did[i].name);
	free(waker->did);
}

void lock_done(struct probekit_lock *lock)
{
	release(lock->symbol);
	release(lock->place);
	release(lock->name);
	release(lock->kind);
	histogram_done(&lock->waits.histogram);
	histogram_done(&lock->holds.histogram);
	histogram_done(&lock->read_holds.histogram);
	for (size_t i = 0; i < lock->span_count; i++)
		release(lock->spans[i].name);
	free(lock->spans);
	for (size_t i = 0; i < lock->waiter_count; i++)
		stack_done(&lock->waiters[i]);
	free(lock->waiters);
	for (size_t i = 0; i < lock->holder_count; i++)
		holder_free(lock->holders[i].holder);
	free(lock->holders);
	for (size_t i = 0; i < lock->waker_count; i++)
		lock_waker_done(&lock->wakers[i]);
	free(lock->wakers);
	*lock = (struct probekit_lock){0};
}

void locks_free(struct probekit_lock *locks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		lock_done(&locks[i]);
	free(locks);
}

void deadlocks_free(struct probekit_deadlock *deadlocks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < deadlocks[i].size; k++) {
			release(deadlocks[i].threads[k].lock_symbol);
			release(deadlocks[i].threads[k].lock_place);
			stack_done(&deadlocks[i].threads[k].stack);
		}
		free(deadlocks[i].threads);
	}
	free(deadlocks);
}

bool probekit_lock_is_event(const struct probekit_lock *lock)
{
	static const char *const events[] = {"condvar", "semaphore", "join", "barrier"};

	for (size_t i = 0; lock->kind && i < sizeof(events) / sizeof(events[0]); i++)
		if (strcmp(lock->kind, events[i]) == 0)
			return true;
	return false;
}

bool lock_is_same(const struct probekit_lock *a, const struct probekit_lock *b)
{
	return a->pid == b->pid && a->address == b->address && a->access == b->access;
}

int lock_by_time(const struct probekit_lock *a, const struct probekit_lock *b)
{
	uint64_t x = (uint64_t)a->waits.sum + a->waiting_ns;
	uint64_t y = (uint64_t)b->waits.sum + b->waiting_ns;

	if (x != y)
		return x > y ? -1 : 1;
	return (a->address > b->address) - (a->address < b->address);
}

size_t probekit_snapshot_lock_count(const struct probekit_snapshot *snapshot)
{
	return snapshot->lock_count;
}

const struct probekit_lock *probekit_snapshot_lock(const struct probekit_snapshot *snapshot,
						   size_t i)
{
	return i < snapshot->lock_count ? &snapshot->locks[i] : NULL;
}

size_t probekit_snapshot_deadlock_count(const struct probekit_snapshot *snapshot)
{
	return snapshot->deadlock_count;
}

const struct probekit_deadlock *probekit_snapshot_deadlock(const struct probekit_snapshot *snapshot,
							   size_t i)
{
	return i < snapshot->deadlock_count ? &snapshot->deadlocks[i] : NULL;
}
