/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the life of a measurement: targets, poll, stop. session_start.c starts it. */
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../bpf/bucket.h"
#include "cgroup.h"
#include "evidence.h"
#include "lock.h"
#include "process.h"

/* Until what the kernel samples is taken from it, and at first a share of how long it has been measured:
 * once a process has ended, stacks that were copied from it cannot be followed. */
#define SAMPLES_INTERVAL_MS 50
#define SAMPLES_LEAST_MS 2
#define SAMPLES_SHARE 16

uint64_t session_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void session_log(const struct probekit_session *session, enum probekit_log_level level,
		 const char *format, ...)
{
	char raw[512];
	char line[1024];
	va_list args;

	if (!session->options.log)
		return;
	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	escape_text(raw, line, sizeof(line));
	session->options.log(session->options.log_arg, level, line);
}

/* ---- set-up ---- */

int probekit_session_new(const struct probekit_session_options *options,
			 struct probekit_session **out, struct probekit_error *err)
{
	struct probekit_session *session;
	int result;

	if (options && options->size > sizeof(*options))
		return error_usage(err, "the session options are of a newer library");
	if (options && (unsigned int)options->profiling > PROBEKIT_PROFILING_WHOLE)
		return error_usage(err, "there is no such profiling: %d", (int)options->profiling);
	if (options && options->measure_holds && !options->measure_locks)
		return error_usage(err, "holds are measured with locks, not alone");
	if (options && options->max_keys > KEY_SLOTS)
		return error_usage(err, "at most %d keys can be kept apart, not %u", KEY_SLOTS,
				   options->max_keys);
	result = process_check_proc(err);
	if (result)
		return result;
	session = calloc(1, sizeof(*session));
	if (!session)
		return error_no_memory(err);
	if (options)
		memcpy(&session->options, options, options->size);
	if (!session->options.max_keys)
		session->options.max_keys = KEY_SLOTS;
	session->command = (struct command){.release_fd = -1, .failure_fd = -1, .status = -1};
	environment_init(&session->environment);
	plan_init(&session->plan);
	*out = session;
	return 0;
}

void probekit_session_free(struct probekit_session *session)
{
	if (!session)
		return;
	session_detach(session);
	free(session->calls_before);
	engine_free(session->engine);
	command_done(&session->command);
	for (size_t i = 0; i < session->pid_count; i++)
		close(session->watched[i].pidfd);
	free(session->watched);
	free(session->pids);
	custom_done(&session->custom);
	free(session->cgroup);
	plan_done(&session->plan);
	selection_done(&session->selection);
	objects_done(&session->objects);
	probekit_snapshot_free(session->previous);
	free(session->history);
	free(session->seen);
	session_forget_open(session);
	session_forget_profile(session);
	session_forget_present(session);
	futex_history_done(&session->futexes_before);
	retired_futexes_done(&session->retired);
	session_forget_names(session);
	told_done(&session->left_causes);
	told_done(&session->left_holdings);
	evidence_free(session->evidence);
	environment_done(&session->environment);
	free(session->target);
	free(session);
}

int session_require_new(const struct probekit_session *session, struct probekit_error *err)
{
	if (session->state == SESSION_NEW)
		return 0;
	return error_usage(err, "targets and probes are added before the session starts");
}

static int name_target(struct probekit_session *session, const char *name,
		       struct probekit_error *err)
{
	char *joined;

	if (asprintf(&joined, "%s%s%s", session->target ? session->target : "",
		     session->target ? ", " : "", name) < 0)
		return error_no_memory(err);
	free(session->target);
	session->target = joined;
	return 0;
}

int probekit_session_add_path(struct probekit_session *session, const char *path,
			      struct probekit_error *err)
{
	struct object *object;
	ssize_t index;
	int result = session_require_new(session, err);

	if (!result)
		result = object_open(path, -1, &object, err);
	if (result)
		return result;
	index = objects_add(&session->objects, object);
	if (index < 0)
		return error_no_memory(err);
	session->objects.items[index]->is_program = true;
	session->path_count = session->objects.size;
	return name_target(session, path, err);
}

