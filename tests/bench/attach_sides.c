/* SPDX-License-Identifier: BSD-2-Clause */
#include "attach_sides.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "features.h"

/* ---- a session ---- */

static int start(struct bench_session *session, pid_t pid, const char *span,
		 struct probekit_error *err)
{
	int result = probekit_session_new(NULL, &session->session, err);

	if (!result)
		result = probekit_session_add_pid(session->session, pid, err);
	if (!result)
		result = probekit_session_add_span(session->session, span, err);
	return result ? result : probekit_session_start(session->session, err);
}

/* Where it is attached stands in the snapshot alone. */
static bool is_attached_at(const struct bench_session *session, enum point point)
{
	struct probekit_snapshot *snapshot;
	bool is_there;

	if (probekit_session_snapshot(session->session, &snapshot, NULL))
		return false;
	is_there = strcmp(probekit_snapshot_info(snapshot)->site, point_name(point)) == 0;
	probekit_snapshot_free(snapshot);
	return is_there;
}

/* Calibration, which chooses the instruction, may be unlucky on a busy machine. */
#define CALIBRATIONS 5

int bench_session_start(struct bench_run *run, struct bench_session *session, pid_t pid,
			const char *span, enum point point, bool has_breakdown)
{
	const char *places = point == POINT_NOP ? "nop5,nop10" : "fork_check";
	struct probekit_error err;
	char disabled[64];

	snprintf(disabled, sizeof(disabled), "%s%s", places, has_breakdown ? "" : ",breakdown");
	for (int i = 0; i < CALIBRATIONS; i++) {
		int result;

		*session = (struct bench_session){0};
		setenv("PROBEKIT_DISABLE_FEATURES", disabled, 1);
		result = start(session, pid, span, &err);
		unsetenv("PROBEKIT_DISABLE_FEATURES");
		if (!result && is_attached_at(session, point))
			return 0;
		probekit_session_free(session->session);
		if (result)
			return bench_fail(run, "%s", err.text);
	}
	return bench_missing(run, "probekit does not choose the %s on this kernel",
			     point_name(point));
}

int bench_session_end(struct bench_run *run, struct bench_session *session)
{
	struct probekit_snapshot *snapshot;
	const struct probekit_probe *probe;
	struct probekit_error err;
	int result = probekit_session_stop(session->session, &err);

	if (!result)
		result = probekit_session_snapshot(session->session, &snapshot, &err);
	probekit_session_free(session->session);
	if (result)
		return bench_fail(run, "%s", err.text);
	probe = probekit_snapshot_size(snapshot) ? probekit_snapshot_probe(snapshot, 0) : NULL;
	if (probe && probe->count) {
		session->count = probe->count;
		session->median_ns = probekit_probe_quantile(probe, 0.5);
		session->mean_ns = (double)probe->sum / (double)probe->count;
	}
	probekit_snapshot_free(snapshot);
	return 0;
}

/* ---- a program that does nothing ---- */

static int attach_sites(struct bench_run *run, struct bench_empty *empty, pid_t pid,
			enum point point)
{
	for (size_t i = 0; i < empty->object->sites.size; i++) {
		const struct sdt_site *site = &empty->object->sites.sites[i];
		struct placement placement;

		placement_choose(site, point, &placement);
		if (attachment_add_site(&empty->attachment, empty->object, &placement,
					site->semaphore_offset, PROGRAM_COUNT_HIT, 0, pid))
			return bench_fail(run, "cannot attach the empty program");
	}
	return 0;
}

int bench_empty_start(struct bench_run *run, struct bench_empty *empty, const char *path, pid_t pid,
		      enum point point)
{
	struct engine_options options = {.probes = 1, .rows = 1, .sites = 1, .key_limit = 1};
	struct probekit_error err;
	struct features features;
	int result;

	*empty = (struct bench_empty){0};
	features_detect(&features, NULL);
	result = features_choose_attach(&features, true, &options.use_multi, &err);
	if (!result)
		result = object_open(path, -1, &empty->object, &err);
	if (!result)
		result = engine_new(&options, &empty->attachment.engine, &err);
	empty->attachment.use_multi = options.use_multi;
	result = result ? bench_fail(run, "%s", err.text) : attach_sites(run, empty, pid, point);
	if (result)
		bench_empty_end(empty);
	return result;
}

void bench_empty_end(struct bench_empty *empty)
{
	if (empty->attachment.engine)
		empty->hits = engine_hits(empty->attachment.engine);
	attach_links_close(&empty->attachment.links, 0);
	engine_free(empty->attachment.engine);
	object_free(empty->object);
	empty->attachment.engine = NULL;
	empty->object = NULL;
}
