/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spans on several stacks of one thread: coroutines and signal handlers. Two spans are open at a
 * time, one on each stack, and end in the order they began, with 5 ms before the second begin and
 * 5 ms after the first end. Paired rightly each takes 5 ms; crossed, one would take none and the
 * other ten.
 */
#include <probekit/probe.h>

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include "program.h"
#include "two_stacks.h"

#define NOINLINE __attribute__((noinline))
#define STEP_MS 5

static ucontext_t scheduler;
static ucontext_t coroutines[2];
static unsigned long rounds;

static NOINLINE void leaf(void)
{
	PROBEKIT_SPAN(stacks, leaf);
	touch();
}

static void yield(int self)
{
	if (swapcontext(&coroutines[self], &scheduler))
		abort();
}

static void resume(int coroutine)
{
	if (swapcontext(&scheduler, &coroutines[coroutine]))
		abort();
}

static NOINLINE void one_round(int self)
{
	PROBEKIT_SPAN(stacks, shared);

	leaf();
	yield(self);
	leaf();
}

static void run_coroutine(int self)
{
	for (unsigned long i = 0; i < rounds; i++) {
		one_round(self);
		yield(self);
	}
	yield(self);
}

static void make(int coroutine, void *stack)
{
	if (getcontext(&coroutines[coroutine]))
		abort();
	coroutines[coroutine].uc_stack.ss_sp = stack;
	coroutines[coroutine].uc_stack.ss_size = STACK_BYTES;
	coroutines[coroutine].uc_link = &scheduler;
	makecontext(&coroutines[coroutine], (void (*)(void))run_coroutine, 1, coroutine);
}

/* First `a` enters its span, then the other; `a` leaves first. */
static NOINLINE void interleave(int a)
{
	PROBEKIT_SPAN(stacks, scheduler);

	resume(a);
	pause_ms(STEP_MS);
	resume(!a);
	leaf();
	resume(a);
	pause_ms(STEP_MS);
	resume(!a);
}

static void play(unsigned long count, void *one, void *other)
{
	rounds = count;
	make(0, one);
	make(1, other);
	for (unsigned long i = 0; i < count; i++)
		interleave((int)(i & 1));
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

static void on_static(unsigned long count)
{
	static char stacks[2][STACK_BYTES] __attribute__((aligned(64)));

	play(count, stacks[0], stacks[1]);
}

static void on_mapping(unsigned long count)
{
	char *stacks = map_stacks();

	play(count, stacks + STACK_BYTES, stacks);
}

/* ---- on a thread whose own stack the kernel may have merged with theirs ---- */

static char *mapped;

static void *run_thread(void *arg)
{
	const unsigned long *count = arg;

	play(*count, mapped, mapped + STACK_BYTES);
	return NULL;
}

/* The thread's stack is mapped right below, with the same permissions. */
static void beside_thread(unsigned long count)
{
	pthread_t thread;

	mapped = map_stacks();
	if (pthread_create(&thread, NULL, run_thread, &count) || pthread_join(thread, NULL))
		abort();
}

/* ---- two coroutines of which one is always inside ---- */

static void run_chain(int self)
{
	for (unsigned long i = 0; i < rounds; i++)
		one_round(self);
	yield(self);
}

/* Each resume ends one span and begins the next, while the other coroutine's is open. */
static void chained(unsigned long count)
{
	static char stacks[2][STACK_BYTES] __attribute__((aligned(64)));

	rounds = count;
	for (int i = 0; i < 2; i++) {
		make(i, stacks[i]);
		makecontext(&coroutines[i], (void (*)(void))run_chain, 1, i);
	}
	for (unsigned long i = 0; i <= count; i++) {
		resume(0);
		resume(1);
	}
}

/* ---- coroutines that never come back ---- */

static NOINLINE void enter_for_ever(int self)
{
	PROBEKIT_SPAN(stacks, dropped);
	leaf();
	yield(self);
	touch();
}

/* Each is dropped inside its span, and its stack used again for the next. */
static void dropped(unsigned long count)
{
	static char stack[STACK_BYTES] __attribute__((aligned(64)));

	for (unsigned long i = 0; i < count; i++) {
		make(0, stack);
		makecontext(&coroutines[0], (void (*)(void))enter_for_ever, 1, 0);
		resume(0);
	}
}

/* ---- signals ---- */

static sigjmp_buf landing;
static int jumps;

static NOINLINE void handle(int signal)
{
	PROBEKIT_SPAN(stacks, handler);

	(void)signal;
	leaf();
	if (jumps)
		siglongjmp(landing, 1);
	touch();
}

static NOINLINE void interrupted(void)
{
	PROBEKIT_SPAN(stacks, interrupted);
	leaf();
	pause_ms(1);
	raise(SIGUSR1);
	pause_ms(1);
	leaf();
}

static NOINLINE void survive(void)
{
	if (sigsetjmp(landing, 1) == 0)
		interrupted();
	leaf();
}

static void handle_on(void *stack, unsigned long count)
{
	stack_t alternate = {.ss_sp = stack, .ss_size = STACK_BYTES};
	struct sigaction action = {.sa_handler = handle, .sa_flags = stack ? SA_ONSTACK : 0};

	if ((stack && sigaltstack(&alternate, NULL)) || sigaction(SIGUSR1, &action, NULL))
		abort();
	for (unsigned long i = 0; i < count; i++) {
		PROBEKIT_SPAN(stacks, round);
		survive();
	}
}

static void signals(unsigned long count)
{
	handle_on(NULL, count);
}

static void alternate(unsigned long count)
{
	static char stack[STACK_BYTES];

	handle_on(stack, count);
}

/* Above every other frame: in a mapping higher than the stack of the thread that it interrupts. */
static void *run_alternate(void *arg)
{
	const unsigned long *count = arg;

	handle_on(mapped, *count);
	return NULL;
}

static void alternate_in_thread(unsigned long count)
{
	pthread_t thread;

	mapped = map_stacks();
	if (pthread_create(&thread, NULL, run_alternate, &count) || pthread_join(thread, NULL))
		abort();
}

static void alternate_jumps(unsigned long count)
{
	jumps = 1;
	alternate(count);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"on_heap", on_heap},
		{"on_static", on_static},
		{"on_mapping", on_mapping},
		{"beside_thread", beside_thread},
		{"chained", chained},
		{"dropped", dropped},
		{"signals", signals},
		{"alternate", alternate},
		{"alternate_in_thread", alternate_in_thread},
		{"alternate_jumps", alternate_jumps},
		{NULL, NULL},
	};

	return program_main(argc, argv, modes, NULL);
}
