// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Adds an argument of an event to the key of the span around it, on the same thread. */
#include <linux/bpf.h>
#include <probekit/bpf.h>

#include "bytes.h"

const volatile __u32 argument; /* of the event */

__u64 outside; /* events in no span */
__u64 lost;    /* what found no room, or could not be read */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* process and thread */
	__type(value, __s64);
} open_keys SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_KEYS);
	__type(key, __s64);
	__type(value, struct total);
} totals SEC(".maps");

static struct total *find_total(__s64 key)
{
	const struct total zero = {0};
	struct total *total = bpf_map_lookup_elem(&totals, &key);

	if (total)
		return total;
	bpf_map_update_elem(&totals, &key, &zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(&totals, &key);
}

PROBEKIT_PROGRAM(span_begin)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__s64 key = 0; /* of a span without key */
	struct total *total;

	probekit_key(ctx, &key);
	total = find_total(key);
	if (total)
		__sync_fetch_and_add(&total->spans, 1);
	if (!total || bpf_map_update_elem(&open_keys, &thread, &key, BPF_ANY))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

PROBEKIT_PROGRAM(span_end)
{
	__u64 thread = bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&open_keys, &thread);
	return 0;
}

PROBEKIT_PROGRAM(event)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__s64 *key = bpf_map_lookup_elem(&open_keys, &thread);
	struct total *total = key ? find_total(*key) : 0;
	__s64 bytes;

	if (!key) {
		__sync_fetch_and_add(&outside, 1);
	} else if (!total || probekit_argument(ctx, argument, &bytes)) {
		__sync_fetch_and_add(&lost, 1);
	} else {
		__sync_fetch_and_add(&total->events, 1);
		__sync_fetch_and_add(&total->bytes, bytes);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
