/* SPDX-License-Identifier: BSD-2-Clause */
#include "attach_later.h"

#include <errno.h>

#include "privilege.h"

static void run(struct attach_later *later)
{
	attach_links_close(&later->closing, 0);
	atomic_store(&later->is_done, true);
}

/* It may still be at it when its process gives up what it does not need: capabilities are a thread's. */
static void *run_thread(void *arg)
{
	struct attach_later *later = arg;

	privilege_drop_thread();
	sem_post(&later->has_begun);
	run(later);
	return NULL;
}

static bool start_thread(struct attach_later *later)
{
	if (sem_init(&later->has_begun, 0, 0))
		return false;
	if (pthread_create(&later->thread, NULL, run_thread, later)) {
		sem_destroy(&later->has_begun);
		return false;
	}
	while (sem_wait(&later->has_begun) && errno == EINTR)
		;
	sem_destroy(&later->has_begun);
	return true;
}

static void join(struct attach_later *later)
{
	if (later->is_started)
		pthread_join(later->thread, NULL);
	later->is_started = false;
}

void attach_later_run(struct attach_later *later)
{
	if (later->waiting.size == 0 || (later->is_started && !atomic_load(&later->is_done)))
		return;
	join(later);
	later->closing = later->waiting;
	later->waiting = (struct attach_links){0};
	atomic_store(&later->is_done, false);
	later->is_started = start_thread(later);
	if (!later->is_started)
		run(later);
}

void attach_later_done(struct attach_later *later)
{
	join(later);
	attach_links_close(&later->waiting, 0);
}
