/* SPDX-License-Identifier: BSD-2-Clause */
#include "attach_later.h"

static void *run(void *arg)
{
	struct attach_later *later = arg;

	attach_links_close(&later->closing, 0);
	atomic_store(&later->is_done, true);
	return NULL;
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
	later->is_started = pthread_create(&later->thread, NULL, run, later) == 0;
	if (!later->is_started)
		run(later);
}

void attach_later_done(struct attach_later *later)
{
	join(later);
	attach_links_close(&later->waiting, 0);
}
