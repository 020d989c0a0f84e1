/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns writing files. A regular file is replaced as a whole: readers see the old one or the new one. A
 * pipe, terminal or device is written to as it is.
 */
#include "output_file.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NAME_TRIES 16
#define LINKS_MAX 40

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

/* Opens the folder of `path` and copies the name in it. */
static int open_folder(const char *path, int *folder, char name[static NAME_MAX + 1])
{
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;
	char parent[PATH_MAX] = ".";

	if (*last == '\0')
		return *path ? -EISDIR : -ENOENT;
	if (strlen(last) > NAME_MAX || strlen(path) >= sizeof(parent))
		return -ENAMETOOLONG;
	if (slash)
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path) + 1, path);
	memcpy(name, last, strlen(last) + 1);
	*folder = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *folder < 0 ? -errno : 0;
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

static int replace_in(int folder, const char *name, const char *text, size_t size)
{
	char temporary[NAME_MAX + 1];
	int fd = -1;
	int ret = create_temporary(folder, temporary, &fd);

	if (ret)
		return ret;
	ret = write_all(fd, text, size);
	if (!ret && fsync(fd) < 0)
		ret = -errno;
	ret = close_after(fd, ret);
	if (!ret && renameat(folder, temporary, folder, name) < 0)
		ret = -errno;
	if (ret)
		unlinkat(folder, temporary, 0);
	return ret;
}

static bool is_in_proc(int folder)
{
	struct statfs fs;

	return fstatfs(folder, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* The descriptor that a link in a /proc/PID/fd folder stands for, when it is one of our own:
 * opening the link again would start at the file's beginning, and fails for sockets. */
static int open_descriptor(const char *path, const struct stat *st, const char *name)
{
	char *end;
	long number = strtol(name, &end, 10);
	struct stat own;

	if (*end == '\0' && end != name && number >= 0 && number <= INT_MAX &&
	    fstat((int)number, &own) == 0 && own.st_dev == st->st_dev && own.st_ino == st->st_ino)
		return fcntl((int)number, F_DUPFD_CLOEXEC, 0);
	return open(path, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
}

static int write_through(int fd, const char *text, size_t size)
{
	return fd < 0 ? -errno : close_after(fd, write_all(fd, text, size));
}

/* One step along a symbolic link; 0 with `is_link` false when `name` is none. */
static int follow(int *folder, char name[static NAME_MAX + 1], bool *is_link)
{
	char target[PATH_MAX];
	const char *slash;
	const char *last;
	ssize_t length = readlinkat(*folder, name, target, sizeof(target) - 1);
	int next;

	*is_link = length >= 0;
	if (length < 0)
		return errno == EINVAL || errno == ENOENT ? 0 : -errno;
	target[length] = '\0';
	slash = strrchr(target, '/');
	last = slash ? slash + 1 : target;
	if (strlen(last) > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, last, strlen(last) + 1);
	if (!slash)
		return 0;
	target[slash - target + 1] = '\0';
	next = openat(*folder, target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (next < 0)
		return -errno;
	close(*folder);
	*folder = next;
	return 0;
}

int output_file_write(const char *path, const char *text, size_t size)
{
	char name[NAME_MAX + 1];
	bool is_link = true;
	struct stat st;
	int folder;
	int ret = open_folder(path, &folder, name);

	if (ret)
		return ret;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISSOCK(st.st_mode)) {
		close(folder);
		if (S_ISDIR(st.st_mode))
			return -EISDIR;
		return write_through(open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC), text, size);
	}
	for (int i = 0; is_link && !ret; i++) {
		if (is_in_proc(folder)) {
			ret = stat(path, &st) < 0
				      ? -errno
				      : write_through(open_descriptor(path, &st, name), text, size);
			close(folder);
			return ret;
		}
		ret = i < LINKS_MAX ? follow(&folder, name, &is_link) : -ELOOP;
	}
	/* Only a socket of the file system is left that must not be replaced. */
	if (!ret && fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode))
		ret = -ENXIO;
	if (!ret)
		ret = replace_in(folder, name, text, size);
	close(folder);
	return ret;
}

int output_file_write_here(const char *path, const char *bytes, size_t size)
{
	char name[NAME_MAX + 1];
	struct stat st;
	int folder;
	int ret = open_folder(path, &folder, name);

	if (ret)
		return ret;
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		ret = errno == ENOENT ? replace_in(folder, name, bytes, size) : -errno;
	else if (S_ISREG(st.st_mode))
		ret = replace_in(folder, name, bytes, size);
	else if (S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode) || S_ISSOCK(st.st_mode))
		ret = S_ISLNK(st.st_mode) ? -ELOOP : S_ISDIR(st.st_mode) ? -EISDIR : -ENXIO;
	else
		ret = write_through(openat(folder, name,
					   O_WRONLY | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW),
				    bytes, size);
	close(folder);
	return ret;
}

int probekit_file_write(const char *path, const void *data, size_t size_bytes,
			struct probekit_error *err)
{
	int result = output_file_write(path, data, size_bytes);

	return result ? error_errno(err, result, "cannot write '%s'", path) : 0;
}
