/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What probekit says when it is asked for what cannot be: one line on standard error that names the
 * object, the documented exit code, and nothing left behind.
 */
#include "refusals.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- files ---- */

static void latency_and_list_name_a_file_that_cannot_be_measured(void **state)
{
	static const char script[] = "#!/bin/sh\necho hello\n";
	static const struct refusal refusals[] = {
		{{"latency", "missing"}, 1, {"'missing'", "No such file"}},
		{{"list", "missing"}, 1, {"'missing'", "No such file"}},
		{{"latency", "no/such/folder"}, 1, {"'no/such/folder'", "No such file"}},
		{{"latency", "/tmp"}, 1, {"'/tmp'"}},
		{{"list", "/tmp"}, 1, {"'/tmp'"}},
		{{"latency", "text"}, 1, {"'text'", "ELF"}},
		{{"list", "text"}, 1, {"'text'", "ELF"}},
		{{"latency", "script"}, 1, {"'script'", "ELF"}},
		{{"latency", "empty"}, 1, {"'empty'", "ELF"}},
		{{"latency", "/dev/null"}, 1, {"'/dev/null'"}},
	};
	struct refusals_place *place = *state;

	refusals_put(place, "text", "not a program\n", 14);
	refusals_put(place, "script", script, strlen(script));
	refusals_put(place, "empty", "", 0);
	CHECK_REFUSALS(place, refusals);
}

static void a_path_with_control_characters_is_escaped(void **state)
{
	static const struct refusal refusals[] = {
		{{"latency", "\033[31mred\nline"}, 1, {"\\x1b[31mred\\nline"}},
		{{"list", "\033]0;title\007"}, 1, {"\\x1b]0;title\\x07"}},
	};

	CHECK_REFUSALS((struct refusals_place *)*state, refusals);
}

static void a_truncated_elf_file_is_refused_at_every_length(void **state)
{
	static const size_t lengths[] = {4, 16, 63, 64, 100, 1000, 5000};
	struct refusals_place *place = *state;
	struct support_how how = {.folder = place->folder};
	size_t size_bytes;
	char *program = support_read_file(support_program("victim"), &size_bytes);

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]) + 2; i++) {
		size_t length = i < 7 ? lengths[i] : i == 7 ? size_bytes / 2 : size_bytes - 1;
		char name[32];
		struct refusal refusal = {{"latency", name}, 1, {name}};

		snprintf(name, sizeof(name), "cut-%zu", length);
		refusals_put(place, name, program, length);
		refusals_check_one(&how, &refusal);
		refusal.arguments[0] = "list";
		refusals_check_one(&how, &refusal);
	}
	assert_int_equal(support_count_files(place->folder), place->files);
	free(program);
}

static void an_elf_file_for_another_machine_is_refused(void **state)
{
	static const struct refusal refusals[] = {
		{{"latency", "foreign"}, 1, {"'foreign'", "machine"}},
		{{"latency", "narrow"}, 1, {"'narrow'"}},
		{{"latency", "--", "./foreign"}, 126, {"foreign"}},
	};
	struct refusals_place *place = *state;
	size_t size_bytes;
	char *program = support_read_file(support_program("victim"), &size_bytes);
	Elf64_Ehdr *header = (void *)program;
	char *path;

	support_require_tracing(); /* else that is told first */
	header->e_machine = header->e_machine == EM_S390 ? EM_X86_64 : EM_S390;
	refusals_put(place, "foreign", program, size_bytes);
	path = support_join(place->folder, "foreign");
	support_write_file(path, program, size_bytes);
	header->e_ident[EI_CLASS] = ELFCLASS32;
	refusals_put(place, "narrow", program, size_bytes);
	assert_int_equal(chmod(path, 0755), 0);
	CHECK_REFUSALS(place, refusals);
	free(path);
	free(program);
}

/* ---- probes ---- */

static void a_program_without_probes_gets_functions_suggested(void **state)
{
	struct refusal refusals[] = {
		{{"latency", support_program("spanless")},
		 1,
		 {"no probekit span", "spanless'", "with -f", "handle_request"}},
		{{"latency", support_program("spanless"), "-u", "a:b,c"},
		 1,
		 {"'a:b,c'", "spanless'"}},
	};

	CHECK_REFUSALS((struct refusals_place *)*state, refusals);
}

