/* SPDX-License-Identifier: BSD-2-Clause */
/* What `probekit latency` prints, writes and returns, on commands and processes with known counts. */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SPANS_AT_END = 100, /* of victim's modes `end` and `killed` */
};

/* ---- shape of the JSON ---- */

static uint64_t sum_buckets(const json_t *row)
{
	const json_t *histogram = json_object_get(row, "histogram");
	const json_t *bucket;
	int64_t before = INT64_MIN;
	uint64_t sum = (uint64_t)support_integer(histogram, "zero_count");
	size_t i;

	json_array_foreach (json_object_get(histogram, "buckets"), i, bucket) {
		int64_t index = json_integer_value(json_array_get(bucket, 0));

		assert_int_equal(json_array_size(bucket), 2);
		assert_true(index > before);
		assert_true(json_integer_value(json_array_get(bucket, 1)) > 0);
		sum += (uint64_t)json_integer_value(json_array_get(bucket, 1));
		before = index;
	}
	return sum;
}

static uint64_t sum_bands(const json_t *row)
{
	const json_t *band;
	uint64_t sum = 0;
	size_t i;

	json_array_foreach (json_object_get(row, "bands"), i, band) {
		assert_true(support_integer(band, "from_ns") < support_integer(band, "to_ns"));
		sum += (uint64_t)support_integer(band, "count");
	}
	return sum;
}

static void check_row(const json_t *row)
{
	static const char *const quantiles[] = {"0.5", "0.9", "0.99", "0.999"};
	const json_t *values = json_object_get(row, "quantiles_ns");
	uint64_t count = (uint64_t)support_integer(row, "count");
	int64_t before;

	assert_string_equal(
		json_string_value(json_object_get(json_object_get(row, "histogram"), "unit")), "s");
	assert_int_equal(sum_buckets(row), count);
	assert_int_equal(sum_bands(row), count);
	if (count == 0) {
		assert_true(json_is_null(json_object_get(row, "min_ns")));
		assert_true(json_is_null(json_object_get(values, "0.5")));
		return;
	}
	before = support_integer(row, "min_ns");
	assert_true(before > 0);
	for (int i = 0; i < 4; i++) {
		assert_true(support_integer(values, quantiles[i]) >= before);
		before = support_integer(values, quantiles[i]);
	}
	assert_true(support_integer(row, "max_ns") >= before);
	assert_true((uint64_t)support_integer(row, "sum_ns") >=
		    count * (uint64_t)support_integer(row, "min_ns"));
	assert_true((uint64_t)support_integer(row, "sum_ns") <=
		    count * (uint64_t)support_integer(row, "max_ns"));
}

static void check_snapshot(json_t *snapshot)
{
	static const char *const keys[] = {"schema",  "tool",	     "environment",  "target",
					   "started", "duration_ns", "child_status", "probe_cost",
					   "probes",  "locks",	     "runs",	     "lost"};
	json_t *lost = json_object_get(snapshot, "lost");
	json_t *row;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!json_object_get(snapshot, keys[i]))
			fail_msg("the snapshot lacks '%s'", keys[i]);
	assert_string_equal(json_string_value(json_object_get(snapshot, "schema")),
			    "probekit.snapshot/1");
	assert_true(support_integer(snapshot, "duration_ns") > 0);
	support_check_nothing_lost(lost);
	assert_int_equal(support_integer(lost, "samples_dropped"), 0);
	json_array_foreach (json_object_get(snapshot, "probes"), i, row)
		check_row(row);
}

/* ---- commands ---- */

static void json_has_the_counts_and_stdout_has_nothing_else(void **state)
{
	struct support_child child;
	json_t *snapshot;

	(void)state;
	support_require_tracing();
	support_run(&child, NULL, support_probekit(), "latency", "--json", "--",
		    support_program("victim"), "end", "0", NULL);
	assert_int_equal(child.status, 0);
	snapshot = support_json(child.out.text);
	check_snapshot(snapshot);
	assert_int_equal(support_integer(support_row(snapshot, "victim:work"), "count"),
			 SPANS_AT_END);
	assert_int_equal(support_integer(support_row(snapshot, "victim:held"), "count"), 0);
	assert_int_equal(support_integer(snapshot, "child_status"), 0);
	/* The command's own output, and the text for people. */
	assert_int_equal(support_number(child.err.text, "total"), SPANS_AT_END);
	assert_non_null(strstr(child.err.text, "victim:work"));
	json_decref(snapshot);
	support_done(&child);
}

