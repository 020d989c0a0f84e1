/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a tracer adds to a context switch. Two threads pass a turn on one CPU; each side's tracer is
 * measured in two groups: end to end (`switch`), by the CPU time that a switch takes, and by what the kernel
 * counts of its programs (`switch_programs`), over at least a million switches in which an empty program runs
 * beside it. The former scatters and wants many rounds, which are short; the latter is precise after a few.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "bench_switch_runs.h"

#define END_TO_END_SWITCHES 400000
#define COUNTED_SWITCHES 1100000 /* a million, and room for passes that needed no switch */
#define TOOL_TIMEOUT_MS 30000
#define TARGET_NAME "target_switch"

static const struct bench_metric end_to_end_metrics[] = {{"a switch", "ns"}, {0}};

enum program_metric { PROGRAMS, EMPTY, SHARE };

static const struct bench_metric program_metrics[] = {
	[PROGRAMS] = {"its programs", "ns"},
	[EMPTY] = {"empty program", "ns"},
	[SHARE] = {"of all switches", "share"},
	{0},
};

/* Which task is traced: another one, or the one that switches, outside or inside a span. */
enum task { OTHER, OUTSIDE, INSIDE };

static const char *const task_words[] = {"outside", "outside", "inside"};

/* ---- one measurement ---- */

struct state {
	struct bench_child target;
	struct bench_child other; /* of the same kind, idle; traced where the target is not */
	bool has_programs;	  /* they are measured, instead of the whole from end to end */
};

static int switch_ns(struct bench_run *run, enum task task, long switches, double *ns)
{
	struct state *state = bench_state(run);

	return bench_child_ask(run, &state->target, ns, "%s %ld", task_words[task], switches);
}

static void subtract(struct program_runs *from, const struct program_runs *what)
{
	from->run_ns -= what->run_ns;
	from->runs -= what->runs;
}

/* What ran while the target switched. */
static int count_runs(struct bench_run *run, pid_t tool, enum task task, int empty_program,
		      struct program_runs *tool_runs, struct program_runs *empty_runs)
{
	struct program_runs tool_before;
	struct program_runs empty_before;
	double ns;

	if (program_runs_of(empty_program, &empty_before) ||
	    program_runs_of_process(tool, &tool_before))
		return bench_fail(run, "cannot read the counters of BPF programs");
	if (switch_ns(run, task, COUNTED_SWITCHES, &ns))
		return -1;
	if (program_runs_of_process(tool, tool_runs) || program_runs_of(empty_program, empty_runs))
		return bench_fail(run, "cannot read the counters of BPF programs");
	subtract(tool_runs, &tool_before);
	subtract(empty_runs, &empty_before);
	return 0;
}

/* All programs of the tool, less as many runs of an empty one. */
static int charge(struct bench_run *run, const struct program_runs *tool,
		  const struct program_runs *empty, double *values)
{
	struct state *state = bench_state(run);
	double empty_ns = (double)empty->run_ns / (double)empty->runs;
	double switches;

	if (bench_child_ask(run, &state->target, &switches, "switches"))
		return -1;
	if (switches < 1e6)
		return bench_fail(run, "the target made only %.0f switches", switches);
	if ((double)empty->runs < switches || (double)tool->runs < switches)
		return bench_fail(run, "programs ran less often than the target switched");
	values[EMPTY] = empty_ns;
	values[SHARE] = switches / (double)empty->runs;
	values[PROGRAMS] =
		((double)tool->run_ns - (double)tool->runs * empty_ns) / (double)empty->runs;
	return 0;
}

static int attach_empty(struct bench_run *run, struct empty_switch *empty)
{
	int result = empty_switch_attach(empty);

	if (result)
		return bench_missing(run, "the kernel refuses an empty program on sched_switch: %s",
				     strerror(-result));
	return 0;
}

static int measure_programs(struct bench_run *run, pid_t tool, enum task task, double *values)
{
	struct program_runs tool_runs;
	struct program_runs empty_runs;
	struct empty_switch empty;
	int stats;
	int result;

	if (attach_empty(run, &empty))
		return -1;
	stats = program_runs_enable();
	if (stats < 0) {
		result = bench_missing(run, "the kernel has no statistics of BPF programs: %s",
				       strerror(-stats));
	} else {
		result = count_runs(run, tool, task, empty.program, &tool_runs, &empty_runs);
		close(stats);
	}
	empty_switch_detach(&empty);
	return result ? result : charge(run, &tool_runs, &empty_runs, values);
}

static int measure_tool(struct bench_run *run, pid_t tool, enum task task, double *values)
{
	const struct state *state = bench_state(run);

	if (state->has_programs)
		return measure_programs(run, tool, task, values);
	return switch_ns(run, task, END_TO_END_SWITCHES, values);
}

/* ---- sides ---- */

static int measure_nothing(struct bench_run *run, const struct bench_side *side, double *values)
{
	(void)side;
	return switch_ns(run, OTHER, END_TO_END_SWITCHES, values);
}

static int measure_empty(struct bench_run *run, const struct bench_side *side, double *values)
{
	struct empty_switch empty;
	int result;

	(void)side;
	if (attach_empty(run, &empty))
		return -1;
	result = switch_ns(run, OTHER, END_TO_END_SWITCHES, values);
	empty_switch_detach(&empty);
	return result;
}

static const char *traced_pid(struct bench_run *run, enum task task, char text[static 16])
{
	const struct state *state = bench_state(run);

	snprintf(text, 16, "%d", task == OTHER ? state->other.pid : state->target.pid);
	return text;
}

