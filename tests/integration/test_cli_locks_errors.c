/* SPDX-License-Identifier: BSD-2-Clause */
/* What `probekit locks` says when it is asked for what cannot be, and what it leaves of an output file then. */
#include "refusals.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SNAPSHOT \
	"{\"schema\": \"probekit.snapshot/1\", \"duration_ns\": 1, \"probes\": [], \"locks\": "
#define NO_LOCKS SNAPSHOT "null}\n"
#define LOCK SNAPSHOT "[{\"pid\": 1, \"waits\": 0, \"wait_ns\": "

static void put_text(struct refusals_place *place, const char *name, const char *text)
{
	refusals_put(place, name, text, strlen(text));
}

static void check_file(const struct refusals_place *place, const char *name, const char *text)
{
	char *path = support_join(place->folder, name);
	size_t size_bytes;
	char *found = support_read_file(path, &size_bytes);

	assert_int_equal(size_bytes, strlen(text));
	assert_memory_equal(found, text, size_bytes);
	free(found);
	free(path);
}

/* ---- usage ---- */

static void wrong_usage_is_named_and_ends_with_2(void **state)
{
	const char *victim = support_program("victim");
	const struct refusal refusals[] = {
		{{"locks"}, 2, {"locks: no target", "-p PID", "-- CMD"}},
		{{"locks", "-s", "victim:*"}, 2, {"locks: no target", "-p PID"}},
		{{"locks", ""}, 2, {"empty"}},
		{{"locks", "--"}, 2, {"'--'"}},
		{{"locks", "-p", "abc"}, 2, {"'abc'", "process id"}},
		{{"locks", "-d", "0", victim}, 2, {"'0'", "duration"}},
		{{"locks", "-i", "soon", victim}, 2, {"'soon'", "duration"}},
		{{"locks", "-d"}, 2, {"'-d'", "argument", "probekit locks --help"}},
		{{"locks", "-s", "", victim}, 2, {"pattern"}},
		{{"locks", "-o", "", victim}, 2, {"''"}},
		{{"locks", "--jsn", victim}, 2, {"'--jsn'", "'--json'"}},
		{{"locks", "--slow-over", "1s", victim}, 2, {"'--slow-over'"}},
		{{"locks", "-u", "victim", victim}, 2, {"'victim'", "PROVIDER:BEGIN,END"}},
		{{"locks", victim, "second"}, 2, {"'second'"}},
		{{"locks", victim, "--", victim, "end", "0"}, 2, {"command stands alone"}},
		{{"locks", "-p", "1", "--", victim, "end", "0"}, 2, {"command stands alone"}},
		{{"locks", "--cgroup", "/", "-p", "1"}, 2, {"--cgroup"}},
	};

	CHECK_REFUSALS((struct refusals_place *)*state, refusals);
}

static void a_stored_snapshot_is_not_measured(void **state)
{
	static const char *const live[][2] = {{"-d", "1"},	   {"-i", "1"},
					      {"-s", "a:*"},	   {"-u", "a:b,c"},
					      {"-f", "malloc"},	   {"-o", "new.json"},
					      {"--children", NULL}};
	static const struct refusal whom[] = {
		{{"locks", "--from", "old.json", "-p", "1"}, 2, {"no TARGET, PID", "leave out"}},
		{{"locks", "--from", "old.json", "victim"}, 2, {"no TARGET, PID", "leave out"}},
		{{"locks", "--from", "old.json", "--cgroup", "/"}, 2, {"cgroup", "leave out"}},
		{{"locks", "--from", "old.json", "--", "true"}, 2, {"command", "leave out"}},
	};
	struct refusals_place *place = *state;

	put_text(place, "old.json", NO_LOCKS);
	for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++) {
		const struct refusal refusal = {
			{"locks", "--from", "old.json", live[i][0], live[i][1]},
			2,
			{live[i][0], "no meaning with --from", "leave out"}};

		refusals_check(place, &refusal, 1);
	}
	CHECK_REFUSALS(place, whom);
}

/* ---- targets ---- */

static void what_cannot_be_measured_is_named(void **state)
{
	const char *victim = support_program("victim");
	const struct refusal refusals[] = {
		{{"locks", "missing"}, 1, {"'missing'", "No such file"}},
		{{"locks", "text"}, 1, {"'text'", "ELF"}},
		{{"locks", "/tmp"}, 1, {"'/tmp'"}},
		{{"locks", "\033[31mred\nline"}, 1, {"'\\x1b[31mred\\nline'"}},
		{{"locks", "-p", "4194303"}, 1, {"4194303", "ps -e"}},
		{{"locks", victim, "-p", "4194303"}, 1, {"4194303"}},
		{{"locks", victim, "-s", "no:such"}, 1, {"'no:such'", "victim'", "victim:work"}},
		{{"locks", victim, "-s", "victim:work", "-s", "no:such"}, 1, {"'no:such'"}},
		{{"locks", victim, "-f", "no_such_function"}, 1, {"'no_such_function'", "victim'"}},
		{{"locks", victim, "-u", "victim:a,work__end"}, 1, {"'victim:a,work__end'"}},
		{{"locks", "--cgroup", "/no/such"}, 1, {"'/no/such'"}},
	};
	struct refusals_place *place = *state;

	put_text(place, "text", "not a program\n");
	CHECK_REFUSALS(place, refusals);
}

