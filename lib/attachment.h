/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_ATTACHMENT_H
#define PROBEKIT_ATTACHMENT_H
/* From planned sites to links: one link per program, object and process (or one per site, by perf
 * events). Begins are attached before ends, so that no end waits for a begin that nobody saw. */
#include "attach.h"
#include "custom.h"
#include "placement.h"
#include "plan.h"

/* Number 0 of probes, rows and sites in the kernel is calibration's; the plan's come after. */
#define ENGINE_PROBE(probe) ((probe) + 1)
#define ENGINE_ROW(row) ((row) + 1)
#define ENGINE_SITE(site) ((site) + 1)

struct attachment {
	struct engine *engine;
	const struct objects *objects;
	const struct plan *plan;
	bool use_multi;
	enum point point;
	const pid_t *pids; /* pid_count of them; none: every process */
	size_t pid_count;
	struct custom *custom;
	uint32_t custom_from; /* those of its sites that are attached to */
	bool is_custom_only;  /* nothing is measured */
	uint8_t arrival;      /* number of what is attached late now */
	bool is_found; /* they came while others are recorded, and all is attached to them late */
	struct attach_links links;
};

/* Attaches those of the plan's sites from number `from_site` on whose probe is of this batch (0: of all
 * kinds but functions); the links are added to `links`. `is_late`: others are recorded already, and the
 * probes are once all of theirs are attached. On error the links made before stay. */
int attachment_add(struct attachment *attachment, uint32_t from_site, uint32_t batch, bool is_late,
		   struct attach_links *links, struct probekit_error *err);

/* Is the process left out, as it does not map this one of several copies of a file? Containers of one image have
 * each a file of its own, by device, where the kernel has one: it would be attached to once for each. */
bool attachment_leaves_out(const struct attachment *attachment, uint32_t object, pid_t pid);

/* Attaches `program` to one site with this cookie; for calibration. */
int attachment_add_site(struct attachment *attachment, const struct object *object,
			const struct placement *placement, uint64_t semaphore_offset,
			enum program program, uint64_t cookie, pid_t pid);

#endif
