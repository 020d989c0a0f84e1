/* SPDX-License-Identifier: BSD-2-Clause */
/* Group snapshot: what it takes to read recordings of programs with many functions. Aim: two of them, 1,000
 * functions in 20 runs each, compared in under 1 s and 200 MB. */
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "snapshot_file.h"

#define FUNCTIONS 1000
#define RUNS 20
#define FILES 2

extern char **environ;

struct state {
	char paths[FILES][256];
};

enum metric {
	WALL,
	CPU,
	PEAK,
};

/* In a process of its own: the most memory that ours ever had would count as a later child's. */
static int make_files(const struct state *state)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int result = 0;

		for (size_t i = 0; i < FILES && !result; i++)
			result = snapshot_file_make(state->paths[i], FUNCTIONS, RUNS, i + 1, NULL);
		_exit(result != 0);
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid || status;
}

static int begin(struct bench_run *run)
{
	struct state *state = calloc(1, sizeof(*state));
	const char *folder = bench_scratch(run);
	struct stat status;

	bench_set_state(run, state);
	if (!state || !folder)
		return bench_fail(run, "no memory, or no place for files");
	for (size_t i = 0; i < FILES; i++)
		snprintf(state->paths[i], sizeof(state->paths[i]), "%s/%zu.json", folder, i);
	if (make_files(state))
		return bench_fail(run, "cannot make the files");
	if (stat(state->paths[0], &status) == 0)
		bench_note(run, "%d functions in %d runs: a file of %lld MB", FUNCTIONS, RUNS,
			   (long long)status.st_size / 1000000);
	return 0;
}

static void end(struct bench_run *run)
{
	free(bench_state(run));
}

/* With its output thrown away; the status as a shell has it, or -1. */
static int run_quietly(const char *const argv[], double *values)
{
	posix_spawn_file_actions_t actions;
	uint64_t begin_ns = bench_now_ns();
	struct rusage usage;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	status =
		posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (status || wait4(pid, &status, 0, &usage) != pid)
		return -1;
	values[WALL] = bench_ms_since(begin_ns);
	values[CPU] = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
		      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
	values[PEAK] = (double)usage.ru_maxrss * 1024 / 1e6;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int measure_reading(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct state *state = bench_state(run);
	const char *const argv[] = {
		bench_path("probekit"), "latency", "--from", state->paths[0], "-s", "none", NULL};
	int status = run_quietly(argv, values);

	(void)side;
	return status ? bench_fail(run, "probekit latency --from ended with status %d", status) : 0;
}

static int measure_diff(struct bench_run *run, const struct bench_side *side, double *values)
{
	const struct state *state = bench_state(run);
	const char *const argv[] = {bench_path("probekit"), "diff", state->paths[0],
				    state->paths[1], NULL};
	int status = run_quietly(argv, values);

	(void)side;
	if (status == PROBEKIT_ERROR_USAGE)
		return bench_missing(run, "probekit diff is not there");
	/* 4 and 5 are what it found */
	return status && status != 4 && status != 5
		       ? bench_fail(run, "probekit diff ended with status %d", status)
		       : 0;
}

const struct bench_group bench_snapshot = {
	.name = "snapshot",
	.about = "what it takes to read recordings of 1,000 functions in 20 runs",
	.metrics =
		(const struct bench_metric[]){
			[WALL] = {"time", "ms"},
			[CPU] = {"CPU time", "ms"},
			[PEAK] = {"peak memory", "MB"},
			{0},
		},
	.sides =
		(const struct bench_side[]){
			{.name = "latency --from, one", .measure = measure_reading},
			{.name = "diff, two", .measure = measure_diff},
			{0},
		},
	.rounds = 10,
	.budget_s = 60,
	.begin = begin,
	.end = end,
};
