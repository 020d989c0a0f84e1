/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_COMPARE_RULES_H
#define PROBEKIT_COMPARE_RULES_H
/* Rules as text: "[PROBE ]MEASURE>+BOUND". */
#include "compare_measure.h"
#include "error.h"

struct compare_rule {
	const char *text; /* the caller's */
	char *glob;	  /* of probes' names; NULL: all */
	const struct compare_measure *measure;
	double bound; /* a share, or ns (of kind VALUE: units) */
	bool is_absolute;
	bool is_quantity; /* without a unit: of kind VALUE alone */
};

/* -EINVAL, with the rule and what is wrong with it; -ENOMEM. */
int compare_rule_parse(const char *text, struct compare_rule *rule, struct probekit_error *err);
void compare_rule_done(struct compare_rule *rule);

#endif
