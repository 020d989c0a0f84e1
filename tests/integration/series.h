/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SERIES_H
#define SERIES_H
/*
 * Runs of one program after another. To start a session takes a guest under emulation a second and more:
 * there one session of the program's file serves them all, and each run is an interval of it. Elsewhere
 * others may run the program at the same time, and each run is the command of a session of its own.
 */
#include "measure.h"

/* As measure_run(), of whose arguments it takes the command, the pair and functions, which begin a session unless
 * they are the same arrays as before; globs only where each run has a session of its own. */
void series_run(const struct measure *what, struct run *run);
/* As measure_program(). */
void series_program(const char *name, const char *mode, const char *count, struct run *run);
/* The next run begins a session, as is needed for another environment. */
void series_end(void);
/* The same, for a test or a group. */
int series_tear_down(void **state);

#endif
