/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that are called without a pause, one after the other, beside some that are called now and then, in
 * other threads: these count on while the guard drops those. Built so that returns are probed, and exits
 * (-DBY_EXITS): tests/CMakeLists.txt. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#define COUNT_ATOMICALLY
#include "calls.h"

#define THREADS 3
#define BUSY 3

COUNTER(outer);
COUNTER(inner);
COUNTER(busy_0);
COUNTER(busy_1);
COUNTER(busy_2);

static unsigned long pause_us;
static atomic_int busy_now; /* which is called; BUSY: it is over */

static NOINLINE uint64_t inner(uint64_t value)
{
	CALL(inner);
	touch();
	DONE(inner);
	return value * 3 + 1;
}

/* Most of the time each thread is in here. */
static NOINLINE uint64_t outer(uint64_t value)
{
	struct timespec left = {.tv_nsec = (long)pause_us * 1000};
	uint64_t result;

	CALL(outer);
	result = inner(value);
	while (nanosleep(&left, &left) && errno == EINTR)
		;
	result += inner(value + 1);
	DONE(outer);
	return result;
}

static NOINLINE void busy_0(void)
{
	CALL(busy_0);
	DONE(busy_0);
}

static NOINLINE void busy_1(void)
{
	CALL(busy_1);
	DONE(busy_1);
}

static NOINLINE void busy_2(void)
{
	CALL(busy_2);
	DONE(busy_2);
}

static void *call_now_and_then(void *arg)
{
	for (uint64_t i = 0; atomic_load(&busy_now) < BUSY; i++)
		note(outer(i));
	return arg;
}

static void *call_without_pause(void *arg)
{
	static void (*const functions[BUSY])(void) = {busy_0, busy_1, busy_2};
	int now;

	while ((now = atomic_load(&busy_now)) < BUSY)
		functions[now]();
	return arg;
}

/* Until the next line on stdin the first is busy, then the next; `count` is how long the others pause. */
static void take_turns(unsigned long count)
{
	pthread_t threads[THREADS + 1];

	pause_us = count;
	for (int i = 0; i <= THREADS; i++)
		if (pthread_create(&threads[i], NULL,
				   i < THREADS ? call_now_and_then : call_without_pause, NULL))
			abort();
	for (int i = 0; i < BUSY; i++) {
		await_go();
		atomic_fetch_add(&busy_now, 1);
	}
	for (int i = 0; i <= THREADS; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {{"take_turns", take_turns}, {NULL, NULL}};

#ifdef BY_EXITS
	sigaltstack(NULL, NULL); /* what switches stacks does not stand return probes */
#endif
	return calls_main(argc, argv, modes);
}
