/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how the kernel's rows become a snapshot. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "breakdown.h"
#include "evidence.h"
#include "histogram.h"
#include "session.h"
#include "snapshot.h"

/* ---- rows ---- */

static void widen(struct extremes *into, const struct extremes *from)
{
	if (from->max > into->max)
		into->max = from->max;
	if (from->inverted_min > into->inverted_min)
		into->inverted_min = from->inverted_min;
}

static int64_t unbias(uint64_t raw, bool is_value)
{
	return (int64_t)(is_value ? raw ^ VALUE_BIAS : raw);
}

struct reader {
	struct probekit_session *session;
	struct row_sums sums;
	struct extremes seen; /* of the probe's rows so far */
	bool is_interval;     /* min and max since the last interval */
};

static void set_extremes(struct probekit_probe *row, const struct extremes *extremes)
{
	bool is_value = row->kind == PROBEKIT_KIND_VALUE;

	if (!row->count || !(extremes->inverted_min | extremes->max))
		return;
	row->min = unbias(~extremes->inverted_min, is_value);
	row->max = unbias(extremes->max, is_value);
}

/* Fills count, sum, min, max and histogram of `row` from the kernel's row. */
static int read_row(struct reader *reader, uint32_t index, struct probekit_probe *row,
		    uint64_t *beyond)
{
	struct probekit_session *session = reader->session;
	struct row_history *history = &session->history[index];
	struct row_sums *sums = &reader->sums;
	struct extremes now;
	const struct extremes *extremes =
		reader->is_interval ? &history->interval : &history->whole;
	bool is_value = row->kind == PROBEKIT_KIND_VALUE;
	bool is_counted;
	int result;

	engine_read_row(session->engine, ENGINE_ROW(index), sums);
	now = (struct extremes){.max = sums->max, .inverted_min = sums->inverted_min};
	widen(&history->whole, &now);
	widen(&history->interval, &now);
	result = histogram_from_slots(sums->slots, engine_slots(session->engine),
				      engine_first_bucket(session->engine, !is_value),
				      engine_scale(session->engine), &row->histogram);
	if (result)
		return result;
	row->histogram.zero_count = sums->zero_count;
	row->histogram.negative_count = sums->negative_count;
	row->count = histogram_total(&row->histogram);
	row->sum = (int64_t)sums->sum;
	if (!is_value && session->features.has[FEATURE_BREAKDOWN])
		result = breakdown_from_row(sums, session->options.slow_over_ns, row);
	if (result)
		return result;
	*beyond += sums->out_of_range;
	is_counted = reader->is_interval && row->count > history->counted;
	if (is_counted && !(extremes->inverted_min && extremes->max))
		widen(&history->interval, &history->last);
	set_extremes(row, extremes);
	widen(&reader->seen, extremes);
	/* A span that ended while the row was read may show its duration now and be counted in the
	 * next interval: an interval in which nothing was counted leaves the extremes to that one, and
	 * one that has none of its own takes the last one's, which bound that span. */
	if (is_counted) {
		history->counted = row->count;
		history->last = history->interval;
		history->interval = (struct extremes){0};
	}
	return 0;
}

static int add_row(struct probekit_probe *total, const struct probekit_probe *row)
{
	total->count += row->count;
	total->sum += row->sum;
	return histogram_add(&total->histogram, &row->histogram) || breakdown_add(total, row)
		       ? -ENOMEM
		       : 0;
}

static const char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static uint64_t probe_cost(const struct probekit_session *session, const struct plan_probe *planned)
{
	if (planned->kind == PROBEKIT_KIND_FUNCTION)
		return session_call_cost_ns(session, planned);
	if (planned->kind == PROBEKIT_KIND_USDT && !planned->is_fast)
		return session->calibration.usdt_ns;
	if (planned->kind == PROBEKIT_KIND_VALUE) /* one site instead of two */
		return session->calibration.span_ns / 2;
	return session->calibration.span_ns;
}

