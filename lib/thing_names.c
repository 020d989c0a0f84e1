/* SPDX-License-Identifier: BSD-2-Clause */
#include "thing_names.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The kernel's own form of a device number (MINORBITS in include/linux/kdev_t.h). */
static dev_t device_of(const struct thing *thing)
{
	return makedev(thing->device >> 20, thing->device & 0xfffff);
}

/* ---- files ---- */

static bool is_file(int folder, const char *fd, const struct thing *thing)
{
	struct stat status;

	return fstatat(folder, fd, &status, 0) == 0 && status.st_ino == thing->inode &&
	       status.st_dev == device_of(thing);
}

/* What the process has open as the file; NULL: it has not. */
static char *find_descriptor(pid_t pid, const struct thing *thing)
{
	char path[PATH_MAX];
	char name[64];
	const struct dirent *entry;
	char *found = NULL;
	ssize_t length;
	DIR *folder;

	snprintf(name, sizeof(name), "/proc/%d/fd", (int)pid);
	folder = opendir(name);
	while (folder && !found && (entry = readdir(folder))) {
		if (!is_file(dirfd(folder), entry->d_name, thing))
			continue;
		length = readlinkat(dirfd(folder), entry->d_name, path, sizeof(path) - 1);
		if (length > 0)
			found = strndup(path, (size_t)length);
	}
	if (folder)
		closedir(folder);
	return found;
}

/* "folder/file", from the names that the kernel noted: the file's first. */
static char *join_names(const struct thing *thing)
{
	char text[THING_NAMES * (THING_NAME_BYTES + 1)] = "";
	size_t used = 0;

	for (int i = THING_NAMES - 1; i >= 0; i--) {
		size_t length = strnlen(thing->names[i], THING_NAME_BYTES);

		if (length == 0 || (length == 1 && thing->names[i][0] == '/'))
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.*s",
					 used ? "/" : "", (int)length, thing->names[i]);
	}
	return strdup(text);
}

static int name_file(const struct thing *thing, const pid_t *pids, size_t pid_count, char **name)
{
	*name = NULL;
	for (size_t i = 0; i < pid_count && !*name; i++)
		*name = find_descriptor(pids[i], thing);
	if (!*name)
		*name = join_names(thing);
	return *name ? 0 : -ENOMEM;
}

/* ---- peers ---- */

static int name_peer(const struct thing *thing, char **name)
{
	char ip[INET6_ADDRSTRLEN] = "";
	bool is_v6 = thing->family == AF_INET6;
	int length;

	if (thing->family == AF_INET || is_v6)
		inet_ntop((int)thing->family, thing->ip, ip, sizeof(ip));
	if (!ip[0])
		length = asprintf(name, "a socket of family %u", thing->family);
	else if (thing->is_own_port)
		length = asprintf(name, "%s at our port %u", ip, thing->port);
	else
		length = asprintf(name, is_v6 ? "[%s]:%u" : "%s:%u", ip, thing->port);
	return length < 0 ? -ENOMEM : 0;
}

int thing_name(const struct thing *thing, const pid_t *pids, size_t pid_count, char **name)
{
	if (thing->kind == THING_PEER)
		return name_peer(thing, name);
	return name_file(thing, pids, pid_count, name);
}
