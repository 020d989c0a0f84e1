/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns why the slow spans are slow: what the kernel samples, and how that and what holders of locks
 * did become part of the causes. */
#include "evidence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "breakdown.h"
#include "histogram.h"
#include "session.h"
#include "syscalls.h"

#define LOOK_INTERVAL_NS 1000000000ull
#define FIRST_LOOK_NS 50000000ull
#define MAX_CHAIN 8 /* locks whose holders wait for each other */
/* Holds this much shorter, in octaves, than a slow span are not what made it slow. */
#define HOLD_OCTAVES 4
#define LEAST_THEFT_NS 1000000 /* of a CPU: less is everyday scheduling */
#define LEAST_ACTIVITY 0.01
#define MAX_EXPLAINED 32 /* causes of a row: those that took most */

/* ---- what to look for ---- */

static int add_record(const void *record, size_t size_bytes, void *arg)
{
	int result = evidence_add(arg, record, size_bytes);

	return result == -EINVAL ? 0 : result;
}

/* What makes a span slow is known once some have been seen. */
static int set_threshold(struct probekit_session *session, uint32_t index)
{
	const struct plan_probe *planned = &session->plan.probes[index];
	struct probekit_probe probe = {.has_time = true};
	struct probekit_tail tail;
	int result;

	if (planned->row == UINT32_MAX || planned->kind == PROBEKIT_KIND_VALUE)
		return 0;
	result = session_read_histogram(session, planned->row, planned->has_keys ? KEYED_ROWS : 1,
					&probe);
	if (!result && probe.count) {
		tail_by_shape(&probe, &tail);
		engine_set_slow(session->engine, ENGINE_PROBE(index), tail.from_ns);
	}
	histogram_done(&probe.histogram);
	return result;
}

static int look(struct probekit_session *session)
{
	int result = session_find_names(session);

	session->last_set_ns = session->last_look_ns;
	session_follow_users(session);
	/* Whatever else keeps it from looking at the tables may be over when it is asked again. */
	if (!result && session_make_room(session) == -ENOMEM)
		result = -ENOMEM;
	if (!result && session->options.measure_locks)
		result = session_retire_futexes(session);
	if (!result && session->options.measure_locks)
		result = session_watch_deadlocks(session);
	for (uint32_t i = 0; i < session->plan.probe_count && !result; i++)
		if (session->options.slow_over_ns)
			engine_set_slow(session->engine, ENGINE_PROBE(i),
					session->options.slow_over_ns);
		else
			result = set_threshold(session, i);
	return result;
}

/* Files have names while their process is there: after 50 ms, 100, 200 ..., for those that end within a second. */
static bool are_names_due(const struct probekit_session *session)
{
	uint64_t since_ns = session_now_ns() - session->last_look_ns;

	return since_ns >= FIRST_LOOK_NS && session->last_look_ns < session->started_ns + since_ns;
}

int session_poll_evidence(struct probekit_session *session)
{
	int result;

	if (!session->evidence)
		return 0;
	do {
		result = engine_poll_samples(session->engine, add_record, session->evidence);
	} while (result > 0 && session->state == SESSION_STOPPED);
	if (result > 0)
		result = 0;
	if (evidence_wants_longer_copies(session->evidence))
		engine_lengthen_copies(session->engine);
	if (!result && session_now_ns() - session->last_set_ns >= LOOK_INTERVAL_NS)
		result = look(session);
	else if (!result && are_names_due(session))
		result = session_find_names(session);
	return result;
}

/* ---- which waits a cause is made of ---- */

struct asked {
	struct probekit_session *session;
	const struct probekit_cause *cause;
	const struct lock_words *words; /* of the lock, where they are known; NULL */
	uint32_t holder;		/* of it, a thread; 0: any */
	bool is_waker;			/* what it did before it ended waits, not as a holder */
};

static bool is_same_syscall(const char *name, unsigned int number)
{
	char *other = number == NO_SYSCALL ? NULL : syscalls_name(number);
	bool is_same = breakdown_is_same(name, other);

	free(other);
	return is_same;
}

static bool is_lock_of(const struct asked *asked, struct futex_place place)
{
	const struct probekit_cause *cause = asked->cause;
	const struct named_lock *lock;

	if (asked->words)
		return lock_word_at(asked->words, place) != NULL;
	lock = session_lock(asked->session, place);
	if (!lock || !cause->symbol)
		return lock && lock->pid == cause->pid && lock->address == cause->address;
	return breakdown_is_same(lock->symbol, cause->symbol) &&
	       breakdown_is_same(lock->place, cause->place);
}

