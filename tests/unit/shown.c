/* SPDX-License-Identifier: BSD-2-Clause */
#include "shown.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

char *shown;

void show(char *text)
{
	free(shown);
	shown = text;
}

int release(void **state)
{
	(void)state;
	show(NULL);
	return 0;
}

void assert_has(const char *part)
{
	if (!strstr(shown, part))
		fail_msg("no '%s' in:\n%s", part, shown);
}

void assert_lacks(const char *part)
{
	if (strstr(shown, part))
		fail_msg("'%s' in:\n%s", part, shown);
}

size_t count_of(const char *part)
{
	size_t n = 0;

	for (const char *at = shown; (at = strstr(at, part)); at += strlen(part))
		n++;
	return n;
}
