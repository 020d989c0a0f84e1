/* SPDX-License-Identifier: BSD-2-Clause */
/* Services as Debian builds them, without symbols but those they export, under their own load tools:
 * calls of their functions are as many as they count themselves. */
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define POSTGRES_BIN "/usr/lib/postgresql/15/bin/"
#define POSTGRES POSTGRES_BIN "postgres"
#define NGINX "/usr/sbin/nginx"

/* Not in a fixture, which cannot skip. The package of the first that lacks is named. */
static void require(const char *const tools[][2])
{
	support_require_tracing();
	for (size_t i = 0; tools[i][0]; i++) {
		if (!support_find_tool(tools[i][0])) {
			print_message("skipped: needs package %s\n", tools[i][1]);
			skip();
		}
	}
	if (geteuid() != 0) {
		print_message("skipped: needs root, to start services\n");
		skip();
	}
}

/* ---- probekit ---- */

static void measure(struct support_child *probekit, const char *target, const char *value,
		    const char *const *functions)
{
	const char *words[SUPPORT_MAX_WORDS] = {support_probekit(), "latency",	   "--json", "-v",
						"--force",	    "--slow-over", "20us"};
	size_t count = 7;

	if (target)
		words[count++] = target;
	words[count++] = value;
	for (size_t i = 0; functions[i]; i++) {
		assert_true(count + 3 < SUPPORT_MAX_WORDS);
		words[count++] = "-f";
		words[count++] = functions[i];
	}
	support_start(probekit, NULL, words);
	support_wait_measuring(probekit);
}

static json_t *end_measuring(struct support_child *probekit)
{
	json_t *snapshot = support_end_measuring(probekit);

	support_done(probekit);
	return snapshot;
}

static int64_t count_of(json_t *snapshot, const char *function)
{
	json_t *row = support_row(snapshot, function);
	json_t *lost = json_object_get(row, "lost");

	assert_string_equal(json_string_value(json_object_get(row, "kind")), "function");
	assert_int_equal(support_integer(lost, "unmatched_end"), 0);
	assert_int_equal(support_integer(lost, "abandoned"), 0);
	return support_integer(row, "count");
}

static int64_t time_in(json_t *row, const char *class)
{
	return support_integer(json_object_get(row, "time_ns"), class);
}

/* The disk is what the calls wait for, and is named among the causes; how long they waited for a CPU is
 * this machine's affair. */
