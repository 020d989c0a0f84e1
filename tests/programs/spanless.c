/* SPDX-License-Identifier: BSD-2-Clause */
/* A program without any probe, with a function that could have a span. */
#include <stdio.h>

int handle_request(int number);

__attribute__((noinline)) int handle_request(int number)
{
	return printf("request %d\n", number) < 0;
}

int main(int argc, char **argv)
{
	(void)argv;
	return handle_request(argc);
}
