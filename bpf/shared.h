/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_SHARED_H
#define PROBEKIT_SHARED_H
/*
 * What the BPF programs and the library agree on: cookies, rows, and the records in maps. The only
 * header besides bucket.h that both sides compile. Fixed-width members, no implicit padding.
 */
#include <linux/types.h>

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

#define MAX_PROBES 0xffffu
#define MAX_SITES COOKIE_OPERAND_MASK
#define SITE_SP_SHIFT_BYTES 128

static inline __attribute__((always_inline)) __u64 cookie_make(__u32 probe, __u32 operand,
							       __u32 flags)
{
	return probe | (__u64)operand << COOKIE_OPERAND_SHIFT | (__u64)flags << COOKIE_FLAG_SHIFT;
}

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
	SYSCALL_SYNC, /* waits for storage by its nature: fsync */
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
#define MAX_SYSCALLS 1024

/* ---- per-thread state ---- */

#define MAX_DEPTH 32 /* open spans a thread; a power of two */

enum frame_kind {
	FRAME_HOLE,   /* ended or dropped below others that are still open */
	FRAME_SCOPED, /* ends in the function that began it: the sp rule holds */
	FRAME_PAIR,   /* may end anywhere on the thread */
	FRAME_LOCK,   /* the same, and the lock's address must be the same */
};

struct frame {
	__u64 begin_ns;
	__u64 sp;
	__u64 stack; /* struct thread.stack when it began */
	__s64 key;   /* key, or the lock's address */
	__u32 site;
	__u16 probe;
	__u8 kind;
	__u8 has_key;
};
_Static_assert(sizeof(struct frame) == 40, "no padding");

/* Off-CPU time by class, cumulative; [CLASS_ONCPU] is not used. */
struct off_time {
	__u64 ns[CLASS_COUNT];
};

/* Waits of one cause, within the spans that were open at the first of them. */
struct wait {
	__u64 first_ns; /* when it was over, for the first time */
	__u64 ns;
	__u64 address; /* of the lock; 0: none, or not known */
	__u32 count;
	__u16 syscall; /* NO_SYSCALL */
	__u8 time_class;
	__u8 padding;
};
_Static_assert(sizeof(struct wait) == 32, "no padding");
#define MAX_WAITS 16 /* a thread, while spans are open; a power of two */
#define NO_SYSCALL 0xffffu

/* Only its own thread writes it, in programs that cannot interrupt each other; the clock is written
 * by the scheduler's programs alone, which can interrupt the others. */
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

	/* The clock runs while a span is open. */
	__u64 arrived_ns; /* when it last came back to a CPU */
	__u64 left_clock; /* when it left its CPU, by the run queue's clock; 0: it is on one */
	__u64 run_delay;  /* sched_info.run_delay when it left */
	__u8 off_class;	  /* what it waits for once it has left */
	__u8 queue_class; /* what it waits for while it is runnable: RUNQUEUE or THROTTLED */
	__u8 has_async;	  /* it has begun an async span: its clock runs from then on */
	__u8 padding;
	__u16 off_syscall; /* in which it has left */
	__u16 wait_count;
	__u64 off_address;  /* struct wait.address */
	__u64 call_address; /* the same three of the system call it last blocked in */
	__u16 call_number;
	__u8 call_class;
	__u8 call_padding[5];
	struct off_time off;
	struct wait waits[MAX_WAITS];

	struct frame frames[MAX_DEPTH];
	struct off_time before[MAX_DEPTH]; /* `off` when the frame began */
};
#define STACK_NATIVE 1ull

/* ---- aggregates ---- */

/* One shard of one row. Followed by BUCKET_SLOTS(scale) counts. All zero is empty. */
struct row {
	__u64 sum;	    /* two's complement for values */
	__u64 max;	    /* of values: biased by 2^63, so that unsigned order is theirs */
	__u64 inverted_min; /* ~min, so that 0 is "none" and it only grows */
	__u64 zero_count;
	__u64 negative_count;
	__u64 out_of_range;   /* of those in the last slot, the ones beyond it */
	__u64 unexplained_ns; /* of async spans that ended on another thread */
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
};
_Static_assert(sizeof(struct probe_counters) == 64, "one cache line");

/* ---- arguments ---- */

enum argument_kind {
	ARGUMENT_NONE, /* cannot be read */
	ARGUMENT_CONSTANT,
	ARGUMENT_REGISTER,
	ARGUMENT_MEMORY,
};

/* Argument 1 of a site, as bpf_probe_read() can fetch it. Offsets are into struct pt_regs. */
struct argument {
	__s64 value; /* constant, or displacement */
	__s16 reg;   /* offset of the register or the base; -1: none */
	__s16 index; /* offset of the index register; -1: none */
	__u8 kind;
	__u8 scale_shift;
	__u8 shift; /* 64 - bits: shifted up and back down to cut and extend */
	__u8 is_signed;
};
_Static_assert(sizeof(struct argument) == 16, "no padding");

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

/* Of the spans of a probe in a band; what is not in here for want of room is in struct row all the
 * same. */
struct cause_key {
	__u64 address;
	__u32 pid; /* where the address is; 0 without one */
	__u16 probe;
	__u16 syscall;
	__u8 band;
	__u8 time_class;
	__u8 padding[6];
};
_Static_assert(sizeof(struct cause_key) == 24, "no padding");

struct cause {
	__u64 ns;
	__u64 waits;
	__u64 spans;
};
#define MAX_CAUSES 16384

/* ---- messages ---- */

/* One open frame, as the task iterator writes it. */
struct open_record {
	__u64 begin_ns;
	__s64 key;
	__u32 probe;
	__u32 pid;
	__u32 tid;
	__u32 has_key;
	char comm[16];
};
_Static_assert(sizeof(struct open_record) == 48, "no padding");

/* The command, or a process it became, executed another file. */
struct exec_event {
	__u32 pid;
};

#endif
