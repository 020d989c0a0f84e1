/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_SESSION_H
#define PROBEKIT_SESSION_H
/* The session's state, shared by session.c (its life) and session_snapshot.c (what it measured). */
#include <sys/resource.h>

#include "attachment.h"
#include "attach_later.h"
#include "calibrate.h"
#include "command.h"
#include "custom.h"
#include "environment.h"
#include "features.h"
#include "futex_history.h"
#include "retired_futexes.h"
#include "plan.h"
#include "proc_maps.h"
#include "snapshot.h"
#include "told.h"

struct watched_process {
	int pidfd;
	bool has_ended;
	bool is_found;	/* a child, or of the cgroup; not given: forgotten when it ends or leaves */
	bool is_listed; /* in the cgroup, when that was last read */
	bool is_attached;  /* one of the cgroup is once it maps a file with sites */
	bool has_executed; /* a file, since its maps were last looked at */
};

/* What is attached to one process (0: to every one) for one batch of functions (0: for all else). */
struct link_set {
	pid_t pid;
	uint32_t batch;
	struct attach_links links;
};

/* Extremes since a moment, as in struct row; both 0: nothing. */
struct extremes {
	uint64_t max;
	uint64_t inverted_min;
};

/* What of a row the kernel does not keep. */
struct row_history {
	struct extremes whole;
	struct extremes interval;
	struct extremes last; /* of the last interval that counted any */
	uint64_t counted;     /* at its end */
};

/* A file that a process has mapped as code, and that was planned if it could be. */
struct seen_file {
	uint64_t inode;
	uint32_t major;
	uint32_t minor;
};

enum session_state {
	SESSION_NEW,
	SESSION_RUNNING,
	SESSION_STOPPED,
	SESSION_FAILED,
};

/* What a lock in a process is called; NULLs where that is not known. */
struct named_lock {
	struct futex_place at; /* the word that is waited for */
	pid_t pid;	       /* who sees it; of shared memory one of those */
	uint64_t word;	       /* its address there */
	uint64_t address; /* of the lock that it is part of; the word's own until the kind is known */
	const char *kind;  /* its `address` goes with it; NULL: not known */
	uint64_t asked_ns; /* the look at which the kind was asked for last */
	char *symbol;
	char *place;
};

/* A file or a peer, by its id in the kernel. */
struct named_thing {
	uint64_t id;
	uint64_t asked_ns; /* the look at which it was asked for last */
	char *name;
};

struct named_process {
	pid_t pid;
	uint64_t asked_ns;
	char comm[16];	 /* "" when it could not be read any more */
	char *cgroup;	 /* with its CPU quota; NULL: not asked for, or none */
	bool has_cgroup; /* it was asked for */
};

struct lock_word {
	struct futex_place place;
	uint64_t address; /* where the lock's process sees it */
};

/* The words of one lock that threads wait for, or of several that are told as one; by place. */
struct lock_words {
	struct lock_word *at;
	size_t size;
};

/* A thread that waits for a futex now. */
struct present_wait {
	struct futex_record record;
	bool begins_circle;    /* of threads that wait for each other, for certain */
	bool is_told;	       /* its stack is part of the evidence */
	const char *lock_kind; /* NULL: not known */
	struct probekit_stack stack;
};

/* A thread that others wait for now. */
struct present_owner {
	uint32_t tid;
	uint16_t syscall; /* that it is in; NO_SYSCALL */
	struct probekit_stack stack;
};

/* What holders of a lock did. */
struct held {
	struct holding_key key;
	struct holding holding;
};

/* A span that is open, or a thread without one that others may wait for. */
struct open_span {
	struct open_record record;
	struct probekit_stack stack;
	const char *lock_kind; /* that it waits for; NULL: none, or not known */
};

struct probekit_session {
	struct probekit_session_options options;
	enum session_state state;

	struct selection selection;
	struct objects objects;
	size_t path_count;		 /* of the objects, those given by path: the first ones */
	char *cgroup;			 /* its folder; NULL: no cgroup is given */
	pid_t *pids;			 /* given by PID, the command's, and those found since */
	struct watched_process *watched; /* the same processes */
	size_t pid_count;
	struct command command;
	size_t users_at_start;
	char *target;