static void a_process_that_has_ended_is_named(void **state)
{
	struct support_child child;
	char pid[16];
	const struct refusal refusals[] = {{{"locks", "-p", pid}, 1, {pid}}};

	assert_int_equal(support_run(&child, NULL, "/bin/true", NULL), 0);
	snprintf(pid, sizeof(pid), "%d", (int)child.pid);
	support_done(&child);
	CHECK_REFUSALS((struct refusals_place *)*state, refusals);
}

/* ---- snapshots ---- */

static void a_snapshot_without_locks_is_no_snapshot_without_waits(void **state)
{
	static const struct refusal refusals[] = {
		{{"locks", "--from", "null.json"},
		 1,
		 {"'null.json'", "not measured", "probekit locks -o FILE TARGET"}},
		{{"locks", "--from", "null.json", "--json"}, 1, {"'null.json'", "not measured"}},
		{{"locks", "--from", "older.json"}, 1, {"'older.json'", "not measured"}},
	};
	struct refusals_place *place = *state;
	struct support_how how = {.folder = place->folder};
	struct support_child child;

	put_text(place, "null.json", NO_LOCKS);
	put_text(place, "older.json",
		 "{\"schema\": \"probekit.snapshot/1\", \"duration_ns\": 1, \"probes\": []}\n");
	CHECK_REFUSALS(place, refusals);
	put_text(place, "none.json", SNAPSHOT "[]}\n");
	assert_int_equal(support_run(&child, &how, support_probekit(), "locks", "--from",
				     "none.json", NULL),
			 0);
	assert_non_null(strstr(child.out.text, "no thread waited"));
	assert_string_equal(child.err.text, "");
	support_done(&child);
}

static void what_latency_measured_has_no_locks(void **state)
{
	static const struct refusal refusals[] = {
		{{"locks", "--from", "latency.json"}, 1, {"'latency.json'", "not measured"}},
	};
	struct refusals_place *place = *state;
	struct support_how how = {.folder = place->folder};
	struct support_child child;

	support_require_tracing();
	assert_int_equal(support_run(&child, &how, support_probekit(), "latency", "-o",
				     "latency.json", "--", support_program("victim"), "end", "0",
				     NULL),
			 0);
	support_done(&child);
	place->files = support_count_files(place->folder);
	CHECK_REFUSALS(place, refusals);
}

static void a_damaged_snapshot_is_named_with_the_place_in_it(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		const char *reason;
	} cases[] = {
		{"empty", "", "empty"},
		{"text", "hello\n", "not JSON, line 1"},
		{"other", "{\"schema\": \"somebody.else/1\"}\n", "'somebody.else/1'"},
		{"newer", "{\"schema\": \"probekit.snapshot/2\"}\n", "newer probekit"},
		{"cut", LOCK, "truncated"},
		{"negative", LOCK "-1}]}\n", "locks[0].wait_ns is negative"},
		{"no list", SNAPSHOT "{}}\n", "locks is not a list"},
		{"bad \033", LOCK "\"1\"}]}\n", "locks[0].wait_ns is not an integer"},
	};
	static const struct refusal missing[] = {
		{{"locks", "--from", "missing.json"}, 1, {"'missing.json'", "No such file"}},
		{{"locks", "--from", "/"}, 1, {"'/'", "Is a directory"}},
	};
	struct refusals_place *place = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct refusal refusal = {{"locks", "--from", cases[i].name},
						1,
						{strchr(cases[i].name, '\033') ? "'bad \\x1b'"
									       : cases[i].name,
						 "cannot read snapshot '", cases[i].reason}};

		put_text(place, cases[i].name, cases[i].text);
		refusals_check(place, &refusal, 1);
	}
	CHECK_REFUSALS(place, missing);
}

/* ---- output ---- */

static void an_output_that_cannot_be_written_is_refused_before_measuring(void **state)
{
	const char *victim = support_program("victim");
	const struct refusal refusals[] = {
		{{"locks", "-o", "no/such/file", "--", victim, "end", "0"},
		 1,
		 {"cannot write 'no/such/file'", "No such file"}},
		{{"locks", "-o", "/tmp", "--", victim, "end", "0"}, 1, {"'/tmp'", "folder"}},
		{{"locks", "-o", "new/", "--", victim, "end", "0"}, 1, {"'new/'"}},
		{{"locks", "-o", "/dev/full", "--", victim, "end", "0"}, 1, {"'/dev/full'"}},
		{{"locks", "-o", "old/file", "--", victim, "end", "0"}, 1, {"'old/file'"}},
	};
	struct refusals_place *place = *state;

	put_text(place, "old", "");
	/* That the command did not run shows in standard output, which stays empty. */
	CHECK_REFUSALS(place, refusals);
}

