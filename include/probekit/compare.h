/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_COMPARE_H
#define PROBEKIT_COMPARE_H
/*
 * Two builds compared by snapshots of repeated runs: which spans and functions became slower, how
 * sure that is, and what they do longer.
 *
 * The run of a program is the sample, not the span: spans of one run share its address layout, its
 * machine's mood and its heap, so that pooling them calls identical builds different. Each pair of runs,
 * one of each build, gives one number for each measure of each probe, ln(head / base), and the tests
 * are of these numbers. docs/compare.md has the method and its references.
 *
 * Everything here is computed from snapshots alone: no privilege is needed, and nothing is measured.
 * Conventions are those of <probekit/probekit.h>.
 */
#include <probekit/probekit.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	/* Fewer pairs decide nothing: of the 2^5 ways in which five could have come out, one is 3 %. */
	PROBEKIT_COMPARE_MIN_PAIRS = 6,
};

enum probekit_verdict {
	PROBEKIT_VERDICT_UNDECIDED,
	PROBEKIT_VERDICT_SAME,	  /* the 90 % interval lies within 1 / (1 + delta) and 1 + delta */
	PROBEKIT_VERDICT_IMPROVE, /* as REGRESS, the other way round */
	PROBEKIT_VERDICT_REGRESS, /* slower for certain (p <= 0.05 over all probes), by delta or more */
};
/* "undecided", "same", "improve", "regress"; NULL: there is no such verdict. */
PROBEKIT_API const char *probekit_verdict_name(enum probekit_verdict verdict);

/* Zero means the default everywhere; set `size` to sizeof(struct probekit_compare_options). */
struct probekit_compare_options {
	size_t size;
	double delta; /* the smallest change that matters, 0.02 for 2 %: above 0, at most 1 (0.02) */
	/* "[PROBE ]MEASURE>+BOUND" as docs/compare.md has them: "p99>+10%", "logger:flush p50>+50us",
	 * "lock>+5%". NULL-terminated; NULL: none. */
	const char *const *rules;
};

/* One measure of one probe in both builds. Strings belong to the comparison. */
struct probekit_change {
	const char *probe; /* its name */
	enum probekit_kind kind;
	const char *measure; /* "p50", "p90", "p99", "p99.9", "mean", or a class of time: "lock" */
	size_t pairs;	     /* in which both builds have it */
	/* ns (kind VALUE: units), over the pairs: of quantiles and the mean the geometric mean of runs; of a class
	 * the arithmetic mean, per span. */
	double base;
	double head;
	/* Of head to base: of quantiles and the mean exp(mean ln(head / base)) with its 95 % interval by
	 * Student's t; of a class the ratio of the means (infinite where base is 0), with the interval of the
	 * difference over base. NAN: not known, for want of pairs. */
	double ratio;
	double low;
	double high;
	/* That a change so large in this direction, in any probe, comes from chance: adjusted for all that
	 * is compared, [0, 1]. NAN: not known. */
	double p_regress;
	double p_improve;
	double detectable; /* the smallest ratio - 1, above delta, that so many pairs would call a regression four times of
			    * five; NAN: not known */
	size_t pairs_needed; /* to decide, about, in all; 0: decided, or not known */
	enum probekit_verdict verdict;
	bool is_informational; /* told, never decided: "p90", "p99.9" */
	const char *reason;    /* why it is undecided; NULL: it is decided */
	const char *
		doubt; /* what may distort it: "some of its spans were lost"; NULL: nothing is known to */
};

enum probekit_rule_state {
	PROBEKIT_RULE_UNDECIDED,
	PROBEKIT_RULE_PASSED, /* the upper end of the 90 % interval is below the bound */
	PROBEKIT_RULE_FAILED, /* slower for certain, and the estimate is beyond the bound */
};
/* "undecided", "passed", "failed"; NULL: there is no such state. */
PROBEKIT_API const char *probekit_rule_state_name(enum probekit_rule_state state);

/* A rule applied to one probe. */
struct probekit_rule_result {
	const char *rule; /* as it was given */
	enum probekit_rule_state state;
	/* The measure it is of, tested among those of rules alone; NULL: no probe of both builds matches, which
	 * is UNDECIDED. */
	const struct probekit_change *change;
	double bound;	     /* "+10%": 0.1; "+50us": 50000 */
	bool is_absolute;    /* `bound` and `estimate` are ns (or units) */
	double estimate;     /* of the increase, as `bound` has it; NAN: not known */
	size_t pairs_needed; /* to decide it by its bound, about, in all; 0: decided, or not known */
	const char *reason;  /* why it is undecided; NULL: it is decided */
};

