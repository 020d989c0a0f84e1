/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how the rows of several runs become those of a whole. What is evidence of one moment (waits, causes,
 * spans one by one) stays with its run. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "breakdown.h"
#include "environment.h"
#include "histogram.h"
#include "snapshot.h"

/* Rows are in the same order in most runs: each search begins where the last one ended. */
struct rows {
	struct probekit_snapshot *snapshot;
	size_t capacity;
	size_t next;
};

static struct probekit_probe *find(struct rows *rows, const struct probekit_probe *like)
{
	size_t size = rows->snapshot->size;

	for (size_t i = 0; i < size; i++) {
		size_t at = (rows->next + i) % size;

		if (!snapshot_is_same_row(&rows->snapshot->probes[at], like))
			continue;
		rows->next = at + 1;
		return &rows->snapshot->probes[at];
	}
	return NULL;
}

/* A key's row behind those of its probe, which was found right before; another one at the end. */
static size_t place_of(const struct rows *rows, const struct probekit_probe *like)
{
	const struct probekit_snapshot *snapshot = rows->snapshot;
	size_t at = like->has_key ? rows->next : snapshot->size;

	while (at < snapshot->size && snapshot->probes[at].has_key)
		at++;
	return at;
}

static struct probekit_probe *insert(struct rows *rows, const struct probekit_probe *like)
{
	struct probekit_snapshot *snapshot = rows->snapshot;
	size_t at = place_of(rows, like);
	struct probekit_probe *probes = snapshot->probes;

	if (snapshot->size == rows->capacity) {
		rows->capacity = 2 * rows->capacity + 1;
		probes = reallocarray(probes, rows->capacity, sizeof(*probes));
		if (!probes)
			return NULL;
		snapshot->probes = probes;
	}
	memmove(&probes[at + 1], &probes[at], (snapshot->size - at) * sizeof(*probes));
	probes[at] = (struct probekit_probe){
		.kind = like->kind,
		.has_key = like->has_key,
		.is_key_overflow = like->is_key_overflow,
		.key = like->key,
		.has_time = like->has_time,
		.histogram.scale = like->histogram.scale,
	};
	snapshot->size++;
	rows->next = at + 1;
	return breakdown_copy_text(like->name, &probes[at].name) ||
			       breakdown_copy_text(like->object, &probes[at].object) ||
			       breakdown_copy_text(like->build_id, &probes[at].build_id)
		       ? NULL
		       : &probes[at];
}

/* ---- adding up ---- */

static void add_lost(struct probekit_lost *into, const struct probekit_lost *from)
{
	uint64_t *sums = (uint64_t *)into;
	const uint64_t *parts = (const uint64_t *)from;

	for (size_t i = 0; i < sizeof(*into) / sizeof(*sums); i++)
		sums[i] += parts[i];
}

static int add_relations(struct probekit_relation **into, size_t *count,
			 const struct probekit_relation *from, size_t from_count)
{
	int result = 0;

	for (size_t i = 0; i < from_count && !result; i++) {
		size_t k = 0;

		while (k < *count && strcmp((*into)[k].name, from[i].name) != 0)
			k++;
		if (k == *count) {
			result = breakdown_relate(into, count, from[i].name, from[i].count,
						  from[i].time_ns);
			continue;
		}
		(*into)[k].count += from[i].count;
		(*into)[k].time_ns += from[i].time_ns;
	}
	return result;
}

/* The mean over the spans of both, before `into` has the count of `from`. */
static uint64_t mean_cost(const struct probekit_probe *into, const struct probekit_probe *from)
{
	double a = into->probe_cost_ns ? (double)into->count : 0;
	double b = from->probe_cost_ns ? (double)from->count : 0;

	if (a + b == 0)
		return into->probe_cost_ns ? into->probe_cost_ns : from->probe_cost_ns;
	return (uint64_t)llround(
		(a * (double)into->probe_cost_ns + b * (double)from->probe_cost_ns) / (a + b));
}

static void add_totals(struct probekit_probe *into, const struct probekit_probe *from)
{
	into->probe_cost_ns = mean_cost(into, from);
	if (from->cost > into->cost)
		into->cost = from->cost;
	if (from->sites > into->sites)
		into->sites = from->sites;
	if (from->dropped_after_ns &&
	    (!into->dropped_after_ns || from->dropped_after_ns < into->dropped_after_ns))
		into->dropped_after_ns = from->dropped_after_ns;
	into->in_flight_at_start += from->in_flight_at_start;
	add_lost(&into->lost, &from->lost);
	into->has_time = into->has_time && from->has_time;
	if (!from->count)
		return;
	if (!into->count || from->min < into->min)
		into->min = from->min;
	if (!into->count || from->max > into->max)
		into->max = from->max;
	into->count += from->count;
	if (__builtin_add_overflow(into->sum, from->sum, &into->sum))
		into->sum = from->sum < 0 ? INT64_MIN : INT64_MAX;
}

static int add_row(struct probekit_probe *into, const struct probekit_probe *from)
{
	int result;

	add_totals(into, from);
	result = histogram_add(&into->histogram, &from->histogram);
	if (!result)
		result = breakdown_add(into, from);
	into->tail = (struct probekit_tail){0};
	if (!result)
		result = add_relations(&into->children, &into->child_count, from->children,
				       from->child_count);
	return result ? result
		      : add_relations(&into->parents, &into->parent_count, from->parents,
				      from->parent_count);
}

