/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_ENGINE_H
#define PROBEKIT_ENGINE_H
/*
 * The loaded BPF object: programs to attach, and the aggregates as user space reads them. Knows
 * probes, sites and rows by number only. Processes and threads have the numbers of our own PID namespace, and 0 where
 * they are not in it.
 */
#include <sys/types.h>

#include "../bpf/shared.h"
#include "error.h"

/* In the order of attachment. Of functions the returns come first: then each entry that is seen has one. */
enum program {
	PROGRAM_FUNCTION_RETURN, /* by uretprobe */
	PROGRAM_FUNCTION_EXIT,	 /* the same program at instructions that leave the function */
	PROGRAM_FUNCTION_ENTRY,
	PROGRAM_HOLD_BEGIN, /* functions that take locks, */
	PROGRAM_SPAN_BEGIN,
	PROGRAM_PAIR_BEGIN,
	PROGRAM_ASYNC_BEGIN,
	PROGRAM_LOCK_WAIT_BEGIN,
	PROGRAM_VALUE,
	PROGRAM_LOCK_ACQUIRED,
	PROGRAM_SPAN_END,
	PROGRAM_PAIR_END,
	PROGRAM_ASYNC_END,
	PROGRAM_LOCK_RELEASED,
	PROGRAM_HOLD_END, /* and that release them: the same program */
	PROGRAM_COUNT_HIT,
	PROGRAM_COUNT,
};

struct kernel_types;
struct engine;

struct engine_options {
	const struct kernel_types *types; /* the kernel's; NULL: they are read */
	bool use_multi; /* programs are loaded for uprobe_multi links, else for perf events */
	/* Programs that will not be attached: the kernel takes milliseconds to verify each. */
	bool leaves_out[PROGRAM_COUNT];
	uint32_t probes; /* numbers 0 .. probes - 1 */
	uint32_t rows;
	uint32_t sites;
	bool has_async;
	bool has_breakdown;
	bool has_task_from_pid;
	bool has_fault_address; /* page faults tell it, by a tracepoint */
	uint64_t slow_over_ns;	/* 0: none */
	uint32_t lose_switches; /* for tests: one in so many is not seen; 0: none */
	uint32_t lose_tasks;	/* the same of executions and children */
	uint32_t key_limit;
	bool filter_key;
	int64_t only_key;
	bool has_strays;       /* returns of processes that are not followed arrive too */
	bool follows_children; /* of processes that are followed */
	enum profile_scope profile_scope;
	bool profiles_oncpu;
	bool excludes_stopped; /* from the time of spans */
	bool counts_futexes;   /* every wait for one, of all threads of the processes */
	bool measures_holds;   /* of locks */
};

/* Loads the programs and maps their aggregates. Those of probes can be attached then; the others may still be
 * on their way, and calibration need not wait for them. */
int engine_new(const struct engine_options *options, struct engine **engine,
	       struct probekit_error *err);
/* Waits for those: an error of theirs comes here. Thread exit, exec and the scheduler are hooked from here on. */
int engine_attach(struct engine *engine, struct probekit_error *err);
void engine_free(struct engine *engine);

int engine_program_fd(const struct engine *engine, enum program program);
/* Scale of the rows: 6, or less where the rows would take more than the memory budget. */
int32_t engine_scale(const struct engine *engine);

int engine_set_argument(struct engine *engine, uint32_t site,
			const struct probekit_argument *argument, struct probekit_error *err);
int engine_set_row(struct engine *engine, uint32_t probe, uint32_t row, struct probekit_error *err);

/* From here on events are recorded; spans open at this moment (CLOCK_MONOTONIC) are counted as in
 * flight. Nothing is recorded before, and nothing after the pause. */
void engine_record(struct engine *engine, uint64_t now_ns);
void engine_pause(struct engine *engine);
/* Follows a process: what it executes is told, and its children where the options say so. */
void engine_follow(struct engine *engine, pid_t pid);
/* A process that is followed by itself was attached to, or is none of ours. */
void engine_note_known(struct engine *engine, pid_t pid);
void engine_unfollow(struct engine *engine, pid_t pid);
/* Follows a child that the kernel did not tell of. */
void engine_follow_child(struct engine *engine, pid_t pid, bool borrows);
/* The same of one that had its parent's memory, and has executed a file. */
void engine_note_executed(struct engine *engine, pid_t pid);
bool engine_is_followed(const struct engine *engine, pid_t pid);
/* Those in a state; how many, at most `capacity`. FOLLOW_NEW: children that are not known yet. */
size_t engine_followed(const struct engine *engine, enum follow_state state, pid_t *pids,
		       size_t capacity);
