/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_JSON_READ_H
#define PROBEKIT_JSON_READ_H
/*
 * Reading members of JSON objects that anybody may have written. Everything returns 0, or a
 * negative errno with an error that names the file and the place in it.
 */
#include <jansson.h>

#include "error.h"

struct json_reader {
	const char *name; /* of the file */
	char place[256];  /* of the object being read, "probes[3]." or "" */
	struct probekit_error *err;
};

enum json_field_type {
	FIELD_U64, /* up to INT64_MAX, as JSON readers have it */
	FIELD_U32,
	FIELD_I64,
	FIELD_I32,
	FIELD_SHARE, /* a double within 0 and 1 */
	FIELD_BOOL,
	FIELD_TEXT, /* malloc'ed; what escape_text() escaped is restored */
	FIELD_TYPES,
};

/* A member and where it goes. One that is null or missing leaves the target as it is. */
struct json_field {
	const char *key;
	size_t offset;
	enum json_field_type type;
	bool is_required;
};

/* -EBADMSG: "cannot read snapshot 'FILE': PLACE KEY REASON". */
int json_malformed(const struct json_reader *r, const char *key, const char *format, ...)
	ERROR_PRINTF(3, 4);

/* Adds "key[i]." or, with i < 0, "key." to the place; gives the length for json_leave(). */
size_t json_enter(struct json_reader *r, const char *key, long i);
void json_leave(struct json_reader *r, size_t length);

int json_read_text(const struct json_reader *r, const char *key, const json_t *value, char **text);
int json_read_integer(const struct json_reader *r, const char *key, const json_t *value,
		      enum json_field_type type, json_int_t *number);
int json_read_share(const struct json_reader *r, const char *key, const json_t *value,
		    double *share);
int json_read_fields(const struct json_reader *r, const json_t *object,
		     const struct json_field *fields, size_t count, void *out);
/* A member that is an object of such fields; it may be null or missing. */
int json_read_object(struct json_reader *r, const json_t *object, const char *key,
		     const struct json_field *fields, size_t count, void *out);
/* A member that is a list; NULL with 0 when it is null or missing. */
int json_read_list(const struct json_reader *r, const json_t *object, const char *key,
		   const json_t **list);

#define JSON_READ_FIELDS(r, object, fields, out) \
	json_read_fields(r, object, fields, sizeof(fields) / sizeof((fields)[0]), out)
#define JSON_READ_OBJECT(r, object, key, fields, out) \
	json_read_object(r, object, key, fields, sizeof(fields) / sizeof((fields)[0]), out)

#endif
