/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_JSON_TEXT_H
#define PROBEKIT_JSON_TEXT_H
/*
 * Writes JSON straight into a growing text: a snapshot is large and flat, and a tree of it would
 * take ten times its size. `key` is NULL inside an array. Memory running out is remembered, and
 * told by json_text_take(). Independent of the locale.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_text {
	char *text;
	size_t size;
	size_t capacity;
	unsigned int depth;
	unsigned int inline_depth; /* from this depth on all is on one line; 0: nothing is */
	bool has_member;	   /* the innermost container has one already */
	bool is_compact;
	bool is_sparse; /* what is null, an empty list, or follows from the rest is left out */
	bool has_failed;
	size_t opened_at; /* where the member begins that was opened last; 0: it has no key */
	bool opened_after_member; /* of the same container */
};

void json_text_open(struct json_text *json, const char *key, char bracket);
/* The same; what it contains stays on one line. */
void json_text_open_inline(struct json_text *json, const char *key, char bracket);
void json_text_close(struct json_text *json, char bracket);

void json_text_unsigned(struct json_text *json, const char *key, uint64_t value);
void json_text_integer(struct json_text *json, const char *key, int64_t value);
/* Nearest integer, within what 64 bits hold. */
void json_text_rounded(struct json_text *json, const char *key, double value);
/* To nine decimals. */
void json_text_decimal(struct json_text *json, const char *key, double value);
void json_text_bool(struct json_text *json, const char *key, bool value);
void json_text_null(struct json_text *json, const char *key);
/* Any bytes: what is not clean UTF-8 is escaped as escape_text() does. NULL writes null. */
void json_text_string(struct json_text *json, const char *key, const char *value);

/* The text, which the caller frees; NULL when memory ran out. */
char *json_text_take(struct json_text *json);

#endif
