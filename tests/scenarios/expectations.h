/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXPECTATIONS_H
#define EXPECTATIONS_H
/* The scenarios: programs with one injected cause each, and what their snapshots must say of it. */
#include "facts.h"

enum { FACTS_MAX = 14 };

struct scenario {
	const char *name; /* NULL ends the table */
	const char *program;
	const char *mode;
	const char *count; /* of spans */
	const char *seconds;
	const char *row;
	/* That the program knows the time of; NULL: none. "runqueue" and "throttled" are one. */
	const char *time_class;
	struct fact facts[FACTS_MAX]; /* up to a NULL path */
};

extern const struct scenario scenarios[];

#endif
