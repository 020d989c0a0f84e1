/* SPDX-License-Identifier: BSD-2-Clause */
#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define NAME_WIDTH 34

/* Three or four digits that matter. */
static void format_value(double value, char *text, size_t size)
{
	double magnitude = fabs(value);

	if (isnan(value))
		snprintf(text, size, "-");
	else if (magnitude >= 1e7)
		snprintf(text, size, "%.3e", value);
	else
		snprintf(text, size, "%.*f",
			 magnitude >= 1000 ? 0
			 : magnitude >= 10 ? 1
					   : 3,
			 value);
}

/* The median, and the middle half of the rounds as its spread. */
static void print_value(const struct side_result *result, size_t metric, size_t rounds, FILE *to)
{
	const double *values = result->values[metric];
	char low[32];
	char middle[32];
	char high[32];
	char text[100];

	format_value(median(values, rounds), middle, sizeof(middle));
	format_value(quantile(values, rounds, 0.25), low, sizeof(low));
	format_value(quantile(values, rounds, 0.75), high, sizeof(high));
	if (rounds == 0 || isnan(values[0]))
		snprintf(text, sizeof(text), "-");
	else
		snprintf(text, sizeof(text), "%s (%s..%s)", middle, low, high);
	fprintf(to, "  %26s", text);
}

static void print_sides(const struct bench_run *run, size_t from, size_t to_metric, FILE *to)
{
	const struct bench_group *group = run->group;

	fprintf(to, "  %-*s", NAME_WIDTH, "median (middle half)");
	for (size_t m = from; m < to_metric; m++) {
		char heading[64];

		snprintf(heading, sizeof(heading), "%s, %s", group->metrics[m].name,
			 group->metrics[m].unit);
		fprintf(to, "  %26s", heading);
	}
	fputc('\n', to);
	for (size_t i = 0; i < run->side_count; i++) {
		const struct side_result *result = &run->results[i];

		fprintf(to, "  %-*s", NAME_WIDTH, group->sides[i].name);
		if (result->status != SIDE_MEASURED)
			fprintf(to, "  %s: %s",
				result->status == SIDE_FAILED ? "FAILED" : "missing",
				result->reason);
		for (size_t m = from; m < to_metric && result->status == SIDE_MEASURED; m++)
			print_value(result, m, run->rounds, to);
		fputc('\n', to);
	}
}

static void print_figure(const struct ratio_result *result, FILE *to)
{
	const struct ratio *ratio = &result->ratio;

	if (isnan(ratio->value) && result->what->over) {
		fprintf(to, "no figure: %s may add nothing\n", result->what->to);
		return;
	}
	if (isnan(ratio->value)) {
		fputs("no figure: a value is not above 0\n", to);
		return;
	}
	fprintf(to, "%7.3f  (%.3f .. %.3f, +-%.1f %%)", ratio->value, ratio->low, ratio->high,
		ratio->half_width * 100);
	if (result->what->aim > 0)
		fprintf(to, "  aim %s %.4g: %s",
			result->what->is_at_least ? ">=" : "<=", result->what->aim,
			ratio_meets_aim(result) ? "met" : "MISSED");
	fputc('\n', to);
}

static void print_ratios(const struct bench_run *run, FILE *to)
{
	bool has_heading = false;

	for (size_t i = 0; i < run->ratio_count; i++) {
		const struct ratio_result *result = &run->ratios[i];
		const struct bench_ratio *what = result->what;
		char name[160];

		if (result->is_gap) /* which the table above explains */
			continue;
		if (!has_heading)
			fprintf(to, "  ratio (95 %% interval, half-width)\n");
		has_heading = true;
		snprintf(name, sizeof(name), "%s / %s%s%s", what->of, what->to,
			 run->metric_count > 1 ? ", " : "",
			 run->metric_count > 1 ? run->group->metrics[result->metric].name : "");
		fprintf(to, "  %-64s ", name);
		print_figure(result, to);
	}
}

#define METRICS_A_TABLE 5

void report_print(const struct bench_run *run, FILE *to)
{
	const struct bench_group *group = run->group;

	fprintf(to, "== %s: %s\n", group->name, group->about);
	for (size_t m = 0; m < run->metric_count; m += METRICS_A_TABLE)
		print_sides(run, m,
			    m + METRICS_A_TABLE < run->metric_count ? m + METRICS_A_TABLE
								    : run->metric_count,
			    to);
	print_ratios(run, to);
	for (size_t i = 0; i < run->note_count; i++)
		fprintf(to, "  %s\n", run->notes[i]);
	fprintf(to, "  %zu rounds in %.0f s, ended by %s\n\n", run->rounds, run->seconds,
		run->stopped_by);
	fflush(to);
}
