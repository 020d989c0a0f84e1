/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PROBEKIT_H
#define PROBEKIT_PROBEKIT_H
/*
 * libprobekit: measure the latency of spans in live processes.
 *
 * The library attaches BPF programs to the spans of <probekit/probe.h>, or to any USDT probes, and
 * aggregates their latency in the kernel. Use is always the same:
 *
 *	probekit_session_new()            one measurement
 *	probekit_session_add_path/pid/command()   whom to measure
 *	probekit_session_add_span/pair/function() what to measure (default: every probekit span)
 *	probekit_session_start()          attach; the target runs on
 *	probekit_session_poll()           wait, and follow processes that start and end
 *	probekit_session_snapshot()       a plain value: everything measured until now
 *	probekit_session_stop()           freeze the counts and detach
 *
 * Conventions. Functions return 0, or a negative errno and fill the caller's `struct
 *probekit_error` (which may be NULL); outputs are set on success only. The library never prints,
 *exits, or installs signal handlers. Times are nanoseconds (`_ns`). Objects are opaque and made by
 *`_new`-like calls;
 * `_free(NULL)` is safe. A session, catalog or snapshot may be used from one thread at a time;
 * different objects from different threads. Should the process die, the kernel detaches everything.
 *
 * Privilege: root, or CAP_BPF and CAP_PERFMON with Linux 6.6 or newer (uprobe_multi). A process of
 * another user also needs CAP_SYS_PTRACE.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PROBEKIT_API __attribute__((visibility("default")))
#define PROBEKIT_MUST_CHECK __attribute__((warn_unused_result))
#else
#define PROBEKIT_API
#define PROBEKIT_MUST_CHECK
#endif

/* ---- errors ---- */

/* The values are exit codes, as the probekit command uses them. */
enum probekit_error_kind {
	PROBEKIT_ERROR_FAILED = 1, /* no such file or process, not an ELF file, no probe, I/O */
	PROBEKIT_ERROR_USAGE = 2,  /* the caller's arguments contradict each other */
	PROBEKIT_ERROR_UNAVAILABLE = 3,	 /* a privilege or a kernel feature is missing */
	PROBEKIT_ERROR_CANNOT_RUN = 126, /* the command is there, but cannot be executed */
	PROBEKIT_ERROR_NOT_FOUND = 127,	 /* there is no such command */
};

/* What failed, on which object, why, and what to do. `text` is one line without a newline, in which
 * control characters of file and process names are escaped; `hint` may be empty. */
struct probekit_error {
	int code; /* negative errno */
	enum probekit_error_kind kind;
	char text[1024];
	char hint[512];
};

/* ---- snapshots ---- */

enum probekit_kind {
	PROBEKIT_KIND_SPAN,  /* scoped or explicit span of probe.h, or one side of a lock span */
	PROBEKIT_KIND_USDT,  /* a pair of USDT probes named by the caller */
	PROBEKIT_KIND_ASYNC, /* a span joined by id, perhaps across threads */
	PROBEKIT_KIND_FUNCTION,
	PROBEKIT_KIND_VALUE, /* a histogram of a quantity without unit */
};
/* As snapshots have it, "span"; NULL: there is no such kind. */
PROBEKIT_API const char *probekit_kind_name(enum probekit_kind kind);

/* What a call of a probed function costs, by the first instruction that can be probed. */
enum probekit_cost {
	PROBEKIT_COST_UNKNOWN,
	PROBEKIT_COST_OPTIMISED, /* the kernel jumps, without a trap */
	PROBEKIT_COST_EMULATED,	 /* one trap: the kernel does what the instruction would */
	PROBEKIT_COST_STEPPED,	 /* two traps: the instruction is single-stepped elsewhere */
};
/* "optimised", "emulated", "stepped"; NULL: there is no such cost, or it is not known. */
PROBEKIT_API const char *probekit_cost_name(enum probekit_cost cost);

/*
 * Base-2 exponential histogram, as in the OpenTelemetry data model: bucket `index[i]` at scale s
 * holds values in (b^index, b^(index+1)], b = 2^(2^-s). For durations the unit is the second; for
 * kind VALUE it is 1. Zero has a count of its own, and so have negative values (kind VALUE only).
 * `index` is strictly ascending and every `count` positive; both arrays have `size` elements.
 */
struct probekit_histogram {
	int32_t scale;
	uint64_t zero_count;
	uint64_t negative_count;
	size_t size;
	int32_t *index;
	uint64_t *count;
};

/*
 * What a thread was doing while a span was open. Every nanosecond is in one class; where several
 * fit, the order is stopped, throttled, runqueue, pagefault, memory, lock, disk, io, ipc, network,
 * poll, sleep, other.
 */
enum probekit_class {
	PROBEKIT_CLASS_ONCPU,	  /* running, in user space or in the kernel */
	PROBEKIT_CLASS_RUNQUEUE,  /* runnable, without a CPU */
	PROBEKIT_CLASS_THROTTLED, /* the same, for want of cgroup CPU quota */
	PROBEKIT_CLASS_LOCK,	  /* futex, file lock, or behind another task inside the kernel */
	PROBEKIT_CLASS_DISK,	  /* storage */
	PROBEKIT_CLASS_NETWORK,	  /* a socket, other than of the Unix domain */
	PROBEKIT_CLASS_IPC,	  /* another process: pipe, Unix socket, eventfd, wait4 */
	PROBEKIT_CLASS_IO,	  /* io_uring */
	PROBEKIT_CLASS_SLEEP,
	PROBEKIT_CLASS_POLL,	  /* poll, select, epoll */
	PROBEKIT_CLASS_PAGEFAULT, /* with the disk that a major fault reads */
	PROBEKIT_CLASS_MEMORY,	  /* reclaim, memory.high */
	PROBEKIT_CLASS_STOPPED,	  /* by a signal or a debugger */
	PROBEKIT_CLASS_OTHER,
	PROBEKIT_CLASS_COUNT,
};

