/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that a tracer's memory may grow with: a thousand spans (memory:p000 to p999), threads
 * that are in a span (memory:held), keys (memory:keyed). For each line "WHAT N" on standard input
 * it does N of that, and prints N once it has: `spans` and `keys` run; `threads` enter their span
 * and stay until "release 0".
 */
#include <probekit/probe.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#define MAX_THREADS 1000
#define STACK_BYTES 65536

#define SPAN(number)                               \
	static void run_##number(void)             \
	{                                          \
		PROBEKIT_SPAN(memory, p##number);  \
		__asm__ volatile("" ::: "memory"); \
	}
/* clang-format off */
#define NAME(number) run_##number,
#define TEN(of, digits)                                                         \
	of(digits##0) of(digits##1) of(digits##2) of(digits##3) of(digits##4)   \
	of(digits##5) of(digits##6) of(digits##7) of(digits##8) of(digits##9)
#define HUNDRED(of, digit)                                                      \
	TEN(of, digit##0) TEN(of, digit##1) TEN(of, digit##2) TEN(of, digit##3) \
	TEN(of, digit##4) TEN(of, digit##5) TEN(of, digit##6) TEN(of, digit##7) \
	TEN(of, digit##8) TEN(of, digit##9)
#define THOUSAND(of)                                                            \
	HUNDRED(of, 0) HUNDRED(of, 1) HUNDRED(of, 2) HUNDRED(of, 3)             \
	HUNDRED(of, 4) HUNDRED(of, 5) HUNDRED(of, 6) HUNDRED(of, 7)             \
	HUNDRED(of, 8) HUNDRED(of, 9)

THOUSAND(SPAN)
/* clang-format on */

static void (*const spans[])(void) = {THOUSAND(NAME)};

static sem_t entered;
static sem_t released;

static void *hold_span(void *arg)
{
	PROBEKIT_SPAN(memory, held);
	sem_post(&entered);
	sem_wait(&released);
	return arg;
}

static int start_threads(pthread_t threads[static MAX_THREADS], int count)
{
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	for (int i = 0; i < count; i++)
		if (pthread_create(&threads[i], &attributes, hold_span, NULL))
			return -1;
	for (int i = 0; i < count; i++)
		sem_wait(&entered);
	return 0;
}

static void end_threads(pthread_t threads[static MAX_THREADS], int count)
{
	for (int i = 0; i < count; i++)
		sem_post(&released);
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

static void run_keys(int count)
{
	for (int i = 0; i < count; i++) {
		PROBEKIT_SPAN_KEY(memory, keyed, i);
		__asm__ volatile("" ::: "memory");
	}
}

int main(void)
{
	static pthread_t threads[MAX_THREADS];
	int thread_count = 0;
	char what[16];
	int count;

	sem_init(&entered, 0, 0);
	sem_init(&released, 0, 0);
	while (scanf("%15s %d", what, &count) == 2) {
		if (count < 0 || count > MAX_THREADS)
			return 1;
		if (strcmp(what, "spans") == 0) {
			for (int i = 0; i < count; i++)
				spans[i]();
		} else if (strcmp(what, "keys") == 0) {
			run_keys(count);
		} else if (strcmp(what, "threads") == 0) {
			thread_count = count;
			if (start_threads(threads, count))
				return 1;
		} else {
			end_threads(threads, thread_count);
			thread_count = 0;
		}
		printf("%d\n", count);
		fflush(stdout);
	}
	return 0;
}
