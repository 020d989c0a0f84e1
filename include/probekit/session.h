/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PUBLIC_SESSION_H
#define PROBEKIT_PUBLIC_SESSION_H
/*
 * One measurement: whom and what to measure, and its course. <probekit/probekit.h> has the order of
 * the calls.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <probekit/error.h>
#include <probekit/snapshot.h>

#ifdef __cplusplus
extern "C" {
#endif

struct probekit_session;

enum probekit_log_level {
	PROBEKIT_LOG_WARNING, /* something is not measured as asked */
	PROBEKIT_LOG_INFO,    /* what is attached, and how */
};

/* Whose stacks are kept for probekit_session_profile(). */
enum probekit_profiling {
	PROBEKIT_PROFILING_NONE,
	PROBEKIT_PROFILING_SPANS, /* of threads while they are inside a measured span */
	PROBEKIT_PROFILING_WHOLE, /* of all threads of the processes; needs no span */
};

/* Zero means the default everywhere; set `size` to sizeof(struct probekit_session_options). */
struct probekit_session_options {
	size_t size;
	uint32_t max_keys; /* keys kept apart per probe: 1 to 64 (64) */
	bool key_only;	   /* measure only spans whose key is `key` */
	int64_t key;
	uint64_t slow_over_ns; /* the tail is the spans that take longer than this; 0: found by shape */
	/* The share of one CPU that probing functions may take, 0.05 for 5 %; beyond, the hottest are dropped,
	 * which is logged. 0: 0.05; negative: no limit. */
	double max_overhead;
	enum probekit_profiling profiling;
	bool profiling_oncpu; /* also sample where threads run */
	bool only_programs; /* attach those of probekit_session_add_program() alone: nothing is measured */
	/* Processes that a measured one creates are measured too, and theirs; also what they execute. */
	bool follow_children;
	bool command_stdout_to_stderr; /* of a command that the session starts */
	/* One line, escaped as errors are; called from within the session's functions. */
	void (*log)(void *arg, enum probekit_log_level level, const char *line);
	void *log_arg;
	/* Count every wait of the processes' threads for a futex, inside spans or not. Spans are counted besides
	 * where there are any, without causes. */
	bool measure_locks;
	/* With measure_locks: also how long locks are held, by probes in the C library's functions that take and
	 * release mutexes and reader-writer locks. Each costs a microsecond or so, which max_overhead bounds. A
	 * hold lasts from the function that takes it, or the end of the last wait for it, to the one that
	 * releases it; one that began before the session is not counted. */
	bool measure_holds;
	/* What a command that the session starts prints goes to this file, standard error too, and it has nothing to
	 * read. It leads a process group of its own, which is killed when the session stops, and it is killed itself
	 * when the thread ends that has called probekit_session_start(). 0: it shares the caller's streams. */
	int command_output_fd;
	/* Time in which a thread is stopped, as by SIGSTOP, is in no span: each takes as much less, and its class
	 * STOPPED is 0. Only async spans that end on another thread than they began on keep it. */
	bool exclude_stopped;
	/* The command is the caller's to run: probekit_session_start() leaves it held, for
	 * probekit_session_release(). It leads a process group as with command_output_fd. */
	bool hold_command;
};

/* The row, of kind FUNCTION, that sums up holds of all locks, those too that nobody waited for; with what was lost
 * of them, and when measuring them ended because it cost too much. */
#define PROBEKIT_HOLDS_NAME "holds of locks"

PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_new(
	const struct probekit_session_options *options, struct probekit_session **session,
	struct probekit_error *err);
/* Detaches and ends the command if need be. */
PROBEKIT_API void probekit_session_free(struct probekit_session *session);

