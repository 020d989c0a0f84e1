/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns the statistics of paired differences: Student's t, and the test over all sign flips of
 * Westfall and Young, "Resampling-Based Multiple Testing" (1993), with the constant added to the
 * deviations that Tusher, Tibshirani and Chu gave them (PNAS 98, 2001): without it the hypothesis
 * that happens to vary least is the one that stands out.
 *
 * Of a flip only the sum of each hypothesis has to be added up anew: the sum of the squares stays,
 * and the deviation follows from both. Its mirror image has the same statistics with another sign.
 */
#include "paired.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_PAIRS 12
#define FLIPS 4096 /* at most; those of EXACT_PAIRS */
#define FLIPS_BELOW_CRITICAL 0.95
/* What is equal but for rounding, of statistics: values of one size are common, as quantiles are
 * middles of buckets, and each flip adds them up in another order. */
#define TIE 1e-9

/* ---- Student's t ---- */

/* The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8) by Lentz's
 * method; converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double x, double a, double b)
{
	double c = 1;
	double d = 1 / (1 - (a + b) * x / (a + 1));
	double fraction = d;

	for (int m = 1; m < 10000; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		double before = fraction;

		d = 1 / (1 + even * d);
		c = 1 + even / c;
		fraction *= c * d;
		d = 1 / (1 + odd * d);
		c = 1 + odd / c;
		fraction *= c * d;
		if (fabs(fraction - before) <= DBL_EPSILON * fabs(fraction))
			break;
	}
	return fraction;
}

/* ln B(df / 2, 1 / 2) */
static double log_beta_half(double df)
{
	int sign;

	return lgamma_r(df / 2, &sign) + lgamma_r(0.5, &sign) - lgamma_r((df + 1) / 2, &sign);
}

/* The probability of more than t > 0, and the density there. */
static double student_tail(double t, double df, double log_beta, double *density)
{
	double square = t * t / df;
	double x = 1 / (1 + square);
	double a = df / 2;
	double b = 0.5;
	double front = exp(-a * log1p(square) - b * log1p(1 / square) - log_beta);

	*density = front / t;
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(x, a, b) / a / 2;
	return (1 - front * beta_fraction(square * x, b, a) / b) / 2;
}

double student_quantile(double p, double df)
{
	double tail = p < 0.5 ? p : 1 - p;
	double log_beta = log_beta_half(df);
	double t = (0.5 - tail) * sqrt(df) * exp(log_beta);

	/* Newton's method: the tail falls ever less steeply, so that each step ends before the root. */
	for (int i = 0; i < 1000 && t > 0; i++) {
		double density;
		double step = (student_tail(t, df, log_beta, &density) - tail) / density;

		if (!(step > DBL_EPSILON * t))
			break;
		t += step;
	}
	return p < 0.5 ? -t : t;
}

/* ---- one hypothesis ---- */

struct paired paired_of(const double *values, size_t size)
{
	struct paired paired = {.mean = NAN, .deviation = NAN};
	double origin = 0;
	double sum = 0;
	double squares = 0;

	/* Taken from one of them, equal values have no deviation, and no rounding. */
	for (size_t i = 0; i < size; i++) {
		if (isnan(values[i]))
			continue;
		if (!paired.count++)
			origin = values[i];
		sum += values[i] - origin;
	}
	if (!paired.count)
		return paired;
	paired.mean = origin + sum / (double)paired.count;
	if (paired.count < 2)
		return paired;
	for (size_t i = 0; i < size; i++) {
		double distance = values[i] - origin - sum / (double)paired.count;

		squares += isnan(values[i]) ? 0 : distance * distance;
	}
	paired.deviation = sqrt(squares / (double)(paired.count - 1));
	return paired;
}

double paired_half_width(const struct paired *paired, double level)
{
	double df = (double)paired->count - 1;

	if (paired->count < 2)
		return NAN;
	return student_quantile((1 + level) / 2, df) * paired->deviation / sqrt(df + 1);
}

/* ---- all hypotheses ---- */

