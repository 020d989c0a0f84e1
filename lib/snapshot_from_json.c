/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns reading a snapshot from text that anybody may have written or cut short: every type and
 * range is checked, and an error names the place ("probes[3].histogram.buckets[17]"). Fields that
 * this version does not know are ignored; derived ones (quantiles, modes, bands, sums) are
 * computed anew; the tail and its causes are evidence, and read.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "breakdown_json.h"
#include "causes_json.h"
#include "environment_json.h"
#include "histogram.h"
#include "json_read.h"
#include "locks_json.h"
#include "runs_json.h"
#include "snapshot.h"

#define SCHEMA "probekit.snapshot/"
#define SCHEMA_MAJOR 1
#define ROWS "probes"

static int read_kind(const struct json_reader *r, const struct json_value *object,
		     struct probekit_probe *probe)
{
	const char *name = json_value_text(json_value_get(object, "kind"));

	for (int i = 0; name && i <= PROBEKIT_KIND_VALUE; i++) {
		if (strcmp(name, probekit_kind_name((enum probekit_kind)i)) == 0) {
			probe->kind = (enum probekit_kind)i;
			return 0;
		}
	}
	return json_malformed(r, "kind", "is none of span, usdt, async, function, value");
}

/* Null, or missing: not known. */
static void read_cost(const struct json_value *probing, struct probekit_probe *probe)
{
	const char *name = json_value_text(json_value_get(probing, "cost"));

	for (int i = PROBEKIT_COST_UNKNOWN; name && i <= PROBEKIT_COST_STEPPED; i++)
		if (probekit_cost_name((enum probekit_cost)i) &&
		    strcmp(name, probekit_cost_name((enum probekit_cost)i)) == 0)
			probe->cost = (enum probekit_cost)i;
}

static int read_key(const struct json_reader *r, const struct json_value *object,
		    struct probekit_probe *probe)
{
	const struct json_value *key = json_value_get(object, "key");

	if (json_value_is_null(key))
		return 0;
	probe->has_key = true;
	if (json_value_is(key, VALUE_TEXT) && strcmp(json_value_text(key), "other") == 0) {
		probe->is_key_overflow = true;
		return 0;
	}
	if (!json_value_is(key, VALUE_INTEGER))
		return json_malformed(r, "key", "is neither an integer nor \"other\"");
	probe->key = json_value_integer(key);
	return 0;
}

#define PROBE_FIELD(key, member, type, is_required)                             \
	{                                                                       \
		key, offsetof(struct probekit_probe, member), type, is_required \
	}
#define INFO_FIELD(key, member, type, is_required)                                      \
	{                                                                               \
		key, offsetof(struct probekit_snapshot_info, member), type, is_required \
	}

static const struct json_field lost[] = {
	PROBE_FIELD("unmatched_end", lost.unmatched_end, FIELD_U64, false),
	PROBE_FIELD("abandoned", lost.abandoned, FIELD_U64, false),
	PROBE_FIELD("depth_overflow", lost.depth_overflow, FIELD_U64, false),
	PROBE_FIELD("state_unavailable", lost.state_unavailable, FIELD_U64, false),
	PROBE_FIELD("map_full", lost.map_full, FIELD_U64, false),
	PROBE_FIELD("unreadable_argument", lost.unreadable_argument, FIELD_U64, false),
	PROBE_FIELD("out_of_range", lost.out_of_range, FIELD_U64, false),
	PROBE_FIELD("samples_skipped", lost.samples_skipped, FIELD_U64, false),
	PROBE_FIELD("samples_dropped", lost.samples_dropped, FIELD_U64, false),
	PROBE_FIELD("sched_repaired", lost.sched_repaired, FIELD_U64, false),
	PROBE_FIELD("waits_unnamed", lost.waits_unnamed, FIELD_U64, false),
	PROBE_FIELD("children_unnamed", lost.children_unnamed, FIELD_U64, false),
	PROBE_FIELD("tasks_missed", lost.tasks_missed, FIELD_U64, false),
};

