/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CALLS_H
#define CALLS_H
/*
 * Programs whose functions are probed, and count their own calls. Such a function begins with
 * CALL(name) and has DONE(name) before each return: what began and is not done was left otherwise
 * (longjmp, an exception, the end of its thread). tell_calls() prints of each that was called
 *
 *	NAME.calls N	NAME.returned N	    NAME.left N
 *
 * and "checksum N", which depends on all that the functions compute.
 */
#include <stdint.h>

#include "program.h"

#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone))
#endif

struct call_count {
	const char *name;
	uint64_t entered;
	uint64_t done;
	uint64_t padding; /* the section is an array: no gaps */
} __attribute__((aligned(32)));

extern struct call_count __start_call_counts[] __attribute__((visibility("hidden")));
extern struct call_count __stop_call_counts[] __attribute__((visibility("hidden")));
static uint64_t checksum;

/* Of the function that a pattern `text` selects. */
#define COUNTER_AS(function, text)                   \
	static struct call_count calls_of_##function \
		__attribute__((section("call_counts"), used)) = {text, 0, 0, 0}
#define COUNTER(function) COUNTER_AS(function, #function)
#define CALL(function) count_one(&calls_of_##function.entered)
#define DONE(function) count_one(&calls_of_##function.done)

/* Programs with threads define it. Not always: no kernel probes an instruction with a lock prefix, which
 * the first one would be. */
#ifdef COUNT_ATOMICALLY
static NOINLINE void count_one(uint64_t *number)
{
	__atomic_fetch_add(number, 1, __ATOMIC_RELAXED);
}
#else
static inline void count_one(volatile uint64_t *number)
{
	*number = *number + 1;
}
#endif

/* Whatever the order in which threads add. */
static NOINLINE void note(uint64_t value)
{
	__atomic_fetch_add(&checksum, (value + 1) * 0x9e3779b97f4a7c15u, __ATOMIC_RELAXED);
}

static inline void tell_of(const char *name, const char *what, uint64_t value)
{
	char text[96];

	snprintf(text, sizeof(text), "%s.%s", name, what);
	tell(text, (long long)value);
}

static inline void tell_calls(void)
{
	for (const struct call_count *count = __start_call_counts; count < __stop_call_counts;
	     count++) {
		if (!count->entered)
			continue;
		tell_of(count->name, "calls", count->entered);
		tell_of(count->name, "returned", count->done);
		tell_of(count->name, "left", count->entered - count->done);
	}
	tell("checksum", (long long)(checksum >> 1));
}

/* As program_main(), and the calls are told at the end. */
static inline int calls_main(int argc, char **argv, const struct mode *modes)
{
	int status = program_main(argc, argv, modes, NULL);

	if (status == 0)
		tell_calls();
	return status;
}

#endif
