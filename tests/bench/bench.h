/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_BENCH_H
#define PROBEKIT_BENCH_H
/*
 * The benchmark harness: what a group of figures is, and what groups share.
 *
 * A group compares *sides*: ways to do the same thing (nothing attached, an empty program, probekit,
 * a peer). Every round runs each side once, in random order, on the same target, so that whatever
 * else the machine does meets all of them. A side gives one value for each of the group's *metrics*
 * (nanoseconds per span, bytes per probe, ...). Figures are ratios of two sides of the same rounds;
 * medians stand beside them for context. A group goes on, from its least number of rounds, until
 * every ratio's 95 % interval is within 10 % of its value, or the time is up.
 *
 * A side that cannot be measured says why, by bench_missing(): the peer is not installed, the kernel
 * lacks something, it is not built yet. It stands in the table with that reason. What should work
 * and does not is bench_fail(): the program's exit status is then 1. Either is final for the side;
 * the others go on.
 *
 * A group is a file bench_NAME.c that defines `const struct bench_group bench_NAME`, and a line in
 * groups.c. A program that is measured is a file target_NAME.c, built as tests/bench/target_NAME.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_MAX_SIDES 24
#define BENCH_MAX_METRICS 24
#define BENCH_MAX_RATIOS 96
#define BENCH_MAX_ROUNDS 256

struct bench_run;

/* ---- groups ---- */

struct bench_metric {
	const char *name; /* a few words; a heading of the table */
	const char *unit; /* "ns", "bytes", "requests/s", ... */
};

struct bench_side {
	const char *name;
	/* Fills values[i] for metric i; all are NAN before, and one left NAN is a gap in the table.
	 * Returns 0, bench_missing() or bench_fail(). What it attached is gone when it returns. */
	int (*measure)(struct bench_run *run, const struct bench_side *side, double *values);
	/* For the group's own use, so that one function serves several sides. */
	int variant;
	const void *data;
};

/* Of `of` to `to`: of the values, or of what each adds to `over` in the same rounds. */
struct bench_ratio {
	const char *of;
	const char *to;
	const char *over;   /* NULL: the values themselves */
	const char *metric; /* NULL: one ratio for each metric */
	double aim;	    /* at most this; 0: no aim */
	/* At least the aim instead: of throughputs, where more is better. */
	bool is_at_least;
};

struct bench_group {
	const char *name;
	const char *about; /* one line above the table */
	/* Each ends with an element whose first member is NULL. */
	const struct bench_metric *metrics;
	const struct bench_side *sides;
	const struct bench_ratio *ratios; /* NULL: none */
	size_t rounds;			  /* at least; 0: 10 */
	double budget_s;		  /* 0: 120; --budget overrides */
	/* Before the first round: starts the target, say. Not zero as for a side: then every side
	 * has that reason. NULL: nothing to do. */
	int (*begin)(struct bench_run *run);
	/* After the last round; also when begin() failed. Children that still run are killed and
	 * reaped after it in any case. */
	void (*end)(struct bench_run *run);
	/* Not run unless named on the command line. */
	bool is_on_demand;
};

/* All groups, in the order of the report; ends with NULL. */
extern const struct bench_group *const bench_groups[];

/* The group's own state between begin() and end(). */
void bench_set_state(struct bench_run *run, void *state);
void *bench_state(const struct bench_run *run);

/* Notes the reason (final for the side or, in begin(), for the group) and returns what the caller
 * shall return. */
