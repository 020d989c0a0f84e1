/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what the things that spans waited for are called: locks, files, peers, processes. */
#include <errno.h>
#include <search.h>
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

static int name_lock(struct probekit_session *session, struct named_lock *lock)
{
	free(lock->symbol);
	free(lock->place);
	lock->symbol = NULL;
	lock->place = NULL;
	return lock_name(maps_of(session, lock->pid), &session->objects, lock->address,
			 &lock->symbol, &lock->place);
}

/* Evidence of what it is may come after the first wait, and of what it is by now after others. */
static int learn_kind(struct probekit_session *session, struct named_lock *lock)
{
	struct lock_use use = {0};
	bool has_new_condvars;
	uint64_t address;

	lock->asked_ns = session->last_look_ns;
	if (session->evidence)
		use = evidence_lock_use(session->evidence, lock->at);
	if (!use.kind)
		return 0;
	has_new_condvars = lock_has_new_condvars(maps_of(session, lock->pid), &session->objects);
	address = lock_object(lock->word, use.kind, use.value, has_new_condvars);
	if (lock->kind && strcmp(lock->kind, use.kind) == 0 && lock->address == address)
		return 0;
	lock->kind = use.kind;
	lock->address = address;
	return name_lock(session, lock);
}

/* Who sees the place, and where. */
static void find_seer(const struct probekit_session *session, struct named_lock *lock)
{
	struct futex_place seen = lock->at;

	if (seen.space & SHARED_MEMORY && !engine_find_shared(session->engine, &lock->at, &seen))
		seen.space = 0; /* found no room */
	lock->pid = (pid_t)seen.space;
	lock->word = lock->address = seen.address;
}

/* ---- by place ---- */

#define MAX_NAMED_LOCKS 65536 /* then names are looked up anew: addresses keep coming */

static void forget_locks(struct probekit_session *session)
{
	for (size_t i = 0; i < session->lock_count; i++) {
		free(session->locks[i].symbol);
		free(session->locks[i].place);
	}
	free(session->locks);
	free(session->lock_slots);
	session->locks = NULL;
	session->lock_slots = NULL;
	session->lock_count = 0;
	session->lock_slot_count = 0;
}

/* Where the number of the lock is, plus 1, or goes. */
static uint32_t *lock_slot(const struct probekit_session *session, struct futex_place place)
{
	uint64_t hash = (place.address ^ place.space << 32) * 0x9e3779b97f4a7c15ull;
	size_t i = hash >> 32 & (session->lock_slot_count - 1);

	for (;; i = (i + 1) & (session->lock_slot_count - 1)) {
		uint32_t number = session->lock_slots[i];

		if (!number || (session->locks[number - 1].at.address == place.address &&
				session->locks[number - 1].at.space == place.space))
			return &session->lock_slots[i];
	}
}

/* Room for one more lock; half of the slots stay free. */
static int grow_locks(struct probekit_session *session)
{
	size_t size = session->lock_slot_count ? 2 * session->lock_slot_count : 64;
	struct named_lock *locks;
	uint32_t *slots;

	if (session->lock_count == MAX_NAMED_LOCKS)
		forget_locks(session);
	if (2 * (session->lock_count + 1) <= session->lock_slot_count)
		return 0;
	locks = reallocarray(session->locks, size / 2, sizeof(*locks));
	if (locks)
		session->locks = locks;
	slots = calloc(size, sizeof(*slots));
	if (!locks || !slots)
		return free(slots), -ENOMEM;
	free(session->lock_slots);
	session->lock_slots = slots;
	session->lock_slot_count = size;
	for (size_t i = 0; i < session->lock_count; i++)
		*lock_slot(session, session->locks[i].at) = (uint32_t)i + 1;
	return 0;
}

const struct named_lock *session_lock(struct probekit_session *session, struct futex_place place)
{
	struct named_lock *lock;
	uint32_t *slot;

	if (grow_locks(session))
		return NULL;
	slot = lock_slot(session, place);
	if (*slot) {
		lock = &session->locks[*slot - 1];
		if (lock->asked_ns == session->last_look_ns)
			return lock;
		return learn_kind(session, lock) == 0 ? lock : NULL;
	}
	lock = &session->locks[session->lock_count];
	*lock = (struct named_lock){.at = place};
	find_seer(session, lock);
	if (name_lock(session, lock)) {
		free(lock->place);
		return NULL;
	}
	*slot = (uint32_t)++session->lock_count;
	return learn_kind(session, lock) ? NULL : lock;
}

/* ---- files and peers ---- */

static int by_id(const void *left, const void *right)
{
	const struct named_thing *a = left;
	const struct named_thing *b = right;

	return a->id < b->id ? -1 : a->id > b->id;
}

static void thing_free(struct named_thing *thing)
{
	if (thing)
		free(thing->name);
	free(thing);
}

const struct named_thing *session_thing(struct probekit_session *session, uint64_t id)
{
	struct named_thing **known =
		tfind(&(struct named_thing){.id = id}, &session->things, by_id);
	struct named_thing *named;
	struct thing thing;

	if (known) {
		(*known)->asked_ns = session->last_look_ns;
		return *known;
	}
	named = calloc(1, sizeof(*named));
	if (!named)
		return NULL;
	*named = (struct named_thing){.id = id, .asked_ns = session->last_look_ns};
	if ((engine_find_thing(session->engine, id, &thing) &&
	     thing_name(&thing, session->pids, session->pid_count, &named->name)) ||
	    !tsearch(named, &session->things, by_id)) {
		thing_free(named);
		return NULL;
	}
	session->thing_count++;
	return named;
}

