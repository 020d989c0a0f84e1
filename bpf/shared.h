/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_SHARED_H
#define PROBEKIT_SHARED_H
/*
 * What the BPF programs and the library agree on: cookies, rows, and the records in maps. With
 * bucket.h and the public bpf.h the only header that both sides compile. Fixed-width members, no
 * implicit padding.
 */
#include <linux/types.h>

#define PROBEKIT_NO_ARGUMENTS /* the map is for others' programs */
#include "../include/probekit/bpf.h"
#include "bucket.h"

/* ---- cookies: what a program learns about the site it runs at ---- */

/* bits 0-15 probe, 16-39 operand, 40-47 flags. The operand is the site's number where a span begins
 * or an argument is read, and the probe's first row where only a span ends. */
#define COOKIE_OPERAND_SHIFT 16
#define COOKIE_OPERAND_MASK 0xffffffull
#define COOKIE_FLAG_SHIFT 40
#define COOKIE_SP_SHIFTED 1u /* attached between the two lea: rsp is 128 lower than at the note */
#define COOKIE_HAS_KEY 2u    /* argument 1 is the key */
#define COOKIE_LATE 4u	     /* attached while others record: silent until its probe has a row */
#define COOKIE_AT_EXIT 8u    /* at an instruction that leaves a function, not behind its return */
#define COOKIE_IS_PART 16u /* a part of a function, split off by the compiler: no call of its own */
#define COOKIE_FOUND 32u  /* late, and so is all else in the process: it came while others record */
#define COOKIE_IS_ODD 64u /* of every second renewal: struct taken */

/* bits 48-52: of an exit at a conditional jump, 16 plus the condition, as x86 encodes it; else 0. */
#define COOKIE_CONDITION_SHIFT 48
#define COOKIE_CONDITION_MASK 0x1full

/* bits 53-55: what a site of a pair, or of a lock, does; 56-63: number of the late ones attached at once. */
#define COOKIE_NAMED_SHIFT 53
#define COOKIE_NAMED_MASK 7u
#define COOKIE_ARRIVAL_SHIFT 56
#define NAMED_BEGINS 1u
#define NAMED_ENDS 2u
#define NAMED_LOCK 4u
#define NAMED_ACQUIRED (NAMED_LOCK | NAMED_ENDS | NAMED_BEGINS)
#define NAMED_RELEASED (NAMED_LOCK | NAMED_ENDS)

/* In place of the operand: what a function that takes or releases locks does. */
#define HOLD_BEGINS 1u
#define HOLD_MAY_FAIL 2u /* and may not have it afterwards */
#define HOLD_ENDS 4u
#define HOLD_IS_RWLOCK 8u
#define HOLD_IS_READ 16u
#define HOLD_PAUSES \
	32u /* argument 1 is a condition variable; argument 2, its mutex, is had again afterwards */

#define MAX_PROBES 0xffffu
#define MAX_SITES COOKIE_OPERAND_MASK
#define SITE_SP_SHIFT_BYTES 128

static inline __attribute__((always_inline)) __u64 cookie_make(__u32 probe, __u32 operand,
							       __u32 flags)
{
	return probe | (__u64)operand << COOKIE_OPERAND_SHIFT | (__u64)flags << COOKIE_FLAG_SHIFT;
}

/* ---- functions of the kernel ---- */

/* In place of their ids, which are the running kernel's (lib/engine_load.c). */
#define KERNEL_TASK_FROM_PID 0x70000001
#define KERNEL_TASK_RELEASE 0x70000002
#define KERNEL_RDONLY_CAST 0x70000003

/* ---- where time goes ---- */

/* In the order of the snapshot's members. Time that no other class takes is on-CPU. */
enum time_class {
	CLASS_ONCPU,
	CLASS_RUNQUEUE,
	CLASS_THROTTLED,
	CLASS_LOCK,
	CLASS_DISK,
	CLASS_NETWORK,
	CLASS_IPC,
	CLASS_IO,
	CLASS_SLEEP,
	CLASS_POLL,
	CLASS_PAGEFAULT,
	CLASS_MEMORY,
	CLASS_STOPPED,
	CLASS_OTHER,
	CLASS_COUNT,
};

