/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_SHOWN_H
#define PROBEKIT_TESTS_SHOWN_H
/* The last rendering of the running test, and what is asked of it. Any failure fails the test. */
#include <stddef.h>

/* Terminated; NULL: there is none. */
extern char *shown;

/* Keeps the malloc'ed text in the place of the one before. */
void show(char *text);
/* A test's teardown: frees it. */
int release(void **state);

void assert_has(const char *part);
void assert_lacks(const char *part);
size_t count_of(const char *part);

#endif
