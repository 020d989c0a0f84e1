/* SPDX-License-Identifier: BSD-2-Clause */
/* The bench program as a whole: two rounds of a cheap group, whose values nobody looks at, and what
 * it says to mistakes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "report.h"

#define TIMEOUT_MS 240000

/* The children of these tests are started as a group's would be, outside of any. */
static struct side_result result;
static struct bench_run run = {.current = &result};

static int run_bench(struct bench_child *child, const char *const arguments[])
{
	const char *argv[16] = {bench_path("tests/bench/bench")};
	int status;

	for (size_t i = 0; arguments[i]; i++)
		argv[i + 1] = arguments[i];
	status = bench_child_run(&run, child, argv, TIMEOUT_MS);
	assert_int_not_equal(status, -1);
	return status;
}

static void require_root(void)
{
	if (geteuid() != 0) {
		print_message("skipped: needs root: the bench attaches probes\n");
		skip();
	}
}

static json_t *member(json_t *object, const char *name, json_type type)
{
	json_t *value = json_object_get(object, name);

	assert_non_null(value);
	assert_int_equal(json_typeof(value), type);
	return value;
}

/* A side has a value for every round, or a reason why it has none. */
static void check_side(json_t *side, const char *metric, size_t rounds)
{
	const char *status = json_string_value(member(side, "status", JSON_STRING));
	json_t *time;

	assert_string_not_equal(status, "failed");
	if (strcmp(status, "measured") != 0) {
		assert_true(strlen(json_string_value(member(side, "reason", JSON_STRING))) > 0);
		return;
	}
	time = member(member(side, "values", JSON_OBJECT), metric, JSON_OBJECT);
	assert_true(json_number_value(member(time, "median", JSON_REAL)) > 0);
	assert_int_equal(json_array_size(member(time, "rounds", JSON_ARRAY)), rounds);
}

/* Runs a group and checks its JSON, which is returned. */
static json_t *measure_group(const char *name, const char *metric)
{
	char path[] = "/tmp/probekit-test-bench-XXXXXX";
	int fd = mkstemp(path);
	const char *const arguments[] = {"--rounds", "2",  "--budget", "0.001",
					 "--json",   path, name,       NULL};
	struct bench_child child;
	json_t *report;
	json_t *group;
	json_t *side;
	size_t i;

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(run_bench(&child, arguments), 0);
	assert_int_equal(strncmp(strstr(child.text, "== ") + 3, name, strlen(name)), 0);
	bench_child_done(&child);
	report = json_load_file(path, 0, NULL);
	unlink(path);
	assert_non_null(report);
	assert_string_equal(json_string_value(member(report, "schema", JSON_STRING)),
			    "probekit.bench/1");
	assert_true(json_integer_value(member(member(report, "environment", JSON_OBJECT), "cores",
					      JSON_INTEGER)) > 0);
	assert_int_equal(json_array_size(member(report, "groups", JSON_ARRAY)), 1);
	group = json_array_get(json_object_get(report, "groups"), 0);
	assert_int_equal(json_integer_value(member(group, "rounds", JSON_INTEGER)), 2);
	json_array_foreach (json_object_get(group, "sides"), i, side)
		check_side(side, metric, 2);
	assert_true(i > 0);
	return report;
}

static void json_holds_every_side_or_its_reason(void **state)
{
	json_t *report;
	json_t *ratio;
	size_t i;

	(void)state;
	require_root();
	report = measure_group("span", "a span");
	json_array_foreach (json_object_get(json_array_get(json_object_get(report, "groups"), 0),
					    "ratios"),
			    i, ratio)
		member(ratio, "of", JSON_STRING);
	assert_true(i > 0);
	json_decref(report);
}

static void each_program_is_measured(void **state)
{
	(void)state;
	require_root();
	json_decref(measure_group("profile", "span begin"));
}

static void list_names_the_groups(void **state)
{
	const char *const arguments[] = {"--list", NULL};
	struct bench_child child;

	(void)state;
	assert_int_equal(run_bench(&child, arguments), 0);
	assert_int_equal(strncmp(child.text, "span ", 5), 0);
	assert_non_null(strstr(child.text, "\nprofile "));
	bench_child_done(&child);
}

static void mistakes_are_usage_errors(void **state)
{
	static const char *const mistakes[][3] = {{"no-such-group", NULL},
						  {"--rounds", "1", NULL},
						  {"--budget", "soon", NULL},
						  {"--no-such-option", NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		struct bench_child child;

		assert_int_equal(run_bench(&child, mistakes[i]), 2);
		assert_true(strlen(bench_child_error(&child)) > 0);
		bench_child_done(&child);
	}
}

static bool is_target(pid_t pid)
{
	char path[64];
	char name[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (file && fscanf(file, "%63s", name) != 1)
		name[0] = 0;
	if (file)
		fclose(file);
	return strcmp(name, "bench_target") == 0;
}

/* The target that the bench has started, or 0 when there is none yet. */
static pid_t find_target(pid_t bench)
{
	char path[64];
	FILE *file;
	pid_t pid;
	pid_t found = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", bench, bench);
	file = fopen(path, "re");
	while (file && !found && fscanf(file, "%d", &pid) == 1)
		found = is_target(pid) ? pid : 0;
	if (file)
		fclose(file);
	return found;
}

static void a_signal_ends_it_and_its_target(void **state)
{
	const char *const argv[] = {bench_path("tests/bench/bench"), "--rounds", "256", "span",
				    NULL};
	struct bench_child child;
	pid_t target;

	(void)state;
	require_root();
	assert_int_equal(bench_child_start(&run, &child, argv), 0);
	do
		target = find_target(child.pid);
	while (!target && kill(child.pid, 0) == 0);
	assert_int_not_equal(target, 0);
	assert_int_equal(bench_child_end(&child, SIGTERM, TIMEOUT_MS), 128 + SIGTERM);
	while (is_target(
		target)) /* dead, perhaps not yet reaped: the test's timeout is the limit */
		usleep(1000);
	bench_child_done(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_holds_every_side_or_its_reason),
		cmocka_unit_test(each_program_is_measured),
		cmocka_unit_test(list_names_the_groups),
		cmocka_unit_test(mistakes_are_usage_errors),
		cmocka_unit_test(a_signal_ends_it_and_its_target),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
