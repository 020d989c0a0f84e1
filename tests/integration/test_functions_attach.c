/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that are left out or detached while others are measured: what the others say stays true. */
#include "measure.h"

#include <stdio.h>
#include <string.h>

#define LINE_BYTES 1024

struct prepared {
	const char *const *functions; /* NULL-terminated */
};

static int add_functions(struct probekit_session *session, void *arg, struct probekit_error *err)
{
	const struct prepared *prepared = arg;
	int result = 0;

	for (size_t i = 0; prepared->functions[i] && !result; i++)
		result = probekit_session_add_function(session, prepared->functions[i], err);
	return result;
}

static void poll_session(struct probekit_session *session)
{
	struct probekit_error err;

	if (probekit_session_poll(session, 50, &err) < 0)
		fail_msg("%s", err.text);
}

static bool is_dropped(struct probekit_session *session, const char *name)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	bool dropped;

	if (probekit_session_snapshot(session, &snapshot, &err))
		fail_msg("%s", err.text);
	dropped = find_row(snapshot, name)->dropped_after_ns != 0;
	probekit_snapshot_free(snapshot);
	return dropped;
}

/* A call is open while the batch is attached anew. */
static void dropping_a_function_makes_no_call_of_another_longer(void **state)
{
	const char *const functions[] = {"tick", "busy", NULL};
	struct prepared prepared = {functions};
	struct probekit_snapshot *snapshot;
	struct probekit_session *session;
	const struct probekit_probe *row;
	struct child child;
	uint64_t since = 0;

	(void)state;
	child_start_program(&child, "dropped", "burst", 1000);
	session = measure_start(&(struct measure){
		.pid = child.pid, .prepare = add_functions, .prepare_arg = &prepared});
	child_tell(&child, "go");
	while (!is_dropped(session, "busy")) {
		if (!keep_waiting(&since, 60))
			fail_msg("a function that is called without a pause is not dropped");
		poll_session(session);
	}
	child_tell(&child, "go");
	child_wait_line(&child, "done");
	snapshot = measure_stop(session);
	row = find_row(snapshot, "tick");
	assert_row(snapshot, "tick", .count = (uint64_t)child_truth(&child, "ticks"));
	assert_true(row->max <= child_truth(&child, "longest_ns"));
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

static void keep_warning(void *arg, enum probekit_log_level level, const char *line)
{
	if (level == PROBEKIT_LOG_WARNING)
		snprintf(arg, LINE_BYTES, "%s", line);
}

static void what_the_kernel_refuses_is_left_out_and_named(void **state)
{
	const char *const functions[] = {"tick", "busy", "refused", "burst", NULL};
	struct prepared prepared = {functions};
	struct probekit_snapshot *snapshot;
	struct probekit_session *session;
	char warning[LINE_BYTES] = "";
	bool is_refused; /* Linux 7.2 takes it */
	struct child child;

	(void)state;
#ifndef __x86_64__
	skip();
#endif
	child_start_program(&child, "dropped", "burst", 0);
	session = measure_start(&(struct measure){
		.pid = child.pid,
		.prepare = add_functions,
		.prepare_arg = &prepared,
		.options = {.max_overhead = -1, .log = keep_warning, .log_arg = warning}});
	is_refused = strstr(warning, "'refused' is not measured") != NULL;
	assert_true(is_refused || !*warning);
	child_tell(&child, "go");
	child_tell(&child, "go");
	child_wait_line(&child, "done");
	snapshot = measure_stop(session);
	assert_true(is_refused == !find_row(snapshot, "refused"));
	assert_row(snapshot, "tick", .count = (uint64_t)child_truth(&child, "ticks"));
	assert_row(snapshot, "burst", .count = 1);
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

static void a_measurement_of_what_the_kernel_refuses_alone_fails(void **state)
{
	const char *pid;
	struct output output;
	struct child child;

	(void)state;
#ifndef __x86_64__
	skip();
#endif
	require_tracing();
	child_start_program(&child, "dropped", "burst", 0);
	pid = number_text((uint64_t)child.pid);
	run_cli((const char *const[]){"latency", "-d", "1", "-f", "refused", "-p", pid, NULL},
		&output);
	child_done(&child);
	/* where it is refused at all */
	assert_int_equal(output.status, strstr(output.err, "'refused' is not measured") ? 1 : 0);
	output_done(&output);
}

/* Calls that are too deep to be recorded end, and so do their parts, which never were calls. */
static void calls_that_are_too_deep_are_counted_as_that_alone(void **state)
{
	const char *const functions[] = {"deep", NULL};
	const char *const command[] = {program_path("split"), "recurse", "40", NULL};
	struct prepared prepared = {functions};
	struct run run;

	(void)state;
	measure_run(&(struct measure){.command = command,
				      .prepare = add_functions,
				      .prepare_arg = &prepared},
		    &run);
	assert_row(run.snapshot, "deep", .count = 32, .depth_overflow = 8);
	run_done(&run);
}

static void patterns_may_name_the_same_function(void **state)
{
	const char *const functions[] = {"tick", "*ick", NULL};
	struct prepared prepared = {functions};
	struct probekit_snapshot *snapshot;
	struct probekit_session *session;
	struct child child;

	(void)state;
	child_start_program(&child, "dropped", "burst", 0);
	session = measure_start(&(struct measure){
		.pid = child.pid, .prepare = add_functions, .prepare_arg = &prepared});
	child_tell(&child, "go");
	child_tell(&child, "go");
	child_wait_line(&child, "done");
	snapshot = measure_stop(session);
	assert_row(snapshot, "tick", .count = (uint64_t)child_truth(&child, "ticks"), .sites = 1);
	assert_int_equal(probekit_snapshot_size(snapshot), 1);
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

static void a_pattern_without_match_is_not_blamed_on_another_ones_functions(void **state)
{
	struct output output;

	(void)state;
	run_cli((const char *const[]){"latency", "-f", "*", "-f", "nothing_*",
				      program_path("dropped"), NULL},
		&output);
	assert_int_equal(output.status, 1);
	assert_non_null(strstr(output.err, "no function matches 'nothing_*'"));
	assert_non_null(strstr(output.err, "functions that match '*' cannot be probed; '"));
	output_done(&output);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dropping_a_function_makes_no_call_of_another_longer),
		cmocka_unit_test(what_the_kernel_refuses_is_left_out_and_named),
		cmocka_unit_test(a_measurement_of_what_the_kernel_refuses_alone_fails),
		cmocka_unit_test(calls_that_are_too_deep_are_counted_as_that_alone),
		cmocka_unit_test(patterns_may_name_the_same_function),
		cmocka_unit_test(a_pattern_without_match_is_not_blamed_on_another_ones_functions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
