/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_OUTPUT_FILE_H
#define PROBEKIT_OUTPUT_FILE_H
/* Writing a whole file, or none of it. */
#include <stddef.h>

#include <probekit/probekit.h>

/* As probekit_file_write(), but a symbolic link in the place of the file is refused: -ELOOP. */
int output_file_write_here(const char *path, const char *bytes, size_t size,
			   struct probekit_error *err) __attribute__((warn_unused_result));

#endif
