/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_SHOWN_H
#define PROBEKIT_TESTS_SHOWN_H
/* The last rendering of the running test, and what is asked of it. Any failure fails the test. */
#include <stddef.h>
#include <stdio.h>

/* Terminated; NULL: there is none. */
extern char *shown;

/* Keeps the malloc'ed text in the place of the one before. */
void show(char *text);
/* The same of what is written to the stream until it is closed. */
FILE *show_open(void);
/* A test's teardown: frees it. */
int release(void **state);

void assert_has(const char *part);
void assert_lacks(const char *part);
size_t count_of(const char *part);
/* No line has more bytes than that. */
void assert_fits(size_t width);
/* It is what stands in the file. */
void assert_is_file(const char *path);

#endif