/* The class's name in snapshots, "oncpu". NULL: there is no such class. */
PROBEKIT_API const char *probekit_class_name(enum probekit_class time_class);

/* Time of the spans in (2^exponent, 2^(exponent + 1)] seconds, as of probekit_probe_bands(). */
struct probekit_band {
	int32_t exponent;
	uint64_t time_ns[PROBEKIT_CLASS_COUNT];
};

/* Waits of one cause in the spans of one band. */
struct probekit_wait {
	int32_t exponent; /* of the band */
	bool is_slow;	  /* the spans took longer than the caller's threshold */
	enum probekit_class time_class;
	const char *syscall; /* in which it waited; NULL: in none */
	pid_t pid;	     /* of the process that the lock's address is in; 0: no lock */
	uint64_t address;    /* of the lock (a futex); 0: none */
	const char *symbol;  /* the lock's variable, "log_mutex" or "pool+16"; NULL: not known */
	const char *place;   /* file and address in it, "logger+0x4050"; NULL: not known */
	const char *object;  /* and direction: as in struct probekit_cause */
	const char *direction;
	pid_t other_pid; /* of the process that ended the waits, or, where the thread was without
			      * a CPU, that had it; 0: not known */
	char other_comm[16];
	uint64_t time_ns;
	uint64_t count;
	uint64_t spans; /* that had such waits */
};

/* Spans of one probe that ended right inside spans of another, on one thread. */
struct probekit_relation {
	const char *name; /* of the other probe */
	uint64_t count;	  /* of the inner spans */
	uint64_t time_ns;
};

/* One function of a stack. Texts come from the target and are untrusted. */
struct probekit_frame {
	const char *function; /* demangled; NULL: not known */
	const char *module;   /* path of the file, or "[vdso]", "[jit]", "[kernel]" ... */
	uint64_t module_offset;
	const char *file; /* of the source; NULL: not known */
	uint32_t line;	  /* 0: not known */
	bool is_inlined;
};

/* Where the callers of a stack end. */
enum probekit_stack_end {
	PROBEKIT_STACK_NONE,	   /* no frame: the process had gone, or stood at what is no code */
	PROBEKIT_STACK_COMPLETE,   /* at the thread's first function */
	PROBEKIT_STACK_COPY_SHORT, /* above the part of the stack that was copied */
	PROBEKIT_STACK_UNREADABLE, /* in memory that could not be copied: swapped out, say */
	PROBEKIT_STACK_NO_CFI, /* at code of a file without unwind information or frame pointer */
	PROBEKIT_STACK_GENERATED, /* at such code of no file, as run-time compilers make */
	PROBEKIT_STACK_SWITCHED, /* on another stack: of what a signal's handler interrupted, say */
	PROBEKIT_STACK_LOST,	 /* at what is no code, or needs what is not known */
	PROBEKIT_STACK_TOO_DEEP, /* at more frames than are kept */
	PROBEKIT_STACK_TOO_SLOW, /* at unwind information that takes too long */
	PROBEKIT_STACK_FAILED,	 /* for want of memory */
	PROBEKIT_STACK_END_COUNT
};

/* As the formats have it: "complete", "copy_short" ...; NULL: unknown. */
PROBEKIT_API const char *probekit_stack_end_name(enum probekit_stack_end end);

/* Innermost first; none: not seen. */
struct probekit_stack {
	struct probekit_frame *frames;
	size_t size;
	bool is_complete;	     /* down to the thread's first function */
	enum probekit_stack_end end; /* NONE with frames: it was not told */
	double share; /* of the samples that had a stack, those that had this one: the most, [0, 1] */
};

struct probekit_thread {
	pid_t pid; /* 0: not known */
	pid_t tid;
	char comm[16];
};

/* What a thread did: blocked in a system call of this name, or "oncpu", "runqueue", "pagefault"... */
struct probekit_activity {
	const char *name;
	double share; /* of the time that others waited for it, [0, 1] */
};

/* Who held a lock while others waited for it, and what the lock's holders did meanwhile. */
struct probekit_holder {
	struct probekit_thread thread;	      /* seen most often; tid 0: not known */
	uint32_t threads;		      /* how many different ones were seen */
	struct probekit_activity *activities; /* most time first; what is missing to 1 is not known */
	size_t activity_count;
	struct probekit_stack stack; /* where it stood */
	const char *file;	     /* of its longest wait for a disk; NULL: none, or not known */
	struct probekit_thread thief; /* "runqueue": the process that had its CPU; pid 0: not known */
	/* Where it waited for a lock itself: that one, as struct probekit_cause has it, and its holder. */
	uint64_t next_address; /* 0: it did not */
	const char *next_symbol;
	const char *next_place;
	struct probekit_holder *next; /* NULL: not known */
};

/* One cause of the slow spans' time: its waits in the spans of the tail. */
struct probekit_cause {
	enum probekit_class time_class;
	const char *syscall;
	pid_t pid; /* as in struct probekit_wait; a named lock may be in several processes */
	uint64_t address;
	const char *symbol;
	const char *place;
	const char
		*lock_kind; /* "mutex", "rwlock", "condvar", "semaphore", "join"; NULL: not known */
	const char *object; /* what it waited for: a file's path, a peer's address, a mapping, or a
				* cgroup with its quota; NULL: none, or not known */
	const char *direction; /* of `object`: "read", "write", "accept", "connect" ...; or NULL */
	uint64_t time_ns;
	double share; /* of the tail's time, [0, 1] */
	uint64_t count; /* waits; 0: of no known cause, and what the class has beyond those that are */
	uint64_t spans;
	struct probekit_stack stack;	    /* where it waited; oncpu: where it ran */
	struct probekit_stack kernel_stack; /* the same in the kernel */
	struct probekit_holder *holder;	    /* NULL: none, or not known */
	struct probekit_thread waker;	    /* who ended most of the waits; tid 0: not known */
	struct probekit_stack waker_stack;
	struct probekit_thread thief; /* runqueue: who had the CPU; tid 0: a process as a whole */
};

