/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes that are found while measuring: those of a cgroup. */
#include "container.h"
#include "follow.h"

#include <errno.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUSY 2

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
	struct probekit_error err;
	uint64_t since = 0;
	uint64_t first = 0;
	uint64_t count;

	do {
		if (probekit_session_poll(session, 10, &err) < 0)
			fail_msg("%s", err.text);
		count = measure_count(session, name);
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

/* An emulated kernel's evidence comes faster than it is read there. */
static int use_no_breakdown(void **state)
{
	(void)state;
	setenv("PROBEKIT_DISABLE_FEATURES", "breakdown", 1);
	return 0;
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
	measure_await_processes(session, 1 + FAMILY_WIDTH);
	child_go(&family);
	measure_await_processes(session, 1);
	snapshot = measure_stop(session);
	assert_row(snapshot, "family:work", .count = (1 + FAMILY_WIDTH) * each);
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

/* They come one after the other; to the kernel their program is one file, and to each it is one of its own. */
static void containers_of_one_image_are_measured_in_their_cgroup(void **state)
{
	const char *programs = build_path("tests/programs");
	char *folder = support_new_folder();
	char *app = support_join(folder, "contained");
	struct support_child apps[2];
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct cgroup cgroup;

	(void)state;
	container_require();
	make_cgroup(NULL, &cgroup);
	session = measure_start(&(struct measure){.cgroup = cgroup.folder});
	for (size_t i = 0; i < 2; i++) {
		const struct container container = {
			.files = CONTAINER_OVERLAY,
			.source = programs,
			.folder = folder,
			.cgroup = cgroup.folder,
		};

		container_start(&apps[i], &container, (const char *const[]){app, "50", NULL});
		measure_await_processes(session, i + 1);
		measure_await_row(session, "contained:request");
	}
	for (size_t i = 0; i < 2; i++) {
		support_write(&apps[i], "go\n");
		assert_true(support_wait_text(&apps[i], &apps[i].out, "did 50\n"));
	}
	snapshot = measure_stop(session);
	assert_row(snapshot, "contained:request", .count = 100);
	probekit_snapshot_free(snapshot);
	for (size_t i = 0; i < 2; i++)
		support_end(&apps[i]);
	remove_cgroup(&cgroup);
	support_remove_folder(folder);
	free(app);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH_WAYS(a_cgroup_of_version_1_is_measured),
		BOTH_WAYS(a_cgroup_of_version_2_is_measured),
		cmocka_unit_test_setup_teardown(
			busy_processes_that_come_lose_nothing_but_what_was_in_flight,
			use_no_breakdown, follow_with_any),
		BOTH_WAYS(an_empty_cgroup_is_waited_for),
		BOTH_WAYS(only_the_given_file_is_measured_in_a_cgroup),
		BOTH_WAYS(containers_of_one_image_are_measured_in_their_cgroup),
		cmocka_unit_test(a_cgroup_that_is_none_is_refused),
		cmocka_unit_test(a_cgroup_stands_alone_or_with_a_file),
	};

	return cmocka_run_group_tests_name("follow_cgroup", tests, NULL, NULL);
}
