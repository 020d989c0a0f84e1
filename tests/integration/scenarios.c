/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the scenarios: a program, and what is to be counted. */
#include "scenarios.h"

#include "series.h"

#include <stdlib.h>
#include <string.h>

#define MS 1000000ull
#define ROW(row, ...)                                       \
	{                                                   \
		.name = (row), .per_round = { __VA_ARGS__ } \
	}

/* clang-format off */
const struct scenario scope_scenarios[] = {
	{"nested_spans_are_counted_exactly", "scopes", "nested", 50000,
	 {ROW("scopes:outer", .count = 1), ROW("scopes:inner", .count = 3)}},
	{"recursion_to_depth_8_is_counted_exactly", "scopes", "recursion", 20000,
	 {ROW("scopes:recursive", .count = 8)}},
	{"early_return_ends_a_span", "scopes", "early_return", 30000,
	 {ROW("scopes:early", .count = 1)}},
	{"goto_ends_a_span", "scopes", "gotos", 30000,
	 {ROW("scopes:forward", .count = 1), ROW("scopes:back", .count = 1)}},
	{"break_and_continue_end_a_span", "scopes", "breaks", 30000,
	 {ROW("scopes:broken", .count = 1), ROW("scopes:continued", .count = 2),
	  ROW("scopes:switched", .count = 1)}},
	{"two_spans_in_a_loop_of_one_function_are_counted_exactly", "scopes", "pair_in_loop", 30000,
	 {ROW("scopes:first", .count = 1), ROW("scopes:second", .count = 1)}},
	{"alloca_inside_spans_loses_none", "scopes", "allocas", 10000,
	 {ROW("scopes:grown", .count = 1), ROW("scopes:lower", .count = 4),
	  ROW("scopes:array", .count = 1), ROW("scopes:inner", .count = 4)}},
	{"longjmp_abandons_what_it_skips_and_nothing_else", "scopes", "longjmps", 20000,
	 {ROW("scopes:landed", .count = 1), ROW("scopes:inner", .count = 1),
	  ROW("scopes:jumped_outer", .abandoned = 1), ROW("scopes:jumped_inner", .abandoned = 1)}},
	{"pthread_exit_abandons_spans_of_c", "scopes", "thread_exits", 500,
	 {ROW("scopes:unfinished", .abandoned = 2), ROW("scopes:inner", .count = 1)}},
	{"exit_inside_a_span_abandons_it", "scopes", "exit_inside", 1,
	 {ROW("scopes:unfinished", .abandoned = 1), ROW("scopes:outer", .count = 1),
	  ROW("scopes:inner", .count = 3)}},
	{"spans_deeper_than_32_are_counted_and_shift_nothing", "scopes", "depth", 100,
	 {{"scopes:top", {.count = 1}, .least_ns = 2 * MS},
	  ROW("scopes:deep", .count = 31, .depth_overflow = 8)}},
	{"longjmp_out_of_too_deep_spans_leaves_the_outer_ones", "scopes", "depth_jumps", 1000,
	 {ROW("scopes:landed", .count = 1), ROW("scopes:inner", .count = 1),
	  ROW("scopes:deep_jump", .abandoned = 31, .depth_overflow = 9)}},
	{"exceptions_end_spans", "exceptions", "throws", 5000,
	 {ROW("exceptions:outer", .count = 1), ROW("exceptions:middle", .count = 1),
	  ROW("exceptions:inner", .count = 1), ROW("exceptions:handler", .count = 1)}},
	{"rethrown_exceptions_end_spans", "exceptions", "rethrows", 5000,
	 {ROW("exceptions:outer", .count = 1), ROW("exceptions:middle", .count = 1),
	  ROW("exceptions:inner", .count = 1), ROW("exceptions:handler", .count = 1)}},
	{"instances_of_a_template_are_one_span", "exceptions", "templates", 10000,
	 {ROW("exceptions:generic", .count = 3)}},
	{"pthread_exit_ends_spans_of_cxx", "exceptions", "thread_exits", 500,
	 {ROW("exceptions:outer", .count = 1), ROW("exceptions:inner", .count = 1)}},
	{.name = NULL},
};

