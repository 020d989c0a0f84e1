/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the life of a measurement: targets, start, poll, stop. */
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
#include "process.h"

/* A command may execute and open objects that are known only then: room for their probes. */
#define SPARE_PROBES 62
#define SPARE_ROWS (KEYED_ROWS + SPARE_PROBES)
#define SPARE_SITES 4096
#define SCAN_INTERVAL_NS 100000000ull

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

	if (options && options->size > sizeof(*options))
		return error_usage(err, "the session options are of a newer library");
	if (options && options->max_keys > KEY_SLOTS)
		return error_usage(err, "at most %d keys can be kept apart, not %u", KEY_SLOTS,
				   options->max_keys);
	session = calloc(1, sizeof(*session));
	if (!session)
		return error_no_memory(err);
	if (options)
		memcpy(&session->options, options, options->size);
	if (!session->options.max_keys)
		session->options.max_keys = KEY_SLOTS;
	session->command = (struct command){.release_fd = -1, .failure_fd = -1, .status = -1};
	plan_init(&session->plan);
	*out = session;
	return 0;
}

void probekit_session_free(struct probekit_session *session)
{
	if (!session)
		return;
	attach_links_close(&session->attachment.links, 0);
	engine_free(session->engine);
	command_done(&session->command);
	for (size_t i = 0; i < session->pid_count; i++)
		close(session->watched[i].pidfd);
	free(session->watched);
	free(session->pids);
	plan_done(&session->plan);
	selection_done(&session->selection);
	objects_done(&session->objects);
	probekit_snapshot_free(session->previous);
	free(session->history);
	free(session->seen);
	free(session->open);
	session_forget_locks(session);
	free(session->target);
	free(session);
}

static int require_new(const struct probekit_session *session, struct probekit_error *err)
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
	int result = require_new(session, err);

	if (!result)
		result = object_open(path, -1, &object, err);
	if (result)
		return result;
	if (objects_add(&session->objects, object) < 0)
		return error_no_memory(err);
	session->path_count = session->objects.size;
	return name_target(session, path, err);
}

static int watch(struct probekit_session *session, pid_t pid, struct probekit_error *err)
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
	watched[session->pid_count++] = (struct watched_process){.pidfd = pidfd};
	return 0;
}

int probekit_session_add_pid(struct probekit_session *session, pid_t pid,
			     struct probekit_error *err)
{
	char name[32];
	int result = require_new(session, err);

	if (!result)
		result = watch(session, pid, err);
	if (result)
		return result;
	snprintf(name, sizeof(name), "pid %d", pid);
	return name_target(session, name, err);
}

int probekit_session_add_command(struct probekit_session *session, char *const argv[],
				 struct probekit_error *err)
{
	struct command command;
	int result = require_new(session, err);

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
	int result = require_new(session, err);

	return result ? result : selection_add_glob(&session->selection, glob, err);
}

int probekit_session_add_pair(struct probekit_session *session, const char *pair,
			      struct probekit_error *err)
{
	int result = require_new(session, err);

	return result ? result : selection_add_pair(&session->selection, pair, err);
}

/* ---- start ---- */

static int check_maps_path(const struct probekit_session *session, pid_t pid,
			   struct probekit_error *err)
{
	bool maps_one = false;
	int result = 0;

	for (size_t i = 0; i < session->path_count && !maps_one && !result; i++)
		result = process_maps(pid, session->objects.items[i], &maps_one, err);
	if (!result && !maps_one)
		session_log(session, PROBEKIT_LOG_WARNING, "process %d has not mapped '%s' (yet)",
			    pid, session->objects.items[0]->path);
	return result;
}

/* A path narrows PIDs to that file; PIDs alone mean everything that they map. */
static int find_objects(struct probekit_session *session, struct probekit_error *err)
{
	size_t skipped = 0;
	size_t ended = 0;
	int result = 0;

	if (session->command.argv) {
		if (session->pid_count || session->path_count)
			return error_usage(err,
					   "give either a command to start, or a path and PIDs");
		return command_objects(&session->command, &session->objects, err);
	}
	if (!session->target)
		return error_usage(err, "no target is given");
	session->users_at_start = session->pid_count;
	for (size_t i = 0; i < session->path_count && !session->pid_count; i++)
		session->users_at_start += process_count_users(session->objects.items[i]);
	for (size_t i = 0; i < session->pid_count && !result; i++) {
		if (session->path_count)
			result = check_maps_path(session, session->pids[i], err);
		else
			result =
				process_objects(session->pids[i], &session->objects, &skipped, err);
		if (result == -ESRCH && ++ended < session->pid_count)
			result = 0; /* the others can still be measured */
	}
	if (skipped)
		session_log(session, PROBEKIT_LOG_WARNING,
			    "%zu mapped files could not be read and are not measured", skipped);
	return result;
}

