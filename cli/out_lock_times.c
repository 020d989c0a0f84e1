/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how times of locks read: waits and holds, in numbers and as a histogram. */
#include "out_lock_times.h"

#include <math.h>
#include <string.h>

enum {
	MAX_BANDS = 128,
	OCTAVES = 3, /* in a line of the histogram */
	BAR = 24,
};

static void print_quantiles(struct text_line *line, const struct probekit_probe *row)
{
	line_add(line, 2, INK_PLAIN, "p50 %s",
		 format_duration(probekit_probe_quantile(row, 0.5)).text);
	line_add(line, 2, INK_PLAIN, "p99 %s",
		 format_duration(probekit_probe_quantile(row, 0.99)).text);
	line_add(line, 2, INK_PLAIN, "max %s", format_duration((double)row->max).text);
}

void out_lock_waits(struct text_line *line, const struct probekit_lock *lock)
{
	const struct probekit_probe *waits = &lock->waits;

	line->indent = OUT_LOCK_INDENT;
	line_add(line, 0, INK_PLAIN, "%s", format_plural(waits->count, "wait", "waits").text);
	if (lock->threads)
		line_add(line, 1, INK_PLAIN, "of %s",
			 format_plural(lock->threads, "thread", "threads").text);
	if (waits->count)
		line_add(line, 2, INK_BOLD, "%s in all", format_duration((double)waits->sum).text);
	if (waits->count)
		print_quantiles(line, waits);
	if (lock->waiting)
		line_add(line, 2, INK_WARN,
			 lock->waiting > 1 ? "%s now, for %s together" : "%s now, for %s",
			 format_plural(lock->waiting, "thread waits", "threads wait").text,
			 format_duration((double)lock->waiting_ns).text);
	line_end(line);
}

static void print_histogram(struct text_line *line, const struct probekit_probe *times)
{
	uint64_t counts[MAX_BANDS];
	uint64_t merged[MAX_BANDS / OCTAVES + 2] = {0};
	size_t lines = 0;
	uint64_t most = 0;
	int32_t first;
	size_t size = probekit_probe_bands(times, &first, counts, MAX_BANDS);
	int32_t start;

	if (!size)
		return;
	if (size > MAX_BANDS)
		size = MAX_BANDS;
	start = first - ((first % OCTAVES) + OCTAVES) % OCTAVES;
	for (size_t i = 0; i < size; i++) {
		lines = (size_t)(first - start + (int32_t)i) / OCTAVES;
		merged[lines] += counts[i];
		most = merged[lines] > most ? merged[lines] : most;
	}
	for (size_t i = 0; i <= lines; i++) {
		int low = start + (int)i * OCTAVES;
		int bar = most ? (int)(BAR * ((double)merged[i] / (double)most)) : 0;

		if (merged[i] && !bar)
			bar = 1;
		fprintf(line->out, "%*s%9s - %-9s %9s |%.*s%*s|\n", OUT_LOCK_INDENT, "",
			format_duration(ldexp(1e9, low)).text,
			format_duration(ldexp(1e9, low + OCTAVES)).text,
			format_count(merged[i]).text, bar, "########################", BAR - bar,
			"");
	}
}

/* "provider:name.wait" and ".hold": PROBEKIT_MUTEX_LOCK() of a name. NULL: not measured. */
static const struct probekit_probe *find_span(const struct probekit_snapshot *snapshot,
					      const char *name, const char *suffix)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < probekit_snapshot_size(snapshot); i++) {
		const struct probekit_probe *row = probekit_snapshot_probe(snapshot, i);

		if (strncmp(row->name, name, length) == 0 &&
		    strcmp(row->name + length, suffix) == 0)
			return row->has_key ? NULL : row;
	}
	return NULL;
}

/* Of which holds: nothing where there are none. */
static void print_times(struct text_line *line, const struct probekit_probe *times,
			const char *done, const char *what)
{
	if (!times->count)
		return;
	line->indent = OUT_LOCK_INDENT;
	line_add(line, 0, INK_PLAIN, "%s %s, %s%s", done,
		 format_plural(times->count, "time", "times").text, what,
		 format_duration((double)times->sum).text);
	print_quantiles(line, times);
	line_end(line);
	print_histogram(line, times);
}

void out_lock_times(struct text_line *line, const struct probekit_snapshot *snapshot,
		    const struct probekit_lock *lock)
{
	bool is_rwlock = lock->access != PROBEKIT_LOCK_ANY;
	const struct probekit_probe *span;

	print_histogram(line, &lock->waits);
	span = lock->name ? find_span(snapshot, lock->name, ".wait") : NULL;
	if (span) /* of all locks of the name, free or not */
		print_times(line, span, "acquired", "waiting ");
	span = lock->name && !lock->holds.count ? find_span(snapshot, lock->name, ".hold") : NULL;
	print_times(line, span ? span : &lock->holds, is_rwlock ? "held by writers" : "held", "");
	print_times(line, &lock->read_holds, "held by readers", "");
}

void out_lock_holds(struct text_line *line, const struct probekit_snapshot *snapshot)
{
	const struct probekit_probe *all = find_span(snapshot, PROBEKIT_HOLDS_NAME, "");
	const struct {
		uint64_t count;
		const char *what;
	} losses[] = {
		/* (where it ended early, begins went first) */
		{all && !all->dropped_after_ns ? all->lost.unmatched_end : 0,
		 "releases of locks that were taken before the measurement, or by another thread"},
		{all ? all->lost.abandoned : 0, "holds by threads that had more than 8 locks"},
		{all ? all->lost.map_full : 0, "holds of locks for which there was no room"},
		{all ? all->lost.state_unavailable : 0,
		 "times a thread's locks could not be noted"},
	};

	if (!all)
		return;
	line->indent = 0;
	line_add(line, 0, INK_PLAIN, "all locks, waited for or not: held %s, %s",
		 format_plural(all->count, "time", "times").text,
		 format_duration((double)all->sum).text);
	print_quantiles(line, all);
	if (all->probe_cost_ns)
		line_add(line, 2, INK_PLAIN, "measuring one took %s",
			 format_duration((double)all->probe_cost_ns).text);
	line_end(line);
	if (all->dropped_after_ns)
		line_add(
			line, 0, INK_WARN,
			"only of the first %s: then measuring holds took more than --max-overhead allows",
			format_duration((double)all->dropped_after_ns).text);
	line_end(line);
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		if (losses[i].count)
			line_add(line, 0, INK_WARN, "%s %s", format_count(losses[i].count).text,
				 losses[i].what);
		line_end(line);
	}
}
