/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_ATTACH_LATER_H
#define PROBEKIT_ATTACH_LATER_H
/* Detaching by a thread: it takes the kernel's grace periods, in which the caller has more to do. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "attach.h"

struct attach_later {
	struct attach_links waiting; /* to be detached; the caller adds to them */
	struct attach_links closing; /* the thread's */
	pthread_t thread;
	bool is_started;
	sem_t has_begun; /* it has given up its capabilities */
	atomic_bool is_done;
};

/* Has what waits detached, at once if the thread is free. */
void attach_later_run(struct attach_later *later);
/* Detaches what is left, and ends the thread. */
void attach_later_done(struct attach_later *later);

#endif
