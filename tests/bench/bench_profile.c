/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Group profile: what probekit's own time goes into. The kernel's count of nanoseconds and runs of
 * each program (bpf_stats), less an empty program's in the same run; and the hottest functions of
 * the command while it attaches and while it reports.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach_sides.h"
#include "run.h"
#include "session.h"

#define LOOPS 100000l
#define PERF_TIMEOUT_MS 120000
#define TOP 10

static const struct bench_metric metrics[] = {
	{"span begin", "ns"}, {"span end", "ns"}, {"pair and lock", "ns"}, {"async begin", "ns"},
	{"async end", "ns"},  {"value", "ns"},	  {"empty", "ns"},	   {0},
};

static const enum program programs[] = {
	PROGRAM_SPAN_BEGIN, PROGRAM_SPAN_END, PROGRAM_PAIR_BEGIN, PROGRAM_ASYNC_BEGIN,
	PROGRAM_ASYNC_END,  PROGRAM_VALUE,    PROGRAM_COUNT_HIT,
};
#define PROGRAMS (sizeof(programs) / sizeof(*programs))

struct state {
	struct bench_child kinds;
	struct bench_child many;
};

static int begin(struct bench_run *run)
{
	struct state *state = calloc(1, sizeof(*state));
	const char *const kinds[] = {bench_path("tests/bench/target_kinds"), NULL};
	const char *const many[] = {bench_path("tests/bench/target_many"), NULL};

	bench_set_state(run, state);
	if (!state)
		return bench_fail(run, "no memory");
	if (bench_child_start(run, &state->kinds, kinds) ||
	    bench_child_start(run, &state->many, many))
		return -1;
	return bench_child_line(&state->many, 60000) ? 0
						     : bench_fail(run, "the target does not start");
}

/* ---- programs ---- */

static int attach_empty(struct bench_run *run, const struct bench_session *session)
{
	struct attachment *attachment = &session->session->attachment;
	const struct objects *objects = &session->session->objects;

	for (size_t i = 0; i < objects->size; i++)
		for (size_t s = 0; s < objects->items[i]->sites.size; s++) {
			const struct sdt_site *site = &objects->items[i]->sites.sites[s];
			struct placement placement;

			if (strcmp(site->name, "empty") != 0)
				continue;
			placement_choose(site, POINT_NOP, &placement);
			return attachment_add_site(attachment, objects->items[i], &placement,
						   site->semaphore_offset, PROGRAM_COUNT_HIT, 0,
						   session->session->pids[0])
				       ? bench_fail(run, "cannot attach the empty program")
				       : 0;
		}
	return bench_fail(run, "the target has no site for the empty program");
}

static int read_programs(struct bench_run *run, const struct engine *engine, double *ns)
{
	for (size_t i = 0; i < PROGRAMS; i++) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		if (bpf_obj_get_info_by_fd(engine_program_fd(engine, programs[i]), &info, &size))
			return bench_fail(run, "cannot read a program's statistics: %s",
					  strerror(errno));
		if (info.run_cnt < LOOPS)
			return bench_fail(run, "'%s' ran %llu times in %ld rounds of the loop",
					  metrics[i].name, (unsigned long long)info.run_cnt, LOOPS);
		ns[i] = (double)info.run_time_ns / (double)info.run_cnt;
		/* at about a microsecond each, most of the time that a start takes */
		bench_note(run, "verifier steps of %s: %u", metrics[i].name, info.verified_insns);
	}
	return 0;
}

static int run_programs(struct bench_run *run, double *ns)
{
	struct state *state = bench_state(run);
	struct bench_session session;
	double total;
	int statistics = bpf_enable_stats(BPF_STATS_RUN_TIME);
	int result;

	if (statistics < 0)
		return bench_missing(run, "the kernel counts no program run times: %s",
				     strerror(errno));
	result = bench_session_start(run, &session, state->kinds.pid, "bench:*", POINT_NOP, true);
	if (!result) {
		result = attach_empty(run, &session);
		if (!result)
			result = bench_child_ask(run, &state->kinds, &total, "%ld", LOOPS);
		if (!result)
			result = read_programs(run, session.session->engine, ns);
		bench_session_end(run, &session);
	}
	close(statistics);
	return result;
}

