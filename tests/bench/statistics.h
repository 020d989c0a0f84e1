/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_BENCH_STATISTICS_H
#define PROBEKIT_BENCH_STATISTICS_H
/* Ratios from rounds in which all sides ran one after the other. */
#include <stddef.h>

struct ratio {
	double value; /* NAN: there is no figure */
	double low;   /* 95 % interval */
	double high;
	double half_width; /* relative to the value, of the wider side */
};

/* The geometric mean of a[i] / b[i], and the t interval of the mean logarithm. No figure where a value is not above
 * 0; one round gives a value with an endless interval. */
struct ratio ratio_of(const double *a, const double *b, size_t n);
/* What `a` adds to `over` on the average, by what `b` adds: in single rounds either may be below 0. No
 * figure where it is not certain that `b` adds anything, as after one round. */
struct ratio ratio_of_added(const double *a, const double *b, const double *over, size_t n);

/* All of these are NAN when n is 0. */
double median(const double *values, size_t n);
/* The q-quantile, 0 to 1, between the neighbours in proportion. */
double quantile(const double *values, size_t n, double q);
/* Of the least-squares line through (x[i], y[i]); n >= 2, and not all x alike. */
double slope(const double *x, const double *y, size_t n);

#endif
