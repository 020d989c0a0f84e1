/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns which processes are measured while the session runs: children, those of the cgroup, and what all
 * of them execute and open. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "process.h"
#include "session.h"

#define SCAN_INTERVAL_NS 100000000ull
#define SCAN_SPACING_NS 1000000ull /* where there are events */
#define LOOKS_AT_ONCE 8		   /* processes whose maps are read at a scan */
#define NEW_AT_ONCE 256

bool session_follows(const struct probekit_session *session)
{
	return session->command.argv || session->options.follow_children || session->cgroup;
}

bool session_is_by_pid(const struct probekit_session *session)
{
	return session->command.argv || session->pid_count || session->cgroup;
}

bool session_may_grow(const struct probekit_session *session)
{
	return session_follows(session) && session_is_by_pid(session) && !session->path_count;
}

/* ---- what processes map ---- */

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

/* Is there code that was not looked at yet? */
static bool has_news(struct probekit_session *session, const struct proc_maps *maps)
{
	bool news = false;

	for (size_t i = 0; i < maps->size; i++)
		if (maps->maps[i].is_executable && maps->maps[i].path[0] == '/' &&
		    !is_seen(session, &maps->maps[i]))
			news |= note_seen(session, &maps->maps[i]);
	return news;
}

static bool has_sites(const struct plan *plan, uint32_t object)
{
	for (uint32_t i = 0; i < plan->site_count; i++)
		if (plan->sites[i].object == object)
			return true;
	return false;
}

static bool maps_sites(const struct probekit_session *session, const struct proc_maps *maps)
{
	for (uint32_t o = 0; o < session->objects.size; o++) {
		if (!has_sites(&session->plan, o))
			continue;
		for (size_t i = 0; i < maps->size; i++)
			if (maps->maps[i].is_executable &&
			    object_is_mapped(session->objects.items[o], &maps->maps[i]))
				return true;
	}
	return false;
}

/* Plans the probes of what the process maps, and attaches them to all that are attached to. */
static int add_objects(struct probekit_session *session, pid_t pid, struct probekit_error *err)
{
	uint32_t sites = session->plan.site_count;
	size_t known = session->objects.size;
	size_t left_out = session->plan.left_out;
	struct probekit_error problem;
	size_t skipped;
	int result = 0;

	if (process_objects(pid, &session->objects, &skipped, NULL))
		return 0; /* it may just have ended */
	for (size_t i = known; i < session->objects.size; i++) {
		result = session_plan_object(session, (uint32_t)i, &problem);
		if (result == -ENOMEM)
			return error_no_memory(err);
		if (result) /* what is measured already goes on */
			session_log(session, PROBEKIT_LOG_WARNING, "not measured: %s",
				    problem.text);
	}
	plan_number_rows(&session->plan);
	if (session->plan.left_out > left_out)
		session_log(session, PROBEKIT_LOG_WARNING,
			    "%zu probes of files opened later found no room and are not measured",
			    session->plan.left_out - left_out);
	if (session->plan.site_count == sites && !custom_has_events(&session->custom))
		return 0;
	result = session_attach(session, sites, 0, true, &problem);
	if (!result)
		result = session_attach_functions(session, &problem);
	if (!result)
		result = session_attach_programs(session, &problem);
	if (result && result != -ESRCH) /* what is measured already goes on */
		session_log(session, PROBEKIT_LOG_WARNING, "not measured: %s", problem.text);
	return 0;
}

/* ---- single processes ---- */

static void attach_found(struct probekit_session *session, size_t index)
{
	struct probekit_error problem;
	int result = session_attach_process(session, index, &problem);

	session->last_found_ns = session_now_ns();
	engine_note_known(session->engine, session->pids[index]);
	if (!result || result == -ESRCH)
		return;
	session->watched[index].is_attached = true; /* so that it is not tried again */
	if (session->unattached++ == 0)
		session_log(session, PROBEKIT_LOG_WARNING, "process %d is not measured: %s",
			    session->pids[index], problem.text);
}

