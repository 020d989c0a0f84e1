// SPDX-License-Identifier: BSD-2-Clause
/*
 * The matrix program: every macro in every way a span can be left, compiled as C and as C++ and
 * checked by tracing itself. matrix.sh compiles it in many combinations and checks its notes from
 * outside.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* the mutex types, under -std=c11 */
#endif

#include "matrix.h"
#include "trace.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum fruit { APPLE, PEAR };

static int global_count = 7;
static int evaluations;
static int wrong_results;

static int by_return(int x)
{
	PROBEKIT_SPAN(matrix, by_return);

	if (x)
		return sink(x);
	return 2;
}

static int by_goto(int x)
{
	int result = 1;

	{
		PROBEKIT_SPAN(matrix, by_goto);

		if (x)
			goto out;
		result = sink(x);
	}
out:
	return result;
}

static void run_returns(void)
{
	by_return(0);
	by_return(1);
	by_goto(1);
	by_goto(0);
	second_same_span(1);
}

static void run_loop(void)
{
	for (int i = 0; i < 9; i++) {
		PROBEKIT_SPAN_KEY(matrix, loop, i);

		if (i == 0)
			continue;
		if (sink(i) == 2)
			break;
	}
}

static int recurse(int depth)
{
	PROBEKIT_SPAN(matrix, recurse);

	return depth ? recurse(depth - 1) + sink(1) : 0;
}

static void run_recursion(void)
{
	wrong_results += recurse(2) != 2;
}

/* Own frames, which a compiler may set up late or leave early. */
#define OWN_FRAME static __attribute__((noinline))

OWN_FRAME void store(int *p)
{
	PROBEKIT_SPAN(matrix, store);
	*p = 1;
}

OWN_FRAME void count_down(volatile int *p)
{
	PROBEKIT_SPAN(matrix, count_down);
	while (*p)
		*p = *p - 1;
}

OWN_FRAME void tail_call(int x)
{
	PROBEKIT_SPAN(matrix, tail_call);
	sink(x);
}

OWN_FRAME int early_exit(const int *p, int x)
{
	PROBEKIT_SPAN(matrix, early_exit);
	char room[400];

	if (!p)
		return 0;
	memset(room, x, sizeof(room));
	return sink(room[*p]) + sink(room[x]);
}

OWN_FRAME int grow(size_t size)
{
	PROBEKIT_SPAN(matrix, by_alloca);
	void *room = __builtin_alloca(size);

	memset(room, 5, size);
	return memchr(room, 5, size) == room ? sink(5) : 0;
}

static void run_frames(void)
{
	int one = 0, three = 3;

	store(&one);
	count_down(&three);
	tail_call(one);
	wrong_results +=
		early_exit(&one, 3) != 6 || early_exit(NULL, 3) != 0 || one != 1 || three != 0;
	wrong_results += grow(sizeof(int) * 25) != 5;
}

static void run_shared(void)
{
	wrong_results += inline_shared(1) + second_shared(2) != 5;
}

static void run_pairs(void)
{
	PROBEKIT_SPAN_BEGIN(matrix, explicit_pair);
	second_stop();
	PROBEKIT_ASYNC_BEGIN(matrix, job, &global_count);
	PROBEKIT_ASYNC_END(matrix, job, &global_count);
	PROBEKIT_ASYNC_BEGIN(matrix, job, 0xfffffffffULL);
	PROBEKIT_VALUE(matrix, depth, global_count);
	PROBEKIT_VALUE(matrix, depth, -1);
}

static int evaluate(int x)
{
	evaluations++;
	return x;
}

