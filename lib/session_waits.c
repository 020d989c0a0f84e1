/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what spans waited for, by cause, and what has left the kernel's tables of that and of what holders did. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "breakdown.h"
#include "session.h"
#include "syscalls.h"

/* Which way a system call that waits moves what it waits for; by how its name begins. */
static const char *direction_of(const char *syscall)
{
	static const struct {
		const char *begin;
		const char *direction;
	} table[] = {
		{"read", "read"},     {"pread", "read"},      {"recv", "read"},
		{"write", "write"},   {"pwrite", "write"},    {"send", "write"},
		{"accept", "accept"}, {"connect", "connect"},
	};

	for (size_t i = 0; syscall && i < sizeof(table) / sizeof(*table); i++)
		if (strncmp(syscall, table[i].begin, strlen(table[i].begin)) == 0)
			return table[i].direction;
	return NULL;
}

/* ---- what is told of a cause ---- */

static bool is_of_lock(const struct cause_key *key)
{
	return key->time_class == CLASS_LOCK && key->pid;
}

/* What a lock is may be learnt later: it stays what it is to the kernel. */
static int tell(struct probekit_session *session, struct cause_key *key, const char **name)
{
	const struct named_thing *thing;

	*name = NULL;
	if (is_of_lock(key))
		return 0;
	if (key->address) {
		thing = session_thing(session, key->address);
		if (!thing)
			return -ENOMEM;
		key->address = TOLD_BY_NAME;
		*name = thing->name;
	}
	if (key->time_class == CLASS_THROTTLED && key->pid) {
		*name = session_cgroup(session, (pid_t)key->pid);
		key->pid = 0;
	}
	return 0;
}

/* What the key's address and process stand for depends on what was waited for. */
static int name_target(struct probekit_session *session, const struct cause_key *key,
		       const char *name, struct probekit_wait *wait)
{
	const struct named_lock *lock;
	const struct named_process *process;

	if (is_of_lock(key)) {
		lock = session_lock(session, (struct futex_place){key->address, key->pid});
		if (!lock)
			return -ENOMEM;
		wait->pid = lock->pid;
		wait->address = lock->address;
		wait->symbol = lock->symbol;
		wait->place = lock->place;
		return 0;
	}
	wait->object = name;
	if (key->address)
		wait->direction = direction_of(wait->syscall);
	if (!key->pid)
		return 0;
	process = session_process(session, (pid_t)key->pid);
	if (!process)
		return -ENOMEM;
	wait->other_pid = process->pid;
	memcpy(wait->other_comm, process->comm, sizeof(wait->other_comm));
	return 0;
}

/* ---- rows ---- */

/* Has the probe's row add the wait, or forget it. */
static int with_row(struct session_rows *rows, const struct cause_key *key, const char *name,
		    const struct cause *cause,
		    int (*use)(struct probekit_probe *row, const struct probekit_wait *wait))
{
	struct probekit_probe *row = session_own_row(rows, key->probe);
	struct probekit_wait wait = {
		.exponent = key->band - BUCKET_SECONDS_EXPONENT,
		.is_slow = key->is_slow,
		.time_class = (enum probekit_class)key->time_class,
		.time_ns = cause->ns,
		.count = cause->waits,
		.spans = cause->spans,
	};
	char *syscall = NULL;
	int result;

	if (!row || key->time_class >= PROBEKIT_CLASS_COUNT)
		return 0;
	if (key->syscall != NO_SYSCALL && !(syscall = syscalls_name(key->syscall)))
		return -ENOMEM;
	wait.syscall = syscall;
	result = name_target(rows->session, key, name, &wait);
	if (!result)
		result = use(row, &wait);
	free(syscall);
	return result;
}

static int add_wait(const struct cause_key *key, const struct cause *cause, void *arg)
{
	struct session_rows *rows = arg;
	struct cause_key told = *key;
	const char *name;

	return tell(rows->session, &told, &name)
		       ? -ENOMEM
		       : with_row(rows, &told, name, cause, breakdown_add_wait);
}

int session_add_waits(struct session_rows *rows)
{
	const struct told_list *left = &rows->session->left_causes;
	int result = engine_visit_causes(rows->session->engine, add_wait, rows);

	for (size_t i = 0; i < left->size && !result; i++)
		result = with_row(rows, &left->items[i].key.cause, left->items[i].name,
				  &left->items[i].sum, breakdown_add_wait);
	session_forget_maps(rows->session);
	for (size_t i = 0; i < rows->snapshot->size; i++)
		breakdown_join_waits(&rows->snapshot->probes[i]);
	return result;
}

/* ---- room ---- */

static int add_left_cause(const struct cause_key *key, const struct cause *cause, void *arg)
{
	struct probekit_session *session = arg;
	struct cause_key told = *key;
	const char *name;

	return tell(session, &told, &name)
		       ? -ENOMEM
		       : told_add_cause(&session->left_causes, &told, name, cause);
}

static int forget(struct probekit_probe *row, const struct probekit_wait *wait)
{
	breakdown_forget_wait(row, wait);
	return 0;
}

static int let_cause_go(const struct told *told, void *arg)
{
	struct probekit_session *session = arg;
	struct session_rows rows = {.session = session, .snapshot = session->previous};

	engine_count_unnamed(session->engine, told->key.cause.probe, told->sum.waits);
	return rows.snapshot ? with_row(&rows, &told->key.cause, told->name, &told->sum, forget)
			     : 0;
}

static int take_causes(struct probekit_session *session)
{
	size_t before = session->left_causes.size;
	int result = engine_take_causes(session->engine, add_left_cause, session);

	if (result || session->left_causes.size == before)
		return result;
	told_join(&session->left_causes);
	return told_trim(&session->left_causes, engine_cause_room(session->engine), true,
			 let_cause_go, session);
}

/* Of locks alone it is known for each what it was: of all else what took most is told, which is in the table. */
static int add_left_holding(const struct holding_key *key, const struct holding *holding, void *arg)
{
	struct probekit_session *session = arg;
	struct holding_key told = *key;

	if (!holding_waits_for_lock(key))
		told.address = told.address_space = 0;
	return told_add_holding(&session->left_holdings, &told, holding);
}

static int let_holding_go(const struct told *told, void *arg)
{
	const struct probekit_session *session = arg;

	engine_count_unnamed(session->engine, 0, told->sum.waits);
	return 0;
}

static int take_holdings(struct probekit_session *session)
{
	size_t before = session->left_holdings.size;
	int result = engine_take_holdings(session->engine, add_left_holding, session);

	if (result || session->left_holdings.size == before)
		return result;
	told_join(&session->left_holdings);
	return told_trim(&session->left_holdings, engine_holding_room(session->engine), false,
			 let_holding_go, session);
}

int session_make_room(struct probekit_session *session)
{
	int result = take_causes(session);

	return result ? result : take_holdings(session);
}
