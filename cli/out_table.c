/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the compact tables: one line for each probe or key. */
#include "out_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	COUNT_WIDTH = 11, /* widths stand behind one blank each */
	RATE_WIDTH = 11,
	TIME_WIDTH = 8,
	TIMES = 4,
	COLUMNS_WIDTH = COUNT_WIDTH + RATE_WIDTH + TIMES * TIME_WIDTH + 2 + TIMES,
	LEAST_LABEL = 8,
	MAX_KEYS_SHOWN = 12,
	KEY_SIZE = 32,
};

struct format format_of(const struct probekit_probe *probe, double value)
{
	return probe->kind == PROBEKIT_KIND_VALUE ? format_value(value) : format_duration(value);
}

bool quantile_is_known(uint64_t count, double q)
{
	return ceil(q * (double)count) < (double)count;
}

void table_init(struct text_table *table, FILE *out, const struct text_style *style,
		unsigned int indent, uint64_t duration_ns)
{
	*table = (struct text_table){out, style, indent, LEAST_LABEL, (double)duration_ns / 1e9};
}

void table_measure(struct text_table *table, const char *label)
{
	size_t others = table->indent + COLUMNS_WIDTH;
	size_t most = table->style->width > others + LEAST_LABEL ? table->style->width - others
								 : LEAST_LABEL;
	size_t width = format_width(label);

	width = width < most ? width : most;
	if (width > table->label_width)
		table->label_width = width;
}

/* A label that is too long gets a line of its own. */
static void print_label(const struct text_table *table, const char *label, enum text_ink ink)
{
	size_t width = format_width(label);

	fprintf(table->out, "%*s%s%s%s", (int)table->indent, "", ink_start(table->style, ink),
		label, ink_stop(table->style, ink));
	if (width > table->label_width) {
		fprintf(table->out, "\n%*s", (int)table->indent, "");
		width = 0;
	}
	fprintf(table->out, "%*s", (int)(table->label_width - width), "");
}

void table_head(const struct text_table *table, const char *title)
{
	static const char *const times[TIMES] = {"p50", "p99", "max", "total"};

	print_label(table, title, INK_BOLD);
	fprintf(table->out, " %*s %*s", COUNT_WIDTH, "count", RATE_WIDTH, "rate");
	for (size_t i = 0; i < TIMES; i++)
		fprintf(table->out, " %*s", TIME_WIDTH, times[i]);
	fputc('\n', table->out);
}

static const char *quantile_text(const struct probekit_probe *probe, double q, struct format *f)
{
	if (!quantile_is_known(probe->count, q))
		return "-";
	*f = format_of(probe, probekit_probe_quantile(probe, q));
	return f->text;
}

void table_row(const struct text_table *table, const char *label,
	       const struct probekit_probe *probe)
{
	double rate = table->seconds > 0 ? (double)probe->count / table->seconds : 0;
	struct format p50;
	struct format p99;

	print_label(table, label, INK_PLAIN);
	if (probe->count == 0) {
		fprintf(table->out, " %*s\n", COUNT_WIDTH, "0");
		return;
	}
	fprintf(table->out, " %*s %*s %*s %*s %*s %*s\n", COUNT_WIDTH,
		format_count(probe->count).text, RATE_WIDTH, format_rate(rate).text, TIME_WIDTH,
		quantile_text(probe, 0.5, &p50), TIME_WIDTH, quantile_text(probe, 0.99, &p99),
		TIME_WIDTH, format_of(probe, (double)probe->max).text, TIME_WIDTH,
		format_of(probe, (double)probe->sum).text);
}

static void key_label(const struct probekit_probe *row, char label[static KEY_SIZE])
{
	if (row->is_key_overflow)
		snprintf(label, KEY_SIZE, "other");
	else
		snprintf(label, KEY_SIZE, "%lld", (long long)row->key);
}

/* Most total time first; the overflow, which is no key, last. */
static int compare_keys(const void *a, const void *b)
{
	const struct probekit_probe *left = *(const struct probekit_probe *const *)a;
	const struct probekit_probe *right = *(const struct probekit_probe *const *)b;

	if (left->is_key_overflow != right->is_key_overflow)
		return left->is_key_overflow ? 1 : -1;
	if (left->sum != right->sum)
		return left->sum > right->sum ? -1 : 1;
	return left->key < right->key ? -1 : left->key > right->key;
}

void out_keys(FILE *out, const struct text_style *style, const struct text_group *group,
	      uint64_t duration_ns)
{
	size_t n = group->key_count;
	size_t kept = n > MAX_KEYS_SHOWN ? MAX_KEYS_SHOWN : n;
	const struct probekit_probe **rows = malloc((n ? n : 1) * sizeof(*rows));
	struct text_table table;
	char label[KEY_SIZE];

	if (!rows)
		return;
	memcpy(rows, group->keys, n * sizeof(*rows));
	qsort(rows, n, sizeof(*rows), compare_keys);
	/* The overflow is never among those left out: what is unknown must be seen. */
	if (kept < n && rows[n - 1]->is_key_overflow)
		rows[kept - 1] = rows[n - 1];
	table_init(&table, out, style, 2, duration_ns);
	for (size_t i = 0; i < kept; i++) {
		key_label(rows[i], label);
		table_measure(&table, label);
	}
	fputc('\n', out);
	table_head(&table, "key");
	for (size_t i = 0; i < kept; i++) {
		key_label(rows[i], label);
		table_row(&table, label, rows[i]);
	}
	if (kept < n)
		fprintf(out, "  and %s with less time; --key N shows one alone\n",
			format_plural(n - kept, "more key", "more keys").text);
	free(rows);
}
