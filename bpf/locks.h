/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_LOCKS_H
#define PROBEKIT_LOCKS_H
/*
 * Who holds the locks that are waited for, and what holders do meanwhile. The owner is in the lock's
 * own words; those who block read it. Each thread that a lock is handed to is woken from its wait for
 * it. So the time of a lock with waiters falls into holds that begin and end where a waiter comes or
 * goes, and what the holder did in each is what its totals grew by. A wrong guess (a lock that was
 * taken between) is mended by the next thread that blocks.
 *
 * Words of a pthread_mutex_t and a pthread_rwlock_t as glibc has them since 2.25 (sysdeps/nptl/bits:
 * struct_mutex.h, struct_rwlock.h), and the values that it waits for.
 */
#include "clock.h"

#define FUTEX_LOCK_PI 6
#define FUTEX_LOCK_PI2 13
#define FUTEX_COMMAND_MASK 127
#define FUTEX_PRIVATE_FLAG 128
#define FUTEX_TID_MASK 0x3fffffff
#define MUTEX_CONTENDED 2
#define RWLOCK_CONTENDED 3
#define MUTEX_OWNER 2	    /* word, from the one that is waited for */
#define WRITER_OF_WRITERS 3 /* where a writer waits for another */
#define WRITER_OF_PHASE 4   /* where a reader waits for a writer */
#define LOCK_WORDS 5
#define LEAST_HOLD_NS 5000 /* shorter holds are not looked at */

/* The owner as the lock that the current thread is about to wait for has it; 0: none. Whether this is
 * a lock at all, and of which kind, user space tells from the thread's stack. What is waited for tells
 * most other uses of futexes without a look at their words. */
