/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread that blocks at the end of a chain of calls, and tells what its stack holds: by what each
 * function was told of its return address ("return CALLER ADDRESS"), and, where the chain has
 * nothing without unwind information, by libgcc's unwinder ("backtrace ADDRESS"). Then "ready TID",
 * and it waits for a mutex that is never unlocked. Built in variants: tests/CMakeLists.txt. */
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHAIN __attribute__((noinline, noclone, noipa))
#if defined(__clang__)
#undef CHAIN
#define CHAIN __attribute__((noinline))
#endif
/* The caller is still needed after the call: no tail call. */
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

static const char *scenario;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int deep_frames;

static void tell(const char *caller, void *address)
{
	printf("return %s %p\n", caller, address);
}

CHAIN static void leaf(const char *caller)
{
	void *addresses[64];
	int count = strcmp(scenario, "jit") ? backtrace(addresses, 64) : 0;

	tell(caller, __builtin_return_address(0));
	for (int i = 1; i < count; i++)
		printf("backtrace %p\n", addresses[i]);
	printf("ready %d\n", gettid());
	fflush(stdout);
	pthread_mutex_lock(&mutex);
	KEEP_FRAME();
}

CHAIN static int compare(const void *left, const void *right)
{
	leaf("compare");
	KEEP_FRAME();
	return *(const int *)left - *(const int *)right;
}

CHAIN static void handler(int signal)
{
	(void)signal;
	leaf("handler");
	KEEP_FRAME();
}

CHAIN static void from_jit(void)
{
	leaf("from_jit");
	KEEP_FRAME();
}

CHAIN static void recurse(int left)
{
	/* a frame of more than 2 KiB */
	char room[2048];

	__asm__ volatile("" : : "r"(room) : "memory");
	if (left)
		recurse(left - 1);
	else
		leaf("recurse");
	KEEP_FRAME();
}

static void run_handler(int flags)
{
	static char other_stack[65536];
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof(other_stack)};

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
}

static void run_jit(void)
{
	/* push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret */
	static const unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
	void (*enter)(void (*)(void));
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(page, code, sizeof(code));
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
	memcpy(&enter, &page, sizeof(enter));
	enter(from_jit);
}

CHAIN static void inner(void)
{
	int numbers[] = {3, 1, 2};

	tell("middle", __builtin_return_address(0));
	if (strcmp(scenario, "qsort") == 0)
		qsort(numbers, 3, sizeof(numbers[0]), compare);
	else if (strcmp(scenario, "signal") == 0)
		run_handler(0);
	else if (strcmp(scenario, "other-stack") == 0)
		run_handler(SA_ONSTACK);
	else if (strcmp(scenario, "jit") == 0)
		run_jit();
	else if (strcmp(scenario, "deep") == 0)
		recurse(deep_frames);
	else
		leaf("inner");
	KEEP_FRAME();
}

CHAIN static void middle(void)
{
	tell("outer", __builtin_return_address(0));
	inner();
	KEEP_FRAME();
}

CHAIN static void outer(const char *caller)
{
	tell(caller, __builtin_return_address(0));
	middle();
	KEEP_FRAME();
}

static void *start(void *arg)
{
	(void)arg;
	outer("start");
	KEEP_FRAME();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	scenario = argc > 1 ? argv[1] : "";
	deep_frames = argc > 2 ? atoi(argv[2]) : 0;
	pthread_mutex_lock(&mutex);
	if (strcmp(scenario, "thread") == 0) {
		pthread_create(&thread, NULL, start, NULL);
		pthread_join(thread, NULL);
	} else {
		outer("main");
	}
	KEEP_FRAME();
	return 0;
}
