/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Group attach: 1, 100 and 2,000 sites of one process. The bare system calls, with a program that
 * does nothing, are what the kernel takes; commands are measured from their start until all is
 * attached, and from Ctrl-C to their end.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach_sides.h"

#define SIZE_COUNT 3
#define MAX_ATTACHED 2000
/* Perf events are closed one after the other, each after a grace period of the kernel: detaching
 * 2,000 sites takes minutes, too long for rounds. */
#define PERF_SIZE_COUNT 2
#define END_TIMEOUT_MS 300000

static const struct bench_metric metrics[] = {
	{"attach 1", "ms"},
	{"attach 100", "ms"},
	{"attach 2000", "ms"},
	{"detach 1", "ms"},
	{"detach 100", "ms"},
	{"detach 2000", "ms"},
	{0},
};

/* The names of the sites that are the first 1, 100 and 2,000. */
static const struct size {
	size_t count;
	const char *names[4];
} sizes[SIZE_COUNT] = {
	{1, {"one", NULL}},
	{100, {"one", "hundred", NULL}},
	{2000, {"one", "hundred", "rest", NULL}},
};

static const char *target_path(void)
{
	return bench_path("tests/bench/target_many");
}

static int begin(struct bench_run *run)
{
	struct bench_child *target = calloc(1, sizeof(*target));
	const char *const argv[] = {target_path(), NULL};

	bench_set_state(run, target);
	if (!target)
		return bench_fail(run, "no memory");
	if (bench_child_start(run, target, argv))
		return -1;
	return bench_child_line(target, 60000) ? 0 : bench_fail(run, "the target does not start");
}

static void end(struct bench_run *run)
{
	struct bench_child *target = bench_state(run);

	if (target)
		bench_child_done(target);
	free(target);
}

static double ms_since(uint64_t start_ns)
{
	return (double)(bench_now_ns() - start_ns) * 1e-6;
}

/* `variant` of a side is whether it attaches by uprobe_multi. */
static size_t size_count(const struct bench_side *side)
{
	return side->variant ? SIZE_COUNT : PERF_SIZE_COUNT;
}

/* ---- the system calls ---- */

struct sites {
	uint64_t offsets[MAX_ATTACHED];
	uint64_t semaphores[MAX_ATTACHED];
	uint64_t cookies[MAX_ATTACHED];
	size_t count;
};

static bool is_among(const struct size *size, const char *site)
{
	for (size_t i = 0; size->names[i]; i++)
		if (strncmp(site, size->names[i], strlen(size->names[i])) == 0)
			return true;
	return false;
}

static void choose_sites(const struct object *object, const struct size *size, struct sites *sites)
{
	*sites = (struct sites){0};
	for (size_t i = 0; i < object->sites.size && sites->count < MAX_ATTACHED; i++) {
		const struct sdt_site *site = &object->sites.sites[i];

		if (!is_among(size, site->name))
			continue;
		sites->offsets[sites->count] = site->offset;
		sites->semaphores[sites->count++] = site->semaphore_offset;
	}
}

static int attach_raw(struct bench_run *run, const struct engine *engine, bool use_multi,
		      const struct sites *sites, size_t size, double *values)
{
	const struct bench_child *target = bench_state(run);
	const struct attach_sites attached = {
		.path = target_path(),
		.count = sites->count,
		.offsets = sites->offsets,
		.semaphore_offsets = sites->semaphores,
		.cookies = sites->cookies,
		.pid = target->pid,
	};
	int program = engine_program_fd(engine, PROGRAM_COUNT_HIT);
	struct attach_links links = {0};
	uint64_t start_ns = bench_now_ns();
	int fd;
	int result = use_multi ? attach_multi(program, &attached, &fd)
			       : attach_perf(program, &attached, &links);

	values[size] = ms_since(start_ns);
	if (!result && use_multi)
		result = attach_links_add(&links, fd);
	start_ns = bench_now_ns();
	for (size_t i = 0; i < links.size; i++)
		close(links.fds[i]);
	values[SIZE_COUNT + size] = ms_since(start_ns);
	free(links.fds);
	return result ? bench_fail(run, "cannot attach %zu sites: %s", sites->count,
				   strerror(-result))
		      : 0;
}

