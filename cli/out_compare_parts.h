/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_OUT_COMPARE_PARTS_H
#define PROBEKIT_CLI_OUT_COMPARE_PARTS_H
/* What the outputs of a comparison are put together from. Texts have control characters escaped. */
#include "format.h"
#include "out_compare.h"
#include "out_parts.h"

enum {
	COMPARE_TEXT = 640, /* of a sentence */
	COMPARE_VERDICTS = PROBEKIT_VERDICT_REGRESS + 1,
	COMPARE_STATES = PROBEKIT_RULE_FAILED + 1,
};

/* A probe of both builds. */
struct compare_probe {
	const struct probekit_change *const *changes;
	size_t size;
	/* Of its measures that are decided: REGRESS if one is, else IMPROVE, else UNDECIDED, else SAME. */
	enum probekit_verdict verdict;
	double distance; /* of that verdict's measures from 1, by the logarithm; the largest */
	const struct probekit_why *why; /* NULL: not told */
	const struct probekit_change
		*failed; /* of the first rule that failed in it; NULL: none did */
};

struct compare_summary {
	struct compare_probe *probes;	    /* as the comparison has them */
	const struct compare_probe **order; /* worst first */
	size_t probe_count;
	size_t verdicts[COMPARE_VERDICTS]; /* probes that have it */
	size_t rule_count;		   /* different ones, whatever probes they are applied to */
	size_t unmatched_rules;		   /* of these, that name no probe of both builds */
	size_t states[COMPARE_STATES]; /* of the others: FAILED in one probe, else UNDECIDED, else PASSED */
	size_t pairs_more;	       /* about, to decide the first that is not; 0: not known */
};

/* -ENOMEM. */
int out_compare_summary_init(struct compare_summary *summary, const struct compare_view *view);
void out_compare_summary_done(struct compare_summary *summary);
/* The probe of that name; NULL: there is none. The search starts at `*at`, which is moved there. */
const struct compare_probe *out_compare_find(const struct compare_summary *summary,
					     const char *name, size_t *at);

/* The outcome in one sentence without a full stop. */
void out_compare_sentence(const struct compare_view *view, const struct compare_summary *summary,
			  char text[static COMPARE_TEXT]);
/* "10 pairs, sliced (both stay on a CPU)" */
void out_compare_method(const struct compare_view *view, char text[static COMPARE_TEXT]);
/* "REGRESS" and "FAILED" stand out from the others in capitals. */
const char *out_compare_verdict(const struct probekit_change *change);
const char *out_compare_state(const struct probekit_rule_result *rule);
/* p in the direction of the verdict, or in the likelier one. */
double out_compare_p(const struct probekit_change *change);
struct format out_compare_value(const struct probekit_change *change, double value);
/* An increase as the rule's bound has it: "+10 %", "+50 us". */
struct format out_compare_increase(const struct probekit_rule_result *rule, double increase);
/* "18.2 ms -> 21.3 ms, +17 % (+12 to +22 %), p 0.002" */
void out_compare_change(const struct probekit_change *change, char text[static COMPARE_TEXT]);
/* It was to be decided, and is not. */
bool out_compare_is_undecided(const struct probekit_change *change);
const char *out_compare_reason(const struct probekit_change *change);
/* "4", ">999"; "-" where it is not known. */
struct format out_compare_pairs_more(const struct probekit_change *change);
/* "8 %"; "-" where it is not known. */
struct format out_compare_detectable(const struct probekit_change *change);
/* Why it is undecided, and what would decide it; "" where it is decided. */
void out_compare_undecided(const struct probekit_change *change, char text[static COMPARE_TEXT]);
/* "+17 %, bound +10 %", with why it is undecided. */
void out_compare_rule(const struct probekit_rule_result *rule, char text[static COMPARE_TEXT]);
/* "a change of 8 % would be found by 10 pairs four times of five, in any measure"; "" where it is not known. */
void out_compare_found(const struct compare_view *view, char text[static COMPARE_TEXT]);
/* "2 of 10 runs, 31 spans" */
void out_compare_unmatched(const struct compare_view *view,
			   const struct probekit_unmatched *unmatched,
			   char text[static COMPARE_TEXT]);

/* A text on the line, broken between words but not before a unit. */
void line_words(struct text_line *line, unsigned int gap, enum text_ink ink, const char *text);

/* "+3.1 ms of lock wait on log_mutex; holder now in fsync", of the largest difference in the direction of the
 * verdict, or of what failed a rule; "" where none is known. -ENOMEM. */
int out_compare_why_sentence(const struct compare_probe *probe, char text[static COMPARE_TEXT]);
/* What the spans did longer or shorter, the causes of that, and both histograms. -ENOMEM. */
int out_compare_why(FILE *out, const struct text_style *style, const struct compare_probe *probe,
		    bool is_verbose);
/* A row for each power-of-two band, with both builds in one bar. */
void out_compare_histogram(FILE *out, const struct text_style *style,
			   const struct compare_probe *probe);
/* A row for each measure of `count` probes: informational ones where that is wanted. */
void out_compare_table(FILE *out, const struct text_style *style,
		       const struct compare_probe *const *probes, size_t count, bool is_verbose);
/* A table for each reason, of the measures that are undecided for it. */
void out_compare_undecided_table(FILE *out, const struct text_style *style,
				 const struct compare_probe *const *probes, size_t count);

#endif
