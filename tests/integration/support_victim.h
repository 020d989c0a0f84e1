/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_SUPPORT_VICTIM_H
#define PROBEKIT_TESTS_SUPPORT_VICTIM_H
/* The program "victim" as the target of a measurement. */
#include "support.h"

enum {
	SUPPORT_VICTIM_SPANS = 1000, /* victim:work, for each line that it reads */
};

/* `path` is the program, or a copy of it. Returns when it waits for a line. */
void support_start_victim(struct support_child *target, const struct support_how *how,
			  const char *path);
/* Its first line: returns when the spans are made. */
void support_let_victim_work(struct support_child *target);
/* Lets it work while `probekit` measures it, and ends that: all spans were counted. */
void support_check_victim_counted(struct support_child *probekit, struct support_child *target);

#endif
