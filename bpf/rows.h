/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_ROWS_H
#define PROBEKIT_ROWS_H
/*
 * Adding one measurement to a row. Programs at uprobes are preemptible and migrate between the
 * lookup and the add only in theory, so every update is atomic and a shard merely spreads the cache
 * lines.
 */
#include "bucket.h"
#include "maps.h"

#define RAISE_TRIES 64 /* each lost race means that another CPU raised it */

static __always_inline void raise_to(__u64 *at, __u64 value)
{
	__u64 seen = *(volatile __u64 *)at;

	for (int i = 0; i < RAISE_TRIES && value > seen; i++) {
		__u64 old = __sync_val_compare_and_swap(at, seen, value);

		if (old == seen)
			break;
		seen = old;
	}
}

static __always_inline struct row *row_shard(__u32 row)
{
	__u32 key = row * (shard_mask + 1) + (bpf_get_smp_processor_id() & shard_mask);

	return bpf_map_lookup_elem(&rows, &key);
}

static __always_inline void row_count(struct row *row, __u32 slot)
{
	/* Proves the bound where the compiler has folded bucket_slot()'s own. */
	if (slot < BUCKET_SLOTS(scale))
		__sync_fetch_and_add(&row->slots[slot], 1);
}

static __always_inline void row_add_ns(__u32 index, __u64 ns)
{
	struct row *row = row_shard(index);

	if (!row)
		return;
	__sync_fetch_and_add(&row->sum, ns);
	raise_to(&row->max, ns);
	raise_to(&row->inverted_min, ~ns);
	if (ns == 0) {
		__sync_fetch_and_add(&row->zero_count, 1);
		return;
	}
	row_count(row, bucket_slot_of_ns(ns, scale));
}

static __always_inline void row_add_value(__u32 index, __s64 value)
{
	struct row *row = row_shard(index);

	if (!row)
		return;
	__sync_fetch_and_add(&row->sum, (__u64)value);
	raise_to(&row->max, (__u64)value ^ VALUE_BIAS);
	raise_to(&row->inverted_min, ~((__u64)value ^ VALUE_BIAS));
	if (value < 0) {
		__sync_fetch_and_add(&row->negative_count, 1);
	} else if (value == 0) {
		__sync_fetch_and_add(&row->zero_count, 1);
	} else {
		if (value > 1ll << BUCKET_OCTAVES)
			__sync_fetch_and_add(&row->out_of_range, 1);
		row_count(row, bucket_slot_of_value((__u64)value, scale));
	}
}

/* The row of a key, relative to its probe's first. A function of its own, so that the verifier
 * walks the loop once. */
__noinline __u32 key_row(__u32 probe, __s64 key)
{
	struct key_table *table = bpf_map_lookup_elem(&key_tables, &probe);
	__u32 at = ((__u64)key * 0x9e3779b97f4a7c15ull) >> 58; /* Fibonacci hashing: 64 slots */

	if (!table || key == KEY_EMPTY)
		return KEY_SLOTS + 1;
	for (__u32 i = 0; i < KEY_SLOTS && i < key_limit; i++) {
		__u32 slot = key_limit == KEY_SLOTS ? (at + i) & (KEY_SLOTS - 1) : i;
		__s64 found = *(volatile __s64 *)&table->keys[slot & (KEY_SLOTS - 1)];

		if (found == KEY_EMPTY)
			found = __sync_val_compare_and_swap(&table->keys[slot & (KEY_SLOTS - 1)],
							    KEY_EMPTY, key);
		if (found == key || found == KEY_EMPTY)
			return slot + 1;
	}
	return KEY_SLOTS + 1;
}

static __always_inline void record_span(__u32 row, __u32 probe, const struct frame *frame,
					__u64 now)
{
	__s64 key = frame->key;

	if (filter_key && !(frame->has_key && key == only_key))
		return;
	if (frame->has_key)
		row += key_row(probe, key);
	row_add_ns(row, now - frame->begin_ns);
}

#endif