int session_watch(struct probekit_session *session, pid_t pid, struct probekit_error *err)
{
	struct watched_process *watched;
	pid_t *pids;
	int pidfd;
	int result;

	for (size_t i = 0; i < session->pid_count; i++)
		if (session->pids[i] == pid)
			return 0;
	result = process_open(pid, &pidfd, err);
	if (result)
		return result;
	pids = reallocarray(session->pids, session->pid_count + 1, sizeof(*pids));
	if (pids)
		session->pids = pids;
	watched = reallocarray(session->watched, session->pid_count + 1, sizeof(*watched));
	if (watched)
		session->watched = watched;
	if (!pids || !watched) {
		close(pidfd);
		return error_no_memory(err);
	}
	pids[session->pid_count] = pid;
	watched[session->pid_count++] =
		(struct watched_process){.pidfd = pidfd, .is_attached = true};
	return 0;
}

int probekit_session_add_pid(struct probekit_session *session, pid_t pid,
			     struct probekit_error *err)
{
	char name[32];
	int result = session_require_new(session, err);

	if (!result)
		result = session_watch(session, pid, err);
	if (result)
		return result;
	snprintf(name, sizeof(name), "pid %d", pid);
	return name_target(session, name, err);
}

int probekit_session_add_cgroup(struct probekit_session *session, const char *path,
				struct probekit_error *err)
{
	char name[4096 + 16];
	char *folder;
	int result = session_require_new(session, err);

	if (!result && session->cgroup)
		result = error_usage(err, "a session narrows to one cgroup, and has one already");
	if (!result)
		result = cgroup_open(path, &folder, err);
	if (result)
		return result;
	session->cgroup = folder;
	snprintf(name, sizeof(name), "cgroup %s", path);
	return name_target(session, name, err);
}

int probekit_session_add_command(struct probekit_session *session, char *const argv[],
				 struct probekit_error *err)
{
	struct command command;
	int result = session_require_new(session, err);

	if (!result && session->command.argv)
		result = error_usage(err, "a session starts one command, and has one already");
	if (!result)
		result = command_find(&command, argv, err);
	if (result)
		return result;
	session->command = command;
	for (size_t i = 0; argv[i]; i++) {
		char *joined;

		if (asprintf(&joined, "%s%s%s", session->target ? session->target : "",
			     session->target ? " " : "", argv[i]) < 0)
			return error_no_memory(err);
		free(session->target);
		session->target = joined;
	}
	return 0;
}

int probekit_session_add_span(struct probekit_session *session, const char *glob,
			      struct probekit_error *err)
{
	int result = session_require_new(session, err);

	return result ? result : selection_add_glob(&session->selection, glob, err);
}

int probekit_session_add_pair(struct probekit_session *session, const char *pair,
			      struct probekit_error *err)
{
	int result = session_require_new(session, err);

	return result ? result : selection_add_pair(&session->selection, pair, err);
}

int probekit_session_add_function(struct probekit_session *session, const char *pattern,
				  struct probekit_error *err)
{
	int result = session_require_new(session, err);

	return result ? result : selection_add_function(&session->selection, pattern, err);
}

/* ---- while it runs ---- */

/* Of those that were given. */
static bool all_ended(const struct probekit_session *session)
{
	size_t given = 0;

	for (size_t i = 0; i < session->pid_count; i++) {
		given += !session->watched[i].is_found;
		if (!session->watched[i].is_found && !session->watched[i].has_ended)
			return false;
	}
	return given > 0;
}

static int wait_for_news(struct probekit_session *session, int timeout_ms,
			 struct probekit_error *err)
{
	struct pollfd *fds = calloc(session->pid_count + 1, sizeof(*fds));
	int ready;

