/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what spans waited for, by cause, and the names of the locks among it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lock_names.h"
#include "process.h"
#include "session.h"
#include "syscalls.h"

/* ---- names of locks ---- */

/* The maps of a process that has ended are those that were last seen, if it was the command. */
static int name_by_maps(struct probekit_session *session, struct named_lock *lock)
{
	struct proc_maps maps;
	int result;

	if (process_read_maps(lock->pid, &maps, NULL) == 0 && maps.size) {
		result = lock_name(&maps, &session->objects, lock->address, &lock->symbol,
				   &lock->place);
		proc_maps_done(&maps);
		return result;
	}
	if (lock->pid == session->command.pid)
		return lock_name(&session->command_maps, &session->objects, lock->address,
				 &lock->symbol, &lock->place);
	return 0;
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
	if (name_by_maps(session, locks))
		return NULL;
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
	return engine_visit_causes(session->engine, name_one, session);
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

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static int fill(struct probekit_session *session, const struct cause_key *key,
		const struct cause *cause, struct probekit_wait *wait)
{
	const struct named_lock *lock = NULL;

	*wait = (struct probekit_wait){
		.exponent = key->band - BUCKET_SECONDS_EXPONENT,
		.time_class = (enum probekit_class)key->time_class,
		.pid = (pid_t)key->pid,
		.address = key->address,
		.time_ns = cause->ns,
		.count = cause->waits,
		.spans = cause->spans,
	};
	if (key->address) {
		lock = name_of(session, wait->pid, wait->address);
		if (!lock)
			return -ENOMEM;
		wait->symbol = copy(lock->symbol);
		wait->place = copy(lock->place);
	}
	if (key->syscall != NO_SYSCALL)
		wait->syscall = syscalls_name(key->syscall);
	return (lock && (!wait->symbol != !lock->symbol || !wait->place != !lock->place)) ||
			       (key->syscall != NO_SYSCALL && !wait->syscall)
		       ? -ENOMEM
		       : 0;
}

static int add_wait(const struct cause_key *key, const struct cause *cause, void *arg)
{
	struct session_rows *rows = arg;
	struct probekit_probe *row = session_own_row(rows, key->probe);
	struct probekit_wait *waits;

	if (!row || key->time_class >= PROBEKIT_CLASS_COUNT)
		return 0;
	waits = reallocarray(row->waits, row->wait_count + 1, sizeof(*waits));
	if (!waits)
		return -ENOMEM;
	row->waits = waits;
	return fill(rows->session, key, cause, &waits[row->wait_count++]);
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

	for (size_t i = 0; i < rows->snapshot->size && !result; i++) {
		struct probekit_probe *row = &rows->snapshot->probes[i];

		if (row->wait_count)
			qsort(row->waits, row->wait_count, sizeof(*row->waits), by_time);
	}
	return result;
}
