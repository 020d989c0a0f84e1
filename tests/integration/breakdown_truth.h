/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_BREAKDOWN_TRUTH_H
#define PROBEKIT_TESTS_BREAKDOWN_TRUTH_H
/*
 * The kernel's own accounts of a thread, its CPU clock and its run delay, as a measured program tells
 * them, and how far a breakdown may be from them.
 */
#include "measure.h"

/* A time that lies between what was read inside the spans and what was read outside. */
struct bracket {
	int64_t low;
	int64_t high;
};

/* What of the wall time is neither CPU nor delay was waited: blocked. */
struct truth {
	struct bracket wall;
	struct bracket cpu;
	struct bracket delay;
	struct bracket blocked;
	int64_t waits;
	int64_t preemptions;
};

/* Of "inner-NAME" and "outer-NAME". */
struct bracket bracket_of(const struct run *run, const char *name);
struct truth truth_of(const struct run *run);

/* Within 2 %, or so much, beyond the bracket. */
void truth_check_between(const char *what, int64_t is, struct bracket truth, int64_t allowed_ns);
int64_t truth_allowed_blocked(const struct probekit_probe *row, const struct truth *truth);
/* Prints how far the row is from the truth, too. */
void truth_check_row(const struct probekit_probe *row, const struct truth *truth);
/* All that was waited is in the one class. */
void truth_check_class(const struct probekit_probe *row, const struct truth *truth,
		       const struct run *run, enum probekit_class time_class);
/* Did the row run for longer than the thread's clock knows? Of what a hypervisor takes less than a tick is
 * told nowhere, which a busy one takes again and again. */
bool truth_is_robbed(const struct run *run, const char *name);

#endif
