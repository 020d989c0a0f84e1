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

FILE *show_open(void)
{
	static size_t size;
	FILE *out;

	show(NULL);
	out = open_memstream(&shown, &size);
	assert_non_null(out);
	return out;
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

void assert_fits(size_t width)
{
	for (const char *s = shown; *s; s += strcspn(s, "\n") + 1)
		if (strcspn(s, "\n") > width)
			fail_msg("a line is longer than %zu:\n%s", width, shown);
}

void assert_is_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char *expected = NULL;
	size_t capacity = 0;

	if (!file)
		fail_msg("no file '%s'", path);
	assert_true(getdelim(&expected, &capacity, '\0', file) > 0);
	fclose(file);
	if (strcmp(shown, expected) != 0) {
		fputs(shown, stderr);
		fail_msg("the text above is not %s", path);
	}
	free(expected);
}
