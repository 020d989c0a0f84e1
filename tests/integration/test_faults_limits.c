/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * No memory, no room on the disk, nobody who reads what the kernel hands out: probekit says what it could not do, or
 * what was lost, and its target comes to no harm.
 */
#include "support_victim.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a target that lives through it ---- */

static void start_target(struct support_child *target, char pid[static 16])
{
	support_require_tracing();
	support_start_victim(target, NULL, support_program("victim"));
	snprintf(pid, 16, "%d", (int)target->pid);
}

/* It still does what it is told, and nobody traces it. */
static void check_unharmed(struct support_child *target)
{
	support_wait_untraced(target->pid, support_program("victim"));
	support_let_victim_work(target);
	support_end(target);
}

/* By probekit, or before it comes to that by its loader. */
static void check_told(const struct support_child *child, const char *wanted)
{
	if (!strstr(child->err.text, wanted))
		fail_msg("status %d: %s", child->status, child->err.text);
	assert_string_equal(child->out.text, "");
}

/* ---- memory ---- */

static void limit_address_space(void *arg)
{
	const rlim_t *bytes = arg;

	setrlimit(RLIMIT_AS, &(struct rlimit){*bytes, *bytes});
}

/* From too little to load its libraries to more than enough. */
static void without_address_space_it_says_that_memory_is_short(void **state)
{
	static const rlim_t mib[] = {8, 16, 24, 32, 48, 64, 256};
	struct support_child target;
	size_t refused = 0;
	char pid[16];

	(void)state;
	start_target(&target, pid);
	for (size_t i = 0; i < sizeof(mib) / sizeof(*mib); i++) {
		rlim_t bytes = mib[i] << 20;
		const struct support_how how = {.prepare = limit_address_space, .arg = &bytes};
		struct support_child child;
		int status = support_run(&child, &how, support_probekit(), "latency", "--json",
					 "-d", "0.1", "-p", pid, NULL);

		if (status == 0) {
			json_decref(support_json(child.out.text));
		} else if (status == 127) {
			check_told(&child, "loading shared libraries");
		} else {
			assert_int_equal(status, 1);
			check_told(&child, "memory");
			refused++;
		}
		support_done(&child);
	}
	assert_true(refused > 0);
	check_unharmed(&target);
}

/* A cgroup whose memory can be limited. */
struct cgroup {
	char folder[256];
	const char *limit; /* its file */
};

static bool write_text(const char *folder, const char *name, const char *text)
{
	char path[512];
	ssize_t written;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	written = fd < 0 ? -1 : write(fd, text, strlen(text));
	if (fd >= 0)
		close(fd);
	return written == (ssize_t)strlen(text);
}

static void make_cgroup(struct cgroup *cgroup)
{
	const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified",
				     "/sys/fs/cgroup/memory"};
	const char *const limits[] = {"memory.max", "memory.max", "memory.limit_in_bytes"};

	for (int i = 0; i < 3; i++) {
		write_text(roots[i], "cgroup.subtree_control", "+memory");
		snprintf(cgroup->folder, sizeof(cgroup->folder), "%s/probekit-test-%d", roots[i],
			 (int)getpid());
		cgroup->limit = limits[i];
		if (mkdir(cgroup->folder, 0755))
			continue;
		if (write_text(cgroup->folder, cgroup->limit, "268435456"))
			return;
		rmdir(cgroup->folder);
	}
	print_message("skipped: needs cgroup: none whose memory can be limited\n");
	skip();
}

static void enter_cgroup(void *arg)
{
	const struct cgroup *cgroup = arg;

	if (!write_text(cgroup->folder, "cgroup.procs", "0"))
		_exit(124);
}

/* The kernel refuses, or kills: then nothing can be said. */
static void in_a_small_cgroup_it_ends_and_its_target_goes_on(void **state)
{
	static const char *const bytes[] = {"4000000",	"16000000", "32000000",
					    "48000000", "64000000", "80000000"};
	const size_t step = support_scaled(100) < 100 ? 3 : 1;
	struct support_child target;
	struct cgroup cgroup;
	char pid[16];

	(void)state;
	start_target(&target, pid);
	make_cgroup(&cgroup);
	for (size_t i = 0; i < sizeof(bytes) / sizeof(*bytes); i += step) {
		const struct support_how how = {.prepare = enter_cgroup, .arg = &cgroup};
		struct support_child child;
		int status;

		assert_true(write_text(cgroup.folder, cgroup.limit, bytes[i]));
		status = support_run(&child, &how, support_probekit(), "latency", "--json", "-d",
				     "0.1", "-p", pid, NULL);
		print_message("  %s bytes: %d %s\n", bytes[i], status,
			      status == 1 ? child.err.text : "");
		if (status == 0) {
			json_decref(support_json(child.out.text));
		} else if (status != 128 + SIGKILL) {
			assert_int_equal(status, 1);
			check_told(&child, "memory");
		}
		support_done(&child);
		support_wait_untraced(target.pid, support_program("victim"));
	}
	check_unharmed(&target);
	for (int i = 0; rmdir(cgroup.folder) && errno == EBUSY && i < 1000; i++)
		usleep(1000);
}

/* ---- the disk ---- */

#define DISK "disk"