static void text_on_a_pipe_has_no_escape_sequences(void **state)
{
	struct support_child child;

	(void)state;
	support_require_tracing();
	support_run(&child, NULL, support_probekit(), "latency", "--", support_program("victim"),
		    "end", "0", NULL);
	assert_int_equal(child.status, 0);
	assert_false(support_has_control_characters(child.out.text));
	assert_string_equal(child.err.text, "");
	assert_int_equal(support_number(child.out.text, "total"), SPANS_AT_END);
	assert_non_null(strstr(child.out.text, "victim:work"));
	assert_non_null(strstr(child.out.text, "count 100 "));
	support_done(&child);
}

static void check_child_status(const char *mode, const char *value, int status)
{
	struct support_child child;
	char said[64];
	json_t *snapshot;

	support_run(&child, NULL, support_probekit(), "latency", "--json", "--",
		    support_program("victim"), mode, value, NULL);
	assert_int_equal(child.status, 0);
	snapshot = support_json(child.out.text);
	assert_int_equal(support_integer(snapshot, "child_status"), status);
	assert_int_equal(support_integer(support_row(snapshot, "victim:work"), "count"),
			 SPANS_AT_END);
	snprintf(said, sizeof(said), "status %d", status);
	assert_non_null(strstr(child.err.text, said));
	json_decref(snapshot);
	support_done(&child);
}

static void the_status_of_the_command_is_kept_and_said(void **state)
{
	(void)state;
	support_require_tracing();
	check_child_status("end", "0", 0);
	check_child_status("end", "3", 3);
	check_child_status("end", "255", 255);
	check_child_status("killed", "9", 137);
	check_child_status("killed", "15", 143);
}

static void a_command_that_does_nothing_measurable_is_said_to(void **state)
{
	struct support_child child;

	(void)state;
	support_require_tracing();
	support_run(&child, NULL, support_probekit(), "latency", "-s", "victim:held", "--",
		    support_program("victim"), "end", "0", NULL);
	assert_int_equal(child.status, 0);
	assert_non_null(strstr(child.out.text, "othing"));
	assert_non_null(strstr(child.out.text, "victim:held"));
	support_done(&child);
}

static void the_end_of_the_duration_ends_the_command_with_sigterm(void **state)
{
	struct support_child child;
	json_t *snapshot;
	uint64_t count;

	(void)state;
	support_require_tracing();
	support_run(&child, NULL, support_probekit(), "latency", "--json", "-d", "300ms", "--",
		    support_program("victim"), "tick", NULL);
	assert_int_equal(child.status, 0);
	snapshot = support_json(child.out.text);
	check_snapshot(snapshot);
	count = (uint64_t)support_integer(support_row(snapshot, "victim:work"), "count");
	assert_true(count > 0);
	/* Its handler of SIGTERM ran: it printed. What it did after the end does not count. */
	assert_true(support_number(child.err.text, "total") >= count);
	assert_true(support_integer(snapshot, "duration_ns") >= 300000000);
	json_decref(snapshot);
	support_done(&child);
}

static void a_command_that_ignores_sigterm_is_killed(void **state)
{
	struct support_child child;
	int pid;

	(void)state;
	support_require_tracing();
	support_run(&child, NULL, support_probekit(), "latency", "-d", "100ms", "--",
		    support_program("victim"), "stubborn", NULL);
	assert_int_equal(child.status, 0);
	assert_int_equal(sscanf(child.out.text, "ready %d", &pid), 1);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	support_done(&child);
}

static void the_probes_cost_and_floor_are_measured(void **state)
{
	struct support_child child;
	json_t *snapshot;
	const json_t *cost;
	const json_t *share;

	(void)state;
	support_require_tracing();
	support_run(&child, NULL, support_probekit(), "latency", "--json", "--",
		    support_program("victim"), "end", "0", NULL);
	assert_int_equal(child.status, 0);
	snapshot = support_json(child.out.text);
	cost = json_object_get(snapshot, "probe_cost");
	assert_true(support_integer(cost, "span_ns") > 0);
	assert_true(support_integer(cost, "floor_ns") > 0);
	share = json_object_get(json_object_get(support_row(snapshot, "victim:work"), "probing"),
				"share_of_cpu");
	assert_true(json_number_value(share) > 0);
	assert_non_null(strstr(child.err.text, "probe floor"));
	json_decref(snapshot);
	support_done(&child);
}

/* ---- intervals ---- */

