/* SPDX-License-Identifier: BSD-2-Clause */
/* PostgreSQL as Debian builds it, under pgbench: short selects over a local socket. */
#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench_service.h"

#define USER "postgres" /* the server refuses to run as root */
/* More clients than CPUs, so that none idles: waking an idle one can cost more than a query. */
#define CLIENTS "16"
#define THREADS "4"
#define TRANSACTIONS "2000" /* of each client */
#define TIMEOUT_MS 60000
#define PATH_MAX_BYTES 512

/* Debian keeps each major version in a folder of its own; the newest. */
static bool find_folder(char folder[static PATH_MAX_BYTES])
{
	glob_t found;

	*folder = 0;
	if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found))
		return false;
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (strverscmp(found.gl_pathv[i], folder) > 0)
			snprintf(folder, PATH_MAX_BYTES, "%s", found.gl_pathv[i]);
	globfree(&found);
	return *folder;
}

static const char *tool(const char *folder, const char *name)
{
	char path[PATH_MAX_BYTES + 32];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return bench_find_tool(path);
}

static int run_tool(struct bench_run *run, const char *user, const char *const argv[],
		    struct bench_child *child)
{
	int status = -1;

	if (bench_child_start_as(run, child, user, argv) == 0)
		status = bench_child_end(child, 0, TIMEOUT_MS);
	if (status == 0)
		return 0;
	bench_fail(run, "%s has failed (%d): %s", argv[0], status, bench_child_error(child));
	return -1;
}

static int create_database(struct bench_run *run, const char *folder, const char *data)
{
	const char *const argv[] = {
		tool(folder, "initdb"), "-D", data, "-A", "trust", "-N", "-U", USER, NULL};
	struct bench_child child = {0};
	int result = run_tool(run, USER, argv, &child);

	bench_child_done(&child);
	return result;
}

static int fill_database(struct bench_run *run, const struct server *server, const char *folder)
{
	const char *const argv[] = {
		tool(folder, "pgbench"), "-h", server->place, "-U", USER, "-i", "-q", USER, NULL};
	struct bench_child child = {0};
	int result = run_tool(run, NULL, argv, &child);

	bench_child_done(&child);
	return result;
}

/*
 * It says that it is ready on stderr, hence the shell. In an IPC namespace of its own the System V
 * segment that it holds on to goes with its last process, even after a SIGKILL. No memory is left
 * in /dev/shm either.
 */
static int start_server(struct bench_run *run, struct server *server, const char *data)
{
	const char *const argv[] = {"sh",
				    "-c",
				    "exec unshare --ipc setpriv --reuid " USER " --regid " USER
				    " --init-groups --pdeathsig KILL \"$@\" 2>&1",
				    "sh",
				    server->object,
				    "-D",
				    data,
				    "-k",
				    server->place,
				    "-c",
				    "listen_addresses=",
				    "-c",
				    "dynamic_shared_memory_type=mmap",
				    "-c",
				    "fsync=off",
				    "-c",
				    "autovacuum=off",
				    NULL};

	if (bench_child_start(run, &server->child, argv))
		return -1;
	if (bench_child_wait(&server->child, "ready to accept connections", TIMEOUT_MS))
		return 0;
	bench_fail(run, "postgres does not start: %s",
		   server->child.text ? server->child.text : "it says nothing");
	bench_child_done(&server->child);
	return -1;
}

static void stop(struct server *server)
{
	/* SIGINT: ends its clients, then itself */
	bench_child_end(&server->child, SIGINT, TIMEOUT_MS);
	bench_child_done(&server->child);
}

/* Serves a client, or has ended and awaits the server's wait(): then it has no command line. */
static bool is_backend(int pid)
{
	char text[PATH_MAX_BYTES];
	FILE *file;
	size_t size;

	snprintf(text, sizeof(text), "/proc/%d/cmdline", pid);
	file = fopen(text, "re");
	if (!file)
		return false;
	size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = 0;
	return !size || strstr(text, "[local]");
}

static bool has_backends(const struct server *server)
{
	char path[64];
	bool found = false;
	FILE *file;
	int pid;

	snprintf(path, sizeof(path), "/proc/%1$d/task/%1$d/children", server->child.pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fscanf(file, "%d", &pid) == 1)
		found = is_backend(pid);
	fclose(file);
	return found;
}