static int read_numbers(struct json_reader *r, const struct json_value *object,
			struct probekit_probe *probe)
{
	static const struct json_field common[] = {
		PROBE_FIELD("name", name, FIELD_TEXT, true),
		PROBE_FIELD("object", object, FIELD_TEXT, false),
		PROBE_FIELD("build_id", build_id, FIELD_TEXT, false),
		PROBE_FIELD("sites", sites, FIELD_U32, false),
		PROBE_FIELD("count", count, FIELD_U64, true),
		PROBE_FIELD("in_flight_at_start", in_flight_at_start, FIELD_U64, false),
	};
	static const struct json_field times[] = {
		PROBE_FIELD("sum_ns", sum, FIELD_I64, true),
		PROBE_FIELD("min_ns", min, FIELD_I64, false),
		PROBE_FIELD("max_ns", max, FIELD_I64, false),
	};
	static const struct json_field values[] = {
		PROBE_FIELD("sum", sum, FIELD_I64, true),
		PROBE_FIELD("min", min, FIELD_I64, false),
		PROBE_FIELD("max", max, FIELD_I64, false),
	};
	static const struct json_field probing[] = {
		PROBE_FIELD("cost_ns", probe_cost_ns, FIELD_U64, false),
		PROBE_FIELD("dropped_after_ns", dropped_after_ns, FIELD_U64, false),
	};
	int ret = JSON_READ_FIELDS(r, object, common, probe);

	if (!ret && probe->kind == PROBEKIT_KIND_VALUE)
		ret = JSON_READ_FIELDS(r, object, values, probe);
	else if (!ret)
		ret = JSON_READ_FIELDS(r, object, times, probe);
	if (probe->count == 0)
		probe->min = probe->max = 0;
	if (!ret && probe->min > probe->max)
		ret = json_malformed(r, "", "has a minimum above its maximum");
	if (!ret)
		ret = JSON_READ_OBJECT(r, object, "probing", probing, probe);
	read_cost(json_value_get(object, "probing"), probe);
	if (!ret)
		ret = JSON_READ_OBJECT(r, object, "lost", lost, probe);
	return ret;
}

static int read_probe(struct json_reader *r, const struct json_value *object,
		      struct probekit_probe *probe)
{
	int ret;

	if (!json_value_is(object, VALUE_OBJECT))
		return json_malformed(r, "", "is not an object");
	ret = read_kind(r, object, probe);
	if (!ret)
		ret = read_numbers(r, object, probe);
	if (!ret)
		ret = read_key(r, object, probe);
	if (!ret)
		ret = json_read_histogram(r, object, probe->kind == PROBEKIT_KIND_VALUE ? "1" : "s",
					  &probe->histogram);
	if (!ret && histogram_total(&probe->histogram) != probe->count)
		ret = json_malformed(r, "count", "is not what the histogram holds");
	if (!ret)
		ret = breakdown_from_json(r, object, probe);
	if (!ret)
		ret = slowest_from_json(r, object, probe);
	if (!ret)
		ret = open_from_json(r, object, probe);
	return ret;
}

/* Rows are parsed one at a time: together their trees would take many times what is kept of them, and be out
 * of the CPU's caches before they are looked at. */
static int parse_row(struct json_reader *r, const struct json_value *unparsed,
		     struct probekit_probe *probe)
{
	const struct json_value *object;
	struct json_fault fault;

	if (!json_tree_parse(&r->row, unparsed->text, unparsed->size, NULL, &object, &fault))
		return json_not_json(r, &fault);
	return read_probe(r, object, probe);
}

static int read_probes(struct json_reader *r, const struct json_value *list,
		       struct probekit_snapshot *snapshot)
{
	int ret = 0;

