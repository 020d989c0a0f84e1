/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that call, return and are left in all the ways of C; built in several ways. */
#include <alloca.h>
#include <setjmp.h>
#include <stdarg.h>
#include <ucontext.h>

#include "calls.h"

/* ---- nesting and recursion ---- */

COUNTER(outer);
COUNTER(middle);
COUNTER(inner);
COUNTER(top);
COUNTER(recursive);
COUNTER(even);
COUNTER(odd);

static NOINLINE uint64_t inner(uint64_t value)
{
	CALL(inner);
	touch();
	DONE(inner);
	return value * 3 + 1;
}

static NOINLINE uint64_t middle(uint64_t value)
{
	uint64_t sum = 0;

	CALL(middle);
	for (int i = 0; i < 3; i++)
		sum += inner(value);
	DONE(middle);
	return sum;
}

static NOINLINE uint64_t outer(uint64_t value)
{
	uint64_t result;

	CALL(outer);
	result = middle(value) ^ inner(value);
	DONE(outer);
	return result;
}

static void nesting(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		note(outer(i));
}

static NOINLINE uint64_t recursive(unsigned int depth)
{
	uint64_t result = depth;

	CALL(recursive);
	if (depth > 1)
		result = 2 * recursive(depth - 1) + 1;
	touch();
	DONE(recursive);
	return result;
}

static NOINLINE uint64_t top(unsigned int depth)
{
	uint64_t result;

	CALL(top);
	result = recursive(depth) + inner(depth);
	DONE(top);
	return result;
}

static void recurse(unsigned long count, unsigned int depth)
{
	for (unsigned long i = 0; i < count; i++)
		note(top(depth));
}

static void recursion_20(unsigned long count)
{
	recurse(count, 20);
}

static void recursion_40(unsigned long count)
{
	recurse(count, 40);
}

static void recursion_64(unsigned long count)
{
	recurse(count, 64);
}

static void recursion_200(unsigned long count)
{
	recurse(count, 200);
}

static NOINLINE uint64_t odd(unsigned int depth);

static NOINLINE uint64_t even(unsigned int depth)
{
	uint64_t result = 1;

	CALL(even);
	if (depth)
		result = odd(depth - 1) + 3;
	touch();
	DONE(even);
	return result;
}

static NOINLINE uint64_t odd(unsigned int depth)
{
	uint64_t result = 2;

	CALL(odd);
	if (depth)
		result = even(depth - 1) * 3;
	touch();
	DONE(odd);
	return result;
}

static void mutual(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		note(even((unsigned int)(i % 24)) + odd((unsigned int)(i % 7)));
}

/* ---- tail calls: done before the jump ---- */

COUNTER(first);
COUNTER(second);
COUNTER(third);
COUNTER(chosen);
COUNTER(again);

static NOINLINE uint64_t third(uint64_t value)
{
	CALL(third);
	touch();
	DONE(third);
	return value + 5;
}

static NOINLINE uint64_t second(uint64_t value)
{
	CALL(second);
	DONE(second);
	return third(value * 7);
}

static NOINLINE uint64_t first(uint64_t value)
{
	CALL(first);
	DONE(first);
	return second(value + 1);
}

static NOINLINE uint64_t chosen(uint64_t value)
{
	CALL(chosen);
	DONE(chosen);
	if (value % 3 == 0)
		return third(value);
	if (value % 3 == 1)
		return second(value);
	return value;
}

static uint64_t (*volatile step)(uint64_t left, uint64_t sum);

/* Itself, which the compiler cannot know: a jump to a register. */
static NOINLINE uint64_t again(uint64_t left, uint64_t sum)
{
	CALL(again);
	DONE(again);
	if (!left)
		return sum;
	return step(left - 1, sum * 2 + 1);
}

static void tails(unsigned long count)
{
	step = again;
	for (unsigned long i = 0; i < count; i++) {
		note(first(i));
		note(chosen(i));
		note(again(i % 20, i));
	}
}

/* Deeper than anything is recorded, but always at one place of the stack. */
static void long_tails(unsigned long count)
{
	step = again;
	for (unsigned long i = 0; i < count; i++)
		note(again(500, i));
}

/* ---- longjmp ---- */

COUNTER(landing);
COUNTER(jump_1);
COUNTER(jump_2);
COUNTER(jump_3);
COUNTER(jump_4);
COUNTER(jump_5);

static jmp_buf target;

