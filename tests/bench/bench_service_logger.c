/* SPDX-License-Identifier: BSD-2-Clause */
/* The logger of examples/, buffered so that the disk does not decide, under its own load tool. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "bench_service.h"

#define TIMEOUT_MS 60000

static int start(struct bench_run *run, struct server *server)
{
	const char *const scratch = bench_scratch(run);
	char log[600];
	const char *const argv[] = {bench_path("examples/logger"), "--buffered", "--log", log,
				    NULL};
	const char *line;
	const char *port;

	if (!scratch)
		return -1;
	snprintf(server->object, sizeof(server->object), "%s", argv[0]);
	snprintf(log, sizeof(log), "%s/log", scratch);
	if (bench_child_start(run, &server->child, argv))
		return -1;
	line = bench_child_wait(&server->child, "listening on", TIMEOUT_MS);
	port = line ? strrchr(line, ':') : NULL;
	if (!port) {
		bench_fail(run, "logger does not start: %s", bench_child_error(&server->child));
		bench_child_done(&server->child);
		return -1;
	}
	snprintf(server->place, sizeof(server->place), "%s", port + 1);
	return 0;
}

static void stop(struct server *server)
{
	bench_child_end(&server->child, SIGTERM, TIMEOUT_MS);
	bench_child_done(&server->child);
}

static int load(struct bench_run *run, struct server *server, struct load *load)
{
	const char *const argv[] = {bench_path("examples/logger-load"),
				    "--port",
				    server->place,
				    "--rate",
				    "0",
				    "--connections",
				    "16",
				    "--duration",
				    "1",
				    NULL};
	struct bench_child tool = {0};
	int status = bench_child_run(run, &tool, argv, TIMEOUT_MS);
	int result = 0;

	if (status != 0 || !tool.text ||
	    sscanf(tool.text, "%lf requests in %*f s: %lf", &load->requests, &load->per_s) != 2)
		result = bench_fail(run, "logger-load has failed (%d): %s", status,
				    bench_child_error(&tool));
	bench_child_done(&tool);
	return result;
}

static const struct traced_span spans[] = {
	{"request", "logger", "request__begin", "request__end"},
	{"append", "logger", "append__begin", "append__end"},
	{"lock", "logger", "lock__begin", "lock__end"},
	{"flush", "logger", "flush__begin", "flush__end"},
	{0},
};

const struct service service_logger = {
	.name = "logger",
	.start = start,
	.stop = stop,
	.load = load,
	.spans = spans,
	.probekit_options = {"-s", "logger:*"},
	.probekit_name = "logger:request",
};