/* What a probe could not measure. All zero: count, sum, min and max are exact. */
struct probekit_lost {
	uint64_t unmatched_end;	    /* ends whose begin was not seen */
	uint64_t abandoned;	    /* begins that can no longer end: longjmp, exec, thread exit */
	uint64_t depth_overflow;    /* begins nested deeper than is recorded */
	uint64_t state_unavailable; /* the kernel refused per-thread memory */
	uint64_t map_full; /* async spans, or holds and holders of locks, beyond the table */
	uint64_t unreadable_argument; /* key, id or value could not be read */
	uint64_t out_of_range;	      /* values counted in the histogram's last bucket */
	uint64_t samples_dropped; /* stacks and slow spans that found no room on their way here */
	uint64_t sched_repaired;  /* times off-CPU whose begin or end was not seen in time */
	uint64_t samples_skipped; /* long waits of which no stack was taken, to bound the cost */
};

/* A thread that others wait for. */
struct probekit_blocker {
	struct probekit_thread thread;
	uint64_t lock_address; /* that it waits for itself; 0: none */
	const char *lock_symbol;
	const char *lock_place;
	struct probekit_stack stack; /* where it waits; empty: not known */
};

/* A span that had begun and not ended when the measurement stopped. */
struct probekit_open_span {
	pid_t pid;
	pid_t tid;
	char comm[16];
	uint64_t age_ns;
	const char *blocked_in; /* as the name of an activity; NULL: not known */
	uint64_t blocked_ns;	/* since when; 0: not known */
	uint64_t lock_address;	/* that it waits for; 0: none */
	const char *lock_symbol;
	const char *lock_place;
	pid_t holder_tid; /* of that lock; 0: not known */
	bool is_deadlock; /* its holder waits, perhaps through others, for a lock of this thread */
	/* The holder, the holder of what that one waits for, and so on; not the span's own thread. */
	struct probekit_blocker *blockers;
	size_t blocker_count;
	struct probekit_stack stack;
};

/* One of the slowest spans. */
struct probekit_slow_span {
	int64_t ended_unix_ns; /* wall-clock time of its end */
	struct probekit_thread thread;
	bool has_key;
	int64_t key;
	uint64_t duration_ns;
	uint64_t time_ns[PROBEKIT_CLASS_COUNT];
};

/* The slow spans. Those over the caller's threshold (struct probekit_session_options), exactly; else,
 * where there are several modes, those behind the widest step (at least fourfold) from one mode to
 * the next, else the slowest hundredth, both rounded down to the edge of a band. */
struct probekit_tail {
	int32_t exponent; /* of the first band; INT32_MIN: from a threshold */
	uint64_t from_ns;
	uint64_t count;
	double share_of_spans; /* [0, 1] */
	double share_of_time;
	uint64_t time_ns[PROBEKIT_CLASS_COUNT];
};

/* One row: a probe, or one key of it. Strings and arrays belong to the snapshot. */
struct probekit_probe {
	const char *name; /* "provider:name" */
	enum probekit_kind kind;
	const char *object;   /* path of the binary or library; several are joined by ", " */
	const char *build_id; /* hexadecimal, or NULL */
	uint32_t sites;
	bool has_key;	      /* this row is one key (or the overflow) of the row before */
	bool is_key_overflow; /* every key beyond the table */
	int64_t key;
	uint64_t count;
	int64_t sum; /* ns; for kind VALUE without unit, as are min and max */
	int64_t min; /* 0 when count is 0 */
	int64_t max;
	struct probekit_histogram histogram;
	bool has_time; /* time_ns, unexplained_ns and bands are known; never of kind VALUE */
	uint64_t time_ns[PROBEKIT_CLASS_COUNT]; /* with unexplained_ns it adds up to sum */
	uint64_t unexplained_ns;		/* of async spans that ended on another thread */
	struct probekit_band *bands;		/* that hold time; ascending */
	size_t band_count;
	/* By cause, of which the kernel keeps a bounded number: what is in time_ns and not in here is
	 * of no known cause. None in key rows. */
	struct probekit_wait *waits;
	size_t wait_count;
	struct probekit_tail tail; /* count 0: there is none */
	/* What made the spans of the tail slow, most time first; together they are its time. */
	struct probekit_cause *causes;
	size_t cause_count;
	struct probekit_slow_span *slowest; /* slowest first; none in key rows */
	size_t slowest_count;
	struct probekit_relation *children; /* spans inside this one's; none in key rows */
	size_t child_count;
	struct probekit_relation *parents; /* spans that this one's were in; none in key rows */
	size_t parent_count;
	uint64_t in_flight_at_start; /* ends of spans that began before the measurement */
	uint64_t probe_cost_ns;	     /* measured cost of one begin and end here; 0: unknown */
	enum probekit_cost cost;     /* of kind FUNCTION: the dearest of its entries */
	/* Of kind FUNCTION: how long after the start it was no longer probed, as that would have cost more
	 * than allowed; 0: it was probed to the end. */
	uint64_t dropped_after_ns;
	struct probekit_lost lost; /* of the probe; zero in key rows */
	struct probekit_open_span *open;
	size_t open_count;
};

/* ---- locks ---- */

/* Which of a lock's users wait: those of a reader-writer lock are told apart. */
enum probekit_lock_access {
	PROBEKIT_LOCK_ANY,
	PROBEKIT_LOCK_READ,
	PROBEKIT_LOCK_WRITE,
};

