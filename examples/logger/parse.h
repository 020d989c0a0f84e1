/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the numbers of a command line; shared by logger and logger-load. */
#ifndef LOGGER_PARSE_H
#define LOGGER_PARSE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A number from min to max, or one clear line and exit status 2: the user mistyped. */
static inline unsigned int parse_number(const char *program, const char *option, const char *text,
					unsigned int min, unsigned int max)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < (long)min || value > (long)max) {
		fprintf(stderr, "%s: --%s wants a number from %u to %u, not '%s'\n", program,
			option, min, max, text);
		exit(2);
	}
	return (unsigned int)value;
}

#endif
