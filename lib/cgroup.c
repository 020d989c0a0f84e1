/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns finding a cgroup's folder, and reading its CPU quota there. */
#include "cgroup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 4096

/* Is `word` one of the words in `list`, which commas part and any of `ends` ends? */
static bool has_word(const char *list, const char *ends, const char *word)
{
	size_t length = strlen(word);
	size_t left = strcspn(list, ends);

	while (left) {
		size_t item = strcspn(list, ",");

		item = item < left ? item : left;
		if (item == length && memcmp(list, word, length) == 0)
			return true;
		item += item < left;
		list += item;
		left -= item;
	}
	return false;
}

/* A line "ID:CONTROLLERS:PATH"; version 2 has ID 0 and no controllers. */
int cgroup_find_path(const char *text, char *path, size_t size, bool *is_v2)
{
	bool is_found = false;

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *controllers = strchr(line, ':');
		const char *begin = controllers ? strchr(controllers + 1, ':') : NULL;
		size_t length;

		if (!begin || memchr(line, '\n', (size_t)(begin - line)))
			continue;
		length = strcspn(++begin, "\n");
		if (length >= size)
			continue;
		if (!has_word(controllers + 1, ":", "cpu") && (is_found || controllers[1] != ':'))
			continue;
		memcpy(path, begin, length);
		path[length] = '\0';
		*is_v2 = controllers[1] == ':';
		is_found = true;
		if (!*is_v2)
			break;
	}
	return is_found ? 0 : -ENOENT;
}

/* Field `n` (from 0) of a line of words, or NULL. */
static const char *field(const char *line, int n)
{
	size_t length = strcspn(line, "\n");
	const char *end = line + length;

	for (; n; n--) {
		line += strcspn(line, " \n");
		if (line >= end)
			return NULL;
		line++;
	}
	return line;
}

/* "ID PARENT DEVICE ROOT MOUNT-POINT OPTIONS ... - TYPE SOURCE SUPER-OPTIONS" (proc(5)) */
static int folder_of_line(const char *line, bool is_v2, const char *path, char *folder, size_t size,
			  size_t *mount_length)
{
	const char *root = field(line, 3);
	const char *point = field(line, 4);
	const char *dash = strstr(line, " - ");
	const char *type = dash && dash < line + strcspn(line, "\n") ? dash + 3 : NULL;
	const char *options = type ? field(type, 2) : NULL;
	size_t root_length, point_length;

	if (!root || !point || !options)
		return -ENOENT;
	if (is_v2 ? strncmp(type, "cgroup2 ", 8) != 0
		  : strncmp(type, "cgroup ", 7) != 0 || !has_word(options, " \n", "cpu"))
		return -ENOENT;
	root_length = strcspn(root, " ");
	point_length = strcspn(point, " ");
	if (root_length == 1)
		root_length = 0; /* "/" */
	if (strncmp(path, root, root_length) != 0 ||
	    (path[root_length] != '/' && path[root_length] != '\0'))
		return -ENOENT;
	path += root_length;
	if (strcmp(path, "/") == 0)
		path = "";
	if (point_length + strlen(path) >= size)
		return -ENAMETOOLONG;
	snprintf(folder, size, "%.*s%s", (int)point_length, point, path);
	*mount_length = point_length;
	return 0;
}

int cgroup_find_folder(const char *text, bool is_v2, const char *path, char *folder, size_t size,
		       size_t *mount_length)
{
	/* A cgroup outside our cgroup namespace */
	if (strncmp(path, "/..", 3) == 0)
		return -ENOENT;
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (folder_of_line(line, is_v2, path, folder, size, mount_length) == 0)
			return 0;
	return -ENOENT;
}

/* ---- files ---- */

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

static bool read_file(const char *folder, const char *name, char *text, size_t size)
{
	char path[PATH_SIZE];
	FILE *file;
	size_t got;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	got = fread(text, 1, size - 1, file);
	fclose(file);
	text[got] = '\0';
	return got > 0;
}

/* CPUs that the cgroup may use, or 0: no limit, or no CPU controller. */
static double read_limit(const char *folder, bool is_v2)
{
	char text[64];
	char period_text[64];
	double quota = 0;
	double period = 0;

	if (is_v2) {
		if (!read_file(folder, "cpu.max", text, sizeof(text)) ||
		    sscanf(text, "%lf %lf", &quota, &period) != 2)
			return 0;
	} else {
		if (!read_file(folder, "cpu.cfs_quota_us", text, sizeof(text)) ||
		    !read_file(folder, "cpu.cfs_period_us", period_text, sizeof(period_text)) ||
		    sscanf(text, "%lf", &quota) != 1 || sscanf(period_text, "%lf", &period) != 1)
			return 0;
	}
	return quota > 0 && period > 0 ? quota / period : 0;
}

static uint64_t read_throttled(const char *folder)
{
	char text[1024];
	uint64_t count = 0;
	const char *at;

	if (!read_file(folder, "cpu.stat", text, sizeof(text)))
		return 0;
	at = strstr(text, "nr_throttled ");
	if (at)
		sscanf(at, "nr_throttled %" SCNu64, &count);
	return count;
}

static void read_quota(char *folder, size_t mount_length, bool is_v2, struct cpu_quota *quota)
{
	*quota = (struct cpu_quota){0};
	for (;;) {
		double cpus = read_limit(folder, is_v2);
		char *slash;

		if (cpus > 0 && (!quota->is_set || cpus < quota->cpus)) {
			quota->is_set = true;
			quota->cpus = cpus;
			quota->throttled = read_throttled(folder);
			snprintf(quota->folder, sizeof(quota->folder), "%s", folder);
		}
		slash = strrchr(folder, '/');
		if (!slash || (size_t)(slash - folder) < mount_length)
			return;
		*slash = '\0';
	}
}

int cgroup_cpu_quota(pid_t pid, struct cpu_quota *quota)
{
	char *mounts = read_text("/proc/self/mountinfo");
	char path[PATH_SIZE - 64];
	char folder[PATH_SIZE - 64];
	char name[64];
	size_t mount_length;
	char *cgroups;
	bool is_v2;
	int result;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	cgroups = read_text(name);
	result =
		mounts && cgroups ? cgroup_find_path(cgroups, path, sizeof(path), &is_v2) : -ENOENT;
	if (!result)
		result = cgroup_find_folder(mounts, is_v2, path, folder, sizeof(folder),
					    &mount_length);
	free(mounts);
	free(cgroups);
	if (!result)
		read_quota(folder, mount_length, is_v2, quota);
	return result;
}
