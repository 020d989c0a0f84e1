/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the lifetime of a snapshot: a plain value without ties to the session that made it. */
#include "snapshot.h"

#include <stdlib.h>

#include "breakdown.h"
#include "histogram.h"
#include "lock.h"
#include "stack.h"

struct probekit_snapshot *snapshot_new(size_t size)
{
	struct probekit_snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return NULL;
	snapshot->info.child_status = -1;
	snapshot->size = size;
	snapshot->probes = calloc(size ? size : 1, sizeof(*snapshot->probes));
	if (!snapshot->probes) {
		free(snapshot);
		return NULL;
	}
	return snapshot;
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
	release(snapshot->info.target);
	release(snapshot->info.pids);
	release(snapshot->info.tool_version);
	release(snapshot->info.kernel);
	release(snapshot->info.attach);
	release(snapshot->info.site);
	free(snapshot);
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
