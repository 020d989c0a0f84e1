/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_COMPARISONS_H
#define PROBEKIT_TESTS_COMPARISONS_H
/* Comparisons made by hand, for what shows them. */
#include "out_compare.h"

enum { COMPARISON_ROOM = 10240 };

/* A view and all that it shows. Texts are borrowed. */
struct made {
	struct compare_view view;
	struct probekit_comparison_info info;
};

/* Of "./old" and "./new", 10 pairs side by side, with nothing in it. */
void made_init(struct made *made);
void made_done(struct made *made);

/* Adds a measure, of which `ratio` is known exactly to a twentieth; p follows from the verdict. Where it is
 * undecided, four pairs are missing. */
struct probekit_change *made_change(struct made *made, const char *probe, const char *measure,
				    double base, double ratio, enum probekit_verdict verdict);
/* The same with all four quantiles: p50 as given, p99 of nine times `base`, the others informational. */
void made_probe(struct made *made, const char *probe, double base, double ratio,
		enum probekit_verdict verdict);
/* Where it is undecided, seven pairs are missing. Without a change it matches no probe. */
struct probekit_rule_result *made_rule(struct made *made, const char *rule,
				       const struct probekit_change *change,
				       enum probekit_rule_state state, double estimate,
				       double bound);
struct probekit_unmatched *made_unmatched(struct made *made, const char *probe, bool is_in_head);
/* A probe whose lock wait grew: its holder is in fsync, and a hundredth of its spans have moved from 2 to
 * 16 ms. */
struct probekit_why *made_why(struct made *made, const char *probe);

/* All of these: a regression at p99 with its cause, an improvement, what is the same, and what is not
 * decided, with probes of one build. */
void made_all(struct made *made);
/* As made_all(), with rules. */
void made_all_with_rules(struct made *made);
/* `count` probes with names of several hundred hostile characters, half of them slower, each with a rule
 * that failed. */
void made_many(struct made *made, size_t count);

/* A name with all that terminals, XML, JSON and Markdown take for their own. */
extern const char made_hostile[];

/* What `print` writes, which the caller frees. */
char *made_text(int (*print)(FILE *out, const struct compare_view *view), const struct made *made);

#endif
