/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_HOLD_SITES_H
#define PROBEKIT_HOLD_SITES_H
/* How long locks are held: the program of the functions that take and release them. Part of spans.bpf.c. */
#include "cookies.h"
#include "futex_rows.h"
#include "holds.h"
#include "namespaces.h"
#include "rows.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct futex_key);
	__type(value, struct futex_row);
} hold_rows SEC(".maps");

static const struct open_holds no_holds;

/* ---- the lock's memory, as glibc has it (sysdeps/nptl/bits: struct_mutex.h, struct_rwlock.h) ---- */

#define LOCK_WORDS_READ 8
#define MUTEX_COUNT 1 /* words */
#define MUTEX_KIND 4
#define MUTEX_IS_RECURSIVE(kind) (((kind)&3) == 1)
#define MUTEX_IS_SHARED(kind) ((kind)&128)
#define RWLOCK_SHARED 7

struct site {
	__u64 address;
	__u32 what; /* HOLD_BEGINS ... */
	__u32 probe;
	__u32 words[LOCK_WORDS_READ]; /* of the lock */
};

static __always_inline bool is_shared(const struct site *site)
{
	return site->what & HOLD_IS_RWLOCK ? site->words[RWLOCK_SHARED] & 0xff
					   : MUTEX_IS_SHARED(site->words[MUTEX_KIND]);
}

/* A recursive mutex that the thread has already, or one that says that this is an error. */
static __always_inline bool is_own(const struct site *site, struct task_struct *task)
{
	__u32 owner = site->words[MUTEX_OWNER];
	struct own_tid own;

	if (site->what & HOLD_IS_RWLOCK || !owner)
		return false;
	own = own_tid_of(task);
	return owner == (own.tid ? own.tid : (__u32)task->pid);
}

static __always_inline bool is_held_on(const struct site *site)
{
	return !(site->what & HOLD_IS_RWLOCK) && MUTEX_IS_RECURSIVE(site->words[MUTEX_KIND]) &&
	       site->words[MUTEX_COUNT] > 1;
}

static __always_inline struct futex_place place_of(struct task_struct *task, __u64 address,
						   bool is_shared)
{
	struct futex_place place;

	if (!is_shared || !find_shared_place(task, address, &place))
		place = (struct futex_place){.address = address, .space = task->tgid};
	return place;
}

/* ---- begins and ends ---- */

/* The hold of the lock; where there is none, room for it: MAX_OPEN_HOLDS and more are none. */
static __always_inline __u32 find_hold(const struct open_holds *holds,
				       const struct futex_place *lock, __u32 *room)
{
	__u64 oldest = ~0ull;

	*room = 0;
	for (__u32 i = 0; i < MAX_OPEN_HOLDS; i++) {
		const struct open_hold *hold = &holds->at[i];
		__u64 age = !hold->lock.address ? 0 : hold->may_have_failed ? 1 : hold->begin_ns;

		if (is_same_place(&hold->lock, lock))
			return i;
		if (age < oldest) {
			oldest = age;
			*room = i;
		}
	}
	return MAX_OPEN_HOLDS;
}

static __always_inline void begin_hold(struct open_holds *holds, const struct site *site,
				       const struct futex_place *lock)
{
	__u32 room;
	__u32 at = find_hold(holds, lock, &room);
	struct open_hold *hold =
		&holds->at[(at < MAX_OPEN_HOLDS ? at : room) & (MAX_OPEN_HOLDS - 1)];

	if (hold->lock.address) {
		if (at < MAX_OPEN_HOLDS || hold->may_have_failed)
			COUNT(site->probe, trial_calls);
		else
			COUNT(site->probe, abandoned);
	}
	*hold = (struct open_hold){
		.lock = *lock,
		.begin_ns = bpf_ktime_get_ns(),
		.may_have_failed = !!(site->what & HOLD_MAY_FAIL),
		.is_rwlock = !!(site->what & HOLD_IS_RWLOCK),
		.is_read = !!(site->what & HOLD_IS_READ),
	};
}

static __noinline int record_hold(const struct open_hold *hold, __u32 probe, __u64 ns)
{
	struct futex_key key = {.command = FUTEX_HOLD};
	struct futex_row *row;

	key.address = hold->lock.address;
	key.space = hold->lock.space;
	key.value = hold->is_read;
	row_add_ns(probe_row(probe), ns, NULL, false);
	row = find_or_add(&hold_rows, &key, &empty_futex_row);
	if (!row) {
		COUNT(probe, map_full);
		return 0;
	}
	count_slot(row, ns, 1);
	__sync_fetch_and_add(&row->ns, ns);
	raise_to(&row->max_ns, ns);
	mark_thread(row, (__u32)bpf_get_current_pid_tgid());
	return 0;
}

/* The hold that is over and has been counted; NULL: nobody has seen it begin. */
static __always_inline struct open_hold *finish_hold(struct open_holds *holds,
						     const struct site *site,
						     const struct futex_place *lock, __u64 now)
{
	__u32 room;
	__u32 at = find_hold(holds, lock, &room);
	struct open_hold *hold = &holds->at[at & (MAX_OPEN_HOLDS - 1)];

	if (at == MAX_OPEN_HOLDS) {
		COUNT(site->probe, unmatched_end);
		return NULL;
	}
	record_hold(hold, site->probe, now - hold->begin_ns);
	return hold;
}

static __always_inline void end_hold(struct open_hold *hold)
{
	hold->lock.address = 0;
	hold->condvar.address = 0;
}

/* The condition variable's function releases the mutex, and has taken it again when it returns. */
static __always_inline void pause_hold(struct open_hold *hold, struct task_struct *task,
				       __u64 condvar, bool is_shared)
{
	hold->condvar = place_of(task, condvar, is_shared);
	hold->begin_ns = bpf_ktime_get_ns();
}

SEC("?probekit.probe")
int hold_site(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 cookie = bpf_get_attach_cookie(ctx);
	struct task_struct *task = bpf_get_current_task_btf();
	struct site site = {
		.address = REGS_PARAMETER(ctx),
		.what = cookie_operand(cookie),
		.probe = cookie_probe(cookie),
	};
	struct open_holds *holds;
	struct open_hold *hold;
	struct futex_place lock;

	keep_own_stack(ctx);
	if (is_silent(cookie)) {
		if (site.what & HOLD_BEGINS)
			COUNT(site.probe, trial_calls);
		return 0;
	}
	if (site.what & HOLD_PAUSES)
		site.address = REGS_PARAMETER_2(ctx);
	holds = bpf_task_storage_get(&open_holds, task, (void *)&no_holds,
				     BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!holds) {
		COUNT(site.probe, state_unavailable);
		return 0;
	}
	if (is_taken(&holds->taken, cookie, REGS_SP(ctx), site.what))
		return 0;
	if (bpf_probe_read_user(site.words, sizeof(site.words), (void *)site.address)) {
		COUNT(site.probe, unreadable_argument);
		return 0;
	}
	lock = place_of(task, site.address, is_shared(&site));
	if (site.what & HOLD_BEGINS && is_own(&site, task))
		COUNT(site.probe, trial_calls);
	else if (site.what & HOLD_BEGINS)
		begin_hold(holds, &site, &lock);
	if (site.what & HOLD_BEGINS || (!(site.what & HOLD_PAUSES) && is_held_on(&site)))
		return 0;
	hold = finish_hold(holds, &site, &lock, now);
	if (hold && site.what & HOLD_PAUSES)
		pause_hold(hold, task, REGS_PARAMETER(ctx), is_shared(&site));
	else if (hold)
		end_hold(hold);
	return 0;
}

#endif
