/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Group start: from starting a command to the first event that it counted, and from Ctrl-C to its
 * end. The target runs a span every 20 us and remembers when; it stops before the tool does. So a
 * tool that counted C of N spans counted from number N - C + 1 on, whichever tool it is: nothing is
 * asked of it but to count right.
 */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define END_TIMEOUT_MS 60000

enum metric {
	TO_FIRST_EVENT,
	TO_EXIT,
	CPU_TIME,
};

static const char *target_path(void)
{
	return bench_path("tests/bench/target_start");
}

static int begin(struct bench_run *run)
{
	struct bench_child *target = calloc(1, sizeof(*target));
	const char *const argv[] = {target_path(), NULL};

	bench_set_state(run, target);
	return target ? bench_child_start(run, target, argv) : bench_fail(run, "no memory");
}

static void end(struct bench_run *run)
{
	struct bench_child *target = bench_state(run);

	if (target)
		bench_child_done(target);
	free(target);
}

/* ---- tools: each starts one, and reads the count from what it printed ---- */

static int start_probekit(struct bench_run *run, struct bench_child *tool)
{
	const struct bench_child *target = bench_state(run);
	char pid[16];
	const char *const arguments[] = {"latency", "--json", "-p", pid, "-s", "bench:work", NULL};

	snprintf(pid, sizeof(pid), "%d", target->pid);
	return bench_probekit_start(run, tool, arguments);
}

static long count_of_json(const char *text)
{
	json_t *snapshot = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
	json_t *row = json_array_get(json_object_get(snapshot, "probes"), 0);
	long count = (long)json_integer_value(json_object_get(row, "count"));

	json_decref(snapshot);
	return count;
}

static int start_bpftrace(struct bench_run *run, struct bench_child *tool)
{
	const struct bench_child *target = bench_state(run);
	char script[4096];

	snprintf(
		script, sizeof(script),
		"usdt:%s:bench:work__begin { @s[tid] = nsecs; } "
		"usdt:%s:bench:work__end /@s[tid]/ { @h = hist(nsecs - @s[tid]); delete(@s[tid]); }",
		target_path(), target_path());
	return bench_bpftrace_start(run, tool, target->pid, script);
}

static int start_funclatency(struct bench_run *run, struct bench_child *tool)
{
	const struct bench_child *target = bench_state(run);
	char pid[16];
	const char *const argv[] = {"funclatency", "-p", pid, ":probed_work", NULL};

	snprintf(pid, sizeof(pid), "%d", target->pid);
	return bench_libbpf_tool_start(run, tool, argv);
}

static int end_tool(struct bench_run *run, struct bench_child *tool)
{
	if (bench_child_end(tool, SIGINT, END_TIMEOUT_MS) == 0)
		return 0;
	return bench_fail(run, "it does not end well: %s", bench_child_error(tool));
}

static const struct tool {
	int (*start)(struct bench_run *run, struct bench_child *tool);
	int (*end)(struct bench_run *run, struct bench_child *tool);
	long (*count)(const char *text);
} tools[] = {
	{start_probekit, end_tool, count_of_json},
	{start_bpftrace, bench_bpftrace_end, bench_histogram_count},
	{start_funclatency, end_tool, bench_histogram_count},
};

/* ---- the measurement ---- */

static int first_event(struct bench_run *run, double spans, long counted, double *at_ns)
{
	if (counted < 1 || (double)counted > spans)
		return bench_fail(run, "%ld of %.0f spans were counted", counted, spans);
	return bench_child_ask(run, bench_state(run), at_ns, "at %.0f",
			       spans - (double)counted + 1);
}

static int measure(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct tool *tool = &tools[side->variant];
	struct bench_child *target = bench_state(run);
	struct bench_child child = {0};
	double spans;
	double at_ns;
	uint64_t start_ns;
	uint64_t end_ns;
	int result;

	if (bench_child_ask(run, target, &spans, "run"))
		return -1;
	start_ns = bench_now_ns();
	result = tool->start(run, &child);
	if (bench_child_ask(run, target, &spans, "stop") || result) {
		bench_child_done(&child);
		return -1;
	}
	end_ns = bench_now_ns();
	result = tool->end(run, &child);
	values[TO_EXIT] = bench_ms_since(end_ns);
	values[CPU_TIME] = (double)child.cpu_ns * 1e-6;
	if (!result)
		result = first_event(run, spans, tool->count(child.text), &at_ns);
	if (!result)
		values[TO_FIRST_EVENT] = (at_ns - (double)start_ns) * 1e-6;
	bench_child_done(&child);
	return result;
}

static const struct bench_metric metrics[] = {
	{"start to first event", "ms"}, {"Ctrl-C to exit", "ms"}, {"CPU time", "ms"}, {0}};

static const struct bench_side sides[] = {
	{"probekit latency", measure, 0, NULL},
	{"bpftrace one-liner", measure, 1, NULL},
	{"funclatency", measure, 2, NULL},
	{0},
};

static const struct bench_ratio ratios[] = {
	{"probekit latency", "bpftrace one-liner", NULL, "start to first event", 0.3, false},
	{"probekit latency", "funclatency", NULL, "start to first event", 0, false},
	{"probekit latency", "bpftrace one-liner", NULL, "Ctrl-C to exit", 0, false},
	{"probekit latency", "bpftrace one-liner", NULL, "CPU time", 0, false},
	{"probekit latency", "funclatency", NULL, "Ctrl-C to exit", 0, false},
	{0},
};

const struct bench_group bench_start = {
	.name = "start",
	.about =
		"from starting the command to the first event counted, from Ctrl-C to its end, and "
		"the CPU time that it took",
	.metrics = metrics,
	.sides = sides,
	.ratios = ratios,
	.begin = begin,
	.end = end,
};
