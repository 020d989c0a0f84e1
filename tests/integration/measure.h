/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MEASURE_H
#define MEASURE_H
/*
 * What the integration tests share: processes with captured output, measurements through the
 * library, and exact expectations of rows. Whatever goes wrong in here fails the running test;
 * where the library says that the machine lacks something, the test is skipped with its words.
 *
 * PROBEKIT_BUILD is the build folder; PROBEKIT_TEST_SCALE divides counts for slow machines.
 */
#include <probekit/probekit.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

/* ---- where things are ---- */

/* Path of a measured program, or of anything below the build folder. Valid for the next 15
 * calls. */
const char *program_path(const char *name);
const char *build_path(const char *relative);
uint64_t test_scale(void);
/* count / scale, but at least `least`. */
uint64_t scaled(uint64_t count, uint64_t least);
/* The same as text, for argv. Valid for the next 15 calls. */
const char *scaled_text(uint64_t count, uint64_t least);
const char *number_text(uint64_t number);
uint64_t monotonic_ns(void);
/* False once about `seconds` (times the scale) have passed since the first call with *since 0;
 * sleeps a moment between. For polling what cannot be waited for. */
bool keep_waiting(uint64_t *since, unsigned int seconds);

/* ---- processes that talk ---- */

/* A child whose stdin and stdout are pipes to the test; stderr is the test's. */
struct child {
	pid_t pid;
	int in; /* to its stdin; -1: closed */
	int out;
	char *text; /* its stdout so far */
	size_t size;
	size_t read_to; /* of it, consumed by child_wait_line() */
	int status;	/* as a shell has it; -1: runs */
};

void child_start(struct child *child, const char *const argv[]);
/* Starts program NAME MODE COUNT wait, and returns when it is ready for "go". */
void child_start_program(struct child *child, const char *name, const char *mode, uint64_t count);
/* Reads until a line that starts with `prefix`, which is returned (valid until the next call). */
const char *child_wait_line(struct child *child, const char *prefix);
void child_tell(struct child *child, const char *line);
/* Says "go" and waits for "done": the program's mode has run. */
void child_go(struct child *child);
/* Does the program's own PROBEKIT_ENABLED say yes? */
bool child_is_traced(struct child *child);
/* Closes stdin, reads the rest and reaps; returns the exit status. */
int child_end(struct child *child);
/* End, and free. Kills what does not end by itself. */
void child_done(struct child *child);
/* From "name value" lines on stdout; fails the test when there is none. */
int64_t child_truth(const struct child *child, const char *name);

/* Runs a command to its end with stdin from /dev/null; status as a shell has it. */
struct output {
	int status;
	char *out;
	char *err;
};

void run_captured(const char *const argv[], struct output *output);
/* probekit with these arguments (without argv[0]). */
void run_cli(const char *const arguments[], struct output *output);
void output_done(struct output *output);

/* ---- measurements ---- */

/* Whom and what: one of path, pid, cgroup or command (or pid or cgroup with path); NULL globs are every
 * span. */
struct measure {
	const char *path;
	pid_t pid;
	const char *cgroup;
	const char *const *command;
	const char *const *globs; /* NULL-terminated */
	const char *pair;
	const char *const *functions; /* patterns, NULL-terminated; without limit of overhead */
	const char *awaited;	  /* of measure_run(): the row upon which the command reads "go" */
	size_t awaited_processes; /* the same, a number of processes */
	/* Before the start; `arg` is the next. NULL: nothing. */
	int (*prepare)(struct probekit_session *session, void *arg, struct probekit_error *err);
	void *prepare_arg;
	struct probekit_session_options options;
};

struct probekit_session *measure_start(const struct measure *what);
/* Skips the test where nothing can be measured, as measure_start() does. */
void require_measurable(pid_t pid);
/* The same without a process to try it on. */
void require_tracing(void);
/* Polls until every target ended. */
void measure_wait(struct probekit_session *session);
/* Polls until so many processes are attached to. */
void measure_await_processes(struct probekit_session *session, size_t count);
/* Polls until a row is there: the session has attached all that it stands for. */
void measure_await_row(struct probekit_session *session, const char *name);
/* Stops; the caller frees the snapshot. Every row's invariants are checked. */
struct probekit_snapshot *measure_stop(struct probekit_session *session);
/* How many of the row there are by now. */
uint64_t measure_count(struct probekit_session *session, const char *name);

/* A command measured from its first instruction to its end, with the truth that it printed. */
struct run {
	struct probekit_snapshot *snapshot;
	char *text;
	int status;
};

void measure_run(const struct measure *what, struct run *run);
/* The common case: program NAME MODE COUNT, all of its spans, exit status 0. */
void measure_program(const char *name, const char *mode, const char *count, struct run *run);
int64_t run_truth(const struct run *run, const char *name);
/* Skips the test where the program has told that something is missing. */
void run_skip_if_missing(const struct run *run);
void run_done(struct run *run);

/* ---- rows ---- */

/* NULL when there is none. */
const struct probekit_probe *find_row(const struct probekit_snapshot *snapshot, const char *name);
const struct probekit_probe *find_key(const struct probekit_snapshot *snapshot, const char *name,
				      int64_t key);
const struct probekit_probe *find_key_overflow(const struct probekit_snapshot *snapshot,
					       const char *name);
/* Sum of buckets = count, min <= quantiles <= max, count * min <= sum <= count * max, and so on. */
void check_rows(const struct probekit_snapshot *snapshot);
/* How many durations are above `ns`, from the histogram: those in the bucket of `ns` do not
 * count. */
uint64_t count_above(const struct probekit_probe *row, uint64_t ns);

/* What a row must say, exactly; what is not named must be 0. */
struct expected {
	uint64_t count;
	uint64_t unmatched;
	uint64_t abandoned;
	uint64_t depth_overflow;
	uint64_t out_of_range;
	uint64_t open;
	uint64_t sites; /* 0: any number */
};

#define assert_row(snapshot, name, ...) \
	assert_row_(snapshot, name, (struct expected){__VA_ARGS__}, __FILE__, __LINE__)
void assert_row_(const struct probekit_snapshot *snapshot, const char *name,
		 struct expected expected, const char *file, int line);
#define assert_key(snapshot, name, key, count) \
	assert_key_(snapshot, name, key, count, __FILE__, __LINE__)
void assert_key_(const struct probekit_snapshot *snapshot, const char *name, int64_t key,
		 uint64_t count, const char *file, int line);

#endif
