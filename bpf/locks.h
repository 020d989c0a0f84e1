/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_LOCKS_H
#define PROBEKIT_LOCKS_H
/*
 * Who holds the locks that are waited for, and what holders do meanwhile. The owner is in the lock's
 * own words; those who block read it. Each thread that a lock is handed to is woken from its wait for
 * it. So the time of a lock with waiters falls into holds that begin and end where a waiter comes or
 * goes, and what the holder did in each is what its totals grew by. A wrong guess (a lock that was
 * taken between) is mended by the next thread that blocks.
 */
#include "lock_pasts.h"
#include "namespaces.h"

#define LEAST_HOLD_NS 5000   /* shorter holds are not looked at */
#define MAX_WAITERS 0x3fffff /* PID_MAX_LIMIT of the kernel */

/* The thread `tid` of process `pid`, numbers of the first PID namespace. A function of its own, for its stack. */
static __noinline struct thread *thread_by_tid(__u32 pid, __u32 tid)
{
	struct thread *thread = NULL;
	__u64 key = (__u64)pid << 32 | tid;
	struct task_struct *task;

	if (may_be_spare(pid))
		thread = bpf_map_lookup_elem(&spare_threads, &key);
	if (thread || !has_task_from_pid)
		return thread;
	task = bpf_task_from_pid((__s32)tid);
	if (!task)
		return NULL;
	if ((__u32)task->tgid == pid)
		thread = bpf_task_storage_get(&threads, task, NULL, 0);
	bpf_task_release(task);
	return thread;
}

/* A writer of a pthread_rwlock_t that waits for readers; the next word is that of writers who wait for writers. */
static __always_inline bool is_behind_readers(const __u32 words[LOCK_WORDS], __u32 value)
{
	return value == MUTEX_CONTENDED && !words[MUTEX_OWNER] &&
	       (words[1] == 1 || words[1] == RWLOCK_CONTENDED);
}

/* The owner as the lock that the current thread is about to wait for has it; 0: none. Whether this is
 * a lock at all, and of which kind, user space tells from the thread's stack. What is waited for tells
 * most other uses of futexes without a look at their words. */
static __always_inline __u32 read_owner(struct thread *thread, const struct pt_regs *regs)
{
	__u32 operation = REGS_ARGUMENT_2(regs);
	__u32 value = REGS_ARGUMENT_3(regs);
	void *address = (void *)REGS_ARGUMENT(regs);
	__u32 words[LOCK_WORDS] = {0};

	if (!lock_may_have_owner(operation, value))
		return 0;
	if (bpf_probe_read_user(words, sizeof(words), address) &&
	    bpf_probe_read_user(words, sizeof(words[0]), address))
		return 0;
	if (counts_futexes && is_behind_readers(words, value))
		thread->futex_is_again = false; /* each time for others */
	return lock_owner(words, operation, value);
}

/* ---- locks of the kernel ---- */

#define OWNER_IS_READERS 1 /* bits of rw_semaphore.owner below the address of a task */
#define OWNER_FLAGS 7

/* Who holds the semaphore that the current task waits for: pid << 32 | tid. 0: readers, or nobody any more,
 * or itself, as it waits for something else then. */
static __always_inline __u64 semaphore_owner(__u64 owner)
{
	struct task_struct *task = (struct task_struct *)(owner & ~(__u64)OWNER_FLAGS);
	__u32 tid;

	if (!task || owner & OWNER_IS_READERS)
		return 0;
	tid = BPF_CORE_READ(task, pid);
	return tid == (__u32)bpf_get_current_pid_tgid()
		       ? 0
		       : (__u64)BPF_CORE_READ(task, tgid) << 32 | tid;
}

static __always_inline __u64 file_owner(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	if (!bpf_core_field_exists(inode->i_rwsem.owner.counter))
		return 0;
	return semaphore_owner(BPF_CORE_READ(inode, i_rwsem.owner.counter));
}