/* Hypotheses with two values or more. A row is of a pair: one loop then adds up all hypotheses. */
struct table {
	size_t pairs;
	size_t size;
	size_t *from; /* which of the given hypotheses it is; those of one group together */
	size_t begin[FLIP_GROUPS_MAX + 1]; /* of each group */
	double *values;			   /* pairs x size; 0: not known */
	double *count;	 /* of those that are known; this and all below have `size` elements */
	double *squares; /* sum of them */
	double *sum;	 /* of one flip, this and below */
	double *deviation;
	double *s0;	 /* of its group */
	double *ordered; /* deviations, for their median */
	double *signs;	 /* of the pairs, 1 or -1 */
};

static void table_done(struct table *table)
{
	free(table->from);
	free(table->values);
	free(table->count);
	free(table->signs);
}

static void order_by_group(const double *values, const unsigned int *groups, size_t hypotheses,
			   struct table *table)
{
	for (size_t g = 0; g < FLIP_GROUPS_MAX; g++) {
		table->begin[g] = table->size;
		for (size_t h = 0; h < hypotheses; h++)
			if ((groups ? groups[h] : 0) == g &&
			    paired_of(&values[h * table->pairs], table->pairs).count >= 2)
				table->from[table->size++] = h;
	}
	table->begin[FLIP_GROUPS_MAX] = table->size;
}

static int table_init(const double *values, const unsigned int *groups, size_t hypotheses,
		      size_t pairs, struct table *table)
{
	*table = (struct table){.pairs = pairs};
	table->from = calloc(hypotheses + 1, sizeof(*table->from));
	if (table->from)
		order_by_group(values, groups, hypotheses, table);
	table->values = calloc(table->size + 1, pairs * sizeof(*table->values));
	table->count = calloc(table->size + 1, 6 * sizeof(*table->count));
	table->signs = calloc(pairs, sizeof(*table->signs));
	if (!table->from || !table->values || !table->count || !table->signs) {
		table_done(table);
		return -ENOMEM;
	}
	table->squares = table->count + table->size;
	table->sum = table->squares + table->size;
	table->deviation = table->sum + table->size;
	table->s0 = table->deviation + table->size;
	table->ordered = table->s0 + table->size;
	for (size_t i = 0; i < table->size; i++) {
		for (size_t r = 0; r < pairs; r++) {
			double value = values[table->from[i] * pairs + r];

			if (isnan(value))
				continue;
			table->values[r * table->size + i] = value;
			table->squares[i] += value * value;
			table->count[i]++;
		}
	}
	return 0;
}

/* The k-th smallest, at its place, with nothing larger before it and nothing smaller behind it:
 * Hoare's method. */
static double select_smallest(double *values, size_t size, size_t k)
{
	ptrdiff_t first = 0;
	ptrdiff_t last = (ptrdiff_t)size - 1;

	while (first < last) {
		double pivot = values[k];
		ptrdiff_t i = first;
		ptrdiff_t j = last;

		while (i <= j) {
			double swapped;

			while (values[i] < pivot)
				i++;
			while (values[j] > pivot)
				j--;
			if (i > j)
				break;
			swapped = values[i];
			values[i++] = values[j];
			values[j--] = swapped;
		}
		if (j < (ptrdiff_t)k)
			first = i;
		if (i > (ptrdiff_t)k)
			last = j;
	}
	return values[k];
}

static double median(double *values, size_t size)
{
	double upper = select_smallest(values, size, size / 2);
	double lower = upper;

	if (size % 2 == 0) {
		lower = values[0];
		for (size_t i = 1; i < size / 2; i++)
			lower = fmax(lower, values[i]);
	}
	return (lower + upper) / 2;
}

static void find_s0(struct table *table)
{
	memcpy(table->ordered, table->deviation, table->size * sizeof(*table->ordered));
	for (size_t g = 0; g < FLIP_GROUPS_MAX; g++) {
		size_t begin = table->begin[g];
		size_t size = table->begin[g + 1] - begin;
		double s0 = size ? median(&table->ordered[begin], size) / 2 : 0;

		for (size_t i = begin; i < begin + size; i++)
			table->s0[i] = s0;
	}
}

