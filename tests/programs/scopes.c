/* SPDX-License-Identifier: BSD-2-Clause */
/* Scoped spans, and every way in C to leave one. */
#include <probekit/probe.h>

#include <alloca.h>
#include <pthread.h>
#include <setjmp.h>

#include "program.h"

#define NOINLINE __attribute__((noinline))
#define RECURSION 8

/* ---- nesting and recursion ---- */

static NOINLINE void inner(void)
{
	PROBEKIT_SPAN(scopes, inner);
	touch();
}

static NOINLINE void outer(void)
{
	PROBEKIT_SPAN(scopes, outer);
	for (int i = 0; i < 3; i++)
		inner();
}

static void nested(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		outer();
}

static NOINLINE int recurse(int depth)
{
	PROBEKIT_SPAN(scopes, recursive);

	touch();
	return depth > 1 ? recurse(depth - 1) + 1 : 1;
}

static void recursion(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		if (recurse(RECURSION) != RECURSION)
			abort();
}

/* The same span twice at one stack pointer, as inlined recursion has it. */
static NOINLINE void twice(void)
{
	PROBEKIT_SPAN(scopes, twice);
	pause_ms(5);
	{
		PROBEKIT_SPAN(scopes, twice);
		touch();
	}
	pause_ms(5);
}

static void inlined(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		twice();
}

/* ---- ways to leave ---- */

static NOINLINE int leave_early(unsigned long i)
{
	PROBEKIT_SPAN(scopes, early);

	touch();
	if (i % 3 == 0)
		return 1;
	touch();
	if (i % 3 == 1)
		return 2;
	return 3;
}

static void early_return(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		leave_early(i);
}

static NOINLINE void jump(unsigned long i)
{
	{
		PROBEKIT_SPAN(scopes, forward);
		touch();
		if (i & 1)
			goto out;
		touch();
	}
	touch();
out:
	touch();
}

static NOINLINE void jump_back(unsigned long count)
{
	unsigned long i = 0;

again : {
	PROBEKIT_SPAN(scopes, back);
	touch();
	if (++i < count)
		goto again;
}
}

static void gotos(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		jump(i);
	jump_back(count);
}

static void breaks(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		for (;;) {
			PROBEKIT_SPAN(scopes, broken);
			touch();
			break;
		}
		for (int k = 0; k < 2; k++) {
			PROBEKIT_SPAN(scopes, continued);
			if (k == 0)
				continue;
			touch();
		}
		switch (i & 1) {
		case 0: {
			PROBEKIT_SPAN(scopes, switched);
			break;
		}
		default: {
			PROBEKIT_SPAN(scopes, switched);
			touch();
		}
		}
	}
}

static NOINLINE void pair_in_loop(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		PROBEKIT_SPAN(scopes, first);
		PROBEKIT_SPAN(scopes, second);
		touch();
	}
}

/* ---- a stack pointer that moves inside a span ---- */

static NOINLINE void grow(unsigned long size)
{
	PROBEKIT_SPAN(scopes, grown);
	volatile char *low = (volatile char *)alloca(size);

	low[0] = 1;
	for (int i = 0; i < 4; i++) {
		PROBEKIT_SPAN(scopes, lower);
		volatile char *lowest = (volatile char *)alloca(size + 16);

		lowest[0] = low[0];
		inner();
	}
	{
		char array[size];
		PROBEKIT_SPAN(scopes, array);

		memset(array, 1, size);
		touch();
	}
}

static void allocas(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		grow(16 + i % 4000);
}

/* ---- longjmp ---- */

static jmp_buf target;

static NOINLINE void jump_out(void)
{
	PROBEKIT_SPAN(scopes, jumped_inner);
	touch();
	longjmp(target, 1);
}

static NOINLINE void jump_through(void)
{
	PROBEKIT_SPAN(scopes, jumped_outer);
	touch();
	jump_out();
	touch();
}

static NOINLINE void land(void)
{
	PROBEKIT_SPAN(scopes, landed);
	if (setjmp(target) == 0)
		jump_through();
	inner();
}

static void longjmps(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		land();
}

/* ---- deeper than is recorded ---- */

static NOINLINE void descend(int depth)
{
	PROBEKIT_SPAN(scopes, deep);

	if (depth > 1)
		descend(depth - 1);
	touch();
}

static NOINLINE void hold(void)
{
	PROBEKIT_SPAN(scopes, top);
	descend(39);
	pause_ms(2);
}

/* 40 levels; only the outermost takes long. */
static void depth(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		hold();
}

static NOINLINE void fill(int depth, unsigned long spans)
{
	PROBEKIT_SPAN(scopes, filler);

	if (depth > 1)
		fill(depth - 1, spans);
	else
		for (unsigned long i = 0; i < spans; i++)
			inner();
	touch();
}

/* Spans in a loop at the limit: all of them too deep, again and again; then some that are not. */
static void brim(unsigned long count)
{
	fill(32, count);
	fill(31, count);
}

static NOINLINE void deep_jump(int depth)
{
	PROBEKIT_SPAN(scopes, deep_jump);

	if (depth == 1)
		longjmp(target, 1);
	if (depth > 1)
		deep_jump(depth - 1);
	touch();
}

static NOINLINE void land_from_deep(void)
{
	if (setjmp(target) == 0)
		deep_jump(40);
	inner();
}

/* longjmp out of what was too deep. */
static void depth_jumps(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		PROBEKIT_SPAN(scopes, landed);
		land_from_deep();
	}
}

/* ---- threads that end ---- */

static NOINLINE void leave_thread(void)
{
	PROBEKIT_SPAN(scopes, unfinished);
	touch();
	pthread_exit(NULL);
}

static void *work_and_leave(void *arg)
{
	PROBEKIT_SPAN(scopes, unfinished);
	inner();
	leave_thread();
	return arg;
}

static void thread_exits(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, work_and_leave, NULL) ||
		    pthread_join(thread, NULL))
			abort();
	}
}

static NOINLINE void exit_inside(unsigned long count)
{
	PROBEKIT_SPAN(scopes, unfinished);
	nested(count);
	exit(0);
}

static int is_traced(void)
{
	return (int)PROBEKIT_ENABLED(scopes, outer);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"nested", nested},
		{"recursion", recursion},
		{"inlined", inlined},
		{"early_return", early_return},
		{"gotos", gotos},
		{"breaks", breaks},
		{"pair_in_loop", pair_in_loop},
		{"allocas", allocas},
		{"longjmps", longjmps},
		{"depth", depth},
		{"brim", brim},
		{"depth_jumps", depth_jumps},
		{"thread_exits", thread_exits},
		{"exit_inside", exit_inside},
		{NULL, NULL},
	};

	return program_main(argc, argv, modes, is_traced);
}
