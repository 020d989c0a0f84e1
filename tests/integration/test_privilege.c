/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an ordinary user can measure: with CAP_BPF and CAP_PERFMON alone the own processes and every
 * readable binary, and otherwise is told which capability is missing.
 */
#include "support_user.h"
#include "support_victim.h"

#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void become_half_a_tracer(void *arg)
{
	support_become_user(arg, 1);
}

static void end_victim(struct support_child *target, const struct support_copies *copies)
{
	support_wait_untraced(target->pid, copies->program);
	support_end(target);
}

static void two_capabilities_suffice_for_an_own_process(void **state)
{
	struct support_copies *copies = *state;
	struct support_child target;
	struct support_child probekit;
	char pid[16];
	const char *const words[] = {copies->probekit, "latency", "-v", "--json", "-p", pid, NULL};

	support_require_capable_kernel();
	support_start_victim(&target, &support_nobody, copies->program);
	snprintf(pid, sizeof(pid), "%d", (int)target.pid);
	support_start(&probekit, &support_tracer, words);
	support_wait_measuring(&probekit);
	support_check_victim_counted(&probekit, &target);
	end_victim(&target, copies);
	support_done(&probekit);
}

static void two_capabilities_suffice_for_an_own_command(void **state)
{
	struct support_copies *copies = *state;
	struct support_child probekit;
	json_t *snapshot;

	support_require_capable_kernel();
	support_run(&probekit, &support_tracer, copies->probekit, "latency", "--json", "--",
		    copies->program, "end", "0", NULL);
	if (probekit.status)
		fail_msg("status %d: %s", probekit.status, probekit.err.text);
	snapshot = support_json(probekit.out.text);
	assert_int_equal(support_integer(support_row(snapshot, "victim:work"), "count"), 100);
	json_decref(snapshot);
	support_done(&probekit);
}

/* Also for processes of others: the file is readable, and no process is looked into. */
static void two_capabilities_suffice_for_a_readable_binary_by_path(void **state)
{
	struct support_copies *copies = *state;
	const char *const words[] = {copies->probekit, "latency",	"-v",
				     "--json",	       copies->program, NULL};
	struct support_child target;
	struct support_child probekit;

	support_require_capable_kernel();
	support_start_victim(&target, NULL, copies->program);
	support_start(&probekit, &support_tracer, words);
	support_wait_measuring(&probekit);
	support_check_victim_counted(&probekit, &target);
	end_victim(&target, copies);
	support_done(&probekit);
}

/* Runs probekit to its end; one line of refusal that has `wanted`. */
static void check_refused(const struct support_how *how, const struct support_copies *copies,
			  const char *option, const char *value, int status,
			  const char *const wanted[])
{
	struct support_child probekit;

	support_run(&probekit, how, copies->probekit, "latency", option, value, NULL);
	if (probekit.status != status || support_count_lines(probekit.err.text) != 1)
		fail_msg("status %d: %s%s", probekit.status, probekit.out.text, probekit.err.text);
	for (int i = 0; wanted[i]; i++)
		if (!strstr(probekit.err.text, wanted[i]))
			fail_msg("no \"%s\" in: %s", wanted[i], probekit.err.text);
	assert_string_equal(probekit.out.text, "");
	support_done(&probekit);
}

static void a_process_of_another_user_needs_cap_sys_ptrace(void **state)
{
	static const char *const wanted[] = {"CAP_SYS_PTRACE", "another user", NULL};
	struct support_copies *copies = *state;
	struct support_child target;
	char pid[16];

	support_require_capable_kernel();
	support_start_victim(&target, NULL, copies->program);
	snprintf(pid, sizeof(pid), "%d", (int)target.pid);
	check_refused(&support_tracer, copies, "-p", pid, 3, wanted);
	end_victim(&target, copies);
}

static void without_capabilities_both_are_named(void **state)
{
	static const char *const wanted[] = {"CAP_BPF and CAP_PERFMON", NULL};
	struct support_copies *copies = *state;
	struct support_child target;
	char pid[16];

	support_require_capable_kernel();
	support_start_victim(&target, &support_nobody, copies->program);
	snprintf(pid, sizeof(pid), "%d", (int)target.pid);
	check_refused(&support_nobody, copies, "-p", pid, 3, wanted);
	check_refused(&support_nobody, copies, "-v", copies->program, 3, wanted);
	end_victim(&target, copies);
}

static void one_capability_of_two_is_told_from_none(void **state)
{
	static const struct {
		unsigned int has;
		const char *missing;
	} cases[] = {
		{CAP_BPF, "CAP_PERFMON missing"},
		{CAP_PERFMON, "CAP_BPF missing"},
	};
	struct support_copies *copies = *state;

	support_require_capable_kernel();
	for (int i = 0; i < 2; i++) {
		unsigned int has = cases[i].has;
		struct support_how how = {.prepare = become_half_a_tracer, .arg = &has};

		check_refused(&how, copies, "-v", copies->program, 3,
			      (const char *const[]){cases[i].missing, NULL});
	}
}

static void a_binary_that_may_not_be_read_is_refused(void **state)
{
	static const char *const wanted[] = {"Permission denied", "victim'", NULL};
	struct support_copies *copies = *state;

	support_require_capable_kernel();
	assert_int_equal(chmod(copies->program, 0711), 0);
	check_refused(&support_tracer, copies, "-v", copies->program, 1, wanted);
}

static void an_output_folder_that_may_not_be_written_is_refused(void **state)
{
	struct support_copies *copies = *state;
	struct support_child probekit;
	char *file = support_join(copies->folder, "snapshot");
	size_t files = support_count_files(copies->folder);

	support_require_capable_kernel();
	support_run(&probekit, &support_tracer, copies->probekit, "latency", "-o", file, "--",
		    copies->program, "end", "0", NULL);
	assert_int_equal(probekit.status, 1);
	assert_int_equal(support_count_lines(probekit.err.text), 1);
	assert_non_null(strstr(probekit.err.text, file));
	assert_non_null(strstr(probekit.err.text, "Permission denied"));
	assert_string_equal(probekit.out.text, "");
	assert_int_equal(support_count_files(copies->folder), files);
	support_done(&probekit);
	free(file);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, support_set_up_copies, support_tear_down_copies)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_capabilities_suffice_for_an_own_process),
		TEST(two_capabilities_suffice_for_an_own_command),
		TEST(two_capabilities_suffice_for_a_readable_binary_by_path),
		TEST(a_process_of_another_user_needs_cap_sys_ptrace),
		TEST(without_capabilities_both_are_named),
		TEST(one_capability_of_two_is_told_from_none),
		TEST(a_binary_that_may_not_be_read_is_refused),
		TEST(an_output_folder_that_may_not_be_written_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
