/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spans of a process that is stopped and continued meanwhile, and commands that are the caller's to do that
 * with. What a span took without its stops lies between what its thread's CPU clock and run delay show just
 * inside and just outside of it.
 */
#include "breakdown.h"
#include "breakdown_truth.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNS 4
#define ROUNDS 30
#define STOPS 3	    /* a round, as the program makes them */
#define SIDE_US 100 /* of a stop, what one account takes for running and the other for waiting */

/* On a CPU, or runnable without one. */
static struct bracket busy_of(const struct run *run)
{
	struct bracket cpu = bracket_of(run, "cpu");
	struct bracket delay = bracket_of(run, "delay");

	return (struct bracket){cpu.low + delay.low, cpu.high + delay.high};
}

/* Of so many stops. An emulated CPU stands still between any two instructions. */
static int64_t allowed_ns(const struct run *run, uint64_t stops)
{
	int64_t side = SIDE_US * 1000 * (test_scale() > 1 ? 40 : 1);

	return side * (int64_t)stops + run_truth(run, "stolen");
}

static void check_between(const char *row, const char *what, int64_t is, struct bracket truth,
			  int64_t allowed)
{
	if (is < truth.low - allowed || is > truth.high + allowed)
		fail_msg("%s: %s %lld ns, not %lld to %lld, and %lld beyond at most", row, what,
			 (long long)is, (long long)truth.low, (long long)truth.high,
			 (long long)allowed);
}

static void run_once(const char *mode, const char *rounds, bool is_excluded, struct run *run)
{
	const char *const command[] = {program_path("stops"), mode, rounds, NULL};
	const char *const functions[] = {"stopped_call", NULL};
	const char *const globs[] = {"stops:*", NULL};
	const struct measure what = {
		.command = command,
		.globs = globs,
		.functions = functions,
		.options.exclude_stopped = is_excluded,
	};

	measure_run(&what, run);
	assert_int_equal(run->status, 0);
}

/* Would the stops show in a sum if they were in it? Not where as much of the CPU was taken for other things. */
static bool would_tell(const struct run *run)
{
	return allowed_ns(run, STOPS * scaled(ROUNDS, 3)) < run_truth(run, "least");
}

/* A run whose classes are not exact, or that cannot tell, is made again. */
static void run_stops(const char *mode, bool is_excluded, struct run *run)
{
	for (int i = 0; i < RUNS; i++) {
		run_once(mode, scaled_text(ROUNDS, 3), is_excluded, run);
		if (!breakdowns_are_repaired(run->snapshot) && would_tell(run))
			return;
		print_message("  repaired, or disturbed, once more\n");
		run_done(run);
	}
	fail_msg("%s: %d of %d runs are repaired or disturbed", mode, RUNS, RUNS);
}

/* All of them around the same stops, but for the last. */
static const char *const shapes[] = {
	"stops:inner", "stops:async", "stops:pair", "stops:outer", "stopped_call", "stops:plain",
};
#define STOPPED_SHAPES 5

static void check_bands(const struct probekit_probe *row)
{
	uint64_t total[PROBEKIT_CLASS_COUNT] = {0};

	for (size_t i = 0; i < row->band_count; i++)
		for (int k = 0; k < PROBEKIT_CLASS_COUNT; k++)
			total[k] += row->bands[i].time_ns[k];
	assert_memory_equal(total, row->time_ns, sizeof(total));
}

static void check_count_and_sums(const struct run *run)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		const struct probekit_probe *row = find_row(run->snapshot, shapes[i]);

		assert_row(run->snapshot, shapes[i], .count = scaled(ROUNDS, 3));
		assert_true(row->has_time);
		assert_int_equal(row->unexplained_ns, 0);
		assert_int_equal(breakdown_sum(row->time_ns), row->sum);
		check_bands(row);
	}
	assert_key(run->snapshot, "stops:inner", 7, scaled(ROUNDS, 3));
	assert_int_equal(find_key(run->snapshot, "stops:inner", 7)->sum,
			 find_row(run->snapshot, "stops:inner")->sum);
}