static int begin_row(const struct probekit_session *session, const struct plan_probe *planned,
		     struct probekit_probe *row)
{
	row->kind = planned->kind;
	row->sites = planned->sites;
	row->probe_cost_ns = probe_cost(session, planned);
	row->cost = planned->cost;
	if (planned->dropped_ns)
		row->dropped_after_ns = planned->dropped_ns > session->started_ns
						? planned->dropped_ns - session->started_ns
						: 1;
	row->name = copy(planned->name);
	row->object = copy(planned->objects ? planned->objects : "");
	row->build_id = copy(planned->build_id);
	return row->name && row->object && (row->build_id || !planned->build_id) ? 0 : -ENOMEM;
}

static struct probekit_lost lost_of(const struct probe_counters *counters)
{
	return (struct probekit_lost){
		.unmatched_end = counters->unmatched_end,
		.abandoned = counters->abandoned,
		.depth_overflow = counters->depth_overflow,
		.state_unavailable = counters->state_unavailable,
		.map_full = counters->map_full,
		.unreadable_argument = counters->unreadable_argument,
		.sched_repaired = counters->sched_repaired,
		.samples_skipped = counters->samples_skipped,
		.samples_dropped = counters->samples_dropped,
		.waits_unnamed = counters->waits_unnamed,
		.children_unnamed = counters->children_unnamed,
	};
}

static void read_losses(const struct probekit_session *session, uint32_t index,
			struct probekit_probe *row)
{
	uint64_t out_of_range = row->lost.out_of_range; /* is in the histogram */
	struct probe_counters counters;

	engine_read_counters(session->engine, ENGINE_PROBE(index), &counters);
	row->in_flight_at_start = counters.in_flight_at_start;
	row->lost = lost_of(&counters);
	row->lost.out_of_range = out_of_range;
}

static int by_key(const void *a, const void *b)
{
	const struct probekit_probe *x = a;
	const struct probekit_probe *y = b;

	if (x->is_key_overflow != y->is_key_overflow)
		return x->is_key_overflow ? 1 : -1;
	return x->key < y->key ? -1 : x->key > y->key;
}

/* The key rows of probe `index` behind its own row, which becomes their sum. */
static int read_keys(struct reader *reader, uint32_t index, struct probekit_snapshot *snapshot,
		     struct probekit_probe *total)
{
	struct probekit_session *session = reader->session;
	const struct plan_probe *planned = &session->plan.probes[index];
	struct probekit_probe *first = &snapshot->probes[snapshot->size];

	for (uint32_t i = 0; i <= KEY_SLOTS; i++) {
		struct probekit_probe *row = &snapshot->probes[snapshot->size];
		bool is_overflow = i == KEY_SLOTS;
		int64_t key = is_overflow ? 0 : engine_key(session->engine, ENGINE_PROBE(index), i);
		int result;

		if (key == KEY_EMPTY)
			continue;
		snapshot->size++;
		result = begin_row(session, planned, row);
		row->has_key = true;
		row->key = key;
		row->is_key_overflow = is_overflow;
		if (!result)
			result = read_row(reader, planned->row + 1 + i, row,
					  &total->lost.out_of_range);
		if (!result)
			result = add_row(total, row);
		if (result)
			return result;
		if (!row->count) {
			snapshot_row_done(row);
			*row = (struct probekit_probe){0};
			snapshot->size--;
		}
	}
	set_extremes(total, &reader->seen);
	qsort(first, (size_t)(&snapshot->probes[snapshot->size] - first), sizeof(*first), by_key);
	return 0;
}

