/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_DUET_H
#define PROBEKIT_CLI_DUET_H
/*
 * Two commands measured side by side: both alive on one CPU, of which one is stopped (SIGSTOP) while the
 * other runs, by turns of some milliseconds in random order. What disturbs the machine disturbs both
 * alike. Time in which a process is stopped is in none of its spans. Once one has ended, the other runs on
 * alone, and is measured to its end all the same.
 */
#include "runs.h"

/*
 * As run_once(), for both at once, which may take as long as both timeouts together; cpu_share is not known. Each
 * leads a process group of its own. Whatever happens to probekit, SIGKILL too, nothing of these groups is left
 * running or stopped; out of reach is only who has left its group, which is an error once it is seen. `seed`: of the order of turns.
 */
int duet_run(const struct run_request *base, const struct run_request *head, uint64_t seed,
	     struct run_result *base_result, struct run_result *head_result,
	     struct probekit_error *err);

/*
 * Why a program cannot be measured by turns, from a run of its own: it or its spans wait for time or for others, it
 * has async spans or processes that leave its group, or uses several CPUs. A sentence that goes on from the program's name, "it is on a CPU for only
 * 41 % of its time ..."; NULL: it can. Static text, or in `text`.
 */
const char *duet_refusal(const struct run_result *alone, char *text, size_t size);

#endif
