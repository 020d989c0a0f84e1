/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_RAISE_H
#define PROBEKIT_RAISE_H
/* A maximum that several CPUs write. */
#include "maps.h"

#define RAISE_TRIES 64 /* each lost race means that another CPU raised it */

struct raise {
	__u64 *at;
	__u64 seen;
	__u64 value;
};

static long raise_once(__u32 i, struct raise *raise)
{
	__u64 old = __sync_val_compare_and_swap(raise->at, raise->seen, raise->value);

	if (old == raise->seen)
		return 1;
	raise->seen = old;
	return raise->value <= old;
}

/* Races are rare, and a loop here costs the verifier thousands of steps in every program. */
static __always_inline void raise_to(__u64 *at, __u64 value)
{
	struct raise raise = {.at = at, .seen = *(volatile __u64 *)at, .value = value};

	if (value > raise.seen)
		bpf_loop(RAISE_TRIES, raise_once, &raise, 0);
}

#endif