/* A disk of 64 KiB, of which all but a few are taken, that nobody else sees. */
static void mount_full_disk(void *arg)
{
	char zeros[4096] = {0};
	int fd;

	(void)arg;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", DISK, "tmpfs", 0, "size=64k"))
		_exit(124);
	fd = open(DISK "/taken", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		continue;
	if (ftruncate(fd, 60 << 10) || close(fd))
		_exit(124);
}

struct disk {
	char *folder;
	char *mount_point;
};

static void make_disk(struct disk *disk)
{
	support_require_tracing();
	if (geteuid() != 0) {
		print_message("skipped: needs root: to mount a disk\n");
		skip();
	}
	disk->folder = support_new_folder();
	disk->mount_point = support_join(disk->folder, DISK);
	assert_int_equal(mkdir(disk->mount_point, 0755), 0);
}

static void disk_done(struct disk *disk)
{
	free(disk->mount_point);
	support_remove_folder(disk->folder);
}

/* The shell, in the same mount namespace, lists what is on the disk in the end. */
static void check_full(const struct disk *disk, const char *arguments)
{
	const struct support_how how = {.prepare = mount_full_disk, .folder = disk->folder};
	struct support_child child;
	char *script;

	assert_true(asprintf(&script, "%s %s >shown; echo status $?; ls -A " DISK,
			     support_probekit(), arguments) > 0);
	assert_int_equal(support_run(&child, &how, "sh", "-c", script, NULL), 0);
	if (strcmp(child.out.text, "status 1\ntaken\n") != 0 ||
	    !strstr(child.err.text, "probekit: cannot write '" DISK "/out': No space left"))
		fail_msg("%s: %s%s", arguments, child.out.text, child.err.text);
	support_done(&child);
	free(script);
}

static void on_a_full_disk_no_part_of_a_file_is_left(void **state)
{
	struct disk disk;
	char *arguments;

	(void)state;
	make_disk(&disk);
	assert_true(asprintf(&arguments,
			     "record --runs 6 -o base.json -- %s 20 >/dev/null && "
			     "cp base.json head.json && %s diff base.json head.json -o " DISK
			     "/out",
			     support_program("builds"), support_probekit()) > 0);
	check_full(&disk, arguments);
	free(arguments);
	assert_true(asprintf(&arguments, "latency -o " DISK "/out -- %s 100 100",
			     support_program("steady")) > 0);
	check_full(&disk, arguments);
	free(arguments);
	assert_true(asprintf(&arguments, "offcpu --svg " DISK "/out -- %s 100 100",
			     support_program("steady")) > 0);
	check_full(&disk, arguments);
	free(arguments);
	disk_done(&disk);
}

static void output_that_cannot_be_written_is_an_error(void **state)
{
	static const char *const commands[] = {
		"list %s", "list --json %s", "latency -- %s end 0", "latency --json -- %s end 0",
		"--help",  "doctor",
	};

	(void)state;
	support_require_tracing();
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		struct support_child child;
		char arguments[512];
		char *script;

		snprintf(arguments, sizeof(arguments), commands[i], support_program("victim"));
		assert_true(asprintf(&script, "%s %s >/dev/full", support_probekit(), arguments) >
			    0);
		assert_int_equal(support_run(&child, NULL, "sh", "-c", script, NULL), 1);
		assert_non_null(strstr(child.err.text, "probekit: cannot write standard output"));
		support_done(&child);
		free(script);
	}
}

/* ---- nobody reads ---- */

static void check_exact(json_t *snapshot, const char *name, unsigned long count)
{
	json_t *row = support_row(snapshot, name);

	assert_int_equal(support_integer(row, "count"), count);
	support_check_nothing_lost(json_object_get(row, "lost"));
}

static void what_nobody_reads_in_time_is_counted_and_all_else_is_exact(void **state)
{
	const unsigned long rounds = support_scaled(20000);
	struct support_child probekit;
	char number[16];
	char end[32];
	json_t *snapshot;
	json_t *lost;
	int64_t samples;

	(void)state;
	support_require_tracing();
	snprintf(number, sizeof(number), "%lu", rounds);
	snprintf(end, sizeof(end), "end %lu\n", rounds);
	support_start(&probekit, NULL,
		      (const char *const[]){support_probekit(), "latency", "--json", "--slow-over",
					    "1us", "--", support_program("steady"), number, "0",
					    NULL});
	assert_true(support_wait_text(&probekit, &probekit.err, "ready\n"));
	assert_int_equal(kill(probekit.pid, SIGSTOP), 0);
	assert_true(support_wait_text(&probekit, &probekit.err, end));
	assert_int_equal(kill(probekit.pid, SIGCONT), 0);
	assert_int_equal(support_finish(&probekit), 0);
	snapshot = support_json(probekit.out.text);
	check_exact(snapshot, "steady:mix", 32 * rounds);
	check_exact(snapshot, "steady:total.hold", 16 * rounds);
	check_exact(snapshot, "steady:round", 2 * rounds);
	lost = json_object_get(snapshot, "lost");
	samples = support_integer(lost, "samples_dropped");
	print_message("  %lu rounds, %lld samples dropped, %lld skipped\n", rounds,
		      (long long)samples, (long long)support_integer(lost, "samples_skipped"));
	samples += support_integer(lost, "samples_skipped");
	if (support_scaled(2) == 2) /* of few rounds all may have found room */
		assert_true(samples > 0);
	json_decref(snapshot);
	support_done(&probekit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_address_space_it_says_that_memory_is_short),
		cmocka_unit_test(in_a_small_cgroup_it_ends_and_its_target_goes_on),
		cmocka_unit_test(on_a_full_disk_no_part_of_a_file_is_left),
		cmocka_unit_test(output_that_cannot_be_written_is_an_error),
		cmocka_unit_test(what_nobody_reads_in_time_is_counted_and_all_else_is_exact),
	};

	return cmocka_run_group_tests_name("faults: limits", tests, NULL, NULL);
}