	struct features features;
	struct plan plan;
	struct custom custom;
	struct engine *engine;
	struct attachment attachment;
	struct link_set *link_sets;
	size_t link_set_count;
	struct attach_later detaching;
	rlim_t files_before;	/* the soft limit of descriptors, which was raised; 0: it was not */
	uint32_t batch_count;	/* of functions */
	uint32_t renewals;	/* of them; of this number the lowest bit is 0 */
	bool is_renewing;	/* the caller's programs are left for session_renew_programs() */
	uint64_t *calls_before; /* by probe, of functions: when they were last watched */
	uint64_t last_watch_ns; /* 0: not yet */
	uint64_t watch_every_ns;
	struct calibration calibration;
	struct probekit_environment environment; /* at the start */
	struct cpu_ticks ticks;
	int64_t started_unix_ns;
	uint64_t started_ns; /* CLOCK_MONOTONIC, as the programs' times */
	uint64_t stopped_ns; /* 0: not yet */
	uint64_t last_scan_ns;
	bool has_follow_events; /* since then */
	uint64_t missed_tasks;	/* that were looked up */
	uint64_t last_found_ns; /* when a process was found last */
	size_t next_look;	/* number of a process */
	size_t unattached;	/* processes that could not be attached to */
	struct seen_file *seen;
	size_t seen_count;
	struct proc_maps command_maps; /* when they were last looked at */
	struct proc_maps lock_maps;    /* of lock_maps_pid, while locks are named */
	pid_t lock_maps_pid;
	struct named_lock *locks;
	size_t lock_count;
	uint32_t *lock_slots; /* their numbers by hash of the place, plus 1; 0: free */
	size_t lock_slot_count;
	struct told_list left_causes;	/* the kernel's table */
	struct told_list left_holdings; /* without the files and thieves that they were for */
	void *things;			/* a tree by id */
	size_t thing_count;
	void *processes; /* a tree by pid */
	size_t process_count;
	struct held *held; /* while causes are explained */
	size_t held_count;
	struct present_wait *present; /* when they were last noted, by tid; until the stop */
	size_t present_count;
	struct present_owner *owners; /* of what they wait for, if they do not wait for futexes too */
	size_t owner_count;
	struct futex_history futexes_before; /* at the last interval */
	struct retired_futexes retired;
	uint64_t *deadlocks_told; /* hashes */
	size_t deadlock_count;
	bool has_new_deadlock;
	struct evidence *evidence; /* NULL: nothing is broken down */
	uint64_t last_look_ns;	   /* when names were last found */
	uint64_t last_set_ns;	   /* when thresholds were last set */

	struct row_history *history;	    /* by row of the plan; max_rows of them */
	struct probekit_snapshot *previous; /* the whole at the last interval */
	uint64_t interval_start_ns;
	struct open_span *open; /* noted at the stop */
	size_t open_count;
	struct profile_total *profile_totals; /* likewise; while it runs, noted for each profile */
	size_t profile_total_count;
	uint64_t profiled_until_ns;
};

uint64_t session_now_ns(void);
void session_log(const struct probekit_session *session, enum probekit_log_level level,
		 const char *format, ...) ERROR_PRINTF(3, 4);
/* An error once the session has started. */
int session_require_new(const struct probekit_session *session, struct probekit_error *err);
/* Adds a process to those that are waited for. */
int session_watch(struct probekit_session *session, pid_t pid, struct probekit_error *err);
/* Plans the probes of objects[index]. */
int session_plan_object(struct probekit_session *session, uint32_t index,
			struct probekit_error *err);

/* ---- links ---- */

/* Attaches the plan's sites from this one on whose probes are of this batch, to all processes that are
 * attached to, or to every one where none is asked for. -ESRCH: all of them have ended. */
int session_attach(struct probekit_session *session, uint32_t from_site, uint32_t batch,
		   bool is_late, struct probekit_error *err);
