/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_RUNS_JSON_H
#define PROBEKIT_RUNS_JSON_H
/* How the runs of a snapshot are read. */
#include "json_read.h"
#include "snapshot.h"

/* Member runs. */
int runs_from_json(struct json_reader *r, const struct json_value *root,
		   struct probekit_snapshot *snapshot);
/* All of a snapshot's object but schema, locks and runs. */
int snapshot_body_from_json(struct json_reader *r, const struct json_value *object,
			    struct probekit_snapshot **snapshot);

#endif
