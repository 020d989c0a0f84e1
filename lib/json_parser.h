/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_JSON_PARSER_H
#define PROBEKIT_JSON_PARSER_H
/* What the parts of the parser share: json_tree.c has the containers, json_scalars.c the rest. Functions that
 * return bool return false with the fault noted. */
#include "json_value.h"

struct json_parser {
	const char *at;
	const char *end;
	struct json_tree *tree;
	size_t used; /* of the tree's stack, by the values of containers that are still open */
	unsigned int depth;
	const char *unparsed;
	struct json_fault *fault;
};

/* Memory of the tree; NULL: there is none. */
void *json_tree_take(struct json_tree *tree, size_t size);

bool json_parser_fail(struct json_parser *p, enum json_fault_kind kind, const char *what);
/* Of what stands at p->at, or should; NULL: a value. */
bool json_parser_invalid(struct json_parser *p, const char *what);
/* Steps over `byte`, if that is what stands there. */
bool json_parser_take(struct json_parser *p, char byte);

/* Behind the opening quote. */
bool json_parse_text(struct json_parser *p, const char **text, uint32_t *length);
bool json_parse_number(struct json_parser *p, struct json_value *value);
/* null, true, false. */
bool json_parse_word(struct json_parser *p, struct json_value *value);
/* Where the text that p->at is in ends; p->end where it does not. */
const char *json_find_quote(const struct json_parser *p);

#endif
