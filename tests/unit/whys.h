/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_WHYS_H
#define PROBEKIT_TESTS_WHYS_H
/* Runs of two builds of one probe, and why they differ. Any failure fails the test. */
#include "compare_why.h"

#include "snapshots.h"

#define MS 1000000

enum { PAIRS_MAX = 10, SPANS = 100 };

extern struct whys {
	struct probekit_snapshot *base[PAIRS_MAX];
	struct probekit_snapshot *head[PAIRS_MAX];
	size_t pairs;
	struct subjects subjects;
	struct probekit_why why;
} whys;

/* Runs of `count` pairs that have done nothing yet. */
void whys_begin(size_t count);
/* A teardown. */
int whys_end(void **state);
/* The spans of the tail are in the class so long, for no known cause. */
void spend(struct probekit_snapshot *run, enum probekit_class time_class, double ns_per_span);
/* The same, in waits that are known. */
void wait_in(struct probekit_snapshot *run, struct probekit_wait wait, double ns_per_span);
/* In spans of no tail. */
void wait_fast(struct probekit_snapshot *run, struct probekit_wait wait, double ns_per_span);
struct probekit_wait lock_wait(uint64_t address, const char *symbol, const char *place);
struct probekit_wait file_wait(const char *call, const char *file);
void explain_tails(void);
/* Fills whys.why. */
void whys_ask(void);

void assert_ns(double found, double expected);
void assert_class(size_t i, enum probekit_class time_class, double base_ns, double head_ns);
void assert_cause(size_t i, double base_ns, double head_ns);

#endif