/* The CPU time of a process that served counts once it has ended. */
static int await_backends(struct bench_run *run, const struct server *server)
{
	uint64_t until = bench_now_ns() + TIMEOUT_MS * 1000000ull;

	while (has_backends(server)) {
		if (bench_now_ns() > until)
			return bench_fail(run, "a postgres backend does not end");
		poll(NULL, 0, 1);
	}
	return 0;
}

static int make_place(struct bench_run *run, struct server *server)
{
	const char *scratch = bench_scratch(run);
	const struct passwd *user = getpwnam(USER);

	if (!scratch)
		return -1;
	if (!user)
		return bench_missing(run, "there is no user " USER);
	snprintf(server->place, sizeof(server->place), "%s/%s", scratch, server->service->name);
	if ((mkdir(server->place, 0755) && errno != EEXIST) ||
	    chown(server->place, user->pw_uid, user->pw_gid))
		return bench_fail(run, "cannot create '%s'", server->place);
	return 0;
}

/* Its processes are found by their file: a copy, so that no other server here is measured too. */
static int copy_server(struct bench_run *run, struct server *server, const char *folder)
{
	const char *const argv[] = {"cp", tool(folder, "postgres"), server->object, NULL};
	struct bench_child child = {0};
	int result;

	snprintf(server->object, sizeof(server->object), "%.400s/postgres", server->place);
	result = run_tool(run, NULL, argv, &child);
	bench_child_done(&child);
	return result;
}

static int start(struct bench_run *run, struct server *server)
{
	char folder[PATH_MAX_BYTES];
	char data[PATH_MAX_BYTES + 8];

	if (!find_folder(folder) || !tool(folder, "postgres"))
		return bench_missing(run, "postgresql is not installed");
	if (!tool(folder, "pgbench"))
		return bench_missing(run, "postgresql-contrib (pgbench) is not installed");
	if (make_place(run, server) || copy_server(run, server, folder))
		return -1;
	snprintf(data, sizeof(data), "%s/data", server->place);
	if (create_database(run, folder, data) || start_server(run, server, data))
		return -1;
	if (fill_database(run, server, folder) || await_backends(run, server)) {
		stop(server);
		return -1;
	}
	return 0;
}

static int load(struct bench_run *run, struct server *server, struct load *load)
{
	char folder[PATH_MAX_BYTES];
	const char *const argv[] = {find_folder(folder) ? tool(folder, "pgbench") : NULL,
				    "-h",
				    server->place,
				    "-U",
				    USER,
				    "-n",
				    "-S",
				    "-M",
				    "simple",
				    "-c",
				    CLIENTS,
				    "-j",
				    THREADS,
				    "-t",
				    TRANSACTIONS,
				    USER,
				    NULL};
	struct bench_child child = {0};
	const char *processed;
	const char *tps;
	int result = run_tool(run, NULL, argv, &child);

	processed = result ? NULL : strstr(child.text, "actually processed: ");
	tps = result ? NULL : strstr(child.text, "tps = ");
	if (!result && (!processed || !tps ||
			sscanf(processed, "actually processed: %lf", &load->requests) != 1 ||
			sscanf(tps, "tps = %lf", &load->per_s) != 1))
		result = bench_fail(run, "pgbench prints no throughput");
	bench_child_done(&child);
	return result ? result : await_backends(run, server);
}

static const struct traced_span spans[] = {
	{"query", "postgresql", "query__start", "query__done"},
	{0},
};

const struct service service_postgresql = {
	.name = "PostgreSQL",
	.start = start,
	.stop = stop,
	.load = load,
	.is_traced_by_path = true,
	.spans = spans,
	.probekit_options = {"-u", "postgresql:query__start,query__done"},
	.probekit_name = "postgresql:query__start,query__done",
};

/* The same by a function, as services without probes are measured. */
static const struct traced_span functions[] = {
	{.name = "query", .begin = "pg_parse_query"},
	{0},
};

const struct service service_postgresql_function = {
	.name = "PostgreSQL-f",
	.start = start,
	.stop = stop,
	.load = load,
	.is_traced_by_path = true,
	.spans = functions,
	.probekit_options = {"-f", "pg_parse_query", "--force"},
	.probekit_name = "pg_parse_query",
};
