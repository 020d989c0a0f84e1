/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns how a snapshot is read. Nothing in the file is trusted: each field has its type and range, and
 * the first that is wrong is named. Fields that are not known here are passed over; what is derived
 * (quantiles, modes, bands) is not read but follows again.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "histogram.h"
#include "snapshot.h"

#define SCHEMA "probekit.snapshot/"
#define VERSION "1"
#define MAX_PROBES 1000000
#define MAX_BUCKETS (64 * 1024)

/* Where in the file we are, for errors; the first error is kept. */
struct reader {
	const char *file;
	struct probekit_error *err;
	size_t probe;		/* 1-based; 0: outside the probes */
	int failed;
};

static void fail(struct reader *reader, const char *field, const char *problem)
{
	if (reader->failed)
		return;
	if (reader->probe)
		error_failed(reader->err, -EINVAL, "'%s' is no valid snapshot: \"%s\" of probe %zu %s",
			     reader->file, field, reader->probe, problem);
	else
		error_failed(reader->err, -EINVAL, "'%s' is no valid snapshot: \"%s\" %s", reader->file,
			     field, problem);
	reader->failed = -EINVAL;
}

static int64_t integer(struct reader *reader, const json_t *object, const char *field, int64_t least)
{
	const json_t *value = json_object_get(object, field);
	int64_t number;

	if (!value || json_is_null(value))
		return 0;
	number = json_integer_value(value);
	if (!json_is_integer(value))
		fail(reader, field, "is not an integer");
	else if (number < least)
		fail(reader, field, "is out of range");
	return number;
}

static uint64_t count(struct reader *reader, const json_t *object, const char *field)
{
	return (uint64_t)integer(reader, object, field, 0);
}

static const char *text(struct reader *reader, const json_t *object, const char *field)
{
	const json_t *value = json_object_get(object, field);
	char *copy;

	if (!value || json_is_null(value))
		return NULL;
	if (!json_is_string(value)) {
		fail(reader, field, "is not a string");
		return NULL;
	}
	copy = strdup(json_string_value(value));
	if (!copy && !reader->failed)
		reader->failed = error_no_memory(reader->err);
	return copy;
}

/* A required container; NULL after an error. */
static const json_t *container(struct reader *reader, const json_t *object, const char *field,
			       json_type type)
{
	const json_t *value = json_object_get(object, field);

	if (value && json_typeof(value) == type)
		return value;
	fail(reader, field, value ? "has the wrong type" : "is missing");
	return NULL;
}

static void *array_of(struct reader *reader, size_t size, size_t each)
{
	void *memory = calloc(size ? size : 1, each);

	if (!memory && !reader->failed)
		reader->failed = error_no_memory(reader->err);
	return memory;
}

static void read_buckets(struct reader *reader, const json_t *buckets,
			 struct probekit_histogram *histogram)
{
	size_t size = json_array_size(buckets);
	uint64_t total = 0;

	if (size > MAX_BUCKETS) {
		fail(reader, "buckets", "has too many elements");
		return;
	}
	histogram->index = array_of(reader, size, sizeof(*histogram->index));
	histogram->count = array_of(reader, size, sizeof(*histogram->count));
	for (size_t i = 0; i < size && !reader->failed; i++) {
		const json_t *bucket = json_array_get(buckets, i);
		const json_t *index = json_array_get(bucket, 0);
		const json_t *number = json_array_get(bucket, 1);
		int64_t at = json_integer_value(index);
		int64_t n = json_integer_value(number);

		if (!json_is_integer(index) || !json_is_integer(number) || at < -100000 || at > 100000 ||
		    n <= 0 || __builtin_add_overflow(total, (uint64_t)n, &total))
			fail(reader, "buckets", "holds something else than [index, count]");
		else if (i && at <= histogram->index[i - 1])
			fail(reader, "buckets", "is not in ascending order");
		if (reader->failed)
			return;
		histogram->index[i] = (int32_t)at;
		histogram->count[i] = (uint64_t)n;
		histogram->size = i + 1;
	}
}

static void read_histogram(struct reader *reader, const json_t *row, struct probekit_probe *probe)
{
	const json_t *object = container(reader, row, "histogram", JSON_OBJECT);
	const json_t *buckets = object ? container(reader, object, "buckets", JSON_ARRAY) : NULL;
	int64_t scale;
	uint64_t total;

	if (!buckets)
		return;
	scale = integer(reader, object, "scale", -10);
	if (scale > 20)
		fail(reader, "scale", "is out of range");
	probe->histogram.scale = (int32_t)scale;
	probe->histogram.zero_count = count(reader, object, "zero_count");
	probe->histogram.negative_count = count(reader, object, "negative_count");
	read_buckets(reader, buckets, &probe->histogram);
	total = histogram_total(&probe->histogram);
	if (!reader->failed && total != probe->count)
		fail(reader, "count", "is not the sum of the buckets");
}

