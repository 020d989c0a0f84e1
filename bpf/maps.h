/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_MAPS_H
#define PROBEKIT_MAPS_H
/* Maps and configuration of all programs. Sizes of 1 are set by user space before the load. */
#include "kernel.h"
#include "shared.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define SPARE_THREADS 4096
#define MAX_PROCESSES 4096

/* All sources are linked into one object, in which each of these stands once. */
#define WEAK __attribute__((weak))

/* ---- configuration, frozen at load ---- */

WEAK const volatile __u32 shard_mask; /* shards - 1; shards are a power of two */
WEAK const volatile __u32 scale;
WEAK const volatile __u32 key_limit = KEY_SLOTS;
WEAK const volatile bool filter_key; /* record only spans with only_key */
WEAK const volatile __s64 only_key;
WEAK const volatile bool has_breakdown;
WEAK const volatile __u8 syscall_kinds[MAX_SYSCALLS]; /* enum syscall_kind */

WEAK const volatile __u64 slow_over_ns; /* spans over it are counted apart; 0: none */
WEAK const volatile bool has_task_from_pid;
WEAK const volatile __u32 task_type;	  /* the kernel's id of struct task_struct */
WEAK const volatile __u32 registers_type; /* and of struct pt_regs */
WEAK const volatile __u16 futex_syscall;  /* its number */
WEAK const volatile __u32 page_bytes;
WEAK const volatile __u32 lose_switches; /* for tests: one switch in so many, by chance; 0: none */
WEAK const volatile bool follows_children;
WEAK const volatile bool has_strays;	 /* returns of processes that are not followed arrive too */
WEAK const volatile bool measures_holds; /* of locks, by their functions */
WEAK const volatile bool excludes_stopped; /* time in which a thread is stopped is in no span */
WEAK const volatile bool counts_futexes; /* every wait for one, of all threads that are followed */

/* ---- set while running ---- */

WEAK bool is_recording;		      /* only while all probes are attached */
WEAK __u64 measure_start_ns;	      /* since when */
WEAK __u32 hushed_pid;		      /* in this process what came late is silent, */
WEAK __u32 hushed_arrival;	      /* with this number: it is being attached; 0: none */
WEAK const volatile __u32 lose_tasks; /* the same of executions and children, and of ends */
WEAK __u64 lost_tasks;
WEAK __u64 lost_ends;
WEAK __u64 missed_children; /* that ended before they were known, or found no room */
WEAK __u64 hits;	    /* of count_hit */
WEAK __u64 spare_processes; /* bit (pid & 63): a thread's state may be in spare_threads */
WEAK __u64 slow_spans;	    /* over slow_over_ns */
WEAK __u32 renewal;	    /* the number of the one that goes on (struct taken); 0: none */

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads WEAK SEC(".maps");

/* State of threads that task storage refused, by process and thread number. Before Linux 7.0 it does
 * so while another thread is preempted inside it on the same CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SPARE_THREADS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct thread);
} spare_threads WEAK SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct row)); /* plus BUCKET_SLOTS(scale) counts */
} rows WEAK SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct probe_counters);
} counters WEAK SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct key_table);
} key_tables WEAK SEC(".maps"); /* by probe */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct probekit_argument);
} arguments WEAK SEC(".maps"); /* by site */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct async_key);
	__type(value, struct async_span);
} async_spans WEAK SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_RELATIONS);
	__type(key, struct relation_key);
	__type(value, struct relation);
} relations WEAK SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_CAUSES);
	__type(key, struct cause_key);
	__type(value, struct cause);
} causes WEAK SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} events WEAK SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} processes WEAK SEC(".maps"); /* that had a span */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_FOLLOWED);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} followed WEAK
	SEC(".maps"); /* processes, enum follow_state: what they execute and create is told */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_THINGS);
	__type(key, __u64);
	__type(value, struct thing);
} things WEAK SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_PROCESS_NAMES);
	__type(key, __u32);
	__type(value, struct process_name);
} process_names WEAK SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slowness);
} slowness WEAK SEC(".maps"); /* by probe */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_LOCKS);
	__type(key, struct futex_place);
	__type(value, struct lock_state);
} locks WEAK SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_HOLDINGS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct holding_key);
	__type(value, struct holding);
} holdings WEAK SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} probe_rows WEAK SEC(".maps"); /* a probe's first row, where the cookie has no room for it */

/* ---- tasks ---- */

/* All since Linux 6.2; the library puts in what they are called by. */
static struct task_struct *(*bpf_task_from_pid)(__s32 pid) = (void *)KERNEL_TASK_FROM_PID;
static void (*bpf_task_release)(struct task_struct *task) = (void *)KERNEL_TASK_RELEASE;
static void *(*bpf_rdonly_cast)(const void *object, __u32 id) = (void *)KERNEL_RDONLY_CAST;

/* The same task, no more to be trusted by the verifier: for each pointer that is read out of one that is,
 * it looks through all types of the kernel by name (btf_nested_type_is_trusted()), more than once. A load through it
 * checks the address first, which costs nanoseconds: not for what every switch does. */
static __always_inline struct task_struct *plain(struct task_struct *task)
{
	return has_task_from_pid ? bpf_rdonly_cast(task, task_type) : task;
}

/* ---- what the programs share ---- */

static __always_inline void keep_own_stack(void *ctx)
{
	probekit_keep_own_stack(ctx);
}

static __always_inline __u32 probe_row(__u32 probe)
{
	__u32 *row = bpf_map_lookup_elem(&probe_rows, &probe);

	return row ? *row : ~0u;
}

/* What makes a span of the probe slow; 0: not known yet. */
static __always_inline __u64 slow_from(__u32 probe)
{
	struct slowness *slow = bpf_map_lookup_elem(&slowness, &probe);

	return slow ? slow->from_ns : 0;
}

/* The element of a hash, which is `zero` where it is new; NULL: there is no room. */
static __always_inline void *find_or_add(void *map, const void *key, const void *zero)
{
	void *found = bpf_map_lookup_elem(map, key);

	if (found)
		return found;
	bpf_map_update_elem(map, key, zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(map, key);
}

#define COUNT_MANY(probe, member, many)                                                       \
	do {                                                                                  \
		__u32 count_key = (probe);                                                    \
		struct probe_counters *count_at = bpf_map_lookup_elem(&counters, &count_key); \
		if (count_at)                                                                 \
			__sync_fetch_and_add(&count_at->member, many);                        \
	} while (0)
#define COUNT(probe, member) COUNT_MANY(probe, member, 1)

#endif