static int look_at(struct probekit_session *session, size_t index, struct probekit_error *err)
{
	pid_t pid = session->pids[index];
	struct proc_maps maps;
	int result = 0;

	session->watched[index].has_executed = false;
	if (process_read_maps(pid, &maps, NULL))
		return 0;
	if (!session->path_count && has_news(session, &maps))
		result = add_objects(session, pid, err);
	if (!result && !session->watched[index].is_attached && maps_sites(session, &maps))
		attach_found(session, index);
	if (pid == session->command.pid && maps.size) { /* else it has just ended */
		proc_maps_done(&session->command_maps);
		session->command_maps = maps;
	} else {
		proc_maps_done(&maps);
	}
	return result;
}

static ssize_t find(const struct probekit_session *session, pid_t pid)
{
	for (size_t i = 0; i < session->pid_count; i++)
		if (session->pids[i] == pid)
			return (ssize_t)i;
	return -1;
}

/* 0: it is watched from now on, and not attached to yet; 1: it was, or cannot be. */
static int watch_found(struct probekit_session *session, pid_t pid, struct probekit_error *err)
{
	struct probekit_error problem;
	int result;

	if (find(session, pid) >= 0)
		return 1;
	result = session_watch(session, pid, &problem);
	if (result == -ENOMEM)
		return error_no_memory(err);
	if (result)
		return 1; /* it has ended, is of the kernel, or not ours to see */
	session->watched[session->pid_count - 1].is_found = true;
	session->watched[session->pid_count - 1].is_attached = false;
	return 0;
}

static void forget(struct probekit_session *session, size_t index)
{
	size_t last = --session->pid_count;

	engine_unfollow(session->engine, session->pids[index]);
	if (session->watched[index].has_ended)
		session_detach_ended(session, session->pids[index]);
	else
		session_detach_process(session, session->pids[index]);
	close(session->watched[index].pidfd);
	session->pids[index] = session->pids[last];
	session->watched[index] = session->watched[last];
}

static void forget_ended(struct probekit_session *session)
{
	for (size_t i = session->pid_count; i-- > 0;)
		if (session->watched[i].is_found && session->watched[i].has_ended)
			forget(session, i);
	session_detach_waiting(session);
}

/* ---- children ---- */

static int take_child(struct probekit_session *session, pid_t pid, struct probekit_error *err)
{
	int result;

	if (!session->options.follow_children) { /* of the cgroup, it would be known by now */
		engine_unfollow(session->engine, pid);
		return 0;
	}
	result = watch_found(session, pid, err);
	if (result > 0)
		engine_note_known(session->engine, pid);
	if (result)
		return result < 0 ? result : 0;
	attach_found(session, session->pid_count - 1);
	session->watched[session->pid_count - 1].has_executed = true; /* perhaps, unseen */
	return 0;
}

static int take_children(struct probekit_session *session, struct probekit_error *err)
{
	pid_t pids[NEW_AT_ONCE];
	size_t count;
	int result = 0;

	if (!session->options.follow_children && !session->cgroup)
		return 0;
	do {
		count = engine_followed(session->engine, FOLLOW_NEW, pids, NEW_AT_ONCE);
		for (size_t i = 0; i < count && !result; i++)
			result = take_child(session, pids[i], err);
	} while (count == NEW_AT_ONCE && !result);
	return result;
}

/* ---- the cgroup ---- */

static int list_cgroup(struct probekit_session *session, struct probekit_error *err)
{
	size_t count = 0;
	pid_t *pids = NULL;
	int result = cgroup_processes(session->cgroup, &pids, &count);

	if (result == -ENOMEM)
		return error_no_memory(err);
	for (size_t i = 0; i < session->pid_count; i++)
		session->watched[i].is_listed = false;
	result = 0; /* it may be gone, and come again */
	for (size_t i = 0; i < count && result >= 0; i++) {
		ssize_t index;

		if (pids[i] == getpid())
			continue;
		result = watch_found(session, pids[i], err);
		index = find(session, pids[i]);
		if (index >= 0)
			session->watched[index].is_listed = true;
	}
	free(pids);
	return result < 0 ? result : 0;
}

