/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what all outputs of a comparison say alike: the order of probes, the outcome, and the sentences. */
#include "out_compare_parts.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN_REASON "it is not known why"

enum { WORDS = 256, PAIRS_TOLD_MAX = 999 };

/* ---- probes ---- */

static bool is_probe_of(const struct compare_probe *probe, const struct probekit_change *change)
{
	return strcmp(probe->changes[0]->probe, change->probe) == 0 &&
	       probe->changes[0]->kind == change->kind;
}

static int rank(enum probekit_verdict verdict)
{
	static const int ranks[COMPARE_VERDICTS] = {
		[PROBEKIT_VERDICT_REGRESS] = 0,
		[PROBEKIT_VERDICT_IMPROVE] = 1,
		[PROBEKIT_VERDICT_UNDECIDED] = 2,
		[PROBEKIT_VERDICT_SAME] = 3,
	};

	return ranks[verdict];
}

static void add_change(struct compare_probe *probe, const struct probekit_change *change)
{
	double distance = fabs(log(change->ratio));

	probe->size++;
	if (change->is_informational)
		return;
	if (rank(change->verdict) < rank(probe->verdict)) {
		probe->verdict = change->verdict;
		probe->distance = 0;
	}
	if (change->verdict == probe->verdict)
		probe->distance = fmax(probe->distance, distance);
}

