/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what the things that spans waited for are called: locks, files, peers, processes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "cgroup.h"
#include "evidence.h"
#include "lock_names.h"
#include "process.h"
#include "session.h"
#include "thing_names.h"

/* ---- locks ---- */

void session_forget_maps(struct probekit_session *session)
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
		session_forget_maps(session);
		if (process_read_maps(pid, &session->lock_maps, NULL))
			session->lock_maps = (struct proc_maps){0};
		session->lock_maps_pid = pid;
	}
	if (session->lock_maps.size == 0 && pid == session->command.pid)
		return &session->command_maps;
	return &session->lock_maps;
}

/* Where the object begins of which a thread waits for this word: both of a rwlock's words, and those
 * of a condition variable that waiters sleep on, lie side by side (glibc, sysdeps/nptl/bits). */
static uint64_t lock_base(uint64_t word, const char *kind)
{
	uint64_t pair = word & ~7ull;

	if (strcmp(kind, "rwlock") == 0)
		return pair - 8;
	return strcmp(kind, "condvar") == 0 ? pair - 40 : word;
}

static int name_lock(struct probekit_session *session, struct named_lock *lock)
{
	free(lock->symbol);
	free(lock->place);
	lock->symbol = NULL;
	lock->place = NULL;
	return lock_name(maps_of(session, lock->pid), &session->objects, lock->address,
			 &lock->symbol, &lock->place);
}

/* Evidence of what it is may come after the first wait. */
static int learn_kind(struct probekit_session *session, struct named_lock *lock)
{
	const char *kind = session->evidence
				   ? evidence_lock_kind(session->evidence, lock->pid, lock->word)
				   : NULL;
	uint64_t address = kind ? lock_base(lock->word, kind) : lock->address;

	lock->asked_ns = session->last_look_ns;
	lock->is_kind_known = kind != NULL;
	if (address == lock->address)
		return 0;
	lock->address = address;
	return name_lock(session, lock);
}

const struct named_lock *session_lock(struct probekit_session *session, pid_t pid, uint64_t word)
{
	struct named_lock *lock;

	for (size_t i = 0; i < session->lock_count; i++) {
		lock = &session->locks[i];
		if (lock->pid != pid || lock->word != word)
			continue;
		if (lock->is_kind_known || lock->asked_ns == session->last_look_ns)
			return lock;
		return learn_kind(session, lock) == 0 ? lock : NULL;
	}
	lock = reallocarray(session->locks, session->lock_count + 1, sizeof(*lock));
	if (!lock)
		return NULL;
	session->locks = lock;
	lock += session->lock_count;
	*lock = (struct named_lock){.pid = pid, .word = word, .address = word};
	if (name_lock(session, lock)) {
		free(lock->place);
		return NULL;
	}
	session->lock_count++;
	return learn_kind(session, lock) ? NULL : lock;
}

/* ---- files and peers ---- */

const struct named_thing *session_thing(struct probekit_session *session, uint64_t id)
{
	struct named_thing *things;
	struct thing thing;

	for (size_t i = 0; i < session->thing_count; i++)
		if (session->things[i].id == id)
			return &session->things[i];
	things = reallocarray(session->things, session->thing_count + 1, sizeof(*things));
	if (!things)
		return NULL;
	session->things = things;
	things += session->thing_count;
	*things = (struct named_thing){.id = id};
	if (engine_find_thing(session->engine, id, &thing) &&
	    thing_name(&thing, session->pids, session->pid_count, &things->name))
		return NULL;
	session->thing_count++;
	return things;
}

/* ---- processes ---- */

void session_read_comm(pid_t pid, char comm[static 16])
{
	char path[64];
	size_t size;
	FILE *file;

	*comm = '\0';
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return;
	size = fread(comm, 1, 15, file);
	fclose(file);
	comm[size] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
}

struct named_process *session_process(struct probekit_session *session, pid_t pid)
{
	struct named_process *processes;
	struct process_name name;

	for (size_t i = 0; i < session->process_count; i++)
		if (session->processes[i].pid == pid)
			return &session->processes[i];
	processes =
		reallocarray(session->processes, session->process_count + 1, sizeof(*processes));
	if (!processes)
		return NULL;
	session->processes = processes;
	processes += session->process_count++;
	*processes = (struct named_process){.pid = pid};
	if (engine_find_process(session->engine, (uint32_t)pid, &name))
		snprintf(processes->comm, sizeof(processes->comm), "%.15s", name.comm);
	else
		session_read_comm(pid, processes->comm);
	return processes;
}

const char *session_cgroup(struct probekit_session *session, pid_t pid)
{
	struct named_process *process = session_process(session, pid);
	struct cpu_quota quota;

	if (!process)
		return NULL;
	if (!process->has_cgroup) {
		process->has_cgroup = true;
		if (cgroup_cpu_quota(pid, &quota) == 0 && quota.is_set &&
		    asprintf(&process->cgroup, "%s (%.2f CPUs)", quota.folder, quota.cpus) < 0)
			process->cgroup = NULL;
	}
	return process->cgroup;
}

/* ---- all ---- */

bool holding_waits_for_lock(const struct holding_key *key)
{
	return key->time_class == CLASS_LOCK && key->syscall == SYS_futex && key->address;
}

static int find_one(const struct cause_key *key, const struct cause *cause, void *arg)
{
	struct probekit_session *session = arg;

	(void)cause;
	if (key->time_class == CLASS_LOCK && key->pid)
		return session_lock(session, (pid_t)key->pid, key->address) ? 0 : -ENOMEM;
	if (key->time_class == CLASS_THROTTLED && key->pid)
		session_cgroup(session, (pid_t)key->pid);
	if (key->pid)
		return session_process(session, (pid_t)key->pid) ? 0 : -ENOMEM;
	return !key->address || session_thing(session, key->address) ? 0 : -ENOMEM;
}

static int find_held(const struct holding_key *key, const struct holding *holding, void *arg)
{
	struct probekit_session *session = arg;

	(void)holding;
	if (!key->address)
		return 0;
	if (holding_waits_for_lock(key))
		return session_lock(session, (pid_t)key->pid, key->address) ? 0 : -ENOMEM;
	return session_thing(session, key->address) ? 0 : -ENOMEM;
}

int session_find_names(struct probekit_session *session)
{
	int result;

	session->last_look_ns = session_now_ns();
	result = engine_visit_causes(session->engine, find_one, session);
	if (!result)
		result = engine_visit_holdings(session->engine, find_held, session);
	session_forget_maps(session);
	return result;
}

void session_forget_names(struct probekit_session *session)
{
	for (size_t i = 0; i < session->lock_count; i++) {
		free(session->locks[i].symbol);
		free(session->locks[i].place);
	}
	for (size_t i = 0; i < session->thing_count; i++)
		free(session->things[i].name);
	for (size_t i = 0; i < session->process_count; i++)
		free(session->processes[i].cgroup);
	free(session->locks);
	free(session->things);
	free(session->processes);
	proc_maps_done(&session->command_maps);
}
