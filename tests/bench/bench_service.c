/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What measuring costs a service: throughput under its load tool, and the CPU time it takes per
 * request, with a tracer and without, in turns on the same server. A tracer must have seen every
 * request that the load tool counted; one that did not has no figure.
 */
#include "bench_service.h"

#include <math.h>
#include <probekit/probekit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOOL_TIMEOUT_MS 60000

enum metric { THROUGHPUT, CPU, COUNTED };

static const struct bench_metric metrics[] = {
	[THROUGHPUT] = {"throughput", "requests/s"},
	[CPU] = {"CPU of the server", "us/request"},
	[COUNTED] = {"counted", "of the requests"},
	{0},
};

static const struct service *const services[] = {
	&service_redis, &service_postgresql, &service_postgresql_function,
	&service_nginx, &service_logger,
};
#define SERVICES (sizeof(services) / sizeof(services[0]))

enum tracer { NOTHING, EMPTY, PROBEKIT, BPFTRACE };

/* ---- one measurement ---- */

/* CPU time that the server and its children that have ended took so far; NAN when unreadable. */
static double cpu_s(const struct server *server)
{
	char path[64];
	unsigned long ticks[4];
	double sum = 0;
	FILE *file;
	int found;

	snprintf(path, sizeof(path), "/proc/%d/stat", server->child.pid);
	file = fopen(path, "re");
	if (!file)
		return NAN;
	/* utime, stime, cutime, cstime: fields 14 to 17 */
	found = fscanf(file,
		       "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu",
		       &ticks[0], &ticks[1], &ticks[2], &ticks[3]);
	fclose(file);
	for (int i = 0; i < found; i++)
		sum += (double)ticks[i] / (double)sysconf(_SC_CLK_TCK);
	return found == 4 ? sum : NAN;
}

static int run_load(struct bench_run *run, struct server *server, struct load *load, double *values)
{
	double before_s = cpu_s(server);

	if (server->service->load(run, server, load))
		return -1;
	values[THROUGHPUT] = load->per_s;
	values[CPU] = (cpu_s(server) - before_s) * 1e6 / load->requests;
	return 0;
}

/* Load tools ask a few questions of their own as well. */
static int check_count(struct bench_run *run, const struct load *load, double counted,
		       double *values)
{
	values[COUNTED] = counted / load->requests;
	/* so that NAN fails as well */
	if (counted >= load->requests * 0.999 && counted <= load->requests * 1.001 + 100)
		return 0;
	return bench_fail(run, "counted %.0f of %.0f requests", counted, load->requests);
}

/* ---- tracers ---- */

static int measure_empty(struct bench_run *run, struct server *server, double *values)
{
	const struct traced_span *spans = server->service->spans;
	struct service_empty empty;
	struct load load;
	int64_t runs;

	if (service_empty_attach(run, &empty, server))
		return -1;
	if (run_load(run, server, &load, values)) {
		service_empty_detach(&empty);
		return -1;
	}
	runs = service_empty_runs(&empty);
	service_empty_detach(&empty);
	if (runs < 0)
		return bench_fail(run, "cannot read the counting program's map");
	if (!spans[1].name)
		return check_count(run, &load, (double)runs / 2, values);
	/* its runs are those of several spans */
	if ((double)runs < 2 * load.requests)
		return bench_fail(run, "ran %.0f times in %.0f requests", (double)runs,
				  load.requests);
	return 0;
}

static void write_script(const struct server *server, char *script, size_t size)
{
	FILE *to = fmemopen(script, size, "w");

	if (!to)
		return;
	for (const struct traced_span *span = server->service->spans; span->name; span++) {
		if (span->provider)
			fprintf(to, "usdt:%s:%s:%s { @s_%s[tid] = nsecs; } usdt:%s:%s:%s ",
				server->object, span->provider, span->begin, span->name,
				server->object, span->provider, span->end);
		else
			fprintf(to, "uprobe:%s:%s { @s_%s[tid] = nsecs; } uretprobe:%s:%s ",
				server->object, span->begin, span->name, server->object,
				span->begin);
		fprintf(to, "/@s_%s[tid]/ { @%s = hist(nsecs - @s_%s[tid]); delete(@s_%s[tid]); } ",
			span->name, span->name, span->name, span->name);
	}
	fclose(to);
}

/* Of the map "@NAME:": lines such as "[1K, 2K)   148633 |@@@|" up to the next map. */
static double histogram_count(const char *text, const char *name)
{
	char heading[64];
	double sum = 0;
	double count;

	snprintf(heading, sizeof(heading), "@%s:", name);
	text = text ? strstr(text, heading) : NULL;
	while (text && (text = strchr(text, '\n')) && *++text != '@')
		if (sscanf(text, "[%*[^)]) %lf", &count) == 1)
			sum += count;
	return sum;
}

static int measure_bpftrace(struct bench_run *run, struct server *server, double *values)
{
	const struct service *service = server->service;
	struct bench_child tool = {0};
	struct load load;
	char script[8192];
	int result;

	write_script(server, script, sizeof(script));
	if (bench_bpftrace_start(run, &tool, service->is_traced_by_path ? 0 : server->child.pid,
				 script))
		return -1;
	result = run_load(run, server, &load, values);
	if (!result)
		result = bench_bpftrace_end(run, &tool);
	if (!result)
		result = check_count(run, &load, histogram_count(tool.text, service->spans->name),
				     values);
	bench_child_done(&tool);
	return result;
}