static void check_disk(json_t *snapshot, const char *function)
{
	static const char *const others[] = {"lock", "network", "ipc",	   "io",   "sleep",
					     "poll", "memory",	"stopped", "other"};
	json_t *row = support_row(snapshot, function);
	int64_t disk = time_in(row, "disk");
	bool is_named = false;
	json_t *cause;
	size_t i;

	json_array_foreach (json_object_get(row, "causes"), i, cause)
		is_named |= strcmp(json_string_value(json_object_get(cause, "class")), "disk") == 0;
	print_message("%s: %lld ms in disk, %lld ms on-CPU, %lld ms in run queues\n", function,
		      (long long)disk / 1000000, (long long)time_in(row, "oncpu") / 1000000,
		      (long long)time_in(row, "runqueue") / 1000000);
	assert_true(disk > 0);
	for (i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_true(time_in(row, others[i]) < disk);
	assert_true(is_named);
}

/* Every name is listed by `probekit list -f`, with what a call of it costs. */
static void check_listed(const char *path, const char *glob, const char *const *names)
{
	struct support_child child;
	json_t *list;
	json_t *entries;

	support_run(&child, NULL, support_probekit(), "list", "--json", "-f", glob, path, NULL);
	if (child.status)
		fail_msg("list -f: %s", child.err.text);
	list = support_json(child.out.text);
	entries = json_object_get(list, "entries");
	for (size_t i = 0; names[i]; i++) {
		json_t *entry = NULL;
		size_t at;

		json_array_foreach (entries, at, entry)
			if (strcmp(json_string_value(json_object_get(entry, "name")), names[i]) ==
			    0)
				break;
		if (!entry || at == json_array_size(entries))
			fail_msg("not listed: %s", names[i]);
		assert_string_equal(json_string_value(json_object_get(entry, "kind")), "function");
		assert_non_null(json_string_value(json_object_get(entry, "cost")));
	}
	json_decref(list);
	support_done(&child);
}

/* ---- redis ---- */

struct redis {
	char *folder;
	char *socket;
	struct support_child server;
};

static void start_redis(struct redis *redis)
{
	static const char *const tools[][2] = {{"/usr/bin/redis-server", "redis-server"},
					       {"/usr/bin/redis-benchmark", "redis-tools"},
					       {NULL, NULL}};

	require(tools);
	redis->folder = support_new_folder();
	redis->socket = support_join(redis->folder, "socket");
	support_start(&redis->server, NULL,
		      (const char *const[]){"/usr/bin/redis-server", "--port", "0", "--unixsocket",
					    redis->socket, "--dir", redis->folder, "--save", "",
					    "--appendonly", "yes", "--appendfsync", "always",
					    NULL});
	if (!support_wait_text(&redis->server, &redis->server.out, "ready to accept connections"))
		fail_msg("redis: %s", redis->server.out.text);
}

static void end_redis(struct redis *redis)
{
	assert_int_equal(kill(redis->server.pid, SIGTERM), 0);
	assert_int_equal(support_finish(&redis->server), 0);
	support_done(&redis->server);
	free(redis->socket);
	support_remove_folder(redis->folder);
}

/* How many commands it has processed, without the one that asks. */
static int64_t commands_of(const struct redis *redis)
{
	static const char said[] = "total_commands_processed:";
	struct support_child child;
	const char *number;
	int64_t count;

	support_run(&child, NULL, "redis-cli", "-s", redis->socket, "info", "stats", NULL);
	number = strstr(child.out.text, said);
	if (child.status || !number)
		fail_msg("redis-cli: %s%s", child.out.text, child.err.text);
	count = strtoll(number + strlen(said), NULL, 10);
	support_done(&child);
	return count;
}

static void load_redis(const struct redis *redis)
{
	struct support_child child;
	char requests[24];

	snprintf(requests, sizeof(requests), "%lu", support_scaled(2000));
	support_run(&child, NULL, "redis-benchmark", "-s", redis->socket, "-t", "set,get,lpush",
		    "-c", "4", "-n", requests, "-q", NULL);
	if (child.status)
		fail_msg("redis-benchmark: %s%s", child.out.text, child.err.text);
	support_done(&child);
}

static void commands_of_redis_are_as_many_as_it_counts(void **state)
{
	static const char *const functions[] = {"processCommand",      "call",
						"flushAppendOnlyFile", "libc:fdatasync",
						"libc:fsync",	       NULL};
	struct support_child probekit;
	struct redis redis;
	json_t *snapshot;
	char pid[16];
	int64_t before;
	int64_t commands;

	(void)state;
	start_redis(&redis);
	snprintf(pid, sizeof(pid), "%d", (int)redis.server.pid);
	measure(&probekit, "-p", pid, functions);
	before = commands_of(&redis);
	load_redis(&redis);
	commands = commands_of(&redis) - before + 1; /* the last asks, too */
	snapshot = end_measuring(&probekit);
	print_message("%lld commands\n", (long long)commands);
	assert_true(commands >= (int64_t)(3 * support_scaled(2000)));
	assert_int_equal(count_of(snapshot, "processCommand"), commands);
	assert_int_equal(count_of(snapshot, "call"), commands);
	assert_true(count_of(snapshot, "fdatasync") > 0);
	check_disk(snapshot, "fdatasync");
	check_disk(snapshot, "flushAppendOnlyFile");
	json_decref(snapshot);
	end_redis(&redis);
}

/* ---- PostgreSQL ---- */

struct cluster {
	char *folder;
	char *data;
	struct support_child server;
};

/* It refuses root. */
static void become_owner(void *arg)
{
	const struct passwd *owner = arg;

	if (setgroups(0, NULL) || setgid(owner->pw_gid) || setuid(owner->pw_uid))
		_exit(124);
}

static void start_cluster(struct cluster *cluster)
{
	static const char *const tools[][2] = {{POSTGRES, "postgresql"},
					       {POSTGRES_BIN "pgbench", "postgresql-contrib"},
					       {NULL, NULL}};
	struct passwd *owner = getpwnam("postgres");
	struct support_how how = {.prepare = become_owner, .arg = owner, .folder = "/"};
	struct support_child child;

	require(tools);
	assert_non_null(owner);
	cluster->folder = support_new_folder();
	cluster->data = support_join(cluster->folder, "data");
	assert_int_equal(chown(cluster->folder, owner->pw_uid, owner->pw_gid), 0);
	support_run(&child, &how, POSTGRES_BIN "initdb", "-D", cluster->data, "-A", "trust", "-N",
		    "--no-locale", NULL);
	if (child.status)
		fail_msg("initdb: %s", child.err.text);
	support_done(&child);
	support_start(&cluster->server, &how,
		      (const char *const[]){POSTGRES, "-D", cluster->data, "-k", cluster->folder,
					    "-c", "listen_addresses=", "-c", "autovacuum=off",
					    NULL});
	if (!support_wait_text(&cluster->server, &cluster->server.err,
			       "ready to accept connections"))
		fail_msg("postgres: %s", cluster->server.err.text);
}

static void end_cluster(struct cluster *cluster)
{
	support_interrupt(&cluster->server);
	support_done(&cluster->server);
	free(cluster->data);
	support_remove_folder(cluster->folder);
}

static void fill(const struct cluster *cluster)
{
	struct support_child child;

	support_run(&child, NULL, POSTGRES_BIN "pgbench", "-h", cluster->folder, "-U", "postgres",
		    "-i", "-q", "postgres", NULL);
	if (child.status)
		fail_msg("pgbench -i: %s%s", child.out.text, child.err.text);
	support_done(&child);
}

/* Each transaction is five statements and an update that must reach the disk. */
static void load_cluster(const struct cluster *cluster)
{
	struct support_child child;
	char transactions[24];

	snprintf(transactions, sizeof(transactions), "%lu", support_scaled(500));
	support_run(&child, NULL, POSTGRES_BIN "pgbench", "-h", cluster->folder, "-U", "postgres",
		    "-n", "-N", "-M", "simple", "-c", "4", "-t", transactions, "postgres", NULL);
	if (child.status)
		fail_msg("pgbench: %s%s", child.out.text, child.err.text);
	support_done(&child);
}

/* The probes that its authors have put into the same functions count along. */
static void queries_of_postgresql_are_as_many_as_its_own_probes_count(void **state)
{
	static const char *const functions[] = {"pg_parse_query", "XLogFlush", "pg_fdatasync",
						NULL};
	struct support_child probekit;
	struct support_child own;
	struct cluster cluster;
	json_t *snapshot;
	json_t *truth;
	int64_t queries;

	(void)state;
	start_cluster(&cluster);
	fill(&cluster);
	support_start(
		&own, NULL,
		(const char *const[]){support_probekit(), "latency", "--json", "-v", POSTGRES, "-u",
				      "postgresql:query__parse__start,query__parse__done", NULL});
	support_wait_measuring(&own);
	measure(&probekit, NULL, POSTGRES, functions);
	load_cluster(&cluster);
	snapshot = end_measuring(&probekit);
	truth = end_measuring(&own);
	queries = support_integer(
		support_row(truth, "postgresql:query__parse__start,query__parse__done"), "count");
	print_message("%lld queries\n", (long long)queries);
	assert_true(queries >= (int64_t)(4 * 5 * support_scaled(500)));
	assert_int_equal(count_of(snapshot, "pg_parse_query"), queries);
	assert_true(count_of(snapshot, "pg_fdatasync") > 0);
	check_disk(snapshot, "pg_fdatasync");
	json_decref(truth);
	json_decref(snapshot);
	end_cluster(&cluster);
}

/* ---- nginx ---- */

struct nginx {
	char *folder;
	char *log;
	char url[64];
	struct support_child server;
};

static int free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    getsockname(fd, (struct sockaddr *)&address, &size))
		fail_msg("no port: %s", strerror(errno));
	close(fd);
	return ntohs(address.sin_port);
}

