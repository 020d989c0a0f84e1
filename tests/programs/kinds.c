/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys, values, events, spans across threads, and explicit pairs. */
#include <probekit/probe.h>

#include <limits.h>
#include <pthread.h>
#include <stdint.h>

#include "program.h"

#define NOINLINE __attribute__((noinline))
#define THREADS 4

struct worker {
	pthread_t thread;
	unsigned long number;
	unsigned long count;
};

static void run_threads(void *(*run)(void *), unsigned long count)
{
	struct worker workers[THREADS];

	for (unsigned long i = 0; i < THREADS; i++) {
		workers[i].number = i;
		workers[i].count = count;
		if (pthread_create(&workers[i].thread, NULL, run, &workers[i]))
			abort();
	}
	for (int i = 0; i < THREADS; i++)
		if (pthread_join(workers[i].thread, NULL))
			abort();
}

/* ---- keys ---- */

static NOINLINE void serve(long key)
{
	PROBEKIT_SPAN_KEY(kinds, keyed, key);
	touch();
}

/* Each thread: key k, 0 to 9, as often as k + 1 in 55. */
static void *run_keys(void *arg)
{
	const struct worker *worker = arg;

	for (unsigned long i = 0; i < worker->count; i++)
		for (long key = 0; key < 10; key++)
			for (long n = 0; n <= key; n++)
				serve(key);
	return NULL;
}

static void keys(unsigned long count)
{
	run_threads(run_keys, count);
}

/* 100 keys, 64 of which have a row: key k is served k + 1 times. */
static void many_keys(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		for (long key = 0; key < 100; key++)
			for (long n = 0; n <= key; n++)
				serve(key * 1000);
}

/* Threads race for rows with keys of their own and common ones. */
static void *run_racing_keys(void *arg)
{
	const struct worker *worker = arg;

	for (unsigned long i = 0; i < worker->count; i++)
		for (long key = 0; key < 16; key++) {
			serve(key);
			serve(1000 * (long)(worker->number + 1) + key);
		}
	return NULL;
}

static void racing_keys(unsigned long count)
{
	run_threads(run_racing_keys, count);
}

static void odd_keys(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		serve(-1);
		serve(0);
		serve(LONG_MAX);
		serve(LONG_MIN + 1);
		serve(LONG_MIN);
	}
}

/* ---- values ---- */

static NOINLINE void sample(int64_t value)
{
	PROBEKIT_VALUE(kinds, sampled, value);
}

static void *run_values(void *arg)
{
	const struct worker *worker = arg;

	for (unsigned long i = 0; i < worker->count; i++)
		sample((int64_t)(i * THREADS + worker->number) + 1);
	return NULL;
}

/* 1 to THREADS * count, each once. */
static void values(unsigned long count)
{
	run_threads(run_values, count);
}

static void odd_values(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		sample(0);
		sample(0);
		sample(-1);
		sample(-1000000007);
		sample(INT32_MAX);
		sample(7);
	}
}

static void extreme_values(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		sample(INT64_MAX);
		sample(INT64_MIN);
		sample(0);
	}
}

static void powers(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		for (int k = 0; k < 40; k++)
			sample(1ll << k);
}

/* Arguments of every width and sign; constants too. */
static NOINLINE void sample_types(unsigned char byte, signed char negative, unsigned short word,
				  int number, unsigned int large)
{
	PROBEKIT_VALUE(kinds, typed, byte);
	PROBEKIT_VALUE(kinds, typed, negative);
	PROBEKIT_VALUE(kinds, typed, word);
	PROBEKIT_VALUE(kinds, typed, number);
	PROBEKIT_VALUE(kinds, typed, large);
	PROBEKIT_VALUE(kinds, typed, 42);
}

static void types(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		sample_types(200, -100, 60000, -2000000000, 4000000000u);
}

/* ---- events as ends of a pair ---- */

static NOINLINE void transact(unsigned long i)
{
	PROBEKIT_EVENT(kinds, transaction__start, i, "text");
	touch();
	if (i % 4 == 0)
		PROBEKIT_EVENT(kinds, transaction__abort, i);
	else
		PROBEKIT_EVENT(kinds, transaction__commit);
}

static void events(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		transact(i);
}

/* ---- explicit pairs ---- */

