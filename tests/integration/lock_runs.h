/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_LOCK_RUNS_H
#define PROBEKIT_TESTS_LOCK_RUNS_H
/* Programs that know of their locks, run under `probekit locks`. */
#include "lock_rows.h"

#define LOCK_ROUNDS "24"

/* Runs it to its end, and returns the snapshot; what the program told is in probekit->err. */
json_t *lock_run(struct support_child *probekit, const struct support_how *how,
		 const char *const words[]);
json_t *lock_run_program(struct support_child *probekit, const char *program, const char *mode,
			 const char *rounds);

/* Under emulation times, and shares of time, say nothing, and threads end before their stacks are
 * read. */
void lock_require_true_times(void);

/* A test, whose state is a struct lock_kind. */
void lock_is_told_as_its_program_knows_it(void **state);
/* It, as cmocka has it. */
#define LOCK_KIND_TEST(kind)                                                    \
	((struct CMUnitTest){.name = (kind)->name,                              \
			     .test_func = lock_is_told_as_its_program_knows_it, \
			     .initial_state = (void *)(uintptr_t)(kind)})

#endif