/* What a thread that blocks in a system call waits for; by number, filled by the library. */
enum syscall_kind {
	SYSCALL_OTHER,
	SYSCALL_FUTEX, /* a lock, whose address is argument 0 */
	SYSCALL_LOCK,
	SYSCALL_SYNC, /* waits for storage by its nature, for the file of argument 0: fsync */
	SYSCALL_DISK, /* the same, for no single file: sync */
	SYSCALL_PATH, /* works on the file system: open, rename */
	SYSCALL_FILE, /* argument 0 is a file, whose type tells */
	SYSCALL_IPC,  /* waits for another process */
	SYSCALL_IO,   /* io_uring */
	SYSCALL_SLEEP,
	SYSCALL_POLL,
	SYSCALL_MEMORY_MAP, /* takes mmap_lock */
	SYSCALL_FCNTL,	    /* a lock when it waits */
	SYSCALL_RESTART,    /* goes on with what the signal interrupted */
};
#define SYSCALL_KINDS 16 /* or fewer; a power of two */
#define MAX_SYSCALLS 1024

/* ---- per-thread state ---- */

#define MAX_DEPTH 32 /* open spans a thread; a power of two */

enum frame_kind {
	FRAME_HOLE,	/* ended or dropped below others that are still open */
	FRAME_SCOPED,	/* ends in the function that began it: the sp rule holds */
	FRAME_PAIR,	/* may end anywhere on the thread */
	FRAME_LOCK,	/* the same, and the lock's address must be the same */
	FRAME_FUNCTION, /* as FRAME_SCOPED, and it ends with the very sp it began with */
};

struct frame {
	__u64 begin_ns;
	__u64 sp;
	__u64 stack; /* struct thread.stack when it began */
	__s64 key; /* key, or the lock's address, or not 0 where a part of a function was entered */
	__u32 site;
	__u16 probe;
	__u8 kind;
	__u8 has_key;
};
_Static_assert(sizeof(struct frame) == 40, "no padding");

/* Off-CPU time by class, cumulative. In the place of CLASS_ONCPU: how often the thread came back. */
struct off_time {
	__u64 ns[CLASS_COUNT];
};
#define OFF_ARRIVALS CLASS_ONCPU

/* Waits of one cause, within the spans that were open at the first of them. */
struct wait {
	__u64 arrival; /* the one that ended it, for the first time */
	__u64 ns;
	__u64 address; /* of a lock, or the id of a thing in `things`; 0: none, or not known */
	__u32 pid; /* whose address it is; of ipc: who ended it; of a run queue: who had the CPU */
	__u32 count;
	__u16 syscall; /* NO_SYSCALL */
	__u8 time_class;
	__u8 padding[5];
};
_Static_assert(sizeof(struct wait) == 40, "no padding");
#define MAX_WAITS 16 /* a thread, while spans are open; a power of two */
#define NO_SYSCALL 0xffffu

/* ---- where futexes are ---- */

/* In the memory of a process, or in memory that processes share: then `space` has this bit, and
 * `address` counts from the begin of what is mapped, and is never 0. */
#define SHARED_MEMORY 0x80000000u
#define SHARED_ADDRESS (1ull << 63)
#define MAX_SHARED_WORDS 4096

struct futex_place {
	__u64 address;
	__u64 space; /* the process, or a number for the shared memory */
};

/* All the time that a thread was off its CPU for one reason. */
struct total {
	__u64 ns;
	__u64 address; /* of the last wait of the kind; 0: none */
	__u16 syscall;
	__u8 time_class;
	__u8 is_used;
	__u32 space; /* of the address, where it is a futex's: struct futex_place */
};
_Static_assert(sizeof(struct total) == 24, "no padding");
#define MAX_TOTALS 16		    /* a thread; a power of two */
#define TOTAL_REST (MAX_TOTALS - 1) /* of all that found no other place: CLASS_OTHER */

/* While links are renewed there are two at a site, and both see an event. What is attached last runs first: the
 * newer one takes it, notes that here, and the older one keeps off. */
