/* SPDX-License-Identifier: BSD-2-Clause */
/* Group span: what a traced span (begin and end) costs the one who runs it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"
#include "attach_sides.h"

#define SPANS 200000l
#define UNTRACED_SPANS 20000000l

static int begin(struct bench_run *run)
{
	struct bench_child *target = calloc(1, sizeof(*target));
	const char *const argv[] = {bench_path("tests/bench/bench_target"), NULL};

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

static int time_spans(struct bench_run *run, long spans, double *ns)
{
	double total;

	if (bench_child_ask(run, bench_state(run), &total, "%ld", spans))
		return -1;
	*ns = total / (double)spans;
	return 0;
}

/* A tenth first, so that caches and branch predictors know the way. */
static int time_traced(struct bench_run *run, double *ns)
{
	double warm;

	return time_spans(run, SPANS / 10, &warm) || time_spans(run, SPANS, ns) ? -1 : 0;
}

static int measure_untraced(struct bench_run *run, const struct bench_side *side, double *values)
{
	(void)side;
	return time_spans(run, UNTRACED_SPANS, values);
}

/* The session is the library's own, as the command uses it; `variant` is whether the fast site is
 * used, which the target allows by not forking. */
static int measure_session(struct bench_run *run, const struct bench_side *side, bool has_breakdown,
			   double *values)
{
	const struct bench_child *target = bench_state(run);
	struct bench_session session;
	int result;

	if (bench_session_start(run, &session, target->pid, "bench:span",
				side->variant ? POINT_NOP5 : POINT_NOP, has_breakdown))
		return -1;
	result = time_traced(run, values);
	if (bench_session_end(run, &session) || result)
		return -1;
	if (session.count != SPANS + SPANS / 10)
		return bench_fail(run, "probekit counted %lu of %ld spans",
				  (unsigned long)session.count, SPANS + SPANS / 10);
	return 0;
}

static int measure_probekit(struct bench_run *run, const struct bench_side *side, double *values)
{
	return measure_session(run, side, true, values);
}

static int measure_histogram(struct bench_run *run, const struct bench_side *side, double *values)
{
	return measure_session(run, side, false, values);
}

static int measure_empty(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct bench_child *target = bench_state(run);
	struct bench_empty empty;
	int result;

	if (bench_empty_start(run, &empty, bench_path("tests/bench/bench_target"), target->pid,
			      side->variant ? POINT_NOP5 : POINT_NOP))
		return -1;
	result = time_traced(run, values);
	bench_empty_end(&empty);
	if (result)
		return -1;
	if (empty.hits != 2ul * (SPANS + SPANS / 10))
		return bench_fail(run, "the empty program ran %lu times in %ld spans",
				  (unsigned long)empty.hits, SPANS + SPANS / 10);
	return 0;
}

static int measure_bpftrace(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct bench_child *target = bench_state(run);
	const char *path = bench_path("tests/bench/bench_target");
	struct bench_child bpftrace;
	char script[4096];
	int result;

	(void)side;
	snprintf(
		script, sizeof(script),
		"usdt:%s:bench:span__begin { @s[tid] = nsecs; } "
		"usdt:%s:bench:span__end /@s[tid]/ { @h = hist(nsecs - @s[tid]); delete(@s[tid]); }",
		path, path);
	if (bench_bpftrace_start(run, &bpftrace, target->pid, script))
		return -1;
	result = time_traced(run, values);
	if (bench_bpftrace_end(run, &bpftrace))
		return -1;
	if (!result && bench_histogram_count(bpftrace.text) != SPANS + SPANS / 10)
		result = bench_fail(run, "bpftrace counted %ld of %ld spans",
				    bench_histogram_count(bpftrace.text), SPANS + SPANS / 10);
	bench_child_done(&bpftrace);
	return result;
}

static const struct bench_metric metrics[] = {{"a span", "ns"}, {0}};

static const struct bench_side sides[] = {
	{"untraced", measure_untraced, 0, NULL},
	{"empty program, plain nop", measure_empty, 0, NULL},
	{"empty program, fast site", measure_empty, 1, NULL},
	{"histogram alone, plain nop", measure_histogram, 0, NULL},
	{"histogram alone, fast site", measure_histogram, 1, NULL},
	{"probekit, plain nop", measure_probekit, 0, NULL},
	{"probekit, fast site", measure_probekit, 1, NULL},
	{"bpftrace histogram", measure_bpftrace, 0, NULL},
	{0},
};

static const struct bench_ratio ratios[] = {
	{"probekit, fast site", "empty program, fast site", "untraced", NULL, 1.25, false},
	{"probekit, fast site", "histogram alone, fast site", "untraced", NULL, 1.35, false},
	{"probekit, plain nop", "histogram alone, plain nop", "untraced", NULL, 1.35, false},
	{"probekit, fast site", "bpftrace histogram", "untraced", NULL, 0.5, false},
	{"probekit, plain nop", "empty program, plain nop", "untraced", NULL, 0, false},
	{"probekit, plain nop", "bpftrace histogram", "untraced", NULL, 0, false},
	{"probekit, fast site", "probekit, plain nop", "untraced", NULL, 0, false},
	{"empty program, fast site", "bpftrace histogram", "untraced", NULL, 0, false},
	{0},
};

const struct bench_group bench_span = {
	.name = "span",
	.about = "what a span of probe.h costs its thread, begin and end, by what is attached",
	.metrics = metrics,
	.sides = sides,
	.ratios = ratios,
	.begin = begin,
	.end = end,
};
