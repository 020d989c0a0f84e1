// SPDX-License-Identifier: BSD-2-Clause
/*
 * Functions that differ in their first instruction alone, which decides how the kernel runs what a
 * probe has displaced. For each line "NAME COUNT" on standard input, calls the function
 * probed_NAME() COUNT times and prints the nanoseconds of CPU time that it
 * took; -1 when there is none here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#ifdef __x86_64__
#define FUNCTION(name, body)                                     \
	__asm__(".pushsection .text\n"                           \
		".p2align 4\n"                                   \
		".globl probed_" #name "\n"                      \
		".type probed_" #name ", @function\n"            \
		"probed_" #name ":\n" body "\tret\n"             \
		".size probed_" #name ", . - probed_" #name "\n" \
		".popsection\n");                                \
	void probed_##name(void)

FUNCTION(push, "\tpush %rbp\n\tpop %rbp\n");
FUNCTION(endbr_push, "\tendbr64\n\tpush %rbp\n\tpop %rbp\n");
FUNCTION(sub, "\tsub $8, %rsp\n\tadd $8, %rsp\n");
FUNCTION(mov, "\tmov %edi, %eax\n");
/* As room for patches is left before the function; assemblers shorten a nop that is written. */
FUNCTION(nop5, "\t.byte 0x0f, 0x1f, 0x44, 0, 0\n\tpush %rbp\n\tpop %rbp\n");
#endif

/* What a compiler makes of an empty function. */
__attribute__((noinline)) void probed_empty(void);
void probed_empty(void)
{
	__asm__ volatile("" ::: "memory");
}

static const struct {
	const char *name;
	void (*call)(void);
} functions[] = {
#ifdef __x86_64__
	{"push", probed_push},	 {"endbr_push", probed_endbr_push},
	{"sub", probed_sub},	 {"mov", probed_mov},
	{"nop5", probed_nop5},
#endif
	{"empty", probed_empty},
};

/* CPU time, so that the other processes of a busy machine do not count. */
static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int64_t run(const char *name, long count)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		uint64_t start = now_ns();

		if (strcmp(functions[i].name, name) != 0)
			continue;
		for (long call = 0; call < count; call++)
			functions[i].call();
		return (int64_t)(now_ns() - start);
	}
	return -1;
}

int main(void)
{
	char name[32];
	long count;

	while (scanf("%31s %ld", name, &count) == 2) {
		printf("%" PRId64 "\n", run(name, count));
		fflush(stdout);
	}
	return 0;
}
