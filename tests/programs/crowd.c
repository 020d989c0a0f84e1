/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * More than a machine likes: THREADS threads that together begin RATE spans a second, each of which
 * takes the one mutex. COUNT is how many seconds. How many spans there were is told.
 */
#include "truth.h"

#define THREADS 64
#define RATE 100000
#define TICK_NS 10000000ll
#define LONG_EVERY 256 /* one span of so many holds the mutex for long: the others block */
#define LONG_NS 50000

static pthread_mutex_t crowd_mutex = PTHREAD_MUTEX_INITIALIZER;
static long long began_ns;
static long long ends_ns;
static atomic_llong spans;

static NOINLINE void take_part(bool is_long)
{
	const struct timespec time = {.tv_nsec = LONG_NS};

	PROBEKIT_SPAN(crowd, span);
	pthread_mutex_lock(&crowd_mutex);
	if (is_long)
		nanosleep(&time, NULL);
	pthread_mutex_unlock(&crowd_mutex);
	touch();
}

/* Those that are due at the next tick; late ones are made up for, but not beyond the end. */
static void *take_parts(void *arg)
{
	long long own = 0;

	for (long long at = began_ns; at < ends_ns && now_ns() < ends_ns; at += TICK_NS) {
		const struct timespec tick = {at / 1000000000, at % 1000000000};
		long long due = (at - began_ns + TICK_NS) * RATE / THREADS / 1000000000;

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &tick, NULL);
		for (; own < due; own++)
			take_part(own % LONG_EVERY == 0);
	}
	atomic_fetch_add(&spans, own);
	return arg;
}

static void crowd(unsigned long count)
{
	pthread_t threads[THREADS];

	began_ns = now_ns();
	ends_ns = began_ns + (long long)count * 1000000000;
	for (int i = 0; i < THREADS; i++)
		check(pthread_create(&threads[i], NULL, take_parts, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		check(pthread_join(threads[i], NULL) == 0);
	tell("spans", spans);
	tell("took", now_ns() - began_ns);
}

static const struct mode modes[] = {
	{"run", crowd},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return program_main(argc, argv, modes, NULL);
}
