/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_LOCKS_JSON_H
#define PROBEKIT_LOCKS_JSON_H
/* How a snapshot's JSON tells of locks and deadlocks: members "locks" and "deadlocks". */
#include "json_parts.h"
#include "snapshot.h"

void locks_to_json(struct json_text *json, const struct probekit_snapshot *snapshot);
int locks_from_json(struct json_reader *r, const struct json_value *root,
		    struct probekit_snapshot *snapshot);

#endif