/* A probe that only one build has. */
struct probekit_unmatched {
	const char *probe;
	bool is_in_head;    /* else in base */
	const char *reason; /* "" or what else: "its kind differs" */
	size_t runs;	    /* of that build in which it is */
	uint64_t count;	    /* spans, of all these runs */
};

/* What the spans of a probe did longer or shorter, per span. */
struct probekit_difference {
	enum probekit_class time_class;
	double base_ns; /* mean over the runs of the mean per span */
	double head_ns;
	bool is_certain; /* |t| over the pairs beyond the 95 % quantile, by itself */
};

/* Why a probe's latency changed. */
struct probekit_why {
	const char *probe;
	/* Joined over all runs; borrowed by nobody else. */
	struct probekit_histogram base;
	struct probekit_histogram head;
	struct probekit_difference
		*classes; /* largest difference first; none: breakdowns are not known */
	size_t class_count;
	/* Causes of the tails, by what they have in common (class, system call, lock by name or place, file),
	 * largest difference of their time per span first. Of each the runs' means. */
	struct probekit_cause_difference {
		/* As the build has it in which it took more time, or the other where that one's tails have it not;
		 * belongs to that build's snapshots. */
		const struct probekit_cause *cause;
		bool is_of_head; /* `cause` is, else of base */
		double base_ns;	 /* of all spans of the probe, in the tail or not, per span */
		double head_ns;
		/* Of time on-CPU: most of the difference is where `cause` ran. Else that is hot, and no more. */
		bool is_located;
	} * causes;
	size_t cause_count;
};

struct probekit_comparison;

/* Are these what probekit_compare() takes? To be asked before anything is measured. NULL: yes. -EINVAL. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_compare_check(
	const struct probekit_compare_options *options, struct probekit_error *err);

/*
 * Compares `pairs` runs of each build, base[i] and head[i] being a pair. The snapshots are borrowed and
 * must outlive the comparison. Errors: -EINVAL for options, rules (quoting the one) or no run; -ENOMEM.
 */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_compare(
	const struct probekit_snapshot *const *base, const struct probekit_snapshot *const *head,
	size_t pairs, const struct probekit_compare_options *options,
	struct probekit_comparison **comparison, struct probekit_error *err);
PROBEKIT_API void probekit_comparison_free(struct probekit_comparison *comparison);

/* Every probe of both builds, without its keys: p50, p90, p99 and p99.9, the rows of one after the other. */
PROBEKIT_API size_t probekit_comparison_size(const struct probekit_comparison *comparison);
/* NULL beyond the size. */
PROBEKIT_API const struct probekit_change *probekit_comparison_change(
	const struct probekit_comparison *comparison, size_t i);
PROBEKIT_API size_t probekit_comparison_rule_count(const struct probekit_comparison *comparison);
PROBEKIT_API const struct probekit_rule_result *probekit_comparison_rule(
	const struct probekit_comparison *comparison, size_t i);
PROBEKIT_API size_t
probekit_comparison_unmatched_count(const struct probekit_comparison *comparison);
PROBEKIT_API const struct probekit_unmatched *probekit_comparison_unmatched(
	const struct probekit_comparison *comparison, size_t i);
/* Of probes with a change that is REGRESS or IMPROVE, or a rule that FAILED. */
PROBEKIT_API size_t probekit_comparison_why_count(const struct probekit_comparison *comparison);
PROBEKIT_API const struct probekit_why *probekit_comparison_why(
	const struct probekit_comparison *comparison, size_t i);

struct probekit_comparison_info {
	size_t pairs;
	double delta;
	/* With rules what they say, else what the changes say: FAILED where one is REGRESS, UNDECIDED where
	 * none could be decided. */
	enum probekit_rule_state outcome;
	bool has_undecided; /* something is, beside what decided the outcome */
	/* Why the two were not measured alike: another kernel, CPU or number of CPUs; NULL: nothing is known to
	 * differ. */
	const char *incomparable;
	size_t tested;		 /* changes that are not informational */
	size_t undecided;	 /* of these */
	size_t unmatched_rules;	 /* that name no probe of both builds */
	double detectable;	 /* the largest of the changes', where it is known; NAN: nowhere */
	size_t detectable_known; /* of how many of those tested it is */
};
PROBEKIT_API const struct probekit_comparison_info *probekit_comparison_info(
	const struct probekit_comparison *comparison);

#ifdef __cplusplus
}
#endif
#endif
