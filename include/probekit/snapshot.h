/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PUBLIC_SNAPSHOT_H
#define PROBEKIT_PUBLIC_SNAPSHOT_H
/* A snapshot: everything that was measured, as a plain value and as a file. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <probekit/error.h>
#include <probekit/lock.h>
#include <probekit/row.h>
#include <probekit/thread.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The machine that was measured on, and how it was then. NULL, 0 and NAN unless said otherwise: not known. */
struct probekit_environment {
	const char *kernel; /* release, as uname -r */
	uint32_t cpus;	    /* online */
	const char *cpu_model;
	const char *governor; /* of the first CPU's frequency, "performance" */
	int is_virtual;	      /* 1, 0; -1: not known */
	double cpu_quota; /* CPUs that the cgroup of the first process may use; INFINITY: no limit */
	double load;	  /* mean number of runnable threads over the minute before the start */
	double steal;	  /* share of all CPUs' time that the hypervisor gave to others, [0, 1] */
	int aslr; /* how address spaces are randomised: 0: not, 1, 2: wholly; -1: not known */
	const char *revision; /* of git, hexadecimal: what our working directory had checked out */
};

struct probekit_snapshot_info {
	int64_t started_unix_ns; /* wall-clock time of attachment */
	uint64_t duration_ns;
	const char *target; /* as the user would name it: path, "pid 42", or the command */
	const pid_t *pids;  /* processes given by PID or started; pid_count elements */
	size_t pid_count;
	int32_t child_status; /* exit status, 128 + signal; -1: no command, or still running */
	uint64_t child_cpu_ns; /* that the command and children that it waited for ran; 0: not known */
	uint64_t span_cost_ns;	   /* one traced span of probe.h, begin and end; 0: not measured */
	uint64_t usdt_cost_ns;	   /* the same at a plain nop, as foreign USDT probes have; 0: no */
	uint64_t function_cost_ns; /* one probed call whose entry is EMULATED; 0: not measured */
	uint64_t floor_ns;	   /* what an empty span of probe.h reads; 0: not measured */
	const char *tool_version;
	struct probekit_environment environment;
	const char *attach; /* "uprobe_multi" or "perf_event" */
	const char *site;   /* attach point in our sites: "nop", "nop5", "nop10" */
	bool has_stacks;
	uint64_t stacks[PROBEKIT_STACK_END_COUNT]; /* sampled in user space, by where they end */
	struct probekit_lost
		lost; /* of no probe: stacks, switches, and what the tables for locks had no room for */
	bool has_locks;	       /* waits for locks were counted: none is none, and not unknown */
	bool excludes_stopped; /* time in which a thread was stopped is in no span, as asked for */
};

struct probekit_snapshot;

PROBEKIT_API void probekit_snapshot_free(struct probekit_snapshot *snapshot);
PROBEKIT_API const struct probekit_snapshot_info *probekit_snapshot_info(
	const struct probekit_snapshot *snapshot);
/* Rows in the order of first planning; a probe's key rows follow its own row. */
PROBEKIT_API size_t probekit_snapshot_size(const struct probekit_snapshot *snapshot);
PROBEKIT_API const struct probekit_probe *probekit_snapshot_probe(
	const struct probekit_snapshot *snapshot, size_t i);

/* Locks, most waited time first; none unless the session was asked to measure them. */
PROBEKIT_API size_t probekit_snapshot_lock_count(const struct probekit_snapshot *snapshot);
/* NULL beyond the count. */
PROBEKIT_API const struct probekit_lock *probekit_snapshot_lock(
	const struct probekit_snapshot *snapshot, size_t i);
/* Deadlocks that were there when the snapshot was taken. */
PROBEKIT_API size_t probekit_snapshot_deadlock_count(const struct probekit_snapshot *snapshot);
/* NULL beyond the count. */
PROBEKIT_API const struct probekit_deadlock *probekit_snapshot_deadlock(
	const struct probekit_snapshot *snapshot, size_t i);

/*
 * One snapshot of several runs, in order: its rows are the sums of theirs, without waits, tail and what that needs,
 * slowest and open spans, and locks; its duration is theirs together. Takes the runs over on success. -EINVAL:
 * there is none, or one that has runs itself.
 */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_snapshot_join(struct probekit_snapshot *const *runs,
							    size_t count,
							    struct probekit_snapshot **joined,
							    struct probekit_error *err);
/* The runs it is of; 0: it is of one measurement. */
PROBEKIT_API size_t probekit_snapshot_run_count(const struct probekit_snapshot *snapshot);
/* Belongs to the snapshot; NULL beyond the count. */
PROBEKIT_API const struct probekit_snapshot *probekit_snapshot_run(
	const struct probekit_snapshot *snapshot, size_t i);

/* JSON text (docs/snapshot-format.md), without a newline inside when `compact`. The caller frees
 * `*text` with free(). Errors: -ENOMEM. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_snapshot_to_json(
	const struct probekit_snapshot *snapshot, bool compact, char **text,
	struct probekit_error *err);
/* Writes the JSON to `path` so that no other process sees a part of it: a temporary file in the
 * same folder is renamed over it. Nothing is left behind on error. A symbolic link at `path` is
 * followed to what it names, but none that lies in a folder that everybody may write to: -EPERM. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_snapshot_write(
	const struct probekit_snapshot *snapshot, const char *path, struct probekit_error *err);
/* The same of any bytes: a report that a program makes of a snapshot. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_file_write(const char *path, const void *data,
							 size_t size_bytes,
							 struct probekit_error *err);
/* Before there are bytes: does `path` lead to where a file may be written? */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_file_check(const char *path,
							 struct probekit_error *err);
/* Reads what probekit_snapshot_write() wrote; "-" is standard input. A truncated, foreign or newer
 * file gets an error that says which. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_snapshot_read(const char *path,
							    struct probekit_snapshot **snapshot,
							    struct probekit_error *err);

#ifdef __cplusplus
}
#endif
#endif
