/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A benchmark of diagnosis: programs with one injected cause each, run for real under `probekit
 * latency`, whose JSON must name the cause. One line a scenario tells whether it does, and the last
 * line how many do. In every one of them, times add up and agree with what the program knows.
 *
 * PROBEKIT_SCENARIO_RUNS repeats each scenario, which is then named if it is in all runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expectations.h"
#include "support.h"

/* From the interrupt that wakes a thread on an idle CPU to the switch to it, the kernel's clock
 * says that it runs and we that it waits. So long at most, for each wait. */
#define WAKE_NS 50000
/* A switch that the kernel does not report, as happens a few times a minute, may put so much into
 * another class: no wait is longer. */
#define REPAIRED_NS 20000000

static unsigned int scenarios_run;
static unsigned int scenarios_named;

/* ---- what holds in every snapshot ---- */

/* Within a thousandth. */
static void check_sum(const char *what, const char *row, int64_t is, int64_t wanted)
{
	if (llabs(is - wanted) > wanted / 1000)
		fail_msg("%s: %s add up to %lld ns, not %lld", row, what, (long long)is,
			 (long long)wanted);
}

static void check_causes(const char *name, const json_t *row)
{
	json_t *tail = json_object_get(row, "tail");
	json_t *cause;
	int64_t sum = 0;
	size_t i;

	json_array_foreach (json_object_get(row, "causes"), i, cause)
		sum += support_integer(cause, "time_ns");
	if (json_is_object(tail))
		check_sum("causes", name, sum, support_sum(json_object_get(tail, "time_ns")));
}

static void check_row(const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "name"));
	json_t *times = json_object_get(row, "time_ns");
	int64_t sum = support_integer(row, "sum_ns");

	assert_true(json_is_object(times));
	check_sum("components", name, support_sum(times) + support_integer(row, "unexplained_ns"),
		  sum);
	if (support_integer(times, "other") > sum / 100)
		fail_msg("%s: %lld of %lld ns are other", name,
			 (long long)support_integer(times, "other"), (long long)sum);
	check_causes(name, row);
}

static void check_snapshot(const json_t *snapshot)
{
	json_t *row;
	size_t i;

	support_check_nothing_lost(json_object_get(snapshot, "lost"));
	json_array_foreach (json_object_get(snapshot, "probes"), i, row)
		check_row(row);
}

/* ---- what the program knows ---- */

struct bracket {
	int64_t low;
	int64_t high;
};

/* Read inside the spans, and outside. */
static struct bracket bracket_of(const char *text, const char *name)
{
	char inner[32];
	char outer[32];

	snprintf(inner, sizeof(inner), "inner-%s", name);
	snprintf(outer, sizeof(outer), "outer-%s", name);
	return (struct bracket){
		.low = (int64_t)support_number(text, inner),
		.high = (int64_t)support_number(text, outer),
	};
}

static bool is_queued(const char *time_class)
{
	return strcmp(time_class, "runqueue") == 0 || strcmp(time_class, "throttled") == 0;
}

/* The time that the one cause took, by the kernel's accounts of the thread. A CPU clock may leave
 * out what interrupts and the hypervisor took. */
static struct bracket injected(const char *text, const char *time_class)
{
	struct bracket wall = bracket_of(text, "wall");
	struct bracket cpu = bracket_of(text, "cpu");
	struct bracket delay = bracket_of(text, "delay");
	int64_t stolen = (int64_t)support_number(text, "stolen");

	if (is_queued(time_class))
		return delay;
	if (strcmp(time_class, "oncpu") == 0)
		return (struct bracket){cpu.low, cpu.high + stolen};
	return (struct bracket){
		.low = wall.low - cpu.low - delay.low - stolen,
		.high = wall.high - cpu.high - delay.high,
	};
}

/* Beyond the bracket: 2 %, or 50 us for each wait. */
static int64_t allowed_ns(const json_t *row, const char *text, struct bracket truth)
{
	int64_t repaired = support_integer(json_object_get(row, "lost"), "sched_repaired");
	int64_t allowed = (int64_t)support_number(text, "waits") * WAKE_NS;

	if (allowed < truth.high / 50)
		allowed = truth.high / 50;
	return allowed + repaired * REPAIRED_NS;
}