static void intervals_are_deltas_that_add_up_to_the_whole(void **state)
{
	struct support_child child;
	uint64_t sum = 0;
	size_t lines;
	char *line;
	char *next;

	(void)state;
	support_require_tracing();
	support_run(&child, NULL, support_probekit(), "latency", "--json", "-i", "0.2", "-d", "1",
		    "-s", "victim:work", "--", support_program("victim"), "tick", NULL);
	assert_int_equal(child.status, 0);
	lines = support_count_lines(child.out.text);
	assert_true(lines >= 3);
	for (line = child.out.text; *line; line = next) {
		json_t *snapshot;
		uint64_t count;

		next = strchr(line, '\n');
		assert_non_null(next);
		*next++ = '\0';
		snapshot = support_json(line);
		check_snapshot(snapshot);
		count = (uint64_t)support_integer(support_row(snapshot, "victim:work"), "count");
		if (*next)
			sum += count;
		else
			assert_int_equal(count, sum);
		json_decref(snapshot);
	}
	assert_true(sum > 0);
	support_done(&child);
}

static void intervals_are_printed_before_the_report(void **state)
{
	struct support_child child;
	const char *report;
	size_t times = 0;

	(void)state;
	support_require_tracing();
	support_run(&child, NULL, support_probekit(), "latency", "-i", "200ms", "-d", "1", "-s",
		    "victim:work", "--", support_program("victim"), "tick", NULL);
	assert_int_equal(child.status, 0);
	assert_false(support_has_control_characters(child.out.text));
	report = strstr(child.out.text, "total ");
	assert_non_null(report);
	for (const char *at = child.out.text; (at = strstr(at, "victim:work")); at++)
		times++;
	assert_true(times >= 3);
	support_done(&child);
}

/* ---- files ---- */

static void a_written_snapshot_reads_back_with_equal_numbers(void **state)
{
	char *folder = support_new_folder();
	char *path = support_join(folder, "a snapshot.json");
	struct support_child live;
	struct support_child stored;
	json_t *first, *written, *again;
	char *text;
	size_t size_bytes;

	(void)state;
	support_require_tracing();
	support_run(&live, NULL, support_probekit(), "latency", "--json", "-o", path, "--",
		    support_program("victim"), "end", "3", NULL);
	assert_int_equal(live.status, 0);
	text = support_read_file(path, &size_bytes);
	first = support_json(live.out.text);
	written = support_json(text);
	assert_true(json_equal(first, written));
	support_run(&stored, NULL, support_probekit(), "latency", "--json", "--from", path, NULL);
	assert_int_equal(stored.status, 0);
	again = support_json(stored.out.text);
	assert_true(json_equal(first, again));
	assert_int_equal(support_integer(support_row(again, "victim:work"), "count"), SPANS_AT_END);
	assert_int_equal(support_count_files(folder), 1);
	json_decref(first);
	json_decref(written);
	json_decref(again);
	free(text);
	support_done(&live);
	support_done(&stored);
	free(path);
	support_remove_folder(folder);
}

static void the_text_of_a_stored_snapshot_is_the_live_one(void **state)
{
	char *folder = support_new_folder();
	char *path = support_join(folder, "snapshot");
	struct support_child live;
	struct support_child stored;
	const char *report;

	(void)state;
	support_require_tracing();
	support_run(&live, NULL, support_probekit(), "latency", "-o", path, "--",
		    support_program("victim"), "end", "0", NULL);
	assert_int_equal(live.status, 0);
	support_run(&stored, NULL, support_probekit(), "latency", "--from", path, NULL);
	assert_int_equal(stored.status, 0);
	report = strchr(live.out.text, '\n') + 1; /* after the command's own line */
	assert_string_equal(stored.out.text, report);
	support_done(&live);
	support_done(&stored);
	free(path);
	support_remove_folder(folder);
}

/* ---- processes ---- */

static void start_target(struct support_child *target, const char *mode, const char *value)
{
	const char *const words[] = {support_program("victim"), mode, value, NULL};

	support_start(target, NULL, words);
	assert_true(support_wait_text(target, &target->out, "ready"));
}

static void start_latency(struct support_child *probekit, pid_t pid)
{
	char text[16];
	const char *const words[] = {support_probekit(), "latency", "-v", "--json", "-s",
				     "victim:*",	 "-p",	    text, NULL};

	snprintf(text, sizeof(text), "%d", (int)pid);
	support_start(probekit, NULL, words);
	support_wait_measuring(probekit);
}

static void check_signal_ends(int number)
{
	struct support_child probekit;
	struct support_child target;
	json_t *snapshot;

	start_target(&target, "lines", "1000");
	start_latency(&probekit, target.pid);
	support_write(&target, "go\n");
	assert_true(support_wait_text(&target, &target.out, "did 1000\n"));
	assert_int_equal(kill(probekit.pid, number), 0);
	assert_int_equal(support_finish(&probekit), 0);
	snapshot = support_json(probekit.out.text);
	check_snapshot(snapshot);
	assert_int_equal(support_integer(support_row(snapshot, "victim:work"), "count"), 1000);
	assert_true(json_is_null(json_object_get(snapshot, "child_status")));
	json_decref(snapshot);
	support_wait_untraced(target.pid, support_program("victim"));
	support_close_input(&target);
	assert_int_equal(support_finish(&target), 0);
	support_done(&probekit);
	support_done(&target);
}

