/* SPDX-License-Identifier: BSD-2-Clause */
/* What the benchmarks measure: for each number N read from standard input, runs N empty spans and
 * prints the nanoseconds of CPU time that they took. */
#include <inttypes.h>
#include <probekit/probe.h>
#include <stdio.h>
#include <stdint.h>
#include <time.h>

/* CPU time, so that the other processes of a busy machine do not count. */
static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static __attribute__((noinline)) void spans(long count)
{
	for (long i = 0; i < count; i++) {
		PROBEKIT_SPAN(bench, span);
		__asm__ volatile("" ::: "memory");
	}
}

int main(void)
{
	long count;

	while (scanf("%ld", &count) == 1) {
		uint64_t start = now_ns();

		spans(count);
		printf("%" PRIu64 "\n", now_ns() - start);
		fflush(stdout);
	}
	return 0;
}
