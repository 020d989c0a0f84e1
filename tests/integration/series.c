/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the session that measures a program's runs under emulation. */
#include "series.h"

#include <stdlib.h>
#include <string.h>

/* One at a time: several would each time every switch. */
static struct {
	struct probekit_session *session;
	char *program;
	const char *pair;
	const char *const *functions;
} series;

void series_end(void)
{
	if (series.session)
		probekit_snapshot_free(measure_stop(series.session));
	free(series.program);
	memset(&series, 0, sizeof(series));
}

static void begin(const struct measure *what)
{
	series_end();
	series.session = measure_start(&(struct measure){
		.path = what->command[0], .pair = what->pair, .functions = what->functions});
	series.program = strdup(what->command[0]);
	series.pair = what->pair;
	series.functions = what->functions;
	assert_non_null(series.program);
}

static bool is_of(const struct measure *what)
{
	return series.session && strcmp(series.program, what->command[0]) == 0 &&
	       series.pair == what->pair && series.functions == what->functions;
}

void series_run(const struct measure *what, struct run *run)
{
	struct probekit_error err;
	struct output output;

	if (test_scale() == 1) {
		measure_run(what, run);
		return;
	}
	if (!is_of(what))
		begin(what);
	run_captured(what->command, &output);
	if (probekit_session_poll(series.session, 0, &err) < 0 ||
	    probekit_session_interval(series.session, &run->snapshot, &err))
		fail_msg("%s", err.text);
	check_rows(run->snapshot);
	run->text = output.out;
	run->status = output.status;
	free(output.err);
}

void series_program(const char *name, const char *mode, const char *count, struct run *run)
{
	const char *const command[] = {program_path(name), mode, count, NULL};

	series_run(&(struct measure){.command = command}, run);
	if (run->status != 0)
		fail_msg("%s %s %s: status %d", name, mode, count, run->status);
}

int series_tear_down(void **state)
{
	(void)state;
	series_end();
	return 0;
}
