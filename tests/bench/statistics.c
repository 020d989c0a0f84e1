/* SPDX-License-Identifier: BSD-2-Clause */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Two-sided 95 % quantile of Student's t; Cornish-Fisher expansion about the normal one
 * (Abramowitz and Stegun 26.7.5), within 0.5 % from 4 degrees of freedom on. */
static double student_t95(size_t degrees)
{
	const double z = 1.959963985;
	double n = (double)degrees;
	double z3 = z * z * z;
	double z5 = z3 * z * z;
	double z7 = z5 * z * z;
	double z9 = z7 * z * z;

	return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n) +
	       (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * n * n * n) +
	       (79 * z9 + 776 * z7 + 1482 * z5 - 1920 * z3 - 945 * z) / (92160 * n * n * n * n);
}

struct ratio ratio_of(const double *a, const double *b, size_t n)
{
	double sum = 0;
	double squares = 0;
	double mean;
	double half;

	for (size_t i = 0; i < n; i++)
		sum += log(a[i] / b[i]);
	mean = sum / (double)n;
	for (size_t i = 0; i < n; i++)
		squares += pow(log(a[i] / b[i]) - mean, 2);
	half = student_t95(n - 1) * sqrt(squares / (double)(n - 1) / (double)n);
	return (struct ratio){
		.value = exp(mean), .low = exp(mean - half), .high = exp(mean + half)};
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double median(const double *values, size_t n)
{
	double *sorted = malloc(n * sizeof(*sorted));
	double middle;

	if (!sorted || n == 0) {
		free(sorted);
		return NAN;
	}
	memcpy(sorted, values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), ascending);
	middle = n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
	free(sorted);
	return middle;
}