static int make_plan(struct probekit_session *session, struct probekit_error *err)
{
	int result = 0;

	for (uint32_t i = 0; i < session->objects.size && !result; i++)
		result = plan_add_object(&session->plan, &session->objects, i, &session->selection,
					 err);
	if (result)
		return result;
	plan_number_rows(&session->plan);
	/* What a command has not itself, it may execute or open. */
	return session->command.argv
		       ? 0
		       : plan_require(&session->plan, &session->objects, &session->selection, err);
}

static bool has_kind(const struct plan *plan, enum probekit_kind kind)
{
	for (uint32_t i = 0; i < plan->probe_count; i++)
		if (plan->probes[i].kind == kind)
			return true;
	return false;
}

/* What a command executes and opens later may need any of them; calibration needs those of spans. */
static void leave_out_programs(const struct plan *plan, bool leaves_out[static PROGRAM_COUNT])
{
	for (int i = 0; i < PROGRAM_COUNT; i++)
		leaves_out[i] = i != PROGRAM_SPAN_BEGIN && i != PROGRAM_SPAN_END;
	for (uint32_t i = 0; i < plan->site_count; i++)
		leaves_out[plan->sites[i].program] = false;
}

static int load(struct probekit_session *session, struct probekit_error *err)
{
	struct plan *plan = &session->plan;
	bool may_grow = session->command.argv != NULL;
	struct engine_options options = {
		.key_limit = session->options.max_keys,
		.filter_key = session->options.key_only,
		.only_key = session->options.key,
		.has_breakdown = session->features.has[FEATURE_BREAKDOWN],
		.has_async = may_grow || has_kind(plan, PROBEKIT_KIND_ASYNC),
	};
	bool with_pid = session->pid_count || may_grow;
	int result;

	plan->max_probes = plan->probe_count + (may_grow ? SPARE_PROBES : 0);
	plan->max_rows = plan->row_count + (may_grow ? SPARE_ROWS : 0);
	plan->max_sites = plan->site_count + (may_grow ? SPARE_SITES : 0);
	options.probes = ENGINE_PROBE(plan->max_probes);
	options.rows = ENGINE_ROW(plan->max_rows);
	options.sites = ENGINE_SITE(plan->max_sites);
	if (!may_grow)
		leave_out_programs(plan, options.leaves_out);
	result = features_choose_attach(&session->features, with_pid, &options.use_multi, err);
	if (result)
		return result;
	session->history = calloc(plan->max_rows + 1, sizeof(*session->history));
	if (!session->history)
		return error_no_memory(err);
	result = engine_new(&options, &session->engine, err);
	if (result)
		return result;
	if (engine_scale(session->engine) < BUCKET_SCALE)
		session_log(
			session, PROBEKIT_LOG_WARNING,
			"%u histograms: resolution lowered to %d buckets an octave to bound memory",
			plan->row_count, 1 << engine_scale(session->engine));
	session->attachment = (struct attachment){
		.engine = session->engine,
		.objects = &session->objects,
		.plan = plan,
		.use_multi = options.use_multi,
	};
	calibrate(&session->attachment, &session->features, has_kind(plan, PROBEKIT_KIND_USDT),
		  &session->calibration);
	session->attachment.point = session->calibration.point;
	return 0;
}

static int attach_all(struct probekit_session *session, uint32_t from_site,
		      struct probekit_error *err)
{
	session->attachment.pids = session->pids;
	session->attachment.pid_count = session->pid_count;
	return attachment_add(&session->attachment, from_site, err);
}

static void note_start(struct probekit_session *session)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	session->started_unix_ns = (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec;
	session->started_ns = session_now_ns();
	session->interval_start_ns = session->started_ns;
	engine_record(session->engine, session->started_ns);
	session_log(session, PROBEKIT_LOG_INFO,
		    "measuring: %u probes at %u sites, attached with %s at %s",
		    session->plan.probe_count, session->plan.site_count,
		    session->attachment.use_multi ? "uprobe_multi" : "perf events",
		    point_name(session->attachment.point));
}

static int start(struct probekit_session *session, struct probekit_error *err)
{
	int result;

	result = find_objects(session, err);
	if (!result)
		result = make_plan(session, err);
	if (!result) {
		features_detect(&session->features);
		result = features_require(&session->features, err);
	}
	if (!result)
		result = load(session, err);
	if (!result && session->command.argv) {
		result = command_start(&session->command, session->options.command_stdout_to_stderr,
				       err);
		if (!result)
			result = watch(session, session->command.pid, err);
		if (!result)
			engine_watch_exec(session->engine, session->command.pid);
	}
	if (!result)
		result = attach_all(session, 0, err);
	if (result)
		return result;
	note_start(session);
	if (!session->command.argv)
		return 0;
	result = command_release(&session->command, err);
	if (!result && plan_require(&session->plan, &session->objects, &session->selection, NULL))
		session_log(
			session, PROBEKIT_LOG_WARNING,
			"'%s' itself has not all that was asked for; what it executes and opens is watched",
			session->command.path);
	return result;
}

