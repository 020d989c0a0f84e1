/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a tracer's memory grows: with probes, with threads in a span, with keys, with CPUs (as many
 * as a mount over the kernel's list makes the tool believe in). For each of them 1, 10, 100 and
 * 1000, and the slope of a line through these.
 */
#include <math.h>
#include <probekit/probekit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "bench_memory_usage.h"
#include "statistics.h"

#define TIMEOUT_MS 300000
#define TARGET "tests/bench/target_memory"
#define SIZES 4

static const int sizes[SIZES] = {1, 10, 100, 1000};

/* Three kinds, each of four sizes and a slope. */
enum kind { MAPS, KERNEL, USER, KINDS };
#define KIND_METRICS (SIZES + 1)

#define KIND(name)                                                                                \
	{name ", 1", "KiB"}, {name ", 10", "KiB"}, {name ", 100", "KiB"}, {name ", 1000", "KiB"}, \
	{                                                                                         \
		name ", each", "bytes"                                                            \
	}

static const struct bench_metric metrics[] = {
	KIND("maps"),
	KIND("kernel"),
	KIND("user"),
	{0},
};

/* What grows. In scripts and globs, by size. */
struct axis {
	const char *request; /* to the target, while the tool looks */
	const char *globs[SIZES];
	/* The same for bpftrace, without __begin and __end; NULL: left out. */
	const char *sites[SIZES];
	bool is_keyed;
	bool is_of_cpus; /* ten probes whatever the size */
};

static const struct axis probes = {
	.request = "spans",
	.globs = {"memory:p000", "memory:p00?", "memory:p0??", "memory:p???"},
	.sites = {"p000", "p00*", "p0*"}, /* it attaches and detaches only a few a second */
};

static const struct axis threads = {
	.request = "threads",
	.globs = {"memory:held", "memory:held", "memory:held", "memory:held"},
	.sites = {"held", "held", "held", "held"},
};

static const struct axis keys = {
	.request = "keys",
	.globs = {"memory:keyed", "memory:keyed", "memory:keyed", "memory:keyed"},
	.sites = {"keyed", "keyed", "keyed", "keyed"},
	.is_keyed = true,
};

static const struct axis cpus = {
	.request = "spans",
	.globs = {"memory:p00?", "memory:p00?", "memory:p00?", "memory:p00?"},
	.is_of_cpus = true,
};

static int request_size(const struct axis *axis, size_t size)
{
	return axis->is_of_cpus ? 10 : sizes[size];
}

/* ---- one measurement ---- */

/* Puts the target to work and looks at what that takes. */
static int look(struct bench_run *run, const struct memory_group *group, struct bench_child *target,
		pid_t tool, const struct axis *axis, size_t size, double *values)
{
	int count = request_size(axis, size);
	double answer;

	if (bench_child_ask(run, target, &answer, "%s %d", axis->request, count))
		return -1;
	values[MAPS * KIND_METRICS + size] = memory_map_bytes(tool) / 1024;
	values[KERNEL * KIND_METRICS + size] = memory_group_kernel_bytes(group) / 1024;
	values[USER * KIND_METRICS + size] = memory_user_bytes(tool) / 1024;
	return bench_child_ask(run, target, &answer, "release 0");
}

static int check_count(struct bench_run *run, const struct axis *axis, size_t size, double counted)
{
	int count = request_size(axis, size);

	if (counted == count)
		return 0;
	return bench_fail(run, "counted %.0f spans of %d", counted, count);
}

/* ---- probekit ---- */

static double snapshot_count(const char *path)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	double count = 0;

	if (probekit_snapshot_read(path, &snapshot, &err))
		return NAN;
	for (size_t i = 0; i < probekit_snapshot_size(snapshot); i++) {
		const struct probekit_probe *probe = probekit_snapshot_probe(snapshot, i);

		count += probe->has_key ? 0 : (double)probe->count;
	}
	probekit_snapshot_free(snapshot);
	return count;
}