/* Those that were not asked for at the last look, or all. */
static void forget_things(struct probekit_session *session, bool are_all)
{
	void *kept = NULL;

	while (session->things) {
		struct named_thing *thing = *(struct named_thing **)session->things;

		tdelete(thing, &session->things, by_id);
		if (are_all || thing->asked_ns != session->last_look_ns ||
		    !tsearch(thing, &kept, by_id)) {
			thing_free(thing);
			session->thing_count--;
		}
	}
	session->things = kept;
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

static int by_pid(const void *left, const void *right)
{
	const struct named_process *a = left;
	const struct named_process *b = right;

	return a->pid < b->pid ? -1 : a->pid > b->pid;
}

static void process_free(struct named_process *process)
{
	free(process->cgroup);
	free(process);
}

struct named_process *session_process(struct probekit_session *session, pid_t pid)
{
	struct named_process **known =
		tfind(&(struct named_process){.pid = pid}, &session->processes, by_pid);
	struct named_process *process;
	struct process_name name;

	if (known) {
		(*known)->asked_ns = session->last_look_ns;
		return *known;
	}
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	*process = (struct named_process){.pid = pid, .asked_ns = session->last_look_ns};
	if (!tsearch(process, &session->processes, by_pid)) {
		process_free(process);
		return NULL;
	}
	session->process_count++;
	if (engine_find_process(session->engine, (uint32_t)pid, &name))
		snprintf(process->comm, sizeof(process->comm), "%.15s", name.comm);
	else
		session_read_comm(pid, process->comm);
	return process;
}

/* As forget_things(). */
static void forget_processes(struct probekit_session *session, bool are_all)
{
	void *kept = NULL;

	while (session->processes) {
		struct named_process *process = *(struct named_process **)session->processes;

		tdelete(process, &session->processes, by_pid);
		if (are_all || process->asked_ns != session->last_look_ns ||
		    !tsearch(process, &kept, by_pid)) {
			process_free(process);
			session->process_count--;
		}
	}
	session->processes = kept;
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

#define MAX_NAMES \
	4096 /* then those go that are in no table any more: processes come and go without end */

bool holding_waits_for_lock(const struct holding_key *key)
{
	return key->time_class == CLASS_LOCK && key->syscall == SYS_futex && key->address;
}

bool holding_waits_for_own(const struct holding_key *key)
{
	return holding_waits_for_lock(key) && key->address == key->lock &&
	       key->address_space == key->space;
}

static int find_one(const struct cause_key *key, const struct cause *cause, void *arg)
{
	struct probekit_session *session = arg;

	(void)cause;
	if (key->time_class == CLASS_LOCK && key->pid)
		return session_lock(session, (struct futex_place){key->address, key->pid})
			       ? 0
			       : -ENOMEM;
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
	if (key->pid && !session_process(session, (pid_t)key->pid))
		return -ENOMEM;
	if (!key->address)
		return 0;
	if (key->time_class == CLASS_RUNQUEUE)
		return session_process(session, (pid_t)key->address) ? 0 : -ENOMEM;
	if (holding_waits_for_lock(key))
		return session_lock(session, (struct futex_place){key->address, key->address_space})
			       ? 0
			       : -ENOMEM;
	return session_thing(session, key->address) ? 0 : -ENOMEM;
}

static int find_futex(const struct futex_key *key, const struct futex_row *row, void *arg)
{
	(void)row;
	return !key->space || session_lock(arg, (struct futex_place){key->address, key->space})
		       ? 0
		       : -ENOMEM;
}

/* What has left the kernel's tables. */
static int find_left(struct probekit_session *session)
{
	const struct told_list *causes = &session->left_causes;
	const struct told_list *holdings = &session->left_holdings;
	int result = 0;

	for (size_t i = 0; i < causes->size && !result; i++) {
		struct cause_key key = causes->items[i].key.cause;

		if (key.address == TOLD_BY_NAME)
			key.address = 0;
		result = find_one(&key, NULL, session);
	}
	for (size_t i = 0; i < holdings->size && !result; i++)
		result = find_held(&holdings->items[i].key.holding, NULL, session);
	return result;
}

int session_find_names(struct probekit_session *session)
{
	int result;

	session->last_look_ns = session_now_ns();
	result = engine_visit_causes(session->engine, find_one, session);
	if (!result)
		result = engine_visit_holdings(session->engine, find_held, session);
	if (!result)
		result = find_left(session);
	if (!result && session->options.measure_locks)
		result = engine_visit_futexes(session->engine, find_futex, session);
	session_forget_maps(session);
	if (!result && session->thing_count > MAX_NAMES)
		forget_things(session, false);
	if (!result && session->process_count > MAX_NAMES)
		forget_processes(session, false);
	return result;
}

void session_forget_names(struct probekit_session *session)
{
	forget_locks(session);
	forget_things(session, true);
	forget_processes(session, true);
	proc_maps_done(&session->command_maps);
}
