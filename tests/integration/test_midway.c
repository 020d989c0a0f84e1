/* SPDX-License-Identifier: BSD-2-Clause */
/* Coming and going while the target runs: what is in flight, and that nothing stays behind. */
#include "measure.h"

#include <signal.h>

#define BUSY_THREADS 4
#define CYCLES 10

/* ---- in flight ---- */

/* Until the threads were seen at work. */
static void watch_for_spans(struct probekit_session *session, const char *name, uint64_t spans)
{
	uint64_t since = 0;

	while (measure_count(session, name) < spans)
		if (!keep_waiting(&since, 60))
			fail_msg("'%s' is not called", name);
}

/* `open`: how many places a thread can be in, in which the span is open. */
static void check_busy_row(const struct probekit_snapshot *snapshot, const char *name,
			   uint64_t open)
{
	const struct probekit_probe *row = find_row(snapshot, name);

	if (row->in_flight_at_start > open * BUSY_THREADS || row->open_count > open * BUSY_THREADS)
		fail_msg("%s: %llu in flight at the start, %zu at the end, in %d threads", name,
			 (unsigned long long)row->in_flight_at_start, row->open_count,
			 BUSY_THREADS);
	assert_int_equal(row->lost.unmatched_end, 0);
	assert_int_equal(row->lost.abandoned, 0);
	assert_int_equal(row->lost.depth_overflow, 0);
	assert_int_equal(row->lost.state_unavailable, 0);
}

static void attaching_to_busy_threads_loses_nothing_but_what_was_in_flight(void **state)
{
	uint64_t cycles = scaled(CYCLES, 2);
	struct child child;

	(void)state;
	child_start_program(&child, "threads", "busy", 1);
	child_go(&child);
	for (uint64_t i = 0; i < cycles; i++) {
		struct probekit_session *session =
			measure_start(&(struct measure){.pid = child.pid});
		struct probekit_snapshot *snapshot;

		watch_for_spans(session, "threads:request", 100);
		snapshot = measure_stop(session);
		check_busy_row(snapshot, "threads:request", 1);
		check_busy_row(snapshot, "threads:level", 3);
		check_busy_row(snapshot, "threads:leaf", 4);
		probekit_snapshot_free(snapshot);
	}
	assert_int_equal(child_end(&child), 0);
	child_done(&child);
}