/* A thread that held a lock while others waited for it. */
struct probekit_lock_holder {
	double share;	     /* of the time of all waits for the lock, [0, 1] */
	bool is_certain;     /* the lock is of a kind whose memory names its owner */
	uint64_t long_waits; /* of a millisecond and more, in which it held the lock longest of all */
	struct probekit_holder *holder; /* never NULL; `threads` is 1 */
};

/* Threads that ended waits, by stack. */
struct probekit_lock_waker {
	double share; /* of the time of those waits whose end was sampled, [0, 1] */
	struct probekit_thread thread;
	struct probekit_stack stack;
	/* What it did from the time that the thread blocked, or it last woke another, until it woke the thread;
	 * most time first. */
	struct probekit_activity *did;
	size_t did_count;
};

/* Time that was waited for a lock inside the spans of one probe. */
struct probekit_lock_span {
	const char *name;
	double share; /* of the lock's; spans in one another have the same time, [0, 1] */
};

/*
 * A futex that threads waited for: a lock, a condition variable, a semaphore or a thread's end. A reader-writer
 * lock has up to two rows of one address. A wait lasts from the moment that a thread leaves its CPU until it
 * is back on one; who is woken and finds the lock taken again goes on waiting.
 */
struct probekit_lock {
	pid_t pid;
	uint64_t address;   /* of the object, in that process */
	const char *symbol; /* its variable, "log_mutex" or "pool+16"; NULL: not known */
	const char *place;  /* file and address in it, "logger+0x4050"; NULL: not known */
	const char *name;   /* as PROBEKIT_MUTEX_LOCK() has it, "provider:name"; NULL: not known */
	const char *kind; /* "mutex", "rwlock", "condvar", "semaphore", "join" ...; NULL: not known */
	enum probekit_lock_access access;
	bool is_shared; /* between processes, as the waits for it say */
	/* Locks that this row is of: nameless ones that are waited for from the same calls are one row, whose
	 * `pid` and `address` are of the one that was waited for most. 1: only itself. */
	uint32_t objects;
	/* The waits that have ended, as a row of kind USDT: count, sum, min, max and histogram. */
	struct probekit_probe waits;
	/* The same of holds by its owners, waited for or not; of a reader-writer lock by writers, and by readers.
	 * Only where measure_holds was asked for. */
	struct probekit_probe holds;
	struct probekit_probe read_holds;
	uint64_t runqueue_ns; /* of `waits.sum`: woken, and without a CPU */
	uint32_t threads;     /* that waited, about */
	uint64_t handoffs;    /* releases that woke a thread which waited, those for nothing too */
	uint64_t barged;      /* times that a thread was woken and found it taken again */
	uint32_t waiting;     /* threads that wait now */
	uint64_t waiting_ns;  /* for so long together, since the start at most; not in `waits` */
	struct probekit_lock_span *spans; /* most time first */
	size_t span_count;
	/* Where they waited, with the shares of the time that was sampled; most first. */
	struct probekit_stack *waiters;
	size_t waiter_count;
	struct probekit_lock_holder *holders; /* most time first; at most 16 */
	size_t holder_count;
	uint32_t holder_threads; /* that held it, also those that are not listed; 0: not known, or none */
	double unowned_share; /* of the time, that for which no holder is certain */
	struct probekit_lock_waker *wakers;
	size_t waker_count;
};

/* Threads each of which waits for a lock that the next one holds, the last one's is held by the first. */
struct probekit_deadlock {
	struct probekit_blocker *threads;
	size_t size;
};

/* The machine that was measured on, and how it was then. NULL, 0 and NAN unless said otherwise: not known. */
struct probekit_environment {
	const char *kernel; /* release, as uname -r */
	uint32_t cpus;	    /* online */
	const char *cpu_model;
	const char *governor; /* of the first CPU's frequency, "performance" */
	int is_virtual;	      /* 1, 0; -1: not known */
	double cpu_quota; /* CPUs that the cgroup of the first process may use; INFINITY: no limit */
	double load;	  /* mean number of runnable threads over the minute before the start */
	double steal;	  /* share of all CPUs' time that the hypervisor gave to others, [0, 1] */
	int aslr; /* how address spaces are randomised: 0: not, 1, 2: wholly; -1: not known */
	const char *revision; /* of git, hexadecimal: what our working directory had checked out */
};

struct probekit_snapshot_info {
	int64_t started_unix_ns; /* wall-clock time of attachment */
	uint64_t duration_ns;
	const char *target; /* as the user would name it: path, "pid 42", or the command */
	const pid_t *pids;  /* processes given by PID or started; pid_count elements */
	size_t pid_count;
	int32_t child_status; /* exit status, 128 + signal; -1: no command, or still running */
	uint64_t child_cpu_ns; /* that the command and children that it waited for ran; 0: not known */
	uint64_t span_cost_ns;	   /* one traced span of probe.h, begin and end; 0: not measured */
	uint64_t usdt_cost_ns;	   /* the same at a plain nop, as foreign USDT probes have; 0: no */
	uint64_t function_cost_ns; /* one probed call whose entry is EMULATED; 0: not measured */
	uint64_t floor_ns;	   /* what an empty span of probe.h reads; 0: not measured */
	const char *tool_version;
	struct probekit_environment environment;
	const char *attach; /* "uprobe_multi" or "perf_event" */
	const char *site;   /* attach point in our sites: "nop", "nop5", "nop10" */
	bool has_stacks;
	uint64_t stacks[PROBEKIT_STACK_END_COUNT]; /* sampled in user space, by where they end */
	struct probekit_lost
		lost; /* of no probe: stacks, switches, and what the tables for locks had no room for */
	bool has_locks;	       /* waits for locks were counted: none is none, and not unknown */
	bool excludes_stopped; /* time in which a thread was stopped is in no span, as asked for */
};

