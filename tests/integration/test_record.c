/* SPDX-License-Identifier: BSD-2-Clause */
/* What `probekit record` writes of runs with known counts, and that it writes nothing of those that fail. */
#include "refusals.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	SPANS_AT_END = 100, /* of victim's modes `end` and `once` */
	RUNS = 3,
	FEW_TICKS = 100, /* of victim, one a millisecond, from its start to its end */
	STILL_TRIES = 5,
};

#define REVISION "c123d5770b3e0e7a4ed0cc4bb4d1cea7ac0bd2b4"

/* What probekit keeps of the command's output goes to the test's folder. */
static void keep_output_here(void *folder)
{
	setenv("TMPDIR", folder, 1);
}

static struct support_how in_place(struct refusals_place *place)
{
	return (struct support_how){
		.prepare = keep_output_here, .arg = place->folder, .folder = place->folder};
}

static char *read_text(const char *path)
{
	size_t size_bytes;

	return support_read_file(path, &size_bytes);
}

static json_t *read_snapshot(const struct refusals_place *place, const char *name)
{
	char *path = support_join(place->folder, name);
	char *text = read_text(path);
	json_t *snapshot = support_json(text);

	free(text);
	free(path);
	return snapshot;
}

static int64_t count_of_work(json_t *snapshot)
{
	return support_integer(support_row(snapshot, "victim:work"), "count");
}

static int64_t sum_of_buckets(json_t *row)
{
	json_t *histogram = json_object_get(row, "histogram");
	int64_t sum = support_integer(histogram, "zero_count");
	json_t *bucket;
	size_t i;

	json_array_foreach (json_object_get(histogram, "buckets"), i, bucket)
		sum += json_integer_value(json_array_get(bucket, 1));
	return sum;
}

/* ---- runs of a command ---- */

static void check_runs(json_t *snapshot)
{
	json_t *runs = json_object_get(snapshot, "runs");
	const char *before = "";
	int64_t duration_ns = 0;
	json_t *run;
	size_t i;

	assert_int_equal(json_array_size(runs), RUNS);
	json_array_foreach (runs, i, run) {
		const char *started = json_string_value(json_object_get(run, "started"));

		assert_int_equal(count_of_work(run), SPANS_AT_END);
		assert_int_equal(sum_of_buckets(support_row(run, "victim:work")), SPANS_AT_END);
		assert_int_equal(support_integer(run, "child_status"), 0);
		assert_true(support_integer(run, "child_cpu_ns") > 0);
		assert_true(json_is_false(json_object_get(run, "excludes_stopped")));
		assert_true(strcmp(started, before) > 0);
		support_check_nothing_lost(json_object_get(run, "lost"));
		duration_ns += support_integer(run, "duration_ns");
		before = started;
	}
	assert_int_equal(support_integer(snapshot, "duration_ns"), duration_ns);
	assert_int_equal(count_of_work(snapshot), RUNS * SPANS_AT_END);
	assert_int_equal(sum_of_buckets(support_row(snapshot, "victim:work")), RUNS * SPANS_AT_END);
	assert_int_equal(support_integer(snapshot, "child_status"), 0);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(snapshot, "target"), "pids")),
		RUNS);
}

static void each_run_is_exact_and_the_whole_is_their_sum(void **state)
{
	struct refusals_place *place = *state;
	struct support_how how = in_place(place);
	struct support_child child;
	json_t *snapshot;

	support_require_tracing();
	support_run(&child, &how, support_probekit(), "record", "--runs", "3", "-o", "base.json",
		    "--", support_program("victim"), "end", "0", NULL);
	assert_int_equal(child.status, 0);
	assert_string_equal(child.err.text, "");
	assert_non_null(strstr(child.out.text, "3 runs"));
	assert_non_null(strstr(child.out.text, "victim:work"));
	assert_non_null(strstr(child.out.text, " 300 "));
	/* what the command printed is neither shown nor kept */
	assert_null(strstr(child.out.text, "total"));
	assert_int_equal(support_count_files(place->folder), 1);
	support_done(&child);
	snapshot = read_snapshot(place, "base.json");
	check_runs(snapshot);
	json_decref(snapshot);

	support_run(&child, &how, support_probekit(), "latency", "--from", "base.json", NULL);
	assert_int_equal(child.status, 0);
	assert_non_null(strstr(child.out.text, "count 300 "));
	support_done(&child);
}

static void one_run_is_a_snapshot_without_runs(void **state)
{
	struct refusals_place *place = *state;
	struct support_how how = in_place(place);
	struct support_child child;
	json_t *snapshot;

	support_require_tracing();
	support_run(&child, &how, support_probekit(), "record", "-o", "base.json", "--",
		    support_program("victim"), "end", "0", NULL);
	assert_int_equal(child.status, 0);
	support_done(&child);
	snapshot = read_snapshot(place, "base.json");
	assert_int_equal(json_array_size(json_object_get(snapshot, "runs")), 0);
	assert_int_equal(count_of_work(snapshot), SPANS_AT_END);
	json_decref(snapshot);
}

