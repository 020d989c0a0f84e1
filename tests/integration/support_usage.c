/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what the kernel says that a process takes: of memory, of descriptors, of memory for BPF. */
#include "support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The sum of the numbers that stand behind `name` in a file of /proc; 0 where the file has gone. */
static uint64_t number_in(const char *path, const char *name)
{
	char line[256];
	uint64_t number = 0;
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			number += strtoull(line + strlen(name), NULL, 10);
	if (file)
		fclose(file);
	return number;
}

static uint64_t number_of(pid_t pid, const char *file, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return number_in(path, name);
}

struct support_usage support_read_usage(pid_t pid)
{
	struct support_usage usage = {
		.resident_kib = number_of(pid, "status", "VmRSS:"),
		.peak_kib = number_of(pid, "status", "VmHWM:"),
		.own_kib = number_of(pid, "smaps_rollup", "Pss:"),
	};
	char folder[64];
	char path[384];
	struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%d/fdinfo", (int)pid);
	dir = opendir(folder);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		usage.bpf_kib += number_in(path, "memlock:") / 1024;
		usage.verified += number_in(path, "verified_insns:");
		usage.files++;
	}
	closedir(dir);
	return usage;
}
