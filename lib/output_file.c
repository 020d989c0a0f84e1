/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns writing files. A regular file is replaced as a whole: readers see the old one or the new one. A
 * pipe, terminal or device is written to as it is.
 */
#include "output_file.h"

#include "error.h"
#include "output_place.h"
#include "shield.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_TRIES 16

static int write_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, text, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		text += written;
		size -= (size_t)written;
	}
	return 0;
}

static int close_after(int fd, int ret)
{
	if (close(fd) < 0 && !ret && errno != EINTR)
		ret = -errno;
	return ret;
}

/* A new file beside the one to replace. O_EXCL also refuses a symbolic link laid in its way. */
static int create_temporary(int folder, char name[static NAME_MAX + 1], int *fd)
{
	for (int i = 0; i < NAME_TRIES; i++) {
		uint64_t random;

		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return -errno;
		snprintf(name, NAME_MAX + 1, ".probekit-%016llx.tmp", (unsigned long long)random);
		*fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			     0644);
		if (*fd >= 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

struct replacement {
	int folder;
	const char *name;
	const char *text;
	size_t size;
};

static int replace(void *arg)
{
	const struct replacement *new = arg;
	char temporary[NAME_MAX + 1];
	int fd = -1;
	int ret = create_temporary(new->folder, temporary, &fd);

	if (ret)
		return ret;
	ret = write_all(fd, new->text, new->size);
	if (!ret && fsync(fd) < 0)
		ret = -errno;
	ret = close_after(fd, ret);
	if (!ret && renameat(new->folder, temporary, new->folder, new->name) < 0)
		ret = -errno;
	if (ret)
		unlinkat(new->folder, temporary, 0);
	return ret;
}

/* Nobody would remove the temporary file if we were killed meanwhile. */
static int replace_in(int folder, const char *name, const char *text, size_t size)
{
	struct replacement new = {folder, name, text, size};

	return shield_run(replace, &new);
}

/* The descriptor that a link in a /proc/PID/fd folder stands for, when it is one of our own:
 * opening the link again would start at the file's beginning, and fails for sockets. */
static int open_descriptor(const struct output_place *place)
{
	char *end;
	long number = strtol(place->name, &end, 10);
	struct stat theirs;
	struct stat own;
	int fd;

	if (fstatat(place->folder, place->name, &theirs, 0))
		return -errno;
	if (*end == '\0' && end != place->name && number >= 0 && number <= INT_MAX &&
	    fstat((int)number, &own) == 0 && own.st_dev == theirs.st_dev &&
	    own.st_ino == theirs.st_ino)
		fd = fcntl((int)number, F_DUPFD_CLOEXEC, 0);
	else
		fd = openat(place->folder, place->name, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int write_through(int fd, const char *text, size_t size)
{
	return fd < 0 ? fd : close_after(fd, write_all(fd, text, size));
}

static int write_at(const struct output_place *place, const char *bytes, size_t size)
{
	struct stat status;

	if (place->is_in_proc)
		return write_through(open_descriptor(place), bytes, size);
	if (fstatat(place->folder, place->name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? replace_in(place->folder, place->name, bytes, size)
				       : -errno;
	if (S_ISREG(status.st_mode))
		return replace_in(place->folder, place->name, bytes, size);
	if (S_ISSOCK(status.st_mode) || S_ISDIR(status.st_mode))
		return S_ISDIR(status.st_mode) ? -EISDIR : -ENXIO;
	return write_through(output_place_open(place), bytes, size);
}

static int cannot_write(const char *path, int code, struct probekit_error *err)
{
	error_errno(err, code, "cannot write '%s'", path);
	return code == -EPERM
		       ? error_hint(err, code,
				    "in a folder that everybody may write to, no symbolic link is "
				    "followed, and no FIFO or device of others is written to")
		       : code;
}

static int write_file(const char *path, bool follows_last, const char *bytes, size_t size,
		      struct probekit_error *err)
{
	struct output_place place;
	int result = output_place_find(path, follows_last, &place);

	if (!result) {
		result = write_at(&place, bytes, size);
		output_place_done(&place);
	}
	return result ? cannot_write(path, result, err) : 0;
}

int output_file_write_here(const char *path, const char *bytes, size_t size,
			   struct probekit_error *err)
{
	return write_file(path, false, bytes, size, err);
}

int probekit_file_write(const char *path, const void *data, size_t size_bytes,
			struct probekit_error *err)
{
	return write_file(path, true, data, size_bytes, err);
}

int probekit_file_check(const char *path, struct probekit_error *err)
{
	struct output_place place;
	int result = output_place_find(path, true, &place);

	if (result)
		return cannot_write(path, result, err);
	output_place_done(&place);
	return 0;
}
