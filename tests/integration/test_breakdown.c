/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the time of spans goes, against the kernel's own accounts of the thread: its CPU clock and
 * its run delay, read by the measured programs just inside and just outside of each span, between
 * which the truth lies. What of the wall time is neither was waited, for the one cause that the
 * program injects.
 */
#include "breakdown.h"
#include "breakdown_truth.h"
#include "series.h"

#include <stdlib.h>
#include <string.h>

#define MS 1000000ull
#define RUNS 4

/* A program that injects one cause, and the class that it must be in. */
struct cause {
	const char *name; /* as a test's name: what it claims */
	const char *program;
	const char *mode;
	uint64_t rounds;
	enum probekit_class time_class;
	const char *row;  /* NULL: waits:round */
	const char *pair; /* NULL: spans of probe.h */
};

#define EVENTS "waits:work__start,work__done"

/* clang-format off */
static const struct cause causes[] = {
	{"nanosleep_is_sleep", "waits", "sleep", 20, PROBEKIT_CLASS_SLEEP, NULL, NULL},
	{"a_read_timer_is_sleep", "waits", "timer", 20, PROBEKIT_CLASS_SLEEP, NULL, NULL},
	{"a_held_mutex_is_lock", "waits", "mutex", 20, PROBEKIT_CLASS_LOCK, NULL, NULL},
	{"a_held_rwlock_is_lock", "waits", "rwlock", 20, PROBEKIT_CLASS_LOCK, NULL, NULL},
	{"a_condition_variable_is_lock", "waits", "condition", 20, PROBEKIT_CLASS_LOCK, NULL, NULL},
	{"flock_of_another_process_is_lock", "waits", "flock", 20, PROBEKIT_CLASS_LOCK, NULL, NULL},
	{"a_record_lock_of_another_process_is_lock", "waits", "record_lock", 20,
	 PROBEKIT_CLASS_LOCK, NULL, NULL},
	{"a_slow_pipe_is_ipc", "waits", "pipe", 20, PROBEKIT_CLASS_IPC, NULL, NULL},
	{"a_slow_unix_socket_is_ipc", "waits", "unix_socket", 20, PROBEKIT_CLASS_IPC, NULL, NULL},
	{"an_event_descriptor_is_ipc", "waits", "eventfd", 20, PROBEKIT_CLASS_IPC, NULL, NULL},
	{"an_awaited_child_is_ipc", "waits", "child", 20, PROBEKIT_CLASS_IPC, NULL, NULL},
	{"a_slow_tcp_peer_is_network", "waits", "tcp", 20, PROBEKIT_CLASS_NETWORK, NULL, NULL},
	{"poll_is_poll", "waits", "poll", 20, PROBEKIT_CLASS_POLL, NULL, NULL},
	{"epoll_wait_is_poll", "waits", "epoll", 20, PROBEKIT_CLASS_POLL, NULL, NULL},
	{"computing_is_oncpu", "resources", "burn", 10, PROBEKIT_CLASS_ONCPU, NULL, NULL},
	{"a_shared_cpu_is_runqueue", "resources", "rival", 10, PROBEKIT_CLASS_RUNQUEUE, NULL, NULL},
	{"a_span_preempted_often_is_runqueue", "resources", "yield", 10, PROBEKIT_CLASS_RUNQUEUE,
	 NULL, NULL},
	{"a_cpu_quota_is_throttled", "resources", "throttle", 10, PROBEKIT_CLASS_THROTTLED, NULL,
	 NULL},
	{"a_stopped_process_is_stopped", "resources", "stop", 20, PROBEKIT_CLASS_STOPPED, NULL, NULL},
	{"fsync_is_disk", "resources", "sync", 10, PROBEKIT_CLASS_DISK, NULL, NULL},
	{"a_major_fault_is_pagefault", "resources", "fault", 10, PROBEKIT_CLASS_PAGEFAULT, NULL,
	 NULL},
	{"io_uring_is_io", "resources", "ring", 20, PROBEKIT_CLASS_IO, NULL, NULL},
	{"a_foreign_pair_has_a_breakdown", "shapes", "events", 20, PROBEKIT_CLASS_SLEEP, EVENTS,
	 EVENTS},
	{"recursive_spans_each_have_all_that_is_inside", "shapes", "recursion", 10,
	 PROBEKIT_CLASS_SLEEP, NULL, NULL},
	{"an_explicit_pair_has_a_breakdown", "shapes", "pair", 20, PROBEKIT_CLASS_SLEEP,
	 "waits:pair", NULL},
	{"an_async_span_of_one_thread_has_a_breakdown", "shapes", "async", 20, PROBEKIT_CLASS_SLEEP,
	 "waits:request", NULL},
	{"keyed_spans_have_a_breakdown", "shapes", "keys", 20, PROBEKIT_CLASS_SLEEP, "waits:keyed",
	 NULL},
	{"waits_between_spans_are_in_none", "shapes", "between", 20, PROBEKIT_CLASS_ONCPU, NULL,
	 NULL},
	{.name = NULL},
};
/* clang-format on */