static void read_lost(struct reader *reader, const json_t *row, struct probekit_lost *lost)
{
	const json_t *object = json_object_get(row, "lost");

	lost->unmatched_end = count(reader, object, "unmatched_end");
	lost->abandoned = count(reader, object, "abandoned");
	lost->depth_overflow = count(reader, object, "depth_overflow");
	lost->state_unavailable = count(reader, object, "state_unavailable");
	lost->map_full = count(reader, object, "map_full");
	lost->unreadable_argument = count(reader, object, "unreadable_argument");
	lost->out_of_range = count(reader, object, "out_of_range");
}

static void read_open(struct reader *reader, const json_t *row, struct probekit_probe *probe)
{
	const json_t *list = json_object_get(row, "open");
	size_t size = json_array_size(list);

	if (size == 0)
		return;
	probe->open = array_of(reader, size, sizeof(*probe->open));
	for (size_t i = 0; i < size && !reader->failed; i++) {
		const json_t *span = json_array_get(list, i);
		const char *comm = text(reader, span, "comm");

		probe->open[i].pid = (pid_t)integer(reader, span, "pid", 0);
		probe->open[i].tid = (pid_t)integer(reader, span, "tid", 0);
		probe->open[i].age_ns = count(reader, span, "age_ns");
		snprintf(probe->open[i].comm, sizeof(probe->open[i].comm), "%s", comm ? comm : "");
		free((char *)comm);
		probe->open_count = i + 1;
	}
}

static void read_key(struct reader *reader, const json_t *row, struct probekit_probe *probe)
{
	const json_t *key = json_object_get(row, "key");

	if (!key || json_is_null(key))
		return;
	probe->has_key = true;
	if (json_is_integer(key))
		probe->key = json_integer_value(key);
	else if (json_is_string(key) && strcmp(json_string_value(key), "other") == 0)
		probe->is_key_overflow = true;
	else
		fail(reader, "key", "is neither an integer nor \"other\"");
}

static void read_kind(struct reader *reader, const json_t *row, struct probekit_probe *probe)
{
	static const char *const names[] = {
		[PROBEKIT_KIND_SPAN] = "span", [PROBEKIT_KIND_USDT] = "usdt",
		[PROBEKIT_KIND_ASYNC] = "async", [PROBEKIT_KIND_FUNCTION] = "function",
		[PROBEKIT_KIND_VALUE] = "value",
	};
	const char *kind = json_string_value(json_object_get(row, "kind"));

	for (size_t i = 0; kind && i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(kind, names[i]) == 0) {
			probe->kind = (enum probekit_kind)i;
			return;
		}
	}
	fail(reader, "kind", kind ? "is not known" : "is missing");
}

static void read_probe(struct reader *reader, const json_t *row, struct probekit_probe *probe)
{
	bool is_value;

	if (!json_is_object(row)) {
		fail(reader, "probes", "is not an object");
		return;
	}
	read_kind(reader, row, probe);
	is_value = probe->kind == PROBEKIT_KIND_VALUE;
	probe->name = text(reader, row, "name");
	if (!probe->name)
		fail(reader, "name", "is missing");
	probe->object = text(reader, row, "object");
	probe->build_id = text(reader, row, "build_id");
	probe->sites = (uint32_t)count(reader, row, "sites");
	read_key(reader, row, probe);
	probe->count = count(reader, row, "count");
	probe->sum = integer(reader, row, is_value ? "sum" : "sum_ns", is_value ? INT64_MIN : 0);
	probe->min = integer(reader, row, is_value ? "min" : "min_ns", is_value ? INT64_MIN : 0);
	probe->max = integer(reader, row, is_value ? "max" : "max_ns", is_value ? INT64_MIN : 0);
	if (probe->min > probe->max)
		fail(reader, "min", "is more than the maximum");
	probe->in_flight_at_start = count(reader, row, "in_flight_at_start");
	probe->probe_cost_ns = count(reader, json_object_get(row, "probing"), "cost_ns");
	read_histogram(reader, row, probe);
	read_lost(reader, row, &probe->lost);
	read_open(reader, row, probe);
}

static void read_probes(struct reader *reader, const json_t *root, struct probekit_snapshot *snapshot)
{
	const json_t *rows = json_object_get(root, "probes");

	for (size_t i = 0; i < snapshot->size && !reader->failed; i++) {
		reader->probe = i + 1;
		read_probe(reader, json_array_get(rows, i), &snapshot->probes[i]);
	}
	reader->probe = 0;
}

