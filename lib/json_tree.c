/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns the parser. Values of containers that are still open stand on a stack; once one is closed its
 * values are copied to the tree's memory, side by side. Why no library: docs/benchmarks.md, at its end.
 */
#include <stdlib.h>
#include <string.h>

#include "json_parser.h"

#define PIECE_BYTES (256 * 1024)
#define ALIGNMENT 8
#define STACK_FIRST 256
#define MEMBERS_FEW 32 /* are compared one by one */

/* ---- the tree's memory ---- */

struct json_piece {
	struct json_piece *next;
	size_t size;
	size_t used;
	char bytes[];
};

void *json_tree_take(struct json_tree *tree, size_t size)
{
	struct json_piece *piece = tree->current;
	size_t start = piece ? (piece->used + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : 0;

	while (!piece || size > piece->size || start > piece->size - size) {
		struct json_piece *next = piece ? piece->next : tree->first;

		if (!next || next->size < size) {
			size_t room = size > PIECE_BYTES ? size : PIECE_BYTES;
			struct json_piece *made = malloc(sizeof(*made) + room);

			if (!made)
				return NULL;
			made->size = room;
			made->next = next;
			if (piece)
				piece->next = made;
			else
				tree->first = made;
			next = made;
		}
		next->used = 0;
		piece = tree->current = next;
		start = 0;
	}
	piece->used = start + size;
	return piece->bytes + start;
}

void json_tree_done(struct json_tree *tree)
{
	struct json_piece *piece = tree->first;

	while (piece) {
		struct json_piece *next = piece->next;

		free(piece);
		piece = next;
	}
	free(tree->stack);
	*tree = (struct json_tree){0};
}

/* ---- the parser ---- */

bool json_parser_fail(struct json_parser *p, enum json_fault_kind kind, const char *what)
{
	*p->fault = (struct json_fault){kind, what, p->at};
	return false;
}

bool json_parser_invalid(struct json_parser *p, const char *what)
{
	return json_parser_fail(p, p->at < p->end ? FAULT_INVALID : FAULT_TRUNCATED, what);
}

static bool grow_stack(struct json_parser *p)
{
	struct json_tree *tree = p->tree;
	size_t size = tree->stack_size ? 2 * tree->stack_size : STACK_FIRST;
	struct json_value *grown = reallocarray(tree->stack, size, sizeof(*grown));

	if (!grown)
		return json_parser_fail(p, FAULT_NO_MEMORY, NULL);
	tree->stack = grown;
	tree->stack_size = size;
	return true;
}

static bool push(struct json_parser *p, const struct json_value *value)
{
	if (p->used == p->tree->stack_size && !grow_stack(p))
		return false;
	p->tree->stack[p->used++] = *value;
	return true;
}

/* Moves what is on the stack from `first` on into `value`. */
static bool gather(struct json_parser *p, size_t first, struct json_value *value)
{
	size_t count = p->used - first;
	struct json_value *items = NULL;

	if (count) {
		items = json_tree_take(p->tree, count * sizeof(*items));
		if (!items)
			return json_parser_fail(p, FAULT_NO_MEMORY, NULL);
		memcpy(items, p->tree->stack + first, count * sizeof(*items));
	}
	p->used = first;
	value->items = items;
	value->size = (uint32_t)count;
	return true;
}

static void skip_space(struct json_parser *p)
{
	while (p->at < p->end &&
	       (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
		p->at++;
}

bool json_parser_take(struct json_parser *p, char byte)
{
	if (p->at == p->end || *p->at != byte)
		return false;
	p->at++;
	return true;
}

/* ---- containers ---- */

static bool parse_value(struct json_parser *p, struct json_value *value);

static int by_key(const void *a, const void *b)
{
	const char *const *x = a;
	const char *const *y = b;

	return strcmp(*x, *y);
}

static bool check_many_keys(struct json_parser *p, const struct json_value *object)
{
	const char **keys = malloc(object->size * sizeof(*keys));
	bool is_double = false;

	if (!keys)
		return json_parser_fail(p, FAULT_NO_MEMORY, NULL);
	for (uint32_t i = 0; i < object->size; i++)
		keys[i] = object->items[i].key;
	qsort(keys, object->size, sizeof(*keys), by_key);
	for (uint32_t i = 1; i < object->size; i++)
		is_double |= strcmp(keys[i - 1], keys[i]) == 0;
	free(keys);
	return !is_double || json_parser_fail(p, FAULT_INVALID, "a duplicate member");
}

static bool check_keys(struct json_parser *p, const struct json_value *object)
{
	if (object->size > MEMBERS_FEW)
		return check_many_keys(p, object);
	for (uint32_t i = 1; i < object->size; i++)
		for (uint32_t k = 0; k < i; k++)
			if (object->items[i].key_hash == object->items[k].key_hash &&
			    strcmp(object->items[i].key, object->items[k].key) == 0)
				return json_parser_fail(p, FAULT_INVALID, "a duplicate member");
	return true;
}

/* The end of the element at p->at: its brackets match, or a comma or bracket follows. */
static bool skip_value(struct json_parser *p)
{
	static const signed char steps[256] = {['['] = 1, ['{'] = 1, [']'] = -1, ['}'] = -1};
	size_t depth = 0;

	for (; p->at < p->end; p->at++) {
		signed char step = steps[(unsigned char)*p->at];

		if (depth == 0 && (step < 0 || *p->at == ','))
			return true;
		depth += (size_t)step;
		if (*p->at != '"')
			continue;
		p->at++;
		p->at = json_find_quote(p);
		if (p->at == p->end)
			break;
	}
	return json_parser_invalid(p, NULL);
}

static bool parse_element(struct json_parser *p, bool is_unparsed, struct json_value *value)
{
	const char *begin;

	skip_space(p);
	if (!is_unparsed)
		return parse_value(p, value);
	begin = p->at;
	if (!skip_value(p))
		return false;
	value->type = VALUE_UNPARSED;
	value->text = begin;
	value->size = (uint32_t)(p->at - begin);
	return p->at > begin || json_parser_invalid(p, NULL);
}

/* Behind the opening bracket. */
static bool parse_list(struct json_parser *p, bool is_unparsed, struct json_value *value)
{
	size_t first = p->used;

	value->type = VALUE_LIST;
	skip_space(p);
	if (json_parser_take(p, ']'))
		return gather(p, first, value);
	for (;;) {
		struct json_value element = {0};

		if (!parse_element(p, is_unparsed, &element) || !push(p, &element))
			return false;
		skip_space(p);
		if (json_parser_take(p, ']'))
			return gather(p, first, value);
		if (!json_parser_take(p, ','))
			return json_parser_invalid(p, "no comma or bracket after an element");
	}
}

static bool parse_member(struct json_parser *p, struct json_value *value)
{
	uint32_t length;

	skip_space(p);
	if (!json_parser_take(p, '"'))
		return json_parser_invalid(p, "no name where a member's belongs");
	if (!json_parse_text(p, &value->key, &length))
		return false;
	value->key_hash = json_key_hash(value->key, length);
	skip_space(p);
	if (!json_parser_take(p, ':'))
		return json_parser_invalid(p, "no colon after a member's name");
	skip_space(p);
	if (p->unparsed && p->depth <= JSON_DEPTH_UNPARSED && p->at < p->end && *p->at == '[' &&
	    strcmp(value->key, p->unparsed) == 0) {
		p->at++;
		return parse_list(p, true, value);
	}
	return parse_value(p, value);
}

static bool parse_object(struct json_parser *p, struct json_value *value)
{
	size_t first = p->used;

	value->type = VALUE_OBJECT;
	skip_space(p);
	if (json_parser_take(p, '}'))
		return gather(p, first, value);
	for (;;) {
		struct json_value member = {0};

		if (!parse_member(p, &member) || !push(p, &member))
			return false;
		skip_space(p);
		if (json_parser_take(p, '}'))
			return gather(p, first, value) && check_keys(p, value);
		if (!json_parser_take(p, ','))
			return json_parser_invalid(p, "no comma or bracket after a member");
	}
}

static bool parse_value(struct json_parser *p, struct json_value *value)
{
	bool is_parsed;

	if (p->at == p->end)
		return json_parser_invalid(p, NULL);
	if (*p->at == '-' || (*p->at >= '0' && *p->at <= '9'))
		return json_parse_number(p, value);
	if (*p->at == '"') {
		p->at++;
		value->type = VALUE_TEXT;
		return json_parse_text(p, &value->text, &value->size);
	}
	if (*p->at != '[' && *p->at != '{')
		return json_parse_word(p, value);
	if (++p->depth > JSON_DEPTH_MAX)
		return json_parser_invalid(p, "values nested too deep");
	is_parsed = *p->at++ == '[' ? parse_list(p, false, value) : parse_object(p, value);
	p->depth--;
	return is_parsed;
}

bool json_tree_parse(struct json_tree *tree, const char *text, size_t size, const char *unparsed,
		     const struct json_value **value, struct json_fault *fault)
{
	struct json_parser p = {
		.at = text,
		.end = text + size,
		.tree = tree,
		.unparsed = unparsed,
		.fault = fault,
	};
	struct json_value root = {0};
	struct json_value *made;
	bool is_parsed;

	tree->current = NULL;
	skip_space(&p);
	is_parsed = parse_value(&p, &root);
	skip_space(&p);
	if (is_parsed && p.at < p.end)
		is_parsed = json_parser_fail(&p, FAULT_MORE, NULL);
	if (!is_parsed)
		return false;
	made = json_tree_take(tree, sizeof(*made));
	if (!made)
		return json_parser_fail(&p, FAULT_NO_MEMORY, NULL);
	*made = root;
	*value = made;
	return true;
}