/* What is repaired, or on a CPU too long by no fault of ours, is so by chance: that run is told, and made
 * again. `row`, unless NULL, is one that has the program's truth. */
static void run_checked(const char *program, const char *mode, uint64_t rounds, const char *pair,
			const char *row, struct run *run)
{
	const char *const command[] = {program_path(program), mode, number_text(rounds), NULL};

	for (int i = 0; i < RUNS; i++) {
		series_run(&(struct measure){.command = command, .pair = pair}, run);
		assert_int_equal(run->status, 0);
		run_skip_if_missing(run);
		breakdowns_check(run->snapshot);
		if (!breakdowns_are_repaired(run->snapshot) && !(row && truth_is_robbed(run, row)))
			return;
		print_message("  %s, once more\n", breakdowns_are_repaired(run->snapshot)
							   ? "repaired"
							   : "too long on a CPU");
		run_done(run);
	}
	fail_msg("%s: %d of %d runs are repaired, or too long on a CPU", mode, RUNS, RUNS);
}

static void a_cause_is_told(void **state)
{
	const struct cause *cause = *state;
	const char *name = cause->row ? cause->row : "waits:round";
	const struct probekit_probe *row;
	struct truth truth;
	struct run run;

	run_checked(cause->program, cause->mode, scaled(cause->rounds, 3), cause->pair, name, &run);
	row = find_row(run.snapshot, name);
	assert_true(row->count >= scaled(cause->rounds, 3));
	truth = truth_of(&run);
	truth_check_row(row, &truth);
	truth_check_class(row, &truth, &run, cause->time_class);
	run_done(&run);
}

/* ---- switches that are not seen ---- */

/* One in 50, of those that bring threads of the spans to a CPU or take them from it. */
static void check_repaired(const char *program, const char *mode, const char *rounds,
			   enum probekit_class time_class)
{
	const char *const command[] = {program_path(program), mode, rounds, NULL};
	const struct probekit_probe *row;
	struct truth truth;
	struct run run;

	series_run(&(struct measure){.command = command}, &run);
	assert_int_equal(run.status, 0);
	breakdowns_check(run.snapshot);
	row = find_row(run.snapshot, "waits:round");
	print_message("  %llu repaired\n", (unsigned long long)row->lost.sched_repaired);
	assert_true(row->lost.sched_repaired > 0);
	truth = truth_of(&run);
	truth_check_row(row, &truth);
	truth_check_class(row, &truth, &run, time_class);
	run_done(&run);
}

static int lose_switches(void **state)
{
	setenv("PROBEKIT_LOSE_SWITCHES", "50", 1);
	return series_tear_down(state);
}

static int lose_none(void **state)
{
	unsetenv("PROBEKIT_LOSE_SWITCHES");
	return series_tear_down(state);
}

