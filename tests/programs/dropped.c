/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that are not measured to the end, or not at all, beside one that is: one is called without a
 * pause, the kernel probes the other not. As the program may switch stacks, exits are probed. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <ucontext.h>
#include <unistd.h>

#include "program.h"

#define TICK_MS 5
#define TICKS_AFTER 20

void tick(void);
void busy(void);

static atomic_int is_over;
static atomic_ulong ticks;
static long long longest_ns;
static volatile unsigned long calls;

__attribute__((noinline)) void tick(void)
{
	pause_ms(TICK_MS);
	touch();
}

__attribute__((noinline)) void busy(void)
{
	calls++;
}

#if defined(__x86_64__)
/* A jump with a prefix that means nothing to it: processors differ, so the kernel will have none of it. */
__asm__(".pushsection .text\n"
	".globl refused\n"
	".type refused, @function\n"
	"refused: .byte 0x66, 0xe9, 0, 0, 0, 0\n"
	"nop\n"
	"ret\n"
	".size refused, . - refused\n"
	".popsection\n");
#endif

static void *tick_on(void *arg)
{
	while (!atomic_load(&is_over)) {
		long long start = now_ns();

		tick();
		if (now_ns() - start > longest_ns)
			longest_ns = now_ns() - start;
		atomic_fetch_add(&ticks, 1);
	}
	return arg;
}

/* Until the next line on stdin, and a few ticks more. */
static void burst(unsigned long count)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	unsigned long until;
	pthread_t thread;

	if (pthread_create(&thread, NULL, tick_on, NULL))
		abort();
	while (poll(&in, 1, 0) == 0)
		for (unsigned long i = 0; i < count; i++)
			busy();
	await_go();
	until = atomic_load(&ticks) + TICKS_AFTER;
	while (atomic_load(&ticks) < until)
		pause_ms(TICK_MS);
	atomic_store(&is_over, 1);
	pthread_join(thread, NULL);
	tell("ticks", (long long)atomic_load(&ticks));
	tell("longest_ns", longest_ns);
}

static void switch_stacks(unsigned long count)
{
	ucontext_t here;

	if (getcontext(&here) == 0 && count == 0)
		setcontext(&here);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"burst", burst}, {"switch_stacks", switch_stacks}, {NULL, NULL}};

	setvbuf(stdin, NULL, _IONBF, 0); /* burst() asks the pipe whether there is more */
	return program_main(argc, argv, modes, NULL);
}