static NOINLINE void jump_1(void)
{
	CALL(jump_1);
	note(inner(1));
	longjmp(target, 1);
}

#define JUMP(from, to)                  \
	static NOINLINE void from(void) \
	{                               \
		CALL(from);             \
		note(inner(2));         \
		to();                   \
		touch();                \
		DONE(from);             \
	}

JUMP(jump_2, jump_1)
JUMP(jump_3, jump_2)
JUMP(jump_4, jump_3)
JUMP(jump_5, jump_4)

static NOINLINE void landing(unsigned int depth)
{
	static void (*const jumps[])(void) = {jump_1, jump_2, jump_3, jump_4, jump_5};

	CALL(landing);
	if (setjmp(target) == 0)
		jumps[depth - 1]();
	note(inner(depth));
	DONE(landing);
}

/* Out of 1 to 5 functions; then so often at one place of the stack that nothing else cleans up. */
static void longjmps(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		landing((unsigned int)(i % 5) + 1);
	for (volatile unsigned long i = 0; i < count; i++)
		if (setjmp(target) == 0)
			jump_1();
	note(inner(0));
}

/* ---- shapes of functions ---- */

COUNTER(returns);
COUNTER(table);
COUNTER(variadic);
COUNTER(large);
COUNTER(pair);
COUNTER(grown);
COUNTER(aligned);
COUNTER(floating);

static NOINLINE uint64_t returns(uint64_t value)
{
	CALL(returns);
	if (value & 1) {
		DONE(returns);
		return inner(value);
	}
	if (value & 2) {
		uint64_t sum = inner(value) + inner(value + 1);

		DONE(returns);
		return sum;
	}
	if (value & 4) {
		DONE(returns);
		return value;
	}
	for (int i = 0; i < 8; i++) {
		if (inner(value + (uint64_t)i) % 5 == 0) {
			DONE(returns);
			return value ^ (uint64_t)i;
		}
	}
	DONE(returns);
	return 17;
}

/* A leaf that jumps by a table, which is no tail call. */
static NOINLINE uint64_t table(uint64_t value)
{
	CALL(table);
	DONE(table);
	switch (value & 15) {
	case 0:
		touch();
		return value + 7;
	case 1:
		touch();
		return value * 11;
	case 2:
		touch();
		return value - 4;
	case 3:
		touch();
		return value ^ 99;
	case 4:
		touch();
		return value << 3;
	case 5:
		touch();
		return value >> 1;
	case 6:
		touch();
		return ~value;
	case 7:
		touch();
		return value | 1;
	case 8:
		touch();
		return value * value;
	case 9:
		touch();
		return value / 3;
	case 10:
		touch();
		return value % 7;
	case 11:
		touch();
		return value & 77;
	default:
		return third(value);
	}
}

static NOINLINE uint64_t variadic(int count, ...)
{
	uint64_t sum = 0;
	va_list list;

	CALL(variadic);
	va_start(list, count);
	for (int i = 0; i < count; i++)
		sum = sum * 5 + va_arg(list, uint64_t);
	va_end(list);
	DONE(variadic);
	return sum;
}

struct large_value {
	uint64_t values[24];
};

static NOINLINE struct large_value large(uint64_t value)
{
	struct large_value result;

	CALL(large);
	for (size_t i = 0; i < 24; i++)
		result.values[i] = inner(value + i);
	DONE(large);
	return result;
}

struct pair_value {
	uint64_t one;
	double other;
};

static NOINLINE struct pair_value pair(uint64_t value)
{
	CALL(pair);
	touch();
	DONE(pair);
	return (struct pair_value){value, (double)value * 0.5};
}

static NOINLINE double floating(double a, float b, long double c)
{
	double result;

	CALL(floating);
	result = a * b + (double)c;
	touch();
	DONE(floating);
	return result;
}

static NOINLINE uint64_t grown(size_t size)
{
	volatile unsigned char *bytes;
	uint64_t sum = 0;

	CALL(grown);
	bytes = alloca(size);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)(inner(i) & 0xff);
	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + bytes[i];
	DONE(grown);
	return sum;
}

/* The compiler realigns the stack, and pushes the return address once more. */
static NOINLINE uint64_t aligned(uint64_t value)
{
	_Alignas(128) volatile uint64_t line[16];
	uint64_t sum = 0;

	CALL(aligned);
	for (size_t i = 0; i < 16; i++)
		line[i] = inner(value + i);
	for (size_t i = 0; i < 16; i++)
		sum ^= line[i] << i;
	DONE(aligned);
	return sum + ((uintptr_t)line & 127);
}

