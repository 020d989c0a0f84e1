/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the lifetime of a snapshot: a plain value without ties to the session that made it. */
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "breakdown.h"
#include "environment.h"
#include "histogram.h"
#include "lock.h"
#include "stack.h"

struct probekit_snapshot *snapshot_new(size_t size)
{
	struct probekit_snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return NULL;
	snapshot->info.child_status = -1;
	environment_init(&snapshot->info.environment);
	snapshot->size = size;
	snapshot->probes = calloc(size ? size : 1, sizeof(*snapshot->probes));
	if (!snapshot->probes) {
		free(snapshot);
		return NULL;
	}
	return snapshot;
}

bool snapshot_is_same_row(const struct probekit_probe *a, const struct probekit_probe *b)
{
	return a->kind == b->kind && a->has_key == b->has_key && a->key == b->key &&
	       a->is_key_overflow == b->is_key_overflow && strcmp(a->name, b->name) == 0;
}

/* The public structs show const pointers to what the snapshot owns. */
static void release(const void *owned)
{
	free((void *)(uintptr_t)owned);
}

static void open_done(struct probekit_open_span *span)
{
	release(span->blocked_in);
	release(span->lock_symbol);
	release(span->lock_place);
	stack_done(&span->stack);
	for (size_t i = 0; i < span->blocker_count; i++) {
		release(span->blockers[i].lock_symbol);
		release(span->blockers[i].lock_place);
		stack_done(&span->blockers[i].stack);
	}
	free(span->blockers);
}

void snapshot_row_done(struct probekit_probe *probe)
{
	release(probe->name);
	release(probe->object);
	release(probe->build_id);
	histogram_done(&probe->histogram);
	breakdown_done(probe);
	for (size_t i = 0; i < probe->open_count; i++)
		open_done(&probe->open[i]);
	free(probe->open);
}

void probekit_snapshot_free(struct probekit_snapshot *snapshot)
{
	if (!snapshot)
		return;
	for (size_t i = 0; i < snapshot->size; i++)
		snapshot_row_done(&snapshot->probes[i]);
	free(snapshot->probes);
	locks_free(snapshot->locks, snapshot->lock_count);
	deadlocks_free(snapshot->deadlocks, snapshot->deadlock_count);
	for (size_t i = 0; i < snapshot->run_count; i++)
		probekit_snapshot_free(snapshot->runs[i]);
	free(snapshot->runs);
	release(snapshot->info.target);
	release(snapshot->info.pids);
	release(snapshot->info.tool_version);
	environment_done(&snapshot->info.environment);
	release(snapshot->info.attach);
	release(snapshot->info.site);
	free(snapshot);
}

const char *probekit_kind_name(enum probekit_kind kind)
{
	static const char *const names[] = {
		[PROBEKIT_KIND_SPAN] = "span",	 [PROBEKIT_KIND_USDT] = "usdt",
		[PROBEKIT_KIND_ASYNC] = "async", [PROBEKIT_KIND_FUNCTION] = "function",
		[PROBEKIT_KIND_VALUE] = "value",
	};

	return (unsigned int)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : NULL;
}

const struct probekit_snapshot_info *probekit_snapshot_info(const struct probekit_snapshot *snapshot)
{
	return &snapshot->info;
}

size_t probekit_snapshot_size(const struct probekit_snapshot *snapshot)
{
	return snapshot->size;
}

const struct probekit_probe *probekit_snapshot_probe(const struct probekit_snapshot *snapshot,
						     size_t i)
{
	return i < snapshot->size ? &snapshot->probes[i] : NULL;
}

size_t probekit_snapshot_run_count(const struct probekit_snapshot *snapshot)
{
	return snapshot->run_count;
}

const struct probekit_snapshot *probekit_snapshot_run(const struct probekit_snapshot *snapshot,
						      size_t i)
{
	return i < snapshot->run_count ? snapshot->runs[i] : NULL;
}
