/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions on several stacks of one thread: coroutines. */
#include <ucontext.h>

#include "calls.h"
#include "calls_two_stacks.h"

COUNTER(schedule);
COUNTER(yields);
COUNTER(generates);
COUNTER(dropped);

/* ---- coroutines ---- */

static ucontext_t scheduler;
static ucontext_t coroutines[2];
static unsigned long rounds;

static NOINLINE uint64_t yields(int self, uint64_t value)
{
	CALL(yields);
	note(leaf(value));
	if (swapcontext(&coroutines[self], &scheduler))
		abort();
	DONE(yields);
	return leaf(value + 1);
}

static NOINLINE uint64_t generates(int self, uint64_t depth)
{
	uint64_t result;

	CALL(generates);
	result = yields(self, depth);
	if (depth)
		result += generates(self, depth - 1);
	result ^= yields(self, depth);
	DONE(generates);
	return result;
}

static void run_coroutine(int self)
{
	for (unsigned long i = 0; i < rounds; i++)
		note(generates(self, i % 4));
	for (;;)
		if (swapcontext(&coroutines[self], &scheduler))
			abort();
}

static NOINLINE void dropped(int self)
{
	CALL(dropped);
	note(leaf(9));
	if (swapcontext(&coroutines[self], &scheduler))
		abort();
	DONE(dropped);
}

static void make(int coroutine, void (*run)(int), void *stack)
{
	if (getcontext(&coroutines[coroutine]))
		abort();
	coroutines[coroutine].uc_stack.ss_sp = stack;
	coroutines[coroutine].uc_stack.ss_size = STACK_BYTES;
	coroutines[coroutine].uc_link = &scheduler;
	makecontext(&coroutines[coroutine], (void (*)(void))run, 1, coroutine);
}

static void resume(int coroutine)
{
	if (swapcontext(&scheduler, &coroutines[coroutine]))
		abort();
}

/* By turns, and not always: what one begins ends while the other's are open. */
static NOINLINE void schedule(uint64_t turn)
{
	CALL(schedule);
	resume(0);
	if (turn % 3 != 2)
		resume(1);
	DONE(schedule);
}

static void play(unsigned long count, char *one, char *other)
{
	rounds = count;
	make(0, run_coroutine, one);
	make(1, run_coroutine, other);
	for (unsigned long i = 0; i < count * 16; i++)
		schedule(i);
}

static void on_heap(unsigned long count)
{
	char *one = malloc(STACK_BYTES);
	char *other = malloc(STACK_BYTES);

	if (!one || !other)
		abort();
	play(count, one, other);
	free(one);
	free(other);
}

static void on_mapping(unsigned long count)
{
	char *stacks = map_stacks();

	play(count, stacks + STACK_BYTES, stacks);
}

static char *beside;

static void *play_beside(void *arg)
{
	const unsigned long *count = arg;

	play(*count, beside, beside + STACK_BYTES);
	return NULL;
}

static void beside_thread(unsigned long count)
{
	beside = map_stacks();
	run_thread(play_beside, &count);
}

/* Each is dropped inside its function, and its stack used again for the next. */
static void drops(unsigned long count)
{
	static char stack[STACK_BYTES] __attribute__((aligned(64)));

	for (unsigned long i = 0; i < count; i++) {
		make(0, dropped, stack);
		resume(0);
	}
	note(leaf(0));
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"on_heap", on_heap},
		{"on_mapping", on_mapping},
		{"beside_thread", beside_thread},
		{"drops", drops},
		{NULL, NULL},
	};

	return calls_main(argc, argv, modes);
}
