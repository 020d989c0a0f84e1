/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef INTEGRATION_CALLS_H
#define INTEGRATION_CALLS_H
/* Programs whose functions are probed, and that count their own calls (programs/calls.h): measured,
 * their counts must be the program's own, and the program must say what it says otherwise. */
#include "measure.h"

struct calls_case {
	const char *name; /* as a test's name: what it claims */
	const char *program;
	const char *mode;
	uint64_t rounds; /* on a machine of ordinary speed */
	/* Of this function, too many are open at once: so many a round. */
	const char *deep;
	uint64_t too_deep;
	/* How many of `deep` are too many depends on whether returns or exits are probed. */
	bool may_overflow;
	bool is_partly_refused; /* some functions may be, if the library says why */
};

/* Arrays end with a NULL name. */
extern const struct calls_case calls_core[];
extern const struct calls_case calls_few[];
extern const struct calls_case calls_shapes[];
extern const struct calls_case calls_cxx[];
extern const struct calls_case calls_stacks[];
extern const struct calls_case calls_threads[];
extern const struct calls_case calls_left_few[];

/* Functions that have entries probed in sum, over all rows of a name that the program counts: the
 * pattern itself, or with parameters behind it. */
struct calls_measured {
	size_t rows;
	uint64_t count;
	uint64_t abandoned;
	uint64_t unmatched;
	uint64_t depth_overflow;
	uint64_t other; /* every other way of losing, and what is open */
};
struct calls_measured calls_sum(const struct probekit_snapshot *snapshot, const char *name);

/* cmocka tests of whole arrays, `count` of them, in the given builds and attachments: each is a whole run of a
 * program, every function that it counts probed. Returns what main() returns. */
struct calls_group {
	const struct calls_case *cases;
	const char *build;  /* "" for the plain one */
	const char *denied; /* as PROBEKIT_DISABLE_FEATURES takes it; NULL: nothing */
	uint64_t divisor;   /* of rounds; 0: 1 */
};
int calls_main(const char *name, const struct calls_group *groups, size_t group_count,
	       const struct CMUnitTest *more, size_t more_count);

#endif