static void the_machine_and_the_revision_are_recorded(void **state)
{
	struct refusals_place *place = *state;
	struct support_how how = in_place(place);
	struct support_child child;
	struct utsname name;
	json_t *environment;
	json_t *snapshot;

	support_require_tracing();
	/* as in a worktree: a file that says where the repository is */
	refusals_put(place, ".git", "gitdir: .\n", 10);
	refusals_put(place, "HEAD", REVISION "\n", sizeof(REVISION));
	assert_int_equal(uname(&name), 0);
	support_run(&child, &how, support_probekit(), "record", "--runs", "2", "-o", "base.json",
		    "--", support_program("victim"), "end", "0", NULL);
	assert_int_equal(child.status, 0);
	support_done(&child);
	snapshot = read_snapshot(place, "base.json");
	for (size_t i = 0; i < 2; i++) {
		environment = json_object_get(json_array_get(json_object_get(snapshot, "runs"), i),
					      "environment");
		assert_string_equal(json_string_value(json_object_get(environment, "revision")),
				    REVISION);
		assert_string_equal(json_string_value(json_object_get(environment, "kernel")),
				    name.release);
		assert_int_equal(support_integer(environment, "cpus"),
				 sysconf(_SC_NPROCESSORS_ONLN));
		assert_true(json_is_number(json_object_get(environment, "load")));
		assert_true(json_is_integer(json_object_get(environment, "aslr")));
	}
	json_decref(snapshot);
}

/* ---- runs that fail ---- */

/* The path that stands between quotes at the line's end. */
static char *output_named_in(const char *line)
{
	const char *end = strrchr(line, '\'');
	const char *begin = end;

	assert_non_null(end);
	do {
		assert_true(begin > line);
		begin--;
	} while (*begin != '\'');
	return strndup(begin + 1, (size_t)(end - begin - 1));
}

/* In the file that the line names, which is removed. */
static void check_kept(const char *line, const char *printed)
{
	char *path = output_named_in(line);
	char *text = read_text(path);

	if (!strstr(text, printed))
		fail_msg("'%s' has not '%s' but '%s'", path, printed, text);
	assert_int_equal(unlink(path), 0);
	free(text);
	free(path);
}

static void check_failure(struct refusals_place *place, const char *const words[],
			  const char *const wanted[], const char *printed)
{
	struct support_how how = in_place(place);
	struct support_child child;

	support_start(&child, &how, words);
	support_close_input(&child);
	assert_int_equal(support_finish(&child), 1);
	assert_string_equal(child.out.text, "");
	refusals_check_line(&child, wanted);
	/* that one, and no snapshot */
	assert_int_equal(support_count_files(place->folder), place->files + 1);
	check_kept(child.err.text, printed);
	support_done(&child);
}

static void a_run_that_fails_is_an_error_that_keeps_its_output(void **state)
{
	static const struct {
		const char *mode;
		const char *value;
		const char *said;
		const char *printed;
	} cases[] = {
		{"end", "3", "status 3", "total 100"},
		{"killed", "9", "signal 9 (Killed)", "total 100"},
		{"nonsense", "", "status 2", "usage: victim"},
	};

	support_require_tracing();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const words[] = {support_probekit(),
					     "record",
					     "--runs",
					     "2",
					     "-o",
					     "base.json",
					     "--",
					     support_program("victim"),
					     cases[i].mode,
					     cases[i].value,
					     NULL};
		char last[64];
		const char *const wanted[] = {"victim' failed", cases[i].said,
					      "what it printed is in", last, NULL};

		snprintf(last, sizeof(last), "and ends: %s", cases[i].printed);
		check_failure(*state, words, wanted, cases[i].printed);
	}
}

static void without_children(void *arg)
{
	keep_output_here(arg);
	signal(SIGCHLD, SIG_IGN);
}

static void without_input(void *arg)
{
	keep_output_here(arg);
	close(STDIN_FILENO);
}

/* As services and nohup leave it to the programs that they start. */
static void a_run_fails_as_well_where_probekit_was_started_oddly(void **state)
{
	void (*const odd[])(void *) = {without_children, without_input};
	struct refusals_place *place = *state;
	const char *victim = support_program("victim");

	support_require_tracing();
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		const struct support_how how = {
			.prepare = odd[i], .arg = place->folder, .folder = place->folder};
		struct support_child child;

		support_run(&child, &how, support_probekit(), "record", "-o", "base.json", "--",
			    victim, "end", "3", NULL);
		assert_int_equal(child.status, 1);
		assert_non_null(strstr(child.err.text, "status 3"));
		check_kept(child.err.text, "total 100");
		support_done(&child);
		assert_int_equal(support_count_files(place->folder), place->files);
	}
}

