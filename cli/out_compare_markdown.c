/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns a comparison as GitHub-flavoured Markdown, for comments and step summaries. Each section has a part of the
 * page at most, and is cut between rows. Names stand in <code>, where GitHub looks for no mentions or references,
 * with all that Markdown would take for its own as character references.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "out_compare_parts.h"

/* Parts in bytes. What they leave is for the page's head, and for what changed in detail. */
enum {
	RULES_PART = 12 * 1024,
	CHANGED_PART = 16 * 1024,
	UNDECIDED_PART = 8 * 1024,
	UNMATCHED_PART = 6 * 1024,
	CLOSING = 256, /* of a section that is cut, within its part */
	WHY_WIDTH = 100,
	LEAST_FENCE = 3,
};

struct page {
	FILE *out;
	const struct compare_view *view;
	const struct compare_summary *summary;
	const struct probekit_rule_result **rules; /* that did not pass, failed ones first */
	size_t rule_count;
	const struct compare_probe **whys; /* worst first */
	size_t why_count;
	size_t used;
};

/* ---- text ---- */

static bool is_inside_word(const char *text, size_t i)
{
	return i > 0 && isalnum((unsigned char)text[i - 1]) && isalnum((unsigned char)text[i + 1]);
}

/* Text that is free of control characters. */
static void print_escaped(FILE *out, const char *text, bool is_code)
{
	for (size_t i = 0; text[i]; i++) {
		/* A character reference still mentions somebody: only a space without width parts them. */
		if (strchr("@#", text[i]) && !is_code)
			fprintf(out, "%c&#8203;", text[i]);
		else if (strchr("&<>`|*[]~\\$@#", text[i]) ||
			 (text[i] == '_' && !is_inside_word(text, i)))
			fprintf(out, "&#%d;", text[i]);
		else
			fputc(text[i], out);
	}
}

static void print_code(FILE *out, const char *name)
{
	char escaped[TEXT_SIZE];

	format_escape(name, escaped, sizeof(escaped));
	fputs("<code>", out);
	print_escaped(out, escaped, true);
	fputs("</code>", out);
}

/* ---- pieces: on the page as a whole or not at all ---- */

struct piece {
	FILE *out;
	char *text;
	size_t size;
};

static int piece_open(struct piece *piece)
{
	*piece = (struct piece){0};
	piece->out = open_memstream(&piece->text, &piece->size);
	return piece->out ? 0 : -ENOMEM;
}

/* 1: it is on the page; 0: it would have gone beyond `limit`; or -ENOMEM. */
static int piece_put(struct piece *piece, struct page *page, size_t limit)
{
	int ret = fclose(piece->out) ? -ENOMEM : page->used + piece->size <= limit;

	if (ret > 0) {
		fwrite(piece->text, 1, piece->size, page->out);
		page->used += piece->size;
	}
	free(piece->text);
	return ret;
}

static void put_text(struct page *page, const char *text)
{
	fputs(text, page->out);
	page->used += strlen(text);
}

struct section {
	const char *open; /* what stands around it */
	const char *close;
	size_t part;
	size_t count;
	const char *one; /* of what is left out */
	const char *many;
	int (*print)(const struct page *page, FILE *out, size_t i); /* 0 or -ENOMEM */
};

/* As piece_put(). */
static int put_row(struct page *page, const struct section *section, size_t i, size_t limit)
{
	struct piece piece;

	if (piece_open(&piece))
		return -ENOMEM;
	if (section->print(page, piece.out, i)) {
		fclose(piece.out);
		free(piece.text);
		return -ENOMEM;
	}
	return piece_put(&piece, page, limit);
}

static int put_section(struct page *page, const struct section *section)
{
	size_t end = page->used + section->part < MARKDOWN_MAX ? page->used + section->part
							       : MARKDOWN_MAX;
	size_t done = 0;

	if (section->count == 0 || page->used + strlen(section->open) + CLOSING > end)
		return 0;
	put_text(page, section->open);
	for (; done < section->count; done++) {
		int fits = put_row(page, section, done, end - CLOSING);

		if (fits < 0)
			return fits;
		if (!fits)
			break;
	}
	if (done < section->count) {
		put_text(page, "\n");
		put_text(page,
			 format_plural(section->count - done, section->one, section->many).text);
		put_text(page, "\n");
	}
	put_text(page, section->close);
	return 0;
}

/* ---- sections ---- */

static int print_rule(const struct page *page, FILE *out, size_t i)
{
	const struct probekit_rule_result *rule = page->rules[i];
	char text[COMPARE_TEXT];

	fputs("| ", out);
	print_code(out, rule->rule);
	fputs(" | ", out);
	if (rule->change) {
		print_code(out, rule->change->probe);
		fprintf(out, " %s", rule->change->measure);
	}
	out_compare_rule(rule, text);
	fputs(" | ", out);
	print_escaped(out, text, false);
	fprintf(out, " | %s |\n",
		rule->state == PROBEKIT_RULE_FAILED ? "**FAILED**" : out_compare_state(rule));
	return 0;
}