/* Microseconds off CPU that offcputime printed for threads of the target besides its first, which
 * only waits for them: "- COMM (TID)" and the time on the line below. */
static double offcputime_us(const char *text, pid_t target)
{
	double sum = 0;

	while (text && (text = strstr(text, TARGET_NAME " ("))) {
		int tid;
		double us;

		if (sscanf(text, TARGET_NAME " (%d) %lf", &tid, &us) == 2 && tid != target)
			sum += us;
		text++;
	}
	return sum;
}

static int check_offcputime(struct bench_run *run, enum task task, const char *text,
			    uint64_t elapsed_ns)
{
	const struct state *state = bench_state(run);
	double seen_us = offcputime_us(text, state->target.pid);
	double elapsed_us = (double)elapsed_ns / 1e3;

	/* of two threads one is off CPU at any time */
	if (task == OTHER ? seen_us > 0 : seen_us < elapsed_us / 10)
		return bench_fail(run, "offcputime saw %.0f us off CPU in %.0f us", seen_us,
				  elapsed_us);
	return 0;
}

static int measure_offcputime(struct bench_run *run, const struct bench_side *side, double *values)
{
	const char *tool_path = bench_find_tool("/usr/sbin/offcputime:bpf-offcputime:offcputime");
	enum task task = side->variant;
	struct bench_child tool = {0};
	char pid[16];
	const char *const argv[] = {tool_path, "-p", traced_pid(run, task, pid), NULL};
	uint64_t start = bench_now_ns();
	int result;

	if (!tool_path)
		return bench_missing(run, "offcputime of libbpf-tools is not installed");
	if (bench_child_start(run, &tool, argv))
		return -1;
	/* it says nothing; once all is attached it sleeps */
	if (bench_wait_syscall(tool.pid, SYS_clock_nanosleep, TOOL_TIMEOUT_MS)) {
		result = bench_fail(run, "offcputime does not start: %s", bench_child_error(&tool));
	} else {
		start = bench_now_ns();
		result = measure_tool(run, tool.pid, task, values);
	}
	if (!result) {
		uint64_t elapsed_ns = bench_now_ns() - start;

		bench_child_end(&tool, SIGINT, TOOL_TIMEOUT_MS);
		result = check_offcputime(run, task, tool.text, elapsed_ns);
	}
	bench_child_done(&tool);
	return result;
}

static int measure_probekit(struct bench_run *run, const struct bench_side *side, double *values)
{
	enum task task = side->variant;
	struct bench_child tool = {0};
	char pid[16];
	const char *const arguments[] = {"latency", "-p", traced_pid(run, task, pid), NULL};
	int result;

	if (bench_probekit_start(run, &tool, arguments))
		return -1;
	result = measure_tool(run, tool.pid, task, values);
	if (!result && bench_child_end(&tool, SIGINT, TOOL_TIMEOUT_MS) != 0)
		result = bench_fail(run, "probekit has failed: %s", bench_child_error(&tool));
	bench_child_done(&tool);
	return result;
}

static const struct bench_side sides[] = {
	{.name = "nothing attached", .measure = measure_nothing},
	{.name = "empty program", .measure = measure_empty},
	{.name = "offcputime, other task", .measure = measure_offcputime, .variant = OTHER},
	{.name = "offcputime, this task", .measure = measure_offcputime, .variant = OUTSIDE},
	{.name = "probekit, other task", .measure = measure_probekit, .variant = OTHER},
	{.name = "probekit, no span open", .measure = measure_probekit, .variant = OUTSIDE},
	{.name = "probekit, in a span", .measure = measure_probekit, .variant = INSIDE},
	{0},
};

/* Without those that have no tool. */
#define TOOL_SIDES (&sides[2])

static const struct bench_ratio end_to_end_ratios[] = {
	{.of = "offcputime, this task", .to = "nothing attached"},
	{.of = "probekit, in a span", .to = "nothing attached"},
	{.of = "probekit, in a span",
	 .to = "offcputime, this task",
	 .over = "nothing attached",
	 .aim = 0.2},
	{0},
};

static const struct bench_ratio program_ratios[] = {
	{.of = "probekit, in a span", .to = "offcputime, this task", .metric = "its programs"},
	{.of = "probekit, other task", .to = "offcputime, other task", .metric = "its programs"},
	{0},
};

/* ---- the groups ---- */

static int begin(struct bench_run *run)
{
	const char *const argv[] = {bench_path("tests/bench/" TARGET_NAME), NULL};
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return bench_fail(run, "no memory");
	bench_set_state(run, state);
	if (bench_child_start(run, &state->target, argv))
		return -1;
	return bench_child_start(run, &state->other, argv);
}

static int begin_programs(struct bench_run *run)
{
	int result = begin(run);
	struct state *state = bench_state(run);

	if (state)
		state->has_programs = true;
	return result;
}

static void end(struct bench_run *run)
{
	struct state *state = bench_state(run);

	if (!state)
		return;
	bench_child_done(&state->target);
	bench_child_done(&state->other);
	free(state);
}

const struct bench_group bench_switch = {
	.name = "switch",
	.about = "CPU time of one context switch of a task, from end to end",
	.metrics = end_to_end_metrics,
	.sides = sides,
	.ratios = end_to_end_ratios,
	.budget_s = 300,
	.begin = begin,
	.end = end,
};

const struct bench_group bench_switch_programs = {
	.name = "switch_programs",
	.about = "what a tracer's programs take of one context switch of a task",
	.metrics = program_metrics,
	.sides = TOOL_SIDES,
	.ratios = program_ratios,
	.rounds = 4,
	.budget_s = 330,
	.begin = begin_programs,
	.end = end,
};
