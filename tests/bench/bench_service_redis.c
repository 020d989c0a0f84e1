/* SPDX-License-Identifier: BSD-2-Clause */
/* redis as Debian builds it, under redis-benchmark. It has no USDT; commands are one function. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "bench_service.h"

#define REQUESTS "60000"
#define TIMEOUT_MS 60000

static int start(struct bench_run *run, struct server *server)
{
	const char *const path = bench_find_tool("redis-server");
	const char *const scratch = bench_scratch(run);
	const char *const argv[] = {path,	   "--port", "0",     "--unixsocket",
				    server->place, "--save", "",      "--appendonly",
				    "no",	   "--dir",  scratch, NULL};

	if (!path || !bench_find_tool("redis-benchmark"))
		return bench_missing(run, "redis-server and redis-tools are not installed");
	if (!scratch)
		return -1;
	snprintf(server->object, sizeof(server->object), "%s", path);
	snprintf(server->place, sizeof(server->place), "%s/redis.sock", scratch);
	if (bench_child_start(run, &server->child, argv))
		return -1;
	if (!bench_child_wait(&server->child, "ready to accept connections", TIMEOUT_MS)) {
		bench_fail(run, "redis-server does not start: %s",
			   bench_child_error(&server->child));
		bench_child_done(&server->child);
		return -1;
	}
	return 0;
}

static void stop(struct server *server)
{
	bench_child_end(&server->child, SIGTERM, TIMEOUT_MS);
	bench_child_done(&server->child);
}

/* A line of its table: "GET","85763.29",... */
static int load(struct bench_run *run, struct server *server, struct load *load)
{
	const char *const argv[] = {bench_find_tool("redis-benchmark"),
				    "-s",
				    server->place,
				    "-t",
				    "get",
				    "-n",
				    REQUESTS,
				    "-c",
				    "50",
				    "--csv",
				    NULL};
	struct bench_child tool = {0};
	int status = bench_child_run(run, &tool, argv, TIMEOUT_MS);
	const char *line = tool.text ? strstr(tool.text, "\"GET\",") : NULL;
	int result = 0;

	if (status != 0 || !line || sscanf(line, "\"GET\",\"%lf\"", &load->per_s) != 1)
		result = bench_fail(run, "redis-benchmark has failed (%d): %s", status,
				    bench_child_error(&tool));
	sscanf(REQUESTS, "%lf", &load->requests);
	bench_child_done(&tool);
	return result;
}

static const struct traced_span spans[] = {
	{.name = "request", .begin = "processCommand"},
	{0},
};

const struct service service_redis = {
	.name = "redis",
	.start = start,
	.stop = stop,
	.load = load,
	.spans = spans,
	.probekit_options = {"-f", "processCommand", "--force"},
	.probekit_name = "processCommand",
};
