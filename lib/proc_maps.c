/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the text of /proc/PID/maps: one struct for each line that is understood, in their order. */
#include "proc_maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "digits.h"

static const char DELETED[] = " (deleted)";

/* What is left of a line. */
struct cursor {
	const char *at;
	const char *end;
};

static bool take_char(struct cursor *line, char wanted)
{
	if (line->at == line->end || *line->at != wanted)
		return false;
	line->at++;
	return true;
}

/* One or more digits. */
static bool take_number(struct cursor *line, unsigned int base, uint64_t *number)
{
	const char *end = digits_read(line->at, line->end, base, number);

	if (!end || end == line->at)
		return false;
	line->at = end;
	return true;
}

/* "r-xp": each place has its letter or '-', the last is 's' or 'p'. */
static bool take_permissions(struct cursor *line, struct proc_map *map)
{
	static const char letters[] = "rwx";
	bool is_set[3];

	for (int i = 0; i < 3; i++) {
		is_set[i] = take_char(line, letters[i]);
		if (!is_set[i] && !take_char(line, '-'))
			return false;
	}
	map->is_writable = is_set[1];
	map->is_executable = is_set[2];
	map->is_shared = take_char(line, 's');
	return map->is_shared || take_char(line, 'p');
}

static bool take_device(struct cursor *line, struct proc_map *map)
{
	uint64_t major;
	uint64_t minor;

	if (!take_number(line, 16, &major) || !take_char(line, ':') ||
	    !take_number(line, 16, &minor) || major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	map->dev_major = (uint32_t)major;
	map->dev_minor = (uint32_t)minor;
	return true;
}

/* Everything before the path; false when the line is not understood. */
static bool take_fields(struct cursor *line, struct proc_map *map)
{
	if (!take_number(line, 16, &map->start) || !take_char(line, '-') ||
	    !take_number(line, 16, &map->end) || !take_char(line, ' ') ||
	    !take_permissions(line, map) || !take_char(line, ' ') ||
	    !take_number(line, 16, &map->offset) || !take_char(line, ' ') ||
	    !take_device(line, map) || !take_char(line, ' ') || !take_number(line, 10, &map->inode))
		return false;
	if (map->start >= map->end)
		return false;
	return line->at == line->end || *line->at == ' ';
}

/* Copies the path, with \012 turned into the newline it stands for. */
static char *copy_path(const char *path, size_t length)
{
	char *copy = malloc(length + 1);
	size_t used = 0;

	if (!copy)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		if (length - i >= 4 && memcmp(path + i, "\\012", 4) == 0) {
			copy[used++] = '\n';
			i += 3;
		} else {
			copy[used++] = path[i];
		}
	}
	copy[used] = '\0';
	return copy;
}

/* 0, -EINVAL for a line that is not understood, or -ENOMEM. */
static int parse_line(struct cursor line, struct proc_map *map)
{
	size_t suffix = sizeof(DELETED) - 1;
	size_t length;

	*map = (struct proc_map){0};
	if (!take_fields(&line, map) || memchr(line.at, '\0', (size_t)(line.end - line.at)))
		return -EINVAL;
	while (take_char(&line, ' '))
		;
	length = (size_t)(line.end - line.at);
	if (length > suffix && memcmp(line.end - suffix, DELETED, suffix) == 0) {
		map->is_deleted = true;
		length -= suffix;
	}
	map->path = copy_path(line.at, length);
	return map->path ? 0 : -ENOMEM;
}

static int append(struct proc_maps *maps, size_t *capacity, const struct proc_map *map)
{
	if (maps->size == *capacity) {
		size_t wanted = *capacity ? *capacity * 2 : 64;
		struct proc_map *grown = reallocarray(maps->maps, wanted, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		maps->maps = grown;
		*capacity = wanted;
	}
	maps->maps[maps->size++] = *map;
	return 0;
}

int proc_maps_parse(const char *text, size_t size_bytes, struct proc_maps *maps)
{
	struct proc_maps result = {0};
	size_t capacity = 0;
	size_t at = 0;

	while (at < size_bytes) {
		const char *newline = memchr(text + at, '\n', size_bytes - at);
		struct proc_map map;
		int code = -EINVAL;

		if (newline)
			code = parse_line((struct cursor){text + at, newline}, &map);
		if (code == 0) {
			code = append(&result, &capacity, &map);
			if (code)
				free(map.path);
		}
		if (code == -ENOMEM) {
			proc_maps_done(&result);
			return code;
		}
		if (code)
			result.bad_lines++;
		at = newline ? (size_t)(newline - text) + 1 : size_bytes;
	}
	*maps = result;
	return 0;
}

void proc_maps_done(struct proc_maps *maps)
{
	for (size_t i = 0; i < maps->size; i++)
		free(maps->maps[i].path);
	free(maps->maps);
	*maps = (struct proc_maps){0};
}
