/* SPDX-License-Identifier: BSD-2-Clause */
/* A static function whose name main.c has too. */
#include <stdio.h>

int second(int x);

static __attribute__((noinline)) int twin(int x)
{
	return x * 17 + getchar();
}

int second(int x)
{
	return twin(x) + 1;
}
