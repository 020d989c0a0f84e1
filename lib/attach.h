/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_ATTACH_H
#define PROBEKIT_ATTACH_H
/*
 * Attaching a loaded program to sites of one file: the two system calls, nothing of what is
 * attached. Links are file descriptors; the kernel detaches when they close, however this process
 * ends.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "error.h"

/* BPF_TRACE_UPROBE_MULTI (Linux 6.6, commit 89ae89f53d20), which older headers lack. */
#define ATTACH_TYPE_UPROBE_MULTI 48

/* `count` sites of the file that `path` leads to; arrays of that length. */
struct attach_sites {
	const char *path; /* resolved in this process's mount namespace */
	size_t count;
	const uint64_t *offsets;
	const uint64_t *semaphore_offsets; /* 0: none */
	const uint64_t *cookies;
	pid_t pid;	/* 0: every process */
	bool is_return; /* of the functions that begin there: they are probed where they return */
};

/* One of "/", which can have no uprobes: what the kernel objects to tells how far it understood. */
struct attach_sites attach_nowhere(pid_t pid);

/* File descriptors of links and perf events, in the order of attachment. */
struct attach_links {
	int *fds;
	size_t size;
	size_t capacity;
};

/* One uprobe_multi link. `*fd` or -errno: -EPERM, -ESRCH (no such process), -EINVAL (an instruction
 * that cannot be probed), -EOPNOTSUPP. */
int attach_multi(int program_fd, const struct attach_sites *sites, int *fd);
/* One perf event and link per site, added to `links`; all or none of them. */
int attach_perf(int program_fd, const struct attach_sites *sites, struct attach_links *links);

/* Either of the two; the links are added. */
int attach_program(int program_fd, bool use_multi, const struct attach_sites *sites,
		   struct attach_links *links);

int attach_links_add(struct attach_links *links, int fd);
/* Detaches those from `from` on, in no particular order. */
void attach_links_close(struct attach_links *links, size_t from);

/* Dynamic PMU type of uprobes, or -errno. */
int attach_perf_type(void);

#endif