struct taken {
	__u64 sp;
	__u32 renewal; /* its number; 0: nothing is taken */
	__u16 probe;
	__u8 what; /* TAKEN_ENTRY ..., or of locks HOLD_BEGINS ... */
	__u8 padding;
};
_Static_assert(sizeof(struct taken) == 16, "no padding");
enum taken_what { TAKEN_ENTRY = 1, TAKEN_END };

/* Only its own thread writes it, in programs that cannot interrupt each other; the clock is written
 * by the scheduler's programs alone, which can interrupt the others. What others write is marked. */
struct thread {
	__u64 stack_start; /* the stack that sp was last seen on, a cache */
	__u64 stack_end;
	__u64 stack;	    /* stack_end, plus 1 on the thread's native stack; 0: unknown */
	__u64 seen;	    /* bit (probe & 63): a span of it began here */
	__u64 outermost_sp; /* highest sp of a begin on the native stack */
	__u64 overflow_sp;  /* of the first scoped begin beyond MAX_DEPTH */
	__u32 depth;
	__u32 overflow;	     /* scoped begins beyond MAX_DEPTH that have not ended */
	__u32 pair_overflow; /* the same of pairs */
	__u16 holes;
	__u16 is_fresh; /* the program has been recorded from its first instruction */

	/* The clock. It runs in every thread of a process that had a span. */
	__u64 arrived_ns;  /* when it last came back after it was preempted, about */
	__u64 left_clock;  /* when it left its CPU, by the run queue's clock; 0: it is on one */
	__s64 clock_lag;   /* CLOCK_MONOTONIC less the run queue's clock, as last seen; 0: never */
	__u64 lag_seen;	   /* when that was, by the run queue's clock */
	__u64 run_delay;   /* sched_info.run_delay when it left, or as it was to be when it came */
	__u64 run_ns;	   /* se.sum_exec_runtime when it last came back; 0: not known */
	__u8 off_class;	   /* what it waits for once it has left */
	__u8 queue_class;  /* what it waits for while it is runnable: RUNQUEUE or THROTTLED */
	__u8 is_sampled;   /* its stack was copied when it left */
	__u8 is_unseen;	   /* enum unseen */
	__u16 off_syscall; /* in which it has left */
	__u16 wait_count;
	__u64 off_address;  /* struct wait.address */
	__u64 call_address; /* the same three of the system call it last blocked in, below */
	__u64 kernel_owner; /* of the kernel's lock that it last waited for: pid << 32 | tid; 0 */
	__u16 call_number;
	__u8 call_class;
	__u8 moved;	       /* frames that are in their place, while holes are taken out */
	__u32 futex_space;     /* off_address is in, where it is a futex's: struct futex_place */
	__u32 owner_tid;       /* of the lock it waits for, as the lock's word says; 0 */
	__u32 owner_pid;       /* whose thread that is */
	__u32 waker_pid;       /* who ended the wait, by another thread's hand; 0: not known */
	__u32 named_pid;       /* the last of them whose name was noted */
	__u64 fault_address;   /* of its last page fault in a span */
	__u64 sampled_ns;      /* waited since the last sample, */
	__u64 ask_from_ns;     /* and from where on it is asked whether that is long */
	__u64 copied_clock;    /* when it last left its CPU with its stack copied, */
	__u64 copied_arrivals; /* and off.ns[OFF_ARRIVALS] then */
	__u8 is_own_tid_noted; /* namespaces.h */
	__u8 is_unplaced;      /* where the futex is that it waits for is not known yet */
	__u8 padding[6];
	struct futex_place watched[2]; /* locks that it holds and others wait for; by others' hands */
	__u64 shared_at; /* address of the futex that it last waited for as one that may be shared, */
	__u64 shared_since;		 /* by the run queue's clock, */
	struct futex_place shared_place; /* and where that is */
	/* Of futexes, where every wait for one is counted (futexes.h). */
	__u64 futex_address; /* of the last wait that was counted, */
	__u32 futex_last_space;
	__u32 futex_padding;
	__u64 futex_place;   /* the thread's registers in it, as a hash, */
	__u64 futex_begin;   /* of the present one, by the run queue's clock, when it is counted */
	__u64 futex_owed_ns; /* it is over, and is still to be counted; 0 */
	__u64 futex_owed_queued_ns;
	__u64 futex_ns;	    /* its length, */
	__u64 futex_end;    /* its end by the run queue's clock, */
	__u64 futex_calls;  /* reads and writes before it */
	__u64 futex_run_ns; /* and se.sum_exec_runtime then */
	__u32 futex_holder_pid;
	__u32 futex_holder;	/* thread that held it longest in that wait, if it was long; 0 */
	__u32 futex_waker;	/* thread that ends the present one; by another thread's hand; 0 */
	__u32 futex_last_waker; /* the same of the one that was counted last */
	__u8 futex_command;	/* of the present wait, or the last: FUTEX_WAIT ... */
	__u8 futex_value;	/* the value that it waits with, or FUTEX_ANY_VALUE */
	__u8 futex_is_again; /* the present one goes on with the last: the lock had been taken again */
	__u8 futex_has_let; /* it has woken others from the last one's futex since it was back */
	__u64 missed_ns;    /* what samples of a profile weigh whose stacks were not copied, */
	__u64 missed_queued_ns;
	__u64 missed_address; /* of waits of this kind, and in the run queue */
	__u16 missed_syscall;
	__u8 missed_class;
	__u8 missed_padding[5];
	struct total totals[MAX_TOTALS];
	struct taken taken;
	struct off_time off;
	struct wait waits[MAX_WAITS];

