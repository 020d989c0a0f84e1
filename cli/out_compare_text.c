/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the report of a comparison: the outcome first, then what decided it, worst first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "out_compare_parts.h"

enum {
	MAX_UNDECIDED = 20, /* probes, and results of rules, that are told one by one */
	MAX_WHYS = 10,
	STATE_WIDTH = 9,
};

struct report {
	FILE *out;
	const struct text_style *style;
	const struct compare_view *view;
	const struct compare_summary *summary;
};

/* A unit, or a sign: it stays on the line of what it belongs to. */
static bool is_bound(const char *word, size_t length)
{
	return length <= 2 && (*word == '%' || *word == 's' || word[1] == 's' || *word == 'x');
}

void line_words(struct text_line *line, unsigned int gap, enum text_ink ink, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, " ");
		const char *next = text + length + (text[length] == ' ');

		while (*next && is_bound(next, strcspn(next, " "))) {
			length = (size_t)(next - text) + strcspn(next, " ");
			next = text + length + (text[length] == ' ');
		}
		line_add(line, gap, ink, "%.*s", (int)length, text);
		text = next;
		gap = 1;
	}
}

static struct text_line new_line(const struct report *report, unsigned int indent)
{
	return (struct text_line){.out = report->out, .style = report->style, .indent = indent};
}

static void print_outcome(const struct report *report)
{
	const struct compare_view *view = report->view;
	struct text_line line = new_line(report, 0);
	char text[COMPARE_TEXT];
	char name[TEXT_SIZE];

	out_compare_sentence(view, report->summary, text);
	line_words(&line, 0, view->info->outcome == PROBEKIT_RULE_FAILED ? INK_WARN : INK_BOLD,
		   text);
	line_end(&line);
	format_escape(view->base, name, sizeof(name));
	line_add(&line, 0, INK_PLAIN, "base %s,", name);
	format_escape(view->head, name, sizeof(name));
	line_add(&line, 1, INK_PLAIN, "head %s:", name);
	out_compare_method(view, text);
	line_words(&line, 1, INK_PLAIN, text);
	line_end(&line);
}

/* ---- rules ---- */

static void print_rule(const struct report *report, const struct probekit_rule_result *rule)
{
	struct text_line line = new_line(report, 2);
	char text[COMPARE_TEXT];

	line_add(&line, 0, rule->state == PROBEKIT_RULE_FAILED ? INK_WARN : INK_PLAIN, "%-*s",
		 STATE_WIDTH, out_compare_state(rule));
	line.indent = 2 + STATE_WIDTH + 2;
	format_escape(rule->rule, text, TEXT_SIZE);
	line_add(&line, 2, INK_BOLD, "%s", text);
	if (rule->change) {
		format_escape(rule->change->probe, text, TEXT_SIZE);
		line_add(&line, 2, INK_PLAIN, "%s", text);
		format_escape(rule->change->measure, text, TEXT_SIZE);
		line_add(&line, 1, INK_PLAIN, "%s:", text);
	}
	out_compare_rule(rule, text);
	line_words(&line, rule->change ? 1 : 2, INK_PLAIN, text);
	if (rule->state != PROBEKIT_RULE_UNDECIDED)
		line_add(&line, 2, INK_PLAIN, "p %s",
			 format_probability(out_compare_p(rule->change)).text);
	line_end(&line);
}

static void print_rules(const struct report *report)
{
	static const struct {
		enum probekit_rule_state state;
		size_t most;
		const char *more;
	} order[] = {
		{PROBEKIT_RULE_FAILED, SIZE_MAX, ""},
		{PROBEKIT_RULE_UNDECIDED, MAX_UNDECIDED, "more undecided"},
		{PROBEKIT_RULE_PASSED, 0, "passed"},
	};
	const struct compare_view *view = report->view;

	if (view->rule_count == 0)
		return;
	fputs("\nrules, by probe\n", report->out);
	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		size_t most = view->is_verbose ? SIZE_MAX : order[k].most;
		size_t n = 0;

		for (size_t i = 0; i < view->rule_count; i++)
			if (view->rules[i]->state == order[k].state && n++ < most)
				print_rule(report, view->rules[i]);
		if (n > most)
			fprintf(report->out, "  %s %s\n", format_count(n - most).text,
				order[k].more);
	}
}