/* Of its address space. */
static __always_inline __u64 memory_owner(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!bpf_core_field_exists(task->mm->mmap_lock.owner.counter))
		return 0;
	return semaphore_owner(BPF_CORE_READ(task, mm, mmap_lock.owner.counter));
}

/* ---- holds ---- */

static const struct lock_state no_lock_state;

struct hold {
	struct thread *holder;
	struct lock_state *state;
	struct holding_key key;
	__u64 length_ns;
	__u64 explained_ns; /* of it */
	__u64 weight;	    /* how many waited, in 256ths: some came later */
};

/* A function of its own, for its stack. */
static __noinline int charge_hold(struct hold *hold, __u32 time_class, __u32 syscall,
				  const struct futex_place *next, __u64 ns)
{
	const struct holding none = {0};
	struct holding *holding;

	hold->key.time_class = time_class;
	hold->key.syscall = syscall;
	hold->key.address = next->address;
	hold->key.address_space = next->space;
	holding = find_or_add(&holdings, &hold->key, &none);
	if (!holding) {
		COUNT(0, map_full);
		return 0;
	}
	/* (hours for thousands of waiters are beyond 64 bits) */
	__sync_fetch_and_add(&holding->ns,
			     ns >> 32 ? (ns >> 8) * hold->weight : ns * hold->weight >> 8);
	__sync_fetch_and_add(&holding->count, 1);
	return 0;
}

static long charge_total(__u32 i, struct hold *hold)
{
	const struct total *total = &hold->holder->totals[i & (MAX_TOTALS - 1)];
	__s64 ns = total->ns - hold->state->before[i & (MAX_TOTALS - 1)];
	struct futex_place next;

	if (ns > (__s64)(hold->length_ns - hold->explained_ns)) /* it has begun anew meanwhile */
		ns = hold->length_ns - hold->explained_ns;
	if (!total->is_used || ns <= 0)
		return 0;
	hold->explained_ns += ns;
	next.address = total->address;
	next.space = total->space;
	charge_hold(hold, total->time_class, total->syscall, &next, ns);
	return 0;
}

/* The absence that it has not come back from. */
static __always_inline void charge_present(struct hold *hold, __u64 from, __u64 to)
{
	const struct thread *holder = hold->holder;
	__u64 left = holder->left_clock;
	struct futex_place next;

	if (!left)
		return;
	if (left < from)
		left = from;
	if (left >= to)
		return;
	hold->explained_ns += to - left;
	next = told_place(holder);
	charge_hold(hold, holder->off_class, holder->off_syscall, &next, to - left);
}

/* How many waited for a hold of `ns`, in 256ths. */
static __always_inline __u64 weight_of(const struct lock_state *state, __u64 ns)
{
	__s32 waiters = state->waiters;
	__u64 weight = waiters > 0 ? (__u64)(waiters & MAX_WAITERS) << 8 : 0;
	__u64 late = counts_futexes ? (state->late_ns << 8) / ns : 0;

	return late < weight ? weight - late : 0;
}

/* Charges what the lock's holder did from `from` to `to`, for each of those who waited. A function of its
 * own, so that the verifier walks it once. */
__noinline int charge_holder(const struct futex_place *lock, struct lock_state *state, __u64 from,
			     __u64 to, bool is_waker)
{
	struct hold hold = {.state = state, .length_ns = to - from, .weight = 1 << 8};
	const struct futex_place nowhere = {0};

	if (!lock || !state)
		return 0;
	if (!is_waker)
		hold.weight = weight_of(state, to - from);
	hold.key.lock = lock->address;
	hold.key.space = lock->space;
	if (counts_futexes) {
		hold.key.pid = state->holder_pid;
		hold.key.tid = state->holder_tid;
		hold.key.band = is_waker ? BAND_OF_WAKER : 0;
	} else {
		hold.key.band = bucket_log2(to - from);
	}
	hold.holder = thread_by_tid(state->holder_pid, state->holder_tid);
	if (!hold.holder || hold.holder->is_unseen)
		return 0;
	if (!is_waker)
		hold.explained_ns = state->named_ns;
	charge_present(&hold, from, to);
	bpf_loop(MAX_TOTALS, charge_total, &hold, 0);
	if (hold.explained_ns < to - from)
		charge_hold(&hold, CLASS_ONCPU, NO_SYSCALL, &nowhere,
			    to - from - hold.explained_ns);
	return 0;
}

