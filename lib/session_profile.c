/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns a session's profile: whom it follows, and how times and stacks become one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "evidence.h"
#include "process.h"
#include "sampler.h"
#include "session.h"

bool session_has_probes(const struct probekit_session *session)
{
	return session->options.profiling != PROBEKIT_PROFILING_WHOLE ||
	       session->selection.glob_count || session->selection.pair_count ||
	       session->selection.function_count || session->custom.program_count;
}

bool session_may_do_without(const struct probekit_session *session)
{
	return session->options.measure_locks && !session->selection.glob_count &&
	       !session->selection.pair_count && !session->selection.function_count;
}

struct noting {
	struct probekit_session *session;
	int result;
};

static void note_program(pid_t pid, void *arg)
{
	struct noting *noting = arg;
	char comm[16];

	session_read_comm(pid, comm);
	if (evidence_note_process(noting->session->evidence, pid, session_now_ns(), comm))
		noting->result = -ENOMEM;
}

int session_note_programs(struct probekit_session *session)
{
	struct noting noting = {.session = session};

	engine_take_programs(session->engine, note_program, &noting);
	return noting.result;
}

static void follow(pid_t pid, void *arg)
{
	struct probekit_session *session = arg;
	struct noting noting = {.session = session};

	if (engine_has_adopted(session->engine, pid))
		return;
	engine_adopt(session->engine, &pid, 1);
	note_program(pid, &noting); /* what is not noted now will be with its first sample */
}

int session_start_profile(struct probekit_session *session, struct probekit_error *err)
{
	int result;

	if (session->options.profiling == PROBEKIT_PROFILING_NONE)
		return 0;
	result = engine_begin_profile(session->engine);
	if (result)
		return error_errno(err, result, "cannot fill the BPF maps");
	return session_note_all(session) ? error_no_memory(err) : 0;
}

int session_note_all(struct probekit_session *session)
{
	struct noting noting = {.session = session};

	for (size_t i = 0; i < session->pid_count; i++)
		note_program(session->pids[i], &noting);
	session_follow_users(session);
	return noting.result;
}

void session_follow_users(struct probekit_session *session)
{
	bool is_whole = session->options.profiling == PROBEKIT_PROFILING_WHOLE ||
			session->options.measure_locks;

	if (!is_whole || session->pid_count)
		return;
	for (size_t i = 0; i < session->path_count; i++)
		process_each_user(session->objects.items[i], follow, session);
}

/* ---- times ---- */