/* In a mount namespace of its own, in which there are CPUs 0 to `count` - 1. */
static int start_with_cpus(struct bench_run *run, struct bench_child *tool, int count,
			   const char *const arguments[static 7])
{
	const char *scratch = bench_scratch(run);
	char list[128];
	const char *const argv[] = {
		"unshare",
		"--mount",
		"sh",
		"-c",
		"mount --bind \"$0\" /sys/devices/system/cpu/online && exec \"$@\"",
		list,
		bench_path("probekit"),
		arguments[0],
		arguments[1],
		arguments[2],
		arguments[3],
		arguments[4],
		arguments[5],
		arguments[6],
		"-v",
		NULL,
	};
	FILE *file;

	if (!scratch)
		return -1;
	snprintf(list, sizeof(list), "%s/cpus", scratch);
	file = fopen(list, "we");
	if (!file || fprintf(file, "0-%d\n", count - 1) < 0 || fclose(file))
		return bench_fail(run, "cannot write '%s'", list);
	if (bench_child_start(run, tool, argv))
		return -1;
	if (bench_child_wait_error(tool, "measuring: ", TIMEOUT_MS)) {
		bench_fail(run, "probekit does not measure: %s", bench_child_error(tool));
		bench_child_done(tool);
		return -1;
	}
	return 0;
}

static int run_probekit(struct bench_run *run, const struct memory_group *group,
			struct bench_child *target, const struct axis *axis, size_t size,
			double *values)
{
	const char *scratch = bench_scratch(run);
	struct bench_child tool = {0};
	char snapshot[128];
	char pid[16];
	const char *const arguments[] = {"latency",	    "-o", snapshot, "-s",
					 axis->globs[size], "-p", pid,	    NULL};
	int result;

	if (!scratch)
		return -1;
	snprintf(snapshot, sizeof(snapshot), "%s/snapshot", scratch);
	snprintf(pid, sizeof(pid), "%d", target->pid);
	result = memory_group_enter(run, group);
	if (!result)
		result = axis->is_of_cpus ? start_with_cpus(run, &tool, sizes[size], arguments)
					  : bench_probekit_start(run, &tool, arguments);
	if (memory_group_leave(run, group) || result)
		return -1;
	result = look(run, group, target, tool.pid, axis, size, values);
	if (!result && bench_child_end(&tool, SIGINT, TIMEOUT_MS) != 0)
		result = bench_fail(run, "probekit has failed: %s", bench_child_error(&tool));
	if (!result)
		result = check_count(run, axis, size, snapshot_count(snapshot));
	unlink(snapshot);
	bench_child_done(&tool);
	return result;
}

/* ---- bpftrace ---- */

static void write_script(const struct axis *axis, size_t size, char *script, size_t script_size)
{
	const char *path = bench_path(TARGET);
	const char *site = axis->sites[size];

	if (axis->is_keyed)
		snprintf(script, script_size,
			 "usdt:%s:memory:%s__begin { @s[tid] = nsecs; @k[tid] = arg0; } "
			 "usdt:%s:memory:%s__end /@s[tid]/ { @h[@k[tid]] = hist(nsecs - @s[tid]); "
			 "delete(@s[tid]); delete(@k[tid]); }",
			 path, site, path, site);
	else
		snprintf(script, script_size,
			 "usdt:%s:memory:%s__begin { @s[tid] = nsecs; } "
			 "usdt:%s:memory:%s__end /@s[tid]/ { @h[probe] = hist(nsecs - @s[tid]); "
			 "delete(@s[tid]); }",
			 path, site, path, site);
}

