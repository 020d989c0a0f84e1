// SPDX-License-Identifier: BSD-2-Clause
/*
 * Runs a span inside a function every 20 microseconds, and remembers when: a tool that counted the
 * last C of N spans counted from number N - C + 1 on. Commands on standard input, each answered
 * with one number: "run" (starts; 0), "stop" (after 200 more; spans since "run"), "at N"
 * (CLOCK_MONOTONIC nanoseconds at which span N began, from 1).
 */
#include <inttypes.h>
#include <probekit/probe.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define INTERVAL_NS 20000
#define MORE_SPANS 200
#define MAX_SPANS (1l << 22) /* 84 s */

static uint64_t begun_ns[MAX_SPANS];
static long count;
static int is_stopping;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

__attribute__((noinline)) void probed_work(void);
void probed_work(void)
{
	PROBEKIT_SPAN(bench, work);
	__asm__ volatile("" ::: "memory");
}

static void *work(void *arg)
{
	uint64_t next = now_ns();
	int left = MORE_SPANS;

	while (count < MAX_SPANS && left > 0) {
		uint64_t now = now_ns();

		if (now < next)
			continue;
		left -= __atomic_load_n(&is_stopping, __ATOMIC_ACQUIRE);
		next = now + INTERVAL_NS;
		begun_ns[count++] = now;
		probed_work();
	}
	return arg;
}

int main(void)
{
	char command[16];
	pthread_t thread;

	while (scanf("%15s", command) == 1) {
		uint64_t answer = 0;
		long number;

		if (strcmp(command, "run") == 0) {
			count = 0;
			is_stopping = 0;
			if (pthread_create(&thread, NULL, work, NULL))
				return 1;
		} else if (strcmp(command, "stop") == 0) {
			__atomic_store_n(&is_stopping, 1, __ATOMIC_RELEASE);
			pthread_join(thread, NULL);
			answer = (uint64_t)count;
		} else if (strcmp(command, "at") == 0 && scanf("%ld", &number) == 1 && number > 0 &&
			   number <= count) {
			answer = begun_ns[number - 1];
		} else {
			return 1;
		}
		printf("%" PRIu64 "\n", answer);
		fflush(stdout);
	}
	return 0;
}