static void breakdowns_are_right_where_switches_are_lost(void **state)
{
	(void)state;
	check_repaired("waits", "sleep", "400", PROBEKIT_CLASS_SLEEP);
	check_repaired("waits", "mutex", "400", PROBEKIT_CLASS_LOCK);
	check_repaired("waits", "pipe", "400", PROBEKIT_CLASS_IPC);
	check_repaired("resources", "rival", "100", PROBEKIT_CLASS_RUNQUEUE);
}

/* ---- more than one cause ---- */

/* A sleep that is stopped and continued goes on sleeping: restart_syscall(2). */
static void a_sleep_that_is_stopped_is_stopped_and_then_sleep_again(void **state)
{
	const struct probekit_probe *row;
	struct bracket stopped;
	struct truth truth;
	struct run run;
	int64_t allowed;

	(void)state;
	run_checked("resources", "stop_asleep", scaled(10, 3), NULL, "waits:round", &run);
	row = find_row(run.snapshot, "waits:round");
	truth = truth_of(&run);
	truth_check_row(row, &truth);
	stopped = (struct bracket){run_truth(&run, "least"), run_truth(&run, "most")};
	allowed = truth_allowed_blocked(row, &truth);
	truth_check_between("stopped", (int64_t)row->time_ns[PROBEKIT_CLASS_STOPPED], stopped,
			    allowed);
	truth_check_between("sleep", (int64_t)row->time_ns[PROBEKIT_CLASS_SLEEP],
			    (struct bracket){truth.blocked.low - stopped.high,
					     truth.blocked.high - stopped.low},
			    allowed);
	run_done(&run);
}

static void a_span_has_all_that_its_children_have(void **state)
{
	uint64_t rounds = scaled(10, 3);
	const struct probekit_probe *outer;
	const struct probekit_probe *inner;
	struct truth truth;
	struct run run;

	(void)state;
	run_checked("shapes", "nest", rounds, NULL, "waits:round", &run);
	outer = find_row(run.snapshot, "waits:outer");
	inner = find_row(run.snapshot, "waits:round");
	truth = truth_of(&run);
	truth_check_row(inner, &truth);
	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		assert_true(outer->time_ns[i] >= inner->time_ns[i]);
	assert_true(outer->time_ns[PROBEKIT_CLASS_SLEEP] >
		    inner->time_ns[PROBEKIT_CLASS_SLEEP] + rounds * MS / 2);
	assert_int_equal(outer->child_count, 1);
	assert_string_equal(outer->children[0].name, "waits:round");
	assert_int_equal(outer->children[0].count, 2 * rounds);
	assert_int_equal(outer->children[0].time_ns, inner->sum);
	assert_int_equal(inner->parent_count, 1);
	assert_string_equal(inner->parents[0].name, "waits:outer");
	assert_int_equal(inner->parents[0].count, 2 * rounds);
	assert_int_equal(inner->parents[0].time_ns, inner->sum);
	assert_int_equal(outer->parent_count + inner->child_count, 0);
	run_done(&run);
}

static void a_span_inside_one_of_its_own_name_is_no_relation(void **state)
{
	const struct probekit_probe *row;
	struct run run;

	(void)state;
	run_checked("shapes", "recursion", 3, NULL, NULL, &run);
	row = find_row(run.snapshot, "waits:round");
	assert_int_equal(row->count, 9);
	assert_int_equal(row->child_count + row->parent_count, 0);
	run_done(&run);
}

/* Each round is a span that another thread ends, and then one of this thread. */
static void an_async_span_that_another_thread_ends_is_unexplained(void **state)
{
	uint64_t rounds = scaled(20, 3);
	const struct probekit_probe *across;
	const struct probekit_probe *within;
	struct run run;

	(void)state;
	run_checked("shapes", "handover", rounds, NULL, NULL, &run);
	across = find_row(run.snapshot, "waits:handed");
	assert_int_equal(across->count, rounds);
	assert_int_equal(across->unexplained_ns, across->sum);
	assert_int_equal(breakdown_sum(across->time_ns), 0);
	assert_int_equal(across->band_count, 0);
	within = find_row(run.snapshot, "waits:request");
	assert_int_equal(within->count, rounds);
	assert_int_equal(within->unexplained_ns, 0);
	assert_true(within->time_ns[PROBEKIT_CLASS_SLEEP] > rounds * 5 * MS / 2);
	run_done(&run);
}