static int by_harm(const void *a, const void *b)
{
	const struct compare_probe *x = *(const struct compare_probe *const *)a;
	const struct compare_probe *y = *(const struct compare_probe *const *)b;

	if (rank(x->verdict) != rank(y->verdict))
		return rank(x->verdict) - rank(y->verdict);
	if (x->distance != y->distance)
		return x->distance > y->distance ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void add_probes(struct compare_summary *summary, const struct compare_view *view)
{
	size_t n = 0;

	for (size_t i = 0; i < view->change_count; i++) {
		if (n == 0 || !is_probe_of(&summary->probes[n - 1], view->changes[i]))
			summary->probes[n++] = (struct compare_probe){
				.changes = &view->changes[i], .verdict = PROBEKIT_VERDICT_SAME};
		add_change(&summary->probes[n - 1], view->changes[i]);
	}
	summary->probe_count = n;
	for (size_t i = 0; i < n; i++) {
		summary->verdicts[summary->probes[i].verdict]++;
		summary->order[i] = &summary->probes[i];
	}
}

const struct compare_probe *out_compare_find(const struct compare_summary *summary,
					     const char *name, size_t *at)
{
	for (size_t i = 0; i < summary->probe_count; i++) {
		size_t k = (*at + i) % summary->probe_count;

		if (strcmp(summary->probes[k].changes[0]->probe, name) == 0) {
			*at = k;
			return &summary->probes[k];
		}
	}
	return NULL;
}

static void add_whys(struct compare_summary *summary, const struct compare_view *view)
{
	size_t at = 0;

	for (size_t i = 0; i < view->why_count; i++)
		if (out_compare_find(summary, view->whys[i]->probe, &at))
			summary->probes[at].why = view->whys[i];
}

/* ---- rules ---- */

static bool is_first_of_rule(const struct compare_view *view, size_t i)
{
	for (size_t k = i; k-- > 0;)
		if (strcmp(view->rules[k]->rule, view->rules[i]->rule) == 0)
			return false;
	return true;
}

static enum probekit_rule_state state_of_rule(const struct compare_view *view, size_t first)
{
	enum probekit_rule_state state = PROBEKIT_RULE_PASSED;

	for (size_t i = first; i < view->rule_count; i++) {
		if (strcmp(view->rules[i]->rule, view->rules[first]->rule) != 0)
			continue;
		if (view->rules[i]->state == PROBEKIT_RULE_FAILED)
			return PROBEKIT_RULE_FAILED;
		if (view->rules[i]->state == PROBEKIT_RULE_UNDECIDED)
			state = PROBEKIT_RULE_UNDECIDED;
	}
	return state;
}

static void add_failed(struct compare_summary *summary, const struct compare_view *view)
{
	size_t at = 0;

	for (size_t i = 0; i < view->rule_count; i++) {
		const struct probekit_rule_result *rule = view->rules[i];

		if (rule->state == PROBEKIT_RULE_FAILED && rule->change &&
		    out_compare_find(summary, rule->change->probe, &at) &&
		    !summary->probes[at].failed)
			summary->probes[at].failed = rule->change;
	}
}

static void add_rules(struct compare_summary *summary, const struct compare_view *view)
{
	for (size_t i = 0; i < view->rule_count; i++) {
		if (!is_first_of_rule(view, i))
			continue;
		summary->rule_count++;
		if (view->rules[i]->change)
			summary->states[state_of_rule(view, i)]++;
		else
			summary->unmatched_rules++;
	}
}

static size_t beyond(size_t needed, size_t pairs)
{
	return needed > pairs ? needed - pairs : 0;
}

static size_t pairs_more(const struct probekit_change *change)
{
	return beyond(change->pairs_needed, change->pairs);
}

static size_t pairs_more_of_rule(const struct probekit_rule_result *rule)
{
	return rule->change ? beyond(rule->pairs_needed, rule->change->pairs) : 0;
}

static void add_needed(struct compare_summary *summary, size_t more)
{
	if (more && (!summary->pairs_more || more < summary->pairs_more))
		summary->pairs_more = more;
}

int out_compare_summary_init(struct compare_summary *summary, const struct compare_view *view)
{
	size_t n = view->change_count ? view->change_count : 1;

	*summary = (struct compare_summary){0};
	summary->probes = calloc(n, sizeof(*summary->probes));
	summary->order = calloc(n, sizeof(*summary->order));
	if (!summary->probes || !summary->order) {
		out_compare_summary_done(summary);
		return -ENOMEM;
	}
	add_probes(summary, view);
	add_whys(summary, view);
	add_rules(summary, view);
	add_failed(summary, view);
	qsort(summary->order, summary->probe_count, sizeof(*summary->order), by_harm);
	for (size_t i = 0; view->rule_count == 0 && i < view->change_count; i++)
		if (!view->changes[i]->is_informational)
			add_needed(summary, pairs_more(view->changes[i]));
	for (size_t i = 0; i < view->rule_count; i++)
		if (view->rules[i]->state == PROBEKIT_RULE_UNDECIDED)
			add_needed(summary, pairs_more_of_rule(view->rules[i]));
	return 0;
}

void out_compare_summary_done(struct compare_summary *summary)
{
	free(summary->probes);
	free(summary->order);
	*summary = (struct compare_summary){0};
}

/* ---- the outcome ---- */

/* Appends, and cuts what does not fit. */
static void add(char text[static COMPARE_TEXT], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void add(char text[static COMPARE_TEXT], const char *format, ...)
{
	size_t length = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + length, COMPARE_TEXT - length, format, args);
	va_end(args);
}

/* "2 of 21 probes are slower for certain" */
static void add_slower(char text[static COMPARE_TEXT], const struct compare_summary *summary)
{
	size_t slower = summary->verdicts[PROBEKIT_VERDICT_REGRESS];

	add(text, "%s of %s %s slower for certain", format_count(slower).text,
	    format_plural(summary->probe_count, "probe", "probes").text,
	    slower == 1 ? "is" : "are");
}

/* "1 rule matches no probe" */
static void add_unmatched_rules(char text[static COMPARE_TEXT], const char *before,
				const struct compare_summary *summary)
{
	size_t unmatched = summary->unmatched_rules;

	if (unmatched)
		add(text, "%s%s no probe", before,
		    format_plural(unmatched, "rule matches", "rules match").text);
}

static void say_undecided(const struct compare_view *view, const struct compare_summary *summary,
			  char text[static COMPARE_TEXT])
{
	if (summary->rule_count == 0 && summary->probe_count == 0) {
		add(text, "undecided: no probe has spans in both builds");
		return;
	}
	if (summary->rule_count && summary->unmatched_rules == summary->rule_count) {
		add_unmatched_rules(text, "undecided: ", summary);
		return;
	}
	add(text, "undecided: %s %s none of %s",
	    format_plural(view->info->pairs, "pair", "pairs").text,
	    view->info->pairs == 1 ? "decides" : "decide",
	    summary->rule_count ? format_plural(summary->rule_count, "rule", "rules").text
				: format_plural(summary->probe_count, "probe", "probes").text);
	if (summary->pairs_more)
		add(text, "; about %s more would decide some",
		    format_count(summary->pairs_more).text);
	add_unmatched_rules(text, "; ", summary);
}

static void say_rules(const struct compare_view *view, const struct compare_summary *summary,
		      char text[static COMPARE_TEXT])
{
	const size_t *states = summary->states;
	struct format all = format_plural(summary->rule_count, "rule", "rules");

	if (view->info->outcome == PROBEKIT_RULE_FAILED)
		add(text, "REGRESSION: %s of %s failed",
		    format_count(states[PROBEKIT_RULE_FAILED]).text, all.text);
	else
		add(text, "no rule failed: %s of %s passed",
		    format_count(states[PROBEKIT_RULE_PASSED]).text, all.text);
	if (states[PROBEKIT_RULE_UNDECIDED])
		add(text, ", %s undecided", format_count(states[PROBEKIT_RULE_UNDECIDED]).text);
	add_unmatched_rules(text, "; ", summary);
	if (view->info->outcome != PROBEKIT_RULE_FAILED &&
	    summary->verdicts[PROBEKIT_VERDICT_REGRESS]) {
		add(text, "; ");
		add_slower(text, summary);
	}
}

static void say_changes(const struct compare_view *view, const struct compare_summary *summary,
			char text[static COMPARE_TEXT])
{
	const size_t *verdicts = summary->verdicts;

	if (view->info->outcome == PROBEKIT_RULE_FAILED) {
		add(text, "REGRESSION: ");
		add_slower(text, summary);
		return;
	}
	/* Of measures: one probe may be the same at p50 and may be anything at p99. */
	if (view->info->undecided)
		add(text, "no regression found; %s of %s undecided",
		    format_count(view->info->undecided).text,
		    format_plural(view->info->tested, "measure", "measures").text);
	else
		add(text, "no regression: %s of %s the same within %s",
		    format_count(verdicts[PROBEKIT_VERDICT_SAME]).text,
		    format_plural(summary->probe_count, "probe", "probes").text,
		    format_share(view->info->delta).text);
	if (verdicts[PROBEKIT_VERDICT_IMPROVE])
		add(text, ", %s faster",
		    view->info->undecided
			    ? format_plural(verdicts[PROBEKIT_VERDICT_IMPROVE], "probe", "probes")
				      .text
			    : format_count(verdicts[PROBEKIT_VERDICT_IMPROVE]).text);
}

static void say_same_build(const struct compare_summary *summary, char text[static COMPARE_TEXT])
{
	size_t wrong = summary->verdicts[PROBEKIT_VERDICT_REGRESS] +
		       summary->verdicts[PROBEKIT_VERDICT_IMPROVE];

	if (wrong)
		add(text, "FALSE ALARM: %s of %s %s, and both builds are one",
		    format_count(wrong).text,
		    format_plural(summary->probe_count, "probe", "probes").text,
		    wrong == 1 ? "differs" : "differ");
	else
		add(text, "no false alarm in %s",
		    format_plural(summary->probe_count, "probe", "probes").text);
}

void out_compare_sentence(const struct compare_view *view, const struct compare_summary *summary,
			  char text[static COMPARE_TEXT])
{
	char why[WORDS];

	*text = '\0';
	if (view->info->incomparable) {
		format_escape(view->info->incomparable, why, sizeof(why));
		add(text, "incomparable: %s", why);
	} else if (view->info->outcome == PROBEKIT_RULE_UNDECIDED) {
		say_undecided(view, summary, text);
	} else if (view->is_same_build) {
		say_same_build(summary, text);
	} else if (summary->rule_count) {
		say_rules(view, summary, text);
	} else {
		say_changes(view, summary, text);
	}
}

void out_compare_method(const struct compare_view *view, char text[static COMPARE_TEXT])
{
	bool is_stored = strcmp(view->mode, "stored") == 0;
	char why[WORDS];

	*text = '\0';
	add(text, "%s%s%s", format_plural(view->info->pairs, "pair", "pairs").text,
	    is_stored ? " of " : ", ", is_stored ? "stored runs" : view->mode);
	if (!view->mode_reason)
		return;
	format_escape(view->mode_reason, why, sizeof(why));
	add(text, " (%s)", why);
}

/* ---- one result ---- */

const char *out_compare_verdict(const struct probekit_change *change)
{
	if (change->is_informational)
		return "(info)";
	return change->verdict == PROBEKIT_VERDICT_REGRESS ? "REGRESS"
							   : probekit_verdict_name(change->verdict);
}

const char *out_compare_state(const struct probekit_rule_result *rule)
{
	return rule->state == PROBEKIT_RULE_FAILED ? "FAILED"
						   : probekit_rule_state_name(rule->state);
}

double out_compare_p(const struct probekit_change *change)
{
	switch (change->verdict) {
	case PROBEKIT_VERDICT_REGRESS:
		return change->p_regress;
	case PROBEKIT_VERDICT_IMPROVE:
		return change->p_improve;
	default:
		return fmin(change->p_regress, change->p_improve);
	}
}

static struct format number_of_pairs(size_t pairs)
{
	struct format f = {"-"};

	if (pairs > PAIRS_TOLD_MAX)
		snprintf(f.text, sizeof(f.text), ">%d", PAIRS_TOLD_MAX);
	else if (pairs)
		snprintf(f.text, sizeof(f.text), "%zu", pairs);
	return f;
}

static struct format number(enum probekit_kind kind, double value)
{
	if (isnan(value))
		return (struct format){"-"};
	return kind == PROBEKIT_KIND_VALUE ? format_value(value) : format_duration(value);
}

struct format out_compare_value(const struct probekit_change *change, double value)
{
	return number(change->kind, value);
}

struct format out_compare_increase(const struct probekit_rule_result *rule, double increase)
{
	struct format f;

	if (!rule->is_absolute || isnan(increase))
		return format_change(1 + increase);
	if (!rule->change || rule->change->kind != PROBEKIT_KIND_VALUE)
		return format_difference(increase);
	snprintf(f.text, sizeof(f.text), "%s%.40s", increase < 0 ? "" : "+",
		 format_value(increase).text);
	return f;
}

static void add_doubt(char text[static COMPARE_TEXT], const struct probekit_change *change)
{
	char doubt[WORDS];

	if (!change->doubt)
		return;
	format_escape(change->doubt, doubt, sizeof(doubt));
	add(text, "; note: %s", doubt);
}

void out_compare_change(const struct probekit_change *change, char text[static COMPARE_TEXT])
{
	*text = '\0';
	if (isnan(change->ratio) && isnan(change->base) && isnan(change->head)) {
		add(text, "not measured");
		add_doubt(text, change);
		return;
	}
	add(text, "%s -> %s, %s", out_compare_value(change, change->base).text,
	    out_compare_value(change, change->head).text, format_change(change->ratio).text);
	if (isfinite(change->low) && isfinite(change->high))
		add(text, " (%s)", format_change_interval(change->low, change->high).text);
	if (!isnan(out_compare_p(change)))
		add(text, ", p %s", format_probability(out_compare_p(change)).text);
	add_doubt(text, change);
}

bool out_compare_is_undecided(const struct probekit_change *change)
{
	return change->verdict == PROBEKIT_VERDICT_UNDECIDED && !change->is_informational;
}

const char *out_compare_reason(const struct probekit_change *change)
{
	return change->reason ? change->reason : UNKNOWN_REASON;
}

struct format out_compare_pairs_more(const struct probekit_change *change)
{
	return number_of_pairs(pairs_more(change));
}

struct format out_compare_detectable(const struct probekit_change *change)
{
	return isfinite(change->detectable) ? format_share(change->detectable)
					    : (struct format){"-"};
}

/* "; about 4 more pairs needed" */
static void add_pairs_more(char text[static COMPARE_TEXT], size_t more)
{
	if (more > PAIRS_TOLD_MAX)
		add(text, "; more than %d more pairs needed", PAIRS_TOLD_MAX);
	else if (more)
		add(text, "; about %s more %s needed", number_of_pairs(more).text,
		    more == 1 ? "pair" : "pairs");
}

void out_compare_undecided(const struct probekit_change *change, char text[static COMPARE_TEXT])
{
	char reason[WORDS];

	*text = '\0';
	if (!out_compare_is_undecided(change))
		return;
	format_escape(out_compare_reason(change), reason, sizeof(reason));
	add(text, "%s", reason);
	add_pairs_more(text, pairs_more(change));
	if (isfinite(change->detectable))
		add(text, "; a change of %s would be found", out_compare_detectable(change).text);
}

void out_compare_rule(const struct probekit_rule_result *rule, char text[static COMPARE_TEXT])
{
	char reason[WORDS];

	*text = '\0';
	if (rule->change)
		add(text, "%s, bound %s", out_compare_increase(rule, rule->estimate).text,
		    out_compare_increase(rule, rule->bound).text);
	if (rule->state == PROBEKIT_RULE_UNDECIDED) {
		format_escape(rule->reason ? rule->reason : UNKNOWN_REASON, reason, sizeof(reason));
		add(text, "%s%s", rule->change ? "; " : "", reason);
		add_pairs_more(text, pairs_more_of_rule(rule));
	}
	if (rule->change)
		add_doubt(text, rule->change);
}

void out_compare_found(const struct compare_view *view, char text[static COMPARE_TEXT])
{
	const struct probekit_comparison_info *info = view->info;

	*text = '\0';
	if (!isfinite(info->detectable))
		return;
	add(text, "a change of %s would be found by %s four times of five, in ",
	    format_share(info->detectable).text, format_plural(info->pairs, "pair", "pairs").text);
	if (info->detectable_known == info->tested)
		add(text, "any measure");
	else
		add(text, "%s of %s", format_count(info->detectable_known).text,
		    format_plural(info->tested, "measure", "measures").text);
}

void out_compare_unmatched(const struct compare_view *view,
			   const struct probekit_unmatched *unmatched,
			   char text[static COMPARE_TEXT])
{
	char reason[WORDS];

	*text = '\0';
	format_escape(unmatched->reason, reason, sizeof(reason));
	add(text, "%s of %s, %s", format_count(unmatched->runs).text,
	    format_plural(view->info->pairs, "run", "runs").text,
	    format_plural(unmatched->count, "span", "spans").text);
	if (*reason)
		add(text, "; %s", reason);
}
