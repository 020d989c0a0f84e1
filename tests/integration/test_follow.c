/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes that are found while measuring: children, and those of a cgroup. */
#include "measure.h"

#include <errno.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WIDTH 3 /* children of a process of "family" */
#define BUSY 2
#define TREE (WIDTH + WIDTH * WIDTH)

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
	struct probekit_snapshot *snapshot = measure_family("fork", each, WIDTH, NULL);

	(void)state;
	assert_row(snapshot, "family:work", .count = (1 + WIDTH) * each);
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
	struct probekit_snapshot *snapshot = measure_family("exec", each, WIDTH, "second:own");

	(void)state;
	assert_row(snapshot, "family:work", .count = each);
	assert_row(snapshot, "second:own", .count = WIDTH * each);
	assert_row(snapshot, "processes:work", .count = WIDTH * each);
	probekit_snapshot_free(snapshot);
}

/* They borrow their parent's memory until then. */
static void what_is_spawned_is_measured(void **state)
{
	uint64_t each = scaled(5000, 100);
	struct probekit_snapshot *snapshot = measure_family("spawn", each, WIDTH, "second:own");

	(void)state;
	assert_row(snapshot, "family:work", .count = each);
	assert_row(snapshot, "second:own", .count = WIDTH * each);
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
	measure_await_processes(session, 1 + WIDTH);
	child_go(&family);
	snapshot = measure_stop(session);
	assert_row(snapshot, "second:own", .count = WIDTH * each);
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
			.awaited_processes = 1 + WIDTH,
			.options = {.follow_children = true},
		},
		&run);
	assert_int_equal(run.status, 0);
	assert_row(run.snapshot, "family:work", .count = (2 + WIDTH) * each);
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

/* ---- cgroups ---- */

struct cgroup {
	char folder[512];
	char below[600]; /* a cgroup in it */
	char root[512];	 /* of the hierarchy */
	char name[64];	 /* the folder, from there */
};

static bool write_pid(const char *folder, pid_t pid)
{
	char path[700];
	FILE *file;
	bool is_written;

	snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
	file = fopen(path, "we");
	if (!file)
		return false;
	is_written = fprintf(file, "%d\n", (int)pid) > 0;
	return fclose(file) == 0 && is_written;
}

static void move_to(const char *folder, const struct child *child)
{
	if (!write_pid(folder, child->pid))
		fail_msg("cannot move a process to '%s': %s", folder, strerror(errno));
}

static void remove_cgroup(struct cgroup *cgroup)
{
	uint64_t since = 0;

	rmdir(cgroup->below);
	while (rmdir(cgroup->folder) &&
	       errno == EBUSY) /* processes leave it a moment after their end */
		if (!keep_waiting(&since, 30))
			fail_msg("cannot remove '%s'", cgroup->folder);
}

/* Controllers may refuse processes: one must be able to move there. */
static bool make_below(const char *root, struct cgroup *cgroup)
{
	static int made; /* a test that fails leaves its own behind */
	pid_t probe;
	bool is_good;

	snprintf(cgroup->root, sizeof(cgroup->root), "%s", root);
	snprintf(cgroup->name, sizeof(cgroup->name), "probekit-test-%d-%d", (int)getpid(), made++);
	snprintf(cgroup->folder, sizeof(cgroup->folder), "%.400s/%s", root, cgroup->name);
	snprintf(cgroup->below, sizeof(cgroup->below), "%s/below", cgroup->folder);
	if (mkdir(cgroup->folder, 0755))
		return false;
	mkdir(cgroup->below, 0755);
	probe = fork();
	if (probe == 0)
		for (;;)
			pause();
	is_good = probe > 0 && write_pid(cgroup->below, probe);
	if (probe > 0) {
		kill(probe, SIGKILL);
		waitpid(probe, NULL, 0);
	}
	if (!is_good)
		remove_cgroup(cgroup);
	return is_good;
}

/* Skips where no cgroup of this type of file system (NULL: any) can be made. */
static void make_cgroup(const char *type, struct cgroup *cgroup)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *mount;
	bool is_made = false;

	while (mounts && !is_made && (mount = getmntent(mounts)))
		is_made = strncmp(mount->mnt_type, "cgroup", 6) == 0 &&
			  (!type || strcmp(mount->mnt_type, type) == 0) &&
			  make_below(mount->mnt_dir, cgroup);
	if (mounts)
		endmntent(mounts);
	if (is_made)
		return;
	print_message("skipped: needs %s: no cgroup can be made in a file system of that type\n",
		      type ? type : "cgroup or cgroup2");
	skip();
}

