/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns snapshots in files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output_file.h"
#include "snapshot.h"

#define SIZE_MAX_BYTES (1ull << 30)
#define FIRST_CAPACITY 65536

int probekit_snapshot_write(const struct probekit_snapshot *snapshot, const char *path,
			    struct probekit_error *err)
{
	char *text;
	size_t size;
	int ret = probekit_snapshot_to_json(snapshot, false, &text, err);

	if (ret)
		return ret;
	size = strlen(text);
	text[size] = '\n'; /* in the place of the terminator */
	ret = probekit_file_write(path, text, size + 1, err);
	free(text);
	return ret;
}

/* Everything up to the end of the file, without a terminator. */
static int read_all(int fd, char **text, size_t *size)
{
	size_t capacity = FIRST_CAPACITY;
	size_t used = 0;
	char *buffer = malloc(capacity);

	while (buffer) {
		ssize_t got = read(fd, buffer + used, capacity - used);
		char *larger;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || used + (size_t)got > SIZE_MAX_BYTES) {
			int ret = got < 0 ? -errno : -EFBIG;

			free(buffer);
			return ret;
		}
		used += (size_t)got;
		if (got == 0) {
			*text = buffer;
			*size = used;
			return 0;
		}
		if (used < capacity)
			continue;
		capacity *= 2;
		larger = realloc(buffer, capacity);
		if (!larger)
			free(buffer);
		buffer = larger;
	}
	return -ENOMEM;
}

int probekit_snapshot_read(const char *path, struct probekit_snapshot **snapshot,
			   struct probekit_error *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	const char *name = is_stdin ? "standard input" : path;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	size_t size = 0;
	char *text = NULL;
	int ret;

	if (fd < 0)
		return error_errno(err, -errno, "cannot read snapshot '%s'", name);
	ret = read_all(fd, &text, &size);
	if (!is_stdin)
		close(fd);
	if (ret)
		return error_errno(err, ret, "cannot read snapshot '%s'", name);
	ret = snapshot_from_json(text, size, name, snapshot, err);
	free(text);
	return ret;
}
