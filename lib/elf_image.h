/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_ELF_IMAGE_H
#define PROBEKIT_ELF_IMAGE_H
/*
 * The bytes of a file at stable addresses. They are an anonymous mapping as large as the file, into
 * which chunks are read when first asked for: large files cost what is used of them, every byte is
 * read once, and a file that shrinks meanwhile cannot raise SIGBUS as a mapping of it would.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define ELF_IMAGE_SLACK 4096

struct elf_image {
	int fd; /* -1: all bytes are there */
	/* Those not asked for yet read as 0, and so do ELF_IMAGE_SLACK behind the file: libdw reads a few
	 * bytes on where a record of a hostile file is cut short. */
	unsigned char *bytes;
	size_t size_bytes;
	bool *is_loaded; /* per chunk; NULL: all are */
};

/* Opens `path`, or takes over `fd` when it is >= 0 (closed on error too). -ENOENT, -EACCES ...,
 * -EISDIR, -ENOEXEC when it is no regular file. Never waits for a FIFO's writer. */
int elf_image_open(const char *path, int fd, struct elf_image *image, struct probekit_error *err);
/* A copy of `bytes`. -ENOMEM. */
int elf_image_copy(const void *bytes, size_t size_bytes, struct elf_image *image);
void elf_image_done(struct elf_image *image);
/* All bytes of a file, by a mapping: for those that are too large to be copied. */
int elf_image_map(struct elf_image *image);

/* Makes these bytes readable at image->bytes + offset. -ERANGE when they do not lie within the
 * file, or the errno of reading them (-EIO when the file has shrunk). */
int elf_image_load(const struct elf_image *image, uint64_t offset, uint64_t size_bytes);

#endif