	for (size_t i = 0; i < snapshot->size && !ret; i++) {
		struct probekit_probe *probe = &snapshot->probes[i];
		size_t outside = json_enter(r, ROWS, (long)i);

		ret = parse_row(r, json_value_at(list, i), probe);
		if (!ret && probe->has_key && (i == 0 || strcmp(probe[-1].name, probe->name) != 0))
			ret = json_malformed(r, "key", "does not follow the row of its probe");
		json_leave(r, outside);
	}
	return ret;
}

static int read_pids(const struct json_reader *r, const struct json_value *target,
		     struct probekit_snapshot_info *info)
{
	const struct json_value *list;
	pid_t *pids;
	int ret = json_read_list(r, target, "pids", &list);

	if (ret || json_value_size(list) == 0)
		return ret;
	pids = calloc(json_value_size(list), sizeof(*pids));
	if (!pids)
		return error_no_memory(r->err);
	info->pids = pids;
	info->pid_count = json_value_size(list);
	for (size_t i = 0; i < info->pid_count && !ret; i++) {
		int64_t number = 0;

		ret = json_read_integer(r, "pids", json_value_at(list, i), FIELD_I32, &number);
		pids[i] = (pid_t)number;
	}
	return ret;
}

static int read_info(struct json_reader *r, const struct json_value *root,
		     struct probekit_snapshot_info *info)
{
	static const struct json_field top[] = {
		INFO_FIELD("duration_ns", duration_ns, FIELD_U64, true),
		INFO_FIELD("child_status", child_status, FIELD_I32, false),
		INFO_FIELD("child_cpu_ns", child_cpu_ns, FIELD_U64, false),
		INFO_FIELD("excludes_stopped", excludes_stopped, FIELD_BOOL, false),
	};
	static const struct json_field tool[] = {
		INFO_FIELD("version", tool_version, FIELD_TEXT, false),
	};
	static const struct json_field target[] = {
		INFO_FIELD("name", target, FIELD_TEXT, false),
		INFO_FIELD("attach", attach, FIELD_TEXT, false),
		INFO_FIELD("site", site, FIELD_TEXT, false),
	};
	static const struct json_field cost[] = {
		INFO_FIELD("span_ns", span_cost_ns, FIELD_U64, false),
		INFO_FIELD("usdt_ns", usdt_cost_ns, FIELD_U64, false),
		INFO_FIELD("function_ns", function_cost_ns, FIELD_U64, false),
		INFO_FIELD("floor_ns", floor_ns, FIELD_U64, false),
	};
	int ret = JSON_READ_FIELDS(r, root, top, info);

	if (!ret)
		ret = JSON_READ_OBJECT(r, root, "tool", tool, info);
	if (!ret)
		ret = environment_from_json(r, root, &info->environment);
	if (!ret)
		ret = JSON_READ_OBJECT(r, root, "target", target, info);
	if (!ret)
		ret = JSON_READ_OBJECT(r, root, "probe_cost", cost, info);
	if (!ret)
		ret = read_pids(r, json_value_get(root, "target"), info);
	if (!ret)
		ret = json_read_instant(r, root, "started", &info->started_unix_ns);
	if (!ret)
		ret = json_read_stack_ends(r, root, &info->has_stacks, info->stacks);
	return ret;
}

static int check_schema(const struct json_reader *r, const struct json_value *root)
{
	const char *schema = json_value_text(json_value_get(root, "schema"));
	const char *number = schema ? schema + strlen(SCHEMA) : NULL;

	if (!schema)
		return error_failed(r->err, -EBADMSG,
				    "cannot read snapshot '%s': it is JSON, but not of probekit",
				    r->name);
	if (strncmp(schema, SCHEMA, strlen(SCHEMA)) != 0 || !isdigit((unsigned char)*number))
		return error_failed(r->err, -EBADMSG,
				    "cannot read snapshot '%s': it is a '%.64s', not a '%s%d'",
				    r->name, schema, SCHEMA, SCHEMA_MAJOR);
	if (strcmp(number, "1") != 0) {
		error_failed(
			r->err, -EPROTONOSUPPORT,
			"cannot read snapshot '%s': written by a newer probekit ('%.64s', this one reads '%s%d')",
			r->name, schema, SCHEMA, SCHEMA_MAJOR);
		return error_hint(r->err, -EPROTONOSUPPORT,
				  "read it with the probekit that wrote it");
	}
	return 0;
}

