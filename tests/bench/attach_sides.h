/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_BENCH_ATTACH_SIDES_H
#define PROBEKIT_BENCH_ATTACH_SIDES_H
/* Sides that several groups have: a session of the library, and programs that do nothing, on spans
 * of one process. */
#include <probekit/probekit.h>

#include "attachment.h"
#include "bench.h"
#include "object.h"

struct bench_session {
	struct probekit_session *session;
	/* of the one row, once ended */
	uint64_t count;
	double median_ns;
	double mean_ns;
};

/* Measures this span of the process, attached at this instruction: POINT_NOP5 even where forked
 * children would not survive it. Without breakdown there is the histogram alone. bench_missing() where the
 * kernel does not optimise the instruction. */
int bench_session_start(struct bench_run *run, struct bench_session *session, pid_t pid,
			const char *span, enum point point, bool has_breakdown);
int bench_session_end(struct bench_run *run, struct bench_session *session);

struct bench_empty {
	struct attachment attachment;
	struct object *object;
	uint64_t hits; /* once ended */
};

/* Attaches the program that only counts its runs to every site of the file in this process. */
int bench_empty_start(struct bench_run *run, struct bench_empty *empty, const char *path, pid_t pid,
		      enum point point);
void bench_empty_end(struct bench_empty *empty);

#endif
