/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens on machines now and then. Each time the target's output is that of a run which nobody traces, its
 * spans are counted exactly, and nothing of a tracer stays in it.
 *
 * PROBEKIT_TEST_TRIES is how often each is tried, at its full size; without it once, at a size for seconds.
 */
#include "measure.h"
#include "support.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PROBEKITS = 10,
	SPANS_OF_A_PROCESS = 20, /* of "toil processes" */
};

/* ---- tries and sizes ---- */

static unsigned long tries(void)
{
	const char *text = getenv("PROBEKIT_TEST_TRIES");

	return text ? strtoul(text, NULL, 10) : 0;
}

static uint64_t size_of(uint64_t full, uint64_t small)
{
	return tries() ? full : scaled(small, 10);
}

static void try_often(const char *what, void (*try_once)(void))
{
	unsigned long wanted = tries() ? tries() : 1;
	uint64_t begin_ns = monotonic_ns();

	require_tracing();
	for (unsigned long i = 0; i < wanted; i++)
		try_once();
	print_message("%s: tried %lu times in %.1f s\n", what, wanted,
		      (double)(monotonic_ns() - begin_ns) / 1e9);
}

/* ---- the target ---- */

static void start_toil(struct child *toil, const char *path, const char *mode, uint64_t count)
{
	child_start(toil, (const char *const[]){path, mode, number_text(count), "wait", NULL});
	child_wait_line(toil, "ready");
}

/* What it prints when it is let go so often. */
static char *run_untraced(const char *mode, uint64_t count, int steps)
{
	struct child toil;
	char *text;

	start_toil(&toil, program_path("toil"), mode, count);
	while (steps--)
		child_go(&toil);
	assert_int_equal(child_end(&toil), 0);
	text = strdup(toil.text);
	assert_non_null(text);
	child_done(&toil);
	return text;
}

static void check_output(const struct child *toil, char *untraced)
{
	assert_string_equal(toil->text, untraced);
	free(untraced);
}

static void end_toil(struct child *toil)
{
	assert_int_equal(child_end(toil), 0);
	child_done(toil);
}

/* Each of these rows (NULL: the target's own) has so many. */
static void check_rows_of(struct probekit_session *session, const char *const *rows, uint64_t count)
{
	static const char *const own[] = {"toil:work", NULL};
	struct probekit_snapshot *snapshot = measure_stop(session);

	for (rows = rows ? rows : own; *rows; rows++)
		assert_row(snapshot, *rows, .count = count);
	probekit_snapshot_free(snapshot);
}

/* The session that traced it has counted all, and leaves nothing in it. */
static void end_traced(struct child *toil, char *untraced, struct probekit_session *session,
		       const char *const *rows, uint64_t count)
{
	check_rows_of(session, rows, count);
	support_wait_untraced(toil->pid, program_path("toil"));
	check_output(toil, untraced);
	end_toil(toil);
}

/* ---- many processes of one binary ---- */

/* Each is attached to by itself, as it comes. */
static void trace_children(void)
{
	uint64_t count = size_of(1000, 200);
	char *untraced = run_untraced("processes", count, 2);
	struct probekit_session *session;
	struct child toil;

	start_toil(&toil, program_path("toil"), "processes", count);
	session = measure_start(&(struct measure){
		.pid = toil.pid,
		.options = {.follow_children = true},
	});
	child_go(&toil);
	measure_await_processes(session, 1 + count);
	child_go(&toil);
	end_traced(&toil, untraced, session, NULL, count * SPANS_OF_A_PROCESS);
}

/* All at once, by the file. */
static void trace_users(void)
{
	uint64_t count = size_of(1000, 200);
	char *untraced = run_untraced("processes", count, 2);
	struct probekit_session *session;
	struct child toil;

	start_toil(&toil, program_path("toil"), "processes", count);
	child_go(&toil);
	session = measure_start(&(struct measure){.path = program_path("toil")});
	assert_int_equal(probekit_session_process_count(session), 1 + count);
	child_go(&toil);
	end_traced(&toil, untraced, session, NULL, count * SPANS_OF_A_PROCESS);
}