static void check_injected(const struct scenario *scenario, const json_t *row, const char *text)
{
	json_t *times = json_object_get(row, "time_ns");
	struct bracket truth = injected(text, scenario->time_class);
	int64_t allowed = allowed_ns(row, text, truth);
	int64_t is = support_integer(times, scenario->time_class);

	if (is_queued(scenario->time_class))
		is = support_integer(times, "runqueue") + support_integer(times, "throttled");
	if (is < truth.low - allowed || is > truth.high + allowed)
		fail_msg("%s: %s is %lld ns, not %lld to %lld", scenario->name,
			 scenario->time_class, (long long)is, (long long)truth.low,
			 (long long)truth.high);
}

/* ---- runs ---- */

struct run {
	json_t *snapshot;
	char *text; /* what the program, and the report, said */
};

static void skip_if_missing(const char *text)
{
	char what[FACT_TEXT_MAX];

	if (!truth_find(text, "missing", what))
		return;
	print_message("skipped: needs %s\n", what);
	scenarios_run--;
	skip();
}

static void run_done(struct run *run)
{
	json_decref(run->snapshot);
	free(run->text);
}

static void measure(const struct scenario *scenario, struct run *run)
{
	struct support_child child;
	char file[FACT_TEXT_MAX];
	int status = support_run(&child, NULL, support_probekit(), "latency", "--json", "-d",
				 scenario->seconds, "-s", "scene:*", "--",
				 support_program(scenario->program), scenario->mode,
				 scenario->count, NULL);

	if (truth_find(child.err.text, "file", file))
		unlink(file);
	if (status)
		fail_msg("%s: status %d: %s", scenario->name, status, child.err.text);
	skip_if_missing(child.err.text);
	run->snapshot = support_json(child.out.text);
	run->text = strdup(child.err.text);
	assert_non_null(run->text);
	support_done(&child);
}

/* Tells what is missed, one line a fact. */
static bool is_named(const struct scenario *scenario, const json_t *row, const char *text)
{
	char missed[FACT_TEXT_MAX];
	bool is_all = true;

	for (const struct fact *fact = scenario->facts; fact->path; fact++) {
		if (fact_holds(fact, row, text, missed))
			continue;
		if (is_all)
			print_message("%-30s MISSED: %s\n", scenario->name, missed);
		else
			print_message("%-30s         %s\n", "", missed);
		is_all = false;
	}
	if (is_all)
		print_message("%-30s named\n", scenario->name);
	return is_all;
}

static bool run_once(const struct scenario *scenario)
{
	struct run run;
	json_t *row;
	bool is_all;

	measure(scenario, &run);
	check_snapshot(run.snapshot);
	row = support_row(run.snapshot, scenario->row);
	if (scenario->time_class)
		check_injected(scenario, row, run.text);
	is_all = is_named(scenario, row, run.text);
	run_done(&run);
	return is_all;
}

static unsigned long wanted_runs(void)
{
	const char *text = getenv("PROBEKIT_SCENARIO_RUNS");
	unsigned long runs = text ? strtoul(text, NULL, 10) : 1;

	return runs ? runs : 1;
}

static void the_cause_is_named(void **state)
{
	const struct scenario *scenario = *state;
	unsigned long runs = wanted_runs();
	unsigned long named = 0;

	support_require_tracing();
	scenarios_run++;
	for (unsigned long i = 0; i < runs; i++)
		named += run_once(scenario);
	scenarios_named += named == runs;
	if (named < runs)
		fail_msg("%s: named in %lu of %lu runs", scenario->name, named, runs);
}

int main(void)
{
	struct CMUnitTest tests[32];
	size_t count = 0;
	int failed;

	for (const struct scenario *scenario = scenarios; scenario->name; scenario++)
		tests[count++] = (struct CMUnitTest){
			.name = scenario->name,
			.test_func = the_cause_is_named,
			.initial_state = (void *)(uintptr_t)scenario,
		};
	failed = _cmocka_run_group_tests("scenarios", tests, count, NULL, NULL);
	printf("scenarios: %u/%u named\n", scenarios_named, scenarios_run);
	return failed;
}