static void a_later_run_that_fails_leaves_nothing_written(void **state)
{
	struct refusals_place *place = *state;
	const char *const words[] = {support_probekit(),
				     "record",
				     "--runs",
				     "2",
				     "--timeout",
				     "3",
				     "-o",
				     "base.json",
				     "--",
				     support_program("victim"),
				     "once",
				     "seen",
				     NULL};
	struct support_how how = in_place(place);
	struct support_child child;

	support_require_tracing();
	support_start(&child, &how, words);
	support_close_input(&child);
	assert_int_equal(support_finish(&child), 1);
	assert_non_null(strstr(child.err.text, "timeout of 3 s"));
	assert_non_null(strstr(child.err.text, "it printed nothing"));
	assert_int_equal(support_count_files(place->folder), 1); /* of the program's own */
	support_done(&child);
}

static void a_run_that_hangs_is_ended_after_the_timeout(void **state)
{
	struct refusals_place *place = *state;
	struct support_how how = in_place(place);
	const char *const words[] = {
		support_probekit(),	   "record", "--timeout", "3", "-o", "base.json", "--",
		support_program("victim"), "tick",   NULL};
	struct support_child child;
	char *path;
	char *text;
	pid_t pid;

	support_require_tracing();
	support_start(&child, &how, words);
	support_close_input(&child);
	assert_int_equal(support_finish(&child), 1);
	assert_non_null(strstr(child.err.text, "had not ended after the timeout of 3 s"));
	path = output_named_in(child.err.text);
	text = read_text(path);
	pid = (pid_t)support_number(text, "ready");
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(support_count_files(place->folder), 1);
	free(text);
	free(path);
	support_done(&child);
}

/* As the reaper of what it leaves, we know of its end. */
static void expect_end(pid_t pid)
{
	const struct timespec moment = {.tv_nsec = 10000000};
	pid_t ended;

	for (long waited_ms = 0; (ended = waitpid(pid, NULL, WNOHANG)) == 0; waited_ms += 10) {
		assert_true(waited_ms < SUPPORT_DEADLINE_MS);
		nanosleep(&moment, NULL);
	}
	assert_int_equal(ended, pid);
}

static void what_a_run_that_hangs_has_started_is_ended_too(void **state)
{
	struct refusals_place *place = *state;
	struct support_how how = in_place(place);
	struct support_child child;
	char *path;
	char *text;

	support_require_tracing();
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	support_run(&child, &how, support_probekit(), "record", "--children", "--timeout", "3",
		    "-o", "base.json", "--", "sh", "-c", "\"$1\" tick & wait", "sh",
		    support_program("victim"), NULL);
	assert_int_equal(child.status, 1);
	path = output_named_in(child.err.text);
	text = read_text(path);
	expect_end((pid_t)support_number(text, "ready"));
	assert_int_equal(unlink(path), 0);
	free(text);
	free(path);
	support_done(&child);
}

/* ---- Ctrl-C ---- */

/* Until the program, in its second run, has said who it is. */
static pid_t wait_for_second_run(const struct refusals_place *place)
{
	const struct timespec moment = {.tv_nsec = 10000000};
	char *path = support_join(place->folder, "seen");
	pid_t pid = 0;

	for (long waited_ms = 0; !pid; waited_ms += 10) {
		FILE *file = fopen(path, "r");

		if (file && fscanf(file, "pid %d\n", &pid) != 1)
			pid = 0;
		if (file)
			fclose(file);
		assert_true(waited_ms < SUPPORT_DEADLINE_MS);
		nanosleep(&moment, NULL);
	}
	free(path);
	return pid;
}

static void an_interrupt_writes_the_runs_that_are_complete(void **state)
{
	struct refusals_place *place = *state;
	struct support_how how = in_place(place);
	const char *const words[] = {
		support_probekit(),	   "record", "--runs", "5", "-o", "base.json", "--",
		support_program("victim"), "once",   "seen",   NULL};
	struct support_child child;
	json_t *snapshot;
	pid_t pid;

	support_require_tracing();
	support_start(&child, &how, words);
	pid = wait_for_second_run(place);
	support_interrupt(&child);
	assert_non_null(strstr(child.err.text, "1 of 5 runs"));
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	support_done(&child);
	assert_int_equal(support_count_files(place->folder), 2);
	snapshot = read_snapshot(place, "base.json");
	assert_int_equal(json_array_size(json_object_get(snapshot, "runs")), 1);
	assert_int_equal(count_of_work(snapshot), SPANS_AT_END);
	json_decref(snapshot);
}

