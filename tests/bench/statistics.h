/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_BENCH_STATISTICS_H
#define PROBEKIT_BENCH_STATISTICS_H
/* Ratios from rounds in which all sides ran one after the other. */
#include <stddef.h>

struct ratio {
	double value; /* geometric mean of the rounds' ratios; NAN: there is no figure */
	double low;   /* 95 % t interval of the mean log ratio */
	double high;
	double half_width; /* relative: high / value - 1 */
	size_t useless;	   /* rounds in which a side was not positive: the cause of a NAN */
};

/* Of a[i] / b[i], or where `over` is not NULL of what each adds to over[i]. One round gives a value
 * with an endless interval. */
struct ratio ratio_of(const double *a, const double *b, const double *over, size_t n);

/* All of these are NAN when n is 0. */
double median(const double *values, size_t n);
/* The q-quantile, 0 to 1, between the neighbours in proportion. */
double quantile(const double *values, size_t n, double q);
/* Of the least-squares line through (x[i], y[i]); n >= 2, and not all x alike. */
double slope(const double *x, const double *y, size_t n);

#endif