static int read_probe(struct reader *reader, uint32_t index, struct probekit_snapshot *snapshot)
{
	struct probekit_session *session = reader->session;
	const struct plan_probe *planned = &session->plan.probes[index];
	struct probekit_probe *row = &snapshot->probes[snapshot->size++];
	int result = begin_row(session, planned, row);

	reader->seen = (struct extremes){0};
	if (!result && planned->row != UINT32_MAX)
		result = read_row(reader, planned->row, row, &row->lost.out_of_range);
	if (result)
		return result;
	read_losses(session, index, row);
	result = session_add_open(session, index, row);
	if (!result && planned->has_keys && planned->row != UINT32_MAX)
		result = read_keys(reader, index, snapshot, row);
	return result;
}

int session_read_histogram(const struct probekit_session *session, uint32_t row, uint32_t count,
			   struct probekit_probe *probe)
{
	uint64_t *slots = calloc(engine_slots(session->engine), sizeof(*slots));
	int result;

	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		engine_read_slots(session->engine, ENGINE_ROW(row + i), slots);
	result = histogram_from_slots(slots, engine_slots(session->engine),
				      engine_first_bucket(session->engine, true),
				      engine_scale(session->engine), &probe->histogram);
	free(slots);
	if (result)
		return result;
	probe->count = histogram_total(&probe->histogram);
	probe->sum = (int64_t)probe->count;
	return 0;
}

/* ---- spans in spans ---- */

struct probekit_probe *session_own_row(const struct session_rows *rows, uint32_t probe)
{
	const struct plan *plan = &rows->session->plan;

	if (probe == 0 || probe > plan->probe_count)
		return NULL;
	for (size_t i = 0; i < rows->snapshot->size; i++) {
		struct probekit_probe *row = &rows->snapshot->probes[i];

		if (!row->has_key && strcmp(row->name, plan->probes[probe - 1].name) == 0)
			return row;
	}
	return NULL;
}

static int add_relation(const struct relation_key *key, const struct relation *relation, void *arg)
{
	struct probekit_probe *parent = session_own_row(arg, key->parent);
	struct probekit_probe *child = session_own_row(arg, key->child);

	if (!parent || !child)
		return 0;
	if (breakdown_relate(&parent->children, &parent->child_count, child->name, relation->count,
			     relation->ns) ||
	    breakdown_relate(&child->parents, &child->parent_count, parent->name, relation->count,
			     relation->ns))
		return -ENOMEM;
	return 0;
}

static int fill_info(const struct probekit_session *session, struct probekit_snapshot *snapshot)
{
	struct probekit_snapshot_info *info = &snapshot->info;
	struct probe_counters counters;
	struct cpu_ticks ticks;
	pid_t *pids = calloc(session->pid_count + 1, sizeof(*pids));

	if (!pids)
		return -ENOMEM;
	if (session->pid_count)
		memcpy(pids, session->pids, session->pid_count * sizeof(*pids));
	info->started_unix_ns = session->started_unix_ns;
	info->duration_ns = (session->stopped_ns ? session->stopped_ns : session_now_ns()) -
			    session->started_ns;
	info->target = copy(session->target);
	info->pids = pids;
	info->pid_count = session->pid_count;
	info->child_status = session->command.status;
	info->child_cpu_ns = session->command.cpu_ns;
	info->excludes_stopped = session->options.exclude_stopped;
	info->span_cost_ns = session->calibration.span_ns;
	info->usdt_cost_ns = session->calibration.usdt_ns;
	info->function_cost_ns = session->calibration.call_ns[0][0];
	info->floor_ns = session->calibration.floor_ns;
	info->tool_version = copy(probekit_version());
	info->attach = copy(session->attachment.use_multi ? "uprobe_multi" : "perf_event");
	info->site = copy(point_name(session->calibration.point));
	info->has_stacks = session->evidence != NULL;
	info->has_locks = session->options.measure_locks;
	engine_read_counters(session->engine, 0, &counters);
	info->lost = lost_of(&counters);
	info->lost.tasks_missed = engine_missed_threads(session->engine);
	for (int i = 0; info->has_stacks && i < PROBEKIT_STACK_END_COUNT; i++)
		info->stacks[i] = evidence_stacks(session->evidence, (enum probekit_stack_end)i);
	if (environment_copy(&session->environment, &info->environment))
		return -ENOMEM;
	environment_ticks(&ticks);
	info->environment.steal = environment_steal(&session->ticks, &ticks);
	return info->target && info->tool_version && info->attach && info->site ? 0 : -ENOMEM;
}

