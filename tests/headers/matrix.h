/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the matrix program share: one span of an inline function, and the checks. */
#ifndef TESTS_HEADERS_MATRIX_H
#define TESTS_HEADERS_MATRIX_H

#ifdef __cplusplus
extern "C" { /* As careless includers do. */
#endif
#include <probekit/probe.h>
#ifdef __cplusplus
}
#endif

/* A provider may be a macro. */
#define PROVIDER matrix

static inline int inline_shared(int x)
{
	PROBEKIT_SPAN(PROVIDER, shared);
	return x + 1;
}

#ifdef __cplusplus
extern "C" {
#endif

int sink(int x);
int second_shared(int x);
int second_same_span(int x);
void second_stop(void);
int second_never_called(int x);
int check_cxx(void);

/* Calls `run` untraced and traced; 0 if the latter passed the sites `names` at the right sp. */
int check(const char *what, void (*run)(void), const char *names);

#ifdef __cplusplus
}
#endif

#endif
