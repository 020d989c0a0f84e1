/* SPDX-License-Identifier: BSD-2-Clause */
/* Probekit in a container of its own, as these tests are: what it is told, and tells, is by the container's numbers,
 * which are not the kernel's. */
#include "container.h"
#include "follow.h"
#include "lock_runs.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- spans ---- */

static void spans_are_told_with_their_threads_and_stacks(void **state)
{
	struct support_child probekit, app;
	const json_t *cause;
	const json_t *row;
	json_t *snapshot;

	(void)state;
	support_start(&app, NULL, (const char *const[]){support_program("contained"), "50", NULL});
	assert_true(support_wait_text(&app, &app.out, "ready"));
	support_start_intervals(&probekit, app.pid, "contained:request");
	support_write(&app, "go\n");
	assert_true(support_wait_text(&app, &app.out, "did 50\n"));
	snapshot = support_end_intervals(&probekit);
	row = support_row(snapshot, "contained:request");
	assert_int_equal(support_integer(row, "count"), 50);
	assert_int_equal(support_integer(json_array_get(json_object_get(row, "slowest"), 0), "tid"),
			 app.pid);
	cause = json_array_get(json_object_get(row, "causes"), 0);
	if (!strstr(json_dumps(json_object_get(cause, "stack"), 0), "\"linger\""))
		fail_msg("%s", json_dumps(cause, 0));
	json_decref(snapshot);
	support_done(&probekit);
	support_done(&app);
}

static void open_spans_are_told_with_their_threads(void **state)
{
	const char *const words[] = {support_probekit(),       "latency",  "--json", "--",
				     support_program("stuck"), "deadlock", "1",	     NULL};
	struct support_child probekit;
	json_t *snapshot;
	json_t *open;
	json_t *span;
	size_t i;

	(void)state;
	support_start(&probekit, NULL, words);
	assert_true(support_wait_text(&probekit, &probekit.err, "\nstuck "));
	snapshot = support_end_measuring(&probekit);
	open = json_object_get(support_row(snapshot, "stuck:span"), "open");
	assert_int_equal(json_array_size(open), 3);
	json_array_foreach (open, i, span)
		assert_int_equal(support_integer(span, "tid"),
				 support_number(probekit.err.text,
						json_string_value(json_object_get(span, "comm"))));
	json_decref(snapshot);
	support_done(&probekit);
}

/* ---- processes ---- */

static void what_children_execute_is_measured(void **state)
{
	uint64_t each = scaled(5000, 100);
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child family;

	(void)state;
	child_start_program(&family, "family", "exec", each);
	session = measure_start(&(struct measure){
		.pid = family.pid,
		.options = {.follow_children = true},
	});
	child_go(&family);
	measure_await_processes(session, 1 + FAMILY_WIDTH);
	measure_await_row(session, "second:own");
	child_go(&family);
	snapshot = measure_stop(session);
	assert_row(snapshot, "family:work", .count = each);
	assert_row(snapshot, "second:own", .count = FAMILY_WIDTH * each);
	probekit_snapshot_free(snapshot);
	child_done(&family);
}

/* ---- the container ---- */

static const struct lock_kind kinds[] = {
	{.name = "a_mutex",
	 .program = "lock_kinds",
	 .mode = "mutex",
	 .kind = "mutex",
	 .is_owned = true,
	 .holder = "linger_with_it",
	 .waiter = "want_it",
	 .does = "clock_nanosleep"},
	{.name = "a_mutex_that_processes_share",
	 .program = "lock_kinds",
	 .mode = "mutex_shared",
	 .kind = "mutex",
	 .has_no_symbol = true,
	 .is_owned = true,
	 .holder = "linger_with_it",
	 .waiter = "want_it",
	 .does = "clock_nanosleep",
	 .has_processes = true},
};

static int run_inside(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_are_told_with_their_threads_and_stacks),
		cmocka_unit_test(open_spans_are_told_with_their_threads),
		BOTH_WAYS(what_children_execute_is_measured),
		LOCK_KIND_TEST(&kinds[0]),
		LOCK_KIND_TEST(&kinds[1]),
	};

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/proc", "proc", 0, NULL)) {
		perror("cannot mount /proc");
		return 1;
	}
	return cmocka_run_group_tests_name("inside", tests, NULL, NULL);
}

static void a_container_can_be_entered(void **state)
{
	(void)state;
	container_require();
}

int main(void)
{
	const struct CMUnitTest entry[] = {cmocka_unit_test(a_container_can_be_entered)};
	int status;
	pid_t pid;

	if (geteuid() != 0 || unshare(CLONE_NEWPID | CLONE_NEWNS))
		return cmocka_run_group_tests_name("inside", entry, NULL, NULL);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		status = run_inside();
		fflush(NULL);
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
