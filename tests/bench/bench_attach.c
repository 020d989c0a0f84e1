/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups attach and attach_100: 1 and 2,000 sites of one process, and 100. The bare system calls, with a
 * program that does nothing, are what the kernel takes; commands are measured from their start until all
 * is attached, and from Ctrl-C to their end.
 *
 * Perf events are closed one after the other, each after a grace period of the kernel. 100 take 12 s, which
 * have a group of their own: what follows such a rest is slow, so there each side attaches to one site before. 2,000
 * take minutes, and are left out.
 */
#include <linux/membarrier.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attach_sides.h"

#define MAX_ATTACHED 2000
#define END_TIMEOUT_MS 300000

struct size {
	size_t count;
	const char *names[4];  /* of the sites, for probekit */
	const char *functions; /* that hold them, for bpftrace */
	size_t attach, detach; /* the metrics */
	double share;	       /* of what it adds to them */
};

#define SITES_1 1, {"one", NULL}, "site_x_*"
#define SITES_100 100, {"one", "hundred", NULL}, "site_x*"
#define SITES_2000 2000, {"one", "hundred", "rest", NULL}, "site_*"
#define UNREPORTED (BENCH_MAX_METRICS - 1)

/* What a side measures; the last has no count. */
static const struct size one[] = {
	{SITES_1, 0, 2, 1},
	{0},
};
static const struct size one_and_2000[] = {
	{SITES_1, 0, 2, 1},
	{SITES_2000, 1, 3, 1},
	{0},
};
static const struct size hundred[] = {
	{SITES_1, UNREPORTED, UNREPORTED, 1},
	{SITES_100, 0, 1, 1},
	{0},
};
/* The mean of five, as rounds are few and it takes one grace period or two. */
static const struct size hundred_five_times[] = {
	{SITES_1, UNREPORTED, UNREPORTED, 1},
	{SITES_100, 0, 1, 0.2},
	{SITES_100, 0, 1, 0.2},
	{SITES_100, 0, 1, 0.2},
	{SITES_100, 0, 1, 0.2},
	{SITES_100, 0, 1, 0.2},
	{0},
};

enum kind {
	BY_PERF_EVENTS,
	BY_UPROBE_MULTI,
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

static void add(const struct size *size, double ms, double *value)
{
	*value = (isnan(*value) ? 0 : *value) + size->share * ms;
}

/* Whoever attaches soon after another did, or detached, is spared a grace period (rcu_sync_enter()). Two more, and
 * everybody waits for one. */
static void settle(void)
{
	for (int i = 0; i < 2; i++)
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
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
		      const struct sites *sites, const struct size *size, double *values)
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
	uint64_t start_ns;
	int fd;
	int result;

	settle();
	start_ns = bench_now_ns();
	result = use_multi ? attach_multi(program, &attached, &fd)
			   : attach_perf(program, &attached, &links);
	add(size, bench_ms_since(start_ns), &values[size->attach]);
	if (!result && use_multi)
		result = attach_links_add(&links, fd);
	start_ns = bench_now_ns();
	for (size_t i = 0; i < links.size; i++)
		close(links.fds[i]);
	add(size, bench_ms_since(start_ns), &values[size->detach]);
	free(links.fds);
	return result ? bench_fail(run, "cannot attach %zu sites: %s", sites->count,
				   strerror(-result))
		      : 0;
}

