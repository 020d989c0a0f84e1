/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_JIT_MAP_H
#define PROBEKIT_JIT_MAP_H
/* What run-time compilers tell about the code they made: /tmp/perf-PID.map, lines of start and size
 * in hexadecimal, and a name. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct jit_map {
	struct jit_function *functions; /* by start */
	size_t size;
	size_t capacity;
	char *text; /* holds the names */
	pid_t pid;
	uid_t owner;
	pid_t pid_inside; /* in the process's own PID namespace; 0: nothing is known of it */
	size_t read_bytes;
	uint64_t next_ns; /* CLOCK_MONOTONIC; not read again before */
};

/* Takes down whose the file must be while the process is there to tell. */
void jit_map_init(struct jit_map *map, pid_t pid);
void jit_map_done(struct jit_map *map);

/* The function at `address`, or NULL; its name lives until the next call. Reads the file, in the
 * target's root, where it has grown since: a regular file of the target's user, of at most 64 MiB;
 * one that takes long to read only after ten times as long. */
const char *jit_map_find(struct jit_map *map, uint64_t address, uint64_t *offset);

/* Replaces the functions by those of `text`, which is taken over (from malloc, with room for one
 * byte behind `size_bytes`). Lines that are not understood are left out; of functions that begin at
 * one address the last counts. -ENOMEM. */
int jit_map_parse(struct jit_map *map, char *text, size_t size_bytes);

#endif
