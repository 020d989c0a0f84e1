/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what is said to a pattern that names no function. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "function_names.h"
#include "function_symbols.h"
#include "functions.h"

#define NEAR_MAX 5
#define STEM_MAX 64
#define NAME_MAX_SHOWN 96

struct near {
	char name[NAME_MAX_SHOWN];
	unsigned int distance;
};

struct search {
	char stem[STEM_MAX + 1];     /* the pattern's plain characters */
	struct near found[NEAR_MAX]; /* nearest first */
	size_t size;
};

static void read_stem(struct search *search, const char *pattern)
{
	size_t length = 0;

	for (; *pattern && length < STEM_MAX; pattern++)
		if (!strchr("*?[]\\", *pattern))
			search->stem[length++] = *pattern;
	search->stem[length] = '\0';
}

/* How many characters have to be put in, taken out or exchanged. */
static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int row[STEM_MAX + 1];
	size_t width = strlen(b);

	for (unsigned int i = 0; i <= width; i++)
		row[i] = i;
	for (unsigned int y = 1; *a; a++, y++) {
		unsigned int diagonal = row[0];

		row[0] = y;
		for (size_t x = 1; x <= width; x++) {
			unsigned int above = row[x];
			unsigned int best = diagonal + (*a != b[x - 1]);

			best = above + 1 < best ? above + 1 : best;
			best = row[x - 1] + 1 < best ? row[x - 1] + 1 : best;
			diagonal = above;
			row[x] = best;
		}
	}
	return row[width];
}

/* False: it is not near. */
static bool is_near(const struct search *search, const char *name, unsigned int *distance)
{
	size_t stem = strlen(search->stem);
	size_t length = strlen(name);
	const char *last = strrchr(name, ':');

	if (!stem)
		return false;
	*distance = (unsigned int)(length - stem);
	if (strcasestr(name, search->stem))
		return true;
	name = last ? last + 1 : name;
	if (strlen(name) > stem + stem / 3)
		return false;
	*distance = edit_distance(name, search->stem);
	return *distance <= stem / 3;
}

static void offer(struct search *search, const char *name)
{
	struct near near;
	size_t at = search->size;

	if (strlen(name) >= sizeof(near.name) || !is_near(search, name, &near.distance))
		return;
	strcpy(near.name, name);
	for (size_t i = 0; i < search->size; i++)
		if (strcmp(search->found[i].name, name) == 0)
			return;
	while (at && search->found[at - 1].distance > near.distance)
		at--;
	if (at == NEAR_MAX)
		return;
	if (search->size < NEAR_MAX)
		search->size++;
	memmove(&search->found[at + 1], &search->found[at], (search->size - 1 - at) * sizeof(near));
	search->found[at] = near;
}

static void offer_all(struct search *search, const struct function_symbols *symbols)
{
	for (size_t i = 0; i < symbols->size; i++) {
		const char *symbol = symbols->items[i].name;
		enum function_piece piece;
		size_t length = function_name_base(symbol, &piece);
		char name[DEMANGLED_BYTES_MAX];
		char base[DEMANGLED_BYTES_MAX];

		if (length >= sizeof(base))
			continue;
		memcpy(base, symbol, length);
		base[length] = '\0';
		demangle(base, name, sizeof(name));
		offer(search, name);
	}
}

static void add_text(char *text, size_t size_bytes, const char *more)
{
	size_t used = strlen(text);

	snprintf(text + used, size_bytes - used, "%s", more);
}

static void say_near(const struct search *search, char *text, size_t size_bytes)
{
	for (size_t i = 0; i < search->size; i++) {
		add_text(text, size_bytes, i ? ", " : "near it are: ");
		add_text(text, size_bytes, search->found[i].name);
	}
}

/* Is it known which functions there are, or only which are exported? */
static bool is_stripped(const struct object *object, const struct function_symbols *symbols)
{
	size_t size_bytes;

	return !elf_file_section(object->elf, ".symtab", &size_bytes, NULL) &&
	       (!symbols->module || !symbols->module->debug_files);
}

static bool say_inlined(const struct object *object, const char *pattern, char *text,
			size_t size_bytes)
{
	struct functions functions;
	bool is_found;

	if (functions_find(object, pattern, FUNCTIONS_TO_LIST, false, &functions, NULL))
		return false;
	is_found = functions.size && functions.items[0].refused;
	if (is_found)
		snprintf(text, size_bytes, "'%s' is %s", functions.items[0].name,
			 functions.items[0].refused);
	functions_done(&functions);
	return is_found;
}

void functions_suggest(const struct object *object, const char *pattern, char *text,
		       size_t size_bytes)
{
	struct function_symbols symbols;
	struct search search = {0};

	text[0] = '\0';
	if (functions_are_go(object)) {
		snprintf(text, size_bytes,
			 "it is a Go program, of which no function can be probed");
		return;
	}
	if (say_inlined(object, pattern, text, size_bytes) ||
	    function_symbols_load(object, &symbols, NULL))
		return;
	read_stem(&search, pattern);
	offer_all(&search, &symbols);
	say_near(&search, text, size_bytes);
	if (is_stripped(object, &symbols))
		add_text(
			text, size_bytes,
			search.size ? "; it is stripped: its debug symbols tell of more"
			: symbols.size
				? "it is stripped: install its debug symbols, or name what it exports"
				: "it is stripped: install its debug symbols");
	function_symbols_done(&symbols);
}
