/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes that fork, are replaced, open libraries, start late, or are still inside when we
 * stop. */
#include "measure.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

/* A whole run of program MODE COUNT, measured by path from before it starts. */
static struct probekit_snapshot *measure_by_path(const char *mode, uint64_t count)
{
	struct probekit_session *session =
		measure_start(&(struct measure){.path = program_path("processes")});
	struct output output;

	assert_int_equal(probekit_session_process_count(session), 0);
	run_captured((const char *const[]){program_path("processes"), mode, number_text(count),
					   NULL},
		     &output);
	assert_int_equal(output.status, 0);
	output_done(&output);
	return measure_stop(session);
}

/* ---- by path: every process ---- */

static void a_process_that_starts_after_attachment_is_measured_whole(void **state)
{
	uint64_t count = scaled(20000, 100);
	struct probekit_snapshot *snapshot = measure_by_path("repeat", count);

	(void)state;
	assert_row(snapshot, "processes:work", .count = count);
	probekit_snapshot_free(snapshot);
}

static void every_process_of_a_path_is_measured(void **state)
{
	uint64_t each = scaled(20000, 100);
	struct child children[4];
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;

	(void)state;
	child_start_program(&children[0], "processes", "repeat", each);
	child_start_program(&children[1], "processes", "repeat", each);
	session = measure_start(&(struct measure){.path = program_path("processes")});
	assert_int_equal(probekit_session_process_count(session), 2);
	child_start_program(&children[2], "processes", "repeat", each);
	child_start_program(&children[3], "processes", "repeat", each);
	for (int i = 0; i < 4; i++)
		child_tell(&children[i], "go");
	for (int i = 0; i < 4; i++)
		child_wait_line(&children[i], "done");
	snapshot = measure_stop(session);
	assert_row(snapshot, "processes:work", .count = 4 * each);
	probekit_snapshot_free(snapshot);
	for (int i = 0; i < 4; i++)
		child_done(&children[i]);
}

