/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_ROWS_H
#define PROBEKIT_ROWS_H
/*
 * Adding one measurement to a row. Programs at uprobes are preemptible and migrate between the
 * lookup and the add only in theory, so every update is atomic and a shard merely spreads the cache
 * lines.
 */
#include "clock_read.h"
#include "raise.h"
#include "samples.h"

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

/* By the user's own threshold. */
static __always_inline bool is_slow(__u64 ns)
{
	return slow_over_ns && ns > slow_over_ns;
}

struct adding {
	struct row *row;
	const struct off_time *off;
	__u64 left_ns;
	__u32 band;
	bool is_slow;
};

/* A callback, as those in frames.h are. */
static long add_class(__u32 i, struct adding *adding)
{
	__u32 time_class = i + 1;
	__u64 share;

	if (time_class >= CLASS_COUNT || adding->band >= BUCKET_OCTAVES)
		return 1;
	share = adding->off->ns[time_class];
	if (share > adding->left_ns)
		share = adding->left_ns;
	if (share)
		__sync_fetch_and_add(&adding->row->bands[adding->band][time_class], share);
	if (share && adding->is_slow)
		__sync_fetch_and_add(&adding->row->slow_ns[time_class], share);
	adding->left_ns -= share;
	return 0;
}

/* `off` is what of `ns` was off-CPU; NULL: nothing. Every ns is in one class. */
static __always_inline void row_add_classes(struct row *row, __u32 band, __u64 ns,
					    const struct off_time *off)
{
	struct adding adding = {
		.row = row, .off = off, .left_ns = ns, .band = band, .is_slow = is_slow(ns)};

	if (band >= BUCKET_OCTAVES)
		return;
	if (off)
		bpf_loop(CLASS_COUNT, add_class, &adding, 0);
	__sync_fetch_and_add(&row->bands[band][CLASS_ONCPU], adding.left_ns);
	if (adding.is_slow)
		__sync_fetch_and_add(&row->slow_ns[CLASS_ONCPU], adding.left_ns);
}

