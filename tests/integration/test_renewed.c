/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that stay when the guard drops others, whose probes are renewed for it: not one of their calls is
 * lost, and none of the others' is told as lost (programs/renewed.c). */
#include "calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define BUSY 3
#define OPEN_CALLS 6 /* at a time, at most: two in each thread */
#define FILES 4096   /* more than are ever open here */

struct dropping {
	bool is_dropped[BUSY];
	bool is_missing_calls;
};

static void note_warning(void *arg, enum probekit_log_level level, const char *line)
{
	struct dropping *dropping = arg;
	char name[16];

	for (int i = 0; level == PROBEKIT_LOG_WARNING && i < BUSY; i++) {
		snprintf(name, sizeof(name), "'busy_%d'", i);
		dropping->is_dropped[i] |= strncmp(line, name, strlen(name)) == 0;
	}
	dropping->is_missing_calls |= strstr(line, "are missed for a moment") != NULL;
}

static void await_drop(struct probekit_session *session, const bool *is_dropped)
{
	struct probekit_error err;
	uint64_t since = 0;

	while (!*is_dropped) {
		if (!keep_waiting(&since, 60))
			fail_msg("a function that is called without a pause is not dropped");
		if (probekit_session_poll(session, 10, &err) < 0)
			fail_msg("%s", err.text);
	}
}

/* A perf event's return is seen by those alone that saw the entry (since Linux 6.13, commit 4d756095d399): calls
 * that are open meanwhile are counted as abandoned. */
static void check_kept(const struct probekit_snapshot *snapshot, const struct child *child,
		       const char *name)
{
	bool is_exact = strcmp(probekit_snapshot_info(snapshot)->attach, "perf_event") != 0;
	struct calls_measured is = calls_sum(snapshot, name);
	char truth[32];
	uint64_t calls;

	snprintf(truth, sizeof(truth), "%s.calls", name);
	calls = (uint64_t)child_truth(child, truth);
	assert_int_equal(is.rows, 1);
	assert_int_equal(find_row(snapshot, name)->dropped_after_ns, 0);
	if (is.count + is.abandoned != calls || (is_exact && is.abandoned) || is.unmatched ||
	    is.depth_overflow || is.other)
		fail_msg(
			"%s: %llu of %llu calls, abandoned %llu, unmatched %llu, too deep %llu, other %llu",
			name, (unsigned long long)is.count, (unsigned long long)calls,
			(unsigned long long)is.abandoned, (unsigned long long)is.unmatched,
			(unsigned long long)is.depth_overflow, (unsigned long long)is.other);
	assert_in_range(is.abandoned, 0, BUSY * OPEN_CALLS);
	print_message("  %s: %llu calls, %llu abandoned\n", name, (unsigned long long)calls,
		      (unsigned long long)is.abandoned);
}

static void check_dropped(const struct probekit_snapshot *snapshot, const struct child *child,
			  const char *name)
{
	struct calls_measured is = calls_sum(snapshot, name);
	char truth[32];

	snprintf(truth, sizeof(truth), "%s.calls", name);
	assert_int_equal(is.rows, 1);
	assert_in_range(is.count, 1, (uint64_t)child_truth(child, truth));
	assert_int_equal(is.abandoned + is.unmatched + is.depth_overflow + is.other, 0);
	assert_true(find_row(snapshot, name)->dropped_after_ns > 0);
}