static void a_command_that_cannot_run_leaves_the_output_as_it_was(void **state)
{
	static const struct refusal refusals[] = {
		{{"locks", "-o", "new.json", "--", "./missing"}, 127, {"'./missing'"}},
		{{"locks", "-o", "old.json", "--", "./missing"}, 127, {"'./missing'"}},
		{{"locks", "-o", "old.json", "--", "./plain"}, 126, {"'./plain'", "denied"}},
		{{"locks", "-o", "old.json", "-p", "4194303"}, 1, {"4194303"}},
	};
	struct refusals_place *place = *state;

	support_require_tracing(); /* else that is told first */
	put_text(place, "old.json", "old\n");
	put_text(place, "plain", "text\n");
	CHECK_REFUSALS(place, refusals);
	check_file(place, "old.json", "old\n");
}

/* `lines` waits for its input, which ends with the measurement. */
static void start_measuring(struct refusals_place *place, const char *output,
			    struct support_child *probekit)
{
	const char *const words[] = {support_probekit(),	"locks", "-v", "-o", output, "--",
				     support_program("victim"), "lines", "1",  NULL};
	struct support_how how = {.folder = place->folder};

	support_start(probekit, &how, words);
	assert_true(support_wait_text(probekit, &probekit->out, "ready"));
}

static void an_output_that_fails_at_the_end_costs_no_report(void **state)
{
	struct refusals_place *place = *state;
	struct support_child probekit;
	char *folder = support_join(place->folder, "gone");

	support_require_tracing();
	assert_int_equal(mkdir(folder, 0755), 0);
	start_measuring(place, "gone/out.json", &probekit);
	assert_int_equal(rmdir(folder), 0);
	support_close_input(&probekit);
	assert_int_equal(support_finish(&probekit), 1);
	if (!strstr(probekit.err.text,
		    "probekit: cannot write 'gone/out.json': No such file or directory"))
		fail_msg("no word of it: %s", probekit.err.text);
	assert_non_null(strstr(probekit.out.text, "waits for locks"));
	assert_non_null(strstr(probekit.out.text, "the command ended with status 0"));
	assert_int_equal(support_count_files(place->folder), place->files);
	support_done(&probekit);
	free(folder);
}

static void a_measurement_that_is_killed_leaves_the_output_as_it_was(void **state)
{
	struct refusals_place *place = *state;
	struct support_child probekit;

	support_require_tracing();
	put_text(place, "old.json", "old\n");
	start_measuring(place, "old.json", &probekit);
	kill(probekit.pid, SIGKILL);
	support_close_input(&probekit);
	assert_int_equal(support_finish(&probekit), 128 + SIGKILL);
	support_done(&probekit);
	check_file(place, "old.json", "old\n");
	assert_int_equal(support_count_files(place->folder), place->files);
}

static void a_full_standard_output_is_a_failure(void **state)
{
	static const char *const options[] = {"--no-color", "--json"};
	struct refusals_place *place = *state;
	struct support_how how = {.folder = place->folder};

	put_text(place, "none.json", SNAPSHOT "[]}\n");
	for (size_t i = 0; i < 2; i++) {
		struct support_child child;

		support_run(&child, &how, "/bin/sh", "-c",
			    "exec \"$0\" locks --from none.json $1 2>&1 >/dev/full | tail -n 1",
			    support_probekit(), options[i], NULL);
		assert_non_null(strstr(child.out.text, "probekit: "));
		assert_non_null(strstr(child.out.text, "standard output"));
		support_done(&child);
		support_run(&child, &how, "/bin/sh", "-c",
			    "exec \"$0\" locks --from none.json $1 >/dev/full", support_probekit(),
			    options[i], NULL);
		assert_int_equal(child.status, 1);
		support_done(&child);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(wrong_usage_is_named_and_ends_with_2),
		TEST(a_stored_snapshot_is_not_measured),
		TEST(what_cannot_be_measured_is_named),
		TEST(a_process_that_has_ended_is_named),
		TEST(a_snapshot_without_locks_is_no_snapshot_without_waits),
		TEST(what_latency_measured_has_no_locks),
		TEST(a_damaged_snapshot_is_named_with_the_place_in_it),
		TEST(an_output_that_cannot_be_written_is_refused_before_measuring),
		TEST(a_command_that_cannot_run_leaves_the_output_as_it_was),
		TEST(an_output_that_fails_at_the_end_costs_no_report),
		TEST(a_measurement_that_is_killed_leaves_the_output_as_it_was),
		TEST(a_full_standard_output_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
