/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TRIALS_H
#define PROBEKIT_TRIALS_H
/*
 * What a kernel can do, one function for each question, answered by trying it. Nothing that is
 * tried stays loaded or attached. libbpf must be silent meanwhile (quiet.h).
 */
#include <stdbool.h>

struct kernel_types;

struct trial {
	bool lacks_memory;	    /* for the kernel's types */
	struct kernel_types *types; /* read by the first trial that needs them */
	char found[160]; /* what was seen, where that says more than yes or no; else "" */
};

void trial_init(struct trial *trial);
void trial_done(struct trial *trial);

/* Each returns 0 when the thing is there, TRIAL_PARTLY when a lesser form of it is, TRIAL_ABSENT
 * when the kernel has none, and another negative errno when that could not be found out. */
#define TRIAL_PARTLY 1
#define TRIAL_ABSENT (-EOPNOTSUPP)

int trial_btf(struct trial *trial);
int trial_bpf(struct trial *trial); /* -EPERM: not allowed */
int trial_atomics(struct trial *trial);
int trial_task_storage(struct trial *trial);
int trial_cookie(struct trial *trial);
int trial_find_vma(struct trial *trial);
int trial_loop(struct trial *trial);
int trial_uprobe_multi(struct trial *trial);
int trial_uprobe_multi_pid(struct trial *trial);
int trial_perf_uprobe(struct trial *trial);	    /* the kernel has them */
int trial_perf_uprobe_allowed(struct trial *trial); /* -EACCES: not for this user */
int trial_breakdown(struct trial *trial);	    /* all that tells where time went */
int trial_optimised_site(struct trial *trial);	    /* whether it is worth attaching to one */
int trial_session(struct trial *trial);
int trial_tp_btf(struct trial *trial);
int trial_fault_address(struct trial *trial);
int trial_task_from_pid(struct trial *trial);
int trial_throttled(struct trial *trial);
int trial_in_iowait(struct trial *trial);
int trial_run_delay(struct trial *trial);
int trial_kernel_reads(struct trial *trial);
int trial_jit(struct trial *trial);
int trial_memory_by_cgroup(struct trial *trial);

/* Do the kernel's types name uprobe_multi? For users who may not try. */
bool trial_knows_uprobe_multi(struct trial *trial);

#endif
