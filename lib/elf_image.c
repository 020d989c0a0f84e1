/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading a file by chunks into memory that never moves. */
#include "elf_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 65536u

static int reserve(struct elf_image *image, const char *path, struct probekit_error *err)
{
	struct stat status;
	void *bytes;

	if (fstat(image->fd, &status))
		return error_errno(err, -errno, "cannot read '%s'", path);
	if (S_ISDIR(status.st_mode))
		return error_failed(err, -EISDIR, "'%s' is a directory, not an ELF file", path);
	if (!S_ISREG(status.st_mode))
		return error_failed(err, -ENOEXEC, "'%s' is not a regular file", path);
	if (status.st_size == 0)
		return error_failed(err, -ENOEXEC, "'%s' is not an ELF file: it is empty", path);
	image->is_loaded = calloc((size_t)status.st_size / CHUNK_BYTES + 1, sizeof(bool));
	if (!image->is_loaded)
		return error_no_memory(err);
	bytes = mmap(NULL, (size_t)status.st_size + ELF_IMAGE_SLACK, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (bytes == MAP_FAILED)
		return error_errno(err, -errno, "cannot read '%s'", path);
	image->bytes = bytes;
	image->size_bytes = (size_t)status.st_size;
	return 0;
}

int elf_image_open(const char *path, int fd, struct elf_image *image, struct probekit_error *err)
{
	struct elf_image result = {.fd = fd};
	int code;

	/* O_NONBLOCK: a FIFO without a writer must be refused, not waited for. */
	if (result.fd < 0)
		result.fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (result.fd < 0)
		return error_errno(err, -errno, "cannot open '%s'", path);
	code = reserve(&result, path, err);
	if (code) {
		elf_image_done(&result);
		return code;
	}
	*image = result;
	return 0;
}

int elf_image_copy(const void *bytes, size_t size_bytes, struct elf_image *image)
{
	/* Of the exact size, so that a sanitizer sees every overrun. */
	unsigned char *copy = malloc(size_bytes ? size_bytes : 1);

	if (!copy)
		return -ENOMEM;
	if (size_bytes)
		memcpy(copy, bytes, size_bytes);
	*image = (struct elf_image){.fd = -1, .bytes = copy, .size_bytes = size_bytes};
	return 0;
}

void elf_image_done(struct elf_image *image)
{
	if (image->fd < 0) {
		free(image->bytes);
	} else {
		if (image->bytes)
			munmap(image->bytes, image->size_bytes + ELF_IMAGE_SLACK);
		close(image->fd);
	}
	free(image->is_loaded);
	*image = (struct elf_image){.fd = -1};
}

int elf_image_map(struct elf_image *image)
{
	if (mmap(image->bytes, image->size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
		 image->fd, 0) == MAP_FAILED)
		return -errno;
	free(image->is_loaded);
	image->is_loaded = NULL;
	return 0;
}

static int load_chunk(const struct elf_image *image, size_t chunk)
{
	size_t start = chunk * CHUNK_BYTES;
	size_t wanted = image->size_bytes - start;
	size_t done = 0;

	if (wanted > CHUNK_BYTES)
		wanted = CHUNK_BYTES;
	while (done < wanted) {
		ssize_t n = pread(image->fd, image->bytes + start + done, wanted - done,
				  (off_t)(start + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	image->is_loaded[chunk] = true;
	return 0;
}

int elf_image_load(const struct elf_image *image, uint64_t offset, uint64_t size_bytes)
{
	if (offset > image->size_bytes || size_bytes > image->size_bytes - offset)
		return -ERANGE;
	if (!image->is_loaded || size_bytes == 0)
		return 0;
	for (size_t i = offset / CHUNK_BYTES; i <= (offset + size_bytes - 1) / CHUNK_BYTES; i++) {
		int code = image->is_loaded[i] ? 0 : load_chunk(image, i);

		if (code)
			return code;
	}
	return 0;
}