static __always_inline __u32 read_owner(__u64 address, __u32 operation, __u32 value)
{
	__u32 command = operation & FUTEX_COMMAND_MASK;
	bool is_pi = command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2;
	/* pthread_join(): the kernel wakes it, by the thread's own number */
	bool is_join = !(operation & FUTEX_PRIVATE_FLAG);
	__u32 words[LOCK_WORDS] = {0};

	if (!is_pi && !is_join && value != MUTEX_CONTENDED && value != RWLOCK_CONTENDED)
		return 0;
	if (bpf_probe_read_user(words, sizeof(words), (void *)address) &&
	    bpf_probe_read_user(words, sizeof(words[0]), (void *)address))
		return 0;
	if (is_pi)
		return words[0] & FUTEX_TID_MASK;
	if (value == MUTEX_CONTENDED)
		return words[MUTEX_OWNER];
	if (value == RWLOCK_CONTENDED)
		return words[WRITER_OF_WRITERS] ? words[WRITER_OF_WRITERS] : words[WRITER_OF_PHASE];
	return words[0] == value ? value : 0;
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

struct hold {
	struct thread *holder;
	struct lock_state *state;
	struct holding_key key;
	__u64 explained_ns;
	__u64 weight; /* how many waited */
};

static __always_inline void charge_hold(struct hold *hold, __u32 time_class, __u32 syscall,
					__u64 address, __u64 ns)
{
	const struct holding none = {0};
	struct holding *holding;

	hold->key.time_class = time_class;
	hold->key.syscall = syscall;
	hold->key.address = address;
	holding = find_or_add(&holdings, &hold->key, &none);
	if (!holding)
		return;
	__sync_fetch_and_add(&holding->ns, ns * hold->weight);
	__sync_fetch_and_add(&holding->count, 1);
}

static long charge_total(__u32 i, struct hold *hold)
{
	const struct total *total = &hold->holder->totals[i & (MAX_TOTALS - 1)];
	__s64 ns = total->ns - hold->state->before[i & (MAX_TOTALS - 1)];

	if (!total->is_used || ns <= 0)
		return 0;
	hold->explained_ns += ns;
	charge_hold(hold, total->time_class, total->syscall, total->address, ns);
	return 0;
}

/* The absence that it has not come back from. */
static __always_inline void charge_present(struct hold *hold, __u64 from, __u64 to)
{
	const struct thread *holder = hold->holder;
	__u64 left = holder->left_clock;

	if (!left)
		return;
	if (left < from)
		left = from;
	if (left >= to)
		return;
	hold->explained_ns += to - left;
	charge_hold(hold, holder->off_class, holder->off_syscall, told_address(holder), to - left);
}

/* Charges what the lock's holder did from `from` to `to`, for each of those who waited. A function of its
 * own, so that the verifier walks it once. */
__noinline int charge_holder(const struct lock_key *lock, struct lock_state *state, __u64 from,
			     __u64 to)
{
	struct hold hold = {.state = state};

	if (!lock || !state)
		return 0;
	hold.weight = (__u32)state->waiters;
	hold.key.lock = lock->address;
	hold.key.pid = lock->pid;
	hold.key.band = bucket_log2(to - from);
	hold.holder = thread_by_tid(lock->pid, state->holder_tid);
	if (!hold.holder || hold.holder->is_unseen)
		return 0;
	charge_present(&hold, from, to);
	bpf_loop(MAX_TOTALS, charge_total, &hold, 0);
	if (hold.explained_ns < to - from)
		charge_hold(&hold, CLASS_ONCPU, NO_SYSCALL, 0, to - from - hold.explained_ns);
	return 0;
}

/* ---- what waiters see ---- */

/* The present hold ends at `now`, once: of two who see it only one charges. */
static __always_inline void end_hold(const struct lock_key *key, struct lock_state *state,
				     __u64 now)
{
	__u64 since = state->since;

	if (since >= now || __sync_val_compare_and_swap(&state->since, since, now) != since)
		return;
	if (state->holder_tid && state->waiters > 0 && now - since >= LEAST_HOLD_NS)
		charge_holder(key, state, since, now);
}

/* A total stands `ns` higher, or lower, at the begin of the hold than it does now. */
static __always_inline void shift_total(struct lock_state *state, struct thread *holder,
					__u32 time_class, __u32 syscall, __s64 ns)
{
	__u32 at = find_total(holder, time_class, syscall, false);

	barrier_var(at);
	state->before[at & (MAX_TOTALS - 1)] += ns;
}

/* Thread `tid` holds the lock from now on, or has done so for the last `queued_ns`, in which it was
 * runnable. */
static __always_inline void begin_hold(const struct lock_key *key, struct lock_state *state,
				       __u32 tid, struct thread *holder, __u64 now, __u64 queued_ns)
{
	state->holder_tid = tid;
	if (!holder)
		return;
	for (int i = 0; i < MAX_TOTALS; i++)
		state->before[i] = holder->totals[i].ns;
	/* It is away already: what of that was before will be in the total too. */
	if (holder->left_clock && holder->left_clock < now)
		shift_total(state, holder, holder->off_class, holder->off_syscall,
			    now - holder->left_clock);
	if (queued_ns)
		shift_total(state, holder, holder->queue_class, NO_SYSCALL, -queued_ns);
	holder->watched_lock = state->waiters > 0 ? key->address : 0;
}

/* `waiter` of process `pid` blocks on a lock of its `owner_tid`, which is `holder`, if that is known. */
__noinline int lock_blocked(const struct thread *waiter, struct thread *holder, __u32 pid)
{
	struct lock_key key = {.pid = pid};
	const struct lock_state none = {0};
	struct lock_state *state;
	__u64 now;

	if (!waiter)
		return 0;
	key.address = waiter->off_address;
	now = waiter->left_clock;
	state = find_or_add(&locks, &key, &none);
	if (!state)
		return 0;
	if (state->waiters > 0 && state->holder_tid == waiter->owner_tid) {
		__sync_fetch_and_add(&state->waiters, 1);
		return 0;
	}
	if (state->waiters > 0)
		end_hold(&key, state, now);
	else
		state->since = now;
	__sync_fetch_and_add(&state->waiters, 1);
	begin_hold(&key, state, waiter->owner_tid, holder, now, 0);
	return 0;
}

/* The holder ends. */
__noinline int lock_ended(__u64 address, __u32 pid, __u64 now)
{
	struct lock_key key = {.address = address, .pid = pid};
	struct lock_state *state = bpf_map_lookup_elem(&locks, &key);

	if (state)
		end_hold(&key, state, now);
	return 0;
}

/* Thread `tid` is back from its wait for a lock at `now`, having been runnable for `queued_ns`: it
 * has it next. */
__noinline int lock_woken(struct thread *thread, __u32 pid, __u32 tid, __u64 now, __u64 queued_ns)
{
	struct lock_key key = {.pid = pid};
	struct lock_state *state;

	if (!thread)
		return 0;
	key.address = thread->off_address;
	state = bpf_map_lookup_elem(&locks, &key);
	if (!state)
		return 0;
	end_hold(&key, state, now - queued_ns);
	__sync_fetch_and_add(&state->waiters, -1);
	begin_hold(&key, state, tid, thread, now, queued_ns);
	return 0;
}

/* A waiter is gone, and nobody saw when. */
__noinline int lock_left(__u64 address, __u32 pid)
{
	struct lock_key key = {.address = address, .pid = pid};
	struct lock_state *state = bpf_map_lookup_elem(&locks, &key);

	if (state)
		__sync_fetch_and_add(&state->waiters, -1);
	return 0;
}

#endif
