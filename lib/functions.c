/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the way from symbols to functions: which match, which belong together, and what speaks
 * against probing them. */
#include "functions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "function_entry.h"
#include "function_exits.h"
#include "function_inlines.h"
#include "function_names.h"
#include "function_symbols.h"

#define CODE_BYTES 16 /* looked at, at an entry */

/* One body that matches. */
struct body {
	char *name; /* the same for all of one function */
	const struct function_symbol *symbol;
	const char *refused;
	struct function_placement placement;
	bool is_part;
};

struct bodies {
	struct body *items;
	size_t size;
	size_t capacity;
};

static void bodies_done(struct bodies *bodies)
{
	for (size_t i = 0; i < bodies->size; i++)
		free(bodies->items[i].name);
	free(bodies->items);
}

/* ---- which match ---- */

static void place(const struct object *object, struct body *body)
{
	const struct function_symbol *symbol = body->symbol;
	size_t size = CODE_BYTES;
	const unsigned char *code = elf_file_bytes(object->elf, symbol->offset, size);

	while (!code && --size > 0)
		code = elf_file_bytes(object->elf, symbol->offset, size);
	body->placement = function_entry_place(code, size);
	if (!body->refused)
		body->refused = body->placement.refused;
}

static int add_body(struct bodies *bodies, const struct object *object, struct body body)
{
	char name[DEMANGLED_BYTES_MAX];

	if (bodies->size == bodies->capacity) {
		size_t wanted = bodies->capacity ? bodies->capacity * 2 : 64;
		struct body *grown = reallocarray(bodies->items, wanted, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		bodies->items = grown;
		bodies->capacity = wanted;
	}
	function_name_display(body.symbol->name, name);
	body.name = strdup(name);
	if (!body.name)
		return -ENOMEM;
	place(object, &body);
	bodies->items[bodies->size++] = body;
	return 0;
}

static bool has_ifunc(const struct function_symbol *symbols, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (symbols[i].is_ifunc)
			return true;
	return false;
}

/* Names of one address are one function. */
static int match_address(const struct function_symbol *symbols, size_t count,
			 const struct object *object, const char *pattern, struct bodies *bodies)
{
	for (size_t i = 0; i < count; i++) {
		struct body body = {.symbol = &symbols[i]};
		enum function_piece piece;

		function_name_base(symbols[i].name, &piece);
		if (piece == FUNCTION_COLD || !function_name_matches(symbols[i].name, pattern))
			continue;
		body.is_part = piece == FUNCTION_PART;
		if (has_ifunc(symbols, count))
			body.refused =
				"its code is chosen when the program starts (IFUNC), and only the "
				"choice could be measured; name the variants";
		return add_body(bodies, object, body);
	}
	return 0;
}

static int match_all(const struct function_symbols *symbols, const struct object *object,
		     const char *pattern, struct bodies *bodies)
{
	size_t count;
	int result = 0;

	for (size_t i = 0; i < symbols->size && !result; i += count) {
		count = function_symbols_run(symbols, i);
		result = match_address(&symbols->items[i], count, object, pattern, bodies);
	}
	return result;
}

/* ---- which belong together ---- */

static int by_name(const void *left, const void *right)
{
	const struct body *a = left;
	const struct body *b = right;
	int order = strcmp(a->name, b->name);

	if (order)
		return order;
	return a->symbol->address < b->symbol->address ? -1 : 1;
}

static int by_address(const void *left, const void *right)
{
	const struct function *a = left;
	const struct function *b = right;
	uint64_t at = a->entry_count ? a->entries[0].address : UINT64_MAX;
	uint64_t other = b->entry_count ? b->entries[0].address : UINT64_MAX;

	if (at != other)
		return at < other ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int add_function(struct functions *functions, const struct body *bodies, size_t count)
{
	struct function *function = &functions->items[functions->size++];

	function->inlined = UINT32_MAX;
	function->name = strdup(bodies[0].name);
	function->entries = calloc(count, sizeof(*function->entries));
	if (!function->name || !function->entries)
		return -ENOMEM;
	function->entry_count = count;
	for (size_t i = 0; i < count; i++) {
		const struct function_symbol *symbol = bodies[i].symbol;

		function->entries[i] = (struct function_entry){
			.address = symbol->address,
			.size_bytes = symbol->size_bytes,
			.offset = symbol->offset + bodies[i].placement.skip_bytes,
			.cost = bodies[i].placement.cost,
			.is_part = bodies[i].is_part,
		};
		if (symbol->size_bytes <= UINT64_MAX - function->size_bytes)
			function->size_bytes += symbol->size_bytes;
		if (!bodies[i].refused || function->refused)
			continue;
		function->refused = strdup(bodies[i].refused);
		if (!function->refused)
			return -ENOMEM;
	}
	return 0;
}

static int group(const struct bodies *bodies, struct functions *functions)
{
	int result = 0;

	functions->items = calloc(bodies->size ? bodies->size : 1, sizeof(*functions->items));
	if (!functions->items)
		return -ENOMEM;
	for (size_t i = 0, end; i < bodies->size && !result; i = end) {
		for (end = i + 1; end < bodies->size; end++)
			if (strcmp(bodies->items[i].name, bodies->items[end].name) != 0)
				break;
		result = add_function(functions, &bodies->items[i], end - i);
	}
	return result;
}

/* ---- what speaks against all of an object ---- */

bool functions_are_go(const struct object *object)
{
	static const char *const sections[] = {".gopclntab", ".data.rel.ro.gopclntab",
					       ".go.buildinfo"};
	size_t size_bytes;

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if (elf_file_section(object->elf, sections[i], &size_bytes, NULL))
			return true;
	return false;
}

static int refuse_go(struct functions *functions)
{
	for (size_t i = 0; i < functions->size; i++) {
		free(functions->items[i].refused);
		functions->items[i].refused =
			strdup("Go moves its stacks and walks them, which a return probe crashes; "
			       "give the program USDT probes, or count calls only");
		if (!functions->items[i].refused)
			return -ENOMEM;
	}
	return 0;
}

static int find_exits(const struct object *object, const struct function_symbols *symbols,
		      struct functions *functions)
{
	struct function_frames frames;
	int result = function_frames_load(object->elf, &frames);

	if (result)
		return result;
	for (size_t i = 0; i < functions->size && !result; i++)
		if (!functions->items[i].refused)
			result =
				function_exits_find(object, symbols, &frames, &functions->items[i]);
	function_frames_done(&frames);
	return result;
}

static int check_entries(const struct object *object, struct functions *functions)
{
	int result = 0;

	for (size_t i = 0; i < functions->size && !result; i++)
		if (!functions->items[i].refused)
			result = function_exits_check_entry(object, &functions->items[i]);
	return result;
}

static int find(const struct object *object, const char *pattern, enum functions_detail detail,
		const struct function_symbols *symbols, struct functions *functions)
{
	struct bodies bodies = {0};
	int result = match_all(symbols, object, pattern, &bodies);

	if (bodies.size)
		qsort(bodies.items, bodies.size, sizeof(*bodies.items), by_name);
	if (!result)
		result = group(&bodies, functions);
	bodies_done(&bodies);
	if (!result && functions_are_go(object))
		result = refuse_go(functions);
	if (!result)
		result = functions->are_left_by_exits ? find_exits(object, symbols, functions)
						      : check_entries(object, functions);
	if (!result && detail == FUNCTIONS_TO_LIST && symbols->module)
		result = function_inlines_find(symbols->module, pattern, functions);
	if (!result && functions->size)
		qsort(functions->items, functions->size, sizeof(*functions->items), by_address);
	return result;
}

int functions_find(const struct object *object, const char *pattern, enum functions_detail detail,
		   bool may_unwind, struct functions *out, struct probekit_error *err)
{
	struct functions functions = {0};
	struct function_symbols symbols;
	int result;

	if (!*pattern)
		return error_usage(err, "an empty pattern names no function");
	/* Without memory libelf and libdw find less, and nothing but errno tells. */
	errno = 0;
	result = function_symbols_load(object, &symbols, err);
	if (result)
		return result;
	functions.are_left_by_exits = may_unwind || functions_may_unwind(object);
	if (errno != ENOMEM)
		result = find(object, pattern, detail, &symbols, &functions);
	if (errno == ENOMEM)
		result = -ENOMEM;
	function_symbols_done(&symbols);
	if (result) {
		functions_done(&functions);
		return error_no_memory(err);
	}
	*out = functions;
	return 0;
}

void functions_done(struct functions *functions)
{
	for (size_t i = 0; i < functions->size; i++) {
		struct function *function = &functions->items[i];

		for (size_t k = 0; k < function->entry_count; k++)
			free(function->entries[k].exits);
		free(function->entries);
		free(function->first_inlined);
		free(function->refused);
		free(function->name);
	}
	free(functions->items);
	*functions = (struct functions){0};
}