/* Attaches all that is planned to watched process number `index`, late. On error nothing is. */
int session_attach_process(struct probekit_session *session, size_t index,
			   struct probekit_error *err);
/* What is attached for a batch of functions is the caller's from now on, who detaches it. */
void session_take_batch(struct probekit_session *session, uint32_t batch,
			struct attach_links *links);
void session_detach_process(struct probekit_session *session, pid_t pid);
/* What a process that has ended leaves goes later: session_detach_waiting(), to be called often. */
void session_detach_ended(struct probekit_session *session, pid_t pid);
void session_detach_waiting(struct probekit_session *session);
void session_detach(struct probekit_session *session);

/* ---- processes that are followed ---- */

/* Does the session look for processes, or for what they execute and open? */
bool session_follows(const struct probekit_session *session);
/* Those alone, not every process that maps a file. */
bool session_is_by_pid(const struct probekit_session *session);
/* May objects be added while it runs? */
bool session_may_grow(const struct probekit_session *session);
/* Watches the processes of the cgroup, and unless paths are given adds what they map to the objects. */
int session_find_cgroup(struct probekit_session *session, struct probekit_error *err);
/* Has the kernel tell of the watched processes, and chooses those to attach to; once loaded. */
void session_prepare_following(struct probekit_session *session);
/* Follows processes that came, executed or opened something; to be called often. */
int session_follow(struct probekit_session *session, struct probekit_error *err);
/* Logs what was not measured. */
void session_tell_missed(const struct probekit_session *session);
/* Looks up what the kernel has not told of executions and children. */
void session_find_missed(struct probekit_session *session);

/* ---- functions ---- */

/* Attaches to the functions of the plan that have no batch yet, but for those that would cost too much. */
int session_attach_functions(struct probekit_session *session, struct probekit_error *err);
/* The caller's programs, to the functions that are probed and were not when it was called last. */
int session_attach_programs(struct probekit_session *session, struct probekit_error *err);
/* All of them to the functions of one batch, which has none. */
int session_renew_programs(struct probekit_session *session, uint32_t batch,
			   struct probekit_error *err);
/* Drops those that cost too much by now; to be called often. */
int session_watch_functions(struct probekit_session *session, struct probekit_error *err);
/* What probing one call takes; 0: not measured. */
uint64_t session_call_cost_ns(const struct probekit_session *session,
			      const struct plan_probe *probe);

/* The rows of a snapshot while it is made. */
struct session_rows {
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
};
/* The row of a probe itself (the kernel's number), not of a key; NULL for the calibration's. */
struct probekit_probe *session_own_row(const struct session_rows *rows, uint32_t probe);
/* Fills the rows' waits. -ENOMEM. */
int session_add_waits(struct session_rows *rows);
/* Takes causes, and what holders did, out of the kernel's tables where they fill up, and lets go of the light ones. To
 * be called from time to time, once names are found. -errno. */
int session_make_room(struct probekit_session *session);

/* ---- names of what was waited for; NULL: no memory ---- */

/* By the word that is waited for. It lives until the next call. */
const struct named_lock *session_lock(struct probekit_session *session, struct futex_place place);
const struct named_thing *session_thing(struct probekit_session *session, uint64_t id);
/* What a process is called now; "" when it has gone. */
void session_read_comm(pid_t pid, char comm[static 16]);
struct named_process *session_process(struct probekit_session *session, pid_t pid);
/* The process's cgroup and its CPU quota, "/jobs/batch (0.5 CPUs)"; NULL: it has none. */
const char *session_cgroup(struct probekit_session *session, pid_t pid);
/* Did the holder wait for a lock itself? Else `address` is a thing's, or nothing. */
bool holding_waits_for_lock(const struct holding_key *key);
/* For the very lock that it is said to hold: another took it in between. */
bool holding_waits_for_own(const struct holding_key *key);
/* Finds all names while the processes and files are still there. -ENOMEM. */
int session_find_names(struct probekit_session *session);
void session_forget_names(struct probekit_session *session);
/* The maps that were read for locks are of that moment alone. */
void session_forget_maps(struct probekit_session *session);

/* ---- evidence ---- */

