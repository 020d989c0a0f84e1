/* SPDX-License-Identifier: BSD-2-Clause */
/* Spans between threads: mutexes with wait and hold, and asynchronous spans joined by id. */
#include <probekit/probe.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "program.h"

#define NOINLINE __attribute__((noinline))
#define THREADS 4
#define LOCKS 4

static pthread_mutex_t mutexes[LOCKS] = {
	PTHREAD_MUTEX_INITIALIZER,
	PTHREAD_MUTEX_INITIALIZER,
	PTHREAD_MUTEX_INITIALIZER,
	PTHREAD_MUTEX_INITIALIZER,
};

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

static void lock(pthread_mutex_t *mutex)
{
	if (PROBEKIT_MUTEX_LOCK(locks, guard, mutex))
		abort();
}

static void unlock(pthread_mutex_t *mutex)
{
	if (PROBEKIT_MUTEX_UNLOCK(locks, guard, mutex))
		abort();
}

/* ---- mutexes ---- */

/* Every thread takes every lock, one at a time, `count` times. */
static void *run_contended(void *arg)
{
	const struct worker *worker = arg;

	for (unsigned long i = 0; i < worker->count; i++) {
		pthread_mutex_t *mutex = &mutexes[(i + worker->number) % LOCKS];

		lock(mutex);
		touch();
		unlock(mutex);
	}
	return NULL;
}

static void contended(unsigned long count)
{
	run_threads(run_contended, count);
}

/* One lock for all, held 2 ms each time: the last of four threads waits for three. */
static void *run_slow(void *arg)
{
	const struct worker *worker = arg;

	for (unsigned long i = 0; i < worker->count; i++) {
		lock(&mutexes[0]);
		pause_ms(2);
		unlock(&mutexes[0]);
	}
	return NULL;
}

static void slow(unsigned long count)
{
	run_threads(run_slow, count);
}

static atomic_long waiter;

static void *run_waiter(void *arg)
{
	atomic_store(&waiter, syscall(SYS_gettid));
	lock(&mutexes[0]);
	unlock(&mutexes[0]);
	return arg;
}

/* Blocked in the kernel, on a futex: /proc tells the number of the system call. */
static int is_blocked(long tid)
{
	char path[64];
	long number = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/syscall", tid);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%ld", &number) != 1)
		number = -1;
	if (file)
		fclose(file);
	return number == SYS_futex;
}

/* A thread waits 5 ms, and more, for a lock that another holds. */
static void waits(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		pthread_t thread;

		atomic_store(&waiter, 0);
		pthread_mutex_lock(&mutexes[0]);
		if (pthread_create(&thread, NULL, run_waiter, NULL))
			abort();
		while (!atomic_load(&waiter) || !is_blocked(atomic_load(&waiter)))
			pause_ms(1);
		pause_ms(5);
		pthread_mutex_unlock(&mutexes[0]);
		pthread_join(thread, NULL);
	}
}

/* Two locks of one name, released in the order they were taken: 5 ms each. */
static NOINLINE void cross(void)
{
	lock(&mutexes[0]);
	pause_ms(5);
	lock(&mutexes[1]);
	unlock(&mutexes[0]);
	pause_ms(5);
	unlock(&mutexes[1]);
}

static void crossed(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		cross();
}

/* Hand over hand: never without a lock. */
static void chained(unsigned long count)
{
	lock(&mutexes[0]);
	for (unsigned long i = 1; i < count; i++) {
		lock(&mutexes[i % LOCKS]);
		unlock(&mutexes[(i - 1) % LOCKS]);
	}
	unlock(&mutexes[(count - 1) % LOCKS]);
}

/* A lock that errors is waited for and never held. */
static void failing(unsigned long count)
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t mutex;

	if (pthread_mutexattr_init(&attributes) ||
	    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK) ||
	    pthread_mutex_init(&mutex, &attributes))
		abort();
	lock(&mutex);
	for (unsigned long i = 0; i < count; i++)
		if (PROBEKIT_MUTEX_LOCK(locks, guard, &mutex) != EDEADLK)
			abort();
	unlock(&mutex);
}

/* ---- asynchronous spans: begun on one thread, ended on another ---- */

static sem_t begun[THREADS];

static void begin(uintptr_t id)
{
	PROBEKIT_ASYNC_BEGIN(locks, request, id);
}

static void end(uintptr_t id)
{
	PROBEKIT_ASYNC_END(locks, request, id);
}

static uintptr_t id_of(unsigned long thread, unsigned long i)
{
	return (uintptr_t)thread << 32 | i;
}

/* Each thread begins its own and ends those of the one before it. */
static void *run_handover(void *arg)
{
	const struct worker *worker = arg;
	unsigned long before = (worker->number + THREADS - 1) % THREADS;

	for (unsigned long i = 0; i < worker->count; i++) {
		begin(id_of(worker->number, i));
		sem_post(&begun[worker->number]);
		while (sem_wait(&begun[before]))
			;
		end(id_of(before, i));
	}
	return NULL;
}

static void handover(unsigned long count)
{
	for (int i = 0; i < THREADS; i++)
		if (sem_init(&begun[i], 0, 0))
			abort();
	run_threads(run_handover, count);
}

/* Spans overlap and end in the order they began: 5 ms each, or with ids ignored, 0 and 10. */
static void overlapping(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		begin(1);
		pause_ms(5);
		begin(2);
		end(1);
		pause_ms(5);
		end(2);
	}
}

static void *run_begins(void *arg)
{
	const struct worker *worker = arg;

	for (unsigned long i = 0; i < worker->count; i++)
		begin(id_of(worker->number, i));
	return NULL;
}

/* Four threads begin and are gone; of each four spans one stays open. */
static void unended(unsigned long count)
{
	run_threads(run_begins, count);
	for (unsigned long thread = 1; thread < THREADS; thread++)
		for (unsigned long i = 0; i < count; i++)
			end(id_of(thread, i));
}

/* One that this very thread begins and leaves open. */
static void open_one(unsigned long count)
{
	tell("tid", syscall(SYS_gettid));
	tell("before", now_ns());
	begin(count);
	tell("after", now_ns());
}

/* Each id begins twice before it ends: the first begin is lost. */
static void reused(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		begin(i);
		begin(i);
		end(i);
	}
}

static void ended_twice(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		begin(i);
		end(i);
		end(i);
	}
}

static int is_traced(void)
{
	return PROBEKIT_ENABLED(locks, guard) || PROBEKIT_ENABLED(locks, request);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"contended", contended},
		{"slow", slow},
		{"waits", waits},
		{"crossed", crossed},
		{"chained", chained},
		{"failing", failing},
		{"handover", handover},
		{"overlapping", overlapping},
		{"unended", unended},
		{"open_one", open_one},
		{"reused", reused},
		{"ended_twice", ended_twice},
		{NULL, NULL},
	};

	return program_main(argc, argv, modes, is_traced);
}
