/* SPDX-License-Identifier: BSD-2-Clause */
/* Group function: what a traced call costs, entry and return, by the function's first instruction. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "attach_sides.h"
#include "elf_file.h"

#define CALLS 40000l
#define WARM_UP_CALLS 4000l
#define UNTRACED_CALLS 10000000l
#define KIND_COUNT 5

static const struct bench_metric metrics[] = {
	{"push", "ns"}, {"endbr_push", "ns"}, {"sub", "ns"}, {"mov", "ns"}, {"nop5", "ns"}, {0},
};

static const char *target_path(void)
{
	return bench_path("tests/bench/target_functions");
}

static int begin(struct bench_run *run)
{
	struct bench_child *target = calloc(1, sizeof(*target));
	const char *const argv[] = {target_path(), NULL};

#ifndef __x86_64__
	return bench_missing(run, "the functions are written for x86-64");
#endif
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

static int time_calls(struct bench_run *run, size_t kind, long calls, double *ns)
{
	double total;

	if (bench_child_ask(run, bench_state(run), &total, "%s %ld", metrics[kind].name, calls))
		return -1;
	*ns = total / (double)calls;
	return 0;
}

static int time_traced(struct bench_run *run, size_t kind, double *ns)
{
	double warm;

	return time_calls(run, kind, WARM_UP_CALLS, &warm) || time_calls(run, kind, CALLS, ns) ? -1
											       : 0;
}

static int measure_untraced(struct bench_run *run, const struct bench_side *side, double *values)
{
	(void)side;
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (time_calls(run, i, UNTRACED_CALLS, &values[i]))
			return -1;
	return 0;
}

static int run_all(struct bench_run *run, double *values)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (time_traced(run, i, &values[i]))
			return -1;
	return 0;
}

/* ---- probekit, as a session in this process ---- */

static int start_session(pid_t pid, struct probekit_session **session, struct probekit_error *err)
{
	const struct probekit_session_options options = {.size = sizeof(options),
							 .max_overhead = -1};
	int result = probekit_session_new(&options, session, err);

	if (result)
		return result;
	result = probekit_session_add_pid(*session, pid, err);
	for (size_t i = 0; i < KIND_COUNT && !result; i++) {
		char name[32];

		snprintf(name, sizeof(name), "probed_%s", metrics[i].name);
		result = probekit_session_add_function(*session, name, err);
	}
	if (!result)
		result = probekit_session_start(*session, err);
	if (result)
		probekit_session_free(*session);
	return result;
}

static int check_counts(struct bench_run *run, struct probekit_session *session)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	uint64_t count = 0;

	if (probekit_session_snapshot(session, &snapshot, &err))
		return bench_fail(run, "%s", err.text);
	for (size_t i = 0; i < probekit_snapshot_size(snapshot); i++)
		count += probekit_snapshot_probe(snapshot, i)->count;
	probekit_snapshot_free(snapshot);
	if (count != KIND_COUNT * (CALLS + WARM_UP_CALLS))
		return bench_fail(run, "probekit counted %lu of %ld calls", (unsigned long)count,
				  KIND_COUNT * (CALLS + WARM_UP_CALLS));
	return 0;
}

static int measure_probekit(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct bench_child *target = bench_state(run);
	struct probekit_session *session;
	struct probekit_error err;
	int result;

	(void)side;
	if (start_session(target->pid, &session, &err))
		return bench_fail(run, "%s", err.text);
	result = run_all(run, values);
	if (!result && probekit_session_stop(session, &err))
		result = bench_fail(run, "%s", err.text);
	if (!result)
		result = check_counts(run, session);
	probekit_session_free(session);
	return result;
}

/* ---- a program that does nothing, at entry and return ---- */

struct offsets {
	uint64_t at[KIND_COUNT];
	size_t count;
};

static int note_offset(const struct elf_symbol *symbol, void *arg)
{
	struct offsets *offsets = arg;

	for (size_t i = 0; i < KIND_COUNT; i++)
		if (strncmp(symbol->name, "probed_", strlen("probed_")) == 0 &&
		    strcmp(symbol->name + strlen("probed_"), metrics[i].name) == 0)
			offsets->at[offsets->count++] = symbol->offset;
	return offsets->count > KIND_COUNT;
}

static int find_offsets(struct bench_run *run, struct offsets *offsets)
{
	struct probekit_error err;
	struct elf_file *file;

	*offsets = (struct offsets){0};
	if (elf_file_open(target_path(), -1, &file, &err))
		return bench_fail(run, "%s", err.text);
	elf_file_functions(file, note_offset, offsets);
	elf_file_free(file);
	return offsets->count == KIND_COUNT ? 0 : bench_fail(run, "the target lacks functions");
}