/* Of three processes of a file two are in the cgroup; the third comes, the first leaves. */
static void follow_cgroup(const char *type)
{
	uint64_t each = scaled(5000, 100);
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child children[3];
	struct cgroup cgroup;

	for (int i = 0; i < 3; i++)
		child_start_program(&children[i], "family", "repeat", each);
	require_measurable(children[0].pid);
	make_cgroup(type, &cgroup);
	move_to(cgroup.folder, &children[0]);
	move_to(cgroup.below, &children[1]);
	session = measure_start(&(struct measure){.cgroup = cgroup.folder});
	assert_int_equal(probekit_session_process_count(session), 2);
	for (int i = 0; i < 3; i++)
		child_go(&children[i]);
	move_to(cgroup.below, &children[2]);
	measure_await_processes(session, 3);
	for (int i = 0; i < 3; i++)
		child_go(&children[i]);
	move_to(cgroup.root, &children[0]);
	measure_await_processes(session, 2);
	assert_int_equal(child_end(&children[1]), 0); /* which goes on without it */
	measure_await_processes(session, 1);
	child_go(&children[0]);
	child_go(&children[2]);
	snapshot = measure_stop(session);
	assert_row(snapshot, "family:work", .count = (2 + 3 + 1) * each);
	probekit_snapshot_free(snapshot);
	for (int i = 0; i < 3; i++)
		child_done(&children[i]);
	remove_cgroup(&cgroup);
}

static void a_cgroup_of_version_1_is_measured(void **state)
{
	(void)state;
	follow_cgroup("cgroup");
}

static void a_cgroup_of_version_2_is_measured(void **state)
{
	(void)state;
	follow_cgroup("cgroup2");
}

/* More of them than there are by now. */
static void await_count(struct probekit_session *session, const char *name, uint64_t more)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	uint64_t since = 0;
	uint64_t first = 0;
	uint64_t count;

	do {
		if (probekit_session_poll(session, 10, &err) < 0 ||
		    probekit_session_snapshot(session, &snapshot, &err))
			fail_msg("%s", err.text);
		count = find_row(snapshot, name)->count;
		probekit_snapshot_free(snapshot);
		first = first ? first : count + 1;
		if (!keep_waiting(&since, 60))
			fail_msg("'%s' is not called", name);
	} while (count < first + more);
}

static void check_busy_row(const struct probekit_snapshot *snapshot, const char *name)
{
	const struct probekit_probe *row = find_row(snapshot, name);

	assert_int_equal(row->lost.unmatched_end, 0);
	assert_int_equal(row->lost.abandoned, 0);
	assert_int_equal(row->lost.depth_overflow, 0);
	/* An emulated processor may stand still for so long that the kernel gives up waiting for a lock. */
	if (test_scale() == 1)
		assert_int_equal(row->lost.state_unavailable, 0);
}

/* Each is attached to while the others are recorded. */
static void busy_processes_that_come_lose_nothing_but_what_was_in_flight(void **state)
{
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child children[BUSY];
	struct cgroup cgroup;

	(void)state;
	for (int i = 0; i < BUSY; i++) {
		child_start_program(&children[i], "threads", "busy", 1);
		child_go(&children[i]);
	}
	require_measurable(children[0].pid);
	make_cgroup(NULL, &cgroup);
	session = measure_start(&(struct measure){.cgroup = cgroup.folder});
	for (size_t i = 0; i < BUSY; i++) {
		move_to(cgroup.folder, &children[i]);
		measure_await_processes(session, i + 1);
	}
	await_count(session, "threads:request", 1000);
	snapshot = measure_stop(session);
	check_busy_row(snapshot, "threads:request");
	check_busy_row(snapshot, "threads:level");
	check_busy_row(snapshot, "threads:leaf");
	probekit_snapshot_free(snapshot);
	for (int i = 0; i < BUSY; i++)
		child_done(&children[i]);
	remove_cgroup(&cgroup);
}

