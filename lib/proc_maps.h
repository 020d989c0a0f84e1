/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PROC_MAPS_H
#define PROBEKIT_PROC_MAPS_H
/* The text of /proc/PID/maps (proc(5)). Pure: the caller reads the file. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proc_map {
	uint64_t start;
	uint64_t end;
	uint64_t offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	bool is_executable;
	bool is_writable;
	bool is_shared;
	bool is_deleted; /* the path ended in " (deleted)", which is taken off */
	/* "" when anonymous; names such as [heap] keep their brackets. The kernel writes a newline
	 * as \012, which is undone; it does not escape the backslash, so a file whose name has
	 * these four characters reads wrong. */
	char *path;
};

struct proc_maps {
	struct proc_map *maps;
	size_t size;
	size_t bad_lines; /* not understood, left out */
};

/* Parses `size_bytes` of text; a line cut short at the end counts as bad. -ENOMEM. */
int proc_maps_parse(const char *text, size_t size_bytes, struct proc_maps *maps);
void proc_maps_done(struct proc_maps *maps);

#endif
