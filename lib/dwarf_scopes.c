/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns walking DWARF's trees. They are untrusted: depth and steps are bounded, and a sibling must
 * stand behind its brother. */
#include "dwarf_scopes.h"

#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 200
#define STEPS_MAX 4000000u /* for one address */
#define RANGES_MAX 8000000u

struct unit_range {
	Dwarf_Addr start;
	Dwarf_Addr end;
	Dwarf_Off unit;
};

struct dwarf_units {
	Dwarf *dwarf;
	struct unit_range *ranges; /* by start */
	size_t size;
	size_t capacity;
};

/* ---- units ---- */

static int add_range(struct dwarf_units *units, struct unit_range range)
{
	if (units->size == units->capacity) {
		size_t wanted = units->capacity ? units->capacity * 2 : 256;
		struct unit_range *grown =
			wanted > RANGES_MAX ? NULL
					    : reallocarray(units->ranges, wanted, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		units->ranges = grown;
		units->capacity = wanted;
	}
	units->ranges[units->size++] = range;
	return 0;
}

static int add_unit(struct dwarf_units *units, Dwarf_Die *die)
{
	Dwarf_Addr base;
	Dwarf_Addr start;
	Dwarf_Addr end;
	ptrdiff_t at = 0;

	/* Code that the linker dropped keeps its ranges, at 0 or 1: no code is there. */
	while ((at = dwarf_ranges(die, at, &base, &start, &end)) > 0)
		if (start > 1 && start < end &&
		    add_range(units, (struct unit_range){start, end, dwarf_dieoffset(die)}))
			return -ENOMEM;
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct unit_range *a = left;
	const struct unit_range *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

int dwarf_units_new(Dwarf *dwarf, struct dwarf_units **out)
{
	struct dwarf_units *units = calloc(1, sizeof(*units));
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t type;

	if (!units)
		return -ENOMEM;
	units->dwarf = dwarf;
	while (dwarf_get_units(dwarf, cu, &cu, NULL, &type, &die, NULL) == 0) {
		if ((type == DW_UT_compile || type == DW_UT_skeleton) && add_unit(units, &die)) {
			dwarf_units_free(units);
			return -ENOMEM;
		}
	}
	if (units->size)
		qsort(units->ranges, units->size, sizeof(*units->ranges), compare);
	*out = units;
	return 0;
}

void dwarf_units_free(struct dwarf_units *units)
{
	if (!units)
		return;
	free(units->ranges);
	free(units);
}

bool dwarf_units_find(const struct dwarf_units *units, Dwarf_Addr address, Dwarf_Die *unit)
{
	size_t low = 0;
	size_t high = units->size;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (units->ranges[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low && address < units->ranges[low - 1].end &&
	       dwarf_offdie(units->dwarf, units->ranges[low - 1].unit, unit);
}

/* ---- scopes ---- */

struct walk {
	Dwarf_Addr address;
	Dwarf_Die *scopes;
	size_t size;
	unsigned int steps;
	uint64_t *steps_left;
};

static bool has_step(uint64_t *steps_left)
{
	return *steps_left && --*steps_left;
}

enum scope_kind { SCOPE_NONE, SCOPE_FUNCTION, SCOPE_BLOCK, SCOPE_NAMES };

static enum scope_kind scope_kind(Dwarf_Die *die)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_subprogram:
	case DW_TAG_inlined_subroutine:
		return SCOPE_FUNCTION;
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_with_stmt:
		return SCOPE_BLOCK;
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
		return SCOPE_NAMES;
	default:
		return SCOPE_NONE;
	}
}

/* True when the address was found below `parent`, or the walk has taken too long. */
static bool descend(Dwarf_Die *parent, struct walk *walk, unsigned int depth)
{
	Dwarf_Die die;
	Dwarf_Off at;

	if (depth == DEPTH_MAX || dwarf_child(parent, &die) != 0)
		return false;
	do {
		enum scope_kind kind = scope_kind(&die);

		if (++walk->steps > STEPS_MAX || !has_step(walk->steps_left))
			return true;
		at = dwarf_dieoffset(&die);
		if (kind == SCOPE_NAMES && descend(&die, walk, depth + 1))
			return true;
		if ((kind != SCOPE_FUNCTION && kind != SCOPE_BLOCK) ||
		    dwarf_haspc(&die, walk->address) != 1)
			continue;
		if (kind == SCOPE_FUNCTION && walk->size < DWARF_SCOPES_MAX)
			walk->scopes[walk->size++] = die;
		descend(&die, walk, depth + 1);
		return true;
	} while (dwarf_siblingof(&die, &die) == 0 && dwarf_dieoffset(&die) > at);
	return false;
}

size_t dwarf_scopes(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die scopes[DWARF_SCOPES_MAX],
		    uint64_t *steps_left)
{
	struct walk walk = {.address = address, .scopes = scopes, .steps_left = steps_left};

	descend(unit, &walk, 0);
	return walk.size;
}

/* ---- names ---- */

/* C's linkage names (__GI_qsort) are no better than its names. */
static const char *mangled_name(Dwarf_Die *function)
{
	static const unsigned int attributes[] = {DW_AT_linkage_name, DW_AT_MIPS_linkage_name};

	for (size_t i = 0; i < 2; i++) {
		Dwarf_Attribute attribute;
		const char *name =
			dwarf_formstring(dwarf_attr_integrate(function, attributes[i], &attribute));

		if (name && name[0] == '_' && (name[1] == 'Z' || name[1] == 'R'))
			return name;
	}
	return NULL;
}

/* Where the function was declared: in its class, in its namespace. */
static Dwarf_Die declaration(const Dwarf_Die *function)
{
	static const unsigned int attributes[] = {DW_AT_abstract_origin, DW_AT_specification};
	Dwarf_Die die = *function;

	for (size_t i = 0; i < 2; i++) {
		Dwarf_Attribute attribute;
		Dwarf_Die origin;

		if (dwarf_formref_die(dwarf_attr(&die, attributes[i], &attribute), &origin))
			die = origin;
	}
	return die;
}

static bool append(char *text, size_t size, size_t *used, const char *piece, const char *separator)
{
	int length = snprintf(text + *used, size - *used, "%s%s", piece, separator);

	if (length < 0 || (size_t)length >= size - *used)
		return false;
	*used += (size_t)length;
	return true;
}

/* The child of `parent` that `wanted` lies in: the last that begins no later. */
static bool child_around(Dwarf_Die *parent, Dwarf_Off wanted, Dwarf_Die *child,
			 uint64_t *steps_left)
{
	Dwarf_Die next;

	if (dwarf_child(parent, &next) != 0 || dwarf_dieoffset(&next) > wanted)
		return false;
	do {
		*child = next;
	} while (has_step(steps_left) && dwarf_siblingof(child, &next) == 0 &&
		 dwarf_dieoffset(&next) > dwarf_dieoffset(child) &&
		 dwarf_dieoffset(&next) <= wanted);
	return true;
}

/* What a scope without a name is called that has a function of this name in it. */
static const char *nameless(Dwarf_Die *scope, const char *function)
{
	if (dwarf_tag(scope) == DW_TAG_namespace)
		return "(anonymous namespace)";
	return strcmp(function, "operator()") == 0 ? "{lambda}" : "(anonymous class)";
}

/* C has no scopes with names. */
static bool is_c(Dwarf_Die *unit)
{
	switch (dwarf_srclang(unit)) {
	case DW_LANG_C89:
	case DW_LANG_C:
	case DW_LANG_C99:
	case DW_LANG_C11:
		return true;
	default:
		return false;
	}
}

const char *dwarf_function_name(Dwarf_Die *function, char *text, size_t size, uint64_t *steps_left)
{
	const char *name = mangled_name(function);
	Dwarf_Die target;
	Dwarf_Die parent;
	Dwarf_Die child;
	size_t used = 0;

	if (name)
		return name;
	name = dwarf_diename(function);
	target = declaration(function);
	if (!name || !dwarf_diecu(&target, &parent, NULL, NULL) || is_c(&parent))
		return name;
	for (unsigned int depth = 0; depth < DEPTH_MAX; depth++) {
		const char *scope;

		if (!child_around(&parent, dwarf_dieoffset(&target), &child, steps_left) ||
		    dwarf_dieoffset(&child) == dwarf_dieoffset(&target))
			break;
		scope = dwarf_diename(&child);
		if (!scope)
			scope = nameless(&child, name);
		if (scope_kind(&child) == SCOPE_NAMES && !append(text, size, &used, scope, "::"))
			return name;
		parent = child;
	}
	return *steps_left && append(text, size, &used, name, "") ? text : name;
}

static bool unsigned_attribute(Dwarf_Die *die, unsigned int which, Dwarf_Word *value)
{
	Dwarf_Attribute attribute;

	return dwarf_formudata(dwarf_attr(die, which, &attribute), value) == 0;
}

bool dwarf_call_site(Dwarf_Die *unit, Dwarf_Die *inlined, const char **file, unsigned int *line)
{
	Dwarf_Files *files;
	Dwarf_Word file_index;
	Dwarf_Word line_number;
	size_t count;

	if (!unsigned_attribute(inlined, DW_AT_call_file, &file_index) ||
	    !unsigned_attribute(inlined, DW_AT_call_line, &line_number) ||
	    dwarf_getsrcfiles(unit, &files, &count) || file_index >= count)
		return false;
	*file = dwarf_filesrc(files, file_index, NULL, NULL);
	*line = (unsigned int)line_number;
	return *file;
}
