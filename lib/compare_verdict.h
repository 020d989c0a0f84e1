/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_COMPARE_VERDICT_H
#define PROBEKIT_COMPARE_VERDICT_H
/* From the runs' numbers to what is said of a change. */
#include "compare_measure.h"
#include "compare_subjects.h"
#include "error.h"
#include "paired.h"

#define COMPARE_ALPHA 0.05 /* what is called certain is wrong once in so many times */

/* A measure of a subject: what is tested, together with others. */
struct compare_hypothesis {
	const struct subject *subject;
	const struct compare_measure *measure;
	struct probekit_change change;
	struct paired paired; /* of the differences: logarithms, or shares of `scale` */
	double scale;	      /* in the measure's unit; 0: logarithms */
	double floor_ns;      /* that the probe itself reads, at most; 0: not known */
	double s0;	      /* of its test, with the family's `critical`; NAN: not tested */
	double critical;
	bool is_tested;
};

/*
 * Fills everything that the hypothesis says by itself, and its differences, `pairs` of them: NAN where a run
 * has none. `subject` and `measure` are set.
 */
void compare_hypothesis_weigh(struct compare_hypothesis *hypothesis, size_t pairs,
			      double *differences);
/* Are more than this share of its spans lost, in any run? */
bool compare_has_lost(const struct subject *subject, size_t pairs, double share);
/* Tests them together, and gives the verdicts. `differences` of all, one's after the other's. -ENOMEM. */
int compare_hypotheses_decide(struct compare_hypothesis *hypotheses, size_t size, size_t pairs,
			      const double *differences, double delta, struct probekit_error *err);

/* What a rule says of its hypothesis: `rule`, `bound` and `is_absolute` of the result are set. */
void compare_judge(const struct compare_hypothesis *hypothesis, double delta,
		   struct probekit_rule_result *result);

#endif
