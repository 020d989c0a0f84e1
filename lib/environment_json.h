/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_ENVIRONMENT_JSON_H
#define PROBEKIT_ENVIRONMENT_JSON_H
/* The member environment of a snapshot's JSON, both ways. */
#include "json_read.h"
#include "json_text.h"

void environment_to_json(struct json_text *json, const struct probekit_environment *environment);
/* What is null or missing stays as it is. */
int environment_from_json(struct json_reader *r, const struct json_value *object,
			  struct probekit_environment *environment);

#endif
