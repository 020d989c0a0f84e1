/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work whose result is known, under hard conditions. Each mode tells how many spans there were, and the sum of
 * what they computed, which no tracer may change.
 *	spans		so many, one after the other
 *	processes	the first "go" creates so many, the second lets them work, and waits for their ends
 *	threads		so many that live for one span each, some at once
 *	library		a library is closed, opened and called so often; it is open at first
 */
#include <probekit/probe.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "beside.h"
#include "program.h"

#define AT_ONCE 16
#define EACH 20 /* spans of a process */

static unsigned long done;
static uint64_t sum;

static __attribute__((noinline)) uint64_t work(uint64_t value)
{
	PROBEKIT_SPAN(toil, work);
	for (int i = 0; i < 8; i++)
		value = (value ^ value >> 29) * 0xbf58476d1ce4e5b9;
	return value;
}

static void tell_result(void)
{
	tell("spans", (long long)done);
	tell("sum", (long long)sum);
}

static void spans(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++, done++)
		sum += work(done);
	tell_result();
}

/* ---- processes ---- */

static int gate[2] = {-1, -1};
static int results[2];

static void live(uint64_t number)
{
	uint64_t own = 0;
	char byte;

	close(gate[1]);
	while (read(gate[0], &byte, 1) < 0 && errno == EINTR)
		;
	for (uint64_t i = 0; i < EACH; i++)
		own += work(number * EACH + i);
	_exit(write(results[1], &own, sizeof(own)) != sizeof(own));
}

static void create(unsigned long count)
{
	if (pipe(gate) || pipe(results))
		abort();
	for (unsigned long i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			abort();
		if (pid == 0)
			live(i);
	}
}

static void processes(unsigned long count)
{
	uint64_t own;
	int status;

	if (gate[0] < 0) {
		create(count);
		return;
	}
	close(gate[1]);
	for (unsigned long i = 0; i < count; i++, done += EACH) {
		if (read(results[0], &own, sizeof(own)) != sizeof(own))
			abort();
		sum += own;
	}
	while (wait(&status) > 0)
		if (status)
			abort();
	tell_result();
}

/* ---- threads ---- */

static void *live_briefly(void *arg)
{
	*(uint64_t *)arg = work(*(uint64_t *)arg);
	return NULL;
}

static void threads(unsigned long count)
{
	pthread_t ids[AT_ONCE];
	uint64_t values[AT_ONCE];
	long long begin_ns = now_ns();

	for (unsigned long i = 0; i < count + AT_ONCE; i++) {
		unsigned long at = i % AT_ONCE;

		if (i >= AT_ONCE && i - AT_ONCE < count) {
			pthread_join(ids[at], NULL);
			sum += values[at];
			done++;
		}
		values[at] = i;
		if (i < count && pthread_create(&ids[at], NULL, live_briefly, &values[at]))
			abort();
	}
	tell_result();
	fprintf(stderr, "%.0f threads a second\n",
		(double)count * 1e9 / (double)(now_ns() - begin_ns));
}

/* ---- a library ---- */

#define LIBRARY "plugin_spans.so"

static void *library;

static void reopen_library(unsigned long count)
{
	void (*run)(unsigned long);

	for (unsigned long i = 0; i < count; i++, done++) {
		if (dlclose(library))
			abort();
		library = open_beside(LIBRARY);
		*(void **)&run = dlsym(library, "plugin_run");
		run(1);
		sum += work(done);
	}
	tell_result();
}

static int is_traced(void)
{
	return (int)PROBEKIT_ENABLED(toil, work);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"spans", spans},     {"processes", processes},
		{"threads", threads}, {"library", reopen_library},
		{NULL, NULL},
	};

	if (argc > 1 && strcmp(argv[1], "library") == 0)
		library = open_beside(LIBRARY);
	return program_main(argc, argv, modes, is_traced);
}
