/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What probekit may still do once it measures: as little as what comes needs, in every thread; and what
 * comes works: processes that are found later, files that were replaced, outputs in folders of others, the
 * end of a command of another user.
 */
#include "support_user.h"
#include "support_victim.h"

#include <dirent.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIT(capability) (UINT64_C(1) << (capability))
#define LONG_WAIT_US 300000 /* of the target, so that there is a sample of it */

static const uint64_t to_look = BIT(CAP_SYS_PTRACE) | BIT(CAP_DAC_READ_SEARCH) |
				BIT(CAP_CHECKPOINT_RESTORE) | BIT(CAP_SYSLOG);

static void start_victim(struct support_child *target, const struct support_how *how,
			 const struct support_copies *copies, char pid[16])
{
	support_start_victim(target, how, copies->program);
	snprintf(pid, 16, "%d", (int)target->pid);
}

/* ---- what a thread may do ---- */

static uint64_t number_after(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	assert_non_null(at);
	return strtoull(at + strlen(name), NULL, 16);
}

/* False where the thread has just ended. */
static bool read_status(const char *path, char status[4096])
{
	FILE *file = fopen(path, "r");

	if (!file)
		return false;
	status[fread(status, 1, 4095, file)] = '\0';
	fclose(file);
	return status[0] != '\0';
}

static void check_thread(const char *path, uint64_t expected)
{
	char status[4096];

	if (!read_status(path, status))
		return;
	assert_int_equal(number_after(status, "CapPrm:") & ~expected, 0);
	assert_int_equal(number_after(status, "CapEff:") & ~expected, 0);
	assert_int_equal(number_after(status, "CapInh:"), 0);
	assert_int_equal(number_after(status, "CapAmb:"), 0);
}

static void check_threads(pid_t pid, uint64_t expected)
{
	const struct dirent *entry;
	char path[300];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	folder = opendir(path);
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)pid, entry->d_name);
		if (entry->d_name[0] != '.')
			check_thread(path, expected);
	}
	closedir(folder);
}

/* The first thread has exactly those, and can never have others. */
static void check_rights(pid_t pid, uint64_t expected)
{
	char status[4096];
	char path[64];

	check_threads(pid, expected);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	assert_true(read_status(path, status));
	assert_int_equal(number_after(status, "CapPrm:"), expected);
	assert_int_equal(number_after(status, "NoNewPrivs:"), 1);
}

/* "measuring" is said before, and this is what is done last. */
static void wait_given_up(struct support_child *probekit)
{
	char status[4096];
	bool is_done = false;
	char path[64];

	support_wait_measuring(probekit);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)probekit->pid);
	for (int i = 0; i < SUPPORT_DEADLINE_MS && !is_done; i++) {
		assert_true(read_status(path, status));
		is_done = number_after(status, "NoNewPrivs:") == 1;
		usleep(1000);
	}
	assert_true(is_done);
}

static void check_measuring(const struct support_how *how, const struct support_copies *copies,
			    uint64_t expected)
{
	char pid[16];
	const char *const words[] = {copies->probekit, "latency", "-v", "--json", "-p", pid, NULL};
	struct support_child target;
	struct support_child probekit;

	start_victim(&target, how, copies, pid);
	support_start(&probekit, how == &support_nobody ? &support_tracer : how, words);
	wait_given_up(&probekit);
	check_rights(probekit.pid, expected);
	support_check_victim_counted(&probekit, &target);
	support_end(&target);
	support_done(&probekit);
}

static void root_keeps_what_looking_needs(void **state)
{
	support_require_capable_kernel();
	check_measuring(NULL, *state, to_look);
}

static void who_has_two_capabilities_keeps_none(void **state)
{
	support_require_capable_kernel();
	check_measuring(&support_nobody, *state, 0);
}

/* ---- what comes still works ---- */

/* Those that "family" has just created. */
static size_t read_children(pid_t pid, pid_t children[8])
{
	size_t count = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (count < 8 && fscanf(file, "%d", &children[count]) == 1)
		count++;
	fclose(file);
	return count;
}

/* As the unit in docs/security.md has it. */
static void become_service(void *arg)
{
	static const unsigned int has[] = {CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_SYSLOG};
	uint64_t bounding = 0;

	(void)arg;
	for (size_t i = 0; i < 4; i++)
		bounding |= BIT(has[i]);
	for (int i = 0; i < 64 && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		if (!(bounding & BIT(i)) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0))
			_exit(124);
	support_become_user(has, 4);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		_exit(124);
}

static void a_service_of_its_own_user_measures_others(void **state)
{
	static const struct support_how service = {.prepare = become_service};
	struct support_copies *copies = *state;
	char pid[16];
	const char *const words[] = {copies->probekit, "offcpu", "-v", "--json", "-p", pid, NULL};
	struct support_child target;
	struct support_child probekit;

	support_require_capable_kernel();
	start_victim(&target, NULL, copies, pid);
	support_start(&probekit, &service, words);
	support_wait_measuring(&probekit);
	usleep(LONG_WAIT_US);
	support_let_victim_work(&target);
	support_interrupt(&probekit);
	if (!strstr(probekit.out.text, "\"main\"") || !strstr(probekit.out.text, "pipe_read"))
		fail_msg("%s", probekit.out.text);
	support_end(&target);
	support_done(&probekit);
}