static void a_selection_that_matches_nothing_names_what_there_is(void **state)
{
	const char *victim = support_program("victim");
	struct refusal refusals[] = {
		{{"latency", victim, "-s", "vctim:*"},
		 1,
		 {"'vctim:*'", "victim:work", "victim:held"}},
		{{"latency", victim, "-s", "victim:work", "-s", "nothing:*"},
		 1,
		 {"'nothing:*'", "victim:work"}},
		{{"latency", victim, "-u", "victim:absent,work__end"},
		 1,
		 {"'victim:absent,work__end'", "begins"}},
		{{"latency", victim, "-u", "victim:work__begin,absent"},
		 1,
		 {"'victim:work__begin,absent'", "ends"}},
	};

	CHECK_REFUSALS((struct refusals_place *)*state, refusals);
}

static void a_malformed_pair_is_a_usage_error(void **state)
{
	static const char *const pairs[] = {
		"",    "victim",  "victim:work", "victim:,work", "victim:work,", ":a,b",
		"a,b", "a:b,c,d", "a:b,|",	 "a:b,c||d",	 "a:b,c|"};
	const char *victim = support_program("victim");
	struct support_how how = {.folder = ((struct refusals_place *)*state)->folder};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char quoted[64];
		struct refusal refusal = {
			{"latency", victim, "-u", pairs[i]}, 2, {quoted, "PROVIDER:BEGIN,END"}};

		snprintf(quoted, sizeof(quoted), "'%s'", pairs[i]);
		refusals_check_one(&how, &refusal);
	}
}

/* ---- processes ---- */

static pid_t find_kernel_thread(void)
{
	for (pid_t pid = 2; pid < 64; pid++) {
		char path[64];
		char line[8];
		FILE *file;
		size_t got;

		snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
		file = fopen(path, "re");
		if (!file)
			continue;
		got = fread(line, 1, sizeof(line), file);
		fclose(file);
		snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
		if (got == 0 && readlink(path, line, sizeof(line)) < 0 && errno == ENOENT)
			return pid;
	}
	return 0;
}

/* `is_reaped`: gone; else a zombie. */
static pid_t start_and_end(bool is_reaped)
{
	pid_t pid = fork();
	siginfo_t info;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | (is_reaped ? 0 : WNOWAIT)), 0);
	return pid;
}

static void check_pid(void **state, pid_t pid)
{
	char text[16];
	const char *victim = support_program("victim");
	struct refusal refusals[] = {
		{{"latency", "-p", text}, 1, {text}},
		{{"list", "-p", text}, 1, {text}},
		{{"latency", victim, "-p", text, "-d", "1"}, 1, {text}},
	};

	snprintf(text, sizeof(text), "%d", (int)pid);
	CHECK_REFUSALS((struct refusals_place *)*state, refusals);
}

static void a_pid_that_nobody_has_is_named(void **state)
{
	check_pid(state, 4194303); /* the largest that Linux could ever give */
}

static void a_pid_that_has_ended_is_named(void **state)
{
	check_pid(state, start_and_end(true));
}

static void a_zombie_is_not_measured(void **state)
{
	pid_t pid = start_and_end(false);

	check_pid(state, pid);
	waitpid(pid, NULL, 0);
}

static void a_kernel_thread_is_named(void **state)
{
	pid_t pid = find_kernel_thread();

	if (!pid) {
		print_message("skipped: needs kernel threads: this PID namespace shows none\n");
		skip();
	}
	check_pid(state, pid);
}

static void a_pid_that_is_no_number_is_a_usage_error(void **state)
{
	static const struct refusal refusals[] = {
		{{"latency", "-p", "abc"}, 2, {"'abc'", "-p"}},
		{{"latency", "-p", "12x"}, 2, {"'12x'"}},
		{{"latency", "-p", "-1"}, 2, {"'-1'"}},
		{{"latency", "-p", "0"}, 2, {"'0'"}},
		{{"latency", "-p", "99999999999999999999"}, 2, {"'99999999999999999999'"}},
		{{"latency", "-p", ""}, 2, {"''"}},
		{{"list", "-p", "1.5"}, 2, {"'1.5'"}},
	};

	CHECK_REFUSALS((struct refusals_place *)*state, refusals);
}

/* ---- output ---- */

static void an_output_that_cannot_be_written_is_refused_before_measuring(void **state)
{
	const char *victim = support_program("victim");
	struct refusal refusals[] = {
		{{"latency", "-o", "no/such/file", "--", victim, "end", "0"}, 1, {"'no/such/file'"}},
		{{"latency", "-o", "/tmp", "--", victim, "end", "0"}, 1, {"'/tmp'"}},
		{{"latency", "-o", "new/", "--", victim, "end", "0"}, 1, {"'new/'"}},
		{{"latency", "-o", "/dev/full", "--", victim, "end", "0"}, 1, {"'/dev/full'"}},
		{{"latency", "-o", "text/file", "--", victim, "end", "0"}, 1, {"'text/file'"}},
	};
	struct refusals_place *place = *state;

	refusals_put(place, "text", "", 0);
	/* That the command did not run shows in standard output, which stays empty. */
	CHECK_REFUSALS(place, refusals);
}

