/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the summary of a recording. */
#include "out_record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "out_parts.h"

enum {
	MAX_LINES = 20,
	MAX_NAME = 48,
	QUANTILE_WIDTH = 19,
};

static const struct {
	const char *name;
	double q;
} quantiles[] = {{"p50", 0.5}, {"p99", 0.99}};

#define QUANTILES (sizeof(quantiles) / sizeof(quantiles[0]))

/* What was measured once is its own only run. */
static size_t run_count(const struct probekit_snapshot *snapshot)
{
	size_t count = probekit_snapshot_run_count(snapshot);

	return count ? count : 1;
}

static const struct probekit_snapshot *run_at(const struct probekit_snapshot *snapshot, size_t i)
{
	const struct probekit_snapshot *run = probekit_snapshot_run(snapshot, i);

	return run ? run : snapshot;
}

/* The probe's own row in a run, where it has spans. */
static const struct probekit_probe *row_in(const struct probekit_snapshot *run,
					   const struct probekit_probe *like)
{
	for (size_t i = 0; i < probekit_snapshot_size(run); i++) {
		const struct probekit_probe *row = probekit_snapshot_probe(run, i);

		if (row->kind == like->kind && !row->has_key && strcmp(row->name, like->name) == 0)
			return row->count ? row : NULL;
	}
	return NULL;
}

/* What one line tells. */
struct entry {
	const struct probekit_probe *row;
	size_t runs;
	double spread[QUANTILES]; /* standard deviation of its logarithm; NAN: not known */
};

static void look_at_runs(const struct probekit_snapshot *snapshot, struct entry *entry)
{
	double sum[QUANTILES] = {0};
	double squares[QUANTILES] = {0};
	double n;

	for (size_t i = 0; i < run_count(snapshot); i++) {
		const struct probekit_probe *row = row_in(run_at(snapshot, i), entry->row);

		entry->runs += row != NULL;
		for (size_t k = 0; row && k < QUANTILES; k++) {
			double x = log(probekit_probe_quantile(row, quantiles[k].q));

			sum[k] += x;
			squares[k] += x * x;
		}
	}
	n = (double)entry->runs;
	for (size_t k = 0; k < QUANTILES; k++) {
		double rest = squares[k] - sum[k] * sum[k] / n;

		entry->spread[k] = n > 1 && isfinite(rest) ? sqrt(fmax(rest, 0) / (n - 1)) : NAN;
	}
}

static void print_quantile(FILE *out, const struct entry *entry, size_t k)
{
	char text[128];

	if (!entry->row->count)
		snprintf(text, sizeof(text), "-");
	else if (isnan(entry->spread[k]))
		snprintf(text, sizeof(text), "%s",
			 format_of(entry->row, probekit_probe_quantile(entry->row, quantiles[k].q))
				 .text);
	else
		snprintf(text, sizeof(text), "%s +-%s",
			 format_of(entry->row, probekit_probe_quantile(entry->row, quantiles[k].q))
				 .text,
			 format_share(entry->spread[k]).text);
	fprintf(out, "  %*s", QUANTILE_WIDTH, text);
}

static int by_time(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	if (x->row->sum != y->row->sum)
		return x->row->sum > y->row->sum ? -1 : 1;
	return strcmp(x->row->name, y->row->name);
}

static void print_entries(FILE *out, const struct probekit_snapshot *snapshot,
			  struct entry *entries, size_t count)
{
	size_t shown = count < MAX_LINES ? count : MAX_LINES;
	size_t width = 0;
	char name[MAX_NAME];

	for (size_t i = 0; i < shown; i++) {
		format_escape(entries[i].row->name, name, sizeof(name));
		width = format_width(name) > width ? format_width(name) : width;
	}
	fprintf(out, "  %*s  %5s  %12s", (int)width, "", "runs", "count");
	for (size_t k = 0; k < QUANTILES; k++)
		fprintf(out, "  %*s", QUANTILE_WIDTH, quantiles[k].name);
	fputc('\n', out);
	for (size_t i = 0; i < shown; i++) {
		look_at_runs(snapshot, &entries[i]);
		format_escape(entries[i].row->name, name, sizeof(name));
		fprintf(out, "  %s%*s  %5zu  %12s", name, (int)(width - format_width(name)), "",
			entries[i].runs, format_count(entries[i].row->count).text);
		for (size_t k = 0; k < QUANTILES; k++)
			print_quantile(out, &entries[i], k);
		fputc('\n', out);
	}
	if (shown < count)
		fprintf(out, "  and %s of less time\n",
			format_plural(count - shown, "probe", "probes").text);
}

void out_record(FILE *out, const struct probekit_snapshot *snapshot)
{
	const struct probekit_snapshot_info *info = probekit_snapshot_info(snapshot);
	size_t size = probekit_snapshot_size(snapshot);
	struct entry *entries = calloc(size + 1, sizeof(*entries));
	size_t count = 0;

	fprintf(out, "%s, %s together\n", format_plural(run_count(snapshot), "run", "runs").text,
		format_duration((double)info->duration_ns).text);
	for (size_t i = 0; entries && i < size; i++)
		if (!probekit_snapshot_probe(snapshot, i)->has_key)
			entries[count++].row = probekit_snapshot_probe(snapshot, i);
	if (count) {
		qsort(entries, count, sizeof(*entries), by_time);
		print_entries(out, snapshot, entries, count);
	}
	free(entries);
}
