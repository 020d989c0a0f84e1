/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROGRAM_H
#define PROGRAM_H
/*
 * What the measured programs share. A program is run as
 *
 *	program MODE COUNT		run the mode and end
 *	program MODE COUNT wait		say "ready", obey stdin: "go" runs the mode and says "done",
 *					"traced" is answered, end of file ends
 *
 * and prints what it knows to be true as "name value" lines.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct mode {
	const char *name;
	void (*run)(unsigned long count);
};

static inline void tell(const char *name, long long value)
{
	printf("%s %lld\n", name, value);
	fflush(stdout);
}

static inline long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* At least so long, whatever signals arrive. */
static inline void pause_ms(unsigned int ms)
{
	struct timespec left;

	left.tv_sec = ms / 1000;
	left.tv_nsec = (long)(ms % 1000) * 1000000;
	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

/* A call that the optimiser must keep: functions with it stay functions. */
static inline void touch(void)
{
	__asm__ volatile("" : : : "memory");
}

/* For commands that do not wait from the start. */
static inline void await_go(void)
{
	char line[64];

	if (!fgets(line, sizeof(line), stdin) || strcmp(line, "go\n") != 0)
		abort();
}

static inline int obey(const struct mode *mode, unsigned long count, int (*is_traced)(void))
{
	char line[64];

	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, "go\n") == 0) {
			mode->run(count);
			puts("done");
			fflush(stdout);
		} else if (strcmp(line, "traced\n") == 0) {
			tell("traced", is_traced ? is_traced() : -1);
		}
	}
	return 0;
}

/* `modes` ends with a NULL name. */
static inline int program_main(int argc, char **argv, const struct mode *modes,
			       int (*is_traced)(void))
{
	unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;

	for (const struct mode *mode = modes; argc > 1 && mode->name; mode++) {
		if (strcmp(mode->name, argv[1]) != 0)
			continue;
		if (argc > 3)
			return obey(mode, count, is_traced);
		mode->run(count);
		return 0;
	}
	fprintf(stderr, "usage: %s MODE COUNT [wait]\n", argv[0]);
	return 2;
}

#endif
