/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions of processes that fork, are replaced, open and close libraries, were inside before we came, or
 * still are when we stop; and functions that cannot or should not be probed. */
#include "calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const leaf_only[] = {"leaf", NULL};

static void check(const struct probekit_snapshot *snapshot, const char *name,
		  struct calls_measured expected)
{
	struct calls_measured is = calls_sum(snapshot, name);

	expected.rows = 1;
	if (memcmp(&is, &expected, sizeof(is)) == 0)
		return;
	fail_msg(
		"%s: %zu rows, count %llu of %llu, abandoned %llu of %llu, unmatched %llu of %llu, too deep %llu, other %llu of %llu",
		name, is.rows, (unsigned long long)is.count, (unsigned long long)expected.count,
		(unsigned long long)is.abandoned, (unsigned long long)expected.abandoned,
		(unsigned long long)is.unmatched, (unsigned long long)expected.unmatched,
		(unsigned long long)is.depth_overflow, (unsigned long long)is.other,
		(unsigned long long)expected.other);
}

#define CHECK(snapshot, name, ...) check(snapshot, name, (struct calls_measured){__VA_ARGS__})

/* A whole run of calls_processes, as a command. */
static void run_command(const char *mode, uint64_t count, const char *const *functions,
			const char *awaited, struct run *run)
{
	const char *const command[] = {program_path("calls_processes"), mode, number_text(count),
				       NULL};

	measure_run(
		&(struct measure){.command = command, .functions = functions, .awaited = awaited},
		run);
	assert_int_equal(run->status, 0);
}

/* The same, measured by path from before it starts. */
static struct probekit_snapshot *run_by_path(const char *mode, uint64_t count,
					     const char *const *functions)
{
	struct probekit_session *session = measure_start(
		&(struct measure){.path = program_path("calls_processes"), .functions = functions});
	struct output output;

	run_captured((const char *const[]){program_path("calls_processes"), mode,
					   number_text(count), NULL},
		     &output);
	assert_int_equal(output.status, 0);
	output_done(&output);
	return measure_stop(session);
}

/* ---- fork and exec ---- */

/* The child returns from what it has not entered. */
static void a_forked_child_returns_unmatched(void **state)
{
	const char *const functions[] = {"leaf", "forks_inside", NULL};
	uint64_t count = scaled(200, 10);
	struct probekit_snapshot *snapshot = run_by_path("forks", count, functions);

	(void)state;
	CHECK(snapshot, "forks_inside", .count = count, .unmatched = count);
	CHECK(snapshot, "leaf", .count = 6 * count);
	probekit_snapshot_free(snapshot);
}

static void forked_children_of_a_command_are_not_measured(void **state)
{
	const char *const functions[] = {"leaf", "forks_inside", NULL};
	uint64_t count = scaled(200, 10);
	struct run run;

	(void)state;
	run_command("forks", count, functions, NULL, &run);
	CHECK(run.snapshot, "forks_inside", .count = count);
	CHECK(run.snapshot, "leaf", .count = 3 * count);
	run_done(&run);
}

static void vfork_and_spawn_inside_a_function_change_nothing(void **state)
{
	const char *const functions[] = {"leaf", "*forks_inside", "spawns_inside", NULL};
	uint64_t count = scaled(200, 10);
	struct run run;

	(void)state;
	run_command("vforks", count, functions, NULL, &run);
	CHECK(run.snapshot, "vforks_inside", .count = count);
	CHECK(run.snapshot, "leaf", .count = 2 * count);
	run_done(&run);
	run_command("spawns", count, functions, NULL, &run);
	CHECK(run.snapshot, "spawns_inside", .count = count);
	CHECK(run.snapshot, "leaf", .count = count);
	run_done(&run);
}

static void exec_inside_a_function_abandons_it(void **state)
{
	const char *const functions[] = {"leaf", "execs_inside", NULL};
	uint64_t count = scaled(2000, 100);
	struct probekit_snapshot *snapshot = run_by_path("execs", count, functions);
	struct run run;

	(void)state;
	CHECK(snapshot, "execs_inside", .abandoned = 1);
	CHECK(snapshot, "leaf", .count = 2 * count);
	probekit_snapshot_free(snapshot);
	run_command("execs", count, functions, NULL, &run);
	CHECK(run.snapshot, "execs_inside", .abandoned = 1);
	CHECK(run.snapshot, "leaf", .count = 2 * count);
	run_done(&run);
}

/* ---- libraries ---- */

