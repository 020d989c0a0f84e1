/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CGROUP_H
#define PROBEKIT_CGROUP_H
/* Cgroups of version 1 and 2: the CPU quota of a process's, and the processes of one. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

struct cpu_quota {
	bool is_set;
	double cpus;		/* the tightest of the process's cgroup and those around it */
	uint64_t throttled;	/* periods in which that cgroup was held back, since it was made */
	char folder[4096 - 64]; /* of that cgroup */
};

/* 0, or -errno: -ENOENT where no cgroup file system with the CPU controller is mounted or the
 * process's cgroup lies outside what is mounted. */
int cgroup_cpu_quota(pid_t pid, struct cpu_quota *quota);

/* From the text of /proc/PID/cgroup: the path in the hierarchy of version 1 that has the CPU
 * controller, else in that of version 2 (*is_v2). -ENOENT. */
int cgroup_find_path(const char *text, char *path, size_t size, bool *is_v2);
/* From the text of /proc/self/mountinfo: the folder that `path` of that hierarchy is mounted at, and
 * the length of what of it is the mount point. -ENOENT. */
int cgroup_find_folder(const char *text, bool is_v2, const char *path, char *folder, size_t size,
		       size_t *mount_length);

/* The folder of the cgroup that `path` names: absolute, or below a mounted hierarchy, version 2 first. */
int cgroup_open(const char *path, char **folder, struct probekit_error *err);

/* The processes in the cgroup and those below, as far as we can see them, each perhaps more than once.
 * -ENOENT: there is no such cgroup any more; -ENOMEM. */
int cgroup_processes(const char *folder, pid_t **pids, size_t *count);

#endif
