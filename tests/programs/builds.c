/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program in several builds whose differences are known, for comparisons: builds [CALLS]. Twenty spans, "work:f00"
 * to "work:f19", are called CALLS times each in turn. Each computes; three calls of a hundred compute four times as long,
 * so that p99 lies among those. One of the spans, "work:f07", does what the build's definition says.
 *
 *	SLOWER_P50=N   N % more work in each of its calls
 *	SLOWER_P99=N   N % more work in the long ones alone
 *	RARE_TAIL      half of its long calls compute ten times as long
 *	LOCKED         each tenth call waits for a lock whose holder sleeps in another thread
 *	SLEEPY         each call sleeps rather than computes
 *	GONE, CAME     the span "work:gone" is called, or "work:came"
 *	FAILS, HANGS   it ends with status 7 after some words; it never ends
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <probekit/probe.h>

#ifndef SLOWER_P50
#define SLOWER_P50 0
#endif
#ifndef SLOWER_P99
#define SLOWER_P99 0
#endif

enum { SPECIAL = 7, ROUNDS = 6000 };

/* Data, so that the code of these builds is the same: another layout is a difference of its own. */
static volatile const uint64_t slower_p50 = SLOWER_P50;
static volatile const uint64_t slower_p99 = SLOWER_P50 + SLOWER_P99;

static uint64_t state;
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t next(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return state >> 33;
}

static __attribute__((noinline)) void compute(uint64_t rounds)
{
	uint64_t x = rounds;

	for (uint64_t i = 0; i < rounds; i++) {
		x = x * 2862933555777941757u + 3037000493u;
		__asm__ volatile("" : "+r"(x));
	}
}

/* Called for SPECIAL alone where a build wants it. */
#ifdef LOCKED
static void *hold(void *taken)
{
	const struct timespec pause = {.tv_nsec = 300000};

	pthread_mutex_lock(&table_lock);
	*(volatile int *)taken = 1;
	nanosleep(&pause, NULL);
	pthread_mutex_unlock(&table_lock);
	return NULL;
}

static void wait_for_holder(void)
{
	volatile int taken = 0;
	pthread_t holder;

	if (next() % 10 || pthread_create(&holder, NULL, hold, (void *)&taken))
		return;
	while (!taken)
		sched_yield();
	pthread_mutex_lock(&table_lock);
	pthread_mutex_unlock(&table_lock);
	pthread_join(holder, NULL);
}
#endif

static void work(int number)
{
	uint64_t rounds = ROUNDS + next() % (ROUNDS / 20);
	uint64_t dice = next() % 200;
	int is_special = number == SPECIAL;

#ifdef SLEEPY
	const struct timespec pause = {.tv_nsec = 100000};

	nanosleep(&pause, NULL);
	return;
#endif
#ifdef LOCKED
	if (is_special)
		wait_for_holder();
#endif
	if (dice < 6)
		rounds *= 4;
#ifdef RARE_TAIL
	if (dice < 3 && is_special)
		rounds = rounds * 10 / 4;
#endif
	if (is_special)
		rounds += rounds * (dice < 6 ? slower_p99 : slower_p50) / 100;
	compute(rounds);
}

#define SPAN(number)                            \
	static void f##number(int at)           \
	{                                       \
		PROBEKIT_SPAN(work, f##number); \
		work(at);                       \
	}
#define EACH(do)                                                                              \
	do                                                                                    \
	(00) do(01) do(02) do(03) do(04) do(05) do(06) do(07) do(08) do(09) do(10) do(11) do( \
		12) do(13) do(14) do(15) do(16) do(17) do(18) do(19)
EACH(SPAN)

#if defined(GONE) || defined(CAME)
static void only_here(void)
{
#ifdef GONE
	PROBEKIT_SPAN(work, gone);
#else
	PROBEKIT_SPAN(work, came);
#endif
	compute(ROUNDS);
}
#endif

int main(int argc, char **argv)
{
#define NAME(number) f##number,
	static void (*const spans[])(int) = {EACH(NAME)};
	struct timespec now;
	unsigned long calls = argc > 1 ? strtoul(argv[1], NULL, 10) : 500;

	clock_gettime(CLOCK_MONOTONIC, &now); /* each run's calls differ from those of the others */
	state = (uint64_t)now.tv_nsec;
	pthread_mutex_lock(&table_lock); /* used in every build */
	pthread_mutex_unlock(&table_lock);
	for (unsigned long i = 0; i < calls; i++)
		for (int j = 0; j < 20; j++)
			spans[j](j);
#if defined(GONE) || defined(CAME)
	only_here();
#endif
#ifdef FAILS
	puts("this build fails");
	return 7;
#endif
#ifdef HANGS
	for (;;)
		pause();
#endif
	return 0;
}
