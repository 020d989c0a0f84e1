/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns counting inlined calls. Debug information is untrusted: depth and steps are bounded. */
#include "function_inlines.h"

#include <dwarf.h>
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dwarf_scopes.h"
#include "function_names.h"
#include "module_symbols.h"

#define DEPTH_MAX 128
#define ORIGINS_MAX (1u << 22)

/* A function that is inlined somewhere. */
struct origin {
	Dwarf_Die function; /* .addr: NULL where the slot is free */
	Dwarf_Die site;	    /* the first */
	Dwarf_Die caller;   /* of the first */
	uint32_t count;
};

/* A hash table by the address of the function's DIE. */
struct origins {
	struct origin *slots;
	size_t capacity; /* a power of two */
	size_t size;
	const void *furthest; /* in the unit being read: where the last DIE stands */
};

/* ---- collecting ---- */

static struct origin *slot_of(const struct origins *origins, const void *addr)
{
	size_t at = (size_t)((uintptr_t)addr * 0x9e3779b97f4a7c15u >> 20);

	while (origins->slots[at & (origins->capacity - 1)].function.addr &&
	       origins->slots[at & (origins->capacity - 1)].function.addr != addr)
		at++;
	return &origins->slots[at & (origins->capacity - 1)];
}

static int grow(struct origins *origins)
{
	struct origins larger = {
		.capacity = origins->capacity ? origins->capacity * 2 : 1024,
		.size = origins->size,
	};

	if (larger.capacity > ORIGINS_MAX)
		return -ENOMEM;
	larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < origins->capacity; i++)
		if (origins->slots[i].function.addr)
			*slot_of(&larger, origins->slots[i].function.addr) = origins->slots[i];
	free(origins->slots);
	*origins = larger;
	return 0;
}

static int add_site(struct origins *origins, Dwarf_Die *site, const Dwarf_Die *caller)
{
	struct origin *origin;
	Dwarf_Attribute attribute;
	Dwarf_Die function;

	if (!dwarf_attr(site, DW_AT_abstract_origin, &attribute) ||
	    !dwarf_formref_die(&attribute, &function))
		return 0;
	if (2 * origins->size >= origins->capacity && grow(origins))
		return -ENOMEM;
	origin = slot_of(origins, function.addr);
	if (!origin->function.addr) {
		*origin = (struct origin){.function = function, .site = *site, .caller = *caller};
		origins->size++;
	}
	origin->count += origin->count < UINT32_MAX - 1;
	return 0;
}

static bool may_hold_code(Dwarf_Die *die)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_subprogram:
	case DW_TAG_inlined_subroutine:
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		return true;
	default:
		return false;
	}
}

static int collect_below(struct origins *origins, Dwarf_Die *parent, const Dwarf_Die *caller,
			 unsigned int depth)
{
	Dwarf_Die die;
	int result = 0;

	if (depth > DEPTH_MAX || dwarf_child(parent, &die))
		return 0;
	/* One that does not stand behind all before it would be met for ever, or exponentially often. */
	while (!result && die.addr > origins->furthest) {
		int tag = dwarf_tag(&die);

		origins->furthest = die.addr;
		if (tag == DW_TAG_inlined_subroutine)
			result = add_site(origins, &die, caller);
		if (!result && may_hold_code(&die))
			result = collect_below(origins, &die,
					       tag == DW_TAG_subprogram ||
							       tag == DW_TAG_inlined_subroutine
						       ? &die
						       : caller,
					       depth + 1);
		if (!result && dwarf_siblingof(&die, &die))
			break;
	}
	return result;
}

static int by_site(const void *left, const void *right)
{
	Dwarf_Off a = dwarf_dieoffset((Dwarf_Die *)&((const struct origin *)left)->site);
	Dwarf_Off b = dwarf_dieoffset((Dwarf_Die *)&((const struct origin *)right)->site);

	return a < b ? -1 : a > b;
}

/* The table becomes an array, in the order in which the information has them. */
static void order(struct origins *origins)
{
	size_t kept = 0;

	for (size_t i = 0; i < origins->capacity; i++)
		if (origins->slots[i].function.addr)
			origins->slots[kept++] = origins->slots[i];
	if (kept)
		qsort(origins->slots, kept, sizeof(*origins->slots), by_site);
}

static int collect(Dwarf *dwarf, struct origins *origins)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;
	int result = grow(origins);

	while (!result && dwarf_get_units(dwarf, unit, &unit, NULL, NULL, &die, NULL) == 0) {
		origins->furthest = die.addr;
		result = collect_below(origins, &die, &die, 0);
	}
	if (!result)
		order(origins);
	return result;
}

/* ---- naming ---- */

