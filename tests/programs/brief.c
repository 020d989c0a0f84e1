/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions so short that probing them takes most of their time, in all CPUs: samples find the kernel in the
 * midst of it. Built with and without frame pointers, and so that exits are probed instead of returns
 * (-DBY_EXITS): tests/CMakeLists.txt.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>

#include "program.h"

#define THREADS 4

/* Called by pointer, the compiler knows nothing of what they leave alone: registers are saved. */
static unsigned long (*volatile bare)(unsigned long);
static unsigned long (*volatile inner)(unsigned long);
static unsigned long (*volatile middle)(unsigned long);

static unsigned long not_probed(unsigned long value)
{
	touch();
	return value;
}

static unsigned long brief_inner(unsigned long value)
{
	return value + bare(value);
}

static unsigned long brief_middle(unsigned long value)
{
	return value + inner(value) + inner(value + 1);
}

static __attribute__((noinline)) unsigned long brief_outer(unsigned long value)
{
	return value + middle(value) + middle(value + 1);
}

static void *work(void *ms)
{
	long long until = now_ns() + (long long)(uintptr_t)ms * 1000000;
	unsigned long value = 0;

	while (now_ns() < until)
		value = brief_outer(value);
	return NULL;
}

static void run(unsigned long ms)
{
	pthread_t threads[THREADS];

	bare = not_probed;
	inner = brief_inner;
	middle = brief_middle;
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)ms))
			abort();
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {{"run", run}, {0}};

#ifdef BY_EXITS
	sigaltstack(NULL, NULL); /* what switches stacks does not stand return probes */
#endif
	return program_main(argc, argv, modes, NULL);
}
