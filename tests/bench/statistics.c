/* SPDX-License-Identifier: BSD-2-Clause */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "paired.h"

static const struct ratio no_ratio = {.value = NAN, .low = NAN, .high = NAN, .half_width = NAN};

/* How many standard errors the 95 % interval of a mean of n values, 2 or more, goes to either side. */
static double errors_of_interval(size_t n)
{
	return student_quantile(0.975, (double)n - 1);
}

static double log_ratio(double a, double b)
{
	return a > 0 && b > 0 ? log(a / b) : NAN;
}

struct ratio ratio_of(const double *a, const double *b, size_t n)
{
	struct ratio ratio = no_ratio;
	double sum = 0;
	double squares = 0;
	double mean;
	double half = INFINITY;

	for (size_t i = 0; i < n; i++)
		sum += log_ratio(a[i], b[i]);
	if (isnan(sum) || n == 0)
		return ratio;
	mean = sum / (double)n;
	for (size_t i = 0; i < n; i++)
		squares += pow(log_ratio(a[i], b[i]) - mean, 2);
	if (n > 1)
		half = errors_of_interval(n) * sqrt(squares / (double)(n - 1) / (double)n);
	ratio.value = exp(mean);
	ratio.low = exp(mean - half);
	ratio.high = exp(mean + half);
	ratio.half_width = expm1(half);
	return ratio;
}

/* Of what two sides add: the means, and of these means the variances and the covariance. */
struct added {
	double x;
	double y;
	double xx;
	double yy;
	double xy;
};

static struct added added_of(const double *a, const double *b, const double *over, size_t n)
{
	struct added mean = {0};

	for (size_t i = 0; i < n; i++) {
		mean.x += (a[i] - over[i]) / (double)n;
		mean.y += (b[i] - over[i]) / (double)n;
	}
	for (size_t i = 0; i < n; i++) {
		double x = a[i] - over[i] - mean.x;
		double y = b[i] - over[i] - mean.y;

		mean.xx += x * x / (double)(n - 1) / (double)n;
		mean.yy += y * y / (double)(n - 1) / (double)n;
		mean.xy += x * y / (double)(n - 1) / (double)n;
	}
	return mean;
}

/*
 * Fieller's interval ("Some problems in interval estimation", J. R. Stat. Soc. B 16, 1954) is of all r for
 * which x - r y is no more than t of its own standard errors away from 0. These are the numbers between
 * the roots of
 *	(y^2 - t^2 yy) r^2 - 2 (x y - t^2 xy) r + (x^2 - t^2 xx)
 * as long as y itself is further than that away from 0; else there is no end to them.
 */
struct ratio ratio_of_added(const double *a, const double *b, const double *over, size_t n)
{
	struct ratio ratio = no_ratio;
	double t2 = n > 1 ? pow(errors_of_interval(n), 2) : NAN;
	struct added mean = added_of(a, b, over, n);
	double square = mean.y * mean.y - t2 * mean.yy;
	double half = mean.x * mean.y - t2 * mean.xy;
	double constant = mean.x * mean.x - t2 * mean.xx;
	double root;

	if (!(mean.y > 0 && square > 0))
		return ratio;
	/* equal rounds: 0 but for rounding */
	root = sqrt(fmax(half * half - square * constant, 0));
	ratio.value = mean.x / mean.y;
	ratio.low = (half - root) / square;
	ratio.high = (half + root) / square;
	ratio.half_width =
		fmax(ratio.high - ratio.value, ratio.value - ratio.low) / fabs(ratio.value);
	return ratio;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double quantile(const double *values, size_t n, double q)
{
	double *sorted = n ? malloc(n * sizeof(*sorted)) : NULL;
	double at = n ? q * (double)(n - 1) : 0;
	size_t below = (size_t)at;
	double result;

	if (!sorted)
		return NAN;
	memcpy(sorted, values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), ascending);
	result = sorted[below];
	if (below + 1 < n)
		result += (at - (double)below) * (sorted[below + 1] - sorted[below]);
	free(sorted);
	return result;
}

double median(const double *values, size_t n)
{
	return quantile(values, n, 0.5);
}

double slope(const double *x, const double *y, size_t n)
{
	double mean_x = 0;
	double mean_y = 0;
	double squares = 0;
	double products = 0;

	for (size_t i = 0; i < n; i++) {
		mean_x += x[i] / (double)n;
		mean_y += y[i] / (double)n;
	}
	for (size_t i = 0; i < n; i++) {
		squares += (x[i] - mean_x) * (x[i] - mean_x);
		products += (x[i] - mean_x) * (y[i] - mean_y);
	}
	return squares > 0 ? products / squares : NAN;
}