/* A second line in the row's last cell. */
static void print_doubt(FILE *out, const struct probekit_change *change)
{
	char doubt[TEXT_SIZE];

	if (!change->doubt)
		return;
	format_escape(change->doubt, doubt, sizeof(doubt));
	fputs("<br>note: ", out);
	print_escaped(out, doubt, false);
}

static void print_row(FILE *out, const struct probekit_change *change, bool is_first)
{
	bool is_bold = change->verdict == PROBEKIT_VERDICT_REGRESS;

	fputs("| ", out);
	if (is_first)
		print_code(out, change->probe);
	fprintf(out, " | %s | %s | %s | %s | %s | ", change->measure,
		out_compare_value(change, change->base).text,
		out_compare_value(change, change->head).text, format_change(change->ratio).text,
		format_change_interval(change->low, change->high).text);
	print_escaped(out, format_probability(out_compare_p(change)).text, false);
	fprintf(out, is_bold ? " | **%s**" : " | %s", out_compare_verdict(change));
	print_doubt(out, change);
	fputs(" |\n", out);
}

static int print_changed(const struct page *page, FILE *out, size_t i)
{
	const struct compare_probe *probe = page->summary->order[i];
	bool is_first = true;

	for (size_t k = 0; k < probe->size; k++) {
		if (probe->changes[k]->is_informational && !page->view->is_verbose)
			continue;
		print_row(out, probe->changes[k], is_first);
		is_first = false;
	}
	return 0;
}

static size_t changed_count(const struct page *page)
{
	return page->summary->verdicts[PROBEKIT_VERDICT_REGRESS] +
	       page->summary->verdicts[PROBEKIT_VERDICT_IMPROVE];
}

static int print_undecided(const struct page *page, FILE *out, size_t i)
{
	const struct compare_probe *probe = page->summary->order[changed_count(page) + i];
	char reason[TEXT_SIZE];

	for (size_t k = 0; k < probe->size; k++) {
		const struct probekit_change *change = probe->changes[k];

		if (!out_compare_is_undecided(change))
			continue;
		format_escape(out_compare_reason(change), reason, sizeof(reason));
		fputs("| ", out);
		print_code(out, change->probe);
		fprintf(out, " | %s | %s | %s | ", change->measure,
			format_change(change->ratio).text,
			format_change_interval(change->low, change->high).text);
		print_escaped(out, out_compare_pairs_more(change).text, false);
		fprintf(out, " | %s | ", out_compare_detectable(change).text);
		print_escaped(out, reason, false);
		print_doubt(out, change);
		fputs(" |\n", out);
	}
	return 0;
}

static int print_unmatched(const struct page *page, FILE *out, size_t i)
{
	const struct probekit_unmatched *unmatched = page->view->unmatched[i];
	char text[COMPARE_TEXT];

	out_compare_unmatched(page->view, unmatched, text);
	fprintf(out, "| %s | ", unmatched->is_in_head ? "head" : "base");
	print_code(out, unmatched->probe);
	fputs(" | ", out);
	print_escaped(out, text, false);
	fputs(" |\n", out);
	return 0;
}

