// SPDX-License-Identifier: BSD-2-Clause
/*
 * A victim for attach/detach stress: threads run a leaf function that keeps its data in the red
 * zone, below the stack pointer, around probe sites, and compare each result with one computed
 * without sites.
 *	red_zone [ITERATIONS [THREADS]]
 * Runs until SIGTERM, or for ITERATIONS calls a thread (0: no limit). Prints "ready PID" once the
 * threads run, and in the end "OK CALLS" with status 0, or "WRONG N of CALLS" with status 1.
 * Probes: redzone:event (2 arguments), redzone:pair__start and __stop, redzone:scoped__begin and
 * __end.
 */
#include <probekit/probe.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WORDS 14 /* 112 of the 128 bytes */
#define MAX_THREADS 64

struct worker {
	pthread_t thread;
	unsigned long limit, calls, wrong;
};

static volatile sig_atomic_t is_over;

static void on_signal(int sig)
{
	(void)sig;
	is_over = 1;
}

/* volatile: each word is in memory, stored before the sites and loaded behind them. */
__attribute__((noinline)) unsigned long red_zone_leaf(unsigned long seed);
unsigned long red_zone_leaf(unsigned long seed)
{
	volatile unsigned long word[WORDS];
	unsigned long sum = 0;

	for (int i = 0; i < WORDS; i++)
		word[i] = seed * (unsigned long)(i + 3);
	PROBEKIT_SPAN_BEGIN(redzone, pair);
	PROBEKIT_EVENT(redzone, event, seed, word[0]);
	PROBEKIT_SPAN_END(redzone, pair);
	for (int i = 0; i < WORDS; i++)
		sum = sum * 31 + word[i];
	return sum;
}

static unsigned long expected(unsigned long seed)
{
	unsigned long sum = 0;

	for (int i = 0; i < WORDS; i++)
		sum = sum * 31 + seed * (unsigned long)(i + 3);
	return sum;
}

static unsigned long scoped(unsigned long seed)
{
	PROBEKIT_SPAN_KEY(redzone, scoped, seed & 3);
	return red_zone_leaf(seed);
}

static void *work(void *data)
{
	struct worker *worker = data;
	unsigned long calls = 0, wrong = 0;

	while (!is_over && (!worker->limit || calls < worker->limit)) {
		wrong += scoped(calls) != expected(calls);
		calls++;
	}
	worker->calls = calls;
	worker->wrong = wrong;
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long limit = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
	unsigned long threads = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	unsigned long calls = 0, wrong = 0;
	static struct worker workers[MAX_THREADS];

	if (!threads || threads > MAX_THREADS) {
		fprintf(stderr, "usage: red_zone [ITERATIONS [1 to %d THREADS]]\n", MAX_THREADS);
		return 2;
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	for (unsigned long i = 0; i < threads; i++) {
		workers[i].limit = limit;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i])) {
			fprintf(stderr, "red_zone: no thread\n");
			return 2;
		}
	}
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	for (unsigned long i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		calls += workers[i].calls;
		wrong += workers[i].wrong;
	}
	if (wrong) {
		printf("WRONG %lu of %lu\n", wrong, calls);
		return 1;
	}
	printf("OK %lu\n", calls);
	return 0;
}
