/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_BUILDS_H
#define PROBEKIT_TESTS_BUILDS_H
/* Runs of two builds made by hand, of a known difference and a known spread from run to run. */
#include "samples.h"
#include "snapshots.h"

#include <probekit/compare.h>

#define MS 1e6

enum { BUILDS_PAIRS_MAX = 40, BUILDS_PROBES_MAX = 32 };

/* A probe of a build: what its runs are drawn from. */
struct build_probe {
	const char *name;
	enum probekit_kind kind;
	double median_ns;
	double spread;	   /* standard deviation of ln(time) from span to span */
	double run_spread; /* and of all spans of a run, from run to run */
	uint64_t count;	   /* spans a run; 0: it was not called */
	double slow_share; /* of the spans that take `slow_factor` as long */
	double slow_factor;
	double lock_share; /* of the time that is waited for locks; the rest runs */
};

struct builds {
	struct samples random; /* the generator alone */
	struct probekit_snapshot *base[BUILDS_PAIRS_MAX];
	struct probekit_snapshot *head[BUILDS_PAIRS_MAX];
	size_t pairs;
};

/* An empty pair list; `seed` of every random number. */
void builds_init(struct builds *builds, uint64_t seed);
/* Adds pairs of runs; a list of probes ends where its name is NULL. */
void builds_add(struct builds *builds, size_t pairs, const struct build_probe *base,
		const struct build_probe *head);
struct probekit_comparison *builds_compare(const struct builds *builds, double delta,
					   const char *const *rules);
void builds_done(struct builds *builds);

/* "web:request", of 1 ms, which scatters little from run to run; and the end of a list. */
extern const struct build_probe build_plain;
extern const struct build_probe build_none;
/* Base and head with one probe, compared with a delta of 2 %. */
struct probekit_comparison *builds_compare_one(struct builds *builds, size_t pairs,
					       const struct build_probe *base,
					       const struct build_probe *head,
					       const char *const *rules);
/* Fails where there is none. */
const struct probekit_change *builds_change(const struct probekit_comparison *comparison,
					    const char *probe, const char *measure);

#endif