struct probekit_snapshot;

PROBEKIT_API void probekit_snapshot_free(struct probekit_snapshot *snapshot);
PROBEKIT_API const struct probekit_snapshot_info *probekit_snapshot_info(
	const struct probekit_snapshot *snapshot);
/* Rows in the order of first planning; a probe's key rows follow its own row. */
PROBEKIT_API size_t probekit_snapshot_size(const struct probekit_snapshot *snapshot);
PROBEKIT_API const struct probekit_probe *probekit_snapshot_probe(
	const struct probekit_snapshot *snapshot, size_t i);

/* Locks, most waited time first; none unless the session was asked to measure them. */
PROBEKIT_API size_t probekit_snapshot_lock_count(const struct probekit_snapshot *snapshot);
/* NULL beyond the count. */
PROBEKIT_API const struct probekit_lock *probekit_snapshot_lock(
	const struct probekit_snapshot *snapshot, size_t i);
/* Does a thread wait there to be told of something, as idle ones do, and not for others to be done with a lock?
 * False where the kind is not known. */
PROBEKIT_API bool probekit_lock_is_event(const struct probekit_lock *lock);
/* Deadlocks that were there when the snapshot was taken. */
PROBEKIT_API size_t probekit_snapshot_deadlock_count(const struct probekit_snapshot *snapshot);
/* NULL beyond the count. */
PROBEKIT_API const struct probekit_deadlock *probekit_snapshot_deadlock(
	const struct probekit_snapshot *snapshot, size_t i);

/*
 * One snapshot of several runs, in order: its rows are the sums of theirs, without waits, tail and what that needs,
 * slowest and open spans, and locks; its duration is theirs together. Takes the runs over on success. -EINVAL:
 * there is none, or one that has runs itself.
 */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_snapshot_join(struct probekit_snapshot *const *runs,
							    size_t count,
							    struct probekit_snapshot **joined,
							    struct probekit_error *err);
/* The runs it is of; 0: it is of one measurement. */
PROBEKIT_API size_t probekit_snapshot_run_count(const struct probekit_snapshot *snapshot);
/* Belongs to the snapshot; NULL beyond the count. */
PROBEKIT_API const struct probekit_snapshot *probekit_snapshot_run(
	const struct probekit_snapshot *snapshot, size_t i);

/* JSON text (docs/snapshot-format.md), without a newline inside when `compact`. The caller frees
 * `*text` with free(). Errors: -ENOMEM. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_snapshot_to_json(
	const struct probekit_snapshot *snapshot, bool compact, char **text,
	struct probekit_error *err);
/* Writes the JSON to `path` so that no other process sees a part of it: a temporary file in the
 * same folder is renamed over it. Nothing is left behind on error. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_snapshot_write(
	const struct probekit_snapshot *snapshot, const char *path, struct probekit_error *err);
/* The same of any bytes: a report that a program makes of a snapshot. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_file_write(const char *path, const void *data,
							 size_t size_bytes,
							 struct probekit_error *err);
/* Reads what probekit_snapshot_write() wrote; "-" is standard input. A truncated, foreign or newer
 * file gets an error that says which. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_snapshot_read(const char *path,
							    struct probekit_snapshot **snapshot,
							    struct probekit_error *err);

/* The ceil(q * count)-th smallest value's bucket, at its geometric middle, clamped to [min, max];
 * ns, or the value for kind VALUE. `q` in [0, 1]. 0 when the row is empty. */
PROBEKIT_API double probekit_probe_quantile(const struct probekit_probe *probe, double q);

/* A peak of the distribution: where it is highest, and the share [0, 1] of all spans around it, up
 * to the valleys that part it from its neighbours. */
struct probekit_mode {
	double at; /* ns, or the value for kind VALUE */
	double from;
	double to;
	double share;
};

/* Fills up to `capacity` modes in ascending order and returns how many there are. A distribution
 * without a clear valley has one; an empty one, none. */
PROBEKIT_API size_t probekit_probe_modes(const struct probekit_probe *probe,
					 struct probekit_mode *modes, size_t capacity);

/* Counts per power-of-two band of the histogram, exactly: band k is (2^k, 2^(k+1)] seconds (for
 * kind VALUE: units). `counts[i]` belongs to band `*first + i`; returns how many bands there are
 * from the first to the last that is not empty, of which at most `capacity` are filled. */
PROBEKIT_API size_t probekit_probe_bands(const struct probekit_probe *probe, int32_t *first,
					 uint64_t *counts, size_t capacity);

/* ---- sessions ---- */

struct probekit_session;

enum probekit_log_level {
	PROBEKIT_LOG_WARNING, /* something is not measured as asked */
	PROBEKIT_LOG_INFO,    /* what is attached, and how */
};

/* Whose stacks are kept for probekit_session_profile(). */
enum probekit_profiling {
	PROBEKIT_PROFILING_NONE,
	PROBEKIT_PROFILING_SPANS, /* of threads while they are inside a measured span */
	PROBEKIT_PROFILING_WHOLE, /* of all threads of the processes; needs no span */
};

