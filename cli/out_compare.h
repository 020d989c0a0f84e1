/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_OUT_COMPARE_H
#define PROBEKIT_CLI_OUT_COMPARE_H
/* Comparisons of two builds, as text for people, JSON, JUnit XML and Markdown. */
#include <stdbool.h>
#include <stdio.h>

#include <probekit/compare.h>

#include "out_text.h"

/* What is shown. Everything is borrowed but the lists, which compare_view_init() makes. */
struct compare_view {
	const char *base; /* as the user named it */
	const char *head;
	const char *mode;	 /* "pairs", "sliced" or "stored" */
	const char *mode_reason; /* why it is that one; NULL: it was asked for */
	bool is_same_build;	 /* both are one build: what differs is a false alarm */
	bool is_verbose;	 /* what is the same, and what is informational, too */
	const struct probekit_comparison_info *info;
	const struct probekit_change **changes; /* the measures of a probe one after the other */
	size_t change_count;
	const struct probekit_rule_result **rules;
	size_t rule_count;
	const struct probekit_unmatched **unmatched;
	size_t unmatched_count;
	const struct probekit_why **whys;
	size_t why_count;
};

/* Fills `info` and the lists; the rest is the caller's. -ENOMEM. */
int compare_view_init(struct compare_view *view, const struct probekit_comparison *comparison);
void compare_view_done(struct compare_view *view);

/* Each returns 0 or -ENOMEM. */
int out_compare_text(FILE *out, const struct text_style *style, const struct compare_view *view);
/* docs/comparison-format.md */
int out_compare_json(FILE *out, const struct compare_view *view);
/* A test case for each result of a rule, or, without rules, for each measure that is decided. */
int out_compare_junit(FILE *out, const struct compare_view *view);

/* What GitHub takes for a comment, in characters; this is in bytes. A step's summary may have 1 MiB. */
enum { MARKDOWN_MAX = 65536 };

/* GitHub-flavoured, at most MARKDOWN_MAX bytes: what does not fit is counted. */
int out_compare_markdown(FILE *out, const struct compare_view *view);

#endif