static void processes_that_are_found_later_are_measured_without_a_capability(void **state)
{
	struct support_copies copies;
	char pid[16];
	const char *words[] = {NULL,  "latency",    "-v", "--json", "-i",
			       "0.1", "--children", "-p", pid,	    NULL};
	struct support_child family;
	struct support_child probekit;
	pid_t children[8];
	json_t *snapshot;

	(void)state;
	support_require_capable_kernel();
	support_copy(&copies, "family");
	words[0] = copies.probekit;
	support_start(&family, &support_nobody,
		      (const char *const[]){copies.program, "fork", "100", "wait", NULL});
	assert_true(support_wait_text(&family, &family.out, "ready"));
	snprintf(pid, sizeof(pid), "%d", (int)family.pid);
	support_start(&probekit, &support_tracer, words);
	wait_given_up(&probekit);
	check_rights(probekit.pid, 0);
	support_write(&family, "go\n");
	assert_true(support_wait_text(&family, &family.out, "done"));
	assert_int_equal(read_children(family.pid, children), 3);
	for (size_t i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof(name), ",%d", (int)children[i]); /* one of "pids" */
		assert_true(support_wait_text(&probekit, &probekit.out, name));
	}
	support_write(&family, "go\n");
	support_close_input(&family);
	assert_int_equal(support_finish(&family), 0);
	snapshot = support_end_intervals(&probekit);
	assert_int_equal(support_integer(support_row(snapshot, "family:work"), "count"), 400);
	json_decref(snapshot);
	support_done(&probekit);
	support_done(&family);
	support_copy_done(&copies);
}

/* Who started it gives up what it has inherited, and must not be kept from looking into it by that. */
static void what_a_command_executes_is_measured_with_two_capabilities(void **state)
{
	static const char script[] = "sleep 0.5; exec \"$0\" lines 100";
	struct support_copies *copies = *state;
	const char *const words[] = {
		copies->probekit, "latency",	   "-v", "--json", "-i", "0.1", "--", "sh", "-c",
		script,		  copies->program, NULL};
	struct support_child probekit;
	json_t *snapshot;

	support_require_capable_kernel();
	support_start(&probekit, &support_tracer, words);
	assert_true(support_wait_text(&probekit, &probekit.err, "ready"));
	assert_true(support_wait_text(&probekit, &probekit.out, "victim:work"));
	support_write(&probekit, "go\n");
	assert_true(support_wait_text(&probekit, &probekit.err, "did 100\n"));
	support_close_input(&probekit);
	snapshot = support_end_intervals(&probekit);
	assert_int_equal(support_integer(support_row(snapshot, "victim:work"), "count"), 100);
	json_decref(snapshot);
	support_done(&probekit);
}

/* Its file is told by the map alone, which asks for CAP_CHECKPOINT_RESTORE, when the report is made. */
static void a_program_that_was_replaced_still_has_names(void **state)
{
	struct support_copies *copies = *state;
	char pid[16];
	const char *const words[] = {copies->probekit, "offcpu", "-v", "--json", "-p", pid, NULL};
	struct support_child target;
	struct support_child probekit;

	support_require_capable_kernel();
	start_victim(&target, NULL, copies, pid);
	support_start(&probekit, NULL, words);
	wait_given_up(&probekit);
	check_rights(probekit.pid, to_look);
	assert_int_equal(unlink(copies->program), 0);
	support_write_file(copies->program, "another", 7);
	usleep(LONG_WAIT_US);
	support_let_victim_work(&target);
	support_interrupt(&probekit);
	if (!strstr(probekit.out.text, "\"main\""))
		fail_msg("%s", probekit.out.text);
	support_end(&target);
	support_done(&probekit);
}

static void an_output_in_a_folder_of_another_user_is_written(void **state)
{
	struct support_copies *copies = *state;
	struct support_child probekit;
	char *folder = support_join(copies->folder, "theirs");
	char *file = support_join(folder, "snapshot");
	struct stat status;

	support_require_capable_kernel();
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(chown(folder, SUPPORT_ORDINARY_USER, SUPPORT_ORDINARY_USER), 0);
	support_run(&probekit, NULL, copies->probekit, "latency", "-o", file, "--", copies->program,
		    "end", "0", NULL);
	if (probekit.status)
		fail_msg("status %d: %s", probekit.status, probekit.err.text);
	assert_int_equal(stat(file, &status), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(folder), 0);
	support_done(&probekit);
	free(file);
	free(folder);
}

