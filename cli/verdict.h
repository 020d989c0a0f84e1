/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_VERDICT_H
#define PROBEKIT_CLI_VERDICT_H
/* What diff and compare share: rules, outputs, and the exit code that a comparison comes to. */
#include <probekit/compare.h>

#include "opts.h"

/* Exit codes. */
enum { EXIT_REGRESSION = 4, EXIT_UNDECIDED = 5 };

/* A member of such a command's options. */
struct verdict_options {
	double delta;
	struct opt_texts rules;
	const char *rules_file;
	bool is_strict;
	const char *output;
	const char *junit;
	const char *markdown;
	bool is_json;
	bool no_color;
	bool is_verbose;
};

/* The rows for `type`, whose member is called `verdict`. */
#define VERDICT_OPTIONS(type)                                                                       \
	{0,                                                                                         \
	 "delta",                                                                                   \
	 OPT_SHARE,                                                                                 \
	 "SHARE",                                                                                   \
	 offsetof(type, verdict.delta),                                                             \
	 "The smallest change that matters (2%)."},                                                 \
		{0,                                                                                 \
		 "fail-on",                                                                         \
		 OPT_TEXTS,                                                                         \
		 "RULE",                                                                            \
		 offsetof(type, verdict.rules),                                                     \
		 "What fails, instead of any regression: 'p99>+10%', 'logger:flush p50>+50us', "    \
		 "'lock>+5%'. Repeat for more."},                                                   \
		{0,                                                                                 \
		 "rules",                                                                           \
		 OPT_FILE,                                                                          \
		 "FILE",                                                                            \
		 offsetof(type, verdict.rules_file),                                                \
		 "A file of such rules, one a line, '#' for comments (.probekit-ci where there is " \
		 "one)."},                                                                          \
		{0,                                                                                 \
		 "strict",                                                                          \
		 OPT_FLAG,                                                                          \
		 NULL,                                                                              \
		 offsetof(type, verdict.is_strict),                                                 \
		 "Exit with 5 when anything is undecided."},                                        \
		{'o',                                                                               \
		 "output",                                                                          \
		 OPT_FILE,                                                                          \
		 "FILE",                                                                            \
		 offsetof(type, verdict.output),                                                    \
		 "Write the comparison to FILE as JSON."},                                          \
		{0,                                                                                 \
		 "junit",                                                                           \
		 OPT_FILE,                                                                          \
		 "FILE",                                                                            \
		 offsetof(type, verdict.junit),                                                     \
		 "Write it to FILE as JUnit XML."},                                                 \
		{0,                                                                                 \
		 "markdown",                                                                        \
		 OPT_FILE,                                                                          \
		 "FILE",                                                                            \
		 offsetof(type, verdict.markdown),                                                  \
		 "Write it to FILE as GitHub-flavoured Markdown."},                                 \
		{0,                                                                                 \
		 "json",                                                                            \
		 OPT_FLAG,                                                                          \
		 NULL,                                                                              \
		 offsetof(type, verdict.is_json),                                                   \
		 "The comparison as JSON on standard output; text for people goes to standard "     \
		 "error."},                                                                         \
		{0,                                                                                 \
		 "no-color",                                                                        \
		 OPT_FLAG,                                                                          \
		 NULL,                                                                              \
		 offsetof(type, verdict.no_color),                                                  \
		 "No colour on a terminal either."},                                                \
	{                                                                                           \
		'v', "verbose", OPT_FLAG, NULL, offsetof(type, verdict.is_verbose),                 \
			"Show what did not change too."                                             \
	}

/* What is compared, and how it was measured. */
struct verdict_subject {
	const char *base; /* as the user named them */
	const char *head;
	const char *mode;	 /* "stored", "pairs" or "sliced" */
	const char *mode_reason; /* NULL: it was asked for */
	bool is_same_build;	 /* on both sides */
	const struct probekit_snapshot *const *base_runs;
	const struct probekit_snapshot *const *head_runs;
	size_t pairs;
};

/* Rules from both sources; the caller frees the list and its texts with verdict_rules_free(). */
struct verdict_rules {
	const char **items; /* NULL-terminated */
	char *text;	    /* of the file; NULL: none */
};

/* Reads the rules, and checks them and the outputs, before anything is measured. */
int verdict_prepare(const struct verdict_options *options, struct verdict_rules *rules,
		    struct probekit_error *err);
/* The capabilities that writing the outputs takes. */
uint64_t verdict_rights(const struct verdict_options *options);
void verdict_rules_free(struct verdict_rules *rules);
int verdict_compare(const struct verdict_options *options, const struct verdict_rules *rules,
		    const struct verdict_subject *subject, struct probekit_comparison **comparison,
		    struct probekit_error *err);
/* Compares, gives out what the options ask for, and returns the exit code. */
int verdict_give(const struct verdict_options *options, const struct verdict_rules *rules,
		 const struct verdict_subject *subject);

#endif
