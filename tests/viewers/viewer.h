/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef VIEWER_H
#define VIEWER_H
/* Other people's programs that open the files we write. */
#include <stddef.h>

/* A folder of the test's own, and away with it. */
int viewer_setup(void **state);
int viewer_teardown(void **state);

/* Writes a file in the folder. */
void viewer_write(const char *folder, const char *name, const char *bytes, size_t size);
/* What the shell command prints, run in the folder; the caller frees it. Fails the test, telling
 * what it said on stderr, unless it exits with 0. */
char *viewer_run(const char *folder, const char *command);
/* Skips the test where the shell command `program` fails. */
void viewer_need(const char *program, const char *package);

#endif
