/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the drawing of a histogram: a row for each power-of-two band, bars, columns to the right. */
#include "out_parts.h"

#include <math.h>
#include <string.h>

enum {
	MAX_BANDS = 128, /* 2^-30 s to 2^63 units, and room */
	MAX_ROWS = MAX_BANDS + 2,
	SHORTEST_GAP = 3, /* shorter runs of empty bands are drawn */
	LEAST_BAR = 8,
};

struct row {
	struct format label;
	uint64_t count;
	double time; /* that the band's values add up to; 0 for kind VALUE */
	bool is_gap;
};

struct rows {
	struct row row[MAX_ROWS];
	size_t size;
	uint64_t max_count;
	double count;
	double time;
};

/* Columns to the right of the bars. */
struct column {
	const char *title;
	unsigned int width;
	bool is_time; /* has no meaning for kind VALUE */
	double (*share)(const struct rows *rows, const struct row *row);
};

static double share_of_count(const struct rows *rows, const struct row *row)
{
	return rows->count > 0 ? (double)row->count / rows->count : 0;
}

static double share_of_time(const struct rows *rows, const struct row *row)
{
	return rows->time > 0 ? row->time / rows->time : 0;
}

static const struct column columns[] = {
	{"share", 7, false, share_of_count},
	{"time", 7, true, share_of_time},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static bool is_shown(const struct column *column, const struct probekit_probe *probe)
{
	return !column->is_time || probe->kind != PROBEKIT_KIND_VALUE;
}

/* From the buckets' geometric middles: as near as a quantile is. */
static double band_time(const struct probekit_histogram *histogram, int32_t band)
{
	double time = 0;

	if (histogram->scale < 0) /* a bucket spans several bands */
		return 0;
	for (size_t i = 0; i < histogram->size; i++)
		if (histogram->index[i] >> histogram->scale == band)
			time += (double)histogram->count[i] *
				exp2(ldexp(histogram->index[i] + 0.5, -histogram->scale));
	return time;
}

static struct row *add_row(struct rows *rows, uint64_t count)
{
	struct row *row = &rows->row[rows->size++];

	*row = (struct row){.count = count};
	rows->count += (double)count;
	if (count > rows->max_count)
		rows->max_count = count;
	return row;
}

static size_t empty_run(const uint64_t *counts, size_t i, size_t n)
{
	size_t start = i;

	while (i < n && counts[i] == 0)
		i++;
	return i - start;
}

static void build_rows(const struct probekit_probe *probe, struct rows *rows)
{
	bool is_value = probe->kind == PROBEKIT_KIND_VALUE;
	uint64_t counts[MAX_BANDS];
	int32_t first = 0;
	size_t n = probekit_probe_bands(probe, &first, counts, MAX_BANDS);

	if (probe->histogram.negative_count)
		strcpy(add_row(rows, probe->histogram.negative_count)->label.text, "below 0");
	if (probe->histogram.zero_count)
		strcpy(add_row(rows, probe->histogram.zero_count)->label.text, "0");
	n = n < MAX_BANDS ? n : MAX_BANDS;
	for (size_t i = 0; i < n; i++) {
		size_t empty = empty_run(counts, i, n);
		int32_t band = first + (int32_t)i;
		struct row *row = add_row(rows, counts[i]);

		if (empty >= SHORTEST_GAP) {
			row->is_gap = true;
			strcpy(row->label.text, "...");
			i += empty - 1;
			continue;
		}
		row->label = is_value ? format_value_band(band) : format_time_band(band);
		row->time = is_value ? 0 : band_time(&probe->histogram, band);
		rows->time += row->time;
	}
}

static void print_row(FILE *out, const struct text_style *style, const struct probekit_probe *probe,
		      const struct rows *rows, const struct row *row, int label, int count,
		      unsigned int bar)
{
	unsigned int length =
		(unsigned int)lround((double)row->count * bar / (double)rows->max_count);

	fprintf(out, "  %*s", label, row->label.text);
	if (row->is_gap) {
		fputc('\n', out);
		return;
	}
	if (row->count && length == 0)
		length = 1;
	fprintf(out, "  %*s |%s", count, format_count(row->count).text, ink_start(style, INK_BAR));
	for (unsigned int i = 0; i < length; i++)
		fputc('#', out);
	fprintf(out, "%s%*s|", ink_stop(style, INK_BAR), (int)(bar - length), "");
	for (size_t i = 0; row->count && i < COLUMNS; i++)
		if (is_shown(&columns[i], probe))
			fprintf(out, " %*s", (int)columns[i].width,
				format_share(columns[i].share(rows, row)).text);
	fputc('\n', out);
}

void out_histogram(FILE *out, const struct text_style *style, const struct probekit_probe *probe)
{
	const char *title = probe->kind == PROBEKIT_KIND_VALUE ? "value" : "latency";
	struct rows rows = {.size = 0};
	size_t label = strlen(title);
	size_t count = strlen("count");
	size_t used;
	unsigned int bar;

	build_rows(probe, &rows);
	if (rows.max_count == 0)
		return;
	for (size_t i = 0; i < rows.size; i++) {
		size_t width = strlen(rows.row[i].label.text);

		label = width > label ? width : label;
		width = strlen(format_count(rows.row[i].count).text);
		count = width > count ? width : count;
	}
	used = 2 + label + 2 + count + strlen(" ||");
	for (size_t i = 0; i < COLUMNS; i++)
		used += is_shown(&columns[i], probe) ? columns[i].width + 1 : 0;
	bar = used + LEAST_BAR > style->width ? LEAST_BAR : style->width - (unsigned int)used;
	fprintf(out, "  %*s  %*s%*s", (int)label, title, (int)count, "count", (int)bar + 3, "");
	for (size_t i = 0; i < COLUMNS; i++)
		if (is_shown(&columns[i], probe))
			fprintf(out, " %*s", (int)columns[i].width, columns[i].title);
	fputc('\n', out);
	for (size_t i = 0; i < rows.size; i++)
		print_row(out, style, probe, &rows, &rows.row[i], (int)label, (int)count, bar);
}
