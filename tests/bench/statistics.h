/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_BENCH_STATISTICS_H
#define PROBEKIT_BENCH_STATISTICS_H
/* Ratios from rounds in which both sides ran one after the other. */
#include <stddef.h>

struct ratio {
	double value; /* geometric mean of a[i] / b[i] */
	double low;   /* 95 % t interval of the mean log ratio */
	double high;
};

/* `n` >= 2 positive pairs. */
struct ratio ratio_of(const double *a, const double *b, size_t n);
double median(const double *values, size_t n);

#endif