static void stopped_time_is_in_no_span_where_it_is_left_out(void **state)
{
	uint64_t stops = STOPS * scaled(ROUNDS, 3);
	struct bracket most;
	struct run run;

	(void)state;
	run_stops("shapes", true, &run);
	check_count_and_sums(&run);
	most = bracket_of(&run, "most");
	for (size_t i = 0; i < STOPPED_SHAPES; i++) {
		const struct probekit_probe *row = find_row(run.snapshot, shapes[i]);

		print_message("  %s: sum %lld us of %lld to %lld, max %lld us of %lld to %lld\n",
			      shapes[i], (long long)row->sum / 1000,
			      (long long)busy_of(&run).low / 1000,
			      (long long)busy_of(&run).high / 1000, (long long)row->max / 1000,
			      (long long)most.low / 1000, (long long)most.high / 1000);
		check_between(shapes[i], "sum", row->sum, busy_of(&run), allowed_ns(&run, stops));
		check_between(shapes[i], "max", row->max, most, allowed_ns(&run, STOPS));
		assert_int_equal(row->time_ns[PROBEKIT_CLASS_STOPPED], 0);
		if (row->kind == PROBEKIT_KIND_ASYNC) /* of which the slowest are not kept */
			continue;
		assert_true(row->slowest_count > 0);
		assert_int_equal(row->slowest[0].time_ns[PROBEKIT_CLASS_STOPPED], 0);
		assert_true((int64_t)row->slowest[0].duration_ns <= row->max);
	}
	run_done(&run);
}

static void nested_spans_are_reduced_alike(void **state)
{
	struct run run;

	(void)state;
	run_stops("shapes", true, &run);
	for (size_t i = 1; i < STOPPED_SHAPES; i++) {
		const struct probekit_probe *inner = find_row(run.snapshot, shapes[i - 1]);
		const struct probekit_probe *outer = find_row(run.snapshot, shapes[i]);

		assert_true(inner->sum <= outer->sum);
		assert_true(inner->max <= outer->max);
		assert_true(inner->min <= outer->min);
	}
	run_done(&run);
}

static void stopped_time_is_part_of_spans_by_default(void **state)
{
	uint64_t stops = STOPS * scaled(ROUNDS, 3);
	struct run run;

	(void)state;
	run_stops("shapes", false, &run);
	check_count_and_sums(&run);
	for (size_t i = 0; i < STOPPED_SHAPES; i++) {
		const struct probekit_probe *row = find_row(run.snapshot, shapes[i]);

		check_between(shapes[i], "stopped", (int64_t)row->time_ns[PROBEKIT_CLASS_STOPPED],
			      (struct bracket){run_truth(&run, "least"), run_truth(&run, "most")},
			      allowed_ns(&run, stops));
	}
	run_done(&run);
}

/* One in ten, of those that bring the thread to a CPU or take it from it. */
static void stops_that_are_not_seen_to_begin_or_end_are_left_out_too(void **state)
{
	uint64_t rounds = scaled(100, 20);
	struct run run;

	(void)state;
	setenv("PROBEKIT_LOSE_SWITCHES", "10", 1);
	run_once("shapes", number_text(rounds), true, &run);
	unsetenv("PROBEKIT_LOSE_SWITCHES");
	for (size_t i = 0; i < STOPPED_SHAPES; i++) {
		const struct probekit_probe *row = find_row(run.snapshot, shapes[i]);

		print_message("  %s: sum %lld us of %lld to %lld\n", shapes[i],
			      (long long)row->sum / 1000, (long long)busy_of(&run).low / 1000,
			      (long long)busy_of(&run).high / 1000);
		check_between(shapes[i], "sum", row->sum, busy_of(&run),
			      allowed_ns(&run, STOPS * rounds));
		assert_int_equal(breakdown_sum(row->time_ns), row->sum);
	}
	assert_true(breakdowns_are_repaired(run.snapshot));
	run_done(&run);
}

static void an_async_span_that_ends_elsewhere_keeps_its_stops_unexplained(void **state)
{
	const struct probekit_probe *row;
	struct run run;

	(void)state;
	run_stops("handed", true, &run);
	row = find_row(run.snapshot, "stops:handed");
	assert_row(run.snapshot, "stops:handed", .count = scaled(ROUNDS, 3));
	assert_true(row->sum >= run_truth(&run, "least"));
	assert_int_equal(row->unexplained_ns, row->sum);
	assert_int_equal(row->time_ns[PROBEKIT_CLASS_STOPPED], 0);
	run_done(&run);
}

/* ---- commands that are held ---- */

/* The program "stops" in a mode, held; what it prints comes to `output`. */
static struct probekit_session *start_held(const char *mode, const char *count, int *output)
{
	const char *const command[] = {program_path("stops"), mode, count, NULL};

	*output = memfd_create("output", MFD_CLOEXEC);
	assert_true(*output >= 0);
	return measure_start(&(struct measure){
		.command = command,
		.options.hold_command = true,
		.options.command_output_fd = *output,
	});
}

static void release(struct probekit_session *session)
{
	struct probekit_error err;

	if (probekit_session_release(session, &err))
		fail_msg("%s", err.text);
}

/* Does it still run this very program? */
static bool is_unborn(pid_t pid)
{
	char path[64];
	char own[4096];
	char its[4096];
	ssize_t own_size = readlink("/proc/self/exe", own, sizeof(own));
	ssize_t its_size;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	its_size = readlink(path, its, sizeof(its));
	return own_size > 0 && own_size == its_size && memcmp(own, its, (size_t)own_size) == 0;
}