/* How many executions and children, roughly, the kernel did not tell of. */
uint64_t engine_missed_tasks(const struct engine *engine);
/* At how many begins and ends of threads, of any process, the kernel did not run our programs. */
uint64_t engine_missed_threads(const struct engine *engine);
/* How many children ended before they were known, or found no room. */
uint64_t engine_missed_children(const struct engine *engine);
/* Late sites of this number are silent in this process while they are attached one by one; 0: nowhere. */
void engine_hush(struct engine *engine, pid_t pid, uint8_t arrival);
/* Calls `executed` for each followed process that has executed a file since the last call; returns how
 * many events there were, those of new children too. Meanwhile the other threads of processes that had
 * their first span are adopted: what they do is followed too. */
int engine_poll_events(struct engine *engine, void (*executed)(pid_t pid, void *arg), void *arg);
/* Calls `visit` for each process that began its first span, began, or executed another file, as the last call
 * above was told. */
void engine_take_programs(struct engine *engine, void (*visit)(pid_t pid, void *arg), void *arg);
/* Nothing is known of the calling thread, and its process is not followed, as before its first span. */
void engine_forget_caller(struct engine *engine);
/* Follows all threads of a process from now on, before its first span. */
void engine_adopt(struct engine *engine, const pid_t *pids, size_t count);
/* Calls `visit` for each record since the last call (struct stack_record, struct span_record), up to a number
 * that bounds how long it takes. 1: there may be more; -ENOMEM. */
int engine_poll_samples(struct engine *engine,
			int (*visit)(const void *record, size_t size_bytes, void *arg), void *arg);
/* Copies twice as much of each stack from now on, up to a limit. */
void engine_lengthen_copies(struct engine *engine);
/* What makes a span of the probe slow, for the choice of samples. */
void engine_set_slow(struct engine *engine, uint32_t probe, uint64_t from_ns);
/* How many spans took longer than the threshold. */
uint64_t engine_slow_spans(const struct engine *engine);
int engine_event_fd(const struct engine *engine);
uint64_t engine_hits(const struct engine *engine);

/* From now on functions may have old links and new ones, whose cookies are as odd as `number`: each event is taken
 * once. 0: that is over. */
void engine_renew(struct engine *engine, uint32_t number);
/* The function is measured no longer: what its probes miss while they go is no loss. */
void engine_drop(struct engine *engine, uint32_t probe);

/* Sums of a row's shards since the row was created. `slots` has engine_slots() counts. */
struct row_sums {
	uint64_t sum;
	uint64_t zero_count;
	uint64_t negative_count;
	uint64_t out_of_range;
	uint64_t max;	       /* as in struct row; since the last call for this row */
	uint64_t inverted_min; /* likewise; both are 0 when nothing came since */
	uint64_t unexplained_ns;
	uint64_t slow_count; /* over the threshold */
	uint64_t slow_ns[CLASS_COUNT];
	uint64_t bands[BUCKET_OCTAVES][CLASS_COUNT];
	uint64_t *slots;
};
size_t engine_slots(const struct engine *engine);
/* The histogram's bucket of slot 0: of durations in seconds, or of quantities. */
int32_t engine_first_bucket(const struct engine *engine, bool is_duration);
void engine_read_row(struct engine *engine, uint32_t row, struct row_sums *sums);
/* How many durations, and nothing is reset. */
uint64_t engine_count(const struct engine *engine, uint32_t row);
/* The slots alone, and nothing is reset. */
void engine_read_slots(const struct engine *engine, uint32_t row, uint64_t *slots);
void engine_read_counters(const struct engine *engine, uint32_t probe,
			  struct probe_counters *counters);
/* Calls `visit` for each pair of probes whose spans were in one another. */
int engine_visit_relations(const struct engine *engine,
			   int (*visit)(const struct relation_key *key,
					const struct relation *relation, void *arg),
			   void *arg);
int engine_visit_causes(const struct engine *engine,
			int (*visit)(const struct cause_key *key, const struct cause *cause,
				     void *arg),
			void *arg);