static uint64_t less(uint64_t all, uint64_t part)
{
	return all > part ? all - part : 0;
}

/* What is not of a probe: the whole's less theirs. */
static int read_lost(struct json_reader *r, const struct json_value *root,
		     struct probekit_snapshot *snapshot)
{
	struct probekit_probe all = {0};
	struct probekit_lost *rest = &snapshot->info.lost;
	int ret = JSON_READ_OBJECT(r, root, "lost", lost, &all);

	*rest = all.lost;
	for (size_t i = 0; i < snapshot->size && !ret; i++) {
		const struct probekit_lost *part = &snapshot->probes[i].lost;

		if (snapshot->probes[i].has_key)
			continue;
		rest->map_full = less(rest->map_full, part->map_full);
		rest->samples_dropped = less(rest->samples_dropped, part->samples_dropped);
		rest->samples_skipped = less(rest->samples_skipped, part->samples_skipped);
		rest->sched_repaired = less(rest->sched_repaired, part->sched_repaired);
		rest->waits_unnamed = less(rest->waits_unnamed, part->waits_unnamed);
		rest->state_unavailable = less(rest->state_unavailable, part->state_unavailable);
	}
	rest->unmatched_end = rest->abandoned = rest->depth_overflow = 0; /* of probes alone */
	rest->unreadable_argument = rest->out_of_range = rest->children_unnamed = 0;
	return ret;
}

int snapshot_body_from_json(struct json_reader *r, const struct json_value *root,
			    struct probekit_snapshot **snapshot)
{
	struct probekit_snapshot *made;
	const struct json_value *list;
	int ret = json_read_list(r, root, ROWS, &list);

	if (!ret && !list)
		ret = json_malformed(r, ROWS, "is missing");
	if (ret)
		return ret;
	made = snapshot_new(json_value_size(list));
	if (!made)
		return error_no_memory(r->err);
	ret = read_info(r, root, &made->info);
	if (!ret)
		ret = read_probes(r, list, made);
	if (!ret)
		ret = read_lost(r, root, made);
	if (ret) {
		probekit_snapshot_free(made);
		return ret;
	}
	*snapshot = made;
	return 0;
}

static int read_root(struct json_reader *r, const struct json_value *root,
		     struct probekit_snapshot **snapshot)
{
	struct probekit_snapshot *made;
	int ret = check_schema(r, root);

	if (!ret)
		ret = snapshot_body_from_json(r, root, &made);
	if (ret)
		return ret;
	ret = locks_from_json(r, root, made);
	if (!ret)
		ret = runs_from_json(r, root, made);
	if (ret) {
		probekit_snapshot_free(made);
		return ret;
	}
	*snapshot = made;
	return 0;
}

int snapshot_from_json(const char *text, size_t size_bytes, const char *name,
		       struct probekit_snapshot **snapshot, struct probekit_error *err)
{
	struct json_reader r = {.name = name, .text = text, .end = text + size_bytes, .err = err};
	const struct json_value *root;
	struct json_tree tree = {0};
	struct json_fault fault;
	int ret;

	if (size_bytes == 0)
		return error_failed(err, -EBADMSG, "cannot read snapshot '%s': it is empty", name);
	if (json_tree_parse(&tree, text, size_bytes, ROWS, &root, &fault))
		ret = read_root(&r, root, snapshot);
	else
		ret = json_not_json(&r, &fault);
	json_tree_done(&tree);
	json_tree_done(&r.row);
	return ret;
}
