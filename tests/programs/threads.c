/* SPDX-License-Identifier: BSD-2-Clause */
/* Many threads at once: hot spans, spans that are open at any moment, spans that stay open. */
#include <probekit/probe.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

#define NOINLINE __attribute__((noinline))
#define THREADS 8

struct worker {
	pthread_t thread;
	int number;
	unsigned long count;
	long tid;
	long long before_ns;
	long long after_ns;
};

static struct worker workers[THREADS];

static void start_workers(int threads, void *(*run)(void *), unsigned long count)
{
	for (int i = 0; i < threads; i++) {
		workers[i].number = i;
		workers[i].count = count;
		if (pthread_create(&workers[i].thread, NULL, run, &workers[i]))
			abort();
	}
}

static void join_workers(int threads)
{
	for (int i = 0; i < threads; i++)
		if (pthread_join(workers[i].thread, NULL))
			abort();
}

/* ---- hot ---- */

static void *run_hot(void *arg)
{
	const struct worker *worker = arg;

	for (unsigned long i = 0; i < worker->count; i++) {
		PROBEKIT_SPAN(threads, hot);
		touch();
	}
	return NULL;
}

static void hot(unsigned long count)
{
	start_workers(THREADS, run_hot, count);
	join_workers(THREADS);
}

/* ---- processes that begin with many threads at once ---- */

#define CROWD_SPANS 20

static void crowds(unsigned long count)
{
	while (count--) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			hot(CROWD_SPANS);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			abort();
	}
}

/* ---- at work whenever one looks ---- */

static atomic_bool is_over;

static NOINLINE void leaf(int ms)
{
	PROBEKIT_SPAN(threads, leaf);
	if (ms)
		pause_ms((unsigned int)ms);
}

static NOINLINE void descend(int depth, int ms)
{
	PROBEKIT_SPAN(threads, level);
	if (depth > 1)
		descend(depth - 1, ms);
	else
		leaf(ms);
	leaf(0);
}

static void *run_busy(void *arg)
{
	const struct worker *worker = arg;

	/* Half of them spend their time inside system calls, half on a CPU. */
	while (!atomic_load(&is_over)) {
		PROBEKIT_SPAN(threads, request);
		descend(3, worker->number % 2);
	}
	return NULL;
}

/* "go" starts the threads; they run until the program ends. */
static void busy(unsigned long count)
{
	start_workers(THREADS / 2, run_busy, count);
}

/* ---- open ---- */

static sem_t entered;
static sem_t never;

static NOINLINE void wait_inside(struct worker *worker)
{
	worker->before_ns = now_ns();
	PROBEKIT_SPAN(threads, stuck);
	worker->after_ns = now_ns();
	sem_post(&entered);
	while (sem_wait(&never))
		;
}

static void *run_stuck(void *arg)
{
	struct worker *worker = arg;
	char name[16];

	snprintf(name, sizeof(name), "stuck-%d", worker->number);
	pthread_setname_np(pthread_self(), name);
	worker->tid = syscall(SYS_gettid);
	leaf(0);
	PROBEKIT_SPAN_KEY(threads, keyed, worker->number);
	wait_inside(worker);
	return NULL;
}

/* The threads stay inside. */
static void stuck(unsigned long count)
{
	if (sem_init(&entered, 0, 0) || sem_init(&never, 0, 0) || count > THREADS)
		abort();
	start_workers((int)count, run_stuck, count);
	for (unsigned long i = 0; i < count; i++)
		while (sem_wait(&entered))
			;
	for (unsigned long i = 0; i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "tid-%lu", i);
		tell(name, workers[i].tid);
		snprintf(name, sizeof(name), "before-%lu", i);
		tell(name, workers[i].before_ns);
		snprintf(name, sizeof(name), "after-%lu", i);
		tell(name, workers[i].after_ns);
	}
}

/* ---- a child that was forked while traced ---- */

/* From here on the child obeys; the parent ends after it. */
static void fork_away(unsigned long count)
{
	pid_t pid;
	int status;

	run_hot(&(struct worker){.count = count});
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		abort();
	if (pid > 0)
		_exit(waitpid(pid, &status, 0) == pid ? 0 : 1);
	tell("child", getpid());
}

static int is_traced(void)
{
	return PROBEKIT_ENABLED(threads, hot) || PROBEKIT_ENABLED(threads, leaf);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"hot", hot},	  {"crowds", crowds},	    {"busy", busy},
		{"stuck", stuck}, {"fork_away", fork_away}, {NULL, NULL},
	};

	return program_main(argc, argv, modes, is_traced);
}