static void drop_in_turn(const char *program, bool is_by_path)
{
	const char *const functions[] = {"outer", "inner", "busy_*", NULL};
	struct dropping dropping = {0};
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child child;

	child_start_program(&child, program, "take_turns", test_scale() > 1 ? 50000 : 10000);
	session = measure_start(&(struct measure){
		.path = is_by_path ? program_path(program) : NULL,
		.pid = is_by_path ? 0 : child.pid,
		.functions = functions,
		.options = {.max_overhead = 0.1, .log = note_warning, .log_arg = &dropping}});
	child_tell(&child, "go");
	for (int i = 0; i < BUSY; i++) {
		await_drop(session, &dropping.is_dropped[i]);
		child_tell(&child, "go");
	}
	child_wait_line(&child, "done");
	snapshot = measure_stop(session);
	assert_int_equal(child_end(&child), 0);
	check_kept(snapshot, &child, "outer");
	check_kept(snapshot, &child, "inner");
	check_dropped(snapshot, &child, "busy_0");
	check_dropped(snapshot, &child, "busy_1");
	check_dropped(snapshot, &child, "busy_2");
	assert_false(dropping.is_missing_calls);
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

/* ---- few descriptors ---- */

static struct rlimit limit_before;
static rlim_t files_needed; /* by a session that has attached all, without a second link of any */

static rlim_t count_files(void)
{
	rlim_t count = 0;

	for (int fd = 0; fd < FILES; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void limit_files(rlim_t soft)
{
	const struct rlimit limit = {soft, limit_before.rlim_max};

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void await_calls(struct probekit_session *session)
{
	uint64_t before = measure_count(session, "outer");
	struct probekit_error err;
	uint64_t since = 0;

	while (measure_count(session, "outer") <= before + OPEN_CALLS) {
		if (!keep_waiting(&since, 60))
			fail_msg("no call of outer() is seen any more");
		if (probekit_session_poll(session, 10, &err) < 0)
			fail_msg("%s", err.text);
	}
}

/* There is room for half of the new links of those that stay. The hard limit could not be raised again, so it is
 * the soft one that is lowered, once the session has raised it. */
static void measure_goes_on_without_room(void)
{
	const char *const functions[] = {"outer", "inner", "busy_*", NULL};
	struct dropping dropping = {0};
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child child;

	child_start_program(&child, "renewed", "take_turns", 10000);
	session = measure_start(&(struct measure){
		.pid = child.pid,
		.functions = functions,
		.options = {.max_overhead = 0.1, .log = note_warning, .log_arg = &dropping}});
	files_needed = count_files();
	limit_files(files_needed + 4);
	child_tell(&child, "go");
	for (int i = 0; i < BUSY; i++) {
		await_drop(session, &dropping.is_dropped[i]);
		await_calls(session);
		child_tell(&child, "go");
	}
	child_wait_line(&child, "done");
	snapshot = measure_stop(session);
	limit_files(limit_before.rlim_cur);
	assert_int_equal(child_end(&child), 0);
	assert_true(dropping.is_missing_calls);
	assert_in_range(find_row(snapshot, "outer")->count, OPEN_CALLS,
			(uint64_t)child_truth(&child, "outer.calls"));
	assert_int_equal(find_row(snapshot, "outer")->dropped_after_ns, 0);
	assert_int_equal(find_row(snapshot, "inner")->dropped_after_ns, 0);
	check_dropped(snapshot, &child, "busy_2");
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

static void no_call_is_lost_where_returns_are_probed(void **state)
{
	(void)state;
	drop_in_turn("renewed", false);
}

static void no_call_is_lost_where_exits_are_probed(void **state)
{
	(void)state;
	drop_in_turn("renewed_exits", false);
}

/* What differs is the library's alone. */
static void skip_emulated(void)
{
	require_tracing();
	if (test_scale() > 1) {
		print_message("skipped: needs native, as the kernel does nothing else here\n");
		skip();
	}
}

static void no_call_is_lost_of_all_that_run_a_file(void **state)
{
	(void)state;
	skip_emulated();
	drop_in_turn("renewed", true);
}

/* Which guests without uprobe_multi have anyway. */
static void no_call_is_untold_by_perf_events(void **state)
{
	(void)state;
	skip_emulated();
	drop_in_turn("renewed", false);
}

static void too_few_descriptors_end_no_measurement(void **state)
{
	(void)state;
	skip_emulated();
	measure_goes_on_without_room();
}

/* By the soft limit only: what the hard one allows is taken, and given back. */
static void no_call_is_missed_for_a_soft_limit(void **state)
{
	struct rlimit limit;

	(void)state;
	skip_emulated();
	assert_true(files_needed > 0);
	limit_files(files_needed + 4);
	drop_in_turn("renewed", false);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(limit.rlim_cur, files_needed + 4);
}

static int deny(void **state)
{
	(void)state;
	getrlimit(RLIMIT_NOFILE, &limit_before);
	return setenv("PROBEKIT_DISABLE_FEATURES", "uprobe_multi,uprobe_multi_pid", 1);
}

static int allow(void **state)
{
	(void)state;
	setrlimit(RLIMIT_NOFILE, &limit_before);
	return unsetenv("PROBEKIT_DISABLE_FEATURES");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_call_is_lost_where_returns_are_probed),
		cmocka_unit_test(no_call_is_lost_where_exits_are_probed),
		cmocka_unit_test(no_call_is_lost_of_all_that_run_a_file),
		cmocka_unit_test_setup_teardown(no_call_is_untold_by_perf_events, deny, allow),
		cmocka_unit_test_setup_teardown(too_few_descriptors_end_no_measurement, deny,
						allow),
		cmocka_unit_test_setup_teardown(no_call_is_missed_for_a_soft_limit, deny, allow),
	};

	return cmocka_run_group_tests_name("renewed", tests, NULL, NULL);
}
