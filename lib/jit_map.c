/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading perf maps. Anybody can write to /tmp: the file must be the target's own. */
#include "jit_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "digits.h"
#include "mapped_file.h"

#define JIT_BYTES_MAX (64l << 20)
/* A target that makes its file grow all the time must not keep us reading. */
#define MOMENT_NS 1000000u
#define REST_FACTOR 10

struct jit_function {
	uint64_t start;
	uint64_t size_bytes;
	const char *name;
	size_t order;
};

/* ---- text ---- */

static const char *take_hex(const char *at, uint64_t *number)
{
	const char *start;

	if (at[0] == '0' && (at[1] | 0x20) == 'x')
		at += 2;
	start = at;
	*number = 0;
	for (; digit_value(*at) != NO_DIGIT; at++)
		*number = *number << 4 | digit_value(*at);
	return at > start && at - start <= 16 && *at == ' ' ? at + 1 : NULL;
}

static int add_line(struct jit_map *map, const char *line)
{
	struct jit_function function = {.order = map->size};
	const char *at = take_hex(line, &function.start);

	at = at ? take_hex(at, &function.size_bytes) : NULL;
	if (!at || !*at || !function.size_bytes)
		return 0;
	function.name = at;
	if (map->size == map->capacity) {
		size_t wanted = map->capacity ? map->capacity * 2 : 256;
		struct jit_function *grown = reallocarray(map->functions, wanted, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		map->functions = grown;
		map->capacity = wanted;
	}
	map->functions[map->size++] = function;
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct jit_function *a = left;
	const struct jit_function *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

int jit_map_parse(struct jit_map *map, char *text, size_t size_bytes)
{
	char *end = text + size_bytes;

	*end = '\0';
	free(map->text);
	map->text = text;
	map->size = 0;
	while (text < end) {
		char *newline = memchr(text, '\n', (size_t)(end - text));

		if (!newline) /* its writer is at it */
			break;
		*newline = '\0';
		if (add_line(map, text)) {
			map->size = 0;
			return -ENOMEM;
		}
		text = newline + 1;
	}
	if (map->size)
		qsort(map->functions, map->size, sizeof(*map->functions), compare);
	return 0;
}

/* ---- file ---- */

void jit_map_init(struct jit_map *map, pid_t pid)
{
	char path[64];
	char line[256];
	FILE *status;

	*map = (struct jit_map){.pid = pid};
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	status = fopen(path, "re");
	if (!status)
		return;
	while (fgets(line, sizeof(line), status)) {
		const char *inside = strrchr(line, '\t');

		if (strncmp(line, "Uid:", 4) == 0)
			sscanf(line, "Uid: %*u %u", &map->owner);
		else if (strncmp(line, "NSpid:", 6) == 0 && inside)
			map->pid_inside = atoi(inside);
	}
	fclose(status);
}

void jit_map_done(struct jit_map *map)
{
	free(map->functions);
	free(map->text);
	*map = (struct jit_map){0};
}

static char *read_text(int fd, size_t size_bytes, size_t *read_bytes)
{
	char *text = malloc(size_bytes + 1);
	size_t have = 0;

	while (text && have < size_bytes) {
		ssize_t got = pread(fd, text + have, size_bytes - have, (off_t)have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		have += (size_t)got;
	}
	*read_bytes = have;
	return text;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void read_from(struct jit_map *map, int fd, size_t size_bytes)
{
	uint64_t start_ns = now_ns();
	char *text = read_text(fd, size_bytes, &map->read_bytes);
	uint64_t end_ns;

	if (text && jit_map_parse(map, text, map->read_bytes))
		map->read_bytes = 0;
	end_ns = now_ns();
	map->next_ns =
		end_ns - start_ns < MOMENT_NS ? 0 : end_ns + REST_FACTOR * (end_ns - start_ns);
}

static void read_again(struct jit_map *map)
{
	char root[MAPPED_FILE_ROOT_BYTES];
	char path[64];
	struct stat status;
	int fd;

	if (!map->pid_inside || (map->next_ns && now_ns() < map->next_ns))
		return;
	snprintf(root, sizeof(root), "/proc/%d/root", map->pid);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", map->pid_inside);
	fd = mapped_file_open_below(root, path, O_NOFOLLOW);
	if (fd < 0)
		return;
	if (fstat(fd, &status) == 0 && status.st_uid == map->owner &&
	    status.st_size <= JIT_BYTES_MAX && (size_t)status.st_size != map->read_bytes)
		read_from(map, fd, (size_t)status.st_size);
	close(fd);
}

const char *jit_map_find(struct jit_map *map, uint64_t address, uint64_t *offset)
{
	size_t low = 0;
	size_t high;

	read_again(map);
	high = map->size;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (map->functions[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || address - map->functions[low - 1].start >= map->functions[low - 1].size_bytes)
		return NULL;
	*offset = address - map->functions[low - 1].start;
	return map->functions[low - 1].name;
}
