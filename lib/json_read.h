/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_JSON_READ_H
#define PROBEKIT_JSON_READ_H
/*
 * Reading members of JSON objects that anybody may have written. Everything returns 0, or a
 * negative errno with an error that names the file and the place in it.
 */
#include "error.h"
#include "json_value.h"

#define JSON_STEPS_MAX 64 /* more than what is read is nested */

struct json_reader {
	const char *name; /* of the file */
	const char *text; /* all that is read */
	const char *end;
	struct json_step {
		const char *key;
		long i;		 /* -1: it is no list */
	} steps[JSON_STEPS_MAX]; /* to the object being read, from the whole */
	size_t depth;
	struct json_tree row; /* the one that is read now */
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

/* -EBADMSG, where the text is no JSON. */
int json_not_json(const struct json_reader *r, const struct json_fault *fault);
/* -EBADMSG: "cannot read snapshot 'FILE': PLACE KEY REASON". */
int json_malformed(const struct json_reader *r, const char *key, const char *format, ...)
	ERROR_PRINTF(3, 4);

/* One step further in, to "key[i]" or, with i < 0, to "key", which has to last; gives what json_leave() takes. */
size_t json_enter(struct json_reader *r, const char *key, long i);
void json_leave(struct json_reader *r, size_t depth);
/* The same, to a member that is an object: it, with 0; or NULL with what the caller returns, which is 0 where it
 * is null or missing. */
const struct json_value *json_enter_object(struct json_reader *r, const struct json_value *object,
					   const char *key, size_t *outside, int *result);

int json_read_text(const struct json_reader *r, const char *key, const struct json_value *value,
		   char **text);
int json_read_integer(const struct json_reader *r, const char *key, const struct json_value *value,
		      enum json_field_type type, int64_t *number);
int json_read_share(const struct json_reader *r, const char *key, const struct json_value *value,
		    double *share);
int json_read_fields(const struct json_reader *r, const struct json_value *object,
		     const struct json_field *fields, size_t count, void *out);
/* A member that is an object of such fields; it may be null or missing. */
int json_read_object(struct json_reader *r, const struct json_value *object, const char *key,
		     const struct json_field *fields, size_t count, void *out);
/* A member that is a list; NULL with 0 when it is null or missing. */
int json_read_list(const struct json_reader *r, const struct json_value *object, const char *key,
		   const struct json_value **list);

#define JSON_READ_FIELDS(r, object, fields, out) \
	json_read_fields(r, object, fields, sizeof(fields) / sizeof((fields)[0]), out)
#define JSON_READ_OBJECT(r, object, key, fields, out) \
	json_read_object(r, object, key, fields, sizeof(fields) / sizeof((fields)[0]), out)

#endif