/* By its name below the hierarchy; forked children are in it too. */
static void an_empty_cgroup_is_waited_for(void **state)
{
	uint64_t each = scaled(5000, 100);
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct cgroup cgroup;
	struct child family;

	(void)state;
	child_start_program(&family, "family", "fork", each);
	require_measurable(family.pid);
	make_cgroup(NULL, &cgroup);
	session = measure_start(&(struct measure){.cgroup = cgroup.name});
	assert_int_equal(probekit_session_process_count(session), 0);
	move_to(cgroup.folder, &family);
	measure_await_row(session, "family:work");
	child_go(&family);
	measure_await_processes(session, 1 + WIDTH);
	child_go(&family);
	measure_await_processes(session, 1);
	snapshot = measure_stop(session);
	assert_row(snapshot, "family:work", .count = (1 + WIDTH) * each);
	probekit_snapshot_free(snapshot);
	child_done(&family);
	remove_cgroup(&cgroup);
}

static void only_the_given_file_is_measured_in_a_cgroup(void **state)
{
	uint64_t each = scaled(5000, 100);
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct child children[3];
	struct cgroup cgroup;

	(void)state;
	child_start_program(&children[0], "family", "repeat", each);
	child_start_program(&children[1], "processes", "repeat", each);
	child_start_program(&children[2], "family", "repeat", each);
	require_measurable(children[0].pid);
	make_cgroup(NULL, &cgroup);
	move_to(cgroup.folder, &children[0]);
	move_to(cgroup.folder, &children[1]);
	session = measure_start(
		&(struct measure){.path = program_path("family"), .cgroup = cgroup.folder});
	assert_int_equal(probekit_session_process_count(session), 1);
	for (int i = 0; i < 3; i++)
		child_go(&children[i]);
	snapshot = measure_stop(session);
	assert_row(snapshot, "family:work", .count = each);
	assert_null(find_row(snapshot, "processes:work"));
	probekit_snapshot_free(snapshot);
	for (int i = 0; i < 3; i++)
		child_done(&children[i]);
	remove_cgroup(&cgroup);
}

/* ---- what is refused ---- */

static void check_refusal(const char *const arguments[], int status, const char *words)
{
	struct output output;

	run_cli(arguments, &output);
	assert_int_equal(output.status, status);
	if (!strstr(output.err, words))
		fail_msg("'%s' is not in: %s", words, output.err);
	output_done(&output);
}

static void a_cgroup_that_is_none_is_refused(void **state)
{
	(void)state;
	check_refusal((const char *const[]){"latency", "--cgroup", "no-such-cgroup", NULL}, 1,
		      "there is no cgroup 'no-such-cgroup'");
	check_refusal((const char *const[]){"latency", "--cgroup", "/tmp", NULL}, 1,
		      "'/tmp' is not a cgroup");
}

static void a_cgroup_stands_alone_or_with_a_file(void **state)
{
	(void)state;
	check_refusal((const char *const[]){"latency", "--cgroup", "x", "-p", "1", NULL}, 2,
		      "--cgroup");
	check_refusal((const char *const[]){"latency", "--cgroup", "x", "--", "true", NULL}, 2,
		      "--cgroup");
}

/* ---- with either kind of attachment ---- */

static int use_any(void **state)
{
	(void)state;
	unsetenv("PROBEKIT_DISABLE_FEATURES");
	return 0;
}

static int lose_nothing(void **state)
{
	(void)state;
	unsetenv("PROBEKIT_LOSE_TASKS");
	return 0;
}

/* An emulated kernel's evidence comes faster than it is read there. */
static int use_no_breakdown(void **state)
{
	(void)state;
	setenv("PROBEKIT_DISABLE_FEATURES", "breakdown", 1);
	return 0;
}

static int use_perf_events(void **state)
{
	(void)state;
	setenv("PROBEKIT_DISABLE_FEATURES", "uprobe_multi", 1);
	return 0;
}

#define BOTH_WAYS(test)                                                      \
	cmocka_unit_test_setup(test, use_any),                               \
	{                                                                    \
#test " (perf events)", test, use_perf_events, use_any, NULL \
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
		BOTH_WAYS(a_cgroup_of_version_1_is_measured),
		BOTH_WAYS(a_cgroup_of_version_2_is_measured),
		cmocka_unit_test_setup_teardown(
			busy_processes_that_come_lose_nothing_but_what_was_in_flight,
			use_no_breakdown, use_any),
		BOTH_WAYS(an_empty_cgroup_is_waited_for),
		BOTH_WAYS(only_the_given_file_is_measured_in_a_cgroup),
		cmocka_unit_test(a_cgroup_that_is_none_is_refused),
		cmocka_unit_test(a_cgroup_stands_alone_or_with_a_file),
	};

	return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}
