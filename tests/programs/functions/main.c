/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions of every kind that tests/unit/test_functions.c looks for; never run. */
#include <stdio.h>

int second(int x);
int work(int x);
int part_of_split(int x) __asm__("split.part.0");
int clone_of_shaped(int x) __asm__("shaped.constprop.0.isra.0");
int shaped(int x);
int split(int x);
int first_caller(int x);
int second_caller(int x);

int work(int x)
{
	return x * 3 + getchar();
}

int job(int x) __attribute__((alias("work")));

__attribute__((noinline)) int part_of_split(int x)
{
	return x * 5 + getchar();
}

int split(int x)
{
	return x ? part_of_split(x) + 1 : 0;
}

__attribute__((noinline)) int clone_of_shaped(int x)
{
	return x * 7 + getchar();
}

__attribute__((noinline)) int shaped(int x)
{
	return x * 9 + getchar();
}

/* One of this name in second.c too. */
static __attribute__((noinline)) int twin(int x)
{
	return x * 11 + getchar();
}

static inline __attribute__((always_inline)) int only_inlined(int x)
{
	return x * 13 + getchar();
}

__attribute__((noinline)) int first_caller(int x)
{
	return only_inlined(x) + 1;
}

__attribute__((noinline)) int second_caller(int x)
{
	return only_inlined(x) - only_inlined(x + 1);
}

typedef int implementation(int x);

static __attribute__((used)) implementation *pick(void)
{
	return work;
}

int chosen(int x) __attribute__((ifunc("pick")));

int main(void)
{
	return twin(1) + second(2) + work(3) + split(4) + shaped(5) + clone_of_shaped(6) +
	       first_caller(7) + second_caller(8) + chosen(9);
}
