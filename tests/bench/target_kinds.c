// SPDX-License-Identifier: BSD-2-Clause
/* Every kind of site in one loop. For each number N read from standard input, runs the loop N times
 * and prints the nanoseconds that it took. bench:empty is there for a program that does nothing. */
#include <inttypes.h>
#include <probekit/probe.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static __attribute__((noinline)) void scoped(void)
{
	PROBEKIT_SPAN(bench, span);
	__asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) void everything(long i)
{
	PROBEKIT_EVENT(bench, empty);
	scoped();
	PROBEKIT_SPAN_BEGIN(bench, pair);
	PROBEKIT_SPAN_END(bench, pair);
	PROBEKIT_ASYNC_BEGIN(bench, request, i);
	PROBEKIT_ASYNC_END(bench, request, i);
	PROBEKIT_VALUE(bench, depth, i & 1023);
	PROBEKIT_MUTEX_LOCK(bench, guard, &mutex);
	PROBEKIT_MUTEX_UNLOCK(bench, guard, &mutex);
}

int main(void)
{
	long count;

	while (scanf("%ld", &count) == 1) {
		uint64_t start = now_ns();

		for (long i = 0; i < count; i++)
			everything(i);
		printf("%" PRIu64 "\n", now_ns() - start);
		fflush(stdout);
	}
	return 0;
}