static int read_snapshot(struct probekit_session *session, bool is_interval,
			 struct probekit_snapshot **out, struct probekit_error *err)
{
	struct probekit_snapshot *snapshot =
		snapshot_new((size_t)session->plan.row_count + session->plan.probe_count);
	struct reader reader = {
		.session = session,
		.sums = {.slots = calloc(engine_slots(session->engine), sizeof(uint64_t))},
		.is_interval = is_interval,
	};
	struct session_rows rows = {.session = session, .snapshot = snapshot};
	int result = snapshot && reader.sums.slots ? 0 : -ENOMEM;

	if (!result) {
		snapshot->size = 0; /* rows count as they are filled */
		result = fill_info(session, snapshot);
	}
	for (uint32_t i = 0; i < session->plan.probe_count && !result; i++)
		if (!session->plan.probes[i].is_refused)
			result = read_probe(&reader, i, snapshot);
	if (!result)
		result = engine_visit_relations(session->engine, add_relation, &rows);
	if (!result)
		result = session_add_waits(&rows);
	free(reader.sums.slots);
	if (result) {
		probekit_snapshot_free(snapshot);
		return error_errno(err, result, "cannot take a snapshot");
	}
	*out = snapshot;
	return 0;
}

/* Of a whole, or of an interval once it is one. */
static int explain(struct probekit_session *session, struct probekit_snapshot **snapshot,
		   bool is_interval, struct probekit_error *err)
{
	if (session_explain(session, *snapshot, is_interval) == 0)
		return 0;
	probekit_snapshot_free(*snapshot);
	*snapshot = NULL;
	return error_no_memory(err);
}

static int require_started(const struct probekit_session *session, struct probekit_error *err)
{
	if (session->state == SESSION_NEW)
		return error_usage(err, "the session has not started");
	if (session->state == SESSION_STOPPED && session->plan.probe_count == 0 &&
	    session_has_probes(session) && !session_may_do_without(session))
		return plan_require(&session->plan, &session->objects, &session->selection, err);
	return 0;
}

int probekit_session_snapshot(struct probekit_session *session, struct probekit_snapshot **snapshot,
			      struct probekit_error *err)
{
	int result = require_started(session, err);

	if (!result)
		result = read_snapshot(session, false, snapshot, err);
	return result ? result : explain(session, snapshot, false, err);
}

/* ---- intervals ---- */

static const struct probekit_probe *find_row(const struct probekit_snapshot *snapshot,
					     const struct probekit_probe *like)
{
	for (size_t i = 0; snapshot && i < snapshot->size; i++) {
		const struct probekit_probe *row = &snapshot->probes[i];

		if (snapshot_is_same_row(row, like))
			return row;
	}
	return NULL;
}

static void subtract_lost(struct probekit_lost *lost, const struct probekit_lost *before)
{
	uint64_t *now = (uint64_t *)lost;
	const uint64_t *then = (const uint64_t *)before;

	for (size_t i = 0; i < sizeof(*lost) / sizeof(*now); i++)
		now[i] -= then[i];
}

static int subtract_row(struct probekit_probe *row, const struct probekit_probe *before)
{
	struct probekit_histogram delta;
	int result = histogram_subtract(&row->histogram, &before->histogram, &delta);

	if (result)
		return result;
	histogram_done(&row->histogram);
	row->histogram = delta;
	row->count = histogram_total(&delta);
	row->sum -= before->sum;
	breakdown_subtract(row, before);
	row->in_flight_at_start -= before->in_flight_at_start;
	subtract_lost(&row->lost, &before->lost);
	return 0;
}

