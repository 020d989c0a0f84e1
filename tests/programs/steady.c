/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program whose output is the same however often it is measured: steady ROUNDS PAUSE_US. Says "ready", then, a
 * line a round, what two threads have computed in it, of spans, functions, locks and waits; "end ROUNDS" after so
 * many, or (0) once its input ends. A line stands on all lines before it: any wrong result shows in all that
 * follow.
 */
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

#include <probekit/probe.h>

#include "program.h"

#define STEPS 8 /* of each thread, in a round */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static uint64_t total; /* under the mutex; the order of what is added to it does not matter */

__attribute__((noinline)) static uint64_t steady_mix(uint64_t x)
{
	PROBEKIT_SPAN_KEY(steady, mix, x & 3);

	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	return x * 0x94d049bb133111ebu;
}

__attribute__((noinline)) static uint64_t steady_step(uint64_t x)
{
	PROBEKIT_SPAN_BEGIN(steady, step);
	x = steady_mix(x) + steady_mix(x + 1);
	PROBEKIT_VALUE(steady, low, x & 1023);
	PROBEKIT_SPAN_END(steady, step);
	return x;
}

static void add(uint64_t x)
{
	PROBEKIT_MUTEX_LOCK(steady, total, &mutex);
	total += x;
	PROBEKIT_MUTEX_UNLOCK(steady, total, &mutex);
}

static void compute(uint64_t start)
{
	PROBEKIT_SPAN(steady, round);

	for (uint64_t i = 0; i < STEPS; i++)
		add(steady_step(start + i));
}

/* Its start is the total of the round before. */
static uint64_t start;

static void *help(void *arg)
{
	for (;;) {
		pthread_barrier_wait(&barrier);
		compute(start + 0x5bd1e995);
		pthread_barrier_wait(&barrier);
	}
	return arg;
}

static int is_input_over(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	char byte;

	return poll(&in, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	long pause_us = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	const struct timespec pause = {.tv_nsec = pause_us * 1000};
	unsigned long round = 0;
	pthread_t helper;

	if (pthread_barrier_init(&barrier, NULL, 2) || pthread_create(&helper, NULL, help, NULL))
		return 1;
	printf("ready\n");
	fflush(stdout);
	while (rounds ? round < rounds : !is_input_over()) {
		pthread_barrier_wait(&barrier);
		compute(start);
		pthread_barrier_wait(&barrier);
		start = total;
		printf("%016llx\n", (unsigned long long)start);
		fflush(stdout);
		round++;
		if (pause_us)
			nanosleep(&pause, NULL);
	}
	printf("end %lu\n", round);
	return 0;
}
