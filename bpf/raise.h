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

/* A function of its own, so that the verifier walks it once. */
WEAK __noinline int raise_from(__u64 *at, __u64 seen, __u64 value)
{
	struct raise raise = {.at = at, .seen = seen, .value = value};

	if (at)
		bpf_loop(RAISE_TRIES, raise_once, &raise, 0);
	return 0;
}

static __always_inline void raise_to(__u64 *at, __u64 value)
{
	__u64 seen = *(volatile __u64 *)at;

	if (value > seen)
		raise_from(at, seen, value);
}

#endif
