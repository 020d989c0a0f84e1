/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_HOLDS_H
#define PROBEKIT_HOLDS_H
/*
 * The locks that a thread holds, as the functions that take and release them tell. A lock is held from the
 * function that takes it, or where the thread had to wait from the end of its last wait for it: so returns need
 * no probe. What a function that may fail has not taken is never released, and replaced by the next.
 */
#include "futex_space.h"

#define MAX_OPEN_HOLDS 8 /* a thread; when it has more, the oldest makes room */

/* Bytes from a lock's address on in which threads wait for it. */
#define MUTEX_WAIT_BYTES 4
#define RWLOCK_WAIT_BYTES 16
#define CONDVAR_WAIT_BYTES 48

struct open_hold {
	struct futex_place lock;    /* address 0: none */
	struct futex_place condvar; /* that it waits for in between; address 0: none */
	__u64 begin_ns;
	__u8 may_have_failed;
	__u8 is_rwlock;
	__u8 is_read;
	__u8 padding[5];
};

struct open_holds {
	struct taken taken;
	struct open_hold at[MAX_OPEN_HOLDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct open_holds);
} open_holds WEAK SEC(".maps");

static __always_inline bool is_word_of(const struct futex_place *object, __u64 size_bytes,
				       const struct futex_place *word)
{
	return object->address && object->space == word->space &&
	       word->address - object->address < size_bytes;
}

/* The task is back from a wait for this word. */
static __always_inline void holds_begin(struct task_struct *task, struct futex_place word)
{
	struct open_holds *holds = bpf_task_storage_get(&open_holds, task, NULL, 0);
	__u64 now;

	if (!holds)
		return;
	now = bpf_ktime_get_ns();
	for (int i = 0; i < MAX_OPEN_HOLDS; i++) {
		struct open_hold *hold = &holds->at[i];
		__u64 bytes = hold->is_rwlock ? RWLOCK_WAIT_BYTES : MUTEX_WAIT_BYTES;

		if (is_word_of(&hold->lock, bytes, &word) ||
		    is_word_of(&hold->condvar, CONDVAR_WAIT_BYTES, &word))
			hold->begin_ns = now;
	}
}

#endif
