/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions in many threads, and threads that end inside them. */
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#define COUNT_ATOMICALLY
#include "calls.h"

#define THREADS 8

COUNTER(leaf);
COUNTER(work);
COUNTER(leaves);
COUNTER(waits);
COUNTER(run_exit);
COUNTER(stuck);

static NOINLINE uint64_t leaf(uint64_t value)
{
	CALL(leaf);
	touch();
	DONE(leaf);
	return value * 3 + 1;
}

static NOINLINE uint64_t work(uint64_t value)
{
	uint64_t result;

	CALL(work);
	result = leaf(value) + leaf(value + 1);
	DONE(work);
	return result;
}

static void start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	if (pthread_create(thread, NULL, run, arg))
		abort();
}

static void join(pthread_t thread)
{
	if (pthread_join(thread, NULL))
		abort();
}

static void *run_hot(void *arg)
{
	const unsigned long *count = arg;

	for (unsigned long i = 0; i < *count; i++)
		note(work(i));
	return NULL;
}

static void hot(unsigned long count)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		start(&threads[i], run_hot, &count);
	for (int i = 0; i < THREADS; i++)
		join(threads[i]);
}

/* Hundreds of threads that call a few times and end, some at a time. */
static void short_threads(unsigned long count)
{
	unsigned long calls = 3;

	for (unsigned long i = 0; i < count; i++) {
		pthread_t threads[THREADS];

		for (int k = 0; k < THREADS; k++)
			start(&threads[k], run_hot, &calls);
		for (int k = 0; k < THREADS; k++)
			join(threads[k]);
	}
}

/* ---- ends inside ---- */

static void clean_up(void *arg)
{
	note(leaf((uintptr_t)arg));
}

static NOINLINE void leaves(uint64_t value)
{
	CALL(leaves);
	pthread_cleanup_push(clean_up, (void *)(uintptr_t)value);
	pthread_exit(NULL);
	pthread_cleanup_pop(0);
	DONE(leaves);
}

static NOINLINE void *run_exit(void *arg)
{
	const unsigned long *value = arg;

	CALL(run_exit);
	note(work(*value));
	leaves(*value);
	DONE(run_exit);
	return NULL;
}

static void thread_exits(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		pthread_t thread;

		start(&thread, run_exit, &i);
		join(thread);
	}
}

static sem_t is_inside;

static NOINLINE void waits(uint64_t value)
{
	CALL(waits);
	pthread_cleanup_push(clean_up, (void *)(uintptr_t)value);
	sem_post(&is_inside);
	for (;;)
		pause_ms(1000);
	pthread_cleanup_pop(0);
	DONE(waits);
}

static void *run_wait(void *arg)
{
	const unsigned long *value = arg;

	note(work(*value));
	waits(*value);
	return NULL;
}

static void cancels(unsigned long count)
{
	sem_init(&is_inside, 0, 0);
	for (unsigned long i = 0; i < count; i++) {
		pthread_t thread;

		start(&thread, run_wait, &i);
		while (sem_wait(&is_inside))
			;
		if (pthread_cancel(thread))
			abort();
		join(thread);
	}
}

static NOINLINE void stuck(void)
{
	CALL(stuck);
	sem_post(&is_inside);
	for (;;)
		pause_ms(1000);
}

static void *run_stuck(void *arg)
{
	stuck();
	return arg;
}

static void stay_inside(unsigned long count)
{
	pthread_t thread;

	sem_init(&is_inside, 0, 0);
	for (int i = 0; i < THREADS; i++)
		start(&thread, run_stuck, NULL);
	for (int i = 0; i < THREADS; i++)
		while (sem_wait(&is_inside))
			;
	for (unsigned long i = 0; i < count; i++)
		note(work(i));
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"hot", hot},
		{"short_threads", short_threads},
		{"thread_exits", thread_exits},
		{"cancels", cancels},
		{"stay_inside", stay_inside},
		{NULL, NULL},
	};

	return calls_main(argc, argv, modes);
}