/* Of the service's request in a snapshot file; NAN where it is not. */
static double snapshot_count(const char *path, const char *name)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	double count = NAN;

	if (probekit_snapshot_read(path, &snapshot, &err))
		return NAN;
	for (size_t i = 0; i < probekit_snapshot_size(snapshot); i++) {
		const struct probekit_probe *probe = probekit_snapshot_probe(snapshot, i);

		if (strcmp(probe->name, name) == 0 && !probe->has_key)
			count = (double)probe->count;
	}
	probekit_snapshot_free(snapshot);
	return count;
}

static int start_probekit(struct bench_run *run, const struct server *server, const char *snapshot,
			  struct bench_child *tool)
{
	const struct service *service = server->service;
	const char *arguments[10] = {"latency", "-o", snapshot};
	size_t count = 3;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", server->child.pid);
	for (size_t i = 0; i < 4 && service->probekit_options[i]; i++)
		arguments[count++] = service->probekit_options[i];
	if (!service->is_traced_by_path)
		arguments[count++] = "-p";
	arguments[count++] = service->is_traced_by_path ? server->object : pid;
	return bench_probekit_start(run, tool, arguments);
}

static int measure_probekit(struct bench_run *run, struct server *server, double *values)
{
	const char *scratch = bench_scratch(run);
	struct bench_child tool = {0};
	struct load load;
	char snapshot[512];
	int result;

	snprintf(snapshot, sizeof(snapshot), "%s/snapshot", scratch ? scratch : ".");
	if (!scratch || start_probekit(run, server, snapshot, &tool))
		return -1;
	result = run_load(run, server, &load, values);
	if (!result && bench_child_end(&tool, SIGINT, TOOL_TIMEOUT_MS) != 0)
		result = bench_fail(run, "probekit has failed: %s", bench_child_error(&tool));
	if (!result)
		result = check_count(run, &load,
				     snapshot_count(snapshot, server->service->probekit_name),
				     values);
	unlink(snapshot);
	bench_child_done(&tool);
	return result;
}

/* ---- sides ---- */

static int measure_nothing(struct bench_run *run, struct server *server, double *values)
{
	struct load load;

	return run_load(run, server, &load, values);
}

/* Starts it for its first side. One that dies later has been killed by what measured it. */
static int require_server(struct bench_run *run, struct server *server)
{
	siginfo_t end = {0};

	if (server->child.pid <= 0)
		return server->service->start(run, server);
	waitid(P_PID, (id_t)server->child.pid, &end, WEXITED | WNOHANG | WNOWAIT);
	if (end.si_pid == 0)
		return 0;
	return bench_fail(run, "%s has died: %s %d", server->service->name,
			  end.si_code == CLD_EXITED ? "status" : "signal", end.si_status);
}

static int measure(struct bench_run *run, const struct bench_side *side, double *values)
{
	static int (*const by_tracer[])(struct bench_run *, struct server *, double *) = {
		[NOTHING] = measure_nothing,
		[EMPTY] = measure_empty,
		[PROBEKIT] = measure_probekit,
		[BPFTRACE] = measure_bpftrace,
	};
	struct server *servers = bench_state(run);

	for (size_t i = 0; i < SERVICES; i++) {
		struct server *server = &servers[i];

		if (services[i] != side->data)
			continue;
		server->service = services[i];
		return require_server(run, server) ? -1
						   : by_tracer[side->variant](run, server, values);
	}
	return bench_fail(run, "no such service");
}

#define SIDES(title, service)                                          \
	{title ", not measured", measure, NOTHING, &(service)},        \
		{title ", empty program", measure, EMPTY, &(service)}, \
		{title ", probekit", measure, PROBEKIT, &(service)},   \
	{                                                              \
		title ", bpftrace", measure, BPFTRACE, &(service)      \
	}
#define RATIOS(title, metric_name)                                                     \
	{title ", empty program", title ", not measured", .metric = (metric_name)},    \
		{title ", probekit", title ", not measured", .metric = (metric_name)}, \
		{title ", bpftrace", title ", not measured", .metric = (metric_name)}, \
	{                                                                              \
		title ", probekit", title ", bpftrace", .metric = (metric_name)        \
	}

static const struct bench_side sides[] = {
	SIDES("redis", service_redis),
	SIDES("PostgreSQL", service_postgresql),
	SIDES("PostgreSQL -f", service_postgresql_function),
	SIDES("nginx", service_nginx),
	SIDES("logger", service_logger),
	{0},
};

static const struct bench_ratio ratios[] = {
	RATIOS("redis", "throughput"),
	RATIOS("redis", "CPU of the server"),
	RATIOS("PostgreSQL", "throughput"),
	RATIOS("PostgreSQL", "CPU of the server"),
	RATIOS("PostgreSQL -f", "throughput"),
	RATIOS("PostgreSQL -f", "CPU of the server"),
	RATIOS("nginx", "throughput"),
	RATIOS("nginx", "CPU of the server"),
	RATIOS("logger", "throughput"),
	RATIOS("logger", "CPU of the server"),
	{0},
};

/* ---- the group ---- */

static int begin(struct bench_run *run)
{
	struct server *servers = calloc(SERVICES, sizeof(*servers));

	if (!servers)
		return bench_fail(run, "no memory");
	bench_set_state(run, servers);
	return 0;
}

static void end(struct bench_run *run)
{
	struct server *servers = bench_state(run);

	for (size_t i = 0; servers && i < SERVICES; i++)
		if (servers[i].child.pid > 0)
			services[i]->stop(&servers[i]);
	free(servers);
}

const struct bench_group bench_service = {
	.name = "service",
	.about = "servers under their own load tools while they are measured",
	.metrics = metrics,
	.sides = sides,
	.ratios = ratios,
	.budget_s = 600,
	.begin = begin,
	.end = end,
};