static int run_bpftrace(struct bench_run *run, const struct memory_group *group,
			struct bench_child *target, const struct axis *axis, size_t size,
			double *values)
{
	struct bench_child tool = {0};
	char script[4096];
	int result;

	if (axis->is_of_cpus)
		return bench_missing(run, "its maps are of all possible CPUs, which are given");
	if (!axis->sites[size]) {
		bench_note(run, "bpftrace with %d probes is left out: minutes to attach them",
			   sizes[size]);
		return 0;
	}
	write_script(axis, size, script, sizeof(script));
	setenv("BPFTRACE_MAX_PROBES", "4096", 1);
	result = memory_group_enter(run, group);
	if (!result)
		result = bench_bpftrace_start(run, &tool, target->pid, script);
	unsetenv("BPFTRACE_MAX_PROBES");
	if (memory_group_leave(run, group) || result)
		return -1;
	result = look(run, group, target, tool.pid, axis, size, values);
	if (!result)
		result = bench_bpftrace_end(run, &tool);
	if (!result)
		result = check_count(run, axis, size, (double)bench_histogram_count(tool.text));
	bench_child_done(&tool);
	return result;
}

/* ---- sides ---- */

enum tool { PROBEKIT, BPFTRACE };

static int run_size(struct bench_run *run, const struct bench_side *side, size_t size,
		    double *values)
{
	const char *const argv[] = {bench_path(TARGET), NULL};
	struct bench_child target = {0};
	struct memory_group group;
	int result;

	if (memory_group_create(run, &group))
		return -1;
	result = bench_child_start(run, &target, argv);
	if (!result && side->variant == PROBEKIT)
		result = run_probekit(run, &group, &target, side->data, size, values);
	else if (!result)
		result = run_bpftrace(run, &group, &target, side->data, size, values);
	bench_child_done(&target);
	memory_group_remove(&group);
	return result;
}

/* Through the sizes that have a value. */
static double slope_of(const double *of_kind)
{
	double x[SIZES];
	double y[SIZES];
	size_t count = 0;

	for (size_t i = 0; i < SIZES; i++) {
		if (isnan(of_kind[i]))
			continue;
		x[count] = sizes[i];
		y[count++] = of_kind[i];
	}
	return count < 2 ? NAN : slope(x, y, count);
}

static int measure(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct axis *axis = side->data;

	for (size_t size = 0; size < SIZES; size++)
		if (run_size(run, side, size, values))
			return -1;
	/* no line fits CPUs: shards end at 16 */
	for (size_t kind = 0; kind < KINDS && !axis->is_of_cpus; kind++) {
		double *of_kind = values + kind * KIND_METRICS;

		of_kind[SIZES] = slope_of(of_kind) * 1024;
	}
	return 0;
}

static const struct bench_side sides[] = {
	{"probes, probekit", measure, PROBEKIT, &probes},
	{"probes, bpftrace", measure, BPFTRACE, &probes},
	{"threads in a span, probekit", measure, PROBEKIT, &threads},
	{"threads in a span, bpftrace", measure, BPFTRACE, &threads},
	{"keys, probekit", measure, PROBEKIT, &keys},
	{"keys, bpftrace", measure, BPFTRACE, &keys},
	{"CPUs (10 probes), probekit", measure, PROBEKIT, &cpus},
	{"CPUs (10 probes), bpftrace", measure, BPFTRACE, &cpus},
	{0},
};

#define RATIOS(of, most)                                                       \
	{of ", probekit", of ", bpftrace", .metric = "kernel, 1"},             \
		{of ", probekit", of ", bpftrace", .metric = "kernel, " most}, \
		{of ", probekit", of ", bpftrace", .metric = "user, 1"},       \
	{                                                                      \
		of ", probekit", of ", bpftrace", .metric = "user, " most      \
	}

static const struct bench_ratio ratios[] = {
	RATIOS("probes", "100"),
	RATIOS("threads in a span", "1000"),
	RATIOS("keys", "1000"),
	{0},
};

static int begin(struct bench_run *run)
{
	bench_note(run, "maps: what the kernel says of each map; kernel: all that it charges to "
			"the tool, the maps, programs and state of threads among it");
	bench_note(run, "user: resident set without mapped BPF maps; each: slope of a line "
			"through the sizes");
	return 0;
}

const struct bench_group bench_memory = {
	.name = "memory",
	.about = "memory of a tracer as probes, threads, keys and CPUs grow",
	.metrics = metrics,
	.sides = sides,
	.ratios = ratios,
	.rounds = 3,
	.budget_s = 600,
	.begin = begin,
};
