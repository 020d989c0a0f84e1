/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns how a snapshot is written: docs/snapshot-format.md, field by field. What is not known is
 * null, never zero. Everything derived (quantiles, modes, bands, sums) follows from the snapshot's
 * value alone, so that reading a file and writing it again gives the same text.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "breakdown_json.h"
#include "causes_json.h"
#include "environment_json.h"
#include "histogram.h"
#include "json_text.h"
#include "locks_json.h"
#include "snapshot.h"

#define NS_PER_S 1e9
#define MODES_MAX 16

static void lost(struct json_text *json, const struct probekit_lost *counts)
{
	const struct {
		const char *key;
		uint64_t value;
	} members[] = {
		{"unmatched_end", counts->unmatched_end},
		{"abandoned", counts->abandoned},
		{"depth_overflow", counts->depth_overflow},
		{"state_unavailable", counts->state_unavailable},
		{"sched_repaired", counts->sched_repaired},
		{"map_full", counts->map_full},
		{"unreadable_argument", counts->unreadable_argument},
		{"out_of_range", counts->out_of_range},
		{"samples_skipped", counts->samples_skipped},
		{"samples_dropped", counts->samples_dropped},
		{"waits_unnamed", counts->waits_unnamed},
		{"children_unnamed", counts->children_unnamed},
		{"tasks_missed", counts->tasks_missed},
	};

	json_text_open_inline(json, "lost", '{');
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (members[i].value || !json->is_sparse)
			json_text_unsigned(json, members[i].key, members[i].value);
	json_text_close(json, '}');
}

/* Always there, also where nulls are left out: a row is looked for by name and key. */
static void key_of_row(struct json_text *json, const struct probekit_probe *probe)
{
	bool is_sparse = json->is_sparse;

	json->is_sparse = false;
	if (!probe->has_key)
		json_text_null(json, "key");
	else if (probe->is_key_overflow)
		json_text_string(json, "key", "other");
	else
		json_text_integer(json, "key", probe->key);
	json->is_sparse = is_sparse;
}

static void totals(struct json_text *json, const struct probekit_probe *probe)
{
	static const struct {
		const char *name;
		double q;
	} quantiles[] = {{"0.5", 0.5}, {"0.9", 0.9}, {"0.99", 0.99}, {"0.999", 0.999}};
	bool is_value = probe->kind == PROBEKIT_KIND_VALUE;
	bool is_empty = histogram_total(&probe->histogram) == 0;

	json_text_unsigned(json, "count", probe->count);
	json_text_integer(json, is_value ? "sum" : "sum_ns", probe->sum);
	if (probe->count) {
		json_text_integer(json, is_value ? "min" : "min_ns", probe->min);
		json_text_integer(json, is_value ? "max" : "max_ns", probe->max);
	} else {
		json_text_null(json, is_value ? "min" : "min_ns");
		json_text_null(json, is_value ? "max" : "max_ns");
	}
	json_text_open_inline(json, is_value ? "quantiles" : "quantiles_ns", '{');
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		if (is_empty)
			json_text_null(json, quantiles[i].name);
		else
			json_text_rounded(json, quantiles[i].name,
					  probekit_probe_quantile(probe, quantiles[i].q));
	}
	json_text_close(json, '}');
}

static void modes(struct json_text *json, const struct probekit_probe *probe)
{
	bool is_value = probe->kind == PROBEKIT_KIND_VALUE;
	struct probekit_mode found[MODES_MAX];
	size_t size = probekit_probe_modes(probe, found, MODES_MAX);

	json_text_open(json, "modes", '[');
	for (size_t i = 0; i < size && i < MODES_MAX; i++) {
		json_text_open_inline(json, NULL, '{');
		json_text_rounded(json, is_value ? "at" : "at_ns", found[i].at);
		json_text_rounded(json, is_value ? "from" : "from_ns", found[i].from);
		json_text_rounded(json, is_value ? "to" : "to_ns", found[i].to);
		json_text_decimal(json, "share", found[i].share);
		json_text_close(json, '}');
	}
	json_text_close(json, ']');
}

