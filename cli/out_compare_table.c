/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the tables of measures: a row for each, the probe's name before its first one. */
#include <math.h>
#include <string.h>

#include "out_compare_parts.h"

enum {
	INDENT = 2,
	GAP = 2,
	LEAST_NAME = 12,
	MAX_COLUMNS = 8,
};

struct column {
	const char *title;
	struct format (*cell)(const struct probekit_change *change);
	bool is_left; /* else its texts are flush right */
};

struct table {
	FILE *out;
	const struct text_style *style;
	const struct compare_probe *const *probes;
	size_t count;
	const struct column *columns;
	size_t column_count;
	bool is_verbose;    /* with what is informational */
	const char *reason; /* of the measures alone that are undecided for this one; NULL: of all */
	size_t name_width;
	size_t widths[MAX_COLUMNS];
};

/* ---- columns ---- */

static struct format worded(const char *word)
{
	struct format f;

	format_escape(word, f.text, sizeof(f.text));
	return f;
}

static struct format measure_cell(const struct probekit_change *change)
{
	return worded(change->measure);
}

static struct format base_cell(const struct probekit_change *change)
{
	return out_compare_value(change, change->base);
}

static struct format head_cell(const struct probekit_change *change)
{
	return out_compare_value(change, change->head);
}

static struct format change_cell(const struct probekit_change *change)
{
	return format_change(change->ratio);
}

static struct format interval_cell(const struct probekit_change *change)
{
	return format_change_interval(change->low, change->high);
}

static struct format p_cell(const struct probekit_change *change)
{
	return format_probability(out_compare_p(change));
}

static struct format verdict_cell(const struct probekit_change *change)
{
	return worded(out_compare_verdict(change));
}

static const struct column verdict_columns[] = {
	{"", measure_cell, true},
	{"base", base_cell, false},
	{"head", head_cell, false},
	{"change", change_cell, false},
	{"95 % interval", interval_cell, false},
	{"p", p_cell, false},
	{"", verdict_cell, true},
};