#define INTERLEAVED                                                              \
	{                                                                        \
		{"stacks:shared", {.count = 2}, .least_ns = 5 * MS},             \
			ROW("stacks:leaf", .count = 5),                          \
			{"stacks:scheduler", {.count = 1}, .least_ns = 10 * MS}, \
	}
#define HANDLED                                                                            \
	{                                                                                  \
		ROW("stacks:round", .count = 1),                                           \
			{"stacks:interrupted", {.count = 1}, .least_ns = 2 * MS},          \
			ROW("stacks:handler", .count = 1), ROW("stacks:leaf", .count = 4), \
	}

const struct scenario pairing_scenarios[] = {
	{"a_span_twice_at_one_stack_pointer_ends_newest_first", "scopes", "inlined", 50,
	 {{"scopes:twice", {.count = 2}, .slow_ns = 9 * MS, .slow = 1}}},
	{"coroutines_on_heap_stacks_keep_their_spans", "stacks", "on_heap", 50, INTERLEAVED},
	{"coroutines_on_static_stacks_keep_their_spans", "stacks", "on_static", 50, INTERLEAVED},
	{"coroutines_on_mapped_stacks_keep_their_spans", "stacks", "on_mapping", 50, INTERLEAVED},
	{"coroutines_mapped_beside_their_thread_keep_their_spans", "stacks", "beside_thread", 50,
	 INTERLEAVED},
	{"coroutines_that_are_always_inside_a_span_lose_none", "stacks", "chained", 2000,
	 {ROW("stacks:shared", .count = 2), ROW("stacks:leaf", .count = 4)}},
	{"coroutines_dropped_inside_a_span_abandon_it", "stacks", "dropped", 2000,
	 {ROW("stacks:dropped", .abandoned = 1), ROW("stacks:leaf", .count = 1)}},
	{"signal_handlers_nest_in_what_they_interrupt", "stacks", "signals", 100, HANDLED},
	{"signal_handlers_on_an_alternate_stack_keep_spans", "stacks", "alternate", 100, HANDLED},
	{"signal_handlers_on_a_stack_above_the_threads_keep_spans", "stacks", "alternate_in_thread",
	 100, HANDLED},
	{"siglongjmp_from_an_alternate_stack_abandons_both_stacks_spans", "stacks",
	 "alternate_jumps", 200,
	 {ROW("stacks:round", .count = 1), ROW("stacks:interrupted", .abandoned = 1),
	  ROW("stacks:handler", .abandoned = 1), ROW("stacks:leaf", .count = 3)}},
	{"explicit_pairs_end_in_other_functions", "kinds", "pairs", 10000,
	 {ROW("kinds:explicit", .count = 4), ROW("kinds:around", .count = 4),
	  ROW("kinds:keyed", .count = 4), ROW("kinds:sampled", .count = 4)}},
	{"explicit_pairs_end_newest_first", "kinds", "nested_pairs", 50,
	 {{"kinds:explicit", {.count = 2}, .slow_ns = 9 * MS, .slow = 1}}},
	{"begins_without_end_are_abandoned", "kinds", "only_begins", 5000,
	 {ROW("kinds:explicit", .abandoned = 1)}},
	{"ends_without_begin_are_unmatched", "kinds", "only_ends", 5000,
	 {ROW("kinds:explicit", .unmatched = 1)}},
	{"pairs_deeper_than_32_are_counted_and_shift_nothing", "kinds", "deep_pairs", 500,
	 {ROW("kinds:explicit", .count = 32, .depth_overflow = 8)}},
	{"locks_of_one_name_are_told_apart_by_address", "locks", "crossed", 50,
	 {ROW("locks:guard.wait", .count = 2),
	  {"locks:guard.hold", {.count = 2}, .least_ns = 5 * MS}}},
	{"locks_taken_hand_over_hand_lose_none", "locks", "chained", 10000,
	 {ROW("locks:guard.wait", .count = 1), ROW("locks:guard.hold", .count = 1)}},
	{"async_spans_that_overlap_are_told_apart_by_id", "locks", "overlapping", 50,
	 {{"locks:request", {.count = 2}, .least_ns = 5 * MS}}},
	{.name = NULL},
};

