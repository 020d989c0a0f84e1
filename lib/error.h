/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_ERROR_H
#define PROBEKIT_ERROR_H
/* Filling struct probekit_error. Every function returns `code`, so that callers write
 * `return error_failed(err, -ENOENT, ...)`. A NULL `err` is allowed. */
#include <probekit/probekit.h>

#define ERROR_PRINTF(text, first) __attribute__((format(printf, text, first)))

int error_failed(struct probekit_error *err, int code, const char *format, ...) ERROR_PRINTF(3, 4);
/* The same with ": " and what errno -code means at the end. */
int error_errno(struct probekit_error *err, int code, const char *format, ...) ERROR_PRINTF(3, 4);
int error_usage(struct probekit_error *err, const char *format, ...) ERROR_PRINTF(2, 3);
int error_unavailable(struct probekit_error *err, int code, const char *format, ...)
	ERROR_PRINTF(3, 4);
int error_no_memory(struct probekit_error *err);
/* Adds what to do next to an error already filled; returns `code`. */
int error_hint(struct probekit_error *err, int code, const char *format, ...) ERROR_PRINTF(3, 4);

/* Copies `in` with control characters and invalid UTF-8 escaped (\n, \x1b) to a buffer of `size`
 * bytes; truncates with "..." at the end, never inside a character. Always terminated. */
void escape_text(const char *in, char *out, size_t size);
/* Length of the valid UTF-8 sequence that the terminated text begins with; 0: there is none. */
size_t text_utf8_length(const unsigned char *text);

#endif
