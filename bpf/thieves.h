/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_THIEVES_H
#define PROBEKIT_THIEVES_H
/* Who had the CPU while a thread waited for it: the last processes that ran, for each CPU. */
#include "wakers.h"

#define MAX_RUNS 64	     /* a CPU; a power of two */
#define THIEF_LEAST_NS 20000 /* shorter waits for a CPU have no culprit worth the search */
#define MAX_SUSPECTS 4	     /* a power of two */

struct run {
	__u64 since; /* by the run queue's clock */
	__u32 pid;
	__u32 padding;
};

struct suspect {
	__u64 ns;
	__u32 pid;
	__u32 padding;
};

struct runs {
	__u32 count;
	__u32 pid; /* of the last */
	struct run runs[MAX_RUNS];
	struct suspect suspects[MAX_SUSPECTS]; /* while a thief is looked for */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct runs);
} cpu_runs SEC(".maps");

/* Runs of one process that follow each other are one. */
static __always_inline bool is_same_run(const struct runs *runs, __u32 pid)
{
	return runs->pid == pid;
}

static __always_inline void note_run(struct runs *runs, __u64 clock, __u32 pid)
{
	struct run *run = &runs->runs[runs->count & (MAX_RUNS - 1)];

	run->since = clock;
	run->pid = pid;
	runs->pid = pid;
	runs->count++;
}

struct search {
	struct runs *runs;
	__u64 from;
	__u64 to; /* of the run that is looked at */
	__u32 pid;
	__u32 padding;
	__u64 ns;
};

/* Adds the run to its process, if there is room for it. */
static long suspect(__u32 i, struct search *search)
{
	struct suspect *suspect = &search->runs->suspects[i & (MAX_SUSPECTS - 1)];

	if (suspect->ns && suspect->pid != search->pid)
		return 0;
	suspect->pid = search->pid;
	suspect->ns += search->ns;
	return 1;
}

/* The newest first. */
static long look_at_run(__u32 i, struct search *search)
{
	__u32 at = search->runs->count - 1 - i;
	const struct run *run = &search->runs->runs[at & (MAX_RUNS - 1)];
	__u64 since = run->since > search->from ? run->since : search->from;

	if (at >= search->runs->count) /* before the first */
		return 1;
	search->pid = run->pid;
	search->ns = since < search->to ? search->to - since : 0;
	if (search->ns)
		bpf_loop(MAX_SUSPECTS, suspect, search, 0);
	search->to = run->since;
	return run->since <= search->from;
}

/* The process that ran most on this CPU between the two; 0: none, or not known. Its name is noted when
 * it is the one that leaves. */
__noinline __u32 find_thief(__u64 from, __u64 to)
{
	__u32 zero = 0;
	struct search search = {.from = from, .to = to};
	struct task_struct *task = bpf_get_current_task_btf();
	struct suspect *best;

	search.runs = bpf_map_lookup_elem(&cpu_runs, &zero);
	if (!search.runs)
		return 0;
	for (int i = 0; i < MAX_SUSPECTS; i++)
		search.runs->suspects[i] = (struct suspect){0};
	bpf_loop(MAX_RUNS, look_at_run, &search, 0);
	best = &search.runs->suspects[0];
	for (int i = 1; i < MAX_SUSPECTS; i++)
		if (search.runs->suspects[i].ns > best->ns)
			best = &search.runs->suspects[i];
	if (best->pid == (__u32)task->tgid)
		note_name(best->pid, task);
	return best->pid;
}

#endif
