/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spans whose latency the program measures itself, with the clock that probekit uses.
 *	quantiles uniform|bimodal|heavy COUNT
 * Two threads with COUNT spans each take the time just inside the span and just outside of it.
 *Whatever happens, inside <= the span's latency <= outside, and so for every order statistic.
 *Prints, in ns, for both "inside" and "outside": PREFIX_0.5, _0.9, _0.99, _0.999 (the ceil(qn)-th
 *smallest), _min, _max, _sum; and "count N".
 */
#include <probekit/probe.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	THREADS = 2,
	SPIN_AT_MOST_NS = 200000, /* longer delays sleep */
};

struct worker {
	pthread_t thread;
	uint32_t random;
	uint64_t *inside_ns;
	uint64_t *outside_ns;
};

static unsigned long count;
static uint64_t (*next_delay)(uint32_t random);

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t uniform(uint32_t random)
{
	return 2000 + random % 98000;
}

static uint64_t bimodal(uint32_t random)
{
	return random % 100 < 97 ? 5000 + random % 512 : 1000000;
}

/* Pareto with index 1: half is below 4 us, a thousandth above 2 ms; cut at 20 ms. */
static uint64_t heavy(uint32_t random)
{
	uint64_t delay_ns = 2000 * (UINT64_C(1) << 32) / ((uint64_t)random + 1);

	return delay_ns < 20000000 ? delay_ns : 20000000;
}

static uint32_t xorshift(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void wait_ns(uint64_t delay_ns)
{
	uint64_t end_ns = now_ns() + delay_ns;

	if (delay_ns > SPIN_AT_MOST_NS)
		nanosleep(&(struct timespec){.tv_nsec = (long)delay_ns}, NULL);
	while (now_ns() < end_ns)
		continue;
}

static uint64_t delay(uint64_t delay_ns)
{
	PROBEKIT_SPAN(quantiles, delay);
	uint64_t start_ns = now_ns();

	wait_ns(delay_ns);
	return now_ns() - start_ns;
}

static void *work(void *data)
{
	struct worker *worker = data;

	for (unsigned long i = 0; i < count; i++) {
		uint64_t delay_ns = next_delay(xorshift(&worker->random));
		uint64_t start_ns = now_ns();

		worker->inside_ns[i] = delay(delay_ns);
		worker->outside_ns[i] = now_ns() - start_ns;
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print(const char *prefix, uint64_t *values, uint64_t n)
{
	static const unsigned int per_mille[] = {500, 900, 990, 999};
	static const char *const names[] = {"0.5", "0.9", "0.99", "0.999"};
	uint64_t sum = 0;

	qsort(values, n, sizeof(*values), compare);
	for (uint64_t i = 0; i < n; i++)
		sum += values[i];
	for (int i = 0; i < 4; i++)
		printf("%s_%s %" PRIu64 "\n", prefix, names[i],
		       values[(n * per_mille[i] + 999) / 1000 - 1]);
	printf("%s_min %" PRIu64 "\n", prefix, values[0]);
	printf("%s_max %" PRIu64 "\n", prefix, values[n - 1]);
	printf("%s_sum %" PRIu64 "\n", prefix, sum);
}

static int run(void)
{
	uint64_t *inside_ns = calloc(THREADS * count, sizeof(*inside_ns));
	uint64_t *outside_ns = calloc(THREADS * count, sizeof(*outside_ns));
	struct worker workers[THREADS];

	if (!inside_ns || !outside_ns)
		return 1;
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.random = 2463534242u + i,
			.inside_ns = inside_ns + i * count,
			.outside_ns = outside_ns + i * count,
		};
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 1;
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	printf("count %lu\n", THREADS * count);
	print("inside", inside_ns, THREADS * count);
	print("outside", outside_ns, THREADS * count);
	free(inside_ns);
	free(outside_ns);
	return 0;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";

	count = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	next_delay = strcmp(kind, "uniform") == 0   ? uniform
		     : strcmp(kind, "bimodal") == 0 ? bimodal
		     : strcmp(kind, "heavy") == 0   ? heavy
						    : NULL;
	if (!next_delay || !count) {
		fprintf(stderr, "usage: quantiles uniform|bimodal|heavy COUNT\n");
		return 2;
	}
	return run();
}
