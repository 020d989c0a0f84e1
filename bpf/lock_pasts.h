/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_LOCK_PASTS_H
#define PROBEKIT_LOCK_PASTS_H
/* Who held a lock longest in each of the long waits for it: its last holds are kept. */
#include "futexes.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct futex_place);
	__type(value, struct lock_past);
} lock_pasts WEAK SEC(".maps");

/* How many long waits there were in which the thread held the lock longest. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_FUTEX_HOLDERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct futex_holder_key);
	__type(value, __u64);
} futex_holders WEAK SEC(".maps");

static const struct lock_past no_past;

static __always_inline void note_hold(const struct futex_place *key, const struct lock_state *state,
				      __u64 since, __u64 until)
{
	struct lock_past *past = find_or_add(&lock_pasts, key, &no_past);
	struct past_hold *hold;

	if (!past)
		return;
	hold = &past->holds[(past->count - 1) & (PAST_HOLDS - 1)];
	if (hold->tid != state->holder_tid || hold->until != since) {
		hold = &past->holds[past->count & (PAST_HOLDS - 1)];
		past->count++;
		hold->pid = state->holder_pid;
		hold->tid = state->holder_tid;
		hold->since = since;
	}
	hold->until = until;
}

struct longest {
	const struct lock_past *past;
	__u64 begin;
	__u64 end;
	__u64 ns;
	__u64 known_ns;
	__u32 pid;
	__u32 tid;
};

static long compare_hold(__u32 i, struct longest *longest)
{
	const struct past_hold *hold = &longest->past->holds[i & (PAST_HOLDS - 1)];
	__u64 since = hold->since > longest->begin ? hold->since : longest->begin;
	__u64 until = hold->until < longest->end ? hold->until : longest->end;

	if (until <= since)
		return 0;
	longest->known_ns += until - since;
	if (until - since > longest->ns) {
		longest->ns = until - since;
		longest->pid = hold->pid;
		longest->tid = hold->tid;
	}
	return 0;
}

static __always_inline void count_holder(const struct futex_place *lock, __u32 pid, __u32 tid,
					 __s64 change)
{
	struct futex_holder_key key = {
		.address = lock->address, .space = lock->space, .pid = pid, .tid = tid};
	const __u64 none = 0;
	__u64 *waits;

	if (!tid)
		return;
	waits = find_or_add(&futex_holders, &key, &none);
	if (waits)
		__sync_fetch_and_add(waits, change);
	else
		COUNT(0, map_full);
}

/* The thread's wait for the lock, which was counted, is over; one that went on is told anew. A function of its
 * own, for its stack. */
static __noinline int tell_longest(const struct futex_place *key, struct thread *thread)
{
	struct longest longest = {
		.begin = thread->futex_end - thread->futex_ns,
		.end = thread->futex_end,
	};

	if (thread->futex_is_again)
		count_holder(key, thread->futex_holder_pid, thread->futex_holder, -1);
	thread->futex_holder = 0;
	if (thread->futex_ns < LONG_FUTEX_NS)
		return 0;
	longest.past = bpf_map_lookup_elem(&lock_pasts, key);
	if (!longest.past)
		return 0;
	bpf_loop(PAST_HOLDS, compare_hold, &longest, 0);
	if (longest.known_ns + longest.ns < thread->futex_ns)
		return 0; /* a longer one may be among those that are not kept */
	thread->futex_holder_pid = longest.pid;
	thread->futex_holder = longest.tid;
	count_holder(key, longest.pid, longest.tid, 1);
	return 0;
}

#endif