/* `variant` is whether the empty program's time is taken off. */
static int measure(struct bench_run *run, const struct bench_side *side, double *values)
{
	if (run_programs(run, values))
		return -1;
	for (size_t i = 0; i < PROGRAMS - 1 && side->variant; i++)
		values[i] -= values[PROGRAMS - 1];
	return 0;
}

/* ---- hot functions ---- */

static void note_top(struct bench_run *run, const char *what, const char *data)
{
	const char *const argv[] = {"perf", "report", "--stdio",	 "--no-children",   "-i",
				    data,   "--sort", "comm,dso,symbol", "--percent-limit", "0.1",
				    NULL};
	struct bench_child perf;
	const char *line;
	int count = 0;

	bench_note(run, "hottest while it %s:", what);
	if (bench_child_run(run, &perf, argv, PERF_TIMEOUT_MS) != 0)
		bench_note(run, "  perf report fails: %s", bench_child_error(&perf));
	while (count < TOP && (line = bench_child_line(&perf, 0))) {
		line += strspn(line, " ");
		if (*line >= '0' && *line <= '9') {
			bench_note(run, "  %2d. %s", count + 1, line);
			count++;
		}
	}
	bench_child_done(&perf);
}

/* `command` is run by a shell some times, for samples enough. */
static void profile(struct bench_run *run, const char *what, const char *command)
{
	const char *perf = bench_find_tool("perf");
	const char *folder = bench_scratch(run);
	char data[512];
	char line[2048];
	const char *const argv[] = {perf, "record", "-q", "-e", "cpu-clock", "-F", "10000",
				    "-o", data,	    "--", "sh", "-c",	     line, NULL};
	struct bench_child recorder;

	if (!perf || !folder) {
		bench_note(run,
			   "missing: the functions that are hot while it %s: perf is not installed",
			   what);
		return;
	}
	snprintf(data, sizeof(data), "%s/perf.data", folder);
	snprintf(line, sizeof(line), "for i in 1 2 3 4 5 6 7 8 9 10; do %s || exit 1; done",
		 command);
	if (bench_child_run(run, &recorder, argv, PERF_TIMEOUT_MS) != 0)
		bench_note(run, "missing: the functions that are hot while it %s: %s", what,
			   bench_child_error(&recorder));
	else
		note_top(run, what, data);
	bench_child_done(&recorder);
}

static void end(struct bench_run *run)
{
	struct state *state = bench_state(run);
	const char *folder = bench_scratch(run);
	char command[1024];

	if (state && folder && run->rounds > 0) {
		snprintf(command, sizeof(command), "%s latency -p %d -d 0.01 >/dev/null",
			 bench_path("probekit"), state->kinds.pid);
		profile(run, "attaches to 13 sites", command);
		snprintf(command, sizeof(command),
			 "%s latency -p %d -d 0.01 -o %s/snapshot >/dev/null",
			 bench_path("probekit"), state->many.pid, folder);
		profile(run, "attaches to 2,000 sites", command);
		snprintf(command, sizeof(command), "%s latency --from %s/snapshot >/dev/null",
			 bench_path("probekit"), folder);
		profile(run, "reports", command);
	}
	if (!state)
		return;
	bench_child_done(&state->kinds);
	bench_child_done(&state->many);
	free(state);
}

static const struct bench_side sides[] = {
	{"a run, by bpf_stats", measure, 0, NULL},
	{"less the empty program's", measure, 1, NULL},
	{0},
};

const struct bench_group bench_profile = {
	.name = "profile",
	.about = "what probekit's own time goes into",
	.metrics = metrics,
	.sides = sides,
	.rounds = 5,
	.begin = begin,
	.end = end,
	.is_on_demand = true,
};
