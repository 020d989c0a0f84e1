/* SPDX-License-Identifier: BSD-2-Clause */
/* An end finds its own begin: on several stacks, in other functions, with several open at once. */
#include "scenarios.h"
#include "series.h"

/* The first begin has no partner in the loop: one more than rounds. */
static void pairs_that_overlap_without_end_lose_none(void **state)
{
	uint64_t rounds = scaled(10000, 100);
	struct run run;

	(void)state;
	series_program("kinds", "overlapping_pairs", number_text(rounds), &run);
	assert_row(run.snapshot, "kinds:left", .count = rounds + 1);
	assert_row(run.snapshot, "kinds:right", .count = rounds);
	run_done(&run);
}

static void locks_that_fail_are_abandoned_waits(void **state)
{
	uint64_t rounds = scaled(1000, 100);
	struct run run;

	(void)state;
	series_program("locks", "failing", number_text(rounds), &run);
	assert_row(run.snapshot, "locks:guard.wait", .count = 1, .abandoned = rounds);
	assert_row(run.snapshot, "locks:guard.hold", .count = 1);
	run_done(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_that_overlap_without_end_lose_none),
		cmocka_unit_test(locks_that_fail_are_abandoned_waits),
	};

	return scenarios_run("pairing", pairing_scenarios, tests, sizeof(tests) / sizeof(*tests));
}