static void the_keys_of_a_span_have_all_of_its_time(void **state)
{
	const struct probekit_probe *row;
	uint64_t keyed[PROBEKIT_CLASS_COUNT] = {0};
	struct run run;

	(void)state;
	run_checked("shapes", "keys", 15, NULL, NULL, &run);
	row = find_row(run.snapshot, "waits:keyed");
	for (int64_t key = 0; key < 5; key++) {
		const struct probekit_probe *one = find_key(run.snapshot, "waits:keyed", key);

		assert_non_null(one);
		assert_int_equal(one->count, 3);
		assert_true(one->time_ns[PROBEKIT_CLASS_SLEEP] > 0);
		for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
			keyed[i] += one->time_ns[i];
	}
	assert_memory_equal(keyed, row->time_ns, sizeof(keyed));
	run_done(&run);
}

static void empty_spans_wait_for_nothing(void **state)
{
	const struct probekit_probe *row;
	struct run run;

	(void)state;
	run_checked("shapes", "empty", scaled(100000, 500), NULL, NULL, &run);
	row = find_row(run.snapshot, "waits:round");
	assert_row(run.snapshot, "waits:round", .count = scaled(100000, 500));
	/* (A busy machine preempts some.) */
	assert_int_equal(breakdown_blocked(row), 0);
	assert_true(row->time_ns[PROBEKIT_CLASS_ONCPU] > 0);
	run_done(&run);
}

static void a_span_open_at_the_end_leaves_the_others_time_whole(void **state)
{
	uint64_t rounds = scaled(20, 3);
	const struct probekit_probe *row;
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child child;

	(void)state;
	child_start_program(&child, "shapes", "open", rounds);
	session = measure_start(&(struct measure){.pid = child.pid});
	child_go(&child);
	snapshot = measure_stop(session);
	breakdowns_check(snapshot);
	assert_row(snapshot, "waits:left_open", .open = 1);
	assert_int_equal(breakdown_sum(find_row(snapshot, "waits:left_open")->time_ns), 0);
	row = find_row(snapshot, "waits:round");
	assert_row(snapshot, "waits:round", .count = rounds);
	assert_int_equal(row->parent_count, 1);
	assert_int_equal(row->parents[0].count, rounds);
	assert_true(row->time_ns[PROBEKIT_CLASS_SLEEP] > rounds * 5 * MS / 2);
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(a_span_inside_one_of_its_own_name_is_no_relation),
		cmocka_unit_test(a_span_has_all_that_its_children_have),
		cmocka_unit_test(an_async_span_that_another_thread_ends_is_unexplained),
		cmocka_unit_test(the_keys_of_a_span_have_all_of_its_time),
		cmocka_unit_test(empty_spans_wait_for_nothing),
		cmocka_unit_test(a_sleep_that_is_stopped_is_stopped_and_then_sleep_again),
		cmocka_unit_test_setup_teardown(breakdowns_are_right_where_switches_are_lost,
						lose_switches, lose_none),
		cmocka_unit_test(a_span_open_at_the_end_leaves_the_others_time_whole),
	};
	struct CMUnitTest tests[64];
	size_t count = 0;

	for (const struct cause *cause = causes; cause->name; cause++)
		tests[count++] = (struct CMUnitTest){
			.name = cause->name,
			.test_func = a_cause_is_told,
			.initial_state = (void *)(uintptr_t)cause,
		};
	memcpy(tests + count, others, sizeof(others));
	count += sizeof(others) / sizeof(*others);
	return _cmocka_run_group_tests("breakdown", tests, count, NULL, series_tear_down);
}
