/* SPDX-License-Identifier: BSD-2-Clause */
/* Group floor: the latency that a tool reports of a span with nothing in it: its own cost inside
 * what it measures. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach_sides.h"

#define SPANS 100000l

enum metric {
	MEDIAN,
	MEAN,
};

struct state {
	struct bench_child spans;
	struct bench_child functions;
};

static int begin(struct bench_run *run)
{
	struct state *state = calloc(1, sizeof(*state));
	const char *const spans[] = {bench_path("tests/bench/bench_target"), NULL};
	const char *const functions[] = {bench_path("tests/bench/target_functions"), NULL};

	bench_set_state(run, state);
	if (!state)
		return bench_fail(run, "no memory");
	return bench_child_start(run, &state->spans, spans) ||
	       bench_child_start(run, &state->functions, functions);
}

static void end(struct bench_run *run)
{
	struct state *state = bench_state(run);

	if (!state)
		return;
	bench_child_done(&state->spans);
	bench_child_done(&state->functions);
	free(state);
}

static int measure_probekit(struct bench_run *run, const struct bench_side *side, double *values)
{
	struct state *state = bench_state(run);
	struct bench_session session;
	double total;
	int result;

	if (bench_session_start(run, &session, state->spans.pid, "bench:span",
				side->variant ? POINT_NOP5 : POINT_NOP, true))
		return -1;
	result = bench_child_ask(run, &state->spans, &total, "%ld", SPANS);
	if (bench_session_end(run, &session) || result)
		return -1;
	values[MEDIAN] = session.median_ns;
	values[MEAN] = session.mean_ns;
	return 0;
}

/* The middle of a printed histogram: in the bucket that holds it, as if its values were spread
 * evenly. Lines such as "[480, 496)   1234 |@@@|" and "256 -> 511 : 1234 |***|". */
static double printed_median(const char *text)
{
	long half = (bench_histogram_count(text) + 1) / 2;
	long before = 0;

	while (text && *text) {
		double low;
		double high;
		long count;
		bool is_line = sscanf(text, " [%lf, %lf)%ld", &low, &high, &count) == 3 ||
			       sscanf(text, " %lf -> %lf : %ld", &low, &high, &count) == 3;

		if (is_line && before + count >= half)
			return low + (high - low) * (double)(half - before) / (double)count;
		before += is_line ? count : 0;
		text = strchr(text, '\n');
		text += text != NULL;
	}
	return NAN;
}

static int measure_bpftrace(struct bench_run *run, const struct bench_side *side, double *values)
{
	struct state *state = bench_state(run);
	const char *path = bench_path("tests/bench/bench_target");
	struct bench_child bpftrace;
	char script[4096];
	const char *mean;
	double total;
	int result;

	(void)side;
	snprintf(
		script, sizeof(script),
		"usdt:%s:bench:span__begin { @s[tid] = nsecs; } "
		"usdt:%s:bench:span__end /@s[tid]/ { $d = nsecs - @s[tid]; @h = lhist($d, 0, 4096, 16); "
		"@mean = avg($d); delete(@s[tid]); }",
		path, path);
	if (bench_bpftrace_start(run, &bpftrace, state->spans.pid, script))
		return -1;
	result = bench_child_ask(run, &state->spans, &total, "%ld", SPANS);
	if (bench_bpftrace_end(run, &bpftrace))
		return -1;
	mean = strstr(bpftrace.text, "@mean: ");
	if (!result && (!mean || sscanf(mean, "@mean: %lf", &values[MEAN]) != 1))
		result = bench_fail(run, "bpftrace prints no mean");
	values[MEDIAN] = printed_median(bpftrace.text);
	bench_child_done(&bpftrace);
	return result;
}

static int measure_funclatency(struct bench_run *run, const struct bench_side *side, double *values)
{
	struct state *state = bench_state(run);
	struct bench_child tool;
	char pid[16];
	const char *const argv[] = {"funclatency", "-p", pid, ":probed_push", NULL};
	double total;
	int result;

	(void)side;
	snprintf(pid, sizeof(pid), "%d", state->functions.pid);
	if (bench_libbpf_tool_start(run, &tool, argv))
		return -1;
	result = bench_child_ask(run, &state->functions, &total, "push %ld", SPANS);
	bench_child_end(&tool, SIGINT, 60000);
	values[MEDIAN] = printed_median(tool.text);
	bench_child_done(&tool);
	bench_note(run, "probekit: its own quantile and mean; bpftrace: the middle of a linear "
			"histogram of 16 ns a bucket, and avg(); funclatency: the middle of its "
			"histogram of powers of two, of a function that starts with a push");
	return result;
}

static const struct bench_metric metrics[] = {{"median", "ns"}, {"mean", "ns"}, {0}};

static const struct bench_side sides[] = {
	{"probekit, plain nop", measure_probekit, 0, NULL},
	{"probekit, fast site", measure_probekit, 1, NULL},
	{"bpftrace, plain nop", measure_bpftrace, 0, NULL},
	{"funclatency, a function", measure_funclatency, 0, NULL},
	{0},
};

static const struct bench_ratio ratios[] = {
	{"probekit, plain nop", "bpftrace, plain nop", NULL, "median", 0, false},
	{"probekit, fast site", "bpftrace, plain nop", NULL, "median", 0, false},
	{"probekit, fast site", "probekit, plain nop", NULL, "median", 0, false},
	{0},
};

const struct bench_group bench_floor = {
	.name = "floor",
	.about = "the latency that a tool reports of a span with nothing in it",
	.metrics = metrics,
	.sides = sides,
	.ratios = ratios,
	.begin = begin,
	.end = end,
};