/* Explicit ends fire whether or not the begin was traced: exactly those of the four threads. */
static void pairs_open_at_the_start_are_in_flight_and_no_loss(void **state)
{
	uint64_t each = scaled(5000, 100);
	const struct probekit_probe *row;
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child child;

	(void)state;
	child_start_program(&child, "kinds", "early", each);
	child_go(&child);
	session = measure_start(&(struct measure){.pid = child.pid});
	child_go(&child);
	snapshot = measure_stop(session);
	row = find_row(snapshot, "kinds:explicit");
	assert_int_equal(row->in_flight_at_start, 4);
	assert_int_equal(row->count, 4 * each);
	assert_int_equal(row->lost.unmatched_end, 0);
	assert_int_equal(row->lost.abandoned, 0);
	/* Their scoped spans began untraced, so they end unseen. */
	assert_row(snapshot, "kinds:around", .count = 0);
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

/* ---- the semaphore ---- */

static void assert_becomes_untraced(struct child *child)
{
	uint64_t since = 0;

	while (child_is_traced(child))
		if (!keep_waiting(&since, 30))
			fail_msg("the semaphore stays up");
}

static void enabled_is_true_while_a_session_runs(void **state)
{
	struct child child;

	(void)state;
	child_start_program(&child, "threads", "hot", 100);
	assert_false(child_is_traced(&child));
	for (int i = 0; i < 3; i++) {
		struct probekit_session *session =
			measure_start(&(struct measure){.pid = child.pid});
		struct probekit_snapshot *snapshot;

		assert_true(child_is_traced(&child));
		child_go(&child);
		snapshot = measure_stop(session);
		assert_row(snapshot, "threads:hot", .count = 800);
		probekit_snapshot_free(snapshot);
		assert_false(child_is_traced(&child));
	}
	child_done(&child);
}

static void enabled_stays_true_until_the_last_of_two_sessions_stops(void **state)
{
	struct probekit_session *sessions[2];
	struct child child;

	(void)state;
	child_start_program(&child, "threads", "hot", 100);
	sessions[0] = measure_start(&(struct measure){.pid = child.pid});
	sessions[1] = measure_start(&(struct measure){.path = program_path("threads")});
	probekit_snapshot_free(measure_stop(sessions[0]));
	assert_true(child_is_traced(&child));
	probekit_snapshot_free(measure_stop(sessions[1]));
	assert_false(child_is_traced(&child));
	child_done(&child);
}

static void a_session_freed_without_stop_leaves_nothing(void **state)
{
	struct probekit_session *session;
	struct child child;

	(void)state;
	child_start_program(&child, "threads", "hot", 100);
	session = measure_start(&(struct measure){.pid = child.pid});
	assert_true(child_is_traced(&child));
	probekit_session_free(session);
	assert_false(child_is_traced(&child));
	child_done(&child);
}

/* ---- forked children of a target ---- */

/* The child's memory is a copy of the parent's, semaphore included. */
static void a_forked_child_of_a_target_is_untraced_after_the_stop(void **state)
{
	struct probekit_session *session;
	struct child child;

	(void)state;
	child_start_program(&child, "threads", "fork_away", 100);
	session = measure_start(&(struct measure){.pid = child.pid});
	child_go(&child);
	assert_true(child_truth(&child, "child") != child.pid);
	probekit_snapshot_free(measure_stop(session));
	assert_false(child_is_traced(&child));
	assert_int_equal(child_end(&child), 0);
	child_done(&child);
}

/* What it executes must be whole, too, while its parent is traced. */
static void a_forked_child_of_a_target_runs_through_its_spans(void **state)
{
	struct probekit_session *session;
	struct child child;

	(void)state;
	child_start_program(&child, "threads", "fork_away", scaled(5000, 100));
	session = measure_start(&(struct measure){.pid = child.pid});
	child_go(&child);
	child_go(&child); /* the child forks a child, after spans of its own */
	probekit_snapshot_free(measure_stop(session));
	assert_int_equal(child_end(&child), 0);
	child_done(&child);
}

/* ---- SIGKILL ---- */

/* `probekit latency` on `option` and `target` (or one of them), until its first interval: by then
 * all is attached. (SIGKILL while it attaches also cuts short the kernel's own clean-up.) */
static void start_cli(struct child *cli, const char *option, const char *target)
{
	child_start(cli, (const char *const[]){build_path("probekit"), "latency", "-i", "0.1",
					       option, target, NULL});
	child_wait_line(cli, "threads:");
}

static void kill_cli(struct child *cli)
{
	assert_int_equal(kill(cli->pid, SIGKILL), 0);
	assert_int_equal(child_end(cli), 128 + SIGKILL);
	child_done(cli);
}

static void check_killed(const char *option, const char *target, struct child *child)
{
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child cli;

	start_cli(&cli, option, target);
	assert_true(child_is_traced(child));
	child_go(child);
	kill_cli(&cli);
	assert_becomes_untraced(child);
	/* Nothing of it is left that would count twice. */
	session = measure_start(&(struct measure){.pid = child->pid});
	child_go(child);
	snapshot = measure_stop(session);
	assert_row(snapshot, "threads:hot", .count = 800);
	probekit_snapshot_free(snapshot);
	assert_false(child_is_traced(child));
}

static void a_killed_session_by_pid_leaves_nothing(void **state)
{
	struct child child;

	(void)state;
	child_start_program(&child, "threads", "hot", 100);
	require_measurable(child.pid);
	check_killed("-p", number_text((uint64_t)child.pid), &child);
	child_done(&child);
}

static void a_killed_session_by_path_leaves_nothing(void **state)
{
	struct child child;

	(void)state;
	child_start_program(&child, "threads", "hot", 100);
	require_measurable(child.pid);
	check_killed(program_path("threads"), NULL, &child);
	child_done(&child);
}

static void a_killed_session_leaves_nothing_in_a_forked_child(void **state)
{
	struct child child;
	struct child cli;

	(void)state;
	child_start_program(&child, "threads", "fork_away", 100);
	require_measurable(child.pid);
	start_cli(&cli, "-p", number_text((uint64_t)child.pid));
	child_go(&child);
	kill_cli(&cli);
	assert_becomes_untraced(&child);
	assert_int_equal(child_end(&child), 0);
	child_done(&child);
}

static void busy_threads_survive_sessions_that_are_killed(void **state)
{
	uint64_t cycles = scaled(4, 2);
	struct child child;
	struct child cli;

	(void)state;
	child_start_program(&child, "threads", "busy", 1);
	child_go(&child);
	require_measurable(child.pid);
	for (uint64_t i = 0; i < cycles; i++) {
		start_cli(&cli, "-p", number_text((uint64_t)child.pid));
		assert_true(child_is_traced(&child));
		kill_cli(&cli);
		assert_becomes_untraced(&child);
	}
	assert_int_equal(child_end(&child), 0);
	child_done(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attaching_to_busy_threads_loses_nothing_but_what_was_in_flight),
		cmocka_unit_test(pairs_open_at_the_start_are_in_flight_and_no_loss),
		cmocka_unit_test(enabled_is_true_while_a_session_runs),
		cmocka_unit_test(enabled_stays_true_until_the_last_of_two_sessions_stops),
		cmocka_unit_test(a_session_freed_without_stop_leaves_nothing),
		cmocka_unit_test(a_forked_child_of_a_target_is_untraced_after_the_stop),
		cmocka_unit_test(a_forked_child_of_a_target_runs_through_its_spans),
		cmocka_unit_test(a_killed_session_by_pid_leaves_nothing),
		cmocka_unit_test(a_killed_session_by_path_leaves_nothing),
		cmocka_unit_test(a_killed_session_leaves_nothing_in_a_forked_child),
		cmocka_unit_test(busy_threads_survive_sessions_that_are_killed),
	};

	return cmocka_run_group_tests_name("midway", tests, NULL, NULL);
}
