/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_OUTPUT_FILE_H
#define PROBEKIT_OUTPUT_FILE_H
/* Writing a whole file, or none of it. */
#include <stddef.h>

/* Symbolic links are followed to the file that they name, which is then replaced where it is. */
int output_file_write(const char *path, const char *bytes, size_t size)
	__attribute__((warn_unused_result));
/* The same, but a symbolic link in the place of the file is refused: -ELOOP. */
int output_file_write_here(const char *path, const char *bytes, size_t size)
	__attribute__((warn_unused_result));

#endif
