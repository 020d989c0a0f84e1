/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the table of measures: a row for each, the probe's name before its first one. */
#include <math.h>
#include <string.h>

#include "out_compare_parts.h"

enum {
	INDENT = 2,
	GAP = 2,
	LEAST_NAME = 12,
	MEASURE = 0,
	BASE,
	HEAD,
	CHANGE,
	INTERVAL,
	P,
	VERDICT,
	COLUMNS,
};

static const char *const titles[COLUMNS] = {"", "base", "head", "change", "95 % interval", "p", ""};

struct table {
	FILE *out;
	const struct text_style *style;
	bool is_verbose;
	size_t name_width;
	size_t widths[COLUMNS];
};

static bool is_shown(const struct table *table, const struct probekit_change *change)
{
	return table->is_verbose || !change->is_informational;
}

static struct format worded(const char *word)
{
	struct format f;

	format_escape(word, f.text, sizeof(f.text));
	return f;
}

static void fill(const struct probekit_change *change, struct format cells[static COLUMNS])
{
	cells[MEASURE] = worded(change->measure);
	cells[BASE] = out_compare_value(change, change->base);
	cells[HEAD] = out_compare_value(change, change->head);
	cells[CHANGE] = format_change(change->ratio);
	cells[INTERVAL] = format_change_interval(change->low, change->high);
	cells[P] = format_probability(out_compare_p(change));
	cells[VERDICT] = worded(out_compare_verdict(change));
}

static void widen(size_t *width, const char *text)
{
	size_t needed = format_width(text);

	*width = needed > *width ? needed : *width;
}

static void measure(struct table *table, const struct compare_probe *probe)
{
	struct format cells[COLUMNS];

	for (size_t i = 0; i < probe->size; i++) {
		if (!is_shown(table, probe->changes[i]))
			continue;
		fill(probe->changes[i], cells);
		for (int k = 0; k < COLUMNS; k++)
			widen(&table->widths[k], cells[k].text);
	}
}

/* The column of names is as wide as the widest that fits beside the others. */
static void fit_names(struct table *table, const struct compare_probe *const *probes, size_t count)
{
	size_t others = INDENT;
	size_t most = LEAST_NAME;
	char name[TEXT_SIZE];

	for (int k = 0; k < COLUMNS; k++)
		others += GAP + table->widths[k];
	if (table->style->width > others + LEAST_NAME)
		most = table->style->width - others;
	table->name_width = LEAST_NAME;
	for (size_t i = 0; i < count; i++) {
		format_escape(probes[i]->changes[0]->probe, name, sizeof(name));
		if (format_width(name) <= most)
			widen(&table->name_width, name);
	}
}

static void print_titles(const struct table *table)
{
	fprintf(table->out, "%*s%-*s", INDENT, "", (int)table->name_width, "probe");
	for (int k = 0; k < VERDICT; k++)
		fprintf(table->out, "%*s%*s", GAP, "", (int)table->widths[k], titles[k]);
	fputc('\n', table->out);
}

/* A name that is too long gets a line of its own. */
static void print_name(const struct table *table, const char *name)
{
	size_t width = format_width(name);

	fprintf(table->out, "%*s%s%s%s", INDENT, "", ink_start(table->style, INK_BOLD), name,
		ink_stop(table->style, INK_BOLD));
	if (width > table->name_width) {
		fprintf(table->out, "\n%*s", INDENT, "");
		width = 0;
	}
	fprintf(table->out, "%*s", (int)(table->name_width - width), "");
}

static void print_cells(const struct table *table, const struct probekit_change *change)
{
	enum text_ink ink = change->verdict == PROBEKIT_VERDICT_REGRESS ? INK_WARN : INK_PLAIN;
	struct format cells[COLUMNS];

	fill(change, cells);
	for (int k = 0; k < VERDICT; k++)
		fprintf(table->out, "%*s%*s", GAP, "",
			(int)table->widths[k] * (k == MEASURE ? -1 : 1), cells[k].text);
	fprintf(table->out, "%*s%s%s%s\n", GAP, "", ink_start(table->style, ink),
		cells[VERDICT].text, ink_stop(table->style, ink));
}

static bool is_told(const struct compare_probe *probe, size_t i, const char *note)
{
	char other[COMPARE_TEXT];

	for (size_t k = 0; k < i; k++) {
		out_compare_undecided(probe->changes[k], other);
		if (strcmp(other, note) == 0)
			return true;
	}
	return false;
}

/* Why measures are undecided: once for those of which the same is said. */
static void print_notes(const struct table *table, const struct compare_probe *probe)
{
	struct text_line line = {.out = table->out, .style = table->style, .indent = 2 * INDENT};
	char note[COMPARE_TEXT];
	char other[COMPARE_TEXT];

	for (size_t i = 0; i < probe->size; i++) {
		out_compare_undecided(probe->changes[i], note);
		if (!*note || is_told(probe, i, note))
			continue;
		line_add(&line, 0, INK_PLAIN, "%s", worded(probe->changes[i]->measure).text);
		for (size_t k = i + 1; k < probe->size; k++) {
			out_compare_undecided(probe->changes[k], other);
			if (strcmp(other, note) == 0)
				line_add(&line, 0, INK_PLAIN, ", %s",
					 worded(probe->changes[k]->measure).text);
		}
		line_add(&line, 0, INK_PLAIN, ":");
		line_words(&line, 1, INK_PLAIN, note);
		line_end(&line);
	}
}

static void print_probe(const struct table *table, const struct compare_probe *probe)
{
	bool is_first = true;
	char name[TEXT_SIZE];

	format_escape(probe->changes[0]->probe, name, sizeof(name));
	for (size_t i = 0; i < probe->size; i++) {
		if (!is_shown(table, probe->changes[i]))
			continue;
		if (is_first)
			print_name(table, name);
		else
			fprintf(table->out, "%*s", (int)(INDENT + table->name_width), "");
		is_first = false;
		print_cells(table, probe->changes[i]);
	}
	print_notes(table, probe);
}

void out_compare_table(FILE *out, const struct text_style *style,
		       const struct compare_probe *const *probes, size_t count, bool is_verbose)
{
	struct table table = {.out = out, .style = style, .is_verbose = is_verbose};

	if (count == 0)
		return;
	for (int k = 0; k < COLUMNS; k++)
		table.widths[k] = strlen(titles[k]);
	for (size_t i = 0; i < count; i++)
		measure(&table, probes[i]);
	fit_names(&table, probes, count);
	print_titles(&table);
	for (size_t i = 0; i < count; i++)
		print_probe(&table, probes[i]);
}