static void a_held_command_runs_from_its_release_and_leads_its_group(void **state)
{
	struct probekit_snapshot *snapshot;
	struct probekit_session *session;
	struct probekit_error err;
	pid_t pid;
	int output;

	(void)state;
	session = start_held("leave", "50", &output);
	pid = probekit_session_command_pid(session);
	assert_true(pid > 0);
	assert_int_equal(getpgid(pid), pid);
	for (int i = 0; i < 5; i++)
		assert_int_equal(probekit_session_poll(session, 2, &err), 0);
	assert_true(is_unborn(pid));
	release(session);
	assert_int_equal(probekit_session_release(session, &err), -EINVAL);
	measure_wait(session);
	/* its number is kept: signals to its group go nowhere else */
	assert_int_equal(kill(pid, 0), 0);
	snapshot = measure_stop(session);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(probekit_snapshot_info(snapshot)->child_status, 0);
	assert_true(probekit_snapshot_info(snapshot)->child_cpu_ns > 0);
	assert_row(snapshot, "stops:plain", .count = 50);
	probekit_snapshot_free(snapshot);
	close(output);
}

static bool is_alive(pid_t pid)
{
	char path[64];
	char state = 'Z';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';
	fclose(file);
	return state != 'Z';
}

static void what_a_held_command_leaves_in_its_group_is_ended_with_the_session(void **state)
{
	struct probekit_session *session;
	char text[4096] = "";
	uint64_t since = 0;
	pid_t child;
	int output;

	(void)state;
	session = start_held("leave", "1", &output);
	release(session);
	measure_wait(session);
	assert_true(pread(output, text, sizeof(text) - 1, 0) > 0);
	assert_int_equal(sscanf(text, "child %d", &child), 1);
	assert_true(is_alive(child));
	probekit_snapshot_free(measure_stop(session));
	while (is_alive(child) && keep_waiting(&since, 60))
		;
	assert_false(is_alive(child));
	close(output);
}

static void a_command_that_is_stopped_ends_with_its_session(void **state)
{
	struct probekit_session *session;
	pid_t pid;
	int output;

	(void)state;
	session = start_held("shapes", "1000000", &output);
	pid = probekit_session_command_pid(session);
	release(session);
	assert_int_equal(kill(-pid, SIGSTOP), 0);
	probekit_session_free(session);
	assert_int_equal(waitpid(pid, NULL, 0), -1);
	assert_int_equal(errno, ECHILD);
	close(output);
}

static void a_command_that_cannot_be_run_says_so_at_its_release(void **state)
{
	char path[] = "/tmp/probekit-test-XXXXXX";
	const char *const command[] = {path, NULL};
	struct probekit_session *session;
	struct probekit_error err;
	int fd = mkostemp(path, O_CLOEXEC);

	(void)state;
	assert_int_equal(write(fd, "\177ELF", 4), 4); /* and nothing more */
	assert_int_equal(fchmod(fd, 0755), 0);
	close(fd);
	session = measure_start(&(struct measure){
		.command = command,
		.options.follow_children = true,
		.options.hold_command = true,
	});
	assert_int_equal(probekit_session_release(session, &err), -ENOEXEC);
	assert_int_equal(err.kind, PROBEKIT_ERROR_CANNOT_RUN);
	probekit_session_free(session);
	unlink(path);
}

static void a_release_of_what_is_not_held_is_refused(void **state)
{
	struct probekit_session *session;
	struct probekit_error err;

	(void)state;
	assert_int_equal(probekit_session_new(NULL, &session, &err), 0);
	assert_int_equal(probekit_session_release(session, &err), -EINVAL);
	assert_int_equal(err.kind, PROBEKIT_ERROR_USAGE);
	assert_int_equal(probekit_session_command_pid(session), 0);
	probekit_session_free(session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stopped_time_is_in_no_span_where_it_is_left_out),
		cmocka_unit_test(nested_spans_are_reduced_alike),
		cmocka_unit_test(stopped_time_is_part_of_spans_by_default),
		cmocka_unit_test(stops_that_are_not_seen_to_begin_or_end_are_left_out_too),
		cmocka_unit_test(an_async_span_that_ends_elsewhere_keeps_its_stops_unexplained),
		cmocka_unit_test(a_held_command_runs_from_its_release_and_leads_its_group),
		cmocka_unit_test(what_a_held_command_leaves_in_its_group_is_ended_with_the_session),
		cmocka_unit_test(a_command_that_is_stopped_ends_with_its_session),
		cmocka_unit_test(a_command_that_cannot_be_run_says_so_at_its_release),
		cmocka_unit_test(a_release_of_what_is_not_held_is_refused),
	};

	return cmocka_run_group_tests_name("stopped", tests, NULL, NULL);
}
