/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests each of which is waited for at a lock of its own, until one lock of all is waited for: "requests" as
 * many as there were before that, which goes on until the end of input. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include <stdbool.h>

#include "program.h"

struct request {
	pthread_mutex_t mutex;
	pthread_cond_t is_done;
	bool has_answer;
};

pthread_mutex_t of_all = PTHREAD_MUTEX_INITIALIZER;

static sem_t asked;
static _Atomic(struct request *) asked_for;

static void *answer(void *arg)
{
	for (;;) {
		struct request *request;

		while (sem_wait(&asked))
			;
		request = atomic_exchange(&asked_for, NULL);
		if (!request)
			return arg;
		pthread_mutex_lock(&request->mutex);
		request->has_answer = true;
		pthread_cond_signal(&request->is_done);
		pthread_mutex_unlock(&request->mutex);
	}
}

/* None is freed: each has an address of its own. */
static void ask(void)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request || pthread_mutex_init(&request->mutex, NULL) ||
	    pthread_cond_init(&request->is_done, NULL))
		abort();
	pthread_mutex_lock(&request->mutex);
	atomic_store(&asked_for, request);
	sem_post(&asked);
	while (!request->has_answer)
		pthread_cond_wait(&request->is_done, &request->mutex);
	pthread_mutex_unlock(&request->mutex);
}

static void *contend(void *arg)
{
	for (;;) {
		pthread_mutex_lock(&of_all);
		pause_ms(2);
		pthread_mutex_unlock(&of_all);
		pause_ms(1);
	}
	return arg;
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
	pthread_t thread;

	tell("ready", 1);
	await_go();
	if (sem_init(&asked, 0, 0) || pthread_create(&thread, NULL, answer, NULL))
		return 1;
	for (unsigned long i = 0; i < count; i++)
		ask();
	sem_post(&asked);
	pthread_join(thread, NULL);
	tell("requests", (long long)count);
	for (int i = 0; i < 2; i++)
		if (pthread_create(&thread, NULL, contend, NULL))
			return 1;
	while (getchar() != EOF)
		;
	return 0;
}
