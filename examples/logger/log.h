/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log file of the service: lines are collected in memory and flushed (write and fsync) when
 * an urgent one comes or the buffer is full.
 *
 * LOG_SYNC flushes in the thread that appends, holding log_mutex: every other thread that wants
 * to log queues behind that fsync. LOG_BUFFERED hands full buffers to a background thread, which
 * flushes them without the mutex.
 */
#ifndef LOGGER_LOG_H
#define LOGGER_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* Keeps a function a frame of its own, under its own name, in every stack a profiler shows. */
#ifdef __clang__
#define OWN_FRAME __attribute__((noinline))
#else
#define OWN_FRAME __attribute__((noinline, noclone))
#endif

enum log_mode {
	LOG_SYNC,
	LOG_BUFFERED,
};

struct log;

/* Guards every field of the log; global, so that tools can name it. */
extern pthread_mutex_t log_mutex;

/*
 * Opens path for appending; NULL means a temporary file, removed by log_close(). NULL after an
 * error, which is printed.
 */
struct log *log_open(const char *path, enum log_mode mode);

/*
 * Adds a line, which must end in a newline and be far shorter than the buffer. An urgent line is
 * flushed at once: before this returns in LOG_SYNC, soon after in LOG_BUFFERED. Returns -1 when
 * the log has failed; the first failure is printed.
 */
int append_line(struct log *log, const char *line, size_t size, bool is_urgent);

/* Flushes what is left and frees the log. Returns -1 when any line was lost. */
int log_close(struct log *log, unsigned long *flushes);

#endif
