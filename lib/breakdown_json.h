/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_BREAKDOWN_JSON_H
#define PROBEKIT_BREAKDOWN_JSON_H
/* How a snapshot's JSON says where the time of a probe went, both ways. */
#include "json_read.h"
#include "json_text.h"

/* Members parents to causes of a probe. */
void breakdown_to_json(struct json_text *json, const struct probekit_probe *probe);
/* time_ns of one of its bands. */
void breakdown_band_to_json(struct json_text *json, const struct probekit_probe *probe,
			    int32_t exponent);
/* What was written; the probe's histogram has been read. */
int breakdown_from_json(struct json_reader *r, const struct json_value *object,
			struct probekit_probe *probe);

#endif