int session_find_cgroup(struct probekit_session *session, struct probekit_error *err)
{
	size_t skipped;
	int result;

	if (session->pid_count)
		return error_usage(err, "give either a cgroup, or PIDs");
	result = list_cgroup(session, err);
	for (size_t i = 0; i < session->pid_count && !result; i++) {
		bool is_user = !session->path_count;

		for (size_t p = 0; p < session->path_count && !is_user; p++)
			if (process_maps(session->pids[i], session->objects.items[p], &is_user,
					 NULL))
				is_user = false;
		session->users_at_start += is_user;
		/* One may have ended, and others are not ours to read. */
		if (!session->path_count &&
		    process_objects(session->pids[i], &session->objects, &skipped, err) == -ENOMEM)
			result = -ENOMEM;
	}
	return result;
}

static int scan_cgroup(struct probekit_session *session, struct probekit_error *err)
{
	size_t known = session->pid_count;
	int result = list_cgroup(session, err);

	for (size_t i = known; i < session->pid_count && !result; i++) {
		engine_follow(session->engine, session->pids[i]);
		result = look_at(session, i, err);
	}
	for (size_t i = session->pid_count; i-- > 0 && !result;)
		if (!session->watched[i].is_listed && !session->options.follow_children)
			forget(session, i);
	return result;
}

/* ---- all of them ---- */

void session_prepare_following(struct probekit_session *session)
{
	if (!session_follows(session))
		return;
	for (size_t i = 0; i < session->pid_count; i++) {
		struct proc_maps maps;

		engine_follow(session->engine, session->pids[i]);
		if (!session->cgroup || process_read_maps(session->pids[i], &maps, NULL))
			continue;
		session->watched[i].is_attached = maps_sites(session, &maps);
		proc_maps_done(&maps);
	}
}

static void note_execution(pid_t pid, void *arg)
{
	struct probekit_session *session = arg;
	ssize_t index = find(session, pid);

	if (index >= 0)
		session->watched[index].has_executed = true;
}

/* Those that have executed something, and a few of the others by turns: they may have opened something. */
static int look(struct probekit_session *session, struct probekit_error *err)
{
	size_t turns = session->pid_count < LOOKS_AT_ONCE ? session->pid_count : LOOKS_AT_ONCE;
	int result = 0;

	for (size_t i = 0; i < turns; i++)
		session->watched[session->next_look++ % session->pid_count].has_executed = true;
	for (size_t i = 0; i < session->pid_count && !result; i++)
		if (session->watched[i].has_executed && !session->watched[i].has_ended)
			result = look_at(session, i, err);
	return result;
}

int session_follow(struct probekit_session *session, struct probekit_error *err)
{
	uint64_t since = session_now_ns() - session->last_scan_ns;
	int result = 0;

	session->has_follow_events |=
		engine_poll_events(session->engine, note_execution, session) > 0;
	if (!session_follows(session) || !session_is_by_pid(session) ||
	    since < (session->has_follow_events ? SCAN_SPACING_NS : SCAN_INTERVAL_NS))
		return 0;
	session->has_follow_events = false;
	session->last_scan_ns = session_now_ns();
	forget_ended(session);
	session_find_missed(session);
	if (session->cgroup)
		result = scan_cgroup(session, err);
	if (!result)
		result = take_children(session, err);
	return result ? result : look(session, err);
}

void session_tell_missed(const struct probekit_session *session)
{
	uint64_t missed = engine_missed_children(session->engine);

	if (missed)
		session_log(session, PROBEKIT_LOG_WARNING,
			    "%llu child processes ended before they could be measured",
			    (unsigned long long)missed);
	if (session->unattached > 1)
		session_log(session, PROBEKIT_LOG_WARNING, "%zu processes could not be measured",
			    session->unattached);
}