/* Sums, deviations and s0 under the signs. */
static void flip(struct table *table)
{
	memset(table->sum, 0, table->size * sizeof(*table->sum));
	for (size_t r = 0; r < table->pairs; r++) {
		const double *row = &table->values[r * table->size];

		for (size_t i = 0; i < table->size; i++)
			table->sum[i] += table->signs[r] * row[i];
	}
	for (size_t i = 0; i < table->size; i++) {
		double count = table->count[i];
		double squares = table->squares[i] - table->sum[i] * table->sum[i] / count;
		/* What rounding leaves of equal values. */
		bool is_zero = squares <= 4 * count * DBL_EPSILON * table->squares[i];

		table->deviation[i] = is_zero ? 0 : sqrt(squares / (count - 1));
	}
	find_s0(table);
}

static double statistic(const struct table *table, size_t i)
{
	if (table->sum[i] == 0)
		return 0;
	return table->sum[i] / ((table->deviation[i] + table->s0[i]) * sqrt(table->count[i]));
}

/* Of the n-th flip, no two of which are mirror images. The first is what was seen. */
static void set_signs(struct table *table, size_t n, bool is_exact, uint64_t *state)
{
	/* The last pair's sign stays: where it is the other one, that is the mirror image. */
	for (size_t r = 0; r < table->pairs; r++) {
		bool is_flipped = false;

		if (is_exact) {
			is_flipped = n >> r & 1;
		} else if (n > 0 && r + 1 < table->pairs) {
			/* A step of a 64-bit linear congruential generator, of which the top bit is the best */
			*state = *state * 6364136223846793005 + 1442695040888963407;
			is_flipped = *state >> 63;
		}
		table->signs[r] = is_flipped ? -1 : 1;
	}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The share of flips whose largest statistic is this one or above. */
static double share_from(const double *largest, size_t flips, double at)
{
	double least = isinf(at) ? at : at - TIE * fmax(1, fabs(at));
	size_t low = 0;
	size_t high = flips;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (largest[middle] < least)
			low = middle + 1;
		else
			high = middle;
	}
	return (double)(flips - low) / (double)flips;
}

/* Fills the largest statistic of each flip, ascending, and the statistics of what was seen. */
static void flip_all(struct table *table, uint64_t seed, struct flip_result *results,
		     double *largest, size_t flips)
{
	bool is_exact = table->pairs <= EXACT_PAIRS;

	for (size_t n = 0; n < flips / 2; n++) {
		double highest = -INFINITY;
		double lowest = INFINITY;

		set_signs(table, n, is_exact, &seed);
		flip(table);
		for (size_t i = 0; i < table->size; i++) {
			double t = statistic(table, i);

			highest = t > highest ? t : highest;
			lowest = t < lowest ? t : lowest;
			if (n == 0) {
				results[table->from[i]].statistic = t;
				results[table->from[i]].s0 = table->s0[i];
			}
		}
		largest[2 * n] = highest;
		largest[2 * n + 1] = -lowest;
	}
	qsort(largest, flips, sizeof(*largest), ascending);
}

int flip_test(const double *values, const unsigned int *groups, size_t hypotheses, size_t pairs,
	      uint64_t seed, struct flip_result *results, double *critical)
{
	size_t flips = pairs <= EXACT_PAIRS ? (size_t)1 << pairs : FLIPS;
	double largest[FLIPS];
	struct table table;

	for (size_t h = 0; h < hypotheses; h++)
		results[h] = (struct flip_result){NAN, NAN, NAN, NAN};
	*critical = NAN;
	if (pairs < 2)
		return 0;
	if (table_init(values, groups, hypotheses, pairs, &table))
		return -ENOMEM;
	if (table.size)
		flip_all(&table, seed, results, largest, flips);
	for (size_t i = 0; i < table.size; i++) {
		struct flip_result *result = &results[table.from[i]];

		if (table.squares[i] == 0 && result->s0 == 0) {
			result->statistic = NAN;
			continue;
		}
		result->p_greater = share_from(largest, flips, result->statistic);
		result->p_less = share_from(largest, flips, -result->statistic);
		*critical = largest[(size_t)ceil(FLIPS_BELOW_CRITICAL * (double)flips) - 1];
	}
	table_done(&table);
	return 0;
}