static bool is_wait_of(const struct wait_identity *wait, void *arg)
{
	const struct asked *asked = arg;
	const struct probekit_cause *cause = asked->cause;
	const struct named_thing *thing;

	if ((int)wait->time_class != (int)cause->time_class ||
	    !is_same_syscall(cause->syscall, wait->syscall))
		return false;
	if (wait->time_class == CLASS_LOCK && wait->pid)
		return cause->address &&
		       is_lock_of(asked, (struct futex_place){wait->address, wait->pid});
	if (cause->address)
		return false;
	if (wait->time_class == CLASS_IPC && (pid_t)wait->pid != cause->waker.pid)
		return false;
	if (wait->address) {
		thing = session_thing(asked->session, wait->address);
		return thing && breakdown_is_same(thing->name, cause->object);
	}
	return !cause->object;
}

/* ---- holders ---- */

/* What the holder waited for most, of a kind. */
struct waited_most {
	struct holding_key key; /* its address is what it waited for */
	uint64_t ns;
};

struct holder_time {
	struct asked asked;
	uint8_t least_band;
	uint64_t whole_ns;
	struct probekit_activity *activities; /* share: ns for now */
	size_t count;
	struct waited_most next; /* a lock */
	struct waited_most file;
	struct waited_most thief; /* its process, as the address */
};

static char *activity_name(const struct holding_key *key)
{
	if (key->syscall != NO_SYSCALL)
		return syscalls_name(key->syscall);
	return strdup(probekit_class_name((enum probekit_class)key->time_class));
}

static int add_activity(struct holder_time *time, const struct holding_key *key, uint64_t ns)
{
	struct probekit_activity *grown;
	char *name = activity_name(key);

	if (!name)
		return -ENOMEM;
	for (size_t i = 0; i < time->count; i++)
		if (strcmp(time->activities[i].name, name) == 0) {
			time->activities[i].share += (double)ns;
			free(name);
			return 0;
		}
	grown = reallocarray(time->activities, time->count + 1, sizeof(*grown));
	if (!grown)
		return free(name), -ENOMEM;
	time->activities = grown;
	grown[time->count++] = (struct probekit_activity){.name = name, .share = (double)ns};
	return 0;
}

/* NULL: what the address is of is not known. */
static struct waited_most *most_of(struct holder_time *time, const struct holding_key *key)
{
	if (holding_waits_for_lock(key))
		return &time->next;
	if (key->time_class == CLASS_RUNQUEUE)
		return &time->thief;
	return key->time_class == CLASS_DISK || key->time_class == CLASS_LOCK ? &time->file : NULL;
}

static int add_holding(struct holder_time *time, const struct holding_key *key,
		       const struct holding *holding)
{
	struct waited_most *most;

	if (key->band < time->least_band ||
	    (time->asked.holder && key->tid != time->asked.holder) ||
	    (key->band == BAND_OF_WAKER) != time->asked.is_waker)
		return 0;
	if (key->time_class >= PROBEKIT_CLASS_COUNT)
		return 0;
	/* Who waits for the lock itself does not hold it: another took it in between. */
	if (holding_waits_for_own(key))
		return 0;
	time->whole_ns += holding->ns;
	most = most_of(time, key);
	if (most && key->address && holding->ns > most->ns)
		*most = (struct waited_most){.key = *key, .ns = holding->ns};
	return add_activity(time, key, holding->ns);
}

static int by_share(const void *a, const void *b)
{
	const struct probekit_activity *x = a;
	const struct probekit_activity *y = b;

	return x->share < y->share ? 1 : -(x->share > y->share);
}

/* From ns to shares; what is hardly any is left out. */
static void set_activities(struct holder_time *time, struct probekit_holder *holder)
{
	size_t kept = 0;

	for (size_t i = 0; i < time->count; i++) {
		double share =
			time->whole_ns ? time->activities[i].share / (double)time->whole_ns : 0;

		time->activities[i].share = share < 1 ? share : 1;
		if (share >= LEAST_ACTIVITY)
			time->activities[kept++] = time->activities[i];
		else
			free((void *)(uintptr_t)time->activities[i].name);
	}
	if (kept)
		qsort(time->activities, kept, sizeof(*time->activities), by_share);
	holder->activities = time->activities;
	holder->activity_count = kept;
}