	struct frame frames[MAX_DEPTH];
	struct off_time before[MAX_DEPTH]; /* `off` when the frame began */
};
#define STACK_NATIVE 1ull

/* A thread that is followed before anything was seen of it; `arrived_ns` says since when. */
enum unseen {
	UNSEEN_OLD = 1, /* whether it was on a CPU is not known */
	UNSEEN_NEW,	/* it has not run yet */
};

/* ---- aggregates ---- */

/* One shard of one row. Followed by BUCKET_SLOTS(scale) counts. All zero is empty. */
struct row {
	__u64 count;
	__u64 sum;	    /* two's complement for values */
	__u64 max;	    /* of values: biased by 2^63, so that unsigned order is theirs */
	__u64 inverted_min; /* ~min, so that 0 is "none" and it only grows */
	__u64 zero_count;
	__u64 negative_count;
	__u64 out_of_range;   /* of those in the last slot, the ones beyond it */
	__u64 unexplained_ns; /* of async spans that ended on another thread */
	__u64 slow_count;     /* spans over slow_over_ns */
	__u64 slow_ns[CLASS_COUNT];
	__u64 bands[BUCKET_OCTAVES][CLASS_COUNT]; /* ns; band i is 2^(i - 30) s to twice that */
	__u64 slots[];
};
#define VALUE_BIAS (1ull << 63)

/* Rows of a probe with keys: its own (spans without key), KEY_SLOTS of keys, one of all others. */
#define KEY_SLOTS 64
#define KEY_EMPTY ((__s64)(1ull << 63)) /* this key itself is counted among the others */
#define KEYED_ROWS (KEY_SLOTS + 2)

struct key_table {
	__s64 keys[KEY_SLOTS]; /* open addressing; a slot once taken never changes */
};

struct probe_counters {
	__u64 unmatched_end;
	__u64 abandoned;
	__u64 depth_overflow;
	__u64 state_unavailable;
	__u64 map_full;
	__u64 unreadable_argument;
	__u64 in_flight_at_start;
	__u64 sched_repaired;
	__u64 samples_dropped;
	__u64 samples_skipped;
	__u64 trial_calls; /* of a function, while it was attached and not recorded; or of locks, and none was taken */
	__u64 is_dropped;	/* a function that is measured no longer */
	__u64 waits_unnamed;	/* that are in no cause */
	__u64 children_unnamed; /* spans that are in no relation */
	__u64 padding[2];
};
_Static_assert(sizeof(struct probe_counters) == 128, "whole cache lines");

/* ---- async spans ---- */

struct async_key {
	__u64 id;
	__u32 pid; /* process: ids of two processes are not the same span */
	__u32 probe;
};

struct async_span {
	__u64 begin_ns;
	struct off_time before; /* of the thread that began it */
	__u32 pid;
	__u32 tid;
	__u32 is_timed; /* `before` is known */
	__u32 padding;
	char comm[16];
};

