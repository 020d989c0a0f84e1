/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what stands beside the figures: the machine, how busy it was, and the versions of what was
 * measured. */
#include "report.h"

#include <math.h>
#include <probekit/probekit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* First line that a command prints, or "". Not for anything that is timed. */
static void first_line(const char *command, char *line, size_t size)
{
	FILE *pipe = popen(command, "re");

	line[0] = 0;
	if (!pipe)
		return;
	if (fgets(line, (int)size, pipe))
		line[strcspn(line, "\n")] = 0;
	else
		line[0] = 0;
	while (fgetc(pipe) != EOF)
		;
	pclose(pipe);
}

static double read_load(void)
{
	double load[1];

	return getloadavg(load, 1) == 1 ? load[0] : 0;
}

void bench_environment_read(struct bench_environment *environment)
{
	struct utsname name;
	time_t now = time(NULL);
	struct tm utc;

	*environment = (struct bench_environment){0};
	environment_init(&environment->machine);
	strftime(environment->started, sizeof(environment->started), "%Y-%m-%dT%H:%M:%SZ",
		 gmtime_r(&now, &utc));
	if (uname(&name) == 0)
		snprintf(environment->architecture, sizeof(environment->architecture), "%.31s",
			 name.machine);
	if (environment_read(0, &environment->machine))
		fputs("bench: no memory to say what machine this is\n", stderr);
	environment_ticks(&environment->ticks);
	first_line("git -C '" BENCH_SOURCE "' -c safe.directory='*' describe --always --dirty "
		   "2>/dev/null",
		   environment->revision, sizeof(environment->revision));
}

void bench_environment_done(struct bench_environment *environment)
{
	environment_done(&environment->machine);
}

static double steal_share(const struct bench_environment *environment)
{
	struct cpu_ticks ticks;
	double share;

	environment_ticks(&ticks);
	share = environment_steal(&environment->ticks, &ticks);
	return isnan(share) ? 0 : share;
}

static const char *or_unknown(const char *text)
{
	return text ? text : "unknown";
}

/* Programs that are compared with, and how they tell their versions. */
static const struct {
	const char *name;
	const char *tool;
	const char *question;
} peers[] = {
	{"bpftrace", "bpftrace", "bpftrace --version"},
	{"libbpf-tools", "/usr/sbin/funclatency:bpf-funclatency:funclatency",
	 "dpkg-query -W -f '${Version}' libbpf-tools 2>/dev/null"},
	{"perf", "perf", "perf --version 2>/dev/null"},
	{"redis", "redis-server", "redis-server --version"},
	{"postgresql", "pgbench:/usr/lib/postgresql/15/bin/pgbench",
	 "dpkg-query -W -f '${Version}' postgresql 2>/dev/null"},
};

static void peer_version(size_t i, char *version, size_t size)
{
	if (!bench_find_tool(peers[i].tool)) {
		snprintf(version, size, "not installed");
		return;
	}
	first_line(peers[i].question, version, size);
	if (!*version)
		snprintf(version, size, "of unknown version");
}

void bench_environment_print(const struct bench_environment *environment, FILE *to)
{
	fprintf(to, "probekit %s%s%s, kernel %s %s, %u cores of %s, load %.1f\npeers: ",
		probekit_version(), *environment->revision ? " at " : "", environment->revision,
		or_unknown(environment->machine.kernel), environment->architecture,
		environment->machine.cpus, or_unknown(environment->machine.cpu_model),
		environment->machine.load);
	for (size_t i = 0; i < sizeof(peers) / sizeof(*peers); i++) {
		char version[256];

		peer_version(i, version, sizeof(version));
		fprintf(to, "%s%s (%s)", i ? ", " : "", peers[i].name, version);
	}
	fprintf(to, "\n\n");
	fflush(to);
}

json_t *bench_environment_json(const struct bench_environment *environment)
{
	json_t *versions = json_object();

	for (size_t i = 0; i < sizeof(peers) / sizeof(*peers); i++) {
		char version[256];

		peer_version(i, version, sizeof(version));
		json_object_set_new(versions, peers[i].name,
				    bench_find_tool(peers[i].tool) ? json_string(version)
								   : json_null());
	}
	return json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:f, s:o}", "kernel",
			 or_unknown(environment->machine.kernel), "architecture",
			 environment->architecture, "cpu",
			 or_unknown(environment->machine.cpu_model), "cores",
			 (json_int_t)environment->machine.cpus, "load_before",
			 environment->machine.load, "load_after", read_load(), "steal_share",
			 steal_share(environment), "peers", versions);
}