static int explain_holder(struct asked *asked, struct probekit_holder *holder, uint8_t least_band,
			  int depth);

/* The holder waits for a lock itself: for whom? */
static int explain_next(struct asked *asked, struct probekit_holder *holder,
			const struct holder_time *time, int depth)
{
	const struct holding_key *key = &time->next.key;
	const struct futex_place place = {key->address, key->address_space};
	const struct named_lock *lock = session_lock(asked->session, place);
	struct probekit_cause next = {
		.time_class = PROBEKIT_CLASS_LOCK,
		.syscall = asked->cause->syscall,
	};
	struct asked ask_next = {.session = asked->session, .cause = &next};
	int result;

	if (!lock)
		return -ENOMEM;
	holder->next_address = lock->address;
	next.pid = lock->pid;
	next.address = lock->address;
	if (breakdown_copy_text(lock->symbol, &holder->next_symbol) |
	    breakdown_copy_text(lock->place, &holder->next_place))
		return -ENOMEM;
	if (depth + 1 >= MAX_CHAIN)
		return 0;
	result = evidence_fill(asked->session->evidence, is_wait_of, &ask_next, 0, &next);
	holder->next = next.holder;
	next.holder = NULL;
	if (!result && holder->next)
		result = explain_holder(&ask_next, holder->next, time->least_band, depth + 1);
	next.syscall = NULL; /* not its own */
	cause_done(&next);
	return result;
}

static int name_file(struct probekit_session *session, const struct waited_most *file,
		     struct probekit_holder *holder)
{
	const struct named_thing *thing = session_thing(session, file->key.address);

	if (!thing)
		return -ENOMEM;
	if (!thing->name)
		return 0;
	holder->file_activity = activity_name(&file->key);
	return holder->file_activity ? breakdown_copy_text(thing->name, &holder->file) : -ENOMEM;
}

static int name_thief(struct probekit_session *session, pid_t pid, struct probekit_holder *holder)
{
	const struct named_process *process = session_process(session, pid);

	if (!process)
		return -ENOMEM;
	holder->thief.pid = pid;
	memcpy(holder->thief.comm, process->comm, sizeof(holder->thief.comm));
	return 0;
}

/* Those of one lock, in a row. */
static int add_row(struct holder_time *time, const struct held *held, size_t count)
{
	int result = 0;

	for (size_t i = 0; i < count && !result; i++)
		result = add_holding(time, &held[i].key, &held[i].holding);
	return result;
}

static int add_of_words(struct holder_time *time, const struct lock_words *words)
{
	int result = 0;

	for (size_t i = 0; i < words->size && !result; i++) {
		size_t count;
		const struct held *held =
			session_held_at(time->asked.session, words->at[i].place, &count);

		result = add_row(time, held, count);
	}
	return result;
}

/* Whose a lock is takes longer to find out than to see that the next is of the same. */
static int add_of_lock(struct holder_time *time)
{
	const struct probekit_session *session = time->asked.session;
	int result = 0;

	for (size_t i = 0, end; i < session->held_count && !result; i = end) {
		const struct held *held = &session->held[i];
		const struct futex_place place = {held->key.lock, held->key.space};

		for (end = i + 1; end < session->held_count; end++)
			if (session->held[end].key.lock != place.address ||
			    session->held[end].key.space != place.space)
				break;
		if (is_lock_of(&time->asked, place))
			result = add_row(time, held, end - i);
	}
	return result;
}

/* What the lock's holders did while others waited for it. */
static int explain_holder(struct asked *asked, struct probekit_holder *holder, uint8_t least_band,
			  int depth)
{
	struct holder_time time = {.asked = *asked, .least_band = least_band};
	int result = asked->words ? add_of_words(&time, asked->words) : add_of_lock(&time);

	set_activities(&time, holder);
	if (!result && time.file.ns > time.next.ns)
		result = name_file(asked->session, &time.file, holder);
	if (!result && time.thief.key.address && time.thief.ns >= LEAST_THEFT_NS)
		result = name_thief(asked->session, (pid_t)time.thief.key.address, holder);
	if (!result && time.next.key.address &&
	    (double)time.next.ns > LEAST_ACTIVITY * (double)time.whole_ns)
		result = explain_next(asked, holder, &time, depth);
	return result;
}

/* ---- rows ---- */

