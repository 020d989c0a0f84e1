/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_H
#define MACHINE_H
/* What programs take from the machine: one CPU, a CPU quota, files on storage. */
#include <limits.h>
#include <linux/magic.h>
#include <mntent.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "truth.h"

/* ---- CPU ---- */

/* This thread, and what it starts, to one CPU. */
static inline void pin(void)
{
	cpu_set_t all;
	cpu_set_t one;
	int cpu = 0;

	check(sched_getaffinity(0, sizeof(all), &all) == 0);
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	check(sched_setaffinity(0, sizeof(one), &one) == 0);
}

/* ---- CPU quota ---- */

struct group {
	char root[256];
	char path[300];
	bool is_v2;
};

static inline void put(const char *folder, const char *name, const char *text)
{
	char path[320];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		missing("cgroup-cpu: a cgroup CPU controller that can be written");
	close(fd);
}

/* The mount of the version 1 hierarchy with the cpu controller, else of version 2. */
static inline bool find_cgroup(char folder[static 256], bool *is_v2)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	bool is_found = false;
	struct mntent *mount;

	*is_v2 = true;
	while (*is_v2 && mounts && (mount = getmntent(mounts))) {
		bool is_v1 = strcmp(mount->mnt_type, "cgroup") == 0 && hasmntopt(mount, "cpu");

		if (!is_v1 && strcmp(mount->mnt_type, "cgroup2") != 0)
			continue;
		snprintf(folder, 256, "%s", mount->mnt_dir);
		is_found = true;
		*is_v2 = !is_v1;
	}
	if (mounts)
		endmntent(mounts);
	return is_found;
}

/* Of all tasks in the group, as the kernel counts it. */
static inline long long throttled_ns(const struct group *group)
{
	char path[320];
	char name[64];
	long long value;
	long long ns = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/cpu.stat", group->path);
	file = fopen(path, "re");
	while (file && fscanf(file, "%63s %lld", name, &value) == 2) {
		if (strcmp(name, "throttled_time") == 0)
			ns = value;
		else if (strcmp(name, "throttled_usec") == 0)
			ns = value * 1000;
	}
	if (file)
		fclose(file);
	return ns;
}

/* A quarter of a CPU for this process alone, before everybody else. */
static inline void enter_group(struct group *group)
{
	if (!find_cgroup(group->root, &group->is_v2))
		missing("cgroup-cpu: a cgroup CPU controller");
	snprintf(group->path, sizeof(group->path), "%s/probekit-waits-%d", group->root,
		 (int)getpid());
	if (group->is_v2)
		put(group->root, "cgroup.subtree_control", "+cpu");
	if (mkdir(group->path, 0755) && errno != EEXIST)
		missing("cgroup-cpu: a cgroup CPU controller that can be written");
	if (group->is_v2) {
		put(group->path, "cpu.weight", "10000");
		put(group->path, "cpu.max", "5000 20000");
	} else {
		put(group->path, "cpu.shares", "262144");
		put(group->path, "cpu.cfs_period_us", "20000");
		put(group->path, "cpu.cfs_quota_us", "5000");
	}
	put(group->path, "cgroup.procs", "0");
}

static inline void leave_group(const struct group *group)
{
	put(group->root, "cgroup.procs", "0");
	rmdir(group->path);
}

/* ---- storage ---- */

/* A new file where storage is behind the file system, with its absolute path. */
static inline int create_stored(char path[static PATH_MAX])
{
	static const char *const folders[] = {".", "/var/tmp", "/root", "/"};

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		char name[64];
		struct statfs about;
		int fd;

		snprintf(name, sizeof(name), "%s/probekit-waits-XXXXXX", folders[i]);
		if (statfs(folders[i], &about) || about.f_type == TMPFS_MAGIC ||
		    about.f_type == RAMFS_MAGIC)
			continue;
		fd = mkostemp(name, O_CLOEXEC);
		if (fd < 0)
			continue;
		check(realpath(name, path) != NULL);
		return fd;
	}
	missing("storage: a file system on a disk");
	return -1;
}

/* To `size_bytes`, a multiple of `block_bytes`, and onto the storage. */
static inline void fill_file(int fd, size_t size_bytes, size_t block_bytes)
{
	char *text = malloc(block_bytes);

	check(text != NULL);
	memset(text, 'x', block_bytes);
	for (size_t at = 0; at < size_bytes; at += block_bytes)
		check(write(fd, text, block_bytes) == (ssize_t)block_bytes);
	free(text);
	check(fsync(fd) == 0);
}

#endif