/* "2026-11-21T08:00:00.123456789Z" */
static void read_started(struct reader *reader, const json_t *root, struct probekit_snapshot_info *info)
{
	const char *started = text(reader, root, "started");
	struct tm tm = {0};
	const char *fraction = started ? strptime(started, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	long long ns = 0;

	if (started && (!fraction || (*fraction == '.' && sscanf(fraction + 1, "%9lldZ", &ns) != 1)))
		fail(reader, "started", "is no RFC 3339 time");
	else if (started)
		info->started_unix_ns = (int64_t)timegm(&tm) * 1000000000 + ns;
	free((char *)started);
}

static void read_info(struct reader *reader, const json_t *root, struct probekit_snapshot_info *info)
{
	const json_t *target = json_object_get(root, "target");
	const json_t *environment = json_object_get(root, "environment");
	const json_t *cost = json_object_get(root, "probe_cost");
	const json_t *pids = json_object_get(target, "pids");
	pid_t *list = array_of(reader, json_array_size(pids), sizeof(*list));

	info->pids = list;
	for (size_t i = 0; list && i < json_array_size(pids); i++)
		list[i] = (pid_t)json_integer_value(json_array_get(pids, i));
	info->pid_count = list ? json_array_size(pids) : 0;
	info->target = text(reader, target, "name");
	info->attach = text(reader, target, "attach");
	info->site = text(reader, target, "site");
	info->tool_version = text(reader, json_object_get(root, "tool"), "version");
	info->kernel = text(reader, environment, "kernel");
	info->cpus = (uint32_t)count(reader, environment, "cpus");
	read_started(reader, root, info);
	info->duration_ns = count(reader, root, "duration_ns");
	info->child_status = -1;
	if (json_is_integer(json_object_get(root, "child_status")))
		info->child_status = (int32_t)integer(reader, root, "child_status", 0);
	info->span_cost_ns = count(reader, cost, "span_ns");
	info->usdt_cost_ns = count(reader, cost, "usdt_ns");
	info->floor_ns = count(reader, cost, "floor_ns");
}

static int check_schema(const json_t *root, const char *name, struct probekit_error *err)
{
	const char *schema = json_string_value(json_object_get(root, "schema"));

	if (!schema || strncmp(schema, SCHEMA, strlen(SCHEMA)) != 0)
		return error_failed(err, -EINVAL, "'%s' is JSON, but no probekit snapshot%s%s", name,
				    schema ? ": its schema is " : "", schema ? schema : "");
	if (strcmp(schema + strlen(SCHEMA), VERSION) == 0)
		return 0;
	error_failed(err, -EINVAL, "'%s' is a snapshot of another version: %s", name, schema);
	return error_hint(err, -EINVAL, "this probekit reads %s%s; use the one that wrote it", SCHEMA, VERSION);
}

static int parse(const char *bytes, size_t size, const char *name, json_t **root,
		 struct probekit_error *err)
{
	json_error_t error;
	size_t blank = 0;

	while (blank < size && bytes[blank] && strchr(" \t\r\n", bytes[blank]))
		blank++;
	if (blank == size)
		return error_failed(err, -EINVAL, "'%s' is empty", name);
	*root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &error);
	if (*root)
		return 0;
	if (json_error_code(&error) == json_error_premature_end_of_input)
		return error_failed(err, -EINVAL, "'%s' is cut short: it ends in line %d, column %d", name,
				    error.line, error.column);
	return error_failed(err, -EINVAL, "'%s' is not JSON: %s in line %d, column %d", name, error.text,
			    error.line, error.column);
}

int snapshot_from_json(const char *bytes, size_t size, const char *name,
		       struct probekit_snapshot **out, struct probekit_error *err)
{
	struct reader reader = {.file = name, .err = err};
	struct probekit_snapshot *snapshot;
	const json_t *rows;
	json_t *root;
	int result = parse(bytes, size, name, &root, err);

	if (result)
		return result;
	result = check_schema(root, name, err);
	rows = result ? NULL : container(&reader, root, "probes", JSON_ARRAY);
	if (!rows || json_array_size(rows) > MAX_PROBES) {
		if (rows)
			fail(&reader, "probes", "has too many elements");
		json_decref(root);
		return result ? result : reader.failed;
	}
	snapshot = snapshot_new(json_array_size(rows));
	if (!snapshot) {
		json_decref(root);
		return error_no_memory(err);
	}
	read_info(&reader, root, &snapshot->info);
	read_probes(&reader, root, snapshot);
	json_decref(root);
	if (reader.failed) {
		probekit_snapshot_free(snapshot);
		return reader.failed;
	}
	*out = snapshot;
	return 0;
}
