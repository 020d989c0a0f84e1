/* SPDX-License-Identifier: BSD-2-Clause */
/* Holds of locks whose number and length the program knows: `lock_holds MODE COUNT`. */
#include "program.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define THREADS 2
#define HOLD_MS 2

pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t nested = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
pthread_mutex_t tried = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t timed = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t signalled = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t is_given = PTHREAD_COND_INITIALIZER;
pthread_rwlock_t shelf = PTHREAD_RWLOCK_INITIALIZER;
pthread_mutex_t *seen_twice[THREADS]; /* one that processes may share, at two addresses */

enum lock { PLAIN, NESTED, TRIED, TIMED, SIGNALLED, WRITTEN, READ, SHARED, LOCKS };

static const char *const names[LOCKS] = {"plain",     "nested",	 "tried", "timed",
					 "signalled", "written", "read",  "shared"};

static struct {
	long long count;
	long long ns;
} told[LOCKS];

static unsigned long rounds;
static pthread_barrier_t meeting;

static void check(bool is_good)
{
	if (!is_good)
		abort();
}

/* Of a hold by this thread, once it is over. */
static void note(enum lock lock, long long ns)
{
	__atomic_add_fetch(&told[lock].count, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&told[lock].ns, ns, __ATOMIC_RELAXED);
}

static long long linger(void)
{
	long long begin = now_ns();

	pause_ms(HOLD_MS);
	return now_ns() - begin;
}

static void hold(enum lock lock, pthread_mutex_t *mutex)
{
	long long ns;

	check(pthread_mutex_lock(mutex) == 0);
	ns = linger();
	check(pthread_mutex_unlock(mutex) == 0);
	note(lock, ns);
}

static void hold_nested(void)
{
	long long ns;

	check(pthread_mutex_lock(&nested) == 0);
	ns = linger();
	check(pthread_mutex_lock(&nested) == 0 && pthread_mutex_trylock(&nested) == 0);
	ns += linger();
	check(pthread_mutex_unlock(&nested) == 0 && pthread_mutex_unlock(&nested) == 0);
	ns += linger();
	check(pthread_mutex_unlock(&nested) == 0);
	note(NESTED, ns);
}

/* One tries until it has it, and the other waits. */
static void hold_tried(bool waits)
{
	long long ns;

	if (waits) {
		hold(TRIED, &tried);
		return;
	}
	while (pthread_mutex_trylock(&tried))
		pause_ms(1);
	ns = linger();
	check(pthread_mutex_unlock(&tried) == 0);
	note(TRIED, ns);
}

static struct timespec in_ms(long ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += ms * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return until;
}

static void hold_timed(void)
{
	struct timespec until = in_ms(1);
	long long ns;

	while (pthread_mutex_timedlock(&timed, &until))
		until = in_ms(1);
	ns = linger();
	check(pthread_mutex_unlock(&timed) == 0);
	note(TIMED, ns);
}

/* The wait for the signal parts two holds. */
static void hold_signalled(void)
{
	struct timespec until;
	long long ns;

	check(pthread_mutex_lock(&signalled) == 0);
	ns = linger();
	until = in_ms(3);
	note(SIGNALLED, ns);
	(void)pthread_cond_timedwait(&is_given, &signalled, &until);
	ns = linger();
	check(pthread_mutex_unlock(&signalled) == 0);
	note(SIGNALLED, ns);
}

static void hold_shelf(bool writes)
{
	long long ns;

	check((writes ? pthread_rwlock_wrlock(&shelf) : pthread_rwlock_rdlock(&shelf)) == 0);
	ns = linger();
	check(pthread_rwlock_unlock(&shelf) == 0);
	note(writes ? WRITTEN : READ, ns);
}

/* Both come to each lock at once. */
static void meet(void)
{
	int result = pthread_barrier_wait(&meeting);

	check(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
}

static void *run_thread(void *arg)
{
	int number = (int)(intptr_t)arg;

	for (unsigned long i = 0; i < rounds; i++) {
		meet();
		hold(PLAIN, &plain);
		meet();
		hold_nested();
		meet();
		hold_tried(number == 0);
		meet();
		hold_timed();
		meet();
		hold_signalled();
		meet();
		hold_shelf(number == 0);
		meet();
		hold(SHARED, seen_twice[number]);
	}
	return NULL;
}

static void map_shared(void)
{
	int fd = memfd_create("lock", 0);
	pthread_mutexattr_t attributes;

	check(fd >= 0 && ftruncate(fd, getpagesize()) == 0);
	for (int i = 0; i < THREADS; i++) {
		seen_twice[i] = mmap(NULL, (size_t)getpagesize(), PROT_READ | PROT_WRITE,
				     MAP_SHARED, fd, 0);
		check(seen_twice[i] != MAP_FAILED);
	}
	check(pthread_mutexattr_init(&attributes) == 0 &&
	      pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
	      pthread_mutex_init(seen_twice[0], &attributes) == 0);
}

static void each_kind(unsigned long count)
{
	pthread_t threads[THREADS];
	char name[32];

	rounds = count;
	map_shared();
	check(pthread_barrier_init(&meeting, NULL, THREADS) == 0);
	for (intptr_t i = 0; i < THREADS; i++)
		check(pthread_create(&threads[i], NULL, run_thread, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++)
		check(pthread_join(threads[i], NULL) == 0);
	for (int i = 0; i < LOCKS; i++) {
		snprintf(name, sizeof(name), "%s-count", names[i]);
		tell(name, told[i].count);
		snprintf(name, sizeof(name), "%s-ns", names[i]);
		tell(name, told[i].ns);
	}
}

/* More often than anybody may measure, until it is ended. */
static void endless(unsigned long count)
{
	(void)count;
	for (;;) {
		pthread_mutex_lock(&plain);
		touch();
		pthread_mutex_unlock(&plain);
	}
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"each_kind", each_kind},
		{"endless", endless},
		{NULL, NULL},
	};

	/* What else runs had better not stand between a clock and the call beside it. */
	setpriority(PRIO_PROCESS, 0, -20);
	return program_main(argc, argv, modes, NULL);
}