/* Zero means the default everywhere; set `size` to sizeof(struct probekit_session_options). */
struct probekit_session_options {
	size_t size;
	uint32_t max_keys; /* keys kept apart per probe: 1 to 64 (64) */
	bool key_only;	   /* measure only spans whose key is `key` */
	int64_t key;
	uint64_t slow_over_ns; /* the tail is the spans that take longer than this; 0: found by shape */
	/* The share of one CPU that probing functions may take, 0.05 for 5 %; beyond, the hottest are dropped,
	 * which is logged. 0: 0.05; negative: no limit. */
	double max_overhead;
	enum probekit_profiling profiling;
	bool profiling_oncpu; /* also sample where threads run */
	bool only_programs; /* attach those of probekit_session_add_program() alone: nothing is measured */
	/* Processes that a measured one creates are measured too, and theirs; also what they execute. */
	bool follow_children;
	bool command_stdout_to_stderr; /* of a command that the session starts */
	/* One line, escaped as errors are; called from within the session's functions. */
	void (*log)(void *arg, enum probekit_log_level level, const char *line);
	void *log_arg;
	/* Count every wait of the processes' threads for a futex, inside spans or not. Spans are counted besides
	 * where there are any, without causes. */
	bool measure_locks;
	/* With measure_locks: also how long locks are held, by probes in the C library's functions that take and
	 * release mutexes and reader-writer locks. Each costs a microsecond or so, which max_overhead bounds. A
	 * hold lasts from the function that takes it, or the end of the last wait for it, to the one that
	 * releases it; one that began before the session is not counted. */
	bool measure_holds;
	/* What a command that the session starts prints goes to this file, standard error too, and it has nothing to
	 * read. It leads a process group of its own, which is killed when the session stops, and it is killed itself
	 * when the thread ends that has called probekit_session_start(). 0: it shares the caller's streams. */
	int command_output_fd;
	/* Time in which a thread is stopped, as by SIGSTOP, is in no span: each takes as much less, and its class
	 * STOPPED is 0. Only async spans that end on another thread than they began on keep it. */
	bool exclude_stopped;
	/* The command is the caller's to run: probekit_session_start() leaves it held, for
	 * probekit_session_release(). It leads a process group as with command_output_fd. */
	bool hold_command;
};

/* The row, of kind FUNCTION, that sums up holds of all locks, those too that nobody waited for; with what was lost
 * of them, and when measuring them ended because it cost too much. */
#define PROBEKIT_HOLDS_NAME "holds of locks"

PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_new(
	const struct probekit_session_options *options, struct probekit_session **session,
	struct probekit_error *err);
/* Detaches and ends the command if need be. */
PROBEKIT_API void probekit_session_free(struct probekit_session *session);

/* Every process that maps this file, now or later; with PIDs added too, only those. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_path(struct probekit_session *session,
							       const char *path,
							       struct probekit_error *err);
/* A running process: its executable and every library that it maps at start. Others pay nothing. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_pid(struct probekit_session *session,
							      pid_t pid,
							      struct probekit_error *err);
/* The processes of a cgroup (version 1 or 2) and of those below it, now and later; with a path added too,
 * those of them that map it. `path` is absolute, or below a mounted hierarchy. No PIDs or command then. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_cgroup(struct probekit_session *session,
								 const char *path,
								 struct probekit_error *err);
/* Starts `argv` (NULL-terminated, copied; searched in PATH) held before its first instruction, to
 * be released by probekit_session_start(). At most one per session. Errors, here or from the start,
 * when it cannot be found or run: kinds NOT_FOUND and CANNOT_RUN with the errno of execve(2). It
 * ends with the session: probekit_session_stop() sends SIGTERM, and SIGKILL 5 s later. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_command(struct probekit_session *session,
								  char *const argv[],
								  struct probekit_error *err);
/* Spans whose "provider:name" matches the glob(7) pattern; repeat for more. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_span(struct probekit_session *session,
							       const char *glob,
							       struct probekit_error *err);
/* "PROVIDER:BEGIN,END": time from one USDT probe to another on the same thread. END may name
 * several as "A|B": whichever comes first. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_pair(struct probekit_session *session,
							       const char *pair,
							       struct probekit_error *err);

/* Functions whose name matches the glob(7) pattern: the symbol's, or a demangled one with or without the
 * parameters. "LIB:GLOB" is of a library that the processes map, named with or without "lib", ".so" and
 * version; else the functions are those of the given file, the process's executable, or the command.
 * A call lasts from its entry to its return. Repeat for more. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_function(struct probekit_session *session,
								   const char *pattern,
								   struct probekit_error *err);

/* ---- programs of the caller's own, which use <probekit/bpf.h> ---- */

/* What happens at a site; a mask where several are asked for. */
enum probekit_role {
	PROBEKIT_AT_BEGIN = 1, /* a span of any kind begins */
	PROBEKIT_AT_END = 2,
	PROBEKIT_AT_VALUE = 4, /* a quantity is sampled */
	PROBEKIT_AT_EVENT = 8, /* a USDT probe by itself, as `events` has it */
};

/* A loaded BPF program; set `size` to sizeof(struct probekit_program). */
struct probekit_program {
	size_t size;
	int fd;	      /* duplicated, as is the next: the caller may close both */
	int sites_fd; /* of its map `probekit_sites`; -1: it reads no arguments */
	unsigned int roles;
	const char *probes; /* of those that are measured, by a glob(7) pattern; NULL: all */
	/* USDT probes "provider:name" by a glob(7) pattern: PROBEKIT_EVENT(), or anybody's. They are not
	 * measured. NULL: none. */
	const char *events;
};

/* The expected_attach_type to load such programs with, once the targets were added:
 * BPF_TRACE_UPROBE_MULTI where the session will use these links, else 0. Or a negative errno. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_attach_type(
	const struct probekit_session *session, struct probekit_error *err);

/* Attaches the program at the start to every site that has one of the roles, and to those of objects that
 * a command maps later. It runs until the session stops or this process ends, from before the begins of spans
 * are measured and after the ends are. -EINVAL at the start: it was loaded for another kind of attachment, or
 * the map has too little room. Repeat for more. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_program(
	struct probekit_session *session, const struct probekit_program *program,
	struct probekit_error *err);

/* What the numbers that programs see stand for. */
struct probekit_site {
	uint32_t probe;	  /* number of the probe, the same for all its sites */
	const char *name; /* the probe's */
	enum probekit_kind kind;
	enum probekit_role role;
	const char *object;    /* path of the file */
	uint64_t offset;       /* in it, of the instruction that the programs are attached to */
	const char *arguments; /* as the note has them; "" when none */
};