static void many_processes_of_one_binary(void **state)
{
	struct rlimit limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	try_often("1,000 processes of one binary, one by one", trace_children);
	try_often("1,000 processes of one binary, by its file", trace_users);
}

/* ---- threads that live for one span ---- */

static void trace_threads(void)
{
	uint64_t count = size_of(100000, 10000);
	char *untraced = run_untraced("threads", count, 1);
	struct probekit_session *session;
	struct child toil;

	start_toil(&toil, program_path("toil"), "threads", count);
	session = measure_start(&(struct measure){.pid = toil.pid});
	child_go(&toil);
	end_traced(&toil, untraced, session, NULL, count);
}

static void short_threads(void **state)
{
	(void)state;
	try_often("10,000 short threads a second", trace_threads);
}

/* ---- a library that comes and goes ---- */

static void trace_library(void)
{
	const char *const functions[] = {"plugin_spans:plugin_run", NULL};
	const char *const globs[] = {"*", NULL};
	const char *const rows[] = {"toil:work", "plugin:own", "plugin_run", NULL};
	uint64_t count = size_of(20000, 2000);
	char *untraced = run_untraced("library", count, 1);
	struct probekit_session *session;
	struct child toil;

	start_toil(&toil, program_path("toil"), "library", count);
	session = measure_start(&(struct measure){
		.pid = toil.pid,
		.globs = globs,
		.functions = functions,
	});
	child_go(&toil);
	end_traced(&toil, untraced, session, rows, count);
}

static void a_library_that_is_opened_and_closed(void **state)
{
	(void)state;
	try_often("a library opened and closed", trace_library);
}

/* ---- another file in the binary's place ---- */

static void copy_program(const char *name, const char *path)
{
	size_t size_bytes;
	char *data = support_read_file(program_path(name), &size_bytes);

	support_write_file(path, data, size_bytes);
	assert_int_equal(chmod(path, 0755), 0);
	free(data);
}

/* As an update does: by a rename, or by removal first. */
static void replace(const char *path, bool by_rename)
{
	char *other;

	assert_true(asprintf(&other, "%s.new", path) > 0);
	copy_program("victim", other);
	if (!by_rename)
		assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(other, path), 0);
	free(other);
}

/* By PID and by file, before the file is replaced and after. */
static void trace_replaced(bool by_rename)
{
	uint64_t count = size_of(20000, 2000);
	char *untraced = run_untraced("spans", count, 3);
	char *folder = support_new_folder();
	char *path = support_join(folder, "toil");
	struct probekit_session *by_pid, *by_file, *after;
	struct child toil;

	copy_program("toil", path);
	start_toil(&toil, path, "spans", count);
	by_pid = measure_start(&(struct measure){.pid = toil.pid});
	by_file = measure_start(&(struct measure){.path = path});
	child_go(&toil);
	replace(path, by_rename);
	child_go(&toil);
	after = measure_start(&(struct measure){.pid = toil.pid});
	child_go(&toil);
	check_rows_of(by_pid, NULL, 3 * count);
	check_rows_of(by_file, NULL, 3 * count);
	check_rows_of(after, NULL, count);
	check_output(&toil, untraced);
	assert_false(child_is_traced(&toil));
	end_toil(&toil);
	support_remove_folder(folder);
	free(path);
}

static void replace_both_ways(void)
{
	trace_replaced(true);
	trace_replaced(false);
}

static void a_binary_that_is_replaced(void **state)
{
	(void)state;
	try_often("a binary replaced while traced", replace_both_ways);
}

/* ---- many tracers ---- */

/* With spans, or functions. */
static void start_probekit(struct support_child *probekit, pid_t pid, bool has_functions)
{
	const char *const words[] = {support_probekit(),
				     "latency",
				     "-v",
				     "--json",
				     "--force",
				     "-p",
				     number_text((uint64_t)pid),
				     has_functions ? "-f" : "-s",
				     has_functions ? "work" : "toil:*",
				     NULL};

	support_start(probekit, NULL, words);
	support_wait_measuring(probekit);
}