static void a_command_that_becomes_another_user_is_ended(void **state)
{
	struct support_copies *copies = *state;
	struct support_child probekit;

	support_require_capable_kernel();
	support_run(&probekit, NULL, copies->probekit, "latency", "-d", "0.5", "--",
		    copies->program, "user", "65534", NULL);
	assert_int_equal(probekit.status, 0);
	if (!strstr(probekit.out.text, "status 143"))
		fail_msg("%s", probekit.out.text);
	support_done(&probekit);
}

/* Each run starts as the first one did. */
static void commands_get_what_they_would_have_got(void **state)
{
	struct support_copies *copies = *state;
	struct support_how how = {.folder = copies->folder};
	char *told = support_join(copies->folder, "told");
	struct support_child probekit;
	size_t size;
	char *text;

	support_require_capable_kernel();
	support_run(&probekit, &how, copies->program, "rights", "told", NULL);
	assert_int_equal(probekit.status, 0);
	support_done(&probekit);
	support_run(&probekit, &how, copies->probekit, "record", "--runs", "2", "-o", "runs.json",
		    "--", copies->program, "rights", "told", NULL);
	if (probekit.status)
		fail_msg("status %d: %s", probekit.status, probekit.err.text);
	support_done(&probekit);
	text = support_read_file(told, &size);
	assert_int_equal(size % 3, 0);
	assert_true(size > 100);
	assert_memory_equal(text, text + size / 3, size / 3);
	assert_memory_equal(text, text + 2 * (size / 3), size / 3);
	free(text);
	free(told);
}

/* With file capabilities that would be anybody's way to them. */
static void no_library_is_loaded_from_the_current_folder(void **state)
{
	static const char *const libraries[] = {"libm.so.6", "libc.so.6", "libprobekit.so.0"};
	struct support_how how = {.folder = support_new_folder()};
	struct support_child probekit;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char *file = support_join(how.folder, libraries[i]);

		support_write_file(file, "", 0);
		free(file);
	}
	support_run(&probekit, &how, support_probekit(), "--version", NULL);
	if (probekit.status)
		fail_msg("status %d: %s", probekit.status, probekit.err.text);
	support_done(&probekit);
	support_remove_folder((char *)how.folder);
}

/* ---- every command with the two capabilities alone ---- */

static void check_runs(const struct support_copies *copies, const char *const words[], int status)
{
	struct support_how how = support_tracer;
	const char *all[SUPPORT_MAX_WORDS] = {copies->probekit};
	struct support_child probekit;

	how.folder = copies->folder;
	for (size_t i = 0; words[i]; i++)
		all[i + 1] = words[i];
	support_start(&probekit, &how, all);
	support_close_input(&probekit);
	if (support_finish(&probekit) != status || strstr(probekit.err.text, "cannot"))
		fail_msg("%s: status %d: %s", words[0], probekit.status, probekit.err.text);
	support_done(&probekit);
}

#define RUNS(status, ...) check_runs(copies, (const char *const[]){__VA_ARGS__, NULL}, status)

static void two_capabilities_suffice_for_every_command(void **state)
{
	struct support_copies *copies = *state;
	struct support_child target;
	const char *program = copies->program;
	char pid[16];

	support_require_capable_kernel();
	assert_int_equal(chmod(copies->folder, 01777), 0);
	start_victim(&target, &support_nobody, copies, pid);
	RUNS(0, "doctor", "-p", pid);
	RUNS(0, "list", "-f", "*", "-p", pid);
	RUNS(0, "latency", "-d", "0.1", "-f", "main", "-f", "libc:read", "-p", pid);
	RUNS(0, "locks", "-d", "0.1", "--hold", "-p", pid);
	RUNS(0, "offcpu", "-d", "0.1", "--oncpu", "--svg", "a.svg", "-p", pid);
	RUNS(0, "record", "-d", "0.1", "-o", "live.json", "-p", pid);
	RUNS(0, "latency", "--from", "live.json");
	RUNS(0, "record", "--runs", "2", "-o", "runs.json", "--", program, "end", "0");
	RUNS(5, "diff", "runs.json", "runs.json"); /* two runs decide nothing */
	RUNS(5, "compare", "--mode", "sliced", "--pairs", "1", "--warm-up", "0", "--base", program,
	     "--head", program, "--", "end", "0");
	support_end(&target);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, support_set_up_copies, support_tear_down_copies)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(root_keeps_what_looking_needs),
		TEST(who_has_two_capabilities_keeps_none),
		TEST(a_service_of_its_own_user_measures_others),
		cmocka_unit_test(processes_that_are_found_later_are_measured_without_a_capability),
		TEST(what_a_command_executes_is_measured_with_two_capabilities),
		TEST(a_program_that_was_replaced_still_has_names),
		TEST(an_output_in_a_folder_of_another_user_is_written),
		TEST(a_command_that_becomes_another_user_is_ended),
		TEST(commands_get_what_they_would_have_got),
		cmocka_unit_test(no_library_is_loaded_from_the_current_folder),
		TEST(two_capabilities_suffice_for_every_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