static void an_interrupt_of_the_first_run_writes_nothing(void **state)
{
	struct refusals_place *place = *state;
	struct support_how how = in_place(place);
	const char *const words[] = {support_probekit(),	"record", "-o",	  "base.json", "--",
				     support_program("victim"), "once",	  "seen", NULL};
	struct support_child child;

	support_require_tracing();
	refusals_put(place, "seen", "", 0);
	support_start(&child, &how, words);
	wait_for_second_run(place);
	assert_int_equal(kill(child.pid, SIGINT), 0);
	assert_int_equal(support_finish(&child), 1);
	assert_non_null(strstr(child.err.text, "interrupted"));
	assert_string_equal(child.out.text, "");
	assert_int_equal(support_count_files(place->folder), 1);
	support_done(&child);
}

/* ---- live processes ---- */

/* False: the machine stood still, and nothing can be said of so few spans. */
static bool record_live(struct refusals_place *place)
{
	struct support_how how = in_place(place);
	const char *const words[] = {support_program("victim"), "tick", NULL};
	struct support_child target;
	struct support_child child;
	uint64_t total;
	json_t *snapshot;
	int64_t count;
	char pid[16];

	support_start(&target, NULL, words);
	assert_true(support_wait_text(&target, &target.out, "ready"));
	snprintf(pid, sizeof(pid), "%d", (int)target.pid);
	support_run(&child, &how, support_probekit(), "record", "-d", "300ms", "-o", "now.json",
		    "-p", pid, NULL);
	assert_int_equal(child.status, 0);
	assert_non_null(strstr(child.out.text, "victim:work"));
	support_done(&child);
	snapshot = read_snapshot(place, "now.json");
	assert_int_equal(json_array_size(json_object_get(snapshot, "runs")), 0);
	assert_true(support_integer(snapshot, "duration_ns") >= 300000000);
	assert_true(json_is_null(json_object_get(snapshot, "child_cpu_ns")));
	assert_int_equal(kill(target.pid, SIGTERM), 0);
	assert_int_equal(support_finish(&target), 0);
	total = support_number(target.out.text, "total");
	count = count_of_work(snapshot);
	if (count > (int64_t)total || (count == 0 && total >= FEW_TICKS))
		fail_msg("%lld of %llu spans in %s", (long long)count, (unsigned long long)total,
			 json_dumps(snapshot, 0));
	json_decref(snapshot);
	support_done(&target);
	return count > 0;
}

static void a_live_process_is_recorded_for_the_duration(void **state)
{
	int tries = 0;

	support_require_tracing();
	while (!record_live(*state))
		if (++tries == STILL_TRIES)
			fail_msg("%d times the program made next to no span", tries);
}

/* ---- usage ---- */

static void wrong_usage_is_named_and_runs_nothing(void **state)
{
	const char *victim = support_program("victim");
	struct refusal refusals[] = {
		{{"record", "--", victim, "once", "seen"}, 2, {"-o FILE is missing"}},
		{{"record", "-o", "x.json"}, 2, {"no target", "-- CMD"}},
		{{"record", "-o", "x.json", "--runs", "0", "--", victim, "once", "seen"},
		 2,
		 {"--runs", "from 1 to"}},
		{{"record", "-o", "x.json", "--runs", "2", "-p", "1"},
		 2,
		 {"--runs", "of a command"}},
		{{"record", "-o", "x.json", "--timeout", "2", victim}, 2, {"--timeout"}},
		{{"record", "-o", "x.json", "-d", "2", "--", victim, "once", "seen"},
		 2,
		 {"-d", "--timeout"}},
		{{"record", "-o", "no/such/x.json", "--", victim, "once", "seen"},
		 1,
		 {"'no/such/x.json'"}},
		{{"record", "-o", "x.json", "--", "./missing"}, 127, {"'./missing' not found"}},
	};

	CHECK_REFUSALS((struct refusals_place *)*state, refusals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_run_is_exact_and_the_whole_is_their_sum),
		TEST(one_run_is_a_snapshot_without_runs),
		TEST(the_machine_and_the_revision_are_recorded),
		TEST(a_run_that_fails_is_an_error_that_keeps_its_output),
		TEST(a_run_fails_as_well_where_probekit_was_started_oddly),
		TEST(a_later_run_that_fails_leaves_nothing_written),
		TEST(a_run_that_hangs_is_ended_after_the_timeout),
		TEST(what_a_run_that_hangs_has_started_is_ended_too),
		TEST(an_interrupt_writes_the_runs_that_are_complete),
		TEST(an_interrupt_of_the_first_run_writes_nothing),
		TEST(a_live_process_is_recorded_for_the_duration),
		TEST(wrong_usage_is_named_and_runs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
