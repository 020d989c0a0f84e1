/* SPDX-License-Identifier: BSD-2-Clause */
/* nginx as Debian builds it, one process, under ab. It has no USDT; requests are one function. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_service.h"

#define REQUESTS "30000"
#define TIMEOUT_MS 60000

/* Of a free port, which is as good as kept: few others start servers on this machine. */
static int find_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int port = -1;

	if (fd < 0)
		return -1;
	if (!bind(fd, (struct sockaddr *)&address, sizeof(address)) &&
	    !getsockname(fd, (struct sockaddr *)&address, &size))
		port = ntohs(address.sin_port);
	close(fd);
	return port;
}

static int write_configuration(const char *path, const char *folder, int port)
{
	static const char *const temporary[] = {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"};
	FILE *file = fopen(path, "we");

	if (!file)
		return -1;
	fprintf(file,
		"daemon off;\nmaster_process off;\npid %s/pid;\nerror_log stderr;\n"
		"events { worker_connections 256; }\nhttp {\naccess_log off;\n"
		"keepalive_requests 1000000;\n",
		folder);
	for (size_t i = 0; i < sizeof(temporary) / sizeof(*temporary); i++)
		fprintf(file, "%s_temp_path %s;\n", temporary[i], folder);
	fprintf(file,
		"server { listen 127.0.0.1:%d; location / { return 200 'as ordered'; } }\n}\n",
		port);
	return fclose(file);
}

/* It says nothing when it listens. */
static int await_listening(struct bench_run *run, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	uint64_t until = bench_now_ns() + TIMEOUT_MS * 1000000ull;
	int result = -1;

	while (result && bench_now_ns() < until) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		result = connect(fd, (struct sockaddr *)&address, sizeof(address));
		close(fd);
		if (result)
			usleep(10000);
	}
	return result ? bench_fail(run, "nginx does not listen") : 0;
}

static int start(struct bench_run *run, struct server *server)
{
	const char *const path = bench_find_tool("nginx");
	const char *const scratch = bench_scratch(run);
	char configuration[512];
	const char *const argv[] = {path, "-p", scratch, "-c", configuration, NULL};
	int port = find_port();

	if (!path || !bench_find_tool("ab"))
		return bench_missing(run, "nginx-light and apache2-utils are not installed");
	if (!scratch)
		return -1;
	snprintf(server->object, sizeof(server->object), "%s", path);
	snprintf(server->place, sizeof(server->place), "http://127.0.0.1:%d/", port);
	snprintf(configuration, sizeof(configuration), "%s/nginx.conf", scratch);
	if (port < 0 || write_configuration(configuration, scratch, port))
		return bench_fail(run, "cannot write '%s'", configuration);
	if (bench_child_start(run, &server->child, argv))
		return -1;
	if (await_listening(run, port)) {
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

static int load(struct bench_run *run, struct server *server, struct load *load)
{
	const char *const argv[] = {bench_find_tool("ab"), "-q", "-k", "-c", "16", "-n", REQUESTS,
				    server->place,	   NULL};
	struct bench_child tool = {0};
	int status = bench_child_run(run, &tool, argv, TIMEOUT_MS);
	const char *complete = tool.text ? strstr(tool.text, "Complete requests:") : NULL;
	const char *rate = tool.text ? strstr(tool.text, "Requests per second:") : NULL;
	int result = 0;

	if (status != 0 || !complete || !rate ||
	    sscanf(complete, "Complete requests: %lf", &load->requests) != 1 ||
	    sscanf(rate, "Requests per second: %lf", &load->per_s) != 1)
		result =
			bench_fail(run, "ab has failed (%d): %s", status, bench_child_error(&tool));
	bench_child_done(&tool);
	return result;
}

static const struct traced_span spans[] = {
	{.name = "request", .begin = "ngx_http_process_request"},
	{0},
};

const struct service service_nginx = {
	.name = "nginx",
	.start = start,
	.stop = stop,
	.load = load,
	.spans = spans,
	.probekit_options = {"-f", "ngx_http_process_request", "--force"},
	.probekit_name = "ngx_http_process_request",
};