/* The holder of a lock is back from `ns` that a total will have for another address than its time until now, which
 * is charged while that is known. A function of its own, for its stack. */
__noinline int name_total(struct thread *thread, const struct futex_place *lock, __u32 tid,
			  __u32 at, __u64 now)
{
	struct hold hold = {.holder = thread};
	struct lock_state *state;
	struct futex_place place;
	struct total *total;
	__s64 ns;

	if (!thread || !lock || !lock->address)
		return 0;
	place = *lock;
	hold.key.lock = place.address;
	hold.key.space = place.space;
	state = bpf_map_lookup_elem(&locks, &place);
	if (!state || state->holder_tid != tid || state->since >= now)
		return 0;
	barrier_var(at);
	at &= MAX_TOTALS - 1;
	total = &thread->totals[at];
	ns = total->ns - state->before[at];
	if (ns <= 0 || ns > (__s64)(now - state->since))
		return 0;
	if (counts_futexes) {
		hold.key.pid = state->holder_pid;
		hold.key.tid = tid;
	} else {
		hold.key.band = bucket_log2(now - state->since);
	}
	hold.weight = weight_of(state, now - state->since);
	place.address = total->address;
	place.space = total->space;
	charge_hold(&hold, total->time_class, total->syscall, &place, ns);
	state->before[at] += ns;
	state->named_ns += ns;
	return 0;
}

static __always_inline void name_before(struct thread *thread, __u32 tid, __u32 time_class,
					__u32 syscall, struct futex_place place, __u64 now)
{
	const struct total *total;
	__u32 at;

	if (!place.address)
		return;
	at = find_total(thread, time_class, syscall, false);
	barrier_var(at);
	total = &thread->totals[at & (MAX_TOTALS - 1)];
	if (!total->address || (total->address == place.address && total->space == place.space))
		return;
	name_total(thread, &thread->watched[0], tid, at, now);
	name_total(thread, &thread->watched[1], tid, at, now);
}

/* The thread that is back at `now`, and is watched, may hold a lock. Of what it waited for until now there is one name
 * for each of its totals, and process `thief` had its CPU. A function of its own, for its stack. */
static __noinline int name_waits(struct thread *thread, __u32 tid, __u32 thief, __u64 now)
{
	struct futex_place place = {.address = thief};

	if (thread->queue_class == CLASS_RUNQUEUE)
		name_before(thread, tid, CLASS_RUNQUEUE, NO_SYSCALL, place, now);
	place = told_place(thread);
	name_before(thread, tid, thread->off_class, thread->off_syscall, place, now);
	return 0;
}

/* ---- what waiters see ---- */

/* The present hold ends at `now`, once: of two who see it only one charges. */
static __always_inline void end_hold(const struct futex_place *key, struct lock_state *state,
				     __u64 now)
{
	__u64 since = state->since;

	if (since >= now || __sync_val_compare_and_swap(&state->since, since, now) != since)
		return;
	/* (since 0: it was a waker's) */
	if (since && state->holder_tid && state->waiters > 0 && now - since >= LEAST_HOLD_NS) {
		if (counts_futexes)
			note_hold(key, state, since, now);
		charge_holder(key, state, since, now, false);
	}
	state->late_ns = 0;
	state->named_ns = 0;
}

/* A total stands `ns` higher, or lower, at the begin of the hold than it does now. */
static __always_inline void shift_total(struct lock_state *state, struct thread *holder,
					__u32 time_class, __u32 syscall, __s64 ns)
{
	__u32 at = find_total(holder, time_class, syscall, false);

	barrier_var(at);
	state->before[at & (MAX_TOTALS - 1)] += ns;
}

