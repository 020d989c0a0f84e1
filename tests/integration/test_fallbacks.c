/* SPDX-License-Identifier: BSD-2-Clause */
/* With features of the kernel denied, the same counts: perf events for uprobe_multi, a plain
 * nop. */
#include "scenarios.h"
#include "series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fallback {
	const char *name;
	const char *denied; /* as PROBEKIT_DISABLE_FEATURES takes it */
	const char *attach; /* what is used instead; NULL: not said */
	const char *site;
};

static const struct fallback fallbacks[] = {
	{"without uprobe_multi", "uprobe_multi", "perf_event", NULL},
	{"without a uprobe_multi that knows processes", "uprobe_multi_pid", "perf_event", NULL},
	{"without optimised sites", "nop5,nop10", NULL, "nop"},
	{"without any of it", "uprobe_multi,uprobe_multi_pid,nop5,nop10", "perf_event", "nop"},
};

#define ROUNDS 500

static void deny(const char *features)
{
	if (features)
		setenv("PROBEKIT_DISABLE_FEATURES", features, 1);
	else
		unsetenv("PROBEKIT_DISABLE_FEATURES");
}

/* A scenario that fails leaves by longjmp. */
static int allow_all(void **state)
{
	deny(NULL);
	return series_tear_down(state);
}

static int deny_some(void **state)
{
	const struct fallback *fallback = *state;

	deny(fallback->denied);
	return 0;
}

/* Modes of programs, of the scenarios. */
static const char *const core[] = {
	"nested", "longjmps", "throws", "pairs", "crossed", "handover",
};

static bool is_core(const struct scenario *scenario)
{
	for (size_t i = 0; i < sizeof(core) / sizeof(*core); i++)
		if (strcmp(core[i], scenario->mode) == 0)
			return true;
	return false;
}

static void run_core(const struct scenario *scenarios)
{
	for (const struct scenario *scenario = scenarios; scenario->name; scenario++) {
		uint64_t rounds = scenario->rounds < ROUNDS ? scenario->rounds / 5 + 1 : ROUNDS;

		if (!is_core(scenario))
			continue;
		print_message("             %s\n", scenario->name);
		scenario_run(scenario, scaled(rounds, 1));
	}
}

/* Few sites: each perf event costs a tenth of a second to close. */
static void measure_span(const char *program, const char *mode, uint64_t rounds, const char *span,
			 struct run *run)
{
	const char *const command[] = {program_path(program), mode, number_text(rounds), NULL};
	const char *const globs[] = {span, NULL};

	measure_run(&(struct measure){.command = command, .globs = globs}, run);
	assert_int_equal(run->status, 0);
}

static void the_fallback_is_used(void **state)
{
	const struct fallback *fallback = *state;
	const struct probekit_snapshot_info *info;
	struct run run;

	measure_span("scopes", "nested", 10, "scopes:outer", &run);
	info = probekit_snapshot_info(run.snapshot);
	if (fallback->attach)
		assert_string_equal(info->attach, fallback->attach);
	if (fallback->site)
		assert_string_equal(info->site, fallback->site);
	run_done(&run);
}

static void scopes_count_the_same(void **state)
{
	(void)state;
	run_core(scope_scenarios);
}

static void pairings_are_the_same(void **state)
{
	(void)state;
	run_core(pairing_scenarios);
}

static void kinds_count_the_same(void **state)
{
	uint64_t each = scaled(100, 10);
	struct run run;

	(void)state;
	run_core(kind_scenarios);
	measure_span("kinds", "keys", each, "kinds:keyed", &run);
	for (int64_t key = 0; key < 10; key++)
		assert_key(run.snapshot, "kinds:keyed", key, 4 * each * (uint64_t)(key + 1));
	run_done(&run);
	measure_span("kinds", "types", each, "kinds:typed", &run);
	assert_row(run.snapshot, "kinds:typed", .count = 6 * each);
	run_done(&run);
}

static void threads_lose_no_span(void **state)
{
	uint64_t each = scaled(50000, 1000);
	struct run run;

	(void)state;
	measure_span("threads", "hot", each, "threads:hot", &run);
	assert_row(run.snapshot, "threads:hot", .count = 8 * each);
	run_done(&run);
}

static void measure_and_leave(struct child *child, const struct measure *what)
{
	struct probekit_session *session = measure_start(what);
	struct probekit_snapshot *snapshot;

	assert_true(child_is_traced(child));
	child_go(child);
	snapshot = measure_stop(session);
	assert_row(snapshot, "threads:hot", .count = 800);
	probekit_snapshot_free(snapshot);
	assert_false(child_is_traced(child));
}

static void targets_are_attached_and_left_as_before(void **state)
{
	const char *const globs[] = {"threads:hot", NULL};
	struct child child;

	(void)state;
	child_start_program(&child, "threads", "hot", 100);
	measure_and_leave(&child, &(struct measure){.pid = child.pid, .globs = globs});
	measure_and_leave(&child,
			  &(struct measure){.path = program_path("threads"), .globs = globs});
	child_done(&child);
}

static const struct CMUnitTest each[] = {
	cmocka_unit_test(the_fallback_is_used),
	cmocka_unit_test(threads_lose_no_span),
	cmocka_unit_test(scopes_count_the_same),
	cmocka_unit_test(pairings_are_the_same),
	cmocka_unit_test(kinds_count_the_same),
	cmocka_unit_test(targets_are_attached_and_left_as_before),
};

#define EACH (sizeof(each) / sizeof(*each))
#define FALLBACKS (sizeof(fallbacks) / sizeof(*fallbacks))

int main(void)
{
	static struct CMUnitTest tests[EACH * FALLBACKS];
	static char names[EACH * FALLBACKS][128];

	for (size_t i = 0; i < EACH * FALLBACKS; i++) {
		const struct fallback *fallback = &fallbacks[i / EACH];

		snprintf(names[i], sizeof(names[i]), "%s: %s", fallback->name, each[i % EACH].name);
		tests[i] = (struct CMUnitTest){
			.name = names[i],
			.test_func = each[i % EACH].test_func,
			.setup_func = deny_some,
			.teardown_func = allow_all,
			.initial_state = (void *)fallback,
		};
	}
	return _cmocka_run_group_tests("fallbacks", tests, EACH * FALLBACKS, NULL, NULL);
}
