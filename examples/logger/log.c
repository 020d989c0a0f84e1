/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log and its two ways to flush. Invariant: everything in struct log is read and written
 * under log_mutex, but for the spare buffer, which belongs to the writer thread while it flushes.
 */
#define _GNU_SOURCE 1
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <probekit/probe.h>

struct buffer {
	size_t used;
	char bytes[64 * 1024];
};

struct log {
	enum log_mode mode;
	int fd;
	char *path;
	bool is_temporary;
	bool has_failed;
	bool is_flush_wanted;
	bool is_closing;
	unsigned long flushes;
	struct buffer *active; /* lines are appended here */
	struct buffer *spare;  /* LOG_BUFFERED: empty, or being flushed by the writer */
	pthread_t writer;
	pthread_cond_t flush_wanted;
	pthread_cond_t has_room;
	struct buffer buffers[2];
};

pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;

/* Writes the buffer and waits until the disk has it: the slow part of the service. */
OWN_FRAME static int flush_log(int fd, const struct buffer *buffer)
{
	PROBEKIT_SPAN(logger, flush);
	size_t done = 0;

	while (done < buffer->used) {
		ssize_t n = write(fd, buffer->bytes + done, buffer->used - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	/* A pipe or a character device cannot be synced, and need not be. */
	if (fsync(fd) && errno != EINVAL)
		return -errno;
	return 0;
}

static void note_flush(struct log *log, int error)
{
	log->flushes++;
	if (error && !log->has_failed)
		fprintf(stderr, "logger: cannot write '%s': %s\n", log->path, strerror(-error));
	if (error)
		log->has_failed = true;
}

static void request_flush(struct log *log)
{
	log->is_flush_wanted = true;
	pthread_cond_signal(&log->flush_wanted);
}

OWN_FRAME int append_line(struct log *log, const char *line, size_t size, bool is_urgent)
{
	PROBEKIT_SPAN(logger, append);
	struct buffer *buffer;
	bool is_flush_due, has_failed;

	{
		PROBEKIT_SPAN(logger, lock);
		pthread_mutex_lock(&log_mutex);
	}
	/* The buffer is bounded: callers outrunning the disk for long wait here. */
	while (log->mode == LOG_BUFFERED && log->active->used + size > sizeof(buffer->bytes)) {
		request_flush(log);
		pthread_cond_wait(&log->has_room, &log_mutex);
	}
	buffer = log->active;
	memcpy(buffer->bytes + buffer->used, line, size);
	buffer->used += size;

	is_flush_due = is_urgent || buffer->used > sizeof(buffer->bytes) / 2;
	if (is_flush_due && log->mode == LOG_BUFFERED) {
		request_flush(log);
	} else if (is_flush_due) {
		/* The mistake this example shows: everybody waits for this thread's fsync. */
		note_flush(log, flush_log(log->fd, buffer));
		buffer->used = 0;
	}
	has_failed = log->has_failed;
	pthread_mutex_unlock(&log_mutex);
	return has_failed ? -1 : 0;
}

/* LOG_BUFFERED: takes the whole active buffer and flushes it while others fill the spare. */
static void *writer_main(void *arg)
{
	struct log *log = arg;

	pthread_mutex_lock(&log_mutex);
	for (;;) {
		struct buffer *full;
		int error;

		while (!log->is_flush_wanted && !log->is_closing)
			pthread_cond_wait(&log->flush_wanted, &log_mutex);
		if (log->is_closing && !log->active->used)
			break;
		full = log->active;
		log->active = log->spare;
		log->spare = full;
		log->is_flush_wanted = false;
		pthread_cond_broadcast(&log->has_room);

		pthread_mutex_unlock(&log_mutex);
		error = flush_log(log->fd, full);
		pthread_mutex_lock(&log_mutex);
		full->used = 0;
		note_flush(log, error);
	}
	pthread_mutex_unlock(&log_mutex);
	return NULL;
}

/* Not in /tmp by default: where that is kept in memory an fsync costs nothing. */
static int open_temporary(struct log *log)
{
	const char *folder = getenv("TMPDIR");

	if (asprintf(&log->path, "%s/logger-XXXXXX", folder && *folder ? folder : "/var/tmp") < 0) {
		log->path = NULL;
		return -1;
	}
	log->is_temporary = true;
	return mkostemp(log->path, O_APPEND | O_CLOEXEC);
}

static int open_named(struct log *log, const char *path)
{
	log->path = strdup(path);
	if (!log->path)
		return -1;
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

static int start_writer(struct log *log)
{
	int error;

	pthread_cond_init(&log->flush_wanted, NULL);
	pthread_cond_init(&log->has_room, NULL);
	error = pthread_create(&log->writer, NULL, writer_main, log);
	if (error)
		fprintf(stderr, "logger: cannot start a thread: %s\n", strerror(error));
	return error ? -1 : 0;
}

static void log_free(struct log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	if (log->fd >= 0 && log->is_temporary)
		unlink(log->path);
	free(log->path);
	free(log);
}

struct log *log_open(const char *path, enum log_mode mode)
{
	struct log *log = calloc(1, sizeof(*log));

	if (!log) {
		fprintf(stderr, "logger: out of memory\n");
		return NULL;
	}
	log->mode = mode;
	log->active = &log->buffers[0];
	log->spare = &log->buffers[1];
	log->fd = path ? open_named(log, path) : open_temporary(log);
	if (log->fd < 0) {
		fprintf(stderr, "logger: cannot open '%s': %s\n", log->path ? log->path : "the log",
			strerror(errno));
	} else if (mode == LOG_SYNC || !start_writer(log)) {
		return log;
	}
	log_free(log);
	return NULL;
}

int log_close(struct log *log, unsigned long *flushes)
{
	bool has_failed;

	if (log->mode == LOG_BUFFERED) {
		pthread_mutex_lock(&log_mutex);
		log->is_closing = true;
		pthread_cond_signal(&log->flush_wanted);
		pthread_mutex_unlock(&log_mutex);
		pthread_join(log->writer, NULL);
		pthread_cond_destroy(&log->flush_wanted);
		pthread_cond_destroy(&log->has_room);
	} else if (log->active->used) {
		note_flush(log, flush_log(log->fd, log->active));
	}
	has_failed = log->has_failed;
	*flushes = log->flushes;
	log_free(log);
	return has_failed ? -1 : 0;
}