static int add_rows(struct rows *rows, const struct probekit_snapshot *run)
{
	int result = 0;

	rows->next = 0;
	for (size_t i = 0; i < run->size && !result; i++) {
		struct probekit_probe *into = find(rows, &run->probes[i]);

		if (!into)
			into = insert(rows, &run->probes[i]);
		result = into ? add_row(into, &run->probes[i]) : -ENOMEM;
	}
	return result;
}

/* ---- the whole ---- */

/* Of what is measured anew for each run: the mean of those that know it. */
static uint64_t mean_of(struct probekit_snapshot *const *runs, size_t count, size_t offset)
{
	uint64_t sum = 0;
	size_t known = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t value = *(const uint64_t *)((const char *)&runs[i]->info + offset);

		sum += value;
		known += value != 0;
	}
	return known ? (sum + known / 2) / known : 0;
}

#define MEAN_OF(runs, count, member) \
	mean_of(runs, count, offsetof(struct probekit_snapshot_info, member))

/* In proportion to how long they took. */
static double mean_steal(struct probekit_snapshot *const *runs, size_t count)
{
	double stolen = 0;
	double all = 0;

	for (size_t i = 0; i < count; i++) {
		const struct probekit_snapshot_info *info = &runs[i]->info;

		if (isnan(info->environment.steal))
			continue;
		stolen += info->environment.steal * (double)info->duration_ns;
		all += (double)info->duration_ns;
	}
	return all > 0 ? stolen / all : NAN;
}

static int join_pids(struct probekit_snapshot *const *runs, size_t count,
		     struct probekit_snapshot_info *info)
{
	size_t size = 0;
	pid_t *pids;

	for (size_t i = 0; i < count; i++)
		size += runs[i]->info.pid_count;
	if (!size)
		return 0;
	pids = calloc(size, sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	info->pids = pids;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < runs[i]->info.pid_count; k++)
			pids[info->pid_count++] = runs[i]->info.pids[k];
	return 0;
}

static void add_run(struct probekit_snapshot_info *info, const struct probekit_snapshot_info *run)
{
	info->duration_ns += run->duration_ns;
	if (run->child_status != info->child_status)
		info->child_status = -1;
	info->child_cpu_ns = info->child_cpu_ns && run->child_cpu_ns
				     ? info->child_cpu_ns + run->child_cpu_ns
				     : 0;
	info->has_stacks = info->has_stacks && run->has_stacks;
	for (int i = 0; i < PROBEKIT_STACK_END_COUNT; i++)
		info->stacks[i] = info->has_stacks ? info->stacks[i] + run->stacks[i] : 0;
	add_lost(&info->lost, &run->lost);
}

static int join_info(struct probekit_snapshot *const *runs, size_t count,
		     struct probekit_snapshot_info *info)
{
	const struct probekit_snapshot_info *first = &runs[0]->info;
	int result;

	*info = (struct probekit_snapshot_info){
		.started_unix_ns = first->started_unix_ns,
		.duration_ns = first->duration_ns,
		.child_status = first->child_status,
		.child_cpu_ns = first->child_cpu_ns,
		.excludes_stopped = first->excludes_stopped,
		.has_stacks = first->has_stacks,
		.lost = first->lost,
		.span_cost_ns = MEAN_OF(runs, count, span_cost_ns),
		.usdt_cost_ns = MEAN_OF(runs, count, usdt_cost_ns),
		.function_cost_ns = MEAN_OF(runs, count, function_cost_ns),
		.floor_ns = MEAN_OF(runs, count, floor_ns),
	};
	memcpy(info->stacks, first->stacks, sizeof(info->stacks));
	result = environment_copy(&first->environment, &info->environment);
	info->environment.steal = mean_steal(runs, count);
	for (size_t i = 1; i < count; i++)
		add_run(info, &runs[i]->info);
	if (result || breakdown_copy_text(first->target, &info->target) ||
	    breakdown_copy_text(first->tool_version, &info->tool_version) ||
	    breakdown_copy_text(first->attach, &info->attach) ||
	    breakdown_copy_text(first->site, &info->site))
		return -ENOMEM;
	return join_pids(runs, count, info);
}

static int fill(struct probekit_snapshot *snapshot, struct probekit_snapshot *const *runs,
		size_t count, size_t capacity)
{
	struct rows rows = {.snapshot = snapshot, .capacity = capacity};
	int result = join_info(runs, count, &snapshot->info);

	snapshot->size = 0; /* rows count as they are added */
	for (size_t i = 0; i < count && !result; i++)
		result = add_rows(&rows, runs[i]);
	if (result)
		return result;
	snapshot->runs = calloc(count, sizeof(*snapshot->runs));
	if (!snapshot->runs)
		return -ENOMEM;
	memcpy(snapshot->runs, runs, count * sizeof(*runs));
	snapshot->run_count = count;
	return 0;
}

int probekit_snapshot_join(struct probekit_snapshot *const *runs, size_t count,
			   struct probekit_snapshot **joined, struct probekit_error *err)
{
	struct probekit_snapshot *snapshot;

	for (size_t i = 0; i < count; i++)
		if (runs[i]->run_count)
			return error_usage(err, "what is joined are runs, not several of them");
	if (!count)
		return error_usage(err, "there is no run to join");
	snapshot = snapshot_new(runs[0]->size);
	if (!snapshot)
		return error_no_memory(err);
	if (fill(snapshot, runs, count, runs[0]->size ? runs[0]->size : 1)) {
		probekit_snapshot_free(snapshot);
		return error_no_memory(err);
	}
	*joined = snapshot;
	return 0;
}
