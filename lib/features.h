/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_FEATURES_H
#define PROBEKIT_FEATURES_H
/* What this kernel and this user's privileges allow, found by trying, never by version. */
#include "error.h"
#include "trials.h"

enum feature {
	FEATURE_BTF,
	FEATURE_BPF, /* programs may be loaded: privilege */
	FEATURE_ATOMICS,
	FEATURE_TASK_STORAGE,
	FEATURE_COOKIE,
	FEATURE_FIND_VMA,
	FEATURE_LOOP,
	FEATURE_UPROBE_MULTI,	  /* uprobe_multi links, for any process */
	FEATURE_UPROBE_MULTI_PID, /* ... and their PID filter includes every thread */
	FEATURE_PERF_UPROBE,
	FEATURE_NOP5,	    /* attach at the nop5 of our sites; tested by running one */
	FEATURE_NOP10,	    /* the same for the nop10 */
	FEATURE_FORK_CHECK, /* ... used only where a forked child survives it */
	FEATURE_BREAKDOWN,  /* where the time went */
	FEATURE_TASK_FROM_PID,
	FEATURE_FAULT_ADDRESS,
	/* From here on: not tried when a measurement starts, as nothing there depends on them or
	 * loading the programs tells as well. */
	FEATURE_PERF_UPROBE_ALLOWED,
	FEATURE_SESSION,
	FEATURE_TP_BTF,
	FEATURE_THROTTLED,
	FEATURE_IN_IOWAIT,
	FEATURE_RUN_DELAY,
	FEATURE_KERNEL_READS,
	FEATURE_JIT,
	FEATURE_MEMORY_BY_CGROUP,
	FEATURE_COUNT,
};
#define FEATURE_START_COUNT FEATURE_PERF_UPROBE_ALLOWED

struct features {
	bool lacks_memory;	 /* what is there could not be found out */
	bool has[FEATURE_COUNT]; /* false for those that were not tried */
};

struct feature_info {
	const char *name; /* as in PROBEKIT_DISABLE_FEATURES */
	const char *title;
	int (*try)(struct trial *trial);
	bool is_required; /* without it nothing can be measured */
	bool needs_types; /* the trial tells nothing where FEATURE_BTF is missing */
	bool needs_bpf;	  /* the same for FEATURE_BPF */
	const char *found;
	const char *missing;
	const char *cost;   /* of its absence */
	const char *partly; /* cost of the lesser form; NULL: there is none */
	const char *advice;
	const char *command; /* mends it as it stands; NULL: no command does */
};

const struct feature_info *features_info(enum feature feature);
/* Is it named in the environment variable PROBEKIT_DISABLE_FEATURES? */
bool features_is_disabled(enum feature feature);

/*
 * Fills the table up to FEATURE_START_COUNT. Features named in the environment variable
 * PROBEKIT_DISABLE_FEATURES (a list parted by commas: "uprobe_multi", "uprobe_multi_pid", "nop5",
 * "nop10", "breakdown", "fork_check") are taken as missing, so that fallbacks can be tested and
 * measured where the kernel needs none. FEATURE_NOP5 and _NOP10 say only whether they may be tried. Without
 * "fork_check" an optimised site is used even where it kills forked children: for benchmarks of
 * targets that do not fork. `types` gets the kernel's types, if they were read, else NULL; it may be NULL.
 */
void features_detect(struct features *features, struct kernel_types **types);

/* 0 when a measurement is possible at all, else the first missing feature or privilege as an error
 * of kind UNAVAILABLE. */
int features_require(const struct features *features, struct probekit_error *err);

/* uprobe_multi when it serves this use, else perf events; UNAVAILABLE when neither does. */
int features_choose_attach(const struct features *features, bool with_pid, bool *use_multi,
			   struct probekit_error *err);

#endif
