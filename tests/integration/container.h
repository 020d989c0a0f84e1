/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_CONTAINER_H
#define PROBEKIT_TESTS_CONTAINER_H
/*
 * Containers as runtimes make them, but for the runtime: a process in PID, mount, user and cgroup namespaces of its
 * own, which sees its own files. Needs root.
 */
#include "support.h"

enum container_files {
	CONTAINER_COPIES,  /* in a tmpfs of its own: another device, and often the same inodes */
	CONTAINER_BOUND,   /* the same files under another name */
	CONTAINER_OVERLAY, /* over a layer that containers share, as of one image */
};

struct container {
	enum container_files files;
	const char *source;	  /* a folder of the host */
	const char *const *names; /* of files in it, NULL-terminated */
	/* Where these are inside; what the host has there is not seen. A folder that is there. */
	const char *folder;
	const char *cgroup; /* a folder that it starts in; NULL: ours */
};

/* Starts `words` inside. The PID is the host's; 1 inside. */
void container_start(struct support_child *child, const struct container *container,
		     const char *const words[]);

/* Has our next children begin a PID namespace, or (false) not any more. */
void container_divide_pids(bool is_divided);

/* Of a thread, as the innermost PID namespace has it; 0: there is no such thread. */
pid_t container_inner_tid(pid_t pid, pid_t tid);

/* Skips the test where namespaces cannot be made. */
void container_require(void);

#endif
