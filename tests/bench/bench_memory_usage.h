/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_BENCH_MEMORY_USAGE_H
#define PROBEKIT_BENCH_MEMORY_USAGE_H
/* What memory a tool takes: of the kernel, as the kernel charges it, and of its own. */
#include <sys/types.h>

#include "bench.h"

/*
 * A memory cgroup that the tool alone lives in. The kernel charges it with what it allocates on the
 * tool's behalf: maps, also their values that come later and in other processes (a thread's state),
 * programs, descriptors, page tables. It does not charge its lists of uprobes.
 */
struct memory_group {
	char path[128];	 /* "": none */
	char home[1024]; /* the group that the bench itself is in */
	const char *counter;
	const char *field; /* of that file; NULL: its only number */
};

/* Not zero after bench_missing() or bench_fail(). */
int memory_group_create(struct bench_run *run, struct memory_group *group);
void memory_group_remove(struct memory_group *group);
/* What is started between the two lives in the group. */
int memory_group_enter(struct bench_run *run, const struct memory_group *group);
int memory_group_leave(struct bench_run *run, const struct memory_group *group);
/* NAN when it cannot be read, as with the others. */
double memory_group_kernel_bytes(const struct memory_group *group);

/* What the process's BPF maps say of themselves. */
double memory_map_bytes(pid_t pid);
/* Its resident set, shared libraries included (what they cost it alone would depend on who else
 * runs them), less the pages of BPF maps that it has mapped: those are the kernel's. */
double memory_user_bytes(pid_t pid);

#endif
