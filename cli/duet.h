/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_DUET_H
#define PROBEKIT_CLI_DUET_H
/*
 * Two commands measured side by side: both alive on one CPU, of which one is stopped (SIGSTOP) while the
 * other runs, by turns of some milliseconds in random order. What disturbs the machine disturbs both
 * alike. Time in which a process is stopped is in none of its spans.
 */
#include "runs.h"

/*
 * As run_once(), for both at once. Whatever happens to probekit, no process is left stopped. `seed`: of the
 * order of turns.
 */
int duet_run(const struct run_request *base, const struct run_request *head, uint64_t seed,
	     struct run_result *base_result, struct run_result *head_result,
	     struct probekit_error *err);

/*
 * Why a program cannot be measured by turns, from a run of its own: it waits for time or for others
 * ("blocked 63 % of its spans' time in sleep"), or has async spans. NULL: it can. Static text, or in `text`.
 */
const char *duet_refusal(const struct run_result *alone, char *text, size_t size);

#endif