static void edges(struct json_text *json, bool is_value, int32_t band)
{
	if (is_value) {
		json_text_decimal(json, "from", histogram_lower(band, 0));
		json_text_decimal(json, "to", histogram_upper(band, 0));
	} else {
		json_text_rounded(json, "from_ns", histogram_lower(band, 0) * NS_PER_S);
		json_text_rounded(json, "to_ns", histogram_upper(band, 0) * NS_PER_S);
	}
}

/* Bands without a count are left out: a value far off must not make the list long. */
static void bands(struct json_text *json, const struct probekit_probe *probe)
{
	const struct probekit_histogram *h = &probe->histogram;
	size_t i = 0;

	if (json->is_sparse && !probe->has_time)
		return;
	json_text_open(json, "bands", '[');
	while (i < h->size) {
		int32_t band = h->index[i] >> h->scale;
		uint64_t count = 0;

		for (; i < h->size && h->index[i] >> h->scale == band; i++)
			count += h->count[i];
		json_text_open_inline(json, NULL, '{');
		if (!json->is_sparse) {
			edges(json, probe->kind == PROBEKIT_KIND_VALUE, band);
			json_text_unsigned(json, "count", count);
		}
		breakdown_band_to_json(json, probe, band);
		json_text_close(json, '}');
	}
	json_text_close(json, ']');
}

static void share_of_cpu(struct json_text *json, const struct probekit_probe *probe,
			 uint64_t duration_ns)
{
	if (probe->probe_cost_ns && duration_ns)
		json_text_decimal(json, "share_of_cpu",
				  (double)probe->count * (double)probe->probe_cost_ns /
					  (double)duration_ns);
	else
		json_text_null(json, "share_of_cpu");
}

static void probing(struct json_text *json, const struct probekit_probe *probe,
		    uint64_t duration_ns)
{
	json_text_open_inline(json, "probing", '{');
	json_count_or_null(json, "cost_ns", probe->probe_cost_ns);
	if (probe->kind == PROBEKIT_KIND_FUNCTION) {
		json_text_string(json, "cost", probekit_cost_name(probe->cost));
		json_count_or_null(json, "dropped_after_ns", probe->dropped_after_ns);
	}
	if (!json->is_sparse)
		share_of_cpu(json, probe, duration_ns);
	json_text_close(json, '}');
}

static void row_members(struct json_text *json, const struct probekit_probe *probe,
			uint64_t duration_ns)
{
	json_text_string(json, "name", probe->name);
	json_text_string(json, "kind", probekit_kind_name(probe->kind));
	json_text_string(json, "object", probe->object);
	json_text_string(json, "build_id", probe->build_id);
	json_text_unsigned(json, "sites", probe->sites);
	key_of_row(json, probe);
	totals(json, probe);
	json_text_unsigned(json, "in_flight_at_start", probe->in_flight_at_start);
	json_histogram(json, probe->kind == PROBEKIT_KIND_VALUE ? "1" : "s", &probe->histogram);
	if (!json->is_sparse)
		modes(json, probe);
	probing(json, probe, duration_ns);
	breakdown_to_json(json, probe);
	bands(json, probe);
	slowest_to_json(json, probe);
	open_to_json(json, probe);
	if (probe->has_key)
		json_text_null(json, "lost");
	else
		lost(json, &probe->lost);
}

static void row(struct json_text *json, const struct probekit_probe *probe, uint64_t duration_ns)
{
	json_text_open(json, NULL, '{');
	row_members(json, probe, duration_ns);
	json_text_close(json, '}');
}

/* On a line of its own, as short as can be: files have many of them, and nobody reads them unaided. */
static void run_row(struct json_text *json, const struct probekit_probe *probe,
		    uint64_t duration_ns)
{
	bool is_compact = json->is_compact;

	json_text_open(json, NULL, '{');
	json->is_compact = json->is_sparse = true;
	row_members(json, probe, duration_ns);
	json_text_close(json, '}');
	json->is_compact = is_compact;
	json->is_sparse = false;
}

