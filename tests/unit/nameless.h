/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_NAMELESS_H
#define PROBEKIT_TESTS_NAMELESS_H
/* Locks without a name, which are told by where they are waited for. Any failure fails the test. */
#include "snapshots.h"

#define MS 1000000

/* A stack of "innermost caller ..." that was seen in this share of the samples. */
struct probekit_stack calls(const char *functions, double share);
/* `count` waits of one bucket, all from one place. */
struct probekit_lock nameless(uint64_t address, uint64_t count);

#endif