static void a_full_standard_output_is_a_failure(void **state)
{
	struct support_child child;

	(void)state;
	support_run(&child, NULL, "/bin/sh", "-c", "exec \"$0\" list \"$1\" >/dev/full",
		    support_probekit(), support_program("victim"), NULL);
	assert_int_equal(child.status, 1);
	refusals_check_line(&child, (const char *const[]){"standard output", NULL});
	support_done(&child);
}

static void a_snapshot_file_that_is_none_is_named(void **state)
{
	static const struct refusal refusals[] = {
		{{"latency", "--from", "missing.json"}, 1, {"'missing.json'", "No such file"}},
		{{"latency", "--from", "text"}, 1, {"'text'"}},
		{{"latency", "--from", "empty"}, 1, {"'empty'"}},
		{{"latency", "--from", "other"}, 1, {"'other'"}},
		{{"latency", "--from", "newer"}, 1, {"'newer'", "probekit.snapshot/2"}},
		{{"latency", "--from", "cut"}, 1, {"'cut'"}},
	};
	static const char other[] = "{ \"schema\": \"somebody.else/1\" }\n";
	static const char newer[] = "{ \"schema\": \"probekit.snapshot/2\" }\n";
	static const char cut[] = "{ \"schema\": \"probekit.snapshot/1\", \"probes\": [";
	struct refusals_place *place = *state;

	refusals_put(place, "text", "hello\n", 6);
	refusals_put(place, "empty", "", 0);
	refusals_put(place, "other", other, strlen(other));
	refusals_put(place, "newer", newer, strlen(newer));
	refusals_put(place, "cut", cut, strlen(cut));
	CHECK_REFUSALS(place, refusals);
}

/* ---- commands ---- */

static void a_command_that_cannot_run_ends_as_in_a_shell(void **state)
{
	static const struct refusal refusals[] = {
		{{"latency", "--", "no-such-command-at-all"},
		 127,
		 {"'no-such-command-at-all'", "not found"}},
		{{"latency", "--", "./missing"}, 127, {"'./missing'"}},
		{{"latency", "--", "./plain"}, 126, {"'./plain'", "Permission denied"}},
		{{"latency", "--", "/tmp"}, 126, {"'/tmp'"}},
		{{"latency", "--", "./garbage"}, 126, {"./garbage"}},
		{{"latency", "--", "./orphan"}, 127, {"./orphan"}},
	};
	static const char orphan[] = "#!/no/such/interpreter\n";
	struct refusals_place *place = *state;
	char *path;

	support_require_tracing(); /* else that is told first */
	refusals_put(place, "plain", "text\n", 5);
	refusals_put(place, "garbage", "\1\2\3\4", 4);
	path = support_join(place->folder, "garbage");
	assert_int_equal(chmod(path, 0755), 0);
	free(path);
	refusals_put(place, "orphan", orphan, strlen(orphan));
	path = support_join(place->folder, "orphan");
	assert_int_equal(chmod(path, 0755), 0);
	free(path);
	CHECK_REFUSALS(place, refusals);
}

/* ---- usage ---- */

static void wrong_usage_is_named_and_ends_with_2(void **state)
{
	const char *victim = support_program("victim");
	struct refusal refusals[] = {
		{{"latencie"}, 2, {"'latencie'", "latency"}},
		{{""}, 2, {"''"}},
		{{"latency", "--colour", victim}, 2, {"'--colour'"}},
		{{"latency", "-Z", victim}, 2, {"'-Z'"}},
		{{"list", "--jsn", victim}, 2, {"'--jsn'", "--json"}},
		{{"latency", "-d"}, 2, {"'-d'", "argument"}},
		{{"latency", "-d", "soon", victim}, 2, {"'soon'", "-d"}},
		{{"latency", "-d", "-1", victim}, 2, {"'-1'"}},
		{{"latency", "-d", "0", victim}, 2, {"'0'"}},
		{{"latency", "-d", "nan", victim}, 2, {"'nan'"}},
		{{"latency", "-i", "1e999", victim}, 2, {"'1e999'"}},
		{{"latency", "--key", "x", victim}, 2, {"'x'"}},
		{{"latency", "-o", "", victim}, 2, {"''"}},
		{{"latency", "-s", "", victim}, 2, {"pattern"}},
		{{"latency"}, 2, {"target"}},
		{{"latency", ""}, 2, {"empty"}},
		{{"latency", "--"}, 2, {"'--'"}},
		{{"list"}, 2, {"-p PID"}},
	};

	CHECK_REFUSALS((struct refusals_place *)*state, refusals);
}