/* Every process that maps this file, now or later; with PIDs added too, only those. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_path(struct probekit_session *session,
							       const char *path,
							       struct probekit_error *err);
/* A running process: its executable and every library that it maps at start. Others pay nothing. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_pid(struct probekit_session *session,
							      pid_t pid,
							      struct probekit_error *err);
/* The processes of a cgroup (version 1 or 2) and of those below it, now and later; with a path added too,
 * those of them that map it. `path` is absolute, or below a mounted hierarchy. No PIDs or command then. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_cgroup(struct probekit_session *session,
								 const char *path,
								 struct probekit_error *err);
/* Starts `argv` (NULL-terminated, copied; searched in PATH) held before its first instruction, to
 * be released by probekit_session_start(). At most one per session. Errors, here or from the start,
 * when it cannot be found or run: kinds NOT_FOUND and CANNOT_RUN with the errno of execve(2). It
 * ends with the session: probekit_session_stop() sends SIGTERM, and SIGKILL 5 s later. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_command(struct probekit_session *session,
								  char *const argv[],
								  struct probekit_error *err);
/* Spans whose "provider:name" matches the glob(7) pattern; repeat for more. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_span(struct probekit_session *session,
							       const char *glob,
							       struct probekit_error *err);
/* "PROVIDER:BEGIN,END": time from one USDT probe to another on the same thread. END may name
 * several as "A|B": whichever comes first. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_pair(struct probekit_session *session,
							       const char *pair,
							       struct probekit_error *err);

/* Functions whose name matches the glob(7) pattern: the symbol's, or a demangled one with or without the
 * parameters. "LIB:GLOB" is of a library that the processes map, named with or without "lib", ".so" and
 * version; else the functions are those of the given file, the process's executable, or the command.
 * A call lasts from its entry to its return. Repeat for more. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_function(struct probekit_session *session,
								   const char *pattern,
								   struct probekit_error *err);

/* Plans, loads, measures the probe's own cost, attaches, and releases the command. On error nothing
 * stays attached. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_start(struct probekit_session *session,
							    struct probekit_error *err);

/* Of the command, once the session has started; 0: there is none. With hold_command also its process
 * group's, and nobody else's as long as the session lives. */
PROBEKIT_API pid_t probekit_session_command_pid(const struct probekit_session *session);
/* Lets the command execute that hold_command has left held. Errors are those of its start. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_release(struct probekit_session *session,
							      struct probekit_error *err);

enum probekit_event {
	PROBEKIT_EVENT_TARGETS_ENDED = 1, /* the command, or every given PID, has ended */
	PROBEKIT_EVENT_DEADLOCK =
		2, /* threads wait for each other: a snapshot has them; once for each */
};

/* Waits up to `timeout_ms`, sooner when a target ends or a signal arrives; attaches to what the
 * command, children and the cgroup's processes have executed or opened since. Returns a mask of probekit_event, or a negative errno. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_poll(struct probekit_session *session,
							   int timeout_ms,
							   struct probekit_error *err);
/* Everything since the start. After probekit_session_stop() it includes the open spans. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_snapshot(struct probekit_session *session,
							       struct probekit_snapshot **snapshot,
							       struct probekit_error *err);
/* What was added since the last call of this function, or since the start. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_interval(struct probekit_session *session,
							       struct probekit_snapshot **snapshot,
							       struct probekit_error *err);
/* Spans over `slow_over_ns` that have ended since the start. */
PROBEKIT_API uint64_t probekit_session_slow_count(struct probekit_session *session);
/* Freezes every count at this moment, notes the open spans, detaches. Idempotent. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_stop(struct probekit_session *session,
							   struct probekit_error *err);
/* Processes that ran the target when the session started; 0 for a path that nothing runs yet. */
PROBEKIT_API size_t probekit_session_process_count(const struct probekit_session *session);

/* Which capabilities a started session may still use, bit CAP_X of <linux/capability.h> each, as far as this
 * process has them: to read what its targets map and those files, also of processes that come; to read the
 * kernel's symbols; to end a command of another user; to attach perf events where uprobe_multi is missing.
 * Everything else has been used up, unless other sessions are to be started (`is_last` is false). The library
 * gives nothing up: who wants that calls capset(2), in a process without other threads that have more. */
PROBEKIT_API uint64_t probekit_session_capabilities(const struct probekit_session *session,
						    bool is_last);

#ifdef __cplusplus
}
#endif
#endif