static void a_library_that_comes_and_goes_is_counted_exactly(void **state)
{
	const char *const functions[] = {"plugin_calls:plugin_*", "leaf", NULL};
	uint64_t count = scaled(100, 10);
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child child;

	(void)state;
	child_start_program(&child, "calls_processes", "reopens", count);
	child_go(&child); /* opens it */
	session = measure_start(&(struct measure){.pid = child.pid, .functions = functions});
	child_go(&child);
	snapshot = measure_stop(session);
	CHECK(snapshot, "plugin_call", .count = 3 * count);
	CHECK(snapshot, "plugin_leaf", .count = 6 * count);
	CHECK(snapshot, "leaf", .count = count);
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

static void functions_of_a_library_that_a_command_opens_are_measured(void **state)
{
	const char *const functions[] = {"plugin_calls:plugin_*", "leaf", NULL};
	uint64_t count = scaled(100, 10);
	struct run run;

	(void)state;
	run_command("opens_awaited", count, functions, "plugin_leaf", &run);
	CHECK(run.snapshot, "plugin_call", .count = 3 * count);
	CHECK(run.snapshot, "plugin_leaf", .count = 6 * count);
	CHECK(run.snapshot, "leaf", .count = count);
	run_done(&run);
}

/* To what is opened probes are attached one by one; what has its probes already goes on. */
static void a_library_is_counted_exactly_while_another_is_opened(void **state)
{
	const char *const functions[] = {"plugin_calls:plugin_*", "plugin_depths:plugin_*", "leaf",
					 NULL};
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child child;
	uint64_t calls;

	(void)state;
	child_start_program(&child, "calls_processes", "opens_beside", 0);
	session = measure_start(&(struct measure){
		.pid = child.pid, .functions = functions, .options.follow_children = true});
	child_go(&child);
	measure_await_row(session, "plugin_leaf");
	child_go(&child);
	child_go(&child);
	measure_await_row(session, "plugin_descend");
	child_go(&child);
	snapshot = measure_stop(session);
	assert_int_equal(child_end(&child), 0);
	calls = (uint64_t)child_truth(&child, "plugin_call.calls");
	print_message("  %llu calls\n", (unsigned long long)calls);
	CHECK(snapshot, "plugin_call", .count = calls);
	CHECK(snapshot, "plugin_leaf", .count = 2 * calls);
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

/* ---- whom, and when ---- */

static void only_the_named_process_is_measured_and_left_as_before(void **state)
{
	uint64_t each = scaled(2000, 100);
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child named;
	struct child other;

	(void)state;
	child_start_program(&named, "calls_processes", "repeat", each);
	child_start_program(&other, "calls_processes", "repeat", each);
	session = measure_start(&(struct measure){.pid = named.pid, .functions = leaf_only});
	child_go(&named);
	child_go(&other);
	snapshot = measure_stop(session);
	CHECK(snapshot, "leaf", .count = each);
	probekit_snapshot_free(snapshot);
	child_go(&named);
	assert_int_equal(child_end(&named), 0);
	assert_int_equal(child_truth(&named, "leaf.returned"), 2 * each);
	child_done(&named);
	child_done(&other);
}

static void two_sessions_count_the_same_calls(void **state)
{
	uint64_t each = scaled(2000, 100);
	struct probekit_session *sessions[2];
	struct probekit_snapshot *snapshot;
	struct child child;

	(void)state;
	child_start_program(&child, "calls_processes", "repeat", each);
	sessions[0] = measure_start(&(struct measure){.pid = child.pid, .functions = leaf_only});
	child_go(&child);
	sessions[1] = measure_start(
		&(struct measure){.path = program_path("calls_processes"), .functions = leaf_only});
	child_go(&child);
	snapshot = measure_stop(sessions[0]);
	CHECK(snapshot, "leaf", .count = 2 * each);
	probekit_snapshot_free(snapshot);
	child_go(&child);
	snapshot = measure_stop(sessions[1]);
	CHECK(snapshot, "leaf", .count = 2 * each);
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

/* Its return may be seen, as one that was under way. */
static void a_call_that_began_before_us_is_not_counted(void **state)
{
	const char *const functions[] = {"leaf", "inside", NULL};
	uint64_t count = scaled(2000, 100);
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct calls_measured inside;
	struct child child;

	(void)state;
	child_start(&child, (const char *const[]){program_path("calls_processes"), "enters",
						  number_text(count), NULL});
	child_wait_line(&child, "inside");
	session = measure_start(&(struct measure){.pid = child.pid, .functions = functions});
	child_tell(&child, "go");
	measure_wait(session);
	snapshot = measure_stop(session);
	assert_int_equal(child_end(&child), 0);
	inside = calls_sum(snapshot, "inside");
	assert_int_equal(inside.count + inside.abandoned + inside.unmatched, 0);
	assert_true(inside.other <= 1);
	CHECK(snapshot, "leaf", .count = count + 1);
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

/* Its open calls are in no count then, and that is told. */
static void ends_of_threads_that_the_kernel_does_not_tell_are_told(void **state)
{
	const char *const functions[] = {"run_exit", "leaves", "work", NULL};
	uint64_t count = scaled(200, 40);
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child child;
	uint64_t abandoned;

	(void)state;
	setenv("PROBEKIT_LOSE_TASKS", "2", 1);
	child_start_program(&child, "calls_threads", "thread_exits", count);
	session = measure_start(&(struct measure){.pid = child.pid, .functions = functions});
	child_go(&child);
	snapshot = measure_stop(session);
	abandoned = calls_sum(snapshot, "run_exit").abandoned;
	print_message("  %llu of %llu told\n", (unsigned long long)abandoned,
		      (unsigned long long)count);
	assert_in_range(abandoned, 1, count - 1);
	CHECK(snapshot, "run_exit", .abandoned = abandoned);
	CHECK(snapshot, "leaves", .abandoned = abandoned);
	CHECK(snapshot, "work", .count = count);
	assert_true(probekit_snapshot_info(snapshot)->lost.tasks_missed >= count - abandoned);
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

static int lose_nothing(void **state)
{
	(void)state;
	return unsetenv("PROBEKIT_LOSE_TASKS");
}

static void calls_open_at_the_end_are_listed(void **state)
{
	const char *const functions[] = {"stuck", "work", NULL};
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child child;

	(void)state;
	child_start_program(&child, "calls_threads", "stay_inside", 20);
	session = measure_start(&(struct measure){.pid = child.pid, .functions = functions});
	child_go(&child);
	snapshot = measure_stop(session);
	CHECK(snapshot, "work", .count = 20);
	CHECK(snapshot, "stuck", .other = 8);
	assert_int_equal(find_row(snapshot, "stuck")->open_count, 8);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(find_row(snapshot, "stuck")->open[i].pid, child.pid);
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

/* ---- what is not probed ---- */

/* Never a count of 0 without a word, and never a target that dies. */
static void a_function_that_kernels_refuse_is_refused_or_counted(void **state)
{
	static const char *const names[] = {"by_lock", "by_pushf", "by_nop10", "by_loop"};
	const char *const command[] = {program_path("calls_entries"), "refused", "100", NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct output output;

		run_cli((const char *const[]){"latency", "--force", "-f", names[i], "--json", "--",
					      command[0], command[1], command[2], NULL},
			&output);
		if (output.status == 1 && strstr(output.err, names[i])) {
			output_done(&output);
			continue;
		}
		if (output.status == 3) {
			print_message("skipped: needs tracing: %s\n", output.err);
			output_done(&output);
			skip();
		}
		if (output.status != 0 || !strstr(output.out, "\"count\": 100") ||
		    !strstr(output.out, "\"child_status\": 0"))
			fail_msg("%s: status %d, %s%s", names[i], output.status, output.err,
				 output.out);
		output_done(&output);
	}
}

struct warning {
	bool is_said;
};

static void note_warning(void *arg, enum probekit_log_level level, const char *line)
{
	struct warning *warning = arg;

	warning->is_said |= level == PROBEKIT_LOG_WARNING && strstr(line, "'work'") != NULL;
}

/* Millions of calls a second, of which each would take longer to probe than to do. */
static void a_function_too_hot_is_dropped_and_named(void **state)
{
	const char *const functions[] = {"work", "run_exit", NULL};
	const char *const command[] = {program_path("calls_threads"), "hot", "300000", NULL};
	struct warning warning = {false};
	struct run run;

	(void)state;
	require_tracing();
	if (test_scale() > 1) {
		print_message("skipped: needs native, as nobody knows what is hot when emulated\n");
		skip();
	}
	measure_run(&(struct measure){.command = command,
				      .functions = functions,
				      .options = {.max_overhead = 0.05,
						  .log = note_warning,
						  .log_arg = &warning}},
		    &run);
	assert_int_equal(run.status, 0);
	assert_true(warning.is_said);
	assert_true(find_row(run.snapshot, "work")->dropped_after_ns > 0);
	assert_int_equal(find_row(run.snapshot, "run_exit")->dropped_after_ns, 0);
	run_done(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_forked_child_returns_unmatched),
		cmocka_unit_test(forked_children_of_a_command_are_not_measured),
		cmocka_unit_test(vfork_and_spawn_inside_a_function_change_nothing),
		cmocka_unit_test(exec_inside_a_function_abandons_it),
		cmocka_unit_test(a_library_that_comes_and_goes_is_counted_exactly),
		cmocka_unit_test(functions_of_a_library_that_a_command_opens_are_measured),
		cmocka_unit_test(a_library_is_counted_exactly_while_another_is_opened),
		cmocka_unit_test(only_the_named_process_is_measured_and_left_as_before),
		cmocka_unit_test(two_sessions_count_the_same_calls),
		cmocka_unit_test(a_call_that_began_before_us_is_not_counted),
		cmocka_unit_test_teardown(ends_of_threads_that_the_kernel_does_not_tell_are_told,
					  lose_nothing),
		cmocka_unit_test(calls_open_at_the_end_are_listed),
		cmocka_unit_test(a_function_that_kernels_refuse_is_refused_or_counted),
		cmocka_unit_test(a_function_too_hot_is_dropped_and_named),
	};

	return cmocka_run_group_tests_name("functions of processes", tests, NULL, NULL);
}
