/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Group attach_functions: entry and return of 100 and 2,000 functions of PostgreSQL, as Debian builds
 * it, from the command's start until all is attached, and from Ctrl-C to its end. The server runs.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_service.h"
#include "elf_file.h"

#define END_TIMEOUT_MS 600000
#define SIZE_COUNT 2
#define MAX_GLOBS 4

static const struct bench_metric metrics[] = {
	{"attach 100", "ms"},
	{"attach 2000", "ms"},
	{"detach 100", "ms"},
	{"detach 2000", "ms"},
	{"both 2000", "ms"},
	{"functions", "of 2000"},
	{0},
};
#define BOTH (2 * SIZE_COUNT)
#define FUNCTIONS (BOTH + 1)

/* What bpftrace can say, too. */
static const char *const globs[SIZE_COUNT][MAX_GLOBS + 1] = {
	{"has_*", NULL},
	{"p*", "s*", "t*", NULL},
};

static int begin(struct bench_run *run)
{
	struct server *server = calloc(1, sizeof(*server));

	bench_set_state(run, server);
	if (!server)
		return bench_fail(run, "no memory");
	server->service = &service_postgresql;
	return service_postgresql.start(run, server);
}

static void end(struct bench_run *run)
{
	struct server *server = bench_state(run);

	if (server && server->child.pid > 0)
		service_postgresql.stop(server);
	free(server);
}

/* ---- probekit ---- */

static int start_probekit(struct bench_run *run, const char *object, size_t size, const char *file,
			  struct bench_child *tool)
{
	const char *arguments[8 + 2 * MAX_GLOBS] = {"latency", "--force", "-o", file, object};
	size_t count = 5;

	for (size_t i = 0; globs[size][i]; i++) {
		arguments[count++] = "-f";
		arguments[count++] = globs[size][i];
	}
	return bench_probekit_start(run, tool, arguments);
}

/* Functions in a snapshot file; 0 when it cannot be read. */
static double count_functions(const char *path)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	size_t size;

	if (probekit_snapshot_read(path, &snapshot, &err))
		return 0;
	size = probekit_snapshot_size(snapshot);
	probekit_snapshot_free(snapshot);
	return (double)size;
}

static int measure_probekit(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct server *server = bench_state(run);
	const char *scratch = bench_scratch(run);
	char file[512];
	int result = scratch ? 0 : -1;

	(void)side;
	snprintf(file, sizeof(file), "%s/snapshot", scratch ? scratch : ".");
	for (size_t size = 0; size < SIZE_COUNT && !result; size++) {
		struct bench_child tool;
		uint64_t start_ns = bench_now_ns();

		result = start_probekit(run, server->object, size, file, &tool);
		values[size] = bench_ms_since(start_ns);
		if (result)
			continue;
		start_ns = bench_now_ns();
		if (bench_child_end(&tool, SIGINT, END_TIMEOUT_MS))
			result = bench_fail(run, "it ends badly: %s", bench_child_error(&tool));
		values[SIZE_COUNT + size] = bench_ms_since(start_ns);
		bench_child_done(&tool);
	}
	values[BOTH] = values[SIZE_COUNT - 1] + values[BOTH - 1];
	if (!result)
		values[FUNCTIONS] = count_functions(file);
	return result;
}

/* ---- bpftrace ---- */

/* Only newer ones attach all at once; perf events are closed one after the other, each after a grace
 * period of the kernel: 4,000 of them take minutes. */
static bool attaches_at_once(struct bench_run *run)
{
	const char *const argv[] = {bench_find_tool("bpftrace"), "--info", NULL};
	struct bench_child tool = {0};
	bool is_so;

	if (!argv[0])
		return false;
	bench_child_run(run, &tool, argv, 60000);
	is_so = tool.text && strstr(tool.text, "uprobe_multi: yes");
	bench_child_done(&tool);
	return is_so;
}

static void write_script(const char *object, size_t size, char *script, size_t bytes)
{
	FILE *to = fmemopen(script, bytes, "w");

	if (!to)
		return;
	for (int is_return = 0; is_return < 2; is_return++) {
		for (size_t i = 0; globs[size][i]; i++)
			fprintf(to, "%s%s:%s:%s", i ? "," : "", is_return ? "uretprobe" : "uprobe",
				object, globs[size][i]);
		fprintf(to, " { @%s = count(); } ", is_return ? "returns" : "entries");
	}
	fclose(to);
}

static int measure_bpftrace(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct server *server = bench_state(run);
	size_t sizes = attaches_at_once(run) ? SIZE_COUNT : 1;
	int result = 0;

	(void)side;
	if (sizes < SIZE_COUNT)
		bench_note(run, "2,000 functions by this bpftrace, which knows perf events alone: "
				"left out, as detaching takes the kernel minutes");
	setenv("BPFTRACE_MAX_PROBES", "8192", 1);
	setenv("BPFTRACE_MAX_BPF_PROGS", "8192", 1);
	for (size_t size = 0; size < sizes && !result; size++) {
		struct bench_child bpftrace;
		uint64_t start_ns;
		char script[8192] = "";

		write_script(server->object, size, script, sizeof(script));
		start_ns = bench_now_ns();
		result = bench_bpftrace_start(run, &bpftrace, 0, script);
		values[size] = bench_ms_since(start_ns);
		if (result)
			continue;
		start_ns = bench_now_ns();
		result = bench_bpftrace_end(run, &bpftrace);
		values[SIZE_COUNT + size] = bench_ms_since(start_ns);
		if (!result)
			bench_child_done(&bpftrace);
	}
	if (sizes == SIZE_COUNT)
		values[BOTH] = values[SIZE_COUNT - 1] + values[BOTH - 1];
	unsetenv("BPFTRACE_MAX_PROBES");
	unsetenv("BPFTRACE_MAX_BPF_PROGS");
	return result;
}

static const struct bench_side sides[] = {
	{"probekit", measure_probekit, 0, NULL},
	{"bpftrace", measure_bpftrace, 0, NULL},
	{0},
};

static const struct bench_ratio ratios[] = {
	{"probekit", "bpftrace", NULL, "attach 100", 0, false},
	{"probekit", "bpftrace", NULL, "detach 100", 1, false},
	{"probekit", "bpftrace", NULL, "attach 2000", 1, false},
	{"probekit", "bpftrace", NULL, "detach 2000", 1, false},
	{"probekit", "bpftrace", NULL, "both 2000", 1, false},
	{0},
};

const struct bench_group bench_attach_functions = {
	.name = "attach_functions",
	.about =
		"attaching to entry and return of 100 and 2,000 functions of PostgreSQL, and detaching",
	.metrics = metrics,
	.sides = sides,
	.ratios = ratios,
	.rounds = 3, /* of a minute, for perf events' sake */
	.begin = begin,
	.end = end,
};
