/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what stands beside the figures: the machine, how busy it was, and the versions of what was
 * measured. */
#include "report.h"

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

static void read_cpu(char *name, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[512];

	snprintf(name, size, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		const char *value = strchr(line, ':');

		if (strncmp(line, "model name", strlen("model name")) != 0 || !value)
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(name, size, "%s", value + 2);
		break;
	}
	if (file)
		fclose(file);
}

static double read_load(void)
{
	double load[1];

	return getloadavg(load, 1) == 1 ? load[0] : 0;
}

/* The first line of /proc/stat: user nice system idle iowait irq softirq steal ... */
static void read_ticks(double *steal, double *total)
{
	FILE *file = fopen("/proc/stat", "re");
	double ticks[8] = {0};

	*steal = *total = 0;
	if (!file)
		return;
	if (fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &ticks[0], &ticks[1], &ticks[2],
		   &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]) == 8)
		for (int i = 0; i < 8; i++)
			*total += ticks[i];
	*steal = ticks[7];
	fclose(file);
}

void bench_environment_read(struct environment *environment)
{
	struct utsname name;
	time_t now = time(NULL);
	struct tm utc;

	*environment = (struct environment){.cores = sysconf(_SC_NPROCESSORS_ONLN)};
	strftime(environment->started, sizeof(environment->started), "%Y-%m-%dT%H:%M:%SZ",
		 gmtime_r(&now, &utc));
	if (uname(&name) == 0) {
		snprintf(environment->kernel, sizeof(environment->kernel), "%s", name.release);
		snprintf(environment->architecture, sizeof(environment->architecture), "%.31s",
			 name.machine);
	}
	read_cpu(environment->cpu, sizeof(environment->cpu));
	environment->load = read_load();
	read_ticks(&environment->steal_ticks, &environment->total_ticks);
	first_line("git -C '" BENCH_SOURCE "' -c safe.directory='*' describe --always --dirty "
		   "2>/dev/null",
		   environment->revision, sizeof(environment->revision));
}

static double steal_share(const struct environment *environment)
{
	double steal;
	double total;

	read_ticks(&steal, &total);
	total -= environment->total_ticks;
	return total > 0 ? (steal - environment->steal_ticks) / total : 0;
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

void environment_print(const struct environment *environment, FILE *to)
{
	fprintf(to, "probekit %s%s%s, kernel %s %s, %ld cores of %s, load %.1f\npeers: ",
		probekit_version(), *environment->revision ? " at " : "", environment->revision,
		environment->kernel, environment->architecture, environment->cores,
		environment->cpu, environment->load);
	for (size_t i = 0; i < sizeof(peers) / sizeof(*peers); i++) {
		char version[256];

		peer_version(i, version, sizeof(version));
		fprintf(to, "%s%s (%s)", i ? ", " : "", peers[i].name, version);
	}
	fprintf(to, "\n\n");
	fflush(to);
}

json_t *environment_json(const struct environment *environment)
{
	json_t *versions = json_object();

	for (size_t i = 0; i < sizeof(peers) / sizeof(*peers); i++) {
		char version[256];

		peer_version(i, version, sizeof(version));
		json_object_set_new(versions, peers[i].name,
				    bench_find_tool(peers[i].tool) ? json_string(version)
								   : json_null());
	}
	return json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:f, s:o}", "kernel", environment->kernel,
			 "architecture", environment->architecture, "cpu", environment->cpu,
			 "cores", (json_int_t)environment->cores, "load_before", environment->load,
			 "load_after", read_load(), "steal_share", steal_share(environment),
			 "peers", versions);
}
