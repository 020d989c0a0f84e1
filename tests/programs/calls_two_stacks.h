/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for two stacks, a thread to leave them in, and a function to call on them. */
#ifndef CALLS_TWO_STACKS_H
#define CALLS_TWO_STACKS_H
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "calls.h"

#define STACK_BYTES 65536

COUNTER(leaf);

static NOINLINE uint64_t leaf(uint64_t value)
{
	CALL(leaf);
	touch();
	DONE(leaf);
	return value * 3 + 1;
}

static char *map_stacks(void)
{
	char *stacks = mmap(NULL, 2 * STACK_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (stacks == MAP_FAILED)
		abort();
	return stacks;
}

static void run_thread(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, arg) || pthread_join(thread, NULL))
		abort();
}

#endif