/* ---- probes ---- */

static void print_probes(const struct report *report)
{
	const struct compare_summary *summary = report->summary;
	const size_t *verdicts = summary->verdicts;
	size_t changed = verdicts[PROBEKIT_VERDICT_REGRESS] + verdicts[PROBEKIT_VERDICT_IMPROVE];
	size_t same = verdicts[PROBEKIT_VERDICT_SAME];
	bool is_verbose = report->view->is_verbose;

	if (is_verbose ? summary->probe_count : changed + same)
		fputc('\n', report->out);
	out_compare_table(report->out, report->style, summary->order,
			  is_verbose ? summary->probe_count : changed, is_verbose);
	if (same && !is_verbose)
		fprintf(report->out, "  %s the same within %s\n",
			format_plural(same, "probe", "probes").text,
			format_share(report->view->info->delta).text);
}

/* Measures that are not decided, those of probes that changed too. */
static void print_undecided(const struct report *report)
{
	const struct compare_summary *summary = report->summary;
	size_t undecided = summary->verdicts[PROBEKIT_VERDICT_UNDECIDED];
	size_t most = report->view->is_verbose ? SIZE_MAX : MAX_UNDECIDED;
	size_t left = undecided > most ? undecided - most : 0;
	size_t shown = summary->probe_count - summary->verdicts[PROBEKIT_VERDICT_SAME] - left;

	out_compare_undecided_table(report->out, report->style, summary->order, shown);
	if (left)
		fprintf(report->out, "  %s\n",
			format_plural(left, "more probe", "more probes").text);
}

static void print_unmatched(const struct report *report)
{
	const struct compare_view *view = report->view;
	struct text_line line = new_line(report, 2);
	char text[COMPARE_TEXT];

	if (view->unmatched_count)
		fputs("\nin one build only\n", report->out);
	for (size_t i = 0; i < view->unmatched_count; i++) {
		const struct probekit_unmatched *unmatched = view->unmatched[i];

		line.indent = 2;
		line_add(&line, 0, INK_PLAIN, "%s", unmatched->is_in_head ? "head" : "base");
		line.indent = 2 + 4 + 2;
		format_escape(unmatched->probe, text, TEXT_SIZE);
		line_add(&line, 2, INK_BOLD, "%s:", text);
		out_compare_unmatched(view, unmatched, text);
		line_words(&line, 1, INK_PLAIN, text);
		line_end(&line);
	}
}

static void print_detectable(const struct report *report)
{
	struct text_line line = new_line(report, 0);
	char text[COMPARE_TEXT];

	out_compare_found(report->view, text);
	if (!*text)
		return;
	fputc('\n', report->out);
	line_words(&line, 0, INK_PLAIN, text);
	line_end(&line);
}

static int print_whys(const struct report *report)
{
	const struct compare_summary *summary = report->summary;
	size_t most = report->view->is_verbose ? SIZE_MAX : MAX_WHYS;
	size_t n = 0;

	for (size_t i = 0; i < summary->probe_count; i++) {
		if (!summary->order[i]->why || n++ >= most)
			continue;
		fputc('\n', report->out);
		if (out_compare_why(report->out, report->style, summary->order[i],
				    report->view->is_verbose))
			return -ENOMEM;
	}
	if (n > most)
		fprintf(report->out, "\n-v tells why %s changed\n",
			format_plural(n - most, "more probe", "more probes").text);
	return 0;
}

static int print_results(const struct report *report)
{
	print_rules(report);
	print_probes(report);
	print_undecided(report);
	print_unmatched(report);
	print_detectable(report);
	return print_whys(report);
}

int out_compare_text(FILE *out, const struct text_style *style, const struct compare_view *view)
{
	struct compare_summary summary;
	const struct report report = {out, style, view, &summary};
	int ret;

	if (out_compare_summary_init(&summary, view))
		return -ENOMEM;
	print_outcome(&report);
	/* What is told of builds that were not measured alike would be read as a result. */
	ret = view->info->incomparable ? 0 : print_results(&report);
	out_compare_summary_done(&summary);
	return ret;
}
