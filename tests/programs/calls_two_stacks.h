/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for two stacks, a thread to leave them in, and a function to call on them. */
#ifndef CALLS_TWO_STACKS_H
#define CALLS_TWO_STACKS_H
#include <pthread.h>
#include <stdlib.h>

#include "calls.h"
#include "two_stacks.h"

COUNTER(leaf);

static NOINLINE uint64_t leaf(uint64_t value)
{
	CALL(leaf);
	touch();
	DONE(leaf);
	return value * 3 + 1;
}

static void run_thread(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, arg) || pthread_join(thread, NULL))
		abort();
}

#endif