static NOINLINE void open_pair(void)
{
	char room[64];

	PROBEKIT_SPAN_BEGIN(kinds, explicit);
	__asm__ volatile("" : : "r"(room) : "memory");
}

static NOINLINE void close_pair(void)
{
	PROBEKIT_SPAN_END(kinds, explicit);
}

static NOINLINE void close_deeper(void)
{
	char room[512];

	__asm__ volatile("" : : "r"(room) : "memory");
	close_pair();
	touch();
}

/* Begins in one function, ends in others, with a scoped span around and inside. */
static void *run_pairs(void *arg)
{
	const struct worker *worker = arg;

	for (unsigned long i = 0; i < worker->count; i++) {
		PROBEKIT_SPAN(kinds, around);
		open_pair();
		sample(1);
		serve(1);
		if (i & 1)
			close_pair();
		else
			close_deeper();
	}
	return NULL;
}

static void pairs(unsigned long count)
{
	run_threads(run_pairs, count);
}

/* Nested: an end closes the newest. The outer takes 10 ms or more, the inner none. */
static NOINLINE void nest_pairs(void)
{
	open_pair();
	pause_ms(5);
	PROBEKIT_SPAN_BEGIN(kinds, explicit);
	touch();
	close_pair();
	pause_ms(5);
	close_pair();
}

static void nested_pairs(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		nest_pairs();
}

/* Two pairs that overlap without end: at any moment at least one is open. */
static void overlapping_pairs(unsigned long count)
{
	PROBEKIT_SPAN_BEGIN(kinds, left);
	for (unsigned long i = 0; i < count; i++) {
		PROBEKIT_SPAN_BEGIN(kinds, right);
		PROBEKIT_SPAN_END(kinds, left);
		PROBEKIT_SPAN_BEGIN(kinds, left);
		PROBEKIT_SPAN_END(kinds, right);
	}
	PROBEKIT_SPAN_END(kinds, left);
}

static void only_begins(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		open_pair();
}

static void only_ends(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		close_pair();
}

/* ---- open when the measurement begins ---- */

static pthread_barrier_t opened;
static pthread_barrier_t closing;

static void *run_early(void *arg)
{
	const struct worker *worker = arg;

	PROBEKIT_SPAN(kinds, around);
	open_pair();
	pthread_barrier_wait(&opened);
	pthread_barrier_wait(&closing);
	close_pair();
	for (unsigned long i = 0; i < worker->count; i++) {
		open_pair();
		close_pair();
	}
	return NULL;
}

/* The first "go" leaves THREADS threads inside a pair and a span; the second lets them out, to open
 * and close `count` more pairs each. */
static void early(unsigned long count)
{
	static struct worker workers[THREADS];
	static int is_open;

	if (is_open) {
		pthread_barrier_wait(&closing);
		for (int i = 0; i < THREADS; i++)
			pthread_join(workers[i].thread, NULL);
		return;
	}
	is_open = 1;
	pthread_barrier_init(&opened, NULL, THREADS + 1);
	pthread_barrier_init(&closing, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++) {
		workers[i].count = count;
		if (pthread_create(&workers[i].thread, NULL, run_early, &workers[i]))
			abort();
	}
	pthread_barrier_wait(&opened);
}

static NOINLINE void descend(int depth)
{
	PROBEKIT_SPAN_BEGIN(kinds, explicit);
	if (depth > 1)
		descend(depth - 1);
	PROBEKIT_SPAN_END(kinds, explicit);
	touch();
}

static void deep_pairs(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		descend(40);
}

static int is_traced(void)
{
	return PROBEKIT_ENABLED(kinds, keyed) || PROBEKIT_ENABLED(kinds, sampled);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"keys", keys},
		{"many_keys", many_keys},
		{"racing_keys", racing_keys},
		{"odd_keys", odd_keys},
		{"values", values},
		{"odd_values", odd_values},
		{"extreme_values", extreme_values},
		{"powers", powers},
		{"types", types},
		{"events", events},
		{"pairs", pairs},
		{"nested_pairs", nested_pairs},
		{"overlapping_pairs", overlapping_pairs},
		{"only_begins", only_begins},
		{"only_ends", only_ends},
		{"early", early},
		{"deep_pairs", deep_pairs},
		{NULL, NULL},
	};

	return program_main(argc, argv, modes, is_traced);
}
