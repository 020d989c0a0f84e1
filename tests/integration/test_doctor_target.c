/* SPDX-License-Identifier: BSD-2-Clause */
/* What probekit doctor says of a process or a file. */
#include "doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void start_victim(struct support_child *target, const struct support_how *how,
			 const struct doctor_copies *copies, char pid[static 16])
{
	const char *const words[] = {copies->victim, "lines", "1", NULL};

	support_start(target, how, words);
	assert_true(support_wait_text(target, &target->out, "ready"));
	snprintf(pid, 16, "%d", (int)target->pid);
}

static void a_process_is_described_by_what_it_is(void **state)
{
	struct doctor_copies *copies = *state;
	struct support_child target;
	struct doctor_answer answer;
	char wanted[64];
	char pid[16];

	doctor_require_root();
	start_victim(&target, &doctor_nobody, copies, pid);
	answer = doctor_ask(copies, NULL, "-p", pid);
	snprintf(wanted, sizeof(wanted), "victim, of user %d", DOCTOR_USER);
	doctor_check_text(doctor_row(&answer, "target_access"), "found", wanted);
	doctor_check_text(doctor_row(&answer, "target_elf"), "found", copies->victim);
	doctor_check_text(doctor_row(&answer, "target_probes"), "found", "sites of probe.h: 4,");
	doctor_check_text(doctor_row(&answer, "target_namespaces"), "found", "the same as ours");
	snprintf(wanted, sizeof(wanted), "pid %s", pid);
	assert_string_equal(doctor_text(answer.json, "target"), wanted);
	doctor_done(&answer);
	support_done(&target);
}

static void a_process_of_another_user_needs_cap_sys_ptrace(void **state)
{
	struct doctor_copies *copies = *state;
	struct support_child target;
	struct doctor_answer answer;
	char pid[16];
	json_t *row;

	doctor_require_root();
	start_victim(&target, NULL, copies, pid);
	answer = doctor_ask(copies, &doctor_tracer, "-p", pid);
	row = doctor_row(&answer, "target_access");
	assert_int_equal(answer.status, DOCTOR_CANNOT_MEASURE);
	assert_string_equal(doctor_text(row, "state"), "missing");
	assert_string_equal(doctor_text(answer.json, "first"), "target_access");
	if (strcmp(support_require_tracing(), "uprobe_multi") == 0)
		doctor_check_text(row, "command", "setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep ");
	doctor_done(&answer);
	support_done(&target);
}

static void a_target_without_probes_cannot_be_measured(void **state)
{
	struct doctor_copies *copies = *state;
	struct doctor_answer answer = doctor_ask(copies, NULL, NULL, support_program("spanless"));

	assert_int_equal(answer.status, DOCTOR_CANNOT_MEASURE);
	assert_true(doctor_has_state(&answer, "target_probes", "missing"));
	doctor_check_text(doctor_row(&answer, "target_probes"), "advice", "PROBEKIT_SPAN");
	doctor_done(&answer);
}

static void a_file_that_may_not_be_read_is_told_so(void **state)
{
	struct doctor_copies *copies = *state;
	struct doctor_answer answer;

	doctor_require_root();
	assert_int_equal(chmod(copies->victim, 0711), 0);
	answer = doctor_ask(copies, &doctor_tracer, NULL, copies->victim);
	assert_int_equal(answer.status, DOCTOR_CANNOT_MEASURE);
	doctor_check_text(doctor_row(&answer, "target_access"), "found", "Permission denied");
	doctor_done(&answer);
}

static void check_refused(const struct doctor_copies *copies, const char *option, const char *value,
			  int status, const char *wanted)
{
	struct support_child child;

	support_run(&child, NULL, copies->probekit, "doctor", option, value, NULL);
	assert_int_equal(child.status, status);
	assert_string_equal(child.out.text, "");
	assert_int_equal(support_count_lines(child.err.text), 1);
	assert_non_null(strstr(child.err.text, wanted));
	support_done(&child);
}

static void what_is_no_target_is_an_error(void **state)
{
	struct doctor_copies *copies = *state;

	check_refused(copies, "--json", "/nonexistent", 1, "'/nonexistent'");
	check_refused(copies, "--json", "/etc/passwd", 1, "not an ELF file");
	check_refused(copies, "-p", "2147483647", 1, "2147483647");
	check_refused(copies, "-p1", "/bin/sh", 2, "one target");
}

/* ---- CPU quotas ---- */

static bool write_text(const char *folder, const char *name, const char *text)
{
	char path[256];
	FILE *file;
	bool is_written;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	if (!file)
		return false;
	is_written = fputs(text, file) >= 0;
	return fclose(file) == 0 && is_written;
}

/* A new cgroup that may use a fifth of a CPU, of either version; false: it cannot be made here. */
static bool make_cgroup(char folder[static 64])
{
	static const char *const roots[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct",
					    "/sys/fs/cgroup"};

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		write_text(roots[i], "cgroup.subtree_control", "+cpu");
		snprintf(folder, 64, "%s/probekit-test-%d", roots[i], (int)getpid());
		if (mkdir(folder, 0755))
			continue;
		if (write_text(folder, "cpu.max", "20000 100000") ||
		    write_text(folder, "cpu.cfs_quota_us", "20000"))
			return true;
		rmdir(folder);
	}
	return false;
}

static void a_cpu_quota_is_found(void **state)
{
	struct doctor_copies *copies = *state;
	struct support_child target;
	struct doctor_answer answer;
	char folder[64];
	char pid[16];

	doctor_require_root();
	if (!make_cgroup(folder)) {
		print_message("skipped: needs a cgroup with a CPU quota: none can be made here\n");
		skip();
	}
	start_victim(&target, NULL, copies, pid);
	answer = doctor_ask(copies, NULL, "-p", pid);
	assert_string_equal(doctor_text(doctor_row(&answer, "target_quota"), "found"), "none set");
	doctor_done(&answer);
	assert_true(write_text(folder, "cgroup.procs", pid));
	answer = doctor_ask(copies, NULL, "-p", pid);
	support_close_input(&target);
	support_finish(&target);
	support_done(&target);
	assert_int_equal(rmdir(folder), 0);
	doctor_check_text(doctor_row(&answer, "target_quota"), "found", "0.20 CPUs by ");
	doctor_check_text(doctor_row(&answer, "target_quota"), "found", folder);
	doctor_done(&answer);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, doctor_set_up, doctor_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_process_is_described_by_what_it_is),
		TEST(a_process_of_another_user_needs_cap_sys_ptrace),
		TEST(a_target_without_probes_cannot_be_measured),
		TEST(a_file_that_may_not_be_read_is_told_so),
		TEST(what_is_no_target_is_an_error),
		TEST(a_cpu_quota_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
