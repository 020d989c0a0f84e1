/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench_memory_usage.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP_NAME "probekit-bench" /* one that a bench left when it was killed is found again */
#define MAX_MAPS 64
#define REMOVE_TIMEOUT_MS 5000

/* ---- the group ---- */

static const struct hierarchy {
	const char *root;
	const char *line; /* of /proc/self/cgroup */
	const char *counter;
	const char *field;
} hierarchies[] = {
	{"/sys/fs/cgroup/memory", ":memory:", "memory.kmem.usage_in_bytes", NULL},
	{"/sys/fs/cgroup", "0::", "memory.stat", "kernel "},
};

/* The bench's own group in that hierarchy. */
static int find_home(const struct hierarchy *hierarchy, char *home, size_t size)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[900];
	int result = -ENOENT;

	if (!file)
		return -errno;
	while (result && fgets(line, sizeof(line), file)) {
		const char *found = strstr(line, hierarchy->line);

		if (!found)
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(home, size, "%s%s", hierarchy->root, found + strlen(hierarchy->line));
		result = 0;
	}
	fclose(file);
	return result;
}

static double read_number(const char *path, const char *field)
{
	FILE *file = fopen(path, "re");
	char line[256];
	double number = NAN;

	if (!file)
		return NAN;
	while (isnan(number) && fgets(line, sizeof(line), file))
		if (!field || strncmp(line, field, strlen(field)) == 0)
			sscanf(line + (field ? strlen(field) : 0), "%lf", &number);
	fclose(file);
	return number;
}

double memory_group_kernel_bytes(const struct memory_group *group)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", group->path, group->counter);
	return read_number(path, group->field);
}

int memory_group_create(struct bench_run *run, struct memory_group *group)
{
	for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++) {
		const struct hierarchy *hierarchy = &hierarchies[i];

		*group = (struct memory_group){.counter = hierarchy->counter,
					       .field = hierarchy->field};
		if (find_home(hierarchy, group->home, sizeof(group->home)))
			continue;
		snprintf(group->path, sizeof(group->path), "%s/" GROUP_NAME, hierarchy->root);
		rmdir(group->path);
		if (mkdir(group->path, 0755) == 0 && !isnan(memory_group_kernel_bytes(group)))
			return 0;
		memory_group_remove(group);
	}
	return bench_missing(run, "no memory cgroup can be made that accounts for the kernel's");
}

/* A process leaves its group only some time after it has been reaped. */
void memory_group_remove(struct memory_group *group)
{
	uint64_t until = bench_now_ns() + REMOVE_TIMEOUT_MS * 1000000ull;

	while (*group->path && rmdir(group->path) && errno == EBUSY && bench_now_ns() < until)
		poll(NULL, 0, 1);
	*group->path = 0;
}

static int move_to(struct bench_run *run, const char *group)
{
	char path[1100];
	FILE *file;
	int result;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	file = fopen(path, "we");
	if (!file)
		return bench_fail(run, "cannot open '%s': %s", path, strerror(errno));
	fprintf(file, "%d\n", getpid());
	result = fclose(file);
	return result ? bench_fail(run, "cannot enter '%s': %s", group, strerror(errno)) : 0;
}

int memory_group_enter(struct bench_run *run, const struct memory_group *group)
{
	return move_to(run, group->path);
}

int memory_group_leave(struct bench_run *run, const struct memory_group *group)
{
	return move_to(run, group->home);
}

/* ---- the process ---- */

struct map {
	uint32_t id;
	uint64_t bytes;
};

static bool read_map(const char *path, struct map *map)
{
	FILE *file = fopen(path, "re");
	char line[128];
	int found = 0;

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		found += sscanf(line, "map_id: %" SCNu32, &map->id) == 1;
		found += sscanf(line, "memlock: %" SCNu64, &map->bytes) == 1;
	}
	fclose(file);
	return found == 2; /* programs have a memlock too, and no map_id */
}

double memory_map_bytes(pid_t pid)
{
	struct map maps[MAX_MAPS];
	size_t count = 0;
	const struct dirent *entry;
	double sum = 0;
	char path[320];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
	folder = opendir(path);
	if (!folder)
		return NAN;
	while (count < MAX_MAPS && (entry = readdir(folder))) {
		size_t same = 0;

		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", pid, entry->d_name);
		if (!read_map(path, &maps[count]))
			continue;
		while (maps[same].id != maps[count].id)
			same++;
		if (same < count)
			continue;
		sum += (double)maps[count++].bytes;
	}
	closedir(folder);
	return sum;
}

double memory_user_bytes(pid_t pid)
{
	bool is_bpf_map = false;
	char line[4500];
	char path[64];
	double sum = 0;
	double kib;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	file = fopen(path, "re");
	if (!file)
		return NAN;
	while (fgets(line, sizeof(line), file)) {
		uint64_t edges[2];
		char access[8];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &edges[0], &edges[1], access) == 3)
			is_bpf_map = strstr(line, "anon_inode:bpf-map");
		else if (!is_bpf_map && sscanf(line, "Rss: %lf", &kib) == 1)
			sum += kib * 1024;
	}
	fclose(file);
	return sum;
}
