/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the command line of a build. */
#include "build_arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A build called "test" is hardly the one in /usr/bin. */
static char *path_of(const char *program)
{
	struct stat status;
	char *path;

	if (strchr(program, '/') || stat(program, &status) || !S_ISREG(status.st_mode))
		return strdup(program);
	return asprintf(&path, "./%s", program) < 0 ? NULL : path;
}

char **build_arguments(const char *program, char *const *arguments)
{
	size_t count = 0;
	char **made;

	while (arguments && arguments[count])
		count++;
	made = calloc(count + 2, sizeof(*made));
	if (!made)
		return NULL;
	made[0] = path_of(program);
	if (!made[0]) {
		free(made);
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		made[i + 1] = arguments[i];
	return made;
}

void build_arguments_free(char **made)
{
	if (made)
		free(made[0]);
	free(made);
}
