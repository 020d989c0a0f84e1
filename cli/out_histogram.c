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
	CLASS_WIDTH = 5, /* at least; a blank is between two titles */
	CLASS_WIDTH_MAX = 8,
	MAX_CLASSES = 5, /* in columns of their own */
	WIDE = 100,	 /* from here on there is room for both shares */
};

#define LEAST_SHARE 0.01 /* of all time, to get a column */

struct row {
	struct format label;
	uint64_t count;
	const struct probekit_band *band; /* NULL: where its time went is not known */
	double time;			  /* that the band's values add up to; 0 for kind VALUE */
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
	bool is_wide; /* left out where columns of classes need the room */
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
	{"share", 7, false, true, share_of_count},
	{"time", 7, true, false, share_of_time},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* ---- columns of classes: what a band's time was made of ---- */

static const char *const class_titles[PROBEKIT_CLASS_COUNT] = {
	[PROBEKIT_CLASS_ONCPU] = "cpu",	      [PROBEKIT_CLASS_RUNQUEUE] = "runq",
	[PROBEKIT_CLASS_THROTTLED] = "thrtl", [PROBEKIT_CLASS_LOCK] = "lock",
	[PROBEKIT_CLASS_DISK] = "disk",	      [PROBEKIT_CLASS_NETWORK] = "net",
	[PROBEKIT_CLASS_IPC] = "ipc",	      [PROBEKIT_CLASS_IO] = "io",
	[PROBEKIT_CLASS_SLEEP] = "sleep",     [PROBEKIT_CLASS_POLL] = "poll",
	[PROBEKIT_CLASS_PAGEFAULT] = "fault", [PROBEKIT_CLASS_MEMORY] = "mem",
	[PROBEKIT_CLASS_STOPPED] = "stop",    [PROBEKIT_CLASS_OTHER] = "other",
};

#define REST_TITLE "rest"

static int class_width(const char *title)
{
	int width = (int)strlen(title) + 1;

	return width > CLASS_WIDTH ? width : CLASS_WIDTH;
}

struct classes {
	int shown[MAX_CLASSES]; /* in the order of the classes */
	size_t size;
	bool has_rest; /* the others together have a column */
};

/* On-CPU, and the classes with the most time, of those that have enough to matter. */
static void choose_classes(const struct probekit_probe *probe, struct classes *classes)
{
	bool is_taken[PROBEKIT_CLASS_COUNT] = {[PROBEKIT_CLASS_ONCPU] = true};
	double all = 0;
	double left;

	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		all += (double)probe->time_ns[i];
	left = all;
	for (int taken = 1; taken < MAX_CLASSES; taken++) {
		int best = -1;

		for (int i = 0; i < PROBEKIT_CLASS_OTHER; i++)
			if (!is_taken[i] && (double)probe->time_ns[i] >= all * LEAST_SHARE &&
			    (best < 0 || probe->time_ns[i] > probe->time_ns[best]))
				best = i;
		if (best < 0 || probe->time_ns[best] == 0)
			break;
		is_taken[best] = true;
		left -= (double)probe->time_ns[best];
	}
	classes->has_rest = left > (double)probe->time_ns[PROBEKIT_CLASS_ONCPU] + 0.5;
	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		if (is_taken[i])
			classes->shown[classes->size++] = i;
}

static char *add_percent(char *at, int width, double part, double whole)
{
	if (part <= 0)
		return at + sprintf(at, "%*s", width, "");
	if (part < 0.005 * whole)
		return at + sprintf(at, "%*s", width, "<1");
	return at + sprintf(at, "%*.0f", width, 100 * part / whole);
}

static void print_classes(FILE *out, const struct classes *classes,
			  const struct probekit_band *band)
{
	char text[(MAX_CLASSES + 1) * CLASS_WIDTH_MAX + 1];
	char *end = text;
	double whole = 0;
	double rest;

	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		whole += (double)band->time_ns[i];
	rest = whole;
	for (size_t i = 0; i < classes->size; i++) {
		double part = (double)band->time_ns[classes->shown[i]];

		end = add_percent(end, class_width(class_titles[classes->shown[i]]), part, whole);
		rest -= part;
	}
	if (classes->has_rest)
		end = add_percent(end, class_width(REST_TITLE), rest, whole);
	while (end > text && end[-1] == ' ')
		end--;
	fprintf(out, "%.*s", (int)(end - text), text);
}

static unsigned int classes_width(const struct classes *classes)
{
	int width = classes->has_rest ? class_width(REST_TITLE) : 0;

	for (size_t i = 0; i < classes->size; i++)
		width += class_width(class_titles[classes->shown[i]]);
	return (unsigned int)width;
}

static bool is_shown(const struct column *column, const struct probekit_probe *probe,
		     const struct text_style *style)
{
	if (column->is_wide && probe->has_time && style->width < WIDE)
		return false;
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

static const struct probekit_band *find_band(const struct probekit_probe *probe, int32_t exponent)
{
	for (size_t i = 0; i < probe->band_count; i++)
		if (probe->bands[i].exponent == exponent)
			return &probe->bands[i];
	return NULL;
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
		row->band = find_band(probe, band);
		rows->time += row->time;
	}
}

/* What all rows of one drawing share. */
struct drawing {
	FILE *out;
	const struct text_style *style;
	const struct probekit_probe *probe;
	struct rows rows;
	struct classes classes;
	int label; /* widths */
	int count;
	unsigned int bar;
};

static void print_row(const struct drawing *drawing, const struct row *row)
{
	FILE *out = drawing->out;
	unsigned int length = (unsigned int)lround((double)row->count * drawing->bar /
						   (double)drawing->rows.max_count);

	fprintf(out, "  %*s", drawing->label, row->label.text);
	if (row->is_gap) {
		fputc('\n', out);
		return;
	}
	if (row->count && length == 0)
		length = 1;
	fprintf(out, "  %*s |%s", drawing->count, format_count(row->count).text,
		ink_start(drawing->style, INK_BAR));
	for (unsigned int i = 0; i < length; i++)
		fputc('#', out);
	fprintf(out, "%s%*s|", ink_stop(drawing->style, INK_BAR), (int)(drawing->bar - length), "");
	for (size_t i = 0; row->count && i < COLUMNS; i++)
		if (is_shown(&columns[i], drawing->probe, drawing->style))
			fprintf(out, " %*s", (int)columns[i].width,
				format_share(columns[i].share(&drawing->rows, row)).text);
	if (row->count && row->band)
		print_classes(out, &drawing->classes, row->band);
	fputc('\n', out);
}

static void print_titles(const struct drawing *drawing, const char *title)
{
	FILE *out = drawing->out;

	fprintf(out, "  %*s  %*s%*s", drawing->label, title, drawing->count, "count",
		(int)drawing->bar + 3, "");
	for (size_t i = 0; i < COLUMNS; i++)
		if (is_shown(&columns[i], drawing->probe, drawing->style))
			fprintf(out, " %*s", (int)columns[i].width, columns[i].title);
	for (size_t i = 0; i < drawing->classes.size; i++) {
		const char *class_title = class_titles[drawing->classes.shown[i]];

		fprintf(out, "%*s", class_width(class_title), class_title);
	}
	if (drawing->classes.has_rest)
		fprintf(out, "%*s", class_width(REST_TITLE), REST_TITLE);
	fputc('\n', out);
}

/* Columns that everything but the bars takes. */
static unsigned int measure(struct drawing *drawing, const char *title)
{
	size_t label = strlen(title);
	size_t count = strlen("count");
	unsigned int used;

	for (size_t i = 0; i < drawing->rows.size; i++) {
		size_t width = strlen(drawing->rows.row[i].label.text);

		label = width > label ? width : label;
		width = strlen(format_count(drawing->rows.row[i].count).text);
		count = width > count ? width : count;
	}
	drawing->label = (int)label;
	drawing->count = (int)count;
	used = (unsigned int)(2 + label + 2 + count + strlen(" ||"));
	for (size_t i = 0; i < COLUMNS; i++)
		if (is_shown(&columns[i], drawing->probe, drawing->style))
			used += columns[i].width + 1;
	return used + classes_width(&drawing->classes);
}

void out_histogram(FILE *out, const struct text_style *style, const struct probekit_probe *probe)
{
	const char *title = probe->kind == PROBEKIT_KIND_VALUE ? "value" : "latency";
	struct drawing drawing = {.out = out, .style = style, .probe = probe};
	unsigned int used;

	build_rows(probe, &drawing.rows);
	if (drawing.rows.max_count == 0)
		return;
	if (probe->has_time)
		choose_classes(probe, &drawing.classes);
	used = measure(&drawing, title);
	drawing.bar = used + LEAST_BAR > style->width ? LEAST_BAR : style->width - used;
	print_titles(&drawing, title);
	for (size_t i = 0; i < drawing.rows.size; i++)
		print_row(&drawing, &drawing.rows.row[i]);
}
