/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CAUSES_JSON_H
#define PROBEKIT_CAUSES_JSON_H
/* How a snapshot's JSON tells of the slow spans, of what made them slow, and of those still open. */
#include "json_parts.h"

/* Holders of holders; what is nested deeper is not written, and refused when read. */
#define HOLDERS_MAX 8

void tail_to_json(struct json_text *json, const struct probekit_tail *tail);
void causes_to_json(struct json_text *json, const struct probekit_probe *probe);
void slowest_to_json(struct json_text *json, const struct probekit_probe *probe);
void open_to_json(struct json_text *json, const struct probekit_probe *probe);

/* An object of names and shares. */
void activities_to_json(struct json_text *json, const char *key,
			const struct probekit_activity *activities, size_t count);
/* The members of a holder's object, and what it waited for. */
void holder_members_to_json(struct json_text *json, const struct probekit_holder *holder);

int activities_from_json(struct json_reader *r, const struct json_value *object, const char *key,
			 struct probekit_activity **activities, size_t *count);
/* A new holder from the members of its object, and those it waited for. */
int holders_from_json(struct json_reader *r, const struct json_value *object,
		      struct probekit_holder **holder);
int tail_from_json(struct json_reader *r, const struct json_value *object,
		   struct probekit_probe *probe);
int causes_from_json(struct json_reader *r, const struct json_value *object,
		     struct probekit_probe *probe);
int slowest_from_json(struct json_reader *r, const struct json_value *object,
		      struct probekit_probe *probe);
int open_from_json(struct json_reader *r, const struct json_value *object,
		   struct probekit_probe *probe);

#endif
