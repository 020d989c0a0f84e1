/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tracer of the own process, without privilege: it reads the USDT notes of the program and its
 * shared objects as any tracer does, plants a breakpoint on each site of provider `matrix`, and
 * raises the semaphores between trace_start and trace_stop. What it sees is the truth the tests
 * compare with.
 */
#ifndef TESTS_HEADERS_TRACE_H
#define TESTS_HEADERS_TRACE_H

#ifdef __cplusplus
extern "C" {
#endif

/* Plants the breakpoints; ends the process with a message when the notes make no sense. */
void trace_init(void);
void trace_start(void);
void trace_stop(void);

/* The names hit since trace_start, in order, separated by blanks. */
const char *trace_names(void);

/*
 * How many ends of scoped spans had another stack pointer than their begin's less the return
 * address. Names that contain "alloca" may be lower.
 */
int trace_sp_faults(void);

/* Sites reached while the semaphores were down, since the start. */
int trace_stray_hits(void);

#ifdef __cplusplus
}
#endif

#endif
