/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PAIRED_H
#define PROBEKIT_PAIRED_H
/*
 * Statistics of paired differences, as pure functions. Everywhere a value that is NAN is a pair in which
 * the difference is not known: it is left out.
 */
#include <stddef.h>
#include <stdint.h>

/* The number that Student's t of `df` > 0 degrees of freedom is below with probability `p`, in (0, 1). */
double student_quantile(double p, double df);

struct paired {
	size_t count;	  /* of the values that are known */
	double mean;	  /* NAN without values */
	double deviation; /* sample standard deviation; NAN with fewer than two */
};
struct paired paired_of(const double *values, size_t size);
/* Half the width of the interval around the mean that holds the true one with probability `level`, by
 * Student's t; NAN with fewer than two values. */
double paired_half_width(const struct paired *paired, double level);

/* What a test over all flips says of one hypothesis. */
struct flip_result {
	double statistic; /* mean / ((deviation + s0) / sqrt(count)); NAN: not tested */
	double s0;	  /* NAN with fewer than two values */
	double p_greater; /* adjusted, that the mean is above 0; NAN: not tested */
	double p_less;
};

/*
 * Westfall and Young's single-step max-T with sign flips. `values[h * pairs + r]` is the difference of
 * hypothesis h in pair r. Under the null each pair's sign may as well have been the other one, of all hypotheses
 * together: so one sign a pair for all of them, every one of the 2^pairs flips up to 12 pairs, else 4,096: the
 * one that was seen, 2,047 at random from `seed`, and the mirror images of all these. s0 is half the median of the
 * deviations of the hypotheses of one group, anew for each flip: medians scatter a tenth as much as tails do, and
 * would be lost in a common one. `groups` has a number below FLIP_GROUPS_MAX for each; NULL: one group. A hypothesis
 * with fewer than two values, or no deviation and no s0 and mean 0, is not tested.
 *
 * `critical` is what the largest statistic stays below in 95 % of flips (NAN: nothing was tested); the
 * directions have the same one, as every flip's mirror image is a flip. -ENOMEM.
 */
enum { FLIP_GROUPS_MAX = 32 };
int flip_test(const double *values, const unsigned int *groups, size_t hypotheses, size_t pairs,
	      uint64_t seed, struct flip_result *results, double *critical);

#endif
