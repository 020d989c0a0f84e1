/* SPDX-License-Identifier: BSD-2-Clause */
#include "lock_evidence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stack_view.h"

#define WAITERS_SHOWN 8
#define WAKERS_SHOWN 32

static int show_waiters(const struct tally *waiters, struct probekit_lock *lock)
{
	size_t count = waiters->size < WAITERS_SHOWN ? waiters->size : WAITERS_SHOWN;

	if (!count)
		return 0;
	lock->waiters = calloc(count, sizeof(*lock->waiters));
	if (!lock->waiters)
		return -ENOMEM;
	for (; lock->waiter_count < count; lock->waiter_count++) {
		const struct weighed *item = &waiters->items[lock->waiter_count];

		if (trace_show(item->trace, (double)item->weight / (double)waiters->total,
			       &lock->waiters[lock->waiter_count]))
			return -ENOMEM;
	}
	return 0;
}

static struct probekit_thread thread_of(const struct thread_count *counted)
{
	struct probekit_thread thread = {.pid = counted->pid, .tid = counted->tid};

	memcpy(thread.comm, counted->comm, sizeof(thread.comm));
	return thread;
}

static int show_wakers(const struct thread_stacks *wakers, struct probekit_lock *lock)
{
	size_t count = wakers->size < WAKERS_SHOWN ? wakers->size : WAKERS_SHOWN;

	if (!count || !wakers->total)
		return 0;
	lock->wakers = calloc(count, sizeof(*lock->wakers));
	if (!lock->wakers)
		return -ENOMEM;
	for (; lock->waker_count < count; lock->waker_count++) {
		const struct stacks_of_thread *item = &wakers->items[lock->waker_count];
		struct probekit_lock_waker *waker = &lock->wakers[lock->waker_count];

		waker->thread = thread_of(&item->thread);
		waker->share = (double)item->weight / (double)wakers->total;
		if (tally_show(&item->stacks, &waker->stack))
			return lock->waker_count++, -ENOMEM;
	}
	return 0;
}

static void learn_comm(struct probekit_thread *thread, const char comm[static 16])
{
	if (!thread->comm[0])
		memcpy(thread->comm, comm, sizeof(thread->comm));
}

struct probekit_lock_holder *lock_holder_of(struct probekit_lock *lock,
					    const struct probekit_thread *thread)
{
	struct probekit_lock_holder *grown;

	for (size_t i = 0; i < lock->holder_count; i++) {
		if (lock->holders[i].holder->thread.tid != thread->tid)
			continue;
		learn_comm(&lock->holders[i].holder->thread, thread->comm);
		return &lock->holders[i];
	}
	grown = reallocarray(lock->holders, lock->holder_count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	lock->holders = grown;
	grown += lock->holder_count;
	*grown = (struct probekit_lock_holder){.holder = calloc(1, sizeof(*grown->holder))};
	if (!grown->holder)
		return NULL;
	grown->holder->thread = *thread;
	grown->holder->threads = 1;
	lock->holder_count++;
	return grown;
}

/* Of those that may have ended, or be of a process that none can look into any more. */
static void name_holders(const struct thread_tally *threads, struct probekit_lock *lock)
{
	for (size_t i = 0; i < lock->holder_count; i++) {
		struct probekit_thread *thread = &lock->holders[i].holder->thread;

		for (size_t k = 0; k < threads->size; k++)
			if (threads->items[k].tid == thread->tid)
				learn_comm(thread, threads->items[k].comm);
	}
}

static int show_holders(const struct wait_findings *findings, struct probekit_lock *lock)
{
	const struct thread_stacks *holders = &findings->by_holder;

	for (size_t i = 0; i < holders->size; i++) {
		struct probekit_thread thread = thread_of(&holders->items[i].thread);
		struct probekit_lock_holder *holder = lock_holder_of(lock, &thread);

		if (!holder || tally_show(&holders->items[i].stacks, &holder->holder->stack))
			return -ENOMEM;
	}
	name_holders(&findings->holder_threads, lock);
	return 0;
}

int lock_evidence_show(const struct wait_findings *findings, struct probekit_lock *lock)
{
	if (show_waiters(&findings->waiters, lock) || show_wakers(&findings->by_waker, lock))
		return -ENOMEM;
	/* Of other kinds the words mean something else. */
	return lock->kind && !stack_view_has_owner(lock->kind) ? 0 : show_holders(findings, lock);
}