/* ---- spans in spans ---- */

/* Of all spans `child` that ended right inside a span `parent` of the same thread. */
struct relation_key {
	__u32 parent;
	__u32 child;
};

struct relation {
	__u64 count;
	__u64 ns;
};
#define MAX_RELATIONS 4096

/* ---- what spans waited for ---- */

/* Of the spans of a probe in a band; what is not in here for want of room, or had to make room for others, is in
 * struct row all the same. */
struct cause_key {
	__u64 address; /* as in struct wait */
	__u32 pid;
	__u16 probe;
	__u16 syscall;
	__u8 band;
	__u8 time_class;
	__u8 is_slow; /* of spans over slow_over_ns */
	__u8 padding[5];
};
_Static_assert(sizeof(struct cause_key) == 24, "no padding");

struct cause {
	__u64 ns;
	__u64 waits;
	__u64 spans;
};
#define MAX_CAUSES 16384

/* ---- evidence: what leaves the kernel one by one, at a limited rate ---- */

enum record_kind {
	RECORD_STACK,
	RECORD_SPAN,
};

/* What a thread waited for; the same as in struct cause_key. */
struct wait_identity {
	__u64 address;
	__u32 pid;
	__u16 syscall;
	__u8 time_class;
	__u8 futex_value; /* where every wait for a futex is counted: as in struct futex_key; else 0 */
};
_Static_assert(sizeof(struct wait_identity) == 16, "no padding");

enum stack_role {
	STACK_WAITER,	/* `wait` is its own */
	STACK_HOLDER,	/* owns the lock that `wait` is for, as the lock's owner word says */
	STACK_WAKER,	/* ended `wait` */
	STACK_ONCPU,	/* ran inside a span */
	STACK_OPEN,	/* is inside a span when the measurement stops */
	STACK_PROFILED, /* of a profile: `wait` is what it did, or CLASS_ONCPU */
};

#define SAMPLE_KERNEL_FRAMES 24
#define SAMPLE_REGISTERS 17 /* x86-64: by DWARF number, 16 is the instruction pointer */
#define SAMPLE_BYTES_MAX 32768
/* Copies begin so far below the stack pointer: what a function has popped is still there, and its unwind
 * information refers to it up to its return. */
#define SAMPLE_POPPED_BYTES 128
#define SAMPLE_PAGE_BYTES 4096u /* stacks are copied up to the end of one after the other */
#define SAMPLE_RETURNS 32

/* A return address that a uretprobe has replaced on the stack. */
struct replaced_return {
	__u64 at; /* address of the stack slot */
	__u64 address;
};

/* A copy of a thread's user stack, from SAMPLE_POPPED_BYTES below its stack pointer up, and what it was
 * doing. */
struct stack_record {
	__u32 kind; /* RECORD_STACK */
	__u32 role;
	__u64 at_ns;   /* when it was taken, CLOCK_MONOTONIC */
	__u64 wait_ns; /* how long `wait` took: the weight; STACK_ONCPU: between two samples */
	struct wait_identity wait;
	__u32 probe; /* of the slow span around `wait` */
	__u32 pid;   /* whose stack it is */
	__u32 tid;
	__u32 holder_tid; /* STACK_WAITER: what the lock's owner word says, if it is a thread; 0 */
	__u64 span_begin_ns;
	char comm[16];
	__u64 registers[SAMPLE_REGISTERS];
	__u64 kernel[SAMPLE_KERNEL_FRAMES]; /* innermost first; return addresses but the first */
	struct replaced_return returns[SAMPLE_RETURNS]; /* innermost first */
	__u64 trampoline; /* what stands in their slots instead; 0: the thread never met a probe */
	__u16 return_count;
	__u8 code[2]; /* in memory, which has breakpoints, before the next instruction and there */
	__u32 holder_pid; /* whose thread holder_tid is */
	__u16 kernel_count;
	__u16 holes; /* a bit for each page of the copy that could not be read, from the lowest on */
	__u32 size_bytes; /* of the copy, which follows */
	__u8 bytes[];
};