static void header(struct json_text *json, const struct probekit_snapshot_info *info)
{
	json_text_open_inline(json, "tool", '{');
	json_text_string(json, "name", "probekit");
	json_text_string(json, "version", info->tool_version);
	json_text_close(json, '}');
	environment_to_json(json, &info->environment);
	json_text_open_inline(json, "target", '{');
	json_text_string(json, "name", info->target);
	json_text_open(json, "pids", '[');
	for (size_t i = 0; i < info->pid_count; i++)
		json_text_integer(json, NULL, info->pids[i]);
	json_text_close(json, ']');
	json_text_string(json, "attach", info->attach);
	json_text_string(json, "site", info->site);
	json_text_close(json, '}');
	json_instant(json, "started", info->started_unix_ns);
	json_text_unsigned(json, "duration_ns", info->duration_ns);
	if (info->child_status >= 0)
		json_text_integer(json, "child_status", info->child_status);
	else
		json_text_null(json, "child_status");
	json_count_or_null(json, "child_cpu_ns", info->child_cpu_ns);
	json_text_bool(json, "excludes_stopped", info->excludes_stopped);
	json_text_open_inline(json, "probe_cost", '{');
	json_count_or_null(json, "span_ns", info->span_cost_ns);
	json_count_or_null(json, "usdt_ns", info->usdt_cost_ns);
	json_count_or_null(json, "function_ns", info->function_cost_ns);
	json_count_or_null(json, "floor_ns", info->floor_ns);
	json_text_close(json, '}');
}

static void add_lost(struct probekit_lost *sum, const struct probekit_lost *counts)
{
	sum->unmatched_end += counts->unmatched_end;
	sum->abandoned += counts->abandoned;
	sum->depth_overflow += counts->depth_overflow;
	sum->state_unavailable += counts->state_unavailable;
	sum->map_full += counts->map_full;
	sum->unreadable_argument += counts->unreadable_argument;
	sum->out_of_range += counts->out_of_range;
	sum->samples_skipped += counts->samples_skipped;
	sum->samples_dropped += counts->samples_dropped;
	sum->sched_repaired += counts->sched_repaired;
	sum->waits_unnamed += counts->waits_unnamed;
	sum->children_unnamed += counts->children_unnamed;
	sum->tasks_missed += counts->tasks_missed;
}

/* All but locks and runs. */
static void body(struct json_text *json, const struct probekit_snapshot *snapshot, bool is_run)
{
	struct probekit_lost sum = snapshot->info.lost;

	header(json, &snapshot->info);
	json_text_open(json, "probes", '[');
	for (size_t i = 0; i < snapshot->size; i++) {
		const struct probekit_probe *probe = &snapshot->probes[i];

		if (is_run)
			run_row(json, probe, snapshot->info.duration_ns);
		else
			row(json, probe, snapshot->info.duration_ns);
		if (!probe->has_key)
			add_lost(&sum, &probe->lost);
	}
	json_text_close(json, ']');
	json_stack_ends(json, snapshot->info.has_stacks, snapshot->info.stacks);
	lost(json, &sum);
}

static void runs(struct json_text *json, const struct probekit_snapshot *snapshot)
{
	json_text_open(json, "runs", '[');
	for (size_t i = 0; i < snapshot->run_count; i++) {
		json_text_open(json, NULL, '{');
		body(json, snapshot->runs[i], true);
		json_text_close(json, '}');
	}
	json_text_close(json, ']');
}

int probekit_snapshot_to_json(const struct probekit_snapshot *snapshot, bool compact, char **text,
			      struct probekit_error *err)
{
	struct json_text json = {.is_compact = compact};
	char *made;

	json_text_open(&json, NULL, '{');
	json_text_string(&json, "schema", "probekit.snapshot/1");
	body(&json, snapshot, false);
	locks_to_json(&json, snapshot);
	runs(&json, snapshot);
	json_text_close(&json, '}');
	made = json_text_take(&json);
	if (!made)
		return error_no_memory(err);
	*text = made;
	return 0;
}