static int measure_raw(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct engine_options options = {
		.use_multi = side->variant, .probes = 1, .rows = 1, .sites = 1, .key_limit = 1};
	static struct sites sites;
	struct probekit_error err;
	struct features features;
	struct engine *engine;
	struct object *object;
	int result = 0;

	features_detect(&features, NULL);
	if (side->variant && !features.has[FEATURE_UPROBE_MULTI_PID])
		return bench_missing(run, "the kernel has no uprobe_multi links for one process");
	if (object_open(target_path(), -1, &object, &err))
		return bench_fail(run, "%s", err.text);
	if (engine_new(&options, &engine, &err)) {
		object_free(object);
		return bench_fail(run, "%s", err.text);
	}
	for (size_t i = 0; i < size_count(side) && !result; i++) {
		choose_sites(object, &sizes[i], &sites);
		result = sites.count != sizes[i].count
				 ? bench_fail(run, "the target has %zu sites, not %zu", sites.count,
					      sizes[i].count)
				 : attach_raw(run, engine, side->variant, &sites, i, values);
	}
	engine_free(engine);
	object_free(object);
	return result;
}

/* ---- commands ---- */

static int start_probekit(struct bench_run *run, struct bench_child *tool, const struct size *size)
{
	const struct bench_child *target = bench_state(run);
	char pid[16];
	char globs[3][32];
	const char *arguments[16] = {"latency", "-p", pid};
	size_t count = 3;

	snprintf(pid, sizeof(pid), "%d", target->pid);
	for (size_t i = 0; size->names[i]; i++) {
		snprintf(globs[i], sizeof(globs[i]), "many:%s", size->names[i]);
		arguments[count++] = "-s";
		arguments[count++] = globs[i];
	}
	return bench_probekit_start(run, tool, arguments);
}

static int measure_probekit(struct bench_run *run, const struct bench_side *side, double *values)
{
	int result = 0;

	if (!side->variant)
		setenv("PROBEKIT_DISABLE_FEATURES", "uprobe_multi", 1);
	for (size_t i = 0; i < size_count(side) && !result; i++) {
		struct bench_child tool;
		uint64_t start_ns = bench_now_ns();

		result = start_probekit(run, &tool, &sizes[i]);
		values[i] = ms_since(start_ns);
		if (result)
			continue;
		start_ns = bench_now_ns();
		if (bench_child_end(&tool, SIGINT, END_TIMEOUT_MS))
			result = bench_fail(run, "it ends badly: %s", bench_child_error(&tool));
		values[SIZE_COUNT + i] = ms_since(start_ns);
		bench_child_done(&tool);
	}
	unsetenv("PROBEKIT_DISABLE_FEATURES");
	return result;
}

/* By the functions that hold the sites, as it refuses thousands of USDT sites of one name. */
static int measure_bpftrace(struct bench_run *run, const struct bench_side *side, double *values)
{
	static const char *const functions[SIZE_COUNT] = {"site_x_*", "site_x*", "site_*"};
	const struct bench_child *target = bench_state(run);
	int result = 0;

	bench_note(run, "perf events (all that this bpftrace knows) at 2,000 sites: left out, as "
			"detaching takes the kernel minutes");
	setenv("BPFTRACE_MAX_PROBES", "4096", 1);
	for (size_t i = 0; i < size_count(side) && !result; i++) {
		struct bench_child bpftrace;
		uint64_t start_ns;
		char script[4096];

		snprintf(script, sizeof(script), "uprobe:%s:%s { @ = count(); }", target_path(),
			 functions[i]);
		start_ns = bench_now_ns();
		result = bench_bpftrace_start(run, &bpftrace, target->pid, script);
		values[i] = ms_since(start_ns);
		if (result)
			continue;
		start_ns = bench_now_ns();
		result = bench_bpftrace_end(run, &bpftrace);
		values[SIZE_COUNT + i] = ms_since(start_ns);
		if (!result)
			bench_child_done(&bpftrace);
	}
	unsetenv("BPFTRACE_MAX_PROBES");
	return result;
}

static const struct bench_side sides[] = {
	{"system calls, uprobe_multi", measure_raw, 1, NULL},
	{"system calls, perf events", measure_raw, 0, NULL},
	{"probekit, uprobe_multi", measure_probekit, 1, NULL},
	{"probekit, perf events", measure_probekit, 0, NULL},
	{"bpftrace, uprobes", measure_bpftrace, 0, NULL},
	{0},
};

static const struct bench_ratio ratios[] = {
	{"probekit, uprobe_multi", "bpftrace, uprobes", NULL, NULL, 0, false},
	{"probekit, perf events", "bpftrace, uprobes", NULL, NULL, 0, false},
	{"system calls, uprobe_multi", "system calls, perf events", NULL, NULL, 0, false},
	{0},
};

const struct bench_group bench_attach = {
	.name = "attach",
	.about = "attaching to 1, 100 and 2,000 sites of one process, and detaching",
	.metrics = metrics,
	.sides = sides,
	.ratios = ratios,
	.rounds = 5, /* of half a minute and more, for perf events' sake */
	.begin = begin,
	.end = end,
};
