/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_SUPPORT_H
#define PROBEKIT_TESTS_SUPPORT_H
/*
 * Starting programs with everything they write captured, and waiting for what they say. Whatever
 * goes wrong here fails the running test; no wait is longer than SUPPORT_DEADLINE_MS, which only a
 * hang reaches.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/types.h>
#include <cmocka.h>
#include <jansson.h>

enum {
	SUPPORT_DEADLINE_MS = 120000,
	SUPPORT_MAX_WORDS = 24,
};

struct support_output {
	int fd;
	char *text; /* all so far, terminated */
	size_t size_bytes;
};

struct support_child {
	pid_t pid;
	int in; /* write end of its standard input; -1 once closed */
	struct support_output out;
	struct support_output err;
	int status; /* exit status, or 128 + signal; -1 until it was reaped */
};

/* How a child is started; NULL for all defaults. */
struct support_how {
	void (*prepare)(void *arg); /* in the child, before exec */
	void *arg;
	const char *folder; /* to run in */
};

/* Words end with NULL. The first is a path, or is searched in PATH. */
void support_start(struct support_child *child, const struct support_how *how,
		   const char *const words[]);
void support_write(struct support_child *child, const char *text);
void support_close_input(struct support_child *child);
/* False when it ended, or closed that stream, without saying so. */
bool support_wait_text(struct support_child *child, struct support_output *stream,
		       const char *text);
/* Reads what has come, and does not wait: a child whose pipe is full stands still. */
void support_take_output(struct support_child *child);
/* Reads both streams to their ends and reaps; the status. */
int support_finish(struct support_child *child);
/* Of what ends with its input: awaits that, with status 0, and is done with it. */
void support_end(struct support_child *child);
/* By SIGINT: it ends with status 0, or the test fails with what it wrote. */
void support_interrupt(struct support_child *child);
/* Kills what still runs. */
void support_done(struct support_child *child);

/* Starts and finishes: `support_run(&child, NULL, probekit, "list", path, NULL)`. */
int support_run(struct support_child *child, const struct support_how *how, const char *word, ...)
	__attribute__((sentinel));

/* In the build folder; the texts live until the process ends. */
const char *support_probekit(void);
const char *support_program(const char *name);
const char *support_example(const char *name);
/* The first of the colon-separated paths that can be executed, or NULL. */
const char *support_find_tool(const char *paths);

/* `count` divided by PROBEKIT_TEST_SCALE, for slow machines; at least 1. */
unsigned long support_scaled(unsigned long count);
/* The value of the line "name VALUE". */
uint64_t support_number(const char *text, const char *name);
/* As support_number(), of a program's output that stands between lines of others. */
bool support_has_line(const char *text, const char *line);
bool support_has_control_characters(const char *text);
size_t support_count_lines(const char *text);

/* Parses all of `text`, which the test owns as long as it runs. */
json_t *support_json(const char *text);
/* The row of a snapshot with this name and without key; fails when there is none. */
json_t *support_row(json_t *snapshot, const char *name);
int64_t support_integer(const json_t *object, const char *key);
/* Of all members, as of the times by class. */
int64_t support_sum(const json_t *times);
/* No span and none of its time is lost. Samples beyond a rate are counted without that; so are switches
 * that the kernel did not report, some a second here, whose time is taken from its own statistics. */
void support_check_nothing_lost(const json_t *lost);

/* A new folder that everybody may read, and its end with all that is in it. */
char *support_new_folder(void);
void support_remove_folder(char *folder);
size_t support_count_files(const char *folder);
void support_write_file(const char *path, const void *data, size_t size_bytes);
char *support_read_file(const char *path, size_t *size_bytes);
/* "folder/name", to be freed. */
char *support_join(const char *folder, const char *name);

/*
 * What a tracer does to a process, read from its memory: whether the code of the file `path` is as
 * in the file, and the sum of its semaphores (its section .probes).
 */
struct support_image {
	size_t changed_bytes;
	unsigned long semaphores;
};
struct support_image support_read_image(pid_t pid, const char *path);
/* Waits until the semaphores' sum is at least (at most) `sum`. */
void support_wait_semaphores(pid_t pid, const char *path, unsigned long sum);
void support_wait_untraced(pid_t pid, const char *path);

/* What a process takes. */
struct support_usage {
	uint64_t resident_kib;
	uint64_t peak_kib; /* the most that was ever resident */
	uint64_t own_kib;  /* resident, each shared page divided by those who share it */
	uint64_t bpf_kib;  /* of the kernel, for its BPF maps and programs */
	uint64_t files;	   /* open descriptors */
	uint64_t verified; /* instructions of its BPF programs that the verifier walked; 0 before Linux 5.16 */
};
struct support_usage support_read_usage(pid_t pid);

/* Returns when `probekit latency -v` measures: semaphores are up a little earlier. */
void support_wait_measuring(struct support_child *probekit);
/* Starts it on a process. */
void support_start_measuring(struct support_child *probekit, pid_t pid);
/* Interrupts it; the JSON that it wrote. */
json_t *support_end_measuring(struct support_child *probekit);
/* probekit latency on a process: returns when it measures, whoever else does so. */
void support_start_intervals(struct support_child *probekit, pid_t pid, const char *glob);
/* Interrupts it; the snapshot of the whole. */
json_t *support_end_intervals(struct support_child *probekit);

/* Skips the test, naming the reason, where spans cannot be measured at all. The kind of attachment,
 * "uprobe_multi" or "perf_event", otherwise. */
const char *support_require_tracing(void);

#endif
