/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what spans waited for, by cause. */
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

/* What the key's address and process stand for depends on what was waited for. */
static int name_target(struct probekit_session *session, const struct cause_key *key,
		       struct probekit_wait *wait)
{
	const struct named_lock *lock;
	const struct named_thing *thing;
	const struct named_process *process;

	if (key->time_class == CLASS_LOCK && key->pid) {
		lock = session_lock(session, (struct futex_place){key->address, key->pid});
		if (!lock)
			return -ENOMEM;
		wait->pid = lock->pid;
		wait->address = lock->address;
		wait->symbol = lock->symbol;
		wait->place = lock->place;
		return 0;
	}
	if (key->address) {
		thing = session_thing(session, key->address);
		if (!thing)
			return -ENOMEM;
		wait->object = thing->name;
		wait->direction = direction_of(wait->syscall);
	}
	if (!key->pid)
		return 0;
	process = session_process(session, (pid_t)key->pid);
	if (!process)
		return -ENOMEM;
	if (key->time_class == CLASS_THROTTLED) {
		wait->object = session_cgroup(session, (pid_t)key->pid);
		return 0;
	}
	wait->other_pid = process->pid;
	memcpy(wait->other_comm, process->comm, sizeof(wait->other_comm));
	return 0;
}

static int add_wait(const struct cause_key *key, const struct cause *cause, void *arg)
{
	struct session_rows *rows = arg;
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
	result = name_target(rows->session, key, &wait);
	if (!result)
		result = breakdown_add_wait(row, &wait);
	free(syscall);
	return result;
}

int session_add_waits(struct session_rows *rows)
{
	int result = engine_visit_causes(rows->session->engine, add_wait, rows);

	session_forget_maps(rows->session);
	for (size_t i = 0; i < rows->snapshot->size; i++)
		breakdown_join_waits(&rows->snapshot->probes[i]);
	return result;
}