static int keep_holding(const struct holding_key *key, const struct holding *holding, void *arg)
{
	struct probekit_session *session = arg;
	struct held *held = reallocarray(session->held, session->held_count + 1, sizeof(*held));

	if (!held)
		return -ENOMEM;
	session->held = held;
	held[session->held_count++] = (struct held){.key = *key, .holding = *holding};
	return 0;
}

static int keep_holdings(struct probekit_session *session)
{
	const struct told_list *left = &session->left_holdings;
	int result = engine_visit_holdings(session->engine, keep_holding, session);

	for (size_t i = 0; i < left->size && !result; i++) {
		const struct holding holding = {left->items[i].sum.ns, left->items[i].sum.waits};

		result = keep_holding(&left->items[i].key.holding, &holding, session);
	}
	return result;
}

static uint8_t least_band_of(uint64_t from_ns)
{
	uint8_t band = 0;

	while (from_ns >> (band + 1))
		band++;
	return band > HOLD_OCTAVES ? (uint8_t)(band - HOLD_OCTAVES) : 0;
}

static int explain_thread(struct probekit_session *session, const struct lock_words *words,
			  bool is_waker, struct probekit_holder *holder)
{
	/* what others are asked for further on: waits in this system call */
	struct probekit_cause cause = {.time_class = PROBEKIT_CLASS_LOCK, .syscall = "futex"};
	struct asked asked = {
		.session = session,
		.cause = &cause,
		.words = words,
		.holder = (uint32_t)holder->thread.tid,
		.is_waker = is_waker,
	};

	return explain_holder(&asked, holder, 0, 0);
}

int session_explain_holder(struct probekit_session *session, const struct lock_words *words,
			   struct probekit_holder *holder)
{
	return explain_thread(session, words, false, holder);
}

int session_explain_waker(struct probekit_session *session, const struct lock_words *words,
			  struct probekit_lock_waker *waker)
{
	struct probekit_holder *holder = calloc(1, sizeof(*holder));
	int result;

	if (!holder)
		return -ENOMEM;
	holder->thread = waker->thread;
	result = explain_thread(session, words, true, holder);
	waker->did = holder->activities;
	waker->did_count = holder->activity_count;
	holder->activities = NULL;
	holder->activity_count = 0;
	holder_free(holder);
	return result;
}

static int fill_cause(struct probekit_session *session, uint32_t number,
		      const struct probekit_tail *tail, struct probekit_cause *cause)
{
	struct asked asked = {.session = session, .cause = cause};
	int result;

	if (cause->time_class == PROBEKIT_CLASS_ONCPU)
		return evidence_fill_oncpu(session->evidence, number, cause);
	result = evidence_fill(session->evidence, is_wait_of, &asked, number, cause);
	if (!result && cause->holder)
		result = explain_holder(&asked, cause->holder, least_band_of(tail->from_ns), 0);
	return result;
}

static int explain_row(struct probekit_session *session, uint32_t index, struct probekit_probe *row)
{
	uint32_t number = ENGINE_PROBE(index);
	int result = breakdown_explain(row);

	for (size_t i = 0; i < row->cause_count && i < MAX_EXPLAINED && !result && !row->has_key;
	     i++)
		result = fill_cause(session, number, &row->tail, &row->causes[i]);
	if (!result && !row->has_key)
		result = evidence_slowest(session->evidence, number, &row->slowest,
					  &row->slowest_count);
	return result;
}

int session_explain(struct probekit_session *session, struct probekit_snapshot *snapshot,
		    bool is_interval)
{
	uint32_t index = 0;
	int result = session_poll_evidence(session);

	for (size_t i = 0; i < snapshot->size; i++)
		breakdown_sort_waits(&snapshot->probes[i]);
	if (!result && session->evidence)
		result = keep_holdings(session);
	if (!result && session->options.measure_locks)
		result = session_add_locks(session, snapshot, is_interval);
	for (size_t i = 0;
	     i < snapshot->size && !result && session->evidence && !session->options.measure_locks;
	     i++) {
		struct probekit_probe *row = &snapshot->probes[i];

		while (index < session->plan.probe_count &&
		       strcmp(session->plan.probes[index].name, row->name) != 0)
			index++;
		if (index < session->plan.probe_count && row->has_time)
			result = explain_row(session, index, row);
	}
	free(session->held);
	session->held = NULL;
	session->held_count = 0;
	session_forget_maps(session);
	return result;
}