const struct scenario kind_scenarios[] = {
	{"locks_count_each_wait_and_hold", "locks", "contended", 20000,
	 {ROW("locks:guard.wait", .count = 4), ROW("locks:guard.hold", .count = 4)}},
	{"a_hold_lasts_as_long_as_the_lock_is_held", "locks", "slow", 50,
	 {ROW("locks:guard.wait", .count = 4),
	  {"locks:guard.hold", {.count = 4}, .least_ns = 2 * MS}}},
	{"a_wait_lasts_as_long_as_the_thread_waits", "locks", "waits", 50,
	 {{"locks:guard.wait", {.count = 1}, .least_ns = 5 * MS},
	  ROW("locks:guard.hold", .count = 1)}},
	{"async_spans_end_on_other_threads", "locks", "handover", 10000,
	 {ROW("locks:request", .count = 4)}},
	{"an_id_that_begins_twice_abandons_the_first", "locks", "reused", 5000,
	 {ROW("locks:request", .count = 1, .abandoned = 1)}},
	{"an_id_that_ends_twice_is_unmatched_once", "locks", "ended_twice", 5000,
	 {ROW("locks:request", .count = 1, .unmatched = 1)}},
	{.name = NULL},
};

/* clang-format on */

/* ---- running them ---- */

static struct expected times(struct expected once, uint64_t rounds)
{
	return (struct expected){
		.count = once.count * rounds,
		.unmatched = once.unmatched * rounds,
		.abandoned = once.abandoned * rounds,
		.depth_overflow = once.depth_overflow * rounds,
	};
}

static void check_times(const struct probekit_probe *row, const struct scenario_row *expected,
			uint64_t rounds)
{
	if (row->count && row->min < (int64_t)expected->least_ns)
		fail_msg("%s: a span of %lld ns is shorter than what it does", row->name,
			 (long long)row->min);
	if (expected->slow_ns && count_above(row, expected->slow_ns) < expected->slow * rounds)
		fail_msg("%s: %llu spans are longer than %llu ns, not %llu", row->name,
			 (unsigned long long)count_above(row, expected->slow_ns),
			 (unsigned long long)expected->slow_ns,
			 (unsigned long long)(expected->slow * rounds));
}

void scenario_run(const struct scenario *scenario, uint64_t rounds)
{
	const char *const command[] = {program_path(scenario->program), scenario->mode,
				       number_text(rounds), NULL};
	const char *globs[SCENARIO_ROWS + 1] = {NULL};
	struct run run;

	for (size_t i = 0; i < SCENARIO_ROWS; i++)
		globs[i] = scenario->rows[i].name;
	series_run(&(struct measure){.command = command, .globs = globs}, &run);
	assert_int_equal(run.status, 0);
	for (const struct scenario_row *row = scenario->rows;
	     row < scenario->rows + SCENARIO_ROWS && row->name; row++) {
		assert_row_(run.snapshot, row->name, times(row->per_round, rounds), __FILE__,
			    __LINE__);
		check_times(find_row(run.snapshot, row->name), row, rounds);
	}
	run_done(&run);
}

static void run_one(void **state)
{
	const struct scenario *scenario = *state;

	scenario_run(scenario, scaled(scenario->rounds, 1));
}

int scenarios_run(const char *group, const struct scenario *scenarios,
		  const struct CMUnitTest *more, size_t more_count)
{
	struct CMUnitTest *tests;
	size_t count = 0;
	int failed;

	while (scenarios[count].name)
		count++;
	tests = calloc(count + more_count + 1, sizeof(*tests));
	if (!tests)
		return 1;
	for (size_t i = 0; i < count; i++)
		tests[i] = (struct CMUnitTest){
			.name = scenarios[i].name,
			.test_func = run_one,
			.initial_state = (void *)&scenarios[i],
		};
	if (more_count)
		memcpy(tests + count, more, more_count * sizeof(*more));
	failed = _cmocka_run_group_tests(group, tests, count + more_count, NULL, series_tear_down);
	free(tests);
	return failed;
}