static const struct column undecided_columns[] = {
	{"", measure_cell, true},
	{"change", change_cell, false},
	{"95 % interval", interval_cell, false},
	{"p", p_cell, false},
	{"more pairs", out_compare_pairs_more, false},
	{"would find", out_compare_detectable, false},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- layout ---- */

static bool is_shown(const struct table *table, const struct probekit_change *change)
{
	if (table->reason)
		return out_compare_is_undecided(change) &&
		       strcmp(out_compare_reason(change), table->reason) == 0;
	return table->is_verbose || !change->is_informational;
}

static void widen(size_t *width, const char *text)
{
	size_t needed = format_width(text);

	*width = needed > *width ? needed : *width;
}

/* False: the probe has no row. */
static bool measure_rows(struct table *table, const struct compare_probe *probe)
{
	bool has_row = false;

	for (size_t i = 0; i < probe->size; i++) {
		if (!is_shown(table, probe->changes[i]))
			continue;
		has_row = true;
		for (size_t k = 0; k < table->column_count; k++)
			widen(&table->widths[k], table->columns[k].cell(probe->changes[i]).text);
	}
	return has_row;
}

/* The column of names is as wide as the widest that fits beside the others. */
static void fit_names(struct table *table)
{
	size_t others = INDENT;
	size_t most = LEAST_NAME;
	char name[TEXT_SIZE];

	for (size_t k = 0; k < table->column_count; k++)
		others += GAP + table->widths[k];
	if (table->style->width > others + LEAST_NAME)
		most = table->style->width - others;
	table->name_width = LEAST_NAME;
	for (size_t i = 0; i < table->count; i++) {
		format_escape(table->probes[i]->changes[0]->probe, name, sizeof(name));
		if (format_width(name) <= most)
			widen(&table->name_width, name);
	}
}

/* ---- rows ---- */

static void print_titles(const struct table *table)
{
	size_t last = table->column_count - 1;

	fprintf(table->out, "%*s%-*s", INDENT, "", (int)table->name_width, "probe");
	for (size_t k = 0; k <= last; k++)
		if (k < last || !table->columns[k].is_left)
			fprintf(table->out, "%*s%*s", GAP, "", (int)table->widths[k],
				table->columns[k].title);
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

	for (size_t k = 0; k < table->column_count; k++) {
		const struct column *column = &table->columns[k];
		struct format cell = column->cell(change);
		bool is_last = k + 1 == table->column_count;

		fprintf(table->out, "%*s", GAP, "");
		if (is_last && column->is_left)
			fprintf(table->out, "%s%s%s", ink_start(table->style, ink), cell.text,
				ink_stop(table->style, ink));
		else
			fprintf(table->out, "%*s",
				(int)table->widths[k] * (column->is_left ? -1 : 1), cell.text);
	}
	fputc('\n', table->out);
}

/* Under the row, or under the last of several that have it in common. */
static void print_doubt(const struct table *table, const char *doubt)
{
	unsigned int indent = (unsigned int)(INDENT + table->name_width + GAP);
	struct text_line line = {.out = table->out, .style = table->style, .indent = indent};
	char text[COMPARE_TEXT];

	format_escape(doubt, text, sizeof(text));
	line_add(&line, 0, INK_PLAIN, "note:");
	line_words(&line, 1, INK_PLAIN, text);
	line_end(&line);
}

static void print_probe(const struct table *table, const struct compare_probe *probe)
{
	const char *doubt = NULL;
	bool is_first = true;
	char name[TEXT_SIZE];

	format_escape(probe->changes[0]->probe, name, sizeof(name));
	for (size_t i = 0; i < probe->size; i++) {
		if (!is_shown(table, probe->changes[i]))
			continue;
		if (doubt &&
		    (!probe->changes[i]->doubt || strcmp(doubt, probe->changes[i]->doubt) != 0))
			print_doubt(table, doubt);
		doubt = probe->changes[i]->doubt;
		if (is_first)
			print_name(table, name);
		else
			fprintf(table->out, "%*s", (int)(INDENT + table->name_width), "");
		is_first = false;
		print_cells(table, probe->changes[i]);
	}
	if (doubt)
		print_doubt(table, doubt);
}

static void print_table(struct table *table)
{
	for (size_t k = 0; k < table->column_count; k++)
		table->widths[k] = strlen(table->columns[k].title);
	for (size_t i = 0; i < table->count; i++)
		measure_rows(table, table->probes[i]);
	fit_names(table);
	print_titles(table);
	for (size_t i = 0; i < table->count; i++)
		print_probe(table, table->probes[i]);
}

void out_compare_table(FILE *out, const struct text_style *style,
		       const struct compare_probe *const *probes, size_t count, bool is_verbose)
{
	struct table table = {
		.out = out,
		.style = style,
		.probes = probes,
		.count = count,
		.columns = verdict_columns,
		.column_count = COUNT(verdict_columns),
		.is_verbose = is_verbose,
	};

	if (count)
		print_table(&table);
}

/* ---- what is undecided ---- */

/* Whether a measure before the k-th of the i-th probe is undecided for the same reason. */
static bool is_told(const struct compare_probe *const *probes, size_t i, size_t k)
{
	const char *reason = out_compare_reason(probes[i]->changes[k]);

	for (size_t a = 0; a <= i; a++)
		for (size_t b = 0; b < (a < i ? probes[a]->size : k); b++)
			if (out_compare_is_undecided(probes[a]->changes[b]) &&
			    strcmp(out_compare_reason(probes[a]->changes[b]), reason) == 0)
				return true;
	return false;
}

static void print_reason(struct table *table, const char *reason)
{
	struct text_line line = {.out = table->out, .style = table->style};
	char text[COMPARE_TEXT];

	fputc('\n', table->out);
	format_escape(reason, text, sizeof(text));
	line_add(&line, 0, INK_PLAIN, "undecided:");
	line_words(&line, 1, INK_PLAIN, text);
	line_end(&line);
	table->reason = reason;
	print_table(table);
}

void out_compare_undecided_table(FILE *out, const struct text_style *style,
				 const struct compare_probe *const *probes, size_t count)
{
	struct table table = {
		.out = out,
		.style = style,
		.probes = probes,
		.count = count,
		.columns = undecided_columns,
		.column_count = COUNT(undecided_columns),
	};

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < probes[i]->size; k++)
			if (out_compare_is_undecided(probes[i]->changes[k]) &&
			    !is_told(probes, i, k))
				print_reason(&table, out_compare_reason(probes[i]->changes[k]));
}
