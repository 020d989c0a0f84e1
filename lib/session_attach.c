/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the session's links: which process has which, so that those of one that ends can go alone. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "session.h"

/* Detaching keeps the kernel from attaching perf events to those that come meanwhile. */
#define DETACH_AT_ONCE 64
#define DETACH_AFTER_NS 1000000000ull /* since the last one came */

static int add_set(struct probekit_session *session, const struct link_set *set,
		   struct probekit_error *err)
{
	struct link_set *sets = reallocarray(session->link_sets, session->link_set_count + 1,
					     sizeof(*session->link_sets));

	if (!sets)
		return error_no_memory(err);
	session->link_sets = sets;
	sets[session->link_set_count++] = *set;
	return 0;
}

/* What is attached until the set is kept is for its process. */
static void begin_set(struct probekit_session *session, const struct link_set *set)
{
	session->attachment.pids = set->pid ? &set->pid : NULL;
	session->attachment.pid_count = set->pid != 0;
}

/* Unless attaching has failed with `result`. */
static int keep_set(struct probekit_session *session, struct link_set *set, int result,
		    struct probekit_error *err)
{
	session->attachment.pids = NULL;
	session->attachment.pid_count = 0;
	if (!result && set->links.size)
		result = add_set(session, set, err);
	if (result)
		attach_links_close(&set->links, 0);
	return result;
}

static int attach_one(struct probekit_session *session, uint32_t from_site, pid_t pid,
		      uint32_t batch, bool is_late, struct probekit_error *err)
{
	struct link_set set = {.pid = pid, .batch = batch};
	int result;

	begin_set(session, &set);
	result = attachment_add(&session->attachment, from_site, batch, is_late, &set.links, err);
	return keep_set(session, &set, result, err);
}

static void move_links(struct attach_links *from, struct attach_links *to)
{
	if (to->size == 0) {
		attach_links_close(to, 0);
		*to = *from;
		*from = (struct attach_links){0};
		return;
	}
	for (size_t i = 0; i < from->size; i++)
		if (attach_links_add(to, from->fds[i]))
			close(from->fds[i]);
	from->size = 0;
	attach_links_close(from, 0);
}

/* Takes out the links of one process, of one batch, or (both NULL) all. */
static void take_links(struct probekit_session *session, const pid_t *pid, const uint32_t *batch,
		       struct attach_links *links)
{
	size_t kept = 0;

	for (size_t i = 0; i < session->link_set_count; i++) {
		struct link_set *set = &session->link_sets[i];

		if ((pid && set->pid != *pid) || (batch && set->batch != *batch))
			session->link_sets[kept++] = *set;
		else
			move_links(&set->links, links);
	}
	session->link_set_count = kept;
}

void session_take_batch(struct probekit_session *session, uint32_t batch,
			struct attach_links *links)
{
	take_links(session, NULL, &batch, links);
}

void session_detach_process(struct probekit_session *session, pid_t pid)
{
	struct attach_links links = {0};

	take_links(session, &pid, NULL, &links);
	attach_links_close(&links, 0);
}

void session_detach_ended(struct probekit_session *session, pid_t pid)
{
	take_links(session, &pid, NULL, &session->detaching.waiting);
}

void session_detach_waiting(struct probekit_session *session)
{
	if (session->detaching.waiting.size >= DETACH_AT_ONCE ||
	    session_now_ns() - session->last_found_ns > DETACH_AFTER_NS)
		attach_later_run(&session->detaching);
}

static void lower_limit(struct probekit_session *session)
{
	struct rlimit files;

	if (!session->files_before || getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = session->files_before;
	setrlimit(RLIMIT_NOFILE, &files);
	session->files_before = 0;
}

void session_detach(struct probekit_session *session)
{
	take_links(session, NULL, NULL, &session->detaching.waiting);
	move_links(&session->attachment.links, &session->detaching.waiting);
	attach_later_done(&session->detaching);
	free(session->link_sets);
	session->link_sets = NULL;
	lower_limit(session);
}

/* ---- attaching ---- */

int session_attach(struct probekit_session *session, uint32_t from_site, uint32_t batch,
		   bool is_late, struct probekit_error *err)
{
	size_t attached = 0;
	size_t ended = 0;
	int result = 0;

	session->attachment.arrival += is_late;
	session->attachment.custom_from =
		batch && !session->is_renewing ? 0 : session->custom.site_count;
	if (batch == 0)
		result = custom_take_over(&session->custom, &session->attachment, false, err);
	if (result)
		return result;
	if (!session_is_by_pid(session))
		return attach_one(session, from_site, 0, batch, is_late, err);
	for (size_t i = 0; i < session->pid_count && (!result || result == -ESRCH); i++) {
		if (!session->watched[i].is_attached)
			continue;
		if (is_late)
			engine_hush(session->engine, session->pids[i], session->attachment.arrival);
		result = session->watched[i].has_ended
				 ? -ESRCH
				 : attach_one(session, from_site, session->pids[i], batch, is_late,
					      err);
		ended += result == -ESRCH;
		attached += result == 0;
	}
	engine_hush(session->engine, 0, 0);
	if (result && result != -ESRCH)
		return result;
	if (ended && !attached)
		return error_failed(err, -ESRCH,
				    "every process has ended before it could be measured");
	return 0; /* the others can still be measured */
}

int session_attach_process(struct probekit_session *session, size_t index,
			   struct probekit_error *err)
{
	pid_t pid = session->pids[index];
	int result = 0;

	session->attachment.is_found = true;
	session->attachment.custom_from = 0;
	session->attachment.arrival++;
	engine_hush(session->engine, pid, session->attachment.arrival);
	for (uint32_t batch = 0; batch <= session->batch_count && !result; batch++)
		result = attach_one(session, 0, pid, batch, true, err);
	if (result) /* what was attached goes before it is heard */
		session_detach_process(session, pid);
	engine_hush(session->engine, 0, 0);
	session->attachment.is_found = false;
	session->watched[index].is_attached = !result;
	return result;
}

static int attach_programs_to(struct probekit_session *session, pid_t pid, uint32_t from,
			      uint32_t batch, struct probekit_error *err)
{
	struct link_set set = {.pid = pid, .batch = batch};
	int result;

	begin_set(session, &set);
	result =
		custom_attach(&session->custom, &session->attachment, from, batch, &set.links, err);
	return keep_set(session, &set, result, err);
}

static int attach_programs(struct probekit_session *session, uint32_t from, uint32_t batch,
			   struct probekit_error *err)
{
	int result = 0;

	if (!session_is_by_pid(session))
		return attach_programs_to(session, 0, from, batch, err);
	for (size_t i = 0; i < session->pid_count && (!result || result == -ESRCH); i++)
		if (session->watched[i].is_attached)
			result = attach_programs_to(session, session->pids[i], from, batch, err);
	return result == -ESRCH ? 0 : result; /* the others can still be measured */
}

int session_renew_programs(struct probekit_session *session, uint32_t batch,
			   struct probekit_error *err)
{
	return attach_programs(session, 0, batch, err);
}

int session_attach_programs(struct probekit_session *session, struct probekit_error *err)
{
	uint32_t from = session->custom.site_count;
	int result = custom_take_over(&session->custom, &session->attachment, true, err);

	/* By batches, as functions are: what is dropped of one takes its programs along. */
	for (uint32_t batch = 1;
	     batch <= session->batch_count && session->custom.site_count > from && !result; batch++)
		result = attach_programs(session, from, batch, err);
	return result;
}