static void run_events(void)
{
	char c = 'c', text[4] = "abc";
	const short s = -2;
	unsigned int u = 3;
	double d = 1.5;
	float f = 2.5F;
	bool b = true;
	enum fruit fruit = PEAR;
	signed char sc = -1;
	unsigned long long big = 0x123456789abcULL;

	PROBEKIT_EVENT(matrix, event_0);
	PROBEKIT_EVENT(matrix, event_1, evaluate(1));
	PROBEKIT_EVENT(matrix, event_2, 0.5, "text");
	PROBEKIT_EVENT(matrix, event_3, global_count, &global_count, text);
	PROBEKIT_EVENT(matrix, event_11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
	PROBEKIT_EVENT(matrix, event_12, c, s, u, d, f, b, text, fruit, sc, big, &big, sink(1));
	if (PROBEKIT_ENABLED(matrix, event_0))
		PROBEKIT_EVENT(matrix, event_enabled);
	wrong_results += PROBEKIT_ENABLED(matrix, nobody_probes_this) != 0;
}

static void run_mutex(void)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_t checked, *next = &checked;
	pthread_mutexattr_t attr;

	wrong_results += PROBEKIT_MUTEX_LOCK(matrix, lock, &mutex) != 0;
	wrong_results += PROBEKIT_MUTEX_UNLOCK(matrix, lock, &mutex) != 0;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&checked, &attr);
	wrong_results += PROBEKIT_MUTEX_LOCK(matrix, lock, next++) != 0 || next != &checked + 1;
	wrong_results += PROBEKIT_MUTEX_LOCK(matrix, lock, &checked) != EDEADLK;
	wrong_results += PROBEKIT_MUTEX_UNLOCK(matrix, lock, &checked) != 0;
	wrong_results += PROBEKIT_MUTEX_UNLOCK(matrix, lock, &checked) != EPERM;
}

#ifdef PROBEKIT_DISABLE

int check(const char *what, void (*run)(void), const char *names)
{
	(void)what;
	(void)names;
	run();
	return evaluations != 0;
}

#else

#if PROBEKIT_PRIV_EOWNERDEAD != EOWNERDEAD
#error "the header's copy of EOWNERDEAD differs"
#endif

int check(const char *what, void (*run)(void), const char *names)
{
	int failures = 0;

	run();
	if (trace_stray_hits() || evaluations) {
		printf("%s: untraced, but ran a site or an argument\n", what);
		failures++;
	}
	trace_start();
	run();
	trace_stop();
	evaluations = 0;
	if (strcmp(trace_names(), names) != 0) {
		printf("%s: expected\n  %s\nsaw\n  %s\n", what, names, trace_names());
		failures++;
	}
	if (trace_sp_faults()) {
		printf("%s: %d ends off their begin's stack pointer\n", what, trace_sp_faults());
		failures++;
	}
	return failures;
}

#endif

int main(void)
{
	int failures = 0;

#ifndef PROBEKIT_DISABLE
	trace_init();
#endif
#define TWICE(x) x " " x
#define SPAN(name) name "__begin " name "__end"
	failures +=
		check("returns", run_returns,
		      TWICE(SPAN("by_return")) " " TWICE(SPAN("by_goto")) " " SPAN("by_return"));
	failures += check("loop", run_loop, SPAN("loop") " " TWICE(SPAN("loop")));
	failures += check("recursion", run_recursion,
			  "recurse__begin recurse__begin recurse__begin "
			  "recurse__end recurse__end recurse__end");
	failures += check("frames", run_frames,
			  SPAN("store") " " SPAN("count_down") " " SPAN("tail_call") " " TWICE(
				  SPAN("early_exit")) " " SPAN("by_alloca"));
	failures += check("shared", run_shared, TWICE(SPAN("shared")));
	failures += check("pairs", run_pairs,
			  "explicit_pair__start explicit_pair__stop "
			  "job__async_begin job__async_end job__async_begin "
			  "depth__value depth__value");
	failures += check("events", run_events,
			  "event_0 event_1 event_2 event_3 event_11 event_12 event_enabled");
	failures += check("mutex", run_mutex,
			  "lock__wait_begin lock__acquired lock__released "
			  "lock__wait_begin lock__acquired lock__wait_begin lock__released "
			  "lock__released");
#ifdef __cplusplus
	failures += check_cxx();
#endif
	if (wrong_results)
		printf("%d wrong results\n", wrong_results);
	return failures || wrong_results;
}
