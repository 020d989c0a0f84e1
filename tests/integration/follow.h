/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_FOLLOW_H
#define PROBEKIT_TESTS_FOLLOW_H
/* What tests of processes that are found while measuring share: each is run with either kind of attachment. */
#include "measure.h"

#define FAMILY_WIDTH 3 /* children of a process of "family" */

int follow_with_any(void **state);
int follow_with_perf_events(void **state);

#define BOTH_WAYS(test)                                                                      \
	cmocka_unit_test_setup(test, follow_with_any),                                       \
	{                                                                                    \
#test " (perf events)", test, follow_with_perf_events, follow_with_any, NULL \
	}

#endif
