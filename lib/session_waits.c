/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what spans waited for, by cause, and the names of the locks among it. */
#include <errno.h>
#include <stdlib.h>

#include "breakdown.h"
#include "lock_names.h"
#include "process.h"
#include "session.h"
#include "syscalls.h"

/* ---- names of locks ---- */

static void forget_maps(struct probekit_session *session)
{
	proc_maps_done(&session->lock_maps);
	session->lock_maps = (struct proc_maps){0};
	session->lock_maps_pid = 0;
}

/* The process's maps, read once for locks that follow each other. Those of a process that has ended
 * are what was last seen, if it was the command. */
static const struct proc_maps *maps_of(struct probekit_session *session, pid_t pid)
{
	if (session->lock_maps_pid != pid) {
		forget_maps(session);
		if (process_read_maps(pid, &session->lock_maps, NULL))
			session->lock_maps = (struct proc_maps){0};
		session->lock_maps_pid = pid;
	}
	if (session->lock_maps.size == 0 && pid == session->command.pid)
		return &session->command_maps;
	return &session->lock_maps;
}

/* NULL: no memory. */
static const struct named_lock *name_of(struct probekit_session *session, pid_t pid,
					uint64_t address)
{
	struct named_lock *locks;

	for (size_t i = 0; i < session->lock_count; i++)
		if (session->locks[i].pid == pid && session->locks[i].address == address)
			return &session->locks[i];
	locks = reallocarray(session->locks, session->lock_count + 1, sizeof(*locks));
	if (!locks)
		return NULL;
	session->locks = locks;
	locks += session->lock_count;
	*locks = (struct named_lock){.pid = pid, .address = address};
	if (lock_name(maps_of(session, pid), &session->objects, address, &locks->symbol,
		      &locks->place)) {
		free(locks->place);
		return NULL;
	}
	session->lock_count++;
	return locks;
}

static int name_one(const struct cause_key *key, const struct cause *cause, void *arg)
{
	(void)cause;
	return !key->address || name_of(arg, (pid_t)key->pid, key->address) ? 0 : -ENOMEM;
}

int session_name_locks(struct probekit_session *session)
{
	int result = engine_visit_causes(session->engine, name_one, session);

	forget_maps(session);
	return result;
}

void session_forget_locks(struct probekit_session *session)
{
	for (size_t i = 0; i < session->lock_count; i++) {
		free(session->locks[i].symbol);
		free(session->locks[i].place);
	}
	free(session->locks);
	proc_maps_done(&session->command_maps);
}

/* ---- waits ---- */

static int add_wait(const struct cause_key *key, const struct cause *cause, void *arg)
{
	struct session_rows *rows = arg;
	struct probekit_probe *row = session_own_row(rows, key->probe);
	const struct named_lock *lock = NULL;
	char *syscall = NULL;
	int result;

	if (!row || key->time_class >= PROBEKIT_CLASS_COUNT)
		return 0;
	if (key->address && !(lock = name_of(rows->session, (pid_t)key->pid, key->address)))
		return -ENOMEM;
	if (key->syscall != NO_SYSCALL && !(syscall = syscalls_name(key->syscall)))
		return -ENOMEM;
	result = breakdown_add_wait(row, &(struct probekit_wait){
						 .exponent = key->band - BUCKET_SECONDS_EXPONENT,
						 .time_class = (enum probekit_class)key->time_class,
						 .syscall = syscall,
						 .pid = (pid_t)key->pid,
						 .address = key->address,
						 .symbol = lock ? lock->symbol : NULL,
						 .place = lock ? lock->place : NULL,
						 .time_ns = cause->ns,
						 .count = cause->waits,
						 .spans = cause->spans,
					 });
	free(syscall);
	return result;
}

static int by_time(const void *a, const void *b)
{
	const struct probekit_wait *x = a;
	const struct probekit_wait *y = b;

	if (x->exponent != y->exponent)
		return x->exponent < y->exponent ? -1 : 1;
	return x->time_ns < y->time_ns ? 1 : -(x->time_ns > y->time_ns);
}

int session_add_waits(struct session_rows *rows)
{
	int result = engine_visit_causes(rows->session->engine, add_wait, rows);

	forget_maps(rows->session);
	for (size_t i = 0; i < rows->snapshot->size && !result; i++) {
		struct probekit_probe *row = &rows->snapshot->probes[i];

		if (row->wait_count)
			qsort(row->waits, row->wait_count, sizeof(*row->waits), by_time);
	}
	return result;
}