struct naming {
	const char *pattern;
	struct functions *functions;
	size_t known; /* have been sorted; what was added stands behind them */
	void *added;  /* a tree of struct added */
	uint64_t steps_left;
};

struct added {
	const char *name; /* the function's */
	size_t index;
};

static char *describe_first(const struct origin *origin, uint64_t *steps_left)
{
	char caller[DEMANGLED_BYTES_MAX] = "?";
	char buffer[DEMANGLED_BYTES_MAX];
	Dwarf_Die function = origin->caller;
	Dwarf_Die site = origin->site;
	const char *name = dwarf_function_name(&function, buffer, sizeof(buffer), steps_left);
	const char *file;
	unsigned int line;
	Dwarf_Die unit;
	char *text;

	if (name)
		demangle(name, caller, sizeof(caller));
	if (!dwarf_diecu(&site, &unit, NULL, NULL) || !dwarf_call_site(&unit, &site, &file, &line))
		return strdup(caller);
	if (strrchr(file, '/'))
		file = strrchr(file, '/') + 1;
	return asprintf(&text, "%s at %s:%u", caller, file, line) < 0 ? NULL : text;
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct function *)left)->name,
		      ((const struct function *)right)->name);
}

static int by_added_name(const void *left, const void *right)
{
	return strcmp(((const struct added *)left)->name, ((const struct added *)right)->name);
}

static struct function *find(const struct naming *naming, char *name)
{
	struct function *items = naming->functions->items;
	struct function key = {.name = name};
	struct function *found =
		naming->known ? bsearch(&key, items, naming->known, sizeof(key), by_name) : NULL;
	struct added **added =
		found ? NULL : tfind(&(struct added){.name = name}, &naming->added, by_added_name);

	return added ? &items[(*added)->index] : found;
}

static struct function *add(struct naming *naming, const char *name)
{
	struct functions *functions = naming->functions;
	struct function *grown =
		reallocarray(functions->items, functions->size + 1, sizeof(*grown));
	struct added *added = malloc(sizeof(*added));
	struct function *function;

	functions->items = grown ? grown : functions->items;
	if (!grown || !added) {
		free(added);
		return NULL;
	}
	function = &grown[functions->size];
	*function = (struct function){.name = strdup(name)};
	*added = (struct added){function->name, functions->size};
	if (!function->name || !tsearch(added, &naming->added, by_added_name)) {
		free(function->name);
		free(added);
		return NULL;
	}
	functions->size++;
	return function;
}

static int apply(const struct origin *origin, struct naming *naming)
{
	char buffer[DEMANGLED_BYTES_MAX];
	char display[DEMANGLED_BYTES_MAX];
	Dwarf_Die die = origin->function;
	const char *name = dwarf_function_name(&die, buffer, sizeof(buffer), &naming->steps_left);
	struct function *function;

	if (!name || !function_name_matches(name, naming->pattern))
		return 0;
	function_name_display(name, display);
	if (!display[0])
		return 0;
	function = find(naming, display);
	if (!function)
		function = add(naming, display);
	if (!function)
		return -ENOMEM;
	function->inlined += origin->count < UINT32_MAX - 1 - function->inlined ? origin->count : 0;
	if (!function->first_inlined) {
		function->first_inlined = describe_first(origin, &naming->steps_left);
		if (!function->first_inlined)
			return -ENOMEM;
	}
	return 0;
}

/* Those without code of their own. */
static int refuse(struct functions *functions, size_t known)
{
	for (size_t i = known; i < functions->size; i++) {
		struct function *function = &functions->items[i];

		if (asprintf(&function->refused, "inlined everywhere (%u %s; first %s)",
			     function->inlined, function->inlined == 1 ? "place" : "places",
			     function->first_inlined) < 0) {
			function->refused = NULL;
			return -ENOMEM;
		}
	}
	return 0;
}

int function_inlines_find(struct module *module, const char *pattern, struct functions *functions)
{
	Dwarf *dwarf = module_dwarf(module);
	struct origins origins = {0};
	struct naming naming = {
		.pattern = pattern,
		.functions = functions,
		.known = functions->size,
		.steps_left = DWARF_STEPS_MAX,
	};
	int result;

	if (!dwarf)
		return 0;
	result = collect(dwarf, &origins);
	if (naming.known)
		qsort(functions->items, naming.known, sizeof(*functions->items), by_name);
	for (size_t i = 0; i < naming.known; i++)
		functions->items[i].inlined = 0;
	for (size_t i = 0; i < origins.size && !result; i++)
		result = apply(&origins.slots[i], &naming);
	if (!result)
		result = refuse(functions, naming.known);
	tdestroy(naming.added, free);
	free(origins.slots);
	return result;
}