static void an_interrupt_ends_the_measurement_and_prints_it(void **state)
{
	(void)state;
	support_require_tracing();
	check_signal_ends(SIGINT);
	check_signal_ends(SIGTERM);
}

static void the_measurement_of_a_pid_ends_with_it(void **state)
{
	struct support_child probekit;
	struct support_child target;
	json_t *snapshot;

	(void)state;
	support_require_tracing();
	start_target(&target, "lines", "1000");
	start_latency(&probekit, target.pid);
	support_write(&target, "go\ngo\n");
	support_close_input(&target);
	assert_int_equal(support_finish(&target), 0);
	assert_int_equal(support_finish(&probekit), 0);
	snapshot = support_json(probekit.out.text);
	check_snapshot(snapshot);
	assert_int_equal(support_integer(support_row(snapshot, "victim:work"), "count"), 2000);
	json_decref(snapshot);
	support_done(&probekit);
	support_done(&target);
}

static void a_path_that_nobody_runs_is_waited_for_and_then_counted(void **state)
{
	char *folder = support_new_folder();
	char *program = support_join(folder, "alone");
	const char *const words[] = {support_probekit(), "latency", "--json", program, NULL};
	struct support_child probekit;
	struct support_child target;
	json_t *snapshot;
	size_t size_bytes;
	char *image = support_read_file(support_program("victim"), &size_bytes);

	(void)state;
	support_require_tracing();
	support_write_file(program, image, size_bytes);
	assert_int_equal(chmod(program, 0755), 0);
	support_start(&probekit, NULL, words);
	assert_true(support_wait_text(&probekit, &probekit.err, "waiting for one"));
	assert_non_null(strstr(probekit.err.text, program));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(support_run(&target, NULL, program, "end", "0", NULL), 0);
		support_done(&target);
	}
	snapshot = support_end_measuring(&probekit);
	check_snapshot(snapshot);
	assert_int_equal(support_integer(support_row(snapshot, "victim:work"), "count"),
			 3 * SPANS_AT_END);
	json_decref(snapshot);
	support_done(&probekit);
	free(image);
	free(program);
	support_remove_folder(folder);
}

/* ---- hostile names ---- */

/* The span begins when the target has read a line, so that it is seen, and stays open to the end. */
static void names_given_by_the_target_cannot_steer_the_terminal(void **state)
{
	static const char name[] = "\033[31m\n\r\t\177\"\\\302\233"; /* U+009B: as ESC [ */
	static const char escaped[] = "\\x1b[31m\\n\\x0d\\t\\x7f\"\\\\xc2\\x9b";
	struct support_child probekit;
	struct support_child target;
	json_t *snapshot;
	json_t *open;

	(void)state;
	support_require_tracing();
	start_target(&target, "open", name);
	start_latency(&probekit, target.pid);
	support_write(&target, "go\n");
	assert_true(support_wait_text(&target, &target.out, "open"));
	snapshot = support_end_measuring(&probekit);
	open = json_array_get(json_object_get(support_row(snapshot, "victim:held"), "open"), 0);
	assert_string_equal(json_string_value(json_object_get(open, "comm")), escaped);
	assert_int_equal(support_integer(open, "tid"), target.pid);
	assert_non_null(strstr(probekit.err.text, "\\x1b[31m"));
	assert_false(support_has_control_characters(probekit.err.text));
	assert_null(strstr(probekit.err.text, "\302\233"));
	json_decref(snapshot);
	support_done(&probekit);
	support_end(&target);
}

#define TEST(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(json_has_the_counts_and_stdout_has_nothing_else),
		TEST(text_on_a_pipe_has_no_escape_sequences),
		TEST(the_status_of_the_command_is_kept_and_said),
		TEST(a_command_that_does_nothing_measurable_is_said_to),
		TEST(the_end_of_the_duration_ends_the_command_with_sigterm),
		TEST(a_command_that_ignores_sigterm_is_killed),
		TEST(the_probes_cost_and_floor_are_measured),
		TEST(intervals_are_deltas_that_add_up_to_the_whole),
		TEST(intervals_are_printed_before_the_report),
		TEST(a_written_snapshot_reads_back_with_equal_numbers),
		TEST(the_text_of_a_stored_snapshot_is_the_live_one),
		TEST(an_interrupt_ends_the_measurement_and_prints_it),
		TEST(the_measurement_of_a_pid_ends_with_it),
		TEST(a_path_that_nobody_runs_is_waited_for_and_then_counted),
		TEST(names_given_by_the_target_cannot_steer_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
