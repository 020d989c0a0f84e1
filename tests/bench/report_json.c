/* SPDX-License-Identifier: BSD-2-Clause */
#include "report.h"

#include <math.h>
#include <string.h>

/* What is not known is null. */
static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *side_values(const struct bench_run *run, const struct side_result *result)
{
	json_t *values = json_object();

	for (size_t m = 0; m < run->metric_count; m++) {
		const double *of = result->values[m];
		json_t *rounds = json_array();

		for (size_t i = 0; i < run->rounds; i++)
			json_array_append_new(rounds, number(of[i]));
		json_object_set_new(
			values, run->group->metrics[m].name,
			json_pack("{s:o, s:o, s:o, s:o}", "median", number(median(of, run->rounds)),
				  "quarter", number(quantile(of, run->rounds, 0.25)),
				  "three_quarters", number(quantile(of, run->rounds, 0.75)),
				  "rounds", rounds));
	}
	return values;
}

static json_t *side_json(const struct bench_run *run, size_t side)
{
	static const char *const statuses[] = {
		[SIDE_MEASURED] = "measured",
		[SIDE_MISSING] = "missing",
		[SIDE_FAILED] = "failed",
	};
	const struct side_result *result = &run->results[side];
	bool is_measured = result->status == SIDE_MEASURED;

	return json_pack("{s:s, s:s, s:o, s:o}", "name", run->group->sides[side].name, "status",
			 statuses[result->status], "reason",
			 is_measured ? json_null() : json_string(result->reason), "values",
			 is_measured ? side_values(run, result) : json_null());
}

static json_t *ratio_json(const struct bench_run *run, const struct ratio_result *result)
{
	const struct bench_ratio *what = result->what;
	const struct ratio *ratio = &result->ratio;
	bool has_verdict = what->aim > 0 && !isnan(ratio->value);

	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "of", what->of,
			 "to", what->to, "over", what->over ? json_string(what->over) : json_null(),
			 "metric", run->group->metrics[result->metric].name, "value",
			 number(ratio->value), "low", number(ratio->low), "high",
			 number(ratio->high), "half_width", number(ratio->half_width), "aim",
			 what->aim > 0 ? json_real(what->aim) : json_null(), "aim_is_at_least",
			 what->is_at_least, "aim_met",
			 has_verdict ? json_boolean(ratio_meets_aim(result)) : json_null());
}

json_t *report_json(const struct bench_run *run)
{
	json_t *metrics = json_array();
	json_t *sides = json_array();
	json_t *ratios = json_array();
	json_t *notes = json_array();

	for (size_t m = 0; m < run->metric_count; m++)
		json_array_append_new(metrics,
				      json_pack("{s:s, s:s}", "name", run->group->metrics[m].name,
						"unit", run->group->metrics[m].unit));
	for (size_t i = 0; i < run->side_count; i++)
		json_array_append_new(sides, side_json(run, i));
	for (size_t i = 0; i < run->ratio_count; i++)
		json_array_append_new(ratios, ratio_json(run, &run->ratios[i]));
	for (size_t i = 0; i < run->note_count; i++)
		json_array_append_new(notes, json_string(run->notes[i]));
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:f, s:s}", "name", run->group->name,
			 "about", run->group->about, "metrics", metrics, "sides", sides, "ratios",
			 ratios, "notes", notes, "rounds", (json_int_t)run->rounds, "seconds",
			 run->seconds, "stopped_by", run->stopped_by);
}
