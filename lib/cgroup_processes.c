/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns finding a cgroup by the name that a user gives it, and listing its processes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "cgroup.h"

#define MAX_DEPTH 64

/* ---- by name ---- */

/* -ENOENT; -ENOTSUP: it is something else. */
static int check_folder(const char *folder)
{
	int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs status;
	int result = 0;

	if (fd < 0)
		return errno == ENOTDIR ? -ENOTSUP : -errno;
	if (fstatfs(fd, &status))
		result = -errno;
	else if ((status.f_type != CGROUP_SUPER_MAGIC && status.f_type != CGROUP2_SUPER_MAGIC) ||
		 faccessat(fd, "cgroup.procs", F_OK, 0))
		result = -ENOTSUP; /* as the folder that hierarchies are mounted in */
	close(fd);
	return result;
}

static int find_below(const char *type, const char *path, char **folder)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *mount;
	int result = -ENOENT;

	if (!mounts)
		return -errno;
	while (result == -ENOENT && (mount = getmntent(mounts))) {
		char *candidate;

		if (strcmp(mount->mnt_type, type) != 0)
			continue;
		if (asprintf(&candidate, "%s/%s", mount->mnt_dir, path) < 0) {
			result = -ENOMEM;
			break;
		}
		if (check_folder(candidate) == 0) {
			*folder = candidate;
			result = 0;
		} else {
			free(candidate);
		}
	}
	endmntent(mounts);
	return result;
}

int cgroup_open(const char *path, char **folder, struct probekit_error *err)
{
	int result = *path == '/' ? check_folder(path) : -ENOENT;

	if (!*path)
		return error_usage(err, "a cgroup is named by its path, which is empty");
	if (!result) {
		*folder = strdup(path);
		return *folder ? 0 : error_no_memory(err);
	}
	if (result == -ENOTSUP)
		return error_failed(err, result, "'%s' is not a cgroup", path);
	if (result != -ENOENT)
		return error_errno(err, result, "cannot open the cgroup '%s'", path);
	/* /proc/PID/cgroup has them with a slash too. */
	result = find_below("cgroup2", path, folder);
	if (result == -ENOENT)
		result = find_below("cgroup", path, folder);
	if (result == -ENOMEM)
		return error_no_memory(err);
	if (!result)
		return 0;
	error_failed(err, -ENOENT, "there is no cgroup '%s'", path);
	return error_hint(err, -ENOENT, "see 'systemd-cgls', or /proc/PID/cgroup of a process");
}

/* ---- its processes ---- */

struct list {
	pid_t *pids;
	size_t count;
	size_t room;
};

static int add_pid(struct list *list, pid_t pid)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		pid_t *pids = reallocarray(list->pids, room, sizeof(*pids));

		if (!pids)
			return -ENOMEM;
		list->pids = pids;
		list->room = room;
	}
	list->pids[list->count++] = pid;
	return 0;
}

/* A cgroup of threads (version 2) refuses: its processes are told by one around it. */
static int read_own(int folder, struct list *list)
{
	int fd = openat(folder, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	int result = 0;
	pid_t pid;

	if (!file) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (!result && fscanf(file, "%d", &pid) == 1)
		if (pid > 0) /* 0: of another PID namespace, whose processes cannot be seen */
			result = add_pid(list, pid);
	fclose(file);
	return result;
}

/* Takes the descriptor over. */
static int read_tree(int folder, int depth, struct list *list)
{
	int result = read_own(folder, list);
	DIR *entries = result ? NULL : fdopendir(folder);
	struct dirent *entry;

	if (!entries) {
		close(folder);
		return result;
	}
	while (!result && (entry = readdir(entries))) {
		int below;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		below = depth < MAX_DEPTH ? openat(folder, entry->d_name,
						   O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
					  : -1;
		if (below >= 0) /* it may be gone by now */
			result = read_tree(below, depth + 1, list);
	}
	closedir(entries);
	return result;
}

int cgroup_processes(const char *folder, pid_t **pids, size_t *count)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct list list = {0};
	int result = fd < 0 ? -errno : read_tree(fd, 0, &list);

	if (result) {
		free(list.pids);
		return result;
	}
	*pids = list.pids;
	*count = list.count;
	return 0;
}