static size_t longest_run(const char *text, char character)
{
	size_t longest = 0;
	size_t run = 0;

	for (; *text; text++) {
		run = *text == character ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

/* No line of the text may end the block that it stands in. */
static void print_block(FILE *out, const char *text)
{
	size_t run = longest_run(text, '`');
	int fence = run < LEAST_FENCE ? LEAST_FENCE : (int)run + 1;

	for (int i = 0; i < fence; i++)
		fputc('`', out);
	fprintf(out, "text\n%s", text);
	for (int i = 0; i < fence; i++)
		fputc('`', out);
	fputc('\n', out);
}

static int print_why(const struct page *page, FILE *out, size_t i)
{
	const struct text_style style = {.width = WHY_WIDTH};
	const struct compare_probe *probe = page->whys[i];
	char sentence[COMPARE_TEXT];
	struct piece piece;
	int ret;

	if (out_compare_why_sentence(probe, sentence) || piece_open(&piece))
		return -ENOMEM;
	ret = out_compare_why(piece.out, &style, probe, page->view->is_verbose);
	if (fclose(piece.out))
		ret = -ENOMEM;
	if (!ret) {
		fputs("<details><summary>", out);
		print_code(out, probe->why->probe);
		fputs(*sentence ? ": " : "", out);
		print_escaped(out, sentence, false);
		fputs("</summary>\n\n", out);
		print_block(out, piece.text);
		fputs("\n</details>\n", out);
	}
	free(piece.text);
	return ret;
}

/* ---- the page ---- */

static int put_head(struct page *page)
{
	const struct compare_view *view = page->view;
	char text[COMPARE_TEXT];
	struct piece piece;

	if (piece_open(&piece))
		return -ENOMEM;
	out_compare_sentence(view, page->summary, text);
	fputs("### ", piece.out);
	print_escaped(piece.out, text, false);
	fputs("\n\nbase ", piece.out);
	print_code(piece.out, view->base);
	fputs(", head ", piece.out);
	print_code(piece.out, view->head);
	fputs(": ", piece.out);
	out_compare_method(view, text);
	print_escaped(piece.out, text, false);
	fputc('\n', piece.out);
	return piece_put(&piece, page, SIZE_MAX) < 0 ? -ENOMEM : 0;
}

static void put_rest(struct page *page)
{
	const struct probekit_comparison_info *info = page->view->info;
	size_t same = page->summary->verdicts[PROBEKIT_VERDICT_SAME];
	size_t passed = page->view->rule_count - page->rule_count;
	char text[COMPARE_TEXT];

	if (passed) {
		snprintf(text, sizeof(text), "\nrules passed in %s\n",
			 format_plural(passed, "case", "cases").text);
		put_text(page, text);
	}
	if (same) {
		snprintf(text, sizeof(text), "\n%s the same within %s\n",
			 format_plural(same, "probe", "probes").text,
			 format_share(info->delta).text);
		put_text(page, text);
	}
	out_compare_found(page->view, text);
	if (*text) {
		put_text(page, "\n");
		put_text(page, text);
		put_text(page, "\n");
	}
}

static int put_sections(struct page *page)
{
	const struct section rules = {"\n| rule | probe | | |\n|---|---|---|---|\n",
				      "",
				      RULES_PART,
				      page->rule_count,
				      "more result of a rule",
				      "more results of rules",
				      print_rule};
	const struct section changed = {
		"\n| probe | | base | head | change | 95 % interval | p | verdict |\n"
		"|---|---|--:|--:|--:|--:|--:|---|\n",
		"",
		CHANGED_PART,
		changed_count(page),
		"more probe",
		"more probes",
		print_changed};
	const struct section undecided = {
		"\n<details><summary>undecided</summary>\n\n"
		"| probe | | change | 95 % interval | more pairs | would find | why |\n"
		"|---|---|--:|--:|--:|--:|---|\n",
		"\n</details>\n",
		UNDECIDED_PART,
		page->summary->verdicts[PROBEKIT_VERDICT_UNDECIDED],
		"more probe",
		"more probes",
		print_undecided};
	const struct section unmatched = {
		"\n<details><summary>in one build only</summary>\n\n| build | probe | |\n"
		"|---|---|---|\n",
		"\n</details>\n",
		UNMATCHED_PART,
		page->view->unmatched_count,
		"more probe",
		"more probes",
		print_unmatched};
	const struct section whys = {"\n",
				     "",
				     MARKDOWN_MAX,
				     page->why_count,
				     "more probe that changed",
				     "more probes that changed",
				     print_why};

	if (put_section(page, &rules) || put_section(page, &changed))
		return -ENOMEM;
	put_rest(page);
	if (put_section(page, &undecided) || put_section(page, &unmatched) ||
	    put_section(page, &whys))
		return -ENOMEM;
	return 0;
}

static void list_rules(struct page *page)
{
	static const enum probekit_rule_state order[] = {PROBEKIT_RULE_FAILED,
							 PROBEKIT_RULE_UNDECIDED};

	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++)
		for (size_t i = 0; i < page->view->rule_count; i++)
			if (page->view->rules[i]->state == order[k])
				page->rules[page->rule_count++] = page->view->rules[i];
}

static void list_whys(struct page *page)
{
	for (size_t i = 0; i < page->summary->probe_count; i++)
		if (page->summary->order[i]->why)
			page->whys[page->why_count++] = page->summary->order[i];
}

int out_compare_markdown(FILE *out, const struct compare_view *view)
{
	struct compare_summary summary;
	struct page page = {.out = out, .view = view, .summary = &summary};
	int ret = -ENOMEM;

	if (out_compare_summary_init(&summary, view))
		return -ENOMEM;
	page.rules = calloc(view->rule_count + 1, sizeof(*page.rules));
	page.whys = calloc(summary.probe_count + 1, sizeof(*page.whys));
	if (page.rules && page.whys) {
		list_rules(&page);
		list_whys(&page);
		ret = put_head(&page);
		if (!ret && !view->info->incomparable)
			ret = put_sections(&page);
	}
	free(page.rules);
	free(page.whys);
	out_compare_summary_done(&summary);
	return ret;
}
