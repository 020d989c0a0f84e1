/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions in signal handlers, on the same stack and on others. The program shows no other sign that it has
 * several stacks than sigaltstack(). */
#include <setjmp.h>
#include <signal.h>

#include "calls.h"
#include "calls_two_stacks.h"

COUNTER(handler);
COUNTER(interrupted);
COUNTER(whole_round);

/* ---- signals ---- */

static sigjmp_buf landing;
static int jumps;

static NOINLINE void handler(int number)
{
	CALL(handler);
	note(leaf((uint64_t)number));
	if (jumps)
		siglongjmp(landing, 1);
	note(leaf(2));
	DONE(handler);
}

static NOINLINE uint64_t interrupted(uint64_t value)
{
	uint64_t result;

	CALL(interrupted);
	result = leaf(value);
	raise(SIGUSR1);
	result ^= leaf(result);
	DONE(interrupted);
	return result;
}

static NOINLINE void whole_round(uint64_t value)
{
	CALL(whole_round);
	if (sigsetjmp(landing, 1) == 0)
		note(interrupted(value));
	note(leaf(value));
	DONE(whole_round);
}

static void handle_on(void *stack, unsigned long count)
{
	stack_t alternate = {.ss_sp = stack, .ss_size = STACK_BYTES};
	struct sigaction action = {.sa_handler = handler, .sa_flags = stack ? SA_ONSTACK : 0};

	if ((stack && sigaltstack(&alternate, NULL)) || sigaction(SIGUSR1, &action, NULL))
		abort();
	for (unsigned long i = 0; i < count; i++)
		whole_round(i);
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

static void signal_jumps(unsigned long count)
{
	jumps = 1;
	signals(count);
}

static void alternate_jumps(unsigned long count)
{
	jumps = 1;
	alternate(count);
}

/* Above the thread's own stack: a call there does not end what is below. */
static char *above;

static void *handle_there(void *arg)
{
	const unsigned long *count = arg;

	if ((char *)&count > above)
		abort();
	handle_on(above, *count);
	return NULL;
}

static void alternate_above(unsigned long count)
{
	above = map_stacks();
	run_thread(handle_there, &count);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"signals", signals},
		{"alternate", alternate},
		{"alternate_above", alternate_above},
		{"signal_jumps", signal_jumps},
		{"alternate_jumps", alternate_jumps},
		{NULL, NULL},
	};

	return calls_main(argc, argv, modes);
}
