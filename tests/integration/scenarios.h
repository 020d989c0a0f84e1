/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SCENARIOS_H
#define SCENARIOS_H
/* Measured programs with what a measurement of them must count, per round of the program. */
#include "measure.h"

#define SCENARIO_ROWS 8

struct scenario_row {
	const char *name;
	struct expected per_round;
	uint64_t least_ns; /* no span is shorter */
	uint64_t slow_ns;  /* `slow` spans a round are longer than this; 0: not checked */
	uint64_t slow;
};

struct scenario {
	const char *name; /* as a test's name: what it claims */
	const char *program;
	const char *mode;
	uint64_t rounds;			 /* on a machine of ordinary speed */
	struct scenario_row rows[SCENARIO_ROWS]; /* up to a NULL name */
};

/* Arrays end with a NULL name. */
extern const struct scenario scope_scenarios[];
extern const struct scenario pairing_scenarios[];
extern const struct scenario kind_scenarios[];

/* Measures the program in its series, from its first instruction to its end. */
void scenario_run(const struct scenario *scenario, uint64_t rounds);
/* cmocka tests of a whole array, with `more` behind them; returns what main() returns. */
int scenarios_run(const char *group, const struct scenario *scenarios,
		  const struct CMUnitTest *more, size_t more_count);

#endif