static char *write_configuration(const struct nginx *nginx, int port)
{
	char *path = support_join(nginx->folder, "nginx.conf");
	char text[2048];

	snprintf(text, sizeof(text),
		 "daemon off;\nworker_processes 2;\npid %s/pid;\nerror_log stderr notice;\n"
		 "events { worker_connections 64; }\n"
		 "http {\n access_log %s;\n client_body_temp_path %s;\n proxy_temp_path %s;\n"
		 " fastcgi_temp_path %s;\n uwsgi_temp_path %s;\n scgi_temp_path %s;\n"
		 " server { listen 127.0.0.1:%d; location / { return 200 'as ordered'; } }\n}\n",
		 nginx->folder, nginx->log, nginx->folder, nginx->folder, nginx->folder,
		 nginx->folder, nginx->folder, port);
	support_write_file(path, text, strlen(text));
	return path;
}

static void start_nginx(struct nginx *nginx)
{
	static const char *const tools[][2] = {
		{NGINX, "nginx-light"}, {"/usr/bin/ab", "apache2-utils"}, {NULL, NULL}};
	int port;
	char *configuration;

	require(tools);
	port = free_port();
	nginx->folder = support_new_folder();
	nginx->log = support_join(nginx->folder, "log");
	snprintf(nginx->url, sizeof(nginx->url), "http://127.0.0.1:%d/", port);
	configuration = write_configuration(nginx, port);
	support_start(&nginx->server, NULL,
		      (const char *const[]){NGINX, "-p", nginx->folder, "-c", configuration, "-g",
					    "user root;", NULL});
	if (!support_wait_text(&nginx->server, &nginx->server.err, "start worker processes"))
		fail_msg("nginx: %s", nginx->server.err.text);
	free(configuration);
}

