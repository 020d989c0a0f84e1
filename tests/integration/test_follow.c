/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes that are found while measuring: children. */
#include "follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TREE (FAMILY_WIDTH + FAMILY_WIDTH * FAMILY_WIDTH)

static size_t process_count(struct probekit_session *session)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	size_t count;

	if (probekit_session_snapshot(session, &snapshot, &err))
		fail_msg("%s", err.text);
	count = probekit_snapshot_info(snapshot)->pid_count;
	probekit_snapshot_free(snapshot);
	return count;
}

/* ---- children ---- */

static struct probekit_session *start_with_children(const struct child *child)
{
	return measure_start(&(struct measure){
		.pid = child->pid,
		.options = {.follow_children = true},
	});
}

/* A family whose descendants exist, are measured, and have then run; a second family is a bystander. */
static struct probekit_snapshot *measure_family(const char *mode, uint64_t each, size_t descendants,
						const char *awaited)
{
	struct probekit_session *session;
	struct child family;
	struct child bystander;

	child_start_program(&family, "family", mode, each);
	child_start_program(&bystander, "family", mode, each);
	session = start_with_children(&family);
	child_go(&bystander);
	child_go(&family);
	measure_await_processes(session, 1 + descendants);
	if (awaited)
		measure_await_row(session, awaited);
	child_go(&bystander);
	child_go(&family);
	measure_await_processes(session, 1); /* those that have ended are forgotten */
	assert_int_equal(child_end(&family), 0);
	assert_int_equal(child_end(&bystander), 0);
	measure_wait(session);
	child_done(&family);
	child_done(&bystander);
	return measure_stop(session);
}

static void children_are_measured(void **state)
{
	uint64_t each = scaled(5000, 100);
	struct probekit_snapshot *snapshot = measure_family("fork", each, FAMILY_WIDTH, NULL);

	(void)state;
	assert_row(snapshot, "family:work", .count = (1 + FAMILY_WIDTH) * each);
	probekit_snapshot_free(snapshot);
}

static void grandchildren_are_measured(void **state)
{
	uint64_t each = scaled(5000, 100);
	struct probekit_snapshot *snapshot = measure_family("tree", each, TREE, NULL);

	(void)state;
	assert_row(snapshot, "family:work", .count = (1 + TREE) * each);
	probekit_snapshot_free(snapshot);
}

static void what_children_execute_is_measured(void **state)
{
	uint64_t each = scaled(5000, 100);
	struct probekit_snapshot *snapshot =
		measure_family("exec", each, FAMILY_WIDTH, "second:own");

	(void)state;
	assert_row(snapshot, "family:work", .count = each);
	assert_row(snapshot, "second:own", .count = FAMILY_WIDTH * each);
	assert_row(snapshot, "processes:work", .count = FAMILY_WIDTH * each);
	probekit_snapshot_free(snapshot);
}

/* They borrow their parent's memory until then. */
static void what_is_spawned_is_measured(void **state)
{
	uint64_t each = scaled(5000, 100);
	struct probekit_snapshot *snapshot =
		measure_family("spawn", each, FAMILY_WIDTH, "second:own");

	(void)state;
	assert_row(snapshot, "family:work", .count = each);
	assert_row(snapshot, "second:own", .count = FAMILY_WIDTH * each);
	probekit_snapshot_free(snapshot);
}

static void what_the_kernel_does_not_tell_is_found(void **state)
{
	setenv("PROBEKIT_LOSE_TASKS", "1", 1);
	what_children_execute_is_measured(state);
	what_is_spawned_is_measured(state);
	setenv("PROBEKIT_LOSE_TASKS", "2", 1);
	grandchildren_are_measured(state);
}

static int lose_nothing(void **state)
{
	(void)state;
	unsetenv("PROBEKIT_LOSE_TASKS");
	return 0;
}

static void only_the_given_file_is_measured_in_children(void **state)
{
	uint64_t each = scaled(5000, 100);
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child family;

	(void)state;
	child_start_program(&family, "family", "exec", each);
	session = measure_start(&(struct measure){
		.path = program_path("second"),
		.pid = family.pid,
		.options = {.follow_children = true},
	});
	child_go(&family);
	measure_await_processes(session, 1 + FAMILY_WIDTH);
	child_go(&family);
	snapshot = measure_stop(session);
	assert_row(snapshot, "second:own", .count = FAMILY_WIDTH * each);
	assert_null(find_row(snapshot, "family:work"));
	probekit_snapshot_free(snapshot);
	child_done(&family);
}

