/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probekit doctor says what is so: its verdict against an attempt to measure, its rows against what
 * was taken away, and its remedies against those who need them.
 */
#include "doctor.h"

#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* ---- who asks ---- */

/* As its root, who has every capability there. */
static void enter_user_namespace(void *arg)
{
	FILE *map;

	(void)arg;
	if (unshare(CLONE_NEWUSER))
		_exit(124);
	map = fopen("/proc/self/uid_map", "we");
	if (!map || fputs("0 0 1", map) < 0 || fclose(map))
		_exit(124);
}

static void unmount(void *path)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    umount2(path, MNT_DETACH))
		_exit(124);
}

/* ---- its verdict ---- */

/* Who can measure is told so, and who cannot is not: root, an ordinary user, a tracer. */
static void the_verdict_is_what_an_attempt_shows(void **state)
{
	const struct support_how *const users[] = {NULL, &doctor_nobody, &doctor_tracer};
	struct doctor_copies *copies = *state;

	doctor_require_root();
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		struct doctor_answer answer = doctor_ask_here(copies, users[i]);
		struct support_child child;

		support_run(&child, users[i], copies->probekit, "latency", "--", copies->victim,
			    "end", "0", NULL);
		if (child.status != answer.status)
			fail_msg("user %zu: latency %d, doctor %d: %s", i, child.status,
				 answer.status, child.err.text);
		support_done(&child);
		doctor_done(&answer);
	}
}

static void the_kind_of_site_is_what_measurements_use(void **state)
{
	struct doctor_copies *copies = *state;
	struct support_child child;
	struct doctor_answer answer;
	const char *found;
	json_t *snapshot;
	char site[8] = "";

	support_require_tracing();
	answer = doctor_ask_here(copies, NULL);
	found = doctor_text(doctor_row(&answer, "fast_site"), "found");
	support_run(&child, NULL, copies->probekit, "latency", "--json", "--", copies->victim,
		    "end", "0", NULL);
	assert_int_equal(child.status, 0);
	snapshot = support_json(child.out.text);
	sscanf(found, "%7[a-z0-9]", site);
	assert_string_equal(strcmp(site, "none") == 0 ? "nop" : site,
			    doctor_text(json_object_get(snapshot, "target"), "site"));
	json_decref(snapshot);
	support_done(&child);
	doctor_done(&answer);
}

/* ---- whose question it is ---- */

static void an_ordinary_user_is_told_the_capabilities_and_the_command(void **state)
{
	struct doctor_copies *copies = *state;
	struct doctor_answer answer;
	json_t *row;

	doctor_require_root();
	answer = doctor_ask_here(copies, &doctor_nobody);
	row = doctor_row(&answer, "bpf");
	assert_int_equal(answer.status, DOCTOR_CANNOT_MEASURE);
	assert_string_equal(doctor_text(answer.json, "first"), "bpf");
	assert_string_equal(doctor_text(row, "state"), "missing");
	doctor_check_text(row, "found", "CAP_BPF and CAP_PERFMON");
	doctor_check_text(row, "advice", "root");
	/* Where capabilities would not suffice, a command that grants them would be wrong. */
	if (strcmp(support_require_tracing(), "uprobe_multi") == 0) {
		doctor_check_text(row, "command", "sudo setcap cap_bpf,cap_perfmon+ep /");
		doctor_check_text(row, "command", copies->probekit);
		doctor_check_text(doctor_row(&answer, "replaced_files"), "command",
				  "setcap cap_checkpoint_restore,cap_bpf,cap_perfmon+ep /");
		doctor_check_text(doctor_row(&answer, "unreadable_files"), "command",
				  "setcap cap_bpf,cap_perfmon,cap_dac_read_search+ep /");
	} else {
		assert_string_equal(doctor_text(row, "command"), "");
	}
	assert_true(doctor_has_state(&answer, "cookie", "unknown"));
	doctor_done(&answer);
}

static void the_command_for_setcap_is_one(void **state)
{
	const char *setcap = support_find_tool("/usr/sbin/setcap:/sbin/setcap");
	struct doctor_copies *copies = *state;
	struct support_child child;
	struct doctor_answer answer;
	const char *command;
	char granted[256];
	char *shell;

	if (!setcap) {
		print_message("skipped: needs package libcap2-bin\n");
		skip();
	}
	doctor_require_root();
	answer = doctor_ask_here(copies, &doctor_nobody);
	command = doctor_text(doctor_row(&answer, "bpf"), "command");
	if (!*command) {
		print_message("skipped: needs uprobe_multi: only root can measure without\n");
		skip();
	}
	assert_true(asprintf(&shell, "PATH=/usr/sbin:/sbin:$PATH; %s", command + strlen("sudo ")) >
		    0);
	support_run(&child, NULL, "/bin/sh", "-c", shell, NULL);
	assert_int_equal(child.status, 0);
	support_done(&child);
	support_run(&child, NULL, "/usr/sbin/getcap", copies->probekit, NULL);
	snprintf(granted, sizeof(granted), "%s cap_perfmon,cap_bpf=ep\n", copies->probekit);
	assert_string_equal(child.out.text, granted);
	support_done(&child);
	free(shell);
	doctor_done(&answer);
}

static void one_capability_of_two_is_told_from_none(void **state)
{
	static uint64_t bpf = UINT64_C(1) << CAP_BPF;
	const struct support_how half = {.prepare = doctor_become_user, .arg = &bpf};
	struct doctor_copies *copies = *state;
	struct doctor_answer answer;

	doctor_require_root();
	answer = doctor_ask_here(copies, &half);
	doctor_check_text(doctor_row(&answer, "bpf"), "found", "CAP_PERFMON is missing");
	doctor_check_text(doctor_row(&answer, "capabilities"), "found", "CAP_BPF");
	doctor_done(&answer);
}