static void targets_that_contradict_are_a_usage_error(void **state)
{
	const char *victim = support_program("victim");
	struct refusal refusals[] = {
		{{"latency", victim, "second"}, 2, {"'second'"}},
		{{"latency", victim, "--", victim, "end", "0"}, 2, {"command"}},
		{{"latency", "-p", "1", "--", victim, "end", "0"}, 2, {"command"}},
		{{"latency", "--from", "file", victim}, 2, {"--from"}},
		{{"latency", "--from", "file", "-p", "1"}, 2, {"--from"}},
		{{"latency", "--from", "file", "-d", "1"}, 2, {"--from"}},
		{{"latency", "--from", "file", "--slow-over", "1s"}, 2, {"--from"}},
		{{"latency", victim, "--until-slow", "3"}, 2, {"--slow-over"}},
		{{"latency", victim, "--slow-over", "1s", "--until-slow", "0"}, 2, {"above 0"}},
		{{"list", victim, "-p", "1"}, 2, {"-p"}},
		{{"list", "--", victim}, 2, {"'--'"}},
	};

	CHECK_REFUSALS((struct refusals_place *)*state, refusals);
}

/* ---- kernels ---- */

static void lack(void *feature)
{
	setenv("PROBEKIT_DISABLE_FEATURES", feature, 1);
}

static void a_kernel_that_lacks_a_feature_is_refused_by_its_name(void **state)
{
	static const struct {
		const char *feature;
		const char *named;
	} cases[] = {
		{"btf", "BTF"},
		{"cookie", "cookies"},
		{"task_storage", "task storage"},
		{"atomics", "atomic"},
		{"find_vma", "bpf_find_vma"},
		{"loop", "bpf_loop"},
		{"uprobe_multi,perf_uprobe", "uprobe"},
	};
	const char *victim = support_program("victim");

	support_require_tracing();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct support_how how = {
			.folder = ((struct refusals_place *)*state)->folder,
			.prepare = lack,
			.arg = (void *)cases[i].feature,
		};
		struct refusal refusal = {
			{"latency", "--", victim, "end", "0"}, 3, {"kernel", cases[i].named}};

		refusals_check_one(&how, &refusal);
	}
}

static void a_refusal_does_no_harm_to_the_target(void **state)
{
	const char *victim = support_program("victim");
	const char *const words[] = {victim, "lines", "10", NULL};
	struct support_child target;
	struct support_child child;
	char pid[16];

	(void)state;
	support_start(&target, NULL, words);
	assert_true(support_wait_text(&target, &target.out, "ready"));
	snprintf(pid, sizeof(pid), "%d", (int)target.pid);
	assert_int_equal(support_run(&child, NULL, support_probekit(), "latency", "-p", pid, "-s",
				     "no:such", NULL),
			 1);
	support_done(&child);
	assert_int_equal(support_run(&child, NULL, support_probekit(), "latency", "-p", pid, "-o",
				     "/no/such/file", NULL),
			 1);
	support_done(&child);
	support_wait_untraced(target.pid, victim);
	support_write(&target, "go\n");
	support_close_input(&target);
	assert_int_equal(support_finish(&target), 0);
	assert_int_equal(support_number(target.out.text, "did"), 10);
	support_done(&target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(latency_and_list_name_a_file_that_cannot_be_measured),
		TEST(a_path_with_control_characters_is_escaped),
		TEST(a_truncated_elf_file_is_refused_at_every_length),
		TEST(an_elf_file_for_another_machine_is_refused),
		TEST(a_program_without_probes_gets_functions_suggested),
		TEST(a_selection_that_matches_nothing_names_what_there_is),
		TEST(a_malformed_pair_is_a_usage_error),
		TEST(a_pid_that_nobody_has_is_named),
		TEST(a_pid_that_has_ended_is_named),
		TEST(a_zombie_is_not_measured),
		TEST(a_kernel_thread_is_named),
		TEST(a_pid_that_is_no_number_is_a_usage_error),
		TEST(an_output_that_cannot_be_written_is_refused_before_measuring),
		TEST(a_full_standard_output_is_a_failure),
		TEST(a_snapshot_file_that_is_none_is_named),
		TEST(a_command_that_cannot_run_ends_as_in_a_shell),
		TEST(wrong_usage_is_named_and_ends_with_2),
		TEST(targets_that_contradict_are_a_usage_error),
		TEST(a_kernel_that_lacks_a_feature_is_refused_by_its_name),
		TEST(a_refusal_does_no_harm_to_the_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