/* Those that programs may be attached to: none without programs. More can come in each poll. */
PROBEKIT_API size_t probekit_session_site_count(const struct probekit_session *session);
/* By probekit_site()'s number; NULL beyond the count. Valid until the next poll, the strings as long as
 * the session. */
PROBEKIT_API const struct probekit_site *probekit_session_site(
	const struct probekit_session *session, size_t i);

/* Plans, loads, measures the probe's own cost, attaches, and releases the command. On error nothing
 * stays attached. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_start(struct probekit_session *session,
							    struct probekit_error *err);

/* Of the command, once the session has started; 0: there is none. With hold_command also its process
 * group's, and nobody else's as long as the session lives. */
PROBEKIT_API pid_t probekit_session_command_pid(const struct probekit_session *session);
/* Lets the command execute that hold_command has left held. Errors are those of its start. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_release(struct probekit_session *session,
							      struct probekit_error *err);

enum probekit_event {
	PROBEKIT_EVENT_TARGETS_ENDED = 1, /* the command, or every given PID, has ended */
	PROBEKIT_EVENT_DEADLOCK =
		2, /* threads wait for each other: a snapshot has them; once for each */
};

/* Waits up to `timeout_ms`, sooner when a target ends or a signal arrives; attaches to what the
 * command, children and the cgroup's processes have executed or opened since. Returns a mask of probekit_event, or a negative errno. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_poll(struct probekit_session *session,
							   int timeout_ms,
							   struct probekit_error *err);
/* Everything since the start. After probekit_session_stop() it includes the open spans. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_snapshot(struct probekit_session *session,
							       struct probekit_snapshot **snapshot,
							       struct probekit_error *err);
/* What was added since the last call of this function, or since the start. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_interval(struct probekit_session *session,
							       struct probekit_snapshot **snapshot,
							       struct probekit_error *err);
/* Spans over `slow_over_ns` that have ended since the start. */
PROBEKIT_API uint64_t probekit_session_slow_count(struct probekit_session *session);
/* Freezes every count at this moment, notes the open spans, detaches. Idempotent. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_stop(struct probekit_session *session,
							   struct probekit_error *err);
/* Processes that ran the target when the session started; 0 for a path that nothing runs yet. */
PROBEKIT_API size_t probekit_session_process_count(const struct probekit_session *session);

/* ---- profiles: where threads were, by stack ---- */

/* What threads of a process did at one stack. */
struct probekit_profile_entry {
	enum probekit_class time_class; /* ONCPU: they ran */
	const char *syscall;		/* in which they waited; NULL: in none */
	pid_t pid;
	const char *comm;		    /* the process's name */
	struct probekit_stack stack;	    /* innermost first; empty: not known */
	struct probekit_stack kernel_stack; /* the same in the kernel, above `stack` */
	/* The entry's part of what was measured: waits and time on-CPU are measured all, stacks sampled, so this
	 * is an estimate whose sum, class by class, is exact. */
	uint64_t time_ns;
	uint64_t samples; /* 0: of which no stack was had */
};

struct probekit_profile_info {
	const char *target;
	int64_t started_unix_ns;
	uint64_t duration_ns;
	enum probekit_profiling profiling;	/* not NONE */
	bool has_oncpu;				/* time on-CPU was sampled too */
	uint64_t time_ns[PROBEKIT_CLASS_COUNT]; /* of all threads; with what has no stack */
	uint64_t samples_dropped;		/* as in struct probekit_lost */
	uint64_t samples_skipped;
	uint64_t unknown_stacks;		   /* stacks[PROBEKIT_STACK_NONE] */
	uint64_t stacks[PROBEKIT_STACK_END_COUNT]; /* as in struct probekit_snapshot_info */
	uint64_t threads_missed;		   /* for want of room: their time is not there */
	uint64_t switches_missed; /* that the kernel did not tell: what they began or ended is not known */
};

struct probekit_profile;

/* What the session has seen since its start, of which `profiling` in its options must ask. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_profile(struct probekit_session *session,
							      struct probekit_profile **profile,
							      struct probekit_error *err);
PROBEKIT_API void probekit_profile_free(struct probekit_profile *profile);
PROBEKIT_API const struct probekit_profile_info *probekit_profile_info(
	const struct probekit_profile *profile);
/* Most time first. */
PROBEKIT_API size_t probekit_profile_size(const struct probekit_profile *profile);
/* NULL beyond the size. */
PROBEKIT_API const struct probekit_profile_entry *probekit_profile_entry(
	const struct probekit_profile *profile, size_t i);

enum probekit_profile_format {
	PROBEKIT_PROFILE_FOLDED, /* "process;outermost;...;innermost us", a line a stack */
	PROBEKIT_PROFILE_PPROF,	 /* profile.proto, compressed with gzip */
	PROBEKIT_PROFILE_SVG,	 /* a flame graph that needs no other file */
};
/* Writes the file as a whole or not at all, through no symbolic link. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_profile_write(const struct probekit_profile *profile,
							    enum probekit_profile_format format,
							    const char *path,
							    struct probekit_error *err);

/* ---- catalogs: what could be measured ---- */

struct probekit_catalog;