int probekit_session_start(struct probekit_session *session, struct probekit_error *err)
{
	int result = require_new(session, err);

	if (result)
		return result;
	session->state = SESSION_FAILED;
	result = start(session, err);
	if (result) {
		attach_links_close(&session->attachment.links, 0);
		engine_free(session->engine);
		session->engine = NULL;
		command_end(&session->command);
		return result;
	}
	session->state = SESSION_RUNNING;
	return 0;
}

/* ---- while it runs ---- */

static bool is_seen(const struct probekit_session *session, const struct proc_map *map)
{
	for (size_t i = 0; i < session->seen_count; i++)
		if (session->seen[i].inode == map->inode &&
		    session->seen[i].major == map->dev_major &&
		    session->seen[i].minor == map->dev_minor)
			return true;
	return false;
}

static bool note_seen(struct probekit_session *session, const struct proc_map *map)
{
	struct seen_file *seen =
		reallocarray(session->seen, session->seen_count + 1, sizeof(*seen));

	if (!seen)
		return false;
	session->seen = seen;
	seen[session->seen_count++] = (struct seen_file){
		.inode = map->inode,
		.major = map->dev_major,
		.minor = map->dev_minor,
	};
	return true;
}

/* Has the command mapped code that was not looked at yet? */
static bool has_news(struct probekit_session *session)
{
	struct proc_maps maps;
	bool news = false;

	if (process_read_maps(session->command.pid, &maps, NULL))
		return false;
	for (size_t i = 0; i < maps.size; i++)
		if (maps.maps[i].is_executable && maps.maps[i].path[0] == '/' &&
		    !is_seen(session, &maps.maps[i]))
			news |= note_seen(session, &maps.maps[i]);
	if (maps.size == 0) { /* it has just ended */
		proc_maps_done(&maps);
		return false;
	}
	proc_maps_done(&session->command_maps);
	session->command_maps = maps;
	return news;
}

/* Plans and attaches what the command has executed or opened since. That it may end meanwhile is no
 * error. */
static int follow_command(struct probekit_session *session, struct probekit_error *err)
{
	uint32_t sites = session->plan.site_count;
	size_t known = session->objects.size;
	size_t left_out = session->plan.left_out;
	size_t links = session->attachment.links.size;
	struct probekit_error problem;
	size_t skipped;
	int result = 0;

	session->last_scan_ns = session_now_ns();
	if (!has_news(session) ||
	    process_objects(session->command.pid, &session->objects, &skipped, NULL))
		return 0;
	for (size_t i = known; i < session->objects.size && !result; i++)
		result = plan_add_object(&session->plan, &session->objects, (uint32_t)i,
					 &session->selection, err);
	if (result)
		return result;
	plan_number_rows(&session->plan);
	if (session->plan.left_out > left_out)
		session_log(
			session, PROBEKIT_LOG_WARNING,
			"%zu probes of libraries opened later found no room and are not measured",
			session->plan.left_out - left_out);
	if (session->plan.site_count == sites)
		return 0;
	if (attach_all(session, sites, &problem)) {
		/* What is measured already goes on. */
		attach_links_close(&session->attachment.links, links);
		if (problem.code != -ESRCH)
			session_log(session, PROBEKIT_LOG_WARNING, "not measured: %s",
				    problem.text);
	}
	return 0;
}

static bool all_ended(const struct probekit_session *session)
{
	for (size_t i = 0; i < session->pid_count; i++)
		if (!session->watched[i].has_ended)
			return false;
	return session->pid_count > 0;
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

int probekit_session_poll(struct probekit_session *session, int timeout_ms,
			  struct probekit_error *err)
{
	bool is_command = session->command.argv != NULL;
	int scan_ms = (int)(SCAN_INTERVAL_NS / 1000000);
	int result;

	if (session->state != SESSION_RUNNING)
		return error_usage(err, "the session is not running");
	if (is_command && (timeout_ms < 0 || timeout_ms > scan_ms))
		timeout_ms = scan_ms;
	result = wait_for_news(session, timeout_ms, err);
	if (result)
		return result;
	command_reap(&session->command);
	if (is_command && !all_ended(session) &&
	    (engine_poll_exec(session->engine) ||
	     session_now_ns() - session->last_scan_ns >= SCAN_INTERVAL_NS)) {
		result = follow_command(session, err);
		if (result)
			return result;
	}
	return all_ended(session) ? PROBEKIT_EVENT_TARGETS_ENDED : 0;
}

size_t probekit_session_process_count(const struct probekit_session *session)
{
	return session->command.argv ? 1 : session->users_at_start;
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
	if (!result && session_name_locks(session))
		result = error_no_memory(err);
	attach_links_close(&session->attachment.links, 0);
	command_reap(&session->command);
	if (session->command.pid > 0 && session->command.status < 0)
		session_log(session, PROBEKIT_LOG_WARNING,
			    "the measurement is over: '%s' is sent SIGTERM", session->command.path);
	command_end(&session->command);
	return result;
}
