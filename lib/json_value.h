/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_JSON_VALUE_H
#define PROBEKIT_JSON_VALUE_H
/*
 * JSON texts (RFC 8259) as trees that are read and thrown away. Snapshots of many runs are some ten
 * megabytes, most of it small numbers: a value takes 24 bytes, memory comes in large pieces, and a list can
 * be left as it stands, to be parsed one element at a time. Pure: no file, and no error messages.
 *
 * Refused are also: two members of one name, integers beyond 64 bits, numbers beyond a double, bytes that are
 * not UTF-8, NUL characters, and nesting deeper than JSON_DEPTH_MAX.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 256
#define JSON_DEPTH_UNPARSED 3 /* of the object whose member it is; the whole is 1 */

enum json_value_type {
	VALUE_NULL,
	VALUE_FALSE,
	VALUE_TRUE,
	VALUE_INTEGER,
	VALUE_REAL,
	VALUE_TEXT,
	VALUE_LIST,
	VALUE_OBJECT,
	VALUE_UNPARSED, /* an element of a list that was asked for; json_tree_parse() takes its text */
};

struct json_value {
	const char *key; /* of a member of an object; else NULL */
	uint32_t size;	 /* elements of a list, members of an object, bytes of a text */
	enum json_value_type type : 8;
	uint32_t key_hash : 24; /* of json_key_hash() */
	union {
		int64_t integer;
		double real;
		const char *text;		/* terminated, but where it is unparsed */
		const struct json_value *items; /* of a list or object */
	};
};

/* Of all functions below `value` may be NULL, which is what is missing: of no type. */
bool json_value_is(const struct json_value *value, enum json_value_type type);
/* Null, or missing. */
bool json_value_is_null(const struct json_value *value);
bool json_value_is_bool(const struct json_value *value);
bool json_value_is_number(const struct json_value *value);
/* NULL where `object` is none, or has no such member. */
const struct json_value *json_value_get(const struct json_value *object, const char *key);
/* Element of a list; NULL beyond them. */
const struct json_value *json_value_at(const struct json_value *list, size_t i);
/* How many of those there are; 0 of other types. */
size_t json_value_size(const struct json_value *list);
/* NULL of other types. */
const char *json_value_text(const struct json_value *value);
/* 0 of other types; a number may be an integer. */
int64_t json_value_integer(const struct json_value *value);
double json_value_number(const struct json_value *value);

/* To tell most names apart without looking at them. */
static inline uint32_t json_key_hash(const char *key, size_t size)
{
	return size ? (uint32_t)(size & 0xff) << 16 | (uint32_t)(unsigned char)key[0] << 8 |
			       (unsigned char)key[size - 1]
		    : 0;
}

/* The memory of a tree. Starts zeroed. */
struct json_tree {
	struct json_piece *first;
	struct json_piece *current;
	struct json_value *stack; /* while it is made */
	size_t stack_size;
};

/* What is wrong with a text, and where. */
struct json_fault {
	enum json_fault_kind {
		FAULT_NO_MEMORY,
		FAULT_TRUNCATED, /* it ends too early */
		FAULT_MORE,	 /* something follows the value */
		FAULT_INVALID,
	} kind;
	const char *what; /* of FAULT_INVALID; NULL: a value should begin there */
	const char *at;	  /* in the text */
};

/*
 * Parses the one value in the text. The elements of lists that are members called `unparsed`, at most
 * JSON_DEPTH_UNPARSED deep, are not looked into but for where they end; NULL: none is left so. What the tree held
 * before is gone. The value lasts as long as the tree.
 */
bool json_tree_parse(struct json_tree *tree, const char *text, size_t size, const char *unparsed,
		     const struct json_value **value, struct json_fault *fault);
void json_tree_done(struct json_tree *tree);

#endif