/* One span, value, event or pair of probes, in one object. Strings belong to the catalog. */
struct probekit_catalog_entry {
	const char *name; /* "provider:name"; for a pair "provider:begin,end" as -u takes it */
	enum probekit_catalog_kind {
		PROBEKIT_CATALOG_SPAN, /* scoped or explicit span of probe.h */
		PROBEKIT_CATALOG_ASYNC,
		PROBEKIT_CATALOG_LOCK,
		PROBEKIT_CATALOG_VALUE,
		PROBEKIT_CATALOG_PAIR,	   /* two (or more) foreign probes whose names pair */
		PROBEKIT_CATALOG_EVENT,	   /* a single USDT probe */
		PROBEKIT_CATALOG_FUNCTION, /* only after probekit_catalog_add_functions() */
	} kind;
	const char *object;
	const char *arguments; /* of its first site, as the note has them; "" when none */
	uint32_t sites;	       /* of begin; of the probe itself where there is one */
	uint32_t end_sites;
	bool has_key;
	bool has_semaphore;
	bool is_fast; /* every site can be attached at the optimised instruction */
	/* Of functions alone; `sites` are its entries, clones of the compiler's included. */
	enum probekit_cost cost;
	uint64_t size_bytes;
	uint32_t inlined; /* places where the compiler has put it into others; UINT32_MAX: not known */
	const char *
		first_inlined; /* the first of them, "caller at file.c:12"; NULL: none, or not known */
	bool by_exits; /* its returns are probed one by one, as exceptions or stack switches may pass it */
	const char *refused; /* why it cannot be probed; NULL: it can */
};

/* Opens what may offer no probe at all: an empty catalog, of which probekit_catalog_require() makes an error. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_catalog_open_path(const char *path,
								struct probekit_catalog **catalog,
								struct probekit_error *err);
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_catalog_open_pid(pid_t pid,
							       struct probekit_catalog **catalog,
							       struct probekit_error *err);
/* Adds the functions that match, as probekit_session_add_function() has it; none is an error that says
 * what is near. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_catalog_add_functions(
	struct probekit_catalog *catalog, const char *pattern, struct probekit_error *err);
/* 0, or -ENOENT where the catalog is empty, with what could be done about it. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_catalog_require(
	const struct probekit_catalog *catalog, struct probekit_error *err);
PROBEKIT_API void probekit_catalog_free(struct probekit_catalog *catalog);
PROBEKIT_API size_t probekit_catalog_size(const struct probekit_catalog *catalog);
PROBEKIT_API const struct probekit_catalog_entry *probekit_catalog_entry(
	const struct probekit_catalog *catalog, size_t i);
/* Notes whose arguments or bytes could not be understood; they are listed all the same. */
PROBEKIT_API size_t probekit_catalog_bad_notes(const struct probekit_catalog *catalog);

/* ---- support: what this kernel, this user and a target allow ---- */

struct probekit_support;

enum probekit_support_state {
	PROBEKIT_SUPPORT_OK,
	PROBEKIT_SUPPORT_LIMITED, /* works, at the cost that the row names */
	PROBEKIT_SUPPORT_MISSING,
	PROBEKIT_SUPPORT_UNKNOWN, /* could not be found out; `found` says why */
};

enum probekit_support_need {
	PROBEKIT_SUPPORT_REQUIRED,    /* nothing can be measured without */
	PROBEKIT_SUPPORT_USEFUL,      /* something costs more, or is not told, without */
	PROBEKIT_SUPPORT_INFORMATION, /* nothing is lost here, whatever its state */
};

/* One thing that was tried or read. Strings belong to the support object, and are one line each, in
 * which control characters of file and process names are escaped. */
struct probekit_support_row {
	const char *name;  /* "uprobe_multi": stable, for programs */
	const char *title; /* for people */
	const char *group; /* "kernel", "user", "system" or "target" */
	enum probekit_support_need need;
	enum probekit_support_state state;
	const char *found;  /* what was seen */
	const char *cost;   /* what its state costs the user; NULL when nothing */
	const char *advice; /* what mends it, in words; NULL when nothing does or need be */
	const char *command; /* what mends it, to be pasted into a shell; NULL when no command does */
};

/* Zero means the default everywhere; set `size` to sizeof(struct probekit_support_options). At most
 * one of `pid` and `path` is given: rows of group "target" are about it. */
struct probekit_support_options {
	size_t size;
	pid_t pid;
	const char *path;
};

/*
 * Finds out by trying: loads small BPF programs, and measures an empty span of this library in this
 * process, as the start of a session does. Takes up to a few seconds; leaves nothing loaded or
 * attached. Needs no privilege: what cannot be tried without is UNKNOWN. `options` may be NULL.
 * Errors are of the target alone (no such process or file, no ELF file), of usage, or -ENOMEM.
 */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_support_new(
	const struct probekit_support_options *options, struct probekit_support **support,
	struct probekit_error *err);
PROBEKIT_API void probekit_support_free(struct probekit_support *support);
PROBEKIT_API size_t probekit_support_size(const struct probekit_support *support);
/* NULL beyond the size. */
PROBEKIT_API const struct probekit_support_row *probekit_support_row(
	const struct probekit_support *support, size_t i);
/* Can spans be measured: here at all, and in the target when there is one? */
PROBEKIT_API bool probekit_support_can_measure(const struct probekit_support *support);
/* The answer in one sentence without a full stop: "Latency can be measured", or why not. */
PROBEKIT_API const char *probekit_support_verdict(const struct probekit_support *support);
/* The row to mend first; NULL when nothing that could be mended is amiss. */
PROBEKIT_API const struct probekit_support_row *probekit_support_first(
	const struct probekit_support *support);
/* JSON text (docs/doctor-format.md), without a newline inside when `compact`. The caller frees
 * `*text` with free(). Errors: -ENOMEM. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_support_to_json(const struct probekit_support *support,
							      bool compact, char **text,
							      struct probekit_error *err);

/* Version of the library at run time, "0.1.0". */
PROBEKIT_API const char *probekit_version(void);

#ifdef __cplusplus
}
#endif
#endif
