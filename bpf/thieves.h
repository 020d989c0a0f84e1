/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_THIEVES_H
#define PROBEKIT_THIEVES_H
/* Who had the CPU while a thread waited for it: the last processes that ran, for each CPU. */
#include "maps.h"

#define MAX_RUNS 64	     /* a CPU; a power of two */
#define THIEF_LEAST_NS 20000 /* shorter waits for a CPU have no culprit worth the search */
#define MAX_SUSPECTS 4

struct run {
	__u64 since; /* by the run queue's clock */
	__u32 pid;
	__u32 padding;
};

struct runs {
	__u32 count;
	__u32 padding;
	struct run runs[MAX_RUNS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct runs);
} cpu_runs SEC(".maps");

static __always_inline void note_run(struct runs *runs, __u64 clock, __u32 pid)
{
	struct run *run = &runs->runs[runs->count & (MAX_RUNS - 1)];

	run->since = clock;
	run->pid = pid;
	runs->count++;
}

struct suspects {
	struct runs *runs;
	__u64 from;
	__u64 to; /* of the run that is looked at */
	__u32 pid[MAX_SUSPECTS];
	__u32 padding;
	__u64 ns[MAX_SUSPECTS];
};

static __always_inline void suspect(struct suspects *s, __u32 pid, __u64 ns)
{
	for (int i = 0; i < MAX_SUSPECTS; i++) {
		if (s->ns[i] == 0)
			s->pid[i] = pid;
		if (s->pid[i] == pid) {
			s->ns[i] += ns;
			return;
		}
	}
}

/* The newest first. */
static long look_at_run(__u32 i, struct suspects *s)
{
	__u32 at = s->runs->count - 1 - i;
	const struct run *run = &s->runs->runs[at & (MAX_RUNS - 1)];
	__u64 since = run->since > s->from ? run->since : s->from;

	if (at >= s->runs->count) /* before the first */
		return 1;
	if (since < s->to)
		suspect(s, run->pid, s->to - since);
	s->to = run->since;
	return run->since <= s->from;
}

/* The process that ran most on this CPU between the two; 0: none, or not known. */
__noinline __u32 find_thief(__u64 from, __u64 to)
{
	__u32 zero = 0;
	struct suspects s = {.from = from, .to = to};
	__u32 best = 0;

	s.runs = bpf_map_lookup_elem(&cpu_runs, &zero);
	if (!s.runs)
		return 0;
	bpf_loop(MAX_RUNS, look_at_run, &s, 0);
	for (int i = 1; i < MAX_SUSPECTS; i++)
		if (s.ns[i] > s.ns[best & (MAX_SUSPECTS - 1)])
			best = i;
	return s.pid[best & (MAX_SUSPECTS - 1)];
}

#endif