static void a_user_namespace_is_named_as_what_stands_in_the_way(void **state)
{
	static const struct support_how how = {.prepare = enter_user_namespace};
	struct doctor_copies *copies = *state;
	struct doctor_answer answer;

	doctor_require_root();
	answer = doctor_ask_here(copies, &how);
	assert_int_equal(answer.status, DOCTOR_CANNOT_MEASURE);
	doctor_check_text(doctor_row(&answer, "bpf"), "found", "user namespace");
	doctor_check_text(doctor_row(&answer, "container"), "found", "own user namespace");
	assert_string_equal(doctor_text(doctor_row(&answer, "bpf"), "command"), "");
	doctor_done(&answer);
}

static void file_systems_that_are_not_mounted_get_the_mount_command(void **state)
{
	static const struct {
		char *path;
		const char *row;
		const char *command;
	} cases[] = {
		{"/sys", "btf", "sudo mount -t sysfs sysfs /sys"},
		{"/proc", "own_span", "sudo mount -t proc proc /proc"},
	};
	struct doctor_copies *copies = *state;

	doctor_require_root();
	support_require_tracing();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct support_how how = {.prepare = unmount, .arg = cases[i].path};
		struct doctor_answer answer = doctor_ask_here(copies, &how);

		assert_int_equal(answer.status, DOCTOR_CANNOT_MEASURE);
		assert_string_equal(doctor_text(answer.json, "first"), cases[i].row);
		assert_string_equal(doctor_text(doctor_row(&answer, cases[i].row), "command"),
				    cases[i].command);
		doctor_done(&answer);
	}
}

/* ---- what is taken away ---- */

/* Rows that a denied feature has; those without are optimised sites' own. */
static const struct denial {
	const char *feature;
	const char *row;
	bool is_fatal;
} denials[] = {
	{"btf", "btf", true},
	{"bpf", "bpf", true},
	{"cookie", "cookie", true},
	{"tp_btf", "tp_btf", true},
	{"uprobe_multi", "uprobe_multi", false},
	{"uprobe_multi_pid", "uprobe_multi_pid", false},
	{"session", "session", false},
	{"nop5,nop10", "disabled", false},
	{"fork_check", "disabled", false},
	{"uprobe_multi,perf_uprobe", "perf_uprobe", true},
};

static void what_is_denied_is_missing_and_has_its_consequence(void **state)
{
	struct doctor_copies *copies = *state;

	support_require_tracing();
	for (size_t i = 0; i < sizeof(denials) / sizeof(denials[0]); i++) {
		const struct denial *denial = &denials[i];
		struct doctor_answer answer;
		json_t *row;

		setenv("PROBEKIT_DISABLE_FEATURES", denial->feature, 1);
		answer = doctor_ask_here(copies, NULL);
		row = doctor_row(&answer, denial->row);
		assert_string_not_equal(doctor_text(row, "state"), "ok");
		assert_string_equal(doctor_text(row, "command"), "unset PROBEKIT_DISABLE_FEATURES");
		if (answer.status != (denial->is_fatal ? DOCTOR_CANNOT_MEASURE : 0))
			fail_msg("without %s: %d, %s", denial->feature, answer.status,
				 doctor_text(answer.json, "verdict"));
		doctor_done(&answer);
	}
}

static void without_uprobe_multi_the_trial_is_by_perf_events(void **state)
{
	struct doctor_copies *copies = *state;
	struct doctor_answer answer;

	doctor_require_root();
	support_require_tracing();
	setenv("PROBEKIT_DISABLE_FEATURES", "uprobe_multi", 1);
	answer = doctor_ask_here(copies, NULL);
	doctor_check_text(doctor_row(&answer, "own_span"), "found", "perf events");
	assert_int_equal(answer.status, 0);
	doctor_done(&answer);
	answer = doctor_ask_here(copies, &doctor_tracer);
	assert_int_equal(answer.status, DOCTOR_CANNOT_MEASURE);
	assert_true(doctor_has_state(&answer, "perf_uprobe_allowed", "missing"));
	doctor_done(&answer);
}

/* ---- text ---- */

static void text_into_a_pipe_is_plain_and_fits_80_columns(void **state)
{
	struct doctor_copies *copies = *state;
	struct support_child child;

	support_run(&child, NULL, copies->probekit, "doctor", NULL);
	assert_true(child.status == 0 || child.status == DOCTOR_CANNOT_MEASURE);
	assert_false(support_has_control_characters(child.out.text));
	assert_non_null(strstr(child.out.text, child.status == 0
						       ? "\nLatency can be measured"
						       : "\nLatency cannot be measured: "));
	for (char *line = strtok(child.out.text, "\n"); line; line = strtok(NULL, "\n"))
		if (strlen(line) > 80 && !strstr(line, "  sudo "))
			fail_msg("too long: %s", line);
	support_done(&child);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, doctor_set_up, doctor_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_verdict_is_what_an_attempt_shows),
		TEST(the_kind_of_site_is_what_measurements_use),
		TEST(an_ordinary_user_is_told_the_capabilities_and_the_command),
		TEST(the_command_for_setcap_is_one),
		TEST(one_capability_of_two_is_told_from_none),
		TEST(a_user_namespace_is_named_as_what_stands_in_the_way),
		TEST(file_systems_that_are_not_mounted_get_the_mount_command),
		TEST(what_is_denied_is_missing_and_has_its_consequence),
		TEST(without_uprobe_multi_the_trial_is_by_perf_events),
		TEST(text_into_a_pipe_is_plain_and_fits_80_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