static int copy_relations(const struct probekit_relation *from, size_t count,
			  struct probekit_relation **into, size_t *into_count)
{
	for (size_t i = 0; i < count; i++)
		if (breakdown_relate(into, into_count, from[i].name, from[i].count,
				     from[i].time_ns))
			return -ENOMEM;
	return 0;
}

/* Identity and sums. */
static int copy_row(const struct probekit_probe *from, struct probekit_probe *row)
{
	*row = (struct probekit_probe){
		.name = copy(from->name),
		.kind = from->kind,
		.has_key = from->has_key,
		.is_key_overflow = from->is_key_overflow,
		.key = from->key,
		.sum = from->sum,
		.lost = from->lost,
		.in_flight_at_start = from->in_flight_at_start,
		.histogram.scale = from->histogram.scale,
	};
	if (!row->name || histogram_add(&row->histogram, &from->histogram) ||
	    breakdown_add(row, from))
		return -ENOMEM;
	for (size_t i = 0; i < from->wait_count; i++)
		if (breakdown_add_wait(row, &from->waits[i]))
			return -ENOMEM;
	return copy_relations(from->children, from->child_count, &row->children,
			      &row->child_count) ||
			       copy_relations(from->parents, from->parent_count, &row->parents,
					      &row->parent_count)
		       ? -ENOMEM
		       : 0;
}

/* What the next interval subtracts. */
static int copy_rows(const struct probekit_snapshot *from, struct probekit_snapshot **out)
{
	struct probekit_snapshot *copied = snapshot_new(from->size);
	int result = copied ? 0 : -ENOMEM;

	if (copied)
		copied->info.lost = from->info.lost;
	if (copied)
		memcpy(copied->info.stacks, from->info.stacks, sizeof(from->info.stacks));
	for (size_t i = 0; !result && i < from->size; i++)
		result = copy_row(&from->probes[i], &copied->probes[i]);
	if (result) {
		probekit_snapshot_free(copied);
		return result;
	}
	*out = copied;
	return 0;
}

/* Of a span that ended while the row was read its duration may be seen, and the span itself in the next
 * interval: an interval in which nothing was counted leaves the sum to that one. */
static void leave_sum(struct probekit_probe *row, const struct probekit_probe *before,
		      struct probekit_probe *whole)
{
	row->sum = 0;
	whole->sum = before ? before->sum : 0;
}

int probekit_session_interval(struct probekit_session *session, struct probekit_snapshot **out,
			      struct probekit_error *err)
{
	struct probekit_snapshot *whole = NULL;
	struct probekit_snapshot *delta;
	uint64_t now = session->stopped_ns ? session->stopped_ns : session_now_ns();
	int result = require_started(session, err);

	if (!result)
		result = read_snapshot(session, true, &delta, err);
	if (result)
		return result;
	if (copy_rows(delta, &whole))
		result = error_no_memory(err);
	for (size_t i = 0; !result && i < delta->size; i++) {
		const struct probekit_probe *before =
			find_row(session->previous, &delta->probes[i]);

		if (before && subtract_row(&delta->probes[i], before))
			result = error_no_memory(err);
		if (!result && !delta->probes[i].count)
			leave_sum(&delta->probes[i], before, &whole->probes[i]);
	}
	if (result) {
		probekit_snapshot_free(whole);
		probekit_snapshot_free(delta);
		return result;
	}
	for (int i = 0; session->previous && i < PROBEKIT_STACK_END_COUNT; i++)
		delta->info.stacks[i] -= session->previous->info.stacks[i];
	if (session->previous)
		subtract_lost(&delta->info.lost, &session->previous->info.lost);
	delta->info.started_unix_ns += (int64_t)(session->interval_start_ns - session->started_ns);
	delta->info.duration_ns = now - session->interval_start_ns;
	session->interval_start_ns = now;
	probekit_snapshot_free(session->previous);
	session->previous = whole;
	result = explain(session, &delta, true, err);
	if (result)
		return result;
	*out = delta;
	return 0;
}
