/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_FUTEX_ROWS_H
#define PROBEKIT_FUTEX_ROWS_H
/* How often, how long and by how many threads: of waits for a futex, and of holds of a lock. */
#include "raise.h"

static const struct futex_row empty_futex_row;

static __always_inline void count_slot(struct futex_row *row, __u64 ns, __s32 change)
{
	__u32 slot = ns ? bucket_slot_of_ns(ns, FUTEX_SCALE) : 0;

	barrier_var(slot);
	if (slot < BUCKET_SLOTS(FUTEX_SCALE))
		__sync_fetch_and_add(&row->slots[slot], change);
}

static __always_inline void mark_thread(struct futex_row *row, __u32 tid)
{
	__u64 bit = 1ull << (tid & 63);
	__u64 *word = &row->threads[tid >> 6 & (FUTEX_THREAD_WORDS - 1)];

	if (!(*word & bit))
		__sync_fetch_and_or(word, bit);
}

#endif