/* The holder of the lock is looked at, or is not any more. Of those that it holds the last two are: a reader-writer
 * lock has two words. */
static __always_inline void watch(struct thread *holder, const struct futex_place *key,
				  bool is_waited_for)
{
	struct futex_place last = holder->watched[0];

	if (is_same_place(&last, key)) {
		if (!is_waited_for)
			holder->watched[0].address = 0;
	} else if (is_waited_for) {
		if (last.address)
			holder->watched[1] = last;
		holder->watched[0] = *key;
	} else if (is_same_place(&holder->watched[1], key)) {
		holder->watched[1].address = 0;
	}
}

/* The thread, pid << 32 | tid, holds the lock from now on, or has done so for the last `queued_ns`, in
 * which it was runnable. */
static __always_inline void begin_hold(const struct futex_place *key, struct lock_state *state,
				       __u64 id, struct thread *holder, __u64 now, __u64 queued_ns)
{
	state->holder_pid = id >> 32;
	state->holder_tid = id;
	for (int i = 0; i < MAX_TOTALS; i++)
		state->before[i] = holder ? holder->totals[i].ns : 0; /* one that has just begun */
	if (!holder)
		return;
	/* It is away already: what of that was before will be in the total too. */
	if (holder->left_clock && holder->left_clock < now)
		shift_total(state, holder, holder->off_class, holder->off_syscall,
			    now - holder->left_clock);
	if (queued_ns)
		shift_total(state, holder, holder->queue_class, NO_SYSCALL, -queued_ns);
	watch(holder, key, state->waiters > 0);
}

/* `waiter` blocks on a lock of its `owner_tid`, which is `holder`, if that is known. */
__noinline int lock_blocked(const struct thread *waiter, struct thread *holder)
{
	struct lock_state *state;
	struct futex_place key;
	__u64 now;

	if (!waiter)
		return 0;
	key = off_place(waiter);
	now = waiter->left_clock;
	state = find_or_add(&locks, &key, &no_lock_state);
	if (!state)
		return 0;
	if (state->waiters > 0 && state->holder_tid == waiter->owner_tid) {
		if (counts_futexes && now > state->since)
			__sync_fetch_and_add(&state->late_ns, now - state->since);
		__sync_fetch_and_add(&state->waiters, 1);
		return 0;
	}
	/* One that waits for it itself has let it go unseen, or was woken and has not got it. */
	if (state->waiters > 0 &&
	    !(counts_futexes && state->holder_tid == (__u32)bpf_get_current_pid_tgid()))
		end_hold(&key, state, now);
	else
		state->since = now;
	state->late_ns = 0;
	state->named_ns = 0;
	__sync_fetch_and_add(&state->waiters, 1);
	begin_hold(&key, state, (__u64)waiter->owner_pid << 32 | waiter->owner_tid, holder, now, 0);
	return 0;
}

/* Thread `tid` lets it go, or ends. Another that was said to have it has lost it unseen. */
__noinline int lock_ended(const struct thread *waiter, __u32 tid, __u64 now)
{
	struct lock_state *state;
	struct futex_place key;

	if (!waiter)
		return 0;
	key = off_place(waiter);
	state = bpf_map_lookup_elem(&locks, &key);
	if (!state)
		return 0;
	if (state->holder_tid == tid)
		end_hold(&key, state, now);
	else if (counts_futexes && waiter->futex_value == RWLOCK_CONTENDED)
		return 0; /* (of readers, for which nobody is said to hold it, the last one does) */
	state->holder_tid = 0;
	return 0;
}

/* Does it wait for a writer of a pthread_rwlock_t? Writers do so at the word behind. */
static __always_inline bool is_reader(const struct thread *thread)
{
	return thread->futex_value == RWLOCK_CONTENDED && !(thread->off_address & sizeof(__u32));
}

