/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the command line: which groups run, how long, and where the figures go. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <probekit/probekit.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "report.h"

enum {
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_UNAVAILABLE = 3,
};

struct command_line {
	struct bench_options options;
	const char *json_path;
	char **names; /* of groups; none: all that are not on demand */
	size_t name_count;
};

static void print_usage(FILE *to)
{
	fputs("usage: bench [--rounds N] [--budget SECONDS] [--json FILE] [GROUP...]\n"
	      "       bench --list\n"
	      "  --rounds N         at least N rounds (2 to 256)\n"
	      "  --budget SECONDS   a group ends after this long even if its figures are not precise\n"
	      "  --json FILE        the figures, every round's, as JSON\n"
	      "  --list             the groups\n",
	      to);
}

static void print_list(void)
{
	for (size_t i = 0; bench_groups[i]; i++)
		printf("%-10s %s%s\n", bench_groups[i]->name, bench_groups[i]->about,
		       bench_groups[i]->is_on_demand ? " (only when named)" : "");
}

static const struct bench_group *find_group(const char *name)
{
	for (size_t i = 0; bench_groups[i]; i++)
		if (strcmp(bench_groups[i]->name, name) == 0)
			return bench_groups[i];
	return NULL;
}

static bool parse_number(const char *text, double low, double high, double *number)
{
	char *end;

	*number = strtod(text, &end);
	return end != text && !*end && *number >= low && *number <= high;
}

/* The exit status, or -1 to go on. */
static int parse(int argc, char **argv, struct command_line *line)
{
	static const struct option options[] = {
		{"rounds", required_argument, NULL, 'r'}, {"budget", required_argument, NULL, 'b'},
		{"json", required_argument, NULL, 'j'},	  {"list", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},	  {0},
	};
	double number;
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'r' && parse_number(optarg, 2, BENCH_MAX_ROUNDS, &number)) {
			line->options.rounds = (size_t)number;
		} else if (option == 'b' && parse_number(optarg, 0.001, 1e6, &number)) {
			line->options.budget_s = number;
		} else if (option == 'j') {
			line->json_path = optarg;
		} else if (option == 'l') {
			print_list();
			return 0;
		} else {
			print_usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : EXIT_USAGE;
		}
	}
	line->names = argv + optind;
	line->name_count = (size_t)(argc - optind);
	for (size_t i = 0; i < line->name_count; i++)
		if (!find_group(line->names[i])) {
			fprintf(stderr, "bench: no group '%s'; --list names them\n",
				line->names[i]);
			return EXIT_USAGE;
		}
	return -1;
}

static bool is_asked_for(const struct command_line *line, const struct bench_group *group)
{
	for (size_t i = 0; i < line->name_count; i++)
		if (strcmp(line->names[i], group->name) == 0)
			return true;
	return line->name_count == 0 && !group->is_on_demand;
}

/* Others shall disturb us as little as possible, the same for every side; and a perf event for each
 * of thousands of sites is a file. What is refused is done without. */
static void raise_limits(void)
{
	struct rlimit files;

	setpriority(PRIO_PROCESS, 0, -15);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* ---- signals ---- */

/* A thread, so that cleaning up may take its time and every call is allowed. */
static void *await_signal(void *arg)
{
	int signal;

	sigwait(arg, &signal);
	children_kill();
	scratch_remove();
	_exit(128 + signal);
}

static int watch_signals(void)
{
	static sigset_t signals;
	pthread_t thread;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	return pthread_create(&thread, NULL, await_signal, &signals) || pthread_detach(thread);
}

/* ---- output ---- */

/* Complete or not there: a reader never sees half of it. */
static int write_json(const json_t *report, const char *path)
{
	char *text = json_dumps(report, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	char *temporary = NULL;
	FILE *file = NULL;
	int fd = -1;
	int result = -1;

	if (text && asprintf(&temporary, "%s.XXXXXX", path) >= 0)
		fd = mkostemp(temporary, O_CLOEXEC);
	if (fd >= 0)
		file = fdopen(fd, "w");
	if (file) {
		result = fchmod(fd, 0644) || fputs(text, file) < 0 || fputc('\n', file) < 0;
		result = fclose(file) || result || rename(temporary, path);
	}
	if (result) {
		fprintf(stderr, "bench: cannot write '%s': %s\n", path, strerror(errno));
		if (fd >= 0)
			unlink(temporary);
	}
	free(temporary);
	free(text);
	return result ? -1 : 0;
}

static json_t *new_report(const struct bench_environment *environment)
{
	return json_pack("{s:s, s:{s:s, s:s, s:o}, s:s, s:[]}", "schema", "probekit.bench/1",
			 "tool", "name", "probekit", "version", probekit_version(), "revision",
			 *environment->revision ? json_string(environment->revision) : json_null(),
			 "started", environment->started, "groups");
}

int main(int argc, char **argv)
{
	struct command_line line = {0};
	struct bench_environment environment;
	json_t *report;
	int status = parse(argc, argv, &line);

	if (status >= 0)
		return status;
	if (geteuid() != 0) {
		fprintf(stderr, "bench: probes of peers need root\n");
		return EXIT_UNAVAILABLE;
	}
	if (watch_signals()) {
		fprintf(stderr, "bench: cannot start a thread\n");
		return EXIT_FAILED;
	}
	raise_limits();
	srandom((unsigned int)time(NULL));
	bench_environment_read(&environment);
	bench_environment_print(&environment, stdout);
	report = new_report(&environment);
	status = 0;
	for (size_t i = 0; bench_groups[i]; i++) {
		struct bench_run *run;

		if (!is_asked_for(&line, bench_groups[i]))
			continue;
		run = run_group(bench_groups[i], &line.options);
		if (!run) {
			fprintf(stderr, "bench: no memory\n");
			return EXIT_FAILED;
		}
		report_print(run, stdout);
		json_array_append_new(json_object_get(report, "groups"), report_json(run));
		status |= run_has_failed(run) ? EXIT_FAILED : 0;
		run_free(run);
	}
	json_object_set_new(report, "environment", bench_environment_json(&environment));
	if (line.json_path && write_json(report, line.json_path))
		status = EXIT_FAILED;
	json_decref(report);
	bench_environment_done(&environment);
	return status;
}
