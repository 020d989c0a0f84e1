// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Adds up all that a program can learn at a site, for each of them. */
#ifdef TALLY_WITH_VMLINUX
#include "vmlinux.h"
#else
#include <linux/bpf.h>
#endif
#include <probekit/bpf.h>

#include "tally.h"

#define ENOENT 2

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TALLIES);
	__type(key, __u32);
	__type(value, struct tally);
} tallies SEC(".maps");

PROBEKIT_PROGRAM(tally)
{
	__u32 site = probekit_site(ctx);
	struct tally *tally = bpf_map_lookup_elem(&tallies, &site);
	__s64 value;

	if (!tally)
		return 0;
	__sync_fetch_and_add(&tally->hits, 1);
	tally->probe = probekit_probe(ctx);
	tally->role = probekit_role(ctx);
	if (probekit_key(ctx, &value) == 0) {
		__sync_fetch_and_add(&tally->keys, value);
		__sync_fetch_and_add(&tally->keyed, 1);
	}
	for (__u32 n = 0; n <= PROBEKIT_MAX_ARGUMENTS; n++) {
		int result = probekit_argument(ctx, n, &value);

		if (result == -ENOENT)
			__sync_fetch_and_add(&tally->missing, 1);
		else if (result)
			__sync_fetch_and_add(&tally->unreadable, 1);
		else if (n < PROBEKIT_MAX_ARGUMENTS)
			__sync_fetch_and_add(&tally->sums[n], value);
	}
	return 0;
}

__u64 hits;

/* Knows where it is, and no more. */
PROBEKIT_PROGRAM(count)
{
	__sync_fetch_and_add(&hits, 1);
	return 1; /* as good as 0 */
}

static long is_late(__u32 i __attribute__((unused)), __u64 *until)
{
	return bpf_ktime_get_ns() >= *until;
}

/* Takes a millisecond. */
PROBEKIT_PROGRAM(linger)
{
	__u64 until = bpf_ktime_get_ns() + LINGER_NS;

	bpf_loop(1 << 20, is_late, &until, 0);
	__sync_fetch_and_add(&hits, 1);
	return 0;
}

/* No program for sites. */
SEC("socket")
int filter(void *ctx __attribute__((unused)))
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
