/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_COMPARE_VERDICT_H
#define PROBEKIT_COMPARE_VERDICT_H
/* From the runs' numbers to what is said of a change. */
#include "compare_measure.h"
#include "compare_subjects.h"
#include "error.h"
#include "paired.h"

/* A measure of a subject: what is tested, together with others. */
struct compare_hypothesis {
	const struct subject *subject;
	const struct compare_measure *measure;
	struct probekit_change change;
	struct paired paired; /* of the differences: logarithms, or of a class shares of `scale` */
	double scale;	      /* ns; 0: logarithms */
	double floor_ns;      /* that an empty span reads; 0: not known */
	bool is_tested;
};

/*
 * Fills everything that the hypothesis says by itself, and its differences, `pairs` of them: NAN where a run
 * has none. `subject` and `measure` are set.
 */
void compare_hypothesis_weigh(struct compare_hypothesis *hypothesis, size_t pairs,
			      double *differences);
/* Tests them together, and gives the verdicts. `differences` of all, one's after the other's. -ENOMEM. */
int compare_hypotheses_decide(struct compare_hypothesis *hypotheses, size_t size, size_t pairs,
			      const double *differences, double delta, struct probekit_error *err);
/* The increase, relative (0.1 for 10 %) or in ns, with the upper end of its 90 % interval; NAN: not known. */
double compare_increase(const struct compare_hypothesis *hypothesis, bool is_absolute,
			double *upper);

#endif