int bench_missing(struct bench_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int bench_fail(struct bench_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A line under the group's table, and in its "notes"; equal lines stand once. */
void bench_note(struct bench_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- places and time ---- */

/* A path below the build folder; valid until the program ends. */
const char *bench_path(const char *relative);
/* A new folder for the group's files, removed with all that is in it after end(), or when the bench
 * dies, however that happens. NULL after bench_fail() noted why. */
const char *bench_scratch(struct bench_run *run);
/* The first of these names (colon-separated; searched in PATH, /usr/sbin and /sbin, unless it has a
 * slash) that can be executed, as a path valid until the program ends, or NULL. */
const char *bench_find_tool(const char *names);
uint64_t bench_now_ns(void); /* CLOCK_MONOTONIC */
double bench_ms_since(uint64_t start_ns);

/* ---- children ---- */

/*
 * A process of ours with pipes at its stdin and stdout; stderr goes to a file that is quoted when
 * it fails. It gets SIGKILL when the bench dies, however that happens, and all of its process group
 * when the bench ends by itself or by a signal that can be caught.
 */
struct bench_child {
	pid_t pid; /* 0: none */
	int in;	   /* to its stdin; -1: closed */
	int out;
	int err;    /* a file that holds its stderr */
	char *text; /* its stdout so far, terminated */
	size_t size;
	size_t read_to;	 /* of it, handed out by bench_child_line() */
	uint64_t cpu_ns; /* that it took, user and system; once it has ended */
};

/* `argv` is NULL-terminated. `user` to run as (servers that refuse root), or NULL. */
int bench_child_start_as(struct bench_run *run, struct bench_child *child, const char *user,
			 const char *const argv[]);
int bench_child_start(struct bench_run *run, struct bench_child *child, const char *const argv[]);
/* The next whole line without its newline, valid until the next call; NULL at its end, or when
 * `timeout_ms` have passed without one. */
const char *bench_child_line(struct bench_child *child, int timeout_ms);
/* The next line that contains `text`; what comes before it is passed over. */
const char *bench_child_wait(struct bench_child *child, const char *text, int timeout_ms);
int bench_child_tell(struct bench_child *child, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Tells a line and reads a number in answer (within a minute): how targets are spoken with. Not
 * zero when the child has died or answers otherwise; that is bench_fail() already. */
int bench_child_ask(struct bench_run *run, struct bench_child *child, double *answer,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Sends the signal (0: none), closes its stdin, reads stdout to the end into child->text, and reaps
 * it; SIGKILL after `timeout_ms`. The status as a shell has it. child->text and the stderr file stay
 * until bench_child_done(). */
int bench_child_end(struct bench_child *child, int signal, int timeout_ms);
/* Kills it if it still runs; frees. Safe on a zeroed child, and twice. */
void bench_child_done(struct bench_child *child);
/* Last line of its stderr, for a reason; valid until the next call. */
const char *bench_child_error(struct bench_child *child);
/* Waits until its stderr contains `text`; not zero after the time, or when it has ended without. */
int bench_child_wait_error(struct bench_child *child, const char *text, int timeout_ms);
/* Runs to the end; stdout in child->text (bench_child_done() it). The status, or -1 when it cannot
 * be started or takes longer. */
int bench_child_run(struct bench_run *run, struct bench_child *child, const char *const argv[],
		    int timeout_ms);

/* ---- tracers ---- */

/* Waits until the child's first thread sleeps in this system call (SYS_epoll_wait, say): a tracer's
 * main loop, which it enters once all is attached. Not zero after `timeout_ms`, or when it ended. */
int bench_wait_syscall(pid_t pid, long number, int timeout_ms);

/*
 * Starts bpftrace with this script (and -p PID unless it is 0) and returns when all of its probes
 * are attached. Not zero after bench_missing() or bench_fail(). End it by bench_bpftrace_end(),
 * which leaves the printed maps in child->text; its own way, as bpftrace may lose a SIGINT.
 */
int bench_bpftrace_start(struct bench_run *run, struct bench_child *child, pid_t pid,
			 const char *script);
int bench_bpftrace_end(struct bench_run *run, struct bench_child *child);
/* Starts a tool of Debian's libbpf-tools (by its plain name, argv[0]) and returns when it has
 * printed "Tracing ...", which these tools do once they are attached. End it by bench_child_end()
 * with SIGINT. */
int bench_libbpf_tool_start(struct bench_run *run, struct bench_child *child,
			    const char *const argv[]);
/* Starts the probekit command with these arguments (without argv[0], and "-v" added) and returns
 * when it measures. End it by bench_child_end() with SIGINT. */
int bench_probekit_start(struct bench_run *run, struct bench_child *child,
			 const char *const arguments[]);
/* How many values the histograms in bpftrace's or a libbpf tool's output hold. */
long bench_histogram_count(const char *text);

#endif