static int add_total(const struct profile_key *key, uint64_t ns, void *arg)
{
	struct probekit_session *session = arg;
	struct profile_total *grown;

	if (key->time_class >= CLASS_COUNT || !ns)
		return 0;
	grown = array_grow(session->profile_totals, session->profile_total_count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	session->profile_totals = grown;
	grown[session->profile_total_count++] = (struct profile_total){.key = *key, .ns = ns};
	return 0;
}

static int by_key(const void *left, const void *right)
{
	return memcmp(&((const struct profile_total *)left)->key,
		      &((const struct profile_total *)right)->key, sizeof(struct profile_key));
}

/* So that each key is there once. */
static void join_totals(struct probekit_session *session)
{
	struct profile_total *totals = session->profile_totals;
	size_t kept = 0;

	if (session->profile_total_count)
		qsort(totals, session->profile_total_count, sizeof(*totals), by_key);
	for (size_t i = 0; i < session->profile_total_count; i++)
		if (kept && by_key(&totals[kept - 1], &totals[i]) == 0)
			totals[kept - 1].ns += totals[i].ns;
		else
			totals[kept++] = totals[i];
	session->profile_total_count = kept;
}

/* ---- what has not ended ---- */

/* A thread that waits. */
struct waiting {
	uint32_t tid;
	bool has_stack;
	struct profile_total wait;
};

struct present {
	struct probekit_session *session;
	uint64_t now_ns;
	struct waiting *items;
	size_t size;
};

static int add_waiting(struct present *present, const struct profile_record *record, uint64_t ns)
{
	struct waiting *grown = array_grow(present->items, present->size, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	present->items = grown;
	grown[present->size++] = (struct waiting){
		.tid = record->tid,
		.wait.key = {.pid = record->pid,
			     .syscall = record->syscall,
			     .time_class = record->time_class},
		.wait.ns = ns,
	};
	return 0;
}

/* Waits have a stack each; time on a CPU and in its queue goes where the other such time goes. */
static int add_record(const struct profile_record *record, void *arg)
{
	struct present *present = arg;
	uint64_t start_ns = present->session->started_ns;
	uint64_t since_ns = record->since_ns > start_ns ? record->since_ns : start_ns;
	uint64_t ns = present->now_ns > since_ns ? present->now_ns - since_ns : 0;
	uint64_t queued_ns = record->queued_ns;
	struct profile_key key = {.pid = record->pid, .syscall = NO_SYSCALL};

	if (record->time_class >= CLASS_COUNT)
		return 0;
	if (record->time_class == CLASS_ONCPU || record->time_class == record->queue_class) {
		key.time_class = record->time_class;
		return add_total(&key, ns, present->session);
	}
	if (record->queued_since_ns && present->now_ns > record->queued_since_ns)
		queued_ns += present->now_ns - record->queued_since_ns;
	if (queued_ns > ns)
		queued_ns = ns;
	key.time_class = record->queue_class;
	if (add_total(&key, queued_ns, present->session))
		return -ENOMEM;
	return ns > queued_ns ? add_waiting(present, record, ns - queued_ns) : 0;
}

static int by_tid(const void *left, const void *right)
{
	const struct waiting *a = left;
	const struct waiting *b = right;

	return a->tid < b->tid ? -1 : a->tid > b->tid;
}

static int add_stack(const void *bytes, size_t size_bytes, void *arg)
{
	struct present *present = arg;
	struct waiting wanted = {0};
	struct stack_record record;
	struct waiting *waiting;

	memcpy(&record, bytes, sizeof(record));
	wanted.tid = record.tid;
	waiting = present->size ? bsearch(&wanted, present->items, present->size,
					  sizeof(*present->items), by_tid)
				: NULL;
	if (!waiting || waiting->has_stack)
		return 0;
	waiting->has_stack = true;
	return evidence_add_present(present->session->evidence, &waiting->wait, bytes, size_bytes);
}

static int note_present(struct present *present)
{
	struct probekit_session *session = present->session;
	int result = engine_visit_profiled(session->engine, add_record, present);

	if (!result && present->size) {
		qsort(present->items, present->size, sizeof(*present->items), by_tid);
		result = engine_visit_open_stacks(session->engine, add_stack, present);
	}
	for (size_t i = 0; i < present->size && !result; i++)
		if (!present->items[i].has_stack)
			result = evidence_add_present(session->evidence, &present->items[i].wait,
						      NULL, 0);
	return result;
}

int session_note_profile(struct probekit_session *session)
{
	struct present present = {
		.session = session,
		.now_ns = session->stopped_ns ? session->stopped_ns : session_now_ns(),
	};
	int result;

	session->profiled_until_ns = present.now_ns;
	evidence_forget_present(session->evidence);
	session->profile_total_count = 0;
	result = engine_visit_profile_times(session->engine, add_total, session);
	if (!result)
		result = note_present(&present);
	free(present.items);
	join_totals(session);
	return result;
}

void session_forget_profile(struct probekit_session *session)
{
	free(session->profile_totals);
}

/* ---- the profile ---- */

static const char *name_of(struct probekit_session *session, pid_t pid)
{
	const char *seen = evidence_comm(session->evidence, pid);
	const struct named_process *process = seen ? NULL : session_process(session, pid);

	return seen ? seen : process ? process->comm : "";
}

static int fill_info(struct probekit_session *session, struct probekit_profile *profile)
{
	struct probekit_profile_info *info = &profile->info;
	struct probe_counters counters;

	engine_read_counters(session->engine, 0, &counters);
	info->target = strdup(session->target);
	info->started_unix_ns = session->started_unix_ns;
	info->duration_ns = session->profiled_until_ns - session->started_ns;
	info->profiling = session->options.profiling;
	info->has_oncpu = session->options.profiling_oncpu && sampler_period_ns();
	info->samples_dropped = counters.samples_dropped;
	info->samples_skipped = counters.samples_skipped;
	for (int i = 0; i < PROBEKIT_STACK_END_COUNT; i++)
		info->stacks[i] = evidence_stacks(session->evidence, (enum probekit_stack_end)i);
	info->unknown_stacks = info->stacks[PROBEKIT_STACK_NONE];
	info->threads_missed = counters.state_unavailable;
	info->switches_missed = counters.sched_repaired;
	return info->target ? 0 : -ENOMEM;
}

static int fill_entries(struct probekit_session *session, struct probekit_profile *profile)
{
	struct probekit_profile_info *info = &profile->info;
	int result = evidence_profile(session->evidence, session->profile_totals,
				      session->profile_total_count, info->has_oncpu, profile);

	for (size_t i = 0; i < session->profile_total_count && !info->has_oncpu; i++)
		if (session->profile_totals[i].key.time_class == CLASS_ONCPU)
			info->time_ns[CLASS_ONCPU] += session->profile_totals[i].ns;
	for (size_t i = 0; i < profile->size && !result; i++) {
		struct probekit_profile_entry *entry = &profile->entries[i];

		info->time_ns[entry->time_class] += entry->time_ns;
		entry->comm = strdup(name_of(session, entry->pid));
		if (!entry->comm)
			result = -ENOMEM;
	}
	return result;
}

int probekit_session_profile(struct probekit_session *session, struct probekit_profile **out,
			     struct probekit_error *err)
{
	struct probekit_profile *profile;
	int result = 0;

	if (session->options.profiling == PROBEKIT_PROFILING_NONE)
		return error_usage(err, "the session was not asked to profile");
	if (session->state != SESSION_RUNNING && session->state != SESSION_STOPPED)
		return error_usage(err, "the session has not started");
	profile = calloc(1, sizeof(*profile));
	if (!profile)
		return error_no_memory(err);
	if (session->state == SESSION_RUNNING) {
		result = session_poll_evidence(session);
		if (!result)
			result = session_note_profile(session);
	}
	if (!result)
		result = fill_info(session, profile);
	if (!result)
		result = fill_entries(session, profile);
	if (result) {
		probekit_profile_free(profile);
		return error_errno(err, result, "cannot take a profile");
	}
	*out = profile;
	return 0;
}