static void shapes(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		struct pair_value two = pair(i);

		note(returns(i));
		note(table(i));
		note(variadic(4, i, i + 1, i + 2, i * 3));
		note(variadic(0));
		note(large(i).values[i % 24]);
		note(two.one + (uint64_t)two.other);
		note((uint64_t)floating((double)i, 2.5f, 3.25L));
		note(grown(i % 50 + 1));
		note(aligned(i));
	}
}

/* ---- what the optimiser makes of functions ---- */

COUNTER(split);
COUNTER(specialised);
COUNTER(scalar);
COUNTER(rarely);
COUNTER(cold_end);

#define CLONABLE __attribute__((noinline))

static __attribute__((cold, noinline)) uint64_t complain(uint64_t value)
{
	touch();
	return value * 13;
}

/* Its head goes into its callers, the rest becomes split.part.0; all of its calls reach the rest. */
__attribute__((visibility("hidden"))) uint64_t split(const uint64_t *values, uint64_t size);
uint64_t split(const uint64_t *values, uint64_t size)
{
	uint64_t sum = 0;

	if (!values)
		return 0;
	CALL(split);
	for (uint64_t i = 0; i < size; i++)
		sum += inner(values[i]) ^ inner(sum) ^ inner(i);
	for (uint64_t i = 0; i < size; i++)
		sum ^= inner(values[i]) * 3;
	for (uint64_t i = 0; i < size; i++)
		sum += inner(sum) + inner(sum + i) + inner(values[i]) + inner(values[i] + i);
	for (uint64_t i = 0; i < size; i++)
		sum ^= inner(sum * 3) + inner(sum + 5) + inner(values[i]) + inner(values[i] ^ i);
	DONE(split);
	return sum;
}

/* One clone for the constant, the function itself for others. */
static CLONABLE uint64_t specialised(uint64_t value, unsigned int times)
{
	CALL(specialised);
	for (unsigned int i = 0; i < times; i++)
		value = inner(value) ^ (value >> times);
	DONE(specialised);
	return value;
}

/* The structure is passed by its parts. */
static CLONABLE uint64_t scalar(const struct large_value *all)
{
	uint64_t result = all->values[3];

	CALL(scalar);
	result = inner(result);
	DONE(scalar);
	return result;
}

/* Its unlikely part stands elsewhere, as rarely.cold, and comes back. */
static NOINLINE uint64_t rarely(uint64_t value)
{
	uint64_t result;

	CALL(rarely);
	result = inner(value);
	if (__builtin_expect(value % 4 == 0, 0)) {
		result += complain(value);
		result ^= complain(result);
		note(result);
	}
	result += inner(result);
	DONE(rarely);
	return result;
}

/* Its unlikely part returns by itself. */
static NOINLINE uint64_t cold_end(uint64_t value)
{
	CALL(cold_end);
	if (__builtin_expect(value % 4 == 0, 0)) {
		uint64_t result = complain(value) + complain(value + 1);

		DONE(cold_end);
		return complain(result);
	}
	DONE(cold_end);
	return value;
}

static void clones(unsigned long count)
{
	uint64_t (*volatile indirectly)(const uint64_t *, uint64_t) = split;
	static const uint64_t digits[] = {3, 1, 4, 1, 5};
	const uint64_t *volatile values = digits;
	struct large_value all = {{0}};

	for (unsigned long i = 0; i < count; i++) {
		all.values[3] = i;
		note(split(values, i % 5));
		note(indirectly(values, i % 3));
		note(specialised(i, 3));
		note(specialised(i, (unsigned int)(i % 5)));
		note(scalar(&all));
		note(rarely(i));
		note(cold_end(i));
	}
}

/* A program that may switch stacks: its functions' exits are probed, not their returns. */
#ifdef BY_EXITS
int (*volatile may_switch)(ucontext_t *, const ucontext_t *) = swapcontext;
#endif

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"nesting", nesting},
		{"recursion_20", recursion_20},
		{"recursion_40", recursion_40},
		{"recursion_64", recursion_64},
		{"recursion_200", recursion_200},
		{"mutual", mutual},
		{"tails", tails},
		{"long_tails", long_tails},
		{"longjmps", longjmps},
		{"shapes", shapes},
		{"clones", clones},
		{NULL, NULL},
	};

	return calls_main(argc, argv, modes);
}
