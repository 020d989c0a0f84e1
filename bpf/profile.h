/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_PROFILE_H
#define PROBEKIT_PROFILE_H
/*
 * How long the threads of a profile ran and waited: all of it, by process, class and system call. Stacks
 * are sampled besides (evidence.h, sample.bpf.c), and share in these times.
 */
#include "threads.h"

#define PROFILE_QUANTUM_NS 1000000 /* absences that are shorter are sampled in proportion */

WEAK const volatile __u32 profile_scope; /* enum profile_scope */
WEAK const volatile bool profiles_oncpu; /* samples of threads that run are wanted too */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct profile_key);
	__type(value, __u64);
} profile_times WEAK SEC(".maps");

/* Are all threads of the processes followed, and not only while they are in a span? */
static __always_inline bool follows_whole(void)
{
	return profile_scope == PROFILE_WHOLE || counts_futexes;
}

/* Does what the thread does now belong to the profile? A span that is just being opened has no begin yet, and an
 * absence that was not seen to end, and is added then, was before it. */
static __always_inline bool is_profiled(const struct thread *thread)
{
	if (profile_scope == PROFILE_SPANS)
		return thread->depth && thread->frames[0].begin_ns;
	return profile_scope == PROFILE_WHOLE;
}

/* What finds no room of its own counts for its class: the sum is kept. */
WEAK __noinline int profile_add(__u32 pid, __u32 time_class, __u32 syscall, __u64 ns)
{
	struct profile_key key = {.pid = pid, .syscall = syscall, .time_class = time_class};
	const __u64 none = 0;
	__u64 *total;

	if (!ns)
		return 0;
	total = find_or_add(&profile_times, &key, &none);
	if (!total) {
		key.pid = 0;
		key.syscall = NO_SYSCALL;
		total = bpf_map_lookup_elem(&profile_times, &key);
	}
	if (total)
		__sync_fetch_and_add(total, ns);
	return 0;
}

/* A thread of which nothing has been seen yet is followed since it was adopted; its time counts from
 * the start of the measurement on. */
static __always_inline __u64 followed_since(const struct thread *thread)
{
	return thread->arrived_ns > measure_start_ns ? thread->arrived_ns : measure_start_ns;
}

/* The thread has left its CPU, on which it had been since `last_arrival` by the run queue's clock. */
static __always_inline void profile_ran(const struct thread *thread, const struct task_struct *task,
					bool was_unseen)
{
	__u64 ran = thread->left_clock - task->sched_info.last_arrival;
	__u64 since = 0;
	__u64 now;

	if (!is_profiled(thread))
		return;
	if (profile_scope == PROFILE_SPANS)
		since = thread->frames[0].begin_ns;
	else if (was_unseen)
		since = followed_since(thread);
	if (since) {
		now = bpf_ktime_get_ns();
		if (now < since)
			return;
		if (ran > now - since)
			ran = now - since;
	}
	profile_add(task->tgid, CLASS_ONCPU, NO_SYSCALL, ran);
}

/* A span of the current thread has ended: was it the outermost? */
static __always_inline void profile_end(const struct thread *thread, __u64 now)
{
	__u64 since;

	if (profile_scope != PROFILE_SPANS || thread->depth)
		return;
	since = thread->frames[0].begin_ns;
	if (since < thread->arrived_ns)
		since = thread->arrived_ns;
	if (now > since)
		profile_add(bpf_get_current_pid_tgid() >> 32, CLASS_ONCPU, NO_SYSCALL, now - since);
}

/* What an absence of `ns` weighs, of which a sample may be taken; 0: it is not taken. On the average
 * it is `ns`. */
static __always_inline __u64 profile_weight(__u64 ns)
{
	if (ns >= PROFILE_QUANTUM_NS)
		return ns;
	return bpf_get_prandom_u32() % PROFILE_QUANTUM_NS < ns ? PROFILE_QUANTUM_NS : 0;
}

#endif
