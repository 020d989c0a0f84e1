/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BESIDE_H
#define BESIDE_H
/* What lies in the folder of the program that runs. */
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Valid until the next call. */
static inline const char *beside(const char *name)
{
	static char path[PATH_MAX + 64];
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length < 0)
		abort();
	self[length] = '\0';
	snprintf(path, sizeof(path), "%s/%s", dirname(self), name);
	return path;
}

static inline void *open_beside(const char *name)
{
	void *library = dlopen(beside(name), RTLD_NOW);

	if (!library)
		abort();
	return library;
}

#endif