static void end_probekit(struct support_child *probekit, const char *row, uint64_t count)
{
	json_t *snapshot;

	snapshot = support_end_measuring(probekit);
	assert_int_equal(support_integer(support_row(snapshot, row), "count"), count);
	support_check_nothing_lost(json_object_get(support_row(snapshot, row), "lost"));
	json_decref(snapshot);
	support_done(probekit);
}

/* False: it is not installed. It counts begins of spans. */
static bool start_bpftrace(struct support_child *bpftrace, pid_t pid)
{
	const char *tool = support_find_tool("/usr/bin/bpftrace:/usr/local/bin/bpftrace");
	char *program;

	if (!tool)
		return false;
	assert_true(asprintf(&program, "usdt:%s:toil:work__begin { @begun = count(); }",
			     program_path("toil")) > 0);
	support_start(bpftrace, NULL,
		      (const char *const[]){tool, "-p", number_text((uint64_t)pid), "-e", program,
					    NULL});
	support_wait_semaphores(pid, program_path("toil"), 1);
	free(program);
	return true;
}

/* bpftrace 0.17 forgets a signal now and then, also when it is alone; by a second one that comes as it ends it dies. */
#define SIGNAL_AGAIN_POLLS 50
static void interrupt_until_ended(pid_t pid)
{
	siginfo_t ended = {0};
	uint64_t since = 0;

	for (int polls = 0; !ended.si_pid && keep_waiting(&since, 60); polls++) {
		if (polls % SIGNAL_AGAIN_POLLS == 0)
			assert_int_equal(kill(pid, SIGINT), 0);
		poll(NULL, 0, 100);
		assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
	}
}

static void end_bpftrace(struct support_child *bpftrace, uint64_t count)
{
	char *expected;

	interrupt_until_ended(bpftrace->pid);
	assert_int_equal(support_finish(bpftrace), 0);
	assert_true(asprintf(&expected, "@begun: %s\n", number_text(count)) > 0);
	if (!strstr(bpftrace->out.text, expected))
		fail_msg("not '%s': %s", expected, bpftrace->out.text);
	free(expected);
	support_done(bpftrace);
}

static bool start_perf(struct support_child *perf, pid_t pid)
{
	const char *tool = support_find_tool("/usr/bin/perf");

	if (!tool)
		return false;
	support_start(perf, NULL,
		      (const char *const[]){tool, "record", "-e", "cpu-clock", "-g", "-o",
					    "/dev/null", "-p", number_text((uint64_t)pid), NULL});
	return true;
}

static void end_perf(struct support_child *perf)
{
	kill(perf->pid, SIGINT);
	support_finish(perf);
	assert_int_equal(perf->status & ~(128 + SIGINT), 0);
	support_done(perf);
}

static void trace_by_many(void)
{
	uint64_t count = size_of(50000, 10000);
	char *untraced = run_untraced("spans", count, 1);
	struct support_child probekits[PROBEKITS];
	struct support_child bpftrace, perf;
	bool has_bpftrace, has_perf;
	struct child toil;

	start_toil(&toil, program_path("toil"), "spans", count);
	has_bpftrace = start_bpftrace(&bpftrace, toil.pid);
	has_perf = start_perf(&perf, toil.pid);
	for (int i = 0; i < PROBEKITS; i++)
		start_probekit(&probekits[i], toil.pid, i % 3 == 2);
	child_go(&toil);
	for (int i = 0; i < PROBEKITS; i++)
		end_probekit(&probekits[i], i % 3 == 2 ? "work" : "toil:work", count);
	if (has_bpftrace)
		end_bpftrace(&bpftrace, count);
	if (has_perf)
		end_perf(&perf);
	support_wait_untraced(toil.pid, program_path("toil"));
	check_output(&toil, untraced);
	end_toil(&toil);
}

static void many_tracers_of_one_process(void **state)
{
	(void)state;
	try_often("ten probekits, bpftrace and perf on one process", trace_by_many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_processes_of_one_binary),
		cmocka_unit_test(short_threads),
		cmocka_unit_test(a_library_that_is_opened_and_closed),
		cmocka_unit_test(a_binary_that_is_replaced),
		cmocka_unit_test(many_tracers_of_one_process),
	};

	return cmocka_run_group_tests_name("hardships", tests, NULL, NULL);
}