int engine_visit_holdings(const struct engine *engine,
			  int (*visit)(const struct holding_key *key, const struct holding *holding,
				       void *arg),
			  void *arg);
/* Where a quarter of the table of causes is taken all leave it: calls `visit` for each. To be called from time to time.
 * -errno. */
int engine_take_causes(struct engine *engine,
		       int (*visit)(const struct cause_key *key, const struct cause *cause,
				    void *arg),
		       void *arg);
size_t engine_cause_room(const struct engine *engine);
/* Of waits that are no more told by what they were for: probe_counters.waits_unnamed. */
void engine_count_unnamed(struct engine *engine, uint32_t probe, uint64_t waits);
/* Where three quarters of the table of what holders did are taken, the lightest leave it. As engine_take_causes(). */
int engine_take_holdings(struct engine *engine,
			 int (*visit)(const struct holding_key *key, const struct holding *holding,
				      void *arg),
			 void *arg);
size_t engine_holding_room(const struct engine *engine);
/* What an address in struct wait_identity stands for; false: it is not known. */
bool engine_find_thing(const struct engine *engine, uint64_t id, struct thing *thing);
/* A process that sees this place in shared memory, and where; false: it is not known. */
bool engine_find_shared(const struct engine *engine, const struct futex_place *place,
			struct futex_place *seen);
/* What a process was called when it ended a wait; false: it was not seen to. */
bool engine_find_process(const struct engine *engine, uint32_t pid, struct process_name *name);
/* KEY_EMPTY where slot `i` is free. */
int64_t engine_key(const struct engine *engine, uint32_t probe, uint32_t i);

/* Are the threads of the process followed since engine_adopt()? */
bool engine_has_adopted(const struct engine *engine, pid_t pid);
/* Forgets what was profiled until now, which is the calibration. -errno. */
int engine_begin_profile(struct engine *engine);
/* Calls `visit` for each time of the profile that has been added up. */
int engine_visit_profile_times(const struct engine *engine,
			       int (*visit)(const struct profile_key *key, uint64_t ns, void *arg),
			       void *arg);
/* Calls `visit` for each thread of the profile: what it is at was not added up yet. */
int engine_visit_profiled(struct engine *engine,
			  int (*visit)(const struct profile_record *record, void *arg), void *arg);

/* Forgets the waits for futexes until now, those of the calibration. -errno. */
int engine_begin_futexes(struct engine *engine);
/* Calls `visit` for each futex that was waited for; the key's space is 0 for those without room. */
int engine_visit_futexes(const struct engine *engine,
			 int (*visit)(const struct futex_key *key, const struct futex_row *row,
				      void *arg),
			 void *arg);
/* Has the row leave the kernel's table. -errno; -ENOENT: it is not there. */
int engine_take_futex(struct engine *engine, const struct futex_key *key, struct futex_row *row);
/* The same for each lock that was held. */
int engine_visit_holds(const struct engine *engine,
		       int (*visit)(const struct futex_key *key, const struct futex_row *row,
				    void *arg),
		       void *arg);
/* The same of the time inside spans of a probe. */
int engine_visit_futex_spans(const struct engine *engine,
			     int (*visit)(const struct futex_span_key *key, uint64_t ns, void *arg),
			     void *arg);
/* The same of long waits (LONG_FUTEX_NS) in which a thread held it longest. */
int engine_visit_futex_holders(const struct engine *engine,
			       int (*visit)(const struct futex_holder_key *key, uint64_t waits,
					    void *arg),
			       void *arg);
/* Calls `visit` for each thread that waits for one now. */
int engine_visit_futex_waits(struct engine *engine,
			     int (*visit)(const struct futex_record *record, void *arg), void *arg);

/* Calls `visit` for each open span, async ones included (they have the id as key). */
int engine_visit_open(struct engine *engine,
		      int (*visit)(const struct open_record *record, void *arg), void *arg,
		      struct probekit_error *err);
/* Calls `visit` for the stack (struct stack_record) of each thread that is off its CPU and has a span open, or
 * is part of a profile of whole processes; no error where they cannot be had. */
int engine_visit_open_stacks(struct engine *engine,
			     int (*visit)(const void *record, size_t size_bytes, void *arg),
			     void *arg);

#endif
