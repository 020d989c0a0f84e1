/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_COMPARE_MEASURE_H
#define PROBEKIT_COMPARE_MEASURE_H
/* What is compared of a probe: a number that each run gives. */
#include <probekit/compare.h>

struct compare_measure {
	const char *name; /* "p50", "mean", "lock": static */
	double quantile;  /* in (0, 1); 0: none */
	bool is_class;	  /* the mean time per span in `time_class` */
	enum probekit_class time_class;
	bool is_tested_always; /* without rules too */
	bool is_informational; /* never tested */
};

/* Those of every probe. NULL beyond the last. */
const struct compare_measure *compare_measure_at(size_t i);
/* By its name of `length` characters; NULL: there is none. */
const struct compare_measure *compare_measure_find(const char *name, size_t length);

/* Another for each, from 0 on. */
unsigned int compare_measure_number(const struct compare_measure *measure);

/* What the run's row says; NAN: nothing, for want of spans (a hundred for p99) or of a breakdown, or as it was not
 * probed to the end. Quantiles are
 * interpolated within their bucket, so that what differs by less than its width can be seen. */
double compare_measure_value(const struct compare_measure *measure,
			     const struct probekit_probe *row);

#endif
