/* SPDX-License-Identifier: BSD-2-Clause */
#include "output_check.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "opts.h"

static int cannot_write(const char *path, const char *why, struct probekit_error *err)
{
	return failure_error(err, -EINVAL, "cannot write '%s': %s", path, why);
}

int check_output(const char *path, struct probekit_error *err)
{
	struct stat st;
	char *copy;
	char *folder;
	int ret = 0;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return cannot_write(
			path, S_ISDIR(st.st_mode) ? "it is a folder" : "it is not a regular file",
			err);
	if (path[strlen(path) - 1] == '/')
		return cannot_write(path, "it is not the name of a file", err);
	copy = strdup(path);
	if (!copy)
		return cannot_write(path, strerror(ENOMEM), err);
	folder = dirname(copy);
	if (stat(folder, &st) == 0 && !S_ISDIR(st.st_mode))
		ret = cannot_write(path, strerror(ENOTDIR), err);
	else if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) != 0)
		ret = cannot_write(path, strerror(errno), err);
	free(copy);
	return ret ? ret : probekit_file_check(path, err);
}
