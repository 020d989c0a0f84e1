/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread that blocks for ever in what argument 1 names, at the end of a chain of calls: worker,
 * handle_request, append_line. It tells "ready TID" before. Argument 2 "direct": called without
 * handle_request. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHAIN __attribute__((noinline))
/* The caller is still needed after the call: no tail call. */
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_barrier_t barrier;
static pthread_t first;
static sem_t semaphore;

static void *wait_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void never_done(void)
{
	wait_for_ever(NULL);
}

static void *take_once(void *arg)
{
	(void)arg;
	pthread_once(&once, never_done);
	return NULL;
}

/* So that append_line() will block. */
static void prepare(const char *what)
{
	pthread_mutex_lock(&mutex);
	pthread_rwlock_wrlock(&rwlock);
	pthread_barrier_init(&barrier, NULL, 2);
	sem_init(&semaphore, 0, 0);
	pthread_create(&first, NULL, strcmp(what, "once") == 0 ? take_once : wait_for_ever, NULL);
	while (strcmp(what, "once") == 0 && !*(volatile pthread_once_t *)&once)
		usleep(100);
}

CHAIN static void append_line(const char *what)
{
	static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;

	printf("ready %d\n", gettid());
	fflush(stdout);
	if (strcmp(what, "mutex") == 0)
		pthread_mutex_lock(&mutex);
	else if (strcmp(what, "rdlock") == 0)
		pthread_rwlock_rdlock(&rwlock);
	else if (strcmp(what, "wrlock") == 0)
		pthread_rwlock_wrlock(&rwlock);
	else if (strcmp(what, "condvar") == 0)
		pthread_mutex_lock(&own), pthread_cond_wait(&condition, &own);
	else if (strcmp(what, "semaphore") == 0)
		sem_wait(&semaphore);
	else if (strcmp(what, "join") == 0)
		pthread_join(first, NULL);
	else if (strcmp(what, "barrier") == 0)
		pthread_barrier_wait(&barrier);
	else if (strcmp(what, "once") == 0)
		pthread_once(&once, never_done);
	KEEP_FRAME();
}

CHAIN static void handle_request(const char *what)
{
	append_line(what);
	KEEP_FRAME();
}

struct work {
	const char *what;
	int is_direct;
};

CHAIN static void *worker(void *arg)
{
	const struct work *work = arg;

	if (work->is_direct)
		append_line(work->what);
	else
		handle_request(work->what);
	KEEP_FRAME();
	return NULL;
}

int main(int argc, char **argv)
{
	struct work work = {argc > 1 ? argv[1] : "mutex", argc > 2};
	pthread_t thread;

	prepare(work.what);
	pthread_create(&thread, NULL, worker, &work);
	pthread_join(thread, NULL);
	return 0;
}
