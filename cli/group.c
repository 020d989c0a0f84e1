/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the walk down a tree of processes in /proc. */
#include "group.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

enum { DEPTH_MAX = 100 };

static pid_t find_below(pid_t pid, pid_t group, int depth);

/* Those that one thread has created. */
static pid_t find_in(FILE *children, pid_t group, int depth)
{
	pid_t stray = 0;
	pid_t child;

	while (!stray && fscanf(children, "%d", &child) == 1) {
		pid_t its = getpgid(child);

		if (its > 0 && its != group)
			stray = child;
		else if (its > 0 && depth < DEPTH_MAX)
			stray = find_below(child, group, depth + 1);
	}
	return stray;
}

static pid_t find_below(pid_t pid, pid_t group, int depth)
{
	const struct dirent *thread;
	pid_t stray = 0;
	char path[320];
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	threads = opendir(path);
	while (threads && !stray && (thread = readdir(threads))) {
		FILE *children;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/children", (int)pid, thread->d_name);
		children = fopen(path, "re");
		if (!children)
			continue; /* "." and "..", or it has just ended */
		stray = find_in(children, group, depth);
		fclose(children);
	}
	if (threads)
		closedir(threads);
	return stray;
}

pid_t group_find_stray(pid_t leader)
{
	return find_below(leader, leader, 0);
}