static void without_the_option_children_are_not_measured(void **state)
{
	uint64_t each = scaled(5000, 100);
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child family;

	(void)state;
	child_start_program(&family, "family", "fork", each);
	session = measure_start(&(struct measure){.pid = family.pid});
	child_go(&family);
	child_go(&family);
	assert_int_equal(process_count(session), 1);
	snapshot = measure_stop(session);
	assert_row(snapshot, "family:work", .count = each);
	probekit_snapshot_free(snapshot);
	child_done(&family);
}

static void a_commands_children_are_measured(void **state)
{
	uint64_t each = scaled(5000, 100);
	const char *const command[] = {program_path("family"), "command", number_text(each), NULL};
	struct run run;

	(void)state;
	measure_run(
		&(struct measure){
			.command = command,
			.awaited_processes = 1 + FAMILY_WIDTH,
			.options = {.follow_children = true},
		},
		&run);
	assert_int_equal(run.status, 0);
	assert_row(run.snapshot, "family:work", .count = (2 + FAMILY_WIDTH) * each);
	run_done(&run);
}

/* ---- children that end too soon ---- */

struct log {
	size_t missed;
	size_t lines;
};

static void note_missed(void *arg, enum probekit_log_level level, const char *line)
{
	struct log *log = arg;

	if (level == PROBEKIT_LOG_WARNING && strstr(line, "ended before they could be measured")) {
		log->missed = strtoul(line, NULL, 10);
		log->lines++;
	}
}

static void children_that_end_unseen_are_counted_and_told_once(void **state)
{
	struct log log = {0};
	struct probekit_session *session;
	struct child family;

	(void)state;
	child_start_program(&family, "family", "brief", 1);
	session = measure_start(&(struct measure){
		.pid = family.pid,
		.options = {.follow_children = true, .log = note_missed, .log_arg = &log},
	});
	child_go(&family);
	measure_await_processes(session, 1);
	probekit_snapshot_free(measure_stop(session));
	assert_int_equal(log.missed, child_truth(&family, "brief"));
	assert_int_equal(log.lines, 1);
	child_done(&family);
}

/* Of processes and links; files are opened for other reasons too. */
static size_t count_descriptors(void)
{
	char path[64];
	char target[32];
	size_t count = 0;

	for (int fd = 0; fd < 4096; fd++) {
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, target, sizeof(target));
		count += length > 11 && strncmp(target, "anon_inode:", 11) == 0;
	}
	return count;
}

static void nothing_is_kept_of_children_that_have_ended(void **state)
{
	struct log log = {0};
	struct probekit_session *session;
	struct probekit_error err;
	struct child family;
	uint64_t since = 0;
	size_t before;

	(void)state;
	child_start_program(&family, "family", "churn", scaled(300, 30));
	session = measure_start(&(struct measure){
		.pid = family.pid,
		.options = {.follow_children = true, .log = note_missed, .log_arg = &log},
	});
	before = count_descriptors();
	child_tell(&family, "go");
	close(family.in); /* so that it ends afterwards */
	family.in = -1;
	measure_wait(session);
	while (count_descriptors() > before) {
		assert_true(probekit_session_poll(session, 10, &err) >= 0);
		if (!keep_waiting(&since, 30))
			fail_msg("%zu descriptors, %zu before", count_descriptors(), before);
	}
	probekit_snapshot_free(measure_stop(session));
	child_done(&family);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH_WAYS(children_are_measured),
		BOTH_WAYS(grandchildren_are_measured),
		BOTH_WAYS(what_children_execute_is_measured),
		BOTH_WAYS(what_is_spawned_is_measured),
		cmocka_unit_test_teardown(what_the_kernel_does_not_tell_is_found, lose_nothing),
		BOTH_WAYS(only_the_given_file_is_measured_in_children),
		BOTH_WAYS(without_the_option_children_are_not_measured),
		BOTH_WAYS(a_commands_children_are_measured),
		cmocka_unit_test(children_that_end_unseen_are_counted_and_told_once),
		BOTH_WAYS(nothing_is_kept_of_children_that_have_ended),
	};

	return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}