static int measure_raw(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct engine_options options = {
		.use_multi = side->variant == BY_UPROBE_MULTI,
		.probes = 1,
		.rows = 1,
		.sites = 1,
		.key_limit = 1,
	};
	static struct sites sites;
	struct probekit_error err;
	struct features features;
	struct engine *engine;
	struct object *object;
	int result = 0;

	features_detect(&features, NULL);
	if (side->variant == BY_UPROBE_MULTI && !features.has[FEATURE_UPROBE_MULTI_PID])
		return bench_missing(run, "the kernel has no uprobe_multi links for one process");
	if (object_open(target_path(), -1, &object, &err))
		return bench_fail(run, "%s", err.text);
	if (engine_new(&options, &engine, &err)) {
		object_free(object);
		return bench_fail(run, "%s", err.text);
	}
	for (const struct size *size = side->data; size->count && !result; size++) {
		choose_sites(object, size, &sites);
		result = sites.count != size->count
				 ? bench_fail(run, "the target has %zu sites, not %zu", sites.count,
					      size->count)
				 : attach_raw(run, engine, side->variant == BY_UPROBE_MULTI, &sites,
					      size, values);
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

	if (side->variant == BY_PERF_EVENTS)
		setenv("PROBEKIT_DISABLE_FEATURES", "uprobe_multi", 1);
	for (const struct size *size = side->data; size->count && !result; size++) {
		struct bench_child tool;
		uint64_t start_ns;

		settle();
		start_ns = bench_now_ns();
		result = start_probekit(run, &tool, size);
		add(size, bench_ms_since(start_ns), &values[size->attach]);
		if (result)
			continue;
		start_ns = bench_now_ns();
		if (bench_child_end(&tool, SIGINT, END_TIMEOUT_MS))
			result = bench_fail(run, "it ends badly: %s", bench_child_error(&tool));
		add(size, bench_ms_since(start_ns), &values[size->detach]);
		bench_child_done(&tool);
	}
	unsetenv("PROBEKIT_DISABLE_FEATURES");
	return result;
}

/* By the functions that hold the sites, as it refuses thousands of USDT sites of one name. */
static int measure_bpftrace(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct bench_child *target = bench_state(run);
	int result = 0;

	for (const struct size *size = side->data; size->count && !result; size++) {
		struct bench_child bpftrace;
		uint64_t start_ns;
		char script[4096];

		snprintf(script, sizeof(script), "uprobe:%s:%s { @ = count(); }", target_path(),
			 size->functions);
		settle();
		start_ns = bench_now_ns();
		result = bench_bpftrace_start(run, &bpftrace, target->pid, script);
		add(size, bench_ms_since(start_ns), &values[size->attach]);
		if (result)
			continue;
		start_ns = bench_now_ns();
		result = bench_bpftrace_end(run, &bpftrace);
		add(size, bench_ms_since(start_ns), &values[size->detach]);
		if (!result)
			bench_child_done(&bpftrace);
	}
	return result;
}

#define NOT_2000 \
	"perf events (all that this bpftrace knows) at 2,000 sites: left out, as detaching takes minutes"

static int begin_attach(struct bench_run *run)
{
	bench_note(run, NOT_2000);
	return begin(run);
}

#define RAW_MULTI "system calls, uprobe_multi"
#define RAW_PERF "system calls, perf events"
#define PROBEKIT_MULTI "probekit, uprobe_multi"
#define PROBEKIT_PERF "probekit, perf events"
#define BPFTRACE "bpftrace, uprobes"

static const struct bench_side sides[] = {
	{RAW_MULTI, measure_raw, BY_UPROBE_MULTI, one_and_2000},
	{RAW_PERF, measure_raw, BY_PERF_EVENTS, one},
	{PROBEKIT_MULTI, measure_probekit, BY_UPROBE_MULTI, one_and_2000},
	{PROBEKIT_PERF, measure_probekit, BY_PERF_EVENTS, one},
	{BPFTRACE, measure_bpftrace, BY_PERF_EVENTS, one},
	{0},
};

static const struct bench_side sides_100[] = {
	{RAW_MULTI, measure_raw, BY_UPROBE_MULTI, hundred_five_times},
	{RAW_PERF, measure_raw, BY_PERF_EVENTS, hundred},
	{PROBEKIT_MULTI, measure_probekit, BY_UPROBE_MULTI, hundred_five_times},
	{PROBEKIT_PERF, measure_probekit, BY_PERF_EVENTS, hundred},
	{BPFTRACE, measure_bpftrace, BY_PERF_EVENTS, hundred},
	{0},
};

static const struct bench_ratio ratios[] = {
	{PROBEKIT_MULTI, BPFTRACE, NULL, NULL, 0, false},
	{PROBEKIT_PERF, BPFTRACE, NULL, NULL, 0, false},
	{RAW_MULTI, RAW_PERF, NULL, NULL, 0, false},
	{0},
};

/* How long bare system calls attach is a matter of grace periods, which few rounds do not average out. */
static const struct bench_ratio ratios_100[] = {
	{PROBEKIT_MULTI, BPFTRACE, NULL, NULL, 0, false},
	{PROBEKIT_PERF, BPFTRACE, NULL, NULL, 0, false},
	{RAW_MULTI, RAW_PERF, NULL, "detach 100", 0, false},
	{0},
};

static const struct bench_metric metrics[] = {
	{"attach 1", "ms"}, {"attach 2000", "ms"}, {"detach 1", "ms"}, {"detach 2000", "ms"}, {0},
};

static const struct bench_metric metrics_100[] = {
	{"attach 100", "ms"},
	{"detach 100", "ms"},
	{0},
};

const struct bench_group bench_attach = {
	.name = "attach",
	.about = "attaching to 1 and 2,000 sites of one process, and detaching",
	.metrics = metrics,
	.sides = sides,
	.ratios = ratios,
	.budget_s = 300,
	.begin = begin_attach,
	.end = end,
};

const struct bench_group bench_attach_100 = {
	.name = "attach_100",
	.about = "attaching to 100 sites of one process, and detaching",
	.metrics = metrics_100,
	.sides = sides_100,
	.ratios = ratios_100,
	.rounds = 8,
	.budget_s = 420, /* a round takes 40 */
	.begin = begin,
	.end = end,
};
