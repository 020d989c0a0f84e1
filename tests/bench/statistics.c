/* SPDX-License-Identifier: BSD-2-Clause */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Two-sided 95 % quantile of Student's t; from 4 degrees of freedom on by the Cornish-Fisher
 * expansion about the normal one (Abramowitz and Stegun 26.7.5), within 0.5 %. */
static double student_t95(size_t degrees)
{
	static const double exact[] = {INFINITY, 12.7062, 4.3027, 3.1824};
	const double z = 1.959963985;
	double n = (double)degrees;
	double z3 = z * z * z;
	double z5 = z3 * z * z;
	double z7 = z5 * z * z;
	double z9 = z7 * z * z;

	if (degrees < sizeof(exact) / sizeof(*exact))
		return exact[degrees];
	return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n) +
	       (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * n * n * n) +
	       (79 * z9 + 776 * z7 + 1482 * z5 - 1920 * z3 - 945 * z) / (92160 * n * n * n * n);
}

static double log_ratio(const double *a, const double *b, const double *over, size_t i)
{
	double base = over ? over[i] : 0;
	double x = a[i] - base;
	double y = b[i] - base;

	return x > 0 && y > 0 ? log(x / y) : NAN;
}

struct ratio ratio_of(const double *a, const double *b, const double *over, size_t n)
{
	struct ratio ratio = {.value = NAN, .low = NAN, .high = NAN, .half_width = NAN};
	double sum = 0;
	double squares = 0;
	double mean;
	double half = INFINITY;

	for (size_t i = 0; i < n; i++) {
		double each = log_ratio(a, b, over, i);

		ratio.useless += isnan(each) != 0;
		sum += each;
	}
	if (ratio.useless || n == 0)
		return ratio;
	mean = sum / (double)n;
	for (size_t i = 0; i < n; i++)
		squares += pow(log_ratio(a, b, over, i) - mean, 2);
	if (n > 1)
		half = student_t95(n - 1) * sqrt(squares / (double)(n - 1) / (double)n);
	ratio.value = exp(mean);
	ratio.low = exp(mean - half);
	ratio.high = exp(mean + half);
	ratio.half_width = expm1(half);
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