static void end_nginx(struct nginx *nginx)
{
	assert_int_equal(kill(nginx->server.pid, SIGTERM), 0);
	assert_int_equal(support_finish(&nginx->server), 0);
	support_done(&nginx->server);
	free(nginx->log);
	support_remove_folder(nginx->folder);
}

static void run_ab(const struct nginx *nginx, unsigned long requests)
{
	struct support_child child;
	char number[24];

	snprintf(number, sizeof(number), "%lu", requests);
	support_run(&child, NULL, "/usr/bin/ab", "-q", "-k", "-c", "4", "-n", number, nginx->url,
		    NULL);
	if (child.status)
		fail_msg("ab: %s%s", child.out.text, child.err.text);
	support_done(&child);
}

static void requests_of_nginx_are_as_many_as_it_logs(void **state)
{
	static const char *const functions[] = {"ngx_http_process_request", "ngx_http_handler",
						NULL};
	static const char *const listed[] = {"ngx_http_process_request", "ngx_http_handler", NULL};
	unsigned long requests = support_scaled(5000);
	struct support_child probekit;
	struct nginx nginx;
	json_t *snapshot;
	int64_t logged;
	size_t size;
	char *log;

	(void)state;
	start_nginx(&nginx);
	measure(&probekit, NULL, NGINX, functions);
	run_ab(&nginx, requests);
	snapshot = end_measuring(&probekit);
	log = support_read_file(nginx.log, &size);
	logged = (int64_t)support_count_lines(log);
	print_message("%lld requests\n", (long long)logged);
	assert_true(logged >= (int64_t)requests);
	assert_int_equal(count_of(snapshot, "ngx_http_process_request"), logged);
	assert_int_equal(count_of(snapshot, "ngx_http_handler"), logged);
	free(log);
	json_decref(snapshot);
	end_nginx(&nginx);
	check_listed(NGINX, "ngx_http_*", listed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_of_redis_are_as_many_as_it_counts),
		cmocka_unit_test(queries_of_postgresql_are_as_many_as_its_own_probes_count),
		cmocka_unit_test(requests_of_nginx_are_as_many_as_it_logs),
	};

	return cmocka_run_group_tests_name("functions of services", tests, NULL, NULL);
}