/* A slow span that ended. */
struct span_record {
	__u32 kind; /* RECORD_SPAN */
	__u32 probe;
	__u32 pid;
	__u32 tid;
	__u64 begin_ns;
	__u64 end_ns;
	__u64 ns; /* less than between the two where stopped time is left out */
	__s64 key;
	__u32 has_key;
	__u32 padding;
	char comm[16];
	struct off_time off; /* [CLASS_ONCPU] is what is left */
};

/* ---- things that are waited for ---- */

enum thing_kind {
	THING_FILE = 1,
	THING_PEER, /* of a socket */
};

#define THING_NAMES 4
#define THING_NAME_BYTES 32

struct thing {
	__u64 inode;
	__u32 device;
	__u32 kind;
	__u32 family;
	__u16 port;	   /* host order */
	__u16 is_own_port; /* ours, as the peer's tells nothing: it came to us */
	__u8 ip[16];
	char names[THING_NAMES][THING_NAME_BYTES]; /* the file's, its folder's ...; cut */
};
#define MAX_THINGS 4096

struct process_name {
	char comm[16];
};
#define MAX_PROCESS_NAMES 1024

/* ---- which spans are slow ---- */

#define SLOWEST 10

/* Of a probe; `from_ns` is written by the library as it learns. */
struct slowness {
	__u64 from_ns;
	__u64 least_kept;    /* the least of `kept` */
	__u64 kept[SLOWEST]; /* the longest spans so far */
	__u64 padding[4];
};
_Static_assert(sizeof(struct slowness) == 128, "whole cache lines");

#include "shared_locks.h"

/* ---- followed processes ---- */

enum follow_state {
	FOLLOW_BORROWING, /* it has its parent's memory until it executes a file: vfork, posix_spawn */
	FOLLOW_NEW,	  /* the library has not attached to it yet */
	FOLLOW_KNOWN,
};
#define MAX_FOLLOWED 16384

/* ---- profiles ---- */

enum profile_scope {
	PROFILE_NONE,
	PROFILE_SPANS, /* threads while they are inside a span */
	PROFILE_WHOLE, /* all threads that are followed, always */
};

/* Whose time it is, and what they did; process 0: of all that found no room. */
struct profile_key {
	__u32 pid;
	__u16 syscall; /* NO_SYSCALL */
	__u8 time_class;
	__u8 padding;
};
_Static_assert(sizeof(struct profile_key) == 8, "no padding");
#define MAX_PROFILE_TIMES 16384

/* What a thread of the profile is at, as the task iterator writes it. */
struct profile_record {
	__u64 since_ns;	       /* CLOCK_MONOTONIC */
	__u64 queued_ns;       /* of that it was runnable without a CPU, */
	__u64 queued_since_ns; /* and is now, since then; 0: it is not */
	__u32 pid;
	__u32 tid;
	__u16 syscall;
	__u8 time_class; /* CLASS_ONCPU: it runs */
	__u8 queue_class;
	__u32 padding;
};
_Static_assert(sizeof(struct profile_record) == 40, "no padding");

/* ---- numbers of another PID namespace than the first ---- */

/* Of a thread, as probekit's own namespace has it. */
struct own_number {
	__u32 pid;
	__u32 tid;
};
#define MAX_OWN_NUMBERS 32768

/* ---- messages ---- */

/* One open frame, as the task iterator writes it, and what its thread waits for. */
struct open_record {
	__u64 begin_ns;
	__s64 key;
	__u32 probe;
	__u32 pid;
	__u32 tid;
	__u32 has_key;
	char comm[16];
	__u64 blocked_since_ns;	  /* 0: it runs, or has not left its CPU since we came */
	struct futex_place place; /* of the futex that it waits for */
	__u32 owner_pid;
	__u32 owner_tid;
	__u16 syscall;
	__u8 time_class;
	__u8 is_blocked;
	__u32 padding;
};
_Static_assert(sizeof(struct open_record) == 88, "no padding");

enum event_kind {
	EVENT_EXEC,    /* a followed process executed another file */
	EVENT_PROCESS, /* a process began its first span */
	EVENT_CHILD,   /* a followed process created another, which is followed too */
	EVENT_PROGRAM, /* a process of a profile has begun, or executed another file */
};

struct event {
	__u32 kind;
	__u32 pid;
};

#endif