/* Returns the band of `ns`. A function of its own, so that the verifier walks it once. */
__noinline __u32 row_add_ns(__u32 index, __u64 ns, const struct off_time *off, bool is_explained)
{
	struct row *row = row_shard(index);
	__u32 slot;
	__u32 band;

	if (!row)
		return 0;
	__sync_fetch_and_add(&row->count, 1);
	__sync_fetch_and_add(&row->sum, ns);
	raise_to(&row->max, ns);
	raise_to(&row->inverted_min, ~ns);
	if (ns == 0) {
		__sync_fetch_and_add(&row->zero_count, 1);
		return 0;
	}
	slot = bucket_slot_of_ns(ns, scale);
	band = (slot + BUCKET_SLOT_BASE) >> scale;
	row_count(row, slot);
	if (is_slow(ns)) {
		__sync_fetch_and_add(&row->slow_count, 1);
		__sync_fetch_and_add(&slow_spans, 1);
	}
	if (!has_breakdown)
		return band;
	if (is_explained)
		row_add_classes(row, band, ns, off);
	else
		__sync_fetch_and_add(&row->unexplained_ns, ns);
	return band;
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

struct key_search {
	struct key_table *table;
	__s64 key;
	__u32 at;
	__u32 row;
};

static long try_key_slot(__u32 i, struct key_search *search)
{
	__u32 slot = key_limit == KEY_SLOTS ? (search->at + i) & (KEY_SLOTS - 1) : i;
	__s64 *at = &search->table->keys[slot & (KEY_SLOTS - 1)];
	__s64 found = *(volatile __s64 *)at;

	if (found == KEY_EMPTY)
		found = __sync_val_compare_and_swap(at, KEY_EMPTY, search->key);
	if (found != search->key && found != KEY_EMPTY)
		return 0;
	search->row = slot + 1;
	return 1;
}

/* The row of a key, relative to its probe's first. A function of its own, so that the verifier
 * walks it once. */
__noinline __u32 key_row(__u32 probe, __s64 key)
{
	struct key_search search = {
		.table = bpf_map_lookup_elem(&key_tables, &probe),
		.key = key,
		.at = ((__u64)key * 0x9e3779b97f4a7c15ull) >> 58, /* Fibonacci hashing: 64 slots */
		.row = KEY_SLOTS + 1,
	};

	if (search.table && key != KEY_EMPTY)
		bpf_loop(key_limit < KEY_SLOTS ? key_limit : KEY_SLOTS, try_key_slot, &search, 0);
	return search.row;
}

static __always_inline void charge(const struct cause_key *key, const struct wait *wait)
{
	const struct cause none = {0};
	struct cause *cause = find_or_add(&causes, key, &none);

	if (!cause) {
		COUNT_MANY(key->probe, waits_unnamed, wait->count);
		return;
	}
	__sync_fetch_and_add(&cause->ns, wait->ns);
	__sync_fetch_and_add(&cause->waits, wait->count);
	__sync_fetch_and_add(&cause->spans, 1);
}

struct charging {
	const struct thread *thread;
	__u64 arrival; /* the last before the span */
	struct cause_key key;
};

static long charge_one(__u32 i, struct charging *charging)
{
	const struct wait *wait = &charging->thread->waits[i & (MAX_WAITS - 1)];

	if (i >= charging->thread->wait_count)
		return 1;
	if (wait->arrival <= charging->arrival)
		return 0;
	charging->key.address = wait->address;
	charging->key.pid = wait->pid;
	charging->key.syscall = wait->syscall;
	charging->key.time_class = wait->time_class;
	charge(&charging->key, wait);
	return 0;
}

/* Charges the waits that ended after an arrival to the probe. A function of its own, so that the verifier
 * walks it once. */
__noinline int charge_waits(const struct thread *thread, __u64 arrival, __u32 probe, __u32 band,
			    bool of_slow)
{
	struct charging charging = {.thread = thread, .arrival = arrival};

	if (!thread)
		return 0;
	charging.key.probe = probe;
	charging.key.band = band;
	charging.key.is_slow = of_slow;
	bpf_loop(MAX_WAITS, charge_one, &charging, 0);
	return 0;
}

__noinline int relate(__u32 parent, __u32 child, __u64 ns)
{
	struct relation_key key = {.parent = parent, .child = child};
	const struct relation none = {0};
	struct relation *relation = find_or_add(&relations, &key, &none);

	if (!relation) {
		COUNT(child, children_unnamed);
		return 0;
	}
	__sync_fetch_and_add(&relation->count, 1);
	__sync_fetch_and_add(&relation->ns, ns);
	return 0;
}

/* Tells the span that the ended one, frame `at`, was directly in. A span inside one of its own name
 * is already part of that. */
static __always_inline void relate_to_parent(const struct thread *thread, __u32 at, __u32 child,
					     __u64 ns)
{
	__u32 parent = thread->depth - 1;

	if (parent >= MAX_DEPTH || parent >= at)
		return;
	if (thread->frames[parent].kind != FRAME_HOLE && thread->frames[parent].probe != child)
		relate(thread->frames[parent].probe, child, ns);
}

/* What of the span that began with `before` was off-CPU; its end may move on from `now` while we
 * look. Without a switch in between there is nothing to read. */
static __always_inline bool was_off(struct thread *thread, const struct off_time *before,
				    __u64 *now, struct off_time *off)
{
	if (!has_breakdown ||
	    (arrivals_of(thread) == before->ns[OFF_ARRIVALS] && !thread->left_clock))
		return false;
	*now = clock_read(thread, *now, off);
	for (int i = CLASS_ONCPU + 1; i < CLASS_COUNT; i++)
		off->ns[i] -= before->ns[i];
	return true;
}

/* What of the `ns` of a span counts, of which `off` was off-CPU. */
static __always_inline __u64 less_stopped(__u64 ns, struct off_time *off)
{
	__u64 stopped_ns = off->ns[CLASS_STOPPED];

	if (!excludes_stopped)
		return ns;
	off->ns[CLASS_STOPPED] = 0;
	return stopped_ns < ns ? ns - stopped_ns : 0;
}

/* ---- the slowest ---- */

struct ranking {
	struct slowness *slow;
	__u64 least;
	__u32 at;
};

static long find_least(__u32 i, struct ranking *ranking)
{
	__u64 kept;

	if (i >= SLOWEST)
		return 1;
	kept = ranking->slow->kept[i];
	if (i == 0 || kept < ranking->least) {
		ranking->least = kept;
		ranking->at = i;
	}
	return 0;
}

/* May `ns` be one of the slowest spans of the probe? Few are, which calls nothing. */
static __always_inline bool is_among_slowest(__u32 probe, __u64 ns)
{
	const struct slowness *slow = bpf_map_lookup_elem(&slowness, &probe);

	return slow && ns > slow->least_kept;
}

/* Takes a place among the slowest spans of the probe, if `ns` is worth one. */
__noinline int take_place(__u32 probe, __u64 ns)
{
	struct slowness *slow = bpf_map_lookup_elem(&slowness, &probe);
	struct ranking ranking = {.slow = slow};
	__u32 at;

	if (!slow)
		return 0;
	bpf_loop(SLOWEST, find_least, &ranking, 0);
	at = ranking.at;
	if (at >= SLOWEST || ns <= ranking.least ||
	    __sync_val_compare_and_swap(&slow->kept[at], ranking.least, ns) != ranking.least)
		return 0;
	bpf_loop(SLOWEST, find_least, &ranking, 0);
	slow->least_kept = ranking.least;
	return 1;
}

/* A function of its own, as the others. */
__noinline int emit_span(const struct frame *frame, __u32 probe, __u64 end_ns, __u64 ns,
			 const struct off_time *off)
{
	struct span_record *record;
	__u64 task = bpf_get_current_pid_tgid();

	if (!frame)
		return 0;
	record = bpf_ringbuf_reserve(&samples, sizeof(*record), 0);
	if (!record) {
		COUNT(probe, samples_dropped);
		return 0;
	}
	record->kind = RECORD_SPAN;
	record->probe = probe;
	record->pid = task >> 32;
	record->tid = (__u32)task;
	record->begin_ns = frame->begin_ns;
	record->end_ns = end_ns;
	record->ns = ns;
	record->key = frame->key;
	record->has_key = frame->has_key;
	record->padding = 0;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	if (off)
		record->off = *off;
	else
		__builtin_memset(&record->off, 0, sizeof(record->off));
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Records the span of frame `at`, which has been closed but not yet overwritten. */
static __always_inline void record_span(__u32 row, __u32 probe, struct thread *thread, __u32 at,
					__u64 now)
{
	const struct frame *frame = &thread->frames[at & (MAX_DEPTH - 1)];
	const struct off_time *before = &thread->before[at & (MAX_DEPTH - 1)];
	struct off_time off;
	__u64 ns;
	__u32 band;
	bool is_off;

	if (filter_key && !(frame->has_key && frame->key == only_key))
		return;
	is_off = was_off(thread, before, &now, &off);
	if (frame->has_key)
		row += key_row(probe, frame->key);
	ns = now - frame->begin_ns;
	if (is_off)
		ns = less_stopped(ns, &off);
	band = row_add_ns(row, ns, is_off ? &off : NULL, true);
	relate_to_parent(thread, at, probe, ns);
	if (is_off)
		charge_waits(thread, before->ns[OFF_ARRIVALS], probe, band, is_slow(ns));
	if (has_breakdown && is_among_slowest(probe, ns) && take_place(probe, ns))
		emit_span(frame, probe, now, ns, is_off ? &off : NULL);
}

#endif