/* The thread, pid << 32 | tid, is back from its wait for a lock at `now`, having been runnable for
 * `queued_ns`: it has it next, unless nobody woke it. */
__noinline int lock_woken(struct thread *thread, __u64 id, __u64 now, __u64 queued_ns)
{
	struct lock_state *state;
	struct thread *holder = thread;
	struct futex_place key;

	if (!thread)
		return 0;
	key = off_place(thread);
	state = bpf_map_lookup_elem(&locks, &key);
	if (!state)
		return 0;
	if (counts_futexes && !thread->futex_waker) { /* in vain: who has had it has it still */
		id = (__u64)state->holder_pid << 32 | state->holder_tid;
		holder = thread_by_tid(state->holder_pid, state->holder_tid);
		queued_ns = 0;
	} else if (counts_futexes &&
		   is_reader(thread)) { /* one of several, whom nobody waits for as one */
		id = 0;
		holder = NULL;
	}
	end_hold(&key, state, now - queued_ns);
	if (counts_futexes)
		tell_longest(&key, thread);
	__sync_fetch_and_add(&state->waiters, -1);
	begin_hold(&key, state, id, holder, now, queued_ns);
	return 0;
}

/* A writer may have a pthread_rwlock_t from another one: those who wait to read, at the word before, wait for it. */
__noinline int readers_see(struct thread *writer, __u64 id, __u64 now)
{
	struct lock_state *state;
	struct futex_place key;

	if (!writer || !writer->futex_waker || writer->futex_value != RWLOCK_CONTENDED ||
	    is_reader(writer))
		return 0;
	key = off_place(writer);
	key.address -= sizeof(__u32);
	state = bpf_map_lookup_elem(&locks, &key);
	if (!state || state->waiters <= 0)
		return 0;
	end_hold(&key, state, now);
	begin_hold(&key, state, id, writer, now, 0);
	return 0;
}

/* ---- what wakers did, of futexes without an owner ---- */

/* The thread blocks: who woke the last one may be who wakes it. */
__noinline int waker_begins(const struct thread *waiter)
{
	struct lock_state *state;
	struct futex_place key;
	struct thread *waker;

	if (!waiter)
		return 0;
	key = off_place(waiter);
	state = bpf_map_lookup_elem(&locks, &key);
	if (!state || !state->holder_tid || state->waiters > 0 || state->since)
		return 0;
	waker = thread_by_tid(state->holder_pid, state->holder_tid);
	if (!waker)
		return 0;
	state->since = waiter->left_clock;
	for (int i = 0; i < MAX_TOTALS; i++)
		state->before[i] = waker->totals[i].ns;
	if (waker->left_clock && waker->left_clock < state->since)
		shift_total(state, waker, waker->off_class, waker->off_syscall,
			    state->since - waker->left_clock);
	return 0;
}

/* The current thread wakes the waiter at `now`. */
__noinline int waker_ends(const struct thread *waiter, __u64 now)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct lock_state *state;
	struct futex_place key;

	if (!waiter)
		return 0;
	key = off_place(waiter);
	state = find_or_add(&locks, &key, &no_lock_state);
	if (!state)
		return 0;
	if (state->waiters > 0) { /* others wait on: the holder has let it go */
		if (state->holder_tid == (__u32)id) {
			end_hold(&key, state, now);
			state->holder_tid = 0;
		}
		return 0;
	}
	if (state->holder_tid == (__u32)id && state->since && state->since + LEAST_HOLD_NS < now)
		charge_holder(&key, state, state->since, now, true);
	state->holder_pid = id >> 32;
	state->holder_tid = id;
	state->since = 0;
	return 0;
}

/* A waiter is gone, and nobody saw when. */
__noinline int lock_left(const struct thread *waiter)
{
	struct lock_state *state;
	struct futex_place key;

	if (!waiter)
		return 0;
	key = off_place(waiter);
	state = bpf_map_lookup_elem(&locks, &key);
	if (state)
		__sync_fetch_and_add(&state->waiters, -1);
	return 0;
}

#endif