	if (!fds)
		return error_no_memory(err);
	for (size_t i = 0; i < session->pid_count; i++)
		fds[i] = (struct pollfd){
			.fd = session->watched[i].has_ended ? -1 : session->watched[i].pidfd,
			.events = POLLIN,
		};
	fds[session->pid_count] = (struct pollfd){
		.fd = engine_event_fd(session->engine),
		.events = POLLIN,
	};
	ready = poll(fds, session->pid_count + 1, timeout_ms);
	for (size_t i = 0; i < session->pid_count && ready > 0; i++)
		session->watched[i].has_ended |= fds[i].revents != 0;
	free(fds);
	return 0;
}

/* Waits for at most one interval of what has to be done from time to time. */
static int poll_once(struct probekit_session *session, int timeout_ms, struct probekit_error *err)
{
	int result = wait_for_news(session, timeout_ms, err);

	if (result)
		return result;
	command_reap(&session->command);
	result = session_follow(session, err);
	if (!result && session->evidence && session_note_programs(session))
		return error_no_memory(err);
	if (!result)
		result = session_watch_functions(session, err);
	if (!result && session_poll_evidence(session))
		result = error_no_memory(err);
	return result;
}

static int samples_interval_ms(const struct probekit_session *session)
{
	uint64_t ms = (session_now_ns() - session->started_ns) / 1000000 / SAMPLES_SHARE;

	if (ms < SAMPLES_LEAST_MS)
		return SAMPLES_LEAST_MS;
	return ms < SAMPLES_INTERVAL_MS ? (int)ms : SAMPLES_INTERVAL_MS;
}

int probekit_session_poll(struct probekit_session *session, int timeout_ms,
			  struct probekit_error *err)
{
	int most_ms = samples_interval_ms(session);
	int events = 0;
	int result;

	if (session->state != SESSION_RUNNING)
		return error_usage(err, "the session is not running");
	if (timeout_ms < 0 || timeout_ms > most_ms)
		timeout_ms = most_ms;
	if (session->has_follow_events && timeout_ms > 1)
		timeout_ms = 1; /* they came right after the last scan */
	result = poll_once(session, timeout_ms, err);
	if (result)
		return result;
	if (session->has_new_deadlock)
		events |= PROBEKIT_EVENT_DEADLOCK;
	session->has_new_deadlock = false;
	return all_ended(session) ? events | PROBEKIT_EVENT_TARGETS_ENDED : events;
}

size_t probekit_session_process_count(const struct probekit_session *session)
{
	return session->command.argv ? 1 : session->users_at_start;
}

pid_t probekit_session_command_pid(const struct probekit_session *session)
{
	return session->command.pid;
}

int probekit_session_release(struct probekit_session *session, struct probekit_error *err)
{
	if (session->state != SESSION_RUNNING || session->command.release_fd < 0)
		return error_usage(err, "no command is held");
	return command_release(&session->command, err);
}

uint64_t probekit_session_slow_count(struct probekit_session *session)
{
	return session->engine ? engine_slow_spans(session->engine) : 0;
}

int probekit_session_stop(struct probekit_session *session, struct probekit_error *err)
{
	int result;

	if (session->state == SESSION_STOPPED)
		return 0;
	if (session->state != SESSION_RUNNING)
		return error_usage(err, "the session is not running");
	engine_pause(session->engine);
	session->stopped_ns = session_now_ns();
	session->state = SESSION_STOPPED;
	result = session_note_open(session, err);
	if (!result && session->options.profiling && session_note_profile(session))
		result = error_no_memory(err);
	if (!result && session->options.measure_locks && session_note_present(session))
		result = error_no_memory(err);
	if (!result && (session_poll_evidence(session) || session_find_names(session)))
		result = error_no_memory(err);
	session_tell_missed(session);
	session_detach(session);
	command_reap(&session->command);
	if (session->command.pid > 0 && session->command.status < 0 &&
	    !session->options.hold_command)
		session_log(session, PROBEKIT_LOG_WARNING,
			    "the measurement is over: '%s' is sent SIGTERM", session->command.path);
	command_end(&session->command);
	return result;
}
