/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What watching locks costs those who contend for them: throughput with a tracer and without, in
 * turns on the same program. A tracer must have seen the waits; one that did not has no figure.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define CONTEND_MS 300
#define TOOL_TIMEOUT_MS 60000
#define TARGET_NAME "target_locks"

enum metric { MUTEX, MUTEX_WAITS, TURNS, TURNS_WAITS };

static const struct bench_metric metrics[] = {
	[MUTEX] = {"one mutex", "locks/s"},
	[MUTEX_WAITS] = {"its waits", "/s"},
	[TURNS] = {"turns", "turns/s"},
	[TURNS_WAITS] = {"their waits", "/s"},
	{0},
};

struct state {
	struct bench_child target;
	char pid[16];
};

/* ---- one measurement ---- */

static int contend(struct bench_run *run, double *values)
{
	struct bench_child *target = &((struct state *)bench_state(run))->target;

	if (bench_child_ask(run, target, &values[MUTEX], "mutex %d", CONTEND_MS) ||
	    bench_child_ask(run, target, &values[MUTEX_WAITS], "waits") ||
	    bench_child_ask(run, target, &values[TURNS], "turns %d", CONTEND_MS))
		return -1;
	return bench_child_ask(run, target, &values[TURNS_WAITS], "waits");
}

static int measure_nothing(struct bench_run *run, const struct bench_side *side, double *values)
{
	(void)side;
	return contend(run, values);
}

/* All waits that it counted: the lines "waits": N of its locks. */
static double counted_waits(const char *text)
{
	static const char name[] = "\"waits\":";
	double sum = 0;

	while (text && (text = strstr(text, name))) {
		text += strlen(name);
		sum += strtod(text, NULL);
	}
	return sum;
}

static int measure_probekit(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct state *state = bench_state(run);
	const char *const arguments[] = {"locks", "--json", "-p", state->pid, NULL};
	struct bench_child tool = {0};
	double waits;
	int result;

	(void)side;
	if (bench_probekit_start(run, &tool, arguments))
		return -1;
	result = contend(run, values);
	if (!result && bench_child_end(&tool, SIGINT, TOOL_TIMEOUT_MS) != 0)
		result = bench_fail(run, "probekit has failed: %s", bench_child_error(&tool));
	waits = (values[MUTEX_WAITS] + values[TURNS_WAITS]) * CONTEND_MS / 1e3;
	/* (threads block elsewhere too) */
	if (!result && counted_waits(tool.text) < .9 * waits)
		result = bench_fail(run, "probekit counted %.0f of %.0f waits",
				    counted_waits(tool.text), waits);
	bench_child_done(&tool);
	return result;
}

/* ---- peers ---- */

struct peer {
	const char *tool;
	const char *words[6]; /* behind it; before "-p PID" */
	long ready;	      /* the system call in which it waits once it is attached */
	const char *seen;     /* what it prints at the end when it saw the target; NULL: nothing */
};

static const struct peer offcputime = {
	.tool = "/usr/sbin/offcputime:bpf-offcputime:offcputime",
	.ready = SYS_clock_nanosleep,
	.seen = TARGET_NAME " (",
};

static const struct peer perf_bpf = {
	.tool = "perf",
	.words = {"lock", "contention", "-b"},
	.ready = SYS_pause,
};

static const struct peer perf_record = {
	.tool = "perf",
	.words = {"lock", "record", "-o"}, /* and a file */
	.ready = SYS_poll,
};

static int run_peer(struct bench_run *run, const struct peer *peer, const char *const argv[],
		    double *values)
{
	struct bench_child tool = {0};
	int result;

	if (bench_child_start(run, &tool, argv))
		return -1;
	if (bench_wait_syscall(tool.pid, peer->ready, TOOL_TIMEOUT_MS)) {
		result = bench_missing(run, "%s does not start: %s", argv[0],
				       bench_child_error(&tool));
	} else {
		result = contend(run, values);
		bench_child_end(&tool, SIGINT, TOOL_TIMEOUT_MS);
		if (!result && peer->seen && (!tool.text || !strstr(tool.text, peer->seen)))
			result = bench_fail(run, "%s saw nothing of the target", argv[0]);
	}
	bench_child_done(&tool);
	return result;
}

static int measure_peer(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct state *state = bench_state(run);
	const struct peer *peer = side->data;
	const char *argv[12] = {bench_find_tool(peer->tool)};
	const char *scratch = bench_scratch(run);
	char file[600];
	size_t count = 1;

	if (!scratch)
		return -1;
	if (!argv[0])
		return bench_missing(run, "%s is not installed", side->name);
	for (size_t i = 0; peer->words[i]; i++)
		argv[count++] = peer->words[i];
	snprintf(file, sizeof(file), "%s/perf.data", scratch);
	if (peer == &perf_record)
		argv[count++] = file;
	argv[count++] = "-p";
	argv[count++] = state->pid;
	return run_peer(run, peer, argv, values);
}

static const struct bench_side sides[] = {
	{.name = "not measured", .measure = measure_nothing},
	{.name = "probekit locks", .measure = measure_probekit},
	{.name = "offcputime", .measure = measure_peer, .data = &offcputime},
	{.name = "perf lock contention -b", .measure = measure_peer, .data = &perf_bpf},
	{.name = "perf lock record", .measure = measure_peer, .data = &perf_record},
	{0},
};

/* Meant for the lower end of the interval, which stands beside the value. */
#define AIM .95, .is_at_least = true

static const struct bench_ratio ratios[] = {
	{"probekit locks", "not measured", .metric = "one mutex", .aim = AIM},
	{"probekit locks", "not measured", .metric = "turns", .aim = AIM},
	{"offcputime", "not measured", .metric = "one mutex"},
	{"offcputime", "not measured", .metric = "turns"},
	{"perf lock contention -b", "not measured", .metric = "one mutex"},
	{"perf lock contention -b", "not measured", .metric = "turns"},
	{"perf lock record", "not measured", .metric = "one mutex"},
	{"perf lock record", "not measured", .metric = "turns"},
	{0},
};

/* ---- the group ---- */

static int begin(struct bench_run *run)
{
	const char *const argv[] = {bench_path("tests/bench/" TARGET_NAME), NULL};
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return bench_fail(run, "no memory");
	bench_set_state(run, state);
	if (bench_child_start(run, &state->target, argv))
		return -1;
	snprintf(state->pid, sizeof(state->pid), "%d", state->target.pid);
	return 0;
}

static void end(struct bench_run *run)
{
	struct state *state = bench_state(run);

	if (state)
		bench_child_done(&state->target);
	free(state);
}

const struct bench_group bench_locks = {
	.name = "locks",
	.about = "locks that are contended as much as can be, while their waits are measured",
	.metrics = metrics,
	.sides = sides,
	.ratios = ratios,
	.rounds = 20,
	.budget_s = 300,
	.begin = begin,
	.end = end,
};
