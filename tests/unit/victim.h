/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_VICTIM_H
#define PROBEKIT_TESTS_VICTIM_H
/* A program of ours that tells what its stack holds, and the stack as a tracer gets it. */
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "proc_maps.h"
#include "unwind.h"

#define VICTIM_LINES_MAX 512

struct victim {
	pid_t pid;
	pid_t tid; /* that blocks */
	int input; /* the program's; closed to end it */
	FILE *output;
	char lines[VICTIM_LINES_MAX][256];
	size_t line_count;
	struct proc_maps maps;
	struct unwind_registers registers;
	struct unwind_stack stack;
	char *copy;
};

/* Starts `path` (relative: in the build's tests/programs) and takes its lines up to the one that
 * begins with `last`; reads its maps. Any failure fails the test. */
void victim_start(struct victim *victim, const char *path, const char *argument,
		  const char *argument2, const char *last);
/* Waits until the thread that its last line names blocks in a futex, and takes its registers (the
 * three that are always known, or all that calls preserve) and at most `copy_bytes` of its stack. */
void victim_capture(struct victim *victim, size_t copy_bytes, bool has_all_registers);
/* Ends the program, and keeps all that was taken. */
void victim_end(struct victim *victim);
void victim_done(struct victim *victim);

/* A path in the build's tests/programs. */
void victim_program_path(const char *name, char *path, size_t size);

#endif