/* Takes what the kernel has sampled, and from time to time tells it what to look for. -ENOMEM. */
int session_poll_evidence(struct probekit_session *session);
/* The histogram of `count` rows, with the probe's `count`, and `sum` only so that it is not 0.
 * -ENOMEM. */
int session_read_histogram(const struct probekit_session *session, uint32_t row, uint32_t count,
			   struct probekit_probe *probe);
/* Finds each row's tail and its causes, with all that is known of them. -ENOMEM. */
int session_explain(struct probekit_session *session, struct probekit_snapshot *snapshot,
		    bool is_interval);

/* ---- locks, where every wait for a futex is counted ---- */

/* Once the processes are followed: begins anew. */
int session_start_locks(struct probekit_session *session, struct probekit_error *err);
/* Adds the locks with all that is known of them, and the deadlocks, while session->held is there. Of an
 * interval: the waits since the last one, and those locks alone; shares are of the whole. -ENOMEM. */
int session_add_locks(struct probekit_session *session, struct probekit_snapshot *snapshot,
		      bool is_interval);
/* Where the kernel's table fills up, takes rows out of it that have not grown since the last call; to be called
 * from time to time, once locks are named. -ENOMEM. */
int session_retire_futexes(struct probekit_session *session);
/* Notes who waits for what now. -ENOMEM. */
int session_note_present(struct probekit_session *session);
/* The same, and sets has_new_deadlock where there is one that was not told before. */
int session_watch_deadlocks(struct probekit_session *session);
/* Of the threads that are noted. -ENOMEM. */
int session_add_deadlocks(struct probekit_session *session, struct probekit_snapshot *snapshot);
void session_forget_present(struct probekit_session *session);
/* Is the owner that stands there one, as far as the lock's kind is known? */
bool present_has_owner(const struct present_wait *wait);
/* NULL: the thread does not wait for a futex. */
const struct present_wait *session_present_wait(const struct probekit_session *session,
						uint32_t tid);
/* The futex that the thread waits for, as the kernel counts waits. */
struct futex_key wait_key(const struct futex_record *record);
/* NULL: it has no such word. */
const struct lock_word *lock_word_at(const struct lock_words *words, struct futex_place place);
/* What was held at this word, once locks are put together: session->held is by place then. */
const struct held *session_held_at(const struct probekit_session *session, struct futex_place place,
				   size_t *count);
/* What the holder (its thread is given) did while others waited for the lock of these words. -ENOMEM. */
int session_explain_holder(struct probekit_session *session, const struct lock_words *words,
			   struct probekit_holder *holder);

/* What the waker (its thread is given) did before it ended waits for it. -ENOMEM. */
int session_explain_waker(struct probekit_session *session, const struct lock_words *words,
			  struct probekit_lock_waker *waker);

/* ---- profiles ---- */

/* Is there anything to probe? A profile of whole processes needs nothing. */
bool session_has_probes(const struct probekit_session *session);
/* Are spans measured where there are any, and is it no error when there are none? */
bool session_may_do_without(const struct probekit_session *session);
/* Once the processes are followed: begins anew, and notes who they are. */
int session_start_profile(struct probekit_session *session, struct probekit_error *err);
/* Notes who the processes are, and follows those that run the target's files. -ENOMEM. */
int session_note_all(struct probekit_session *session);
/* Has the profile follow processes that run the target's files by now. */
void session_follow_users(struct probekit_session *session);
/* Notes who the processes are of which the kernel has told that they are new. -ENOMEM. */
int session_note_programs(struct probekit_session *session);
/* Notes all times, also of waits that have not ended. -ENOMEM. */
int session_note_profile(struct probekit_session *session);
void session_forget_profile(struct probekit_session *session);

/* ---- open spans ---- */

/* Reads them into session->open. */
int session_note_open(struct probekit_session *session, struct probekit_error *err);
/* Fills `open` of the row of a probe of the plan. -ENOMEM. */
int session_add_open(struct probekit_session *session, uint32_t index, struct probekit_probe *row);
void session_forget_open(struct probekit_session *session);

#endif
