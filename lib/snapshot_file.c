/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how a snapshot gets to and from a file: whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot.h"

#define MAX_FILE_BYTES (1ull << 30)

static int write_all(int fd, const char *text, size_t size)
{
	while (size) {
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

/* A device, pipe or terminal cannot be replaced, only written to. */
static bool is_special(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

static int write_special(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int result;

	if (fd < 0)
		return -errno;
	result = write_all(fd, text, strlen(text));
	if (close(fd) && !result)
		result = -errno;
	return result;
}

/* A name beside `path` that nobody can foresee; O_EXCL follows no link that waits there. */
static int open_beside(const char *path, char **name)
{
	for (int attempt = 0; attempt < 16; attempt++) {
		uint64_t random = 0;
		int fd;

		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return -errno;
		if (asprintf(name, "%s.%016llx.tmp", path, (unsigned long long)random) < 0)
			return -ENOMEM;
		fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd >= 0)
			return fd;
		free(*name);
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static int replace(const char *path, const char *text)
{
	char *temporary;
	int fd = open_beside(path, &temporary);
	int result;

	if (fd < 0)
		return fd;
	result = write_all(fd, text, strlen(text));
	if (!result && fsync(fd))
		result = -errno;
	if (close(fd) && !result)
		result = -errno;
	if (!result && rename(temporary, path))
		result = -errno;
	if (result)
		unlink(temporary);
	free(temporary);
	return result;
}

int probekit_snapshot_write(const struct probekit_snapshot *snapshot, const char *path,
			    struct probekit_error *err)
{
	char *text;
	int result = probekit_snapshot_to_json(snapshot, false, &text, err);

	if (result)
		return result;
	result = is_special(path) ? write_special(path, text) : replace(path, text);
	free(text);
	return result ? error_errno(err, result, "cannot write '%s'", path) : 0;
}

static int read_stream(FILE *file, char **text, size_t *size)
{
	size_t capacity = 1 << 16;
	char *buffer = malloc(capacity);
	size_t have = 0;

	while (buffer) {
		char *larger;

		have += fread(buffer + have, 1, capacity - have, file);
		if (have < capacity)
			break;
		larger = capacity < MAX_FILE_BYTES ? realloc(buffer, capacity *= 2) : NULL;
		if (!larger) {
			free(buffer);
			return capacity < MAX_FILE_BYTES ? -ENOMEM : -EFBIG;
		}
		buffer = larger;
	}
	if (!buffer)
		return -ENOMEM;
	if (ferror(file)) {
		free(buffer);
		return errno ? -errno : -EIO;
	}
	*text = buffer;
	*size = have;
	return 0;
}

int probekit_snapshot_read(const char *path, struct probekit_snapshot **snapshot,
			   struct probekit_error *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	const char *name = is_stdin ? "standard input" : path;
	size_t size;
	char *text;
	int result;

	if (!file)
		return error_errno(err, -errno, "cannot open '%s'", name);
	result = read_stream(file, &text, &size);
	if (!is_stdin)
		fclose(file);
	if (result)
		return error_errno(err, result, "cannot read '%s'", name);
	result = snapshot_from_json(text, size, name, snapshot, err);
	free(text);
	return result;
}