static int measure_empty(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct engine_options options = {
		.use_multi = true, .probes = 1, .rows = 1, .sites = 1, .key_limit = 1};
	const struct bench_child *target = bench_state(run);
	struct probekit_error err;
	struct engine *engine;
	struct offsets offsets;
	uint64_t expected = 2ul * KIND_COUNT * (CALLS + WARM_UP_CALLS);
	int links[2] = {-1, -1};
	int result = 0;

	(void)side;
	if (find_offsets(run, &offsets))
		return -1;
	if (engine_new(&options, &engine, &err))
		return bench_fail(run, "%s", err.text);
	for (int i = 0; i < 2 && !result; i++) {
		const struct attach_sites sites = {
			.path = target_path(),
			.count = offsets.count,
			.offsets = offsets.at,
			.pid = target->pid,
			.is_return = i == 1,
		};

		result = attach_multi(engine_program_fd(engine, PROGRAM_COUNT_HIT), &sites,
				      &links[i]);
	}
	if (result)
		result = bench_missing(run, "the kernel has no uprobe_multi links: %s",
				       strerror(-result));
	else
		result = run_all(run, values);
	for (int i = 0; i < 2; i++)
		if (links[i] >= 0)
			close(links[i]);
	if (!result && engine_hits(engine) != expected)
		result = bench_fail(run, "the empty program ran %lu times, not %lu",
				    (unsigned long)engine_hits(engine), (unsigned long)expected);
	engine_free(engine);
	return result;
}

/* ---- peers ---- */

static int measure_bpftrace(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct bench_child *target = bench_state(run);
	struct bench_child bpftrace;
	char entries[2048] = "";
	char returns[2048] = "";
	char script[8192];
	long expected = KIND_COUNT * (CALLS + WARM_UP_CALLS);
	int result;

	(void)side;
	for (size_t i = 0; i < KIND_COUNT; i++) {
		size_t e = strlen(entries);
		size_t r = strlen(returns);

		snprintf(entries + e, sizeof(entries) - e, "%suprobe:%s:probed_%s", i ? "," : "",
			 target_path(), metrics[i].name);
		snprintf(returns + r, sizeof(returns) - r, "%suretprobe:%s:probed_%s", i ? "," : "",
			 target_path(), metrics[i].name);
	}
	snprintf(script, sizeof(script),
		 "%s { @s[tid] = nsecs; } "
		 "%s /@s[tid]/ { @h = hist(nsecs - @s[tid]); delete(@s[tid]); }",
		 entries, returns);
	if (bench_bpftrace_start(run, &bpftrace, target->pid, script))
		return -1;
	result = run_all(run, values);
	if (bench_bpftrace_end(run, &bpftrace))
		return -1;
	if (!result && bench_histogram_count(bpftrace.text) != expected)
		result = bench_fail(run, "bpftrace counted %ld of %ld calls",
				    bench_histogram_count(bpftrace.text), expected);
	bench_child_done(&bpftrace);
	return result;
}

/* It takes one function at a time. */
static int measure_funclatency(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct bench_child *target = bench_state(run);
	char pid[16];

	(void)side;
	snprintf(pid, sizeof(pid), "%d", target->pid);
	for (size_t i = 0; i < KIND_COUNT; i++) {
		struct bench_child tool;
		char function[64];
		const char *const argv[] = {"funclatency", "-p", pid, function, NULL};
		int result;

		snprintf(function, sizeof(function), ":probed_%s", metrics[i].name);
		if (bench_libbpf_tool_start(run, &tool, argv))
			return -1;
		result = time_traced(run, i, &values[i]);
		bench_child_end(&tool, SIGINT, 60000);
		if (!result && bench_histogram_count(tool.text) != CALLS + WARM_UP_CALLS)
			result =
				bench_fail(run, "funclatency counted %ld of %ld calls",
					   bench_histogram_count(tool.text), CALLS + WARM_UP_CALLS);
		bench_child_done(&tool);
		if (result)
			return -1;
	}
	return 0;
}

static const struct bench_side sides[] = {
	{"untraced", measure_untraced, 0, NULL},
	{"empty program", measure_empty, 0, NULL},
	{"probekit", measure_probekit, 0, NULL},
	{"bpftrace histogram", measure_bpftrace, 0, NULL},
	{"funclatency", measure_funclatency, 0, NULL},
	{0},
};

static const struct bench_ratio ratios[] = {
	/* The empty program is attached to the very entry, which with endbr64 is stepped. */
	{"probekit", "empty program", "untraced", "endbr_push", 0.25, false},
	{"probekit", "empty program", "untraced", "push", 0, false},
	{"probekit", "empty program", "untraced", "sub", 0, false},
	{"probekit", "empty program", "untraced", "mov", 0, false},
	{"probekit", "empty program", "untraced", "nop5", 0, false},
	{"probekit", "bpftrace histogram", "untraced", NULL, 0, false},
	{"probekit", "funclatency", "untraced", NULL, 0, false},
	{"empty program", "bpftrace histogram", "untraced", NULL, 0, false},
	{"empty program", "funclatency", "untraced", NULL, 0, false},
	{0},
};

const struct bench_group bench_function = {
	.name = "function",
	.about = "what a call costs, entry and return, by the function's first instruction",
	.metrics = metrics,
	.sides = sides,
	.ratios = ratios,
	.begin = begin,
	.end = end,
};
