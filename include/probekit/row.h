/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PUBLIC_ROW_H
#define PROBEKIT_PUBLIC_ROW_H
/* One row of a snapshot: what was measured of a probe, or of a key of it, and its distribution. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <probekit/error.h>
#include <probekit/kinds.h>
#include <probekit/thread.h>

#ifdef __cplusplus
extern "C" {
#endif

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
	uint64_t waits_unnamed; /* waits that are no more told by cause: many others took longer */
	uint64_t children_unnamed; /* spans that are not told among the children of the one they were in */
	/* Begins and ends of threads, of any process, at which the kernel did not run our programs: what was
	 * open in one that ended is in no count. 0 in rows. */
	uint64_t tasks_missed;
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

#ifdef __cplusplus
}
#endif
#endif