/* What threads do at first is noted by themselves and, as their process is a new one, by the library. */
static void threads_of_a_new_process_begin_at_once_and_lose_no_span(void **state)
{
	const uint64_t processes = scaled(400, 20);
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	struct pollfd done;
	struct child child;

	(void)state;
	child_start_program(&child, "threads", "crowds", processes);
	session = measure_start(&(struct measure){.path = program_path("threads")});
	child_tell(&child, "go");
	done = (struct pollfd){.fd = child.out, .events = POLLIN};
	do
		assert_true(probekit_session_poll(session, 1, &err) >= 0);
	while (!poll(&done, 1, 0));
	child_wait_line(&child, "done");
	snapshot = measure_stop(session);
	assert_row(snapshot, "threads:hot", .count = processes * 8 * 20);
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

/* The child ends a span that it did not begin, and makes two whole ones. */
static void a_forked_child_ends_its_parents_span_unmatched(void **state)
{
	uint64_t count = scaled(200, 10);
	struct probekit_snapshot *snapshot = measure_by_path("forks", count);

	(void)state;
	assert_row(snapshot, "processes:forking", .count = count, .unmatched = count);
	assert_row(snapshot, "processes:work", .count = 4 * count);
	probekit_snapshot_free(snapshot);
}

static void a_vforked_child_leaves_its_parents_span_alone(void **state)
{
	uint64_t count = scaled(200, 10);
	struct probekit_snapshot *snapshot = measure_by_path("vforks", count);

	(void)state;
	assert_row(snapshot, "processes:forking", .count = count);
	assert_row(snapshot, "processes:work", .count = 2 * count);
	probekit_snapshot_free(snapshot);
}

static void exec_inside_a_span_abandons_it(void **state)
{
	uint64_t count = scaled(5000, 100);
	struct probekit_snapshot *snapshot = measure_by_path("exec_self", count);

	(void)state;
	assert_row(snapshot, "processes:replaced", .abandoned = 1);
	assert_row(snapshot, "processes:work", .count = 2 * count);
	probekit_snapshot_free(snapshot);
}

static void exec_from_a_thread_abandons_the_spans_of_all(void **state)
{
	uint64_t count = scaled(5000, 100);
	struct probekit_snapshot *snapshot = measure_by_path("exec_thread", count);

	(void)state;
	assert_row(snapshot, "processes:replaced", .abandoned = 2);
	assert_row(snapshot, "processes:work", .count = 2 * count);
	probekit_snapshot_free(snapshot);
}

/* ---- by command: that process, whatever it becomes ---- */

static void a_commands_forked_children_are_not_measured(void **state)
{
	uint64_t count = scaled(200, 10);
	struct run run;

	(void)state;
	measure_program("processes", "forks", number_text(count), &run);
	assert_row(run.snapshot, "processes:forking", .count = count);
	assert_row(run.snapshot, "processes:work", .count = 2 * count);
	run_done(&run);
}

static void a_command_that_spawns_is_counted_exactly(void **state)
{
	uint64_t count = scaled(200, 10);
	struct run run;

	(void)state;
	measure_program("processes", "spawns", number_text(count), &run);
	assert_row(run.snapshot, "processes:forking", .count = count);
	assert_row(run.snapshot, "processes:work", .count = count);
	run_done(&run);
}

static void a_command_that_vforks_is_counted_exactly(void **state)
{
	uint64_t count = scaled(200, 10);
	struct run run;

	(void)state;
	measure_program("processes", "vforks", number_text(count), &run);
	assert_row(run.snapshot, "processes:forking", .count = count);
	/* A perf event belongs to an address space, which the child borrows: its spans count too. */
	if (strcmp(probekit_snapshot_info(run.snapshot)->attach, "perf_event") == 0)
		assert_row(run.snapshot, "processes:work", .count = 2 * count);
	else
		assert_row(run.snapshot, "processes:work", .count = count);
	run_done(&run);
}

static void a_command_that_executes_itself_is_followed(void **state)
{
	uint64_t count = scaled(5000, 100);
	struct run run;

	(void)state;
	measure_program("processes", "exec_self", number_text(count), &run);
	assert_row(run.snapshot, "processes:replaced", .abandoned = 1);
	assert_row(run.snapshot, "processes:work", .count = 2 * count);
	run_done(&run);
}

/* (What it becomes is measured by path only: the kernel ties a PID's probes to the first
 * thread.) */
static void a_command_that_executes_from_a_thread_abandons_the_spans_of_all(void **state)
{
	struct run run;

	(void)state;
	measure_program("processes", "exec_thread", scaled_text(5000, 100), &run);
	assert_row(run.snapshot, "processes:replaced", .abandoned = 2);
	run_done(&run);
}

static void a_second_program_that_a_command_executes_is_measured(void **state)
{
	uint64_t count = scaled(5000, 100);
	const char *const command[] = {program_path("processes"), "exec_second", number_text(count),
				       NULL};
	struct run run;

	(void)state;
	measure_run(&(struct measure){.command = command, .awaited = "second:own"}, &run);
	assert_int_equal(run.status, 0);
	assert_row(run.snapshot, "processes:replaced", .abandoned = 1);
	assert_row(run.snapshot, "processes:work", .count = 2 * count, .sites = 2);
	assert_row(run.snapshot, "second:own", .count = count);
	run_done(&run);
}

static void a_library_that_a_command_opens_is_measured(void **state)
{
	uint64_t count = scaled(5000, 100);
	const char *const command[] = {program_path("processes"), "open_library",
				       number_text(count), NULL};
	struct run run;

	(void)state;
	measure_run(&(struct measure){.command = command, .awaited = "plugin:own"}, &run);
	assert_int_equal(run.status, 0);
	assert_row(run.snapshot, "processes:work", .count = 3 * count, .sites = 2);
	assert_row(run.snapshot, "plugin:own", .count = count);
	run_done(&run);
}

/* ---- by PID ---- */

static void one_span_in_a_program_and_a_library_is_one_row(void **state)
{
	uint64_t each = scaled(5000, 100);
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child child;

	(void)state;
	child_start_program(&child, "processes", "share_library", each);
	child_go(&child);
	session = measure_start(&(struct measure){.pid = child.pid});
	child_go(&child);
	snapshot = measure_stop(session);
	assert_row(snapshot, "processes:work", .count = 8 * each, .sites = 2);
	assert_row(snapshot, "plugin:own", .count = 4 * each, .sites = 1);
	assert_non_null(strstr(find_row(snapshot, "processes:work")->object, "plugin_spans.so"));
	assert_non_null(strstr(find_row(snapshot, "processes:work")->object, "processes"));
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

static void of_two_processes_only_the_named_one_is_measured(void **state)
{
	uint64_t each = scaled(5000, 100);
	struct child named;
	struct child other;
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;

	(void)state;
	child_start_program(&named, "processes", "repeat", each);
	child_start_program(&other, "processes", "repeat", each);
	session = measure_start(&(struct measure){.pid = named.pid});
	assert_true(child_is_traced(&named));
	child_go(&other);
	child_go(&named);
	snapshot = measure_stop(session);
	assert_row(snapshot, "processes:work", .count = each);
	probekit_snapshot_free(snapshot);
	child_done(&named);
	child_done(&other);
}

static void a_process_that_ends_before_the_start_does_not_stop_the_others(void **state)
{
	uint64_t each = scaled(5000, 100);
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child staying;
	struct child leaving;

	(void)state;
	child_start_program(&leaving, "processes", "repeat", each);
	child_start_program(&staying, "processes", "repeat", each);
	require_measurable(staying.pid);
	assert_int_equal(probekit_session_new(NULL, &session, NULL), 0);
	assert_int_equal(probekit_session_add_pid(session, leaving.pid, NULL), 0);
	assert_int_equal(probekit_session_add_pid(session, staying.pid, NULL), 0);
	child_go(&leaving);
	assert_int_equal(child_end(&leaving), 0);
	assert_int_equal(probekit_session_start(session, NULL), 0);
	child_go(&staying);
	snapshot = measure_stop(session);
	assert_row(snapshot, "processes:work", .count = each);
	probekit_snapshot_free(snapshot);
	child_done(&staying);
	child_done(&leaving);
}

static void two_sessions_count_the_same_spans(void **state)
{
	uint64_t each = scaled(5000, 100);
	struct probekit_session *sessions[2];
	struct probekit_snapshot *snapshot;
	struct child child;

	(void)state;
	child_start_program(&child, "processes", "repeat", each);
	sessions[0] = measure_start(&(struct measure){.pid = child.pid});
	child_go(&child);
	sessions[1] = measure_start(&(struct measure){.path = program_path("processes")});
	child_go(&child);
	snapshot = measure_stop(sessions[0]);
	assert_row(snapshot, "processes:work", .count = 2 * each);
	probekit_snapshot_free(snapshot);
	child_go(&child);
	snapshot = measure_stop(sessions[1]);
	assert_row(snapshot, "processes:work", .count = 2 * each);
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

/* ---- still open ---- */

static const struct probekit_open_span *find_open(const struct probekit_probe *row, int64_t tid)
{
	for (size_t i = 0; i < row->open_count; i++)
		if (row->open[i].tid == tid)
			return &row->open[i];
	return NULL;
}

static void check_stuck_thread(const struct probekit_probe *row, const struct child *child, int i,
			       const uint64_t stopped_ns[2])
{
	const struct probekit_open_span *open;
	char name[32];

	snprintf(name, sizeof(name), "tid-%d", i);
	open = find_open(row, child_truth(child, name));
	assert_non_null(open);
	assert_int_equal(open->pid, child->pid);
	snprintf(name, sizeof(name), "stuck-%d", i);
	assert_string_equal(open->comm, name);
	/* The program's times enclose the begin; ours enclose the stop. */
	snprintf(name, sizeof(name), "after-%d", i);
	assert_true(open->age_ns >= stopped_ns[0] - (uint64_t)child_truth(child, name));
	snprintf(name, sizeof(name), "before-%d", i);
	assert_true(open->age_ns <= stopped_ns[1] - (uint64_t)child_truth(child, name));
}

static void spans_open_at_the_end_are_listed_with_thread_and_age(void **state)
{
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	uint64_t stopped_ns[2];
	struct child child;

	(void)state;
	child_start_program(&child, "threads", "stuck", 5);
	session = measure_start(&(struct measure){.pid = child.pid});
	child_go(&child);
	stopped_ns[0] = monotonic_ns();
	assert_int_equal(probekit_session_stop(session, &err), 0);
	stopped_ns[1] = monotonic_ns();
	snapshot = measure_stop(session);
	assert_row(snapshot, "threads:leaf", .count = 5);
	assert_row(snapshot, "threads:stuck", .open = 5);
	assert_row(snapshot, "threads:keyed", .open = 5);
	for (int i = 0; i < 5; i++)
		check_stuck_thread(find_row(snapshot, "threads:stuck"), &child, i, stopped_ns);
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

static void an_async_span_open_at_the_end_is_listed(void **state)
{
	const struct probekit_open_span *open;
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	uint64_t stopped_ns[2];
	struct child child;

	(void)state;
	child_start_program(&child, "locks", "open_one", 42);
	session = measure_start(&(struct measure){.pid = child.pid});
	child_go(&child);
	stopped_ns[0] = monotonic_ns();
	assert_int_equal(probekit_session_stop(session, &err), 0);
	stopped_ns[1] = monotonic_ns();
	snapshot = measure_stop(session);
	assert_row(snapshot, "locks:request", .open = 1);
	open = find_row(snapshot, "locks:request")->open;
	assert_int_equal(open->pid, child.pid);
	assert_int_equal(open->tid, child_truth(&child, "tid"));
	assert_string_equal(open->comm, "locks");
	assert_true(open->age_ns >= stopped_ns[0] - (uint64_t)child_truth(&child, "after"));
	assert_true(open->age_ns <= stopped_ns[1] - (uint64_t)child_truth(&child, "before"));
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_that_starts_after_attachment_is_measured_whole),
		cmocka_unit_test(every_process_of_a_path_is_measured),
		cmocka_unit_test(threads_of_a_new_process_begin_at_once_and_lose_no_span),
		cmocka_unit_test(a_forked_child_ends_its_parents_span_unmatched),
		cmocka_unit_test(a_vforked_child_leaves_its_parents_span_alone),
		cmocka_unit_test(exec_inside_a_span_abandons_it),
		cmocka_unit_test(exec_from_a_thread_abandons_the_spans_of_all),
		cmocka_unit_test(a_commands_forked_children_are_not_measured),
		cmocka_unit_test(a_command_that_spawns_is_counted_exactly),
		cmocka_unit_test(a_command_that_vforks_is_counted_exactly),
		cmocka_unit_test(a_command_that_executes_itself_is_followed),
		cmocka_unit_test(a_command_that_executes_from_a_thread_abandons_the_spans_of_all),
		cmocka_unit_test(a_second_program_that_a_command_executes_is_measured),
		cmocka_unit_test(a_library_that_a_command_opens_is_measured),
		cmocka_unit_test(one_span_in_a_program_and_a_library_is_one_row),
		cmocka_unit_test(of_two_processes_only_the_named_one_is_measured),
		cmocka_unit_test(a_process_that_ends_before_the_start_does_not_stop_the_others),
		cmocka_unit_test(two_sessions_count_the_same_spans),
		cmocka_unit_test(spans_open_at_the_end_are_listed_with_thread_and_age),
		cmocka_unit_test(an_async_span_open_at_the_end_is_listed),
	};

	return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
