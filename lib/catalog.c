/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the list of what could be measured: spans, pairs and singles of other USDT probes, and,
 * where asked for, functions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"
#include "object.h"
#include "plan.h"
#include "process.h"
#include "wire.h"

struct probekit_catalog {
	struct objects objects;
	struct probekit_catalog_entry *entries;
	size_t size;
	size_t bad_notes;
};

static const enum probekit_catalog_kind kinds[] = {
	[WIRE_EVENT] = PROBEKIT_CATALOG_EVENT,	      [WIRE_SPAN_BEGIN] = PROBEKIT_CATALOG_SPAN,
	[WIRE_SPAN_END] = PROBEKIT_CATALOG_SPAN,      [WIRE_EXPLICIT_BEGIN] = PROBEKIT_CATALOG_SPAN,
	[WIRE_EXPLICIT_END] = PROBEKIT_CATALOG_SPAN,  [WIRE_ASYNC_BEGIN] = PROBEKIT_CATALOG_ASYNC,
	[WIRE_ASYNC_END] = PROBEKIT_CATALOG_ASYNC,    [WIRE_VALUE] = PROBEKIT_CATALOG_VALUE,
	[WIRE_LOCK_WAIT] = PROBEKIT_CATALOG_LOCK,     [WIRE_LOCK_ACQUIRED] = PROBEKIT_CATALOG_LOCK,
	[WIRE_LOCK_RELEASED] = PROBEKIT_CATALOG_LOCK,
};

static bool is_end_role(enum wire_role role)
{
	return role == WIRE_SPAN_END || role == WIRE_EXPLICIT_END || role == WIRE_ASYNC_END ||
	       role == WIRE_LOCK_RELEASED || role == WIRE_LOCK_ACQUIRED;
}

/* The entry of this name, kind and object, made when there is none. Takes `name` over. */
static struct probekit_catalog_entry *entry_of(struct probekit_catalog *catalog, char *name,
					       enum probekit_catalog_kind kind,
					       const struct object *object)
{
	struct probekit_catalog_entry *entries;

	for (size_t i = 0; name && i < catalog->size; i++) {
		struct probekit_catalog_entry *entry = &catalog->entries[i];

		if (entry->kind == kind && entry->object == object->path &&
		    !strcmp(entry->name, name)) {
			free(name);
			return entry;
		}
	}
	entries = name ? reallocarray(catalog->entries, catalog->size + 1, sizeof(*entries)) : NULL;
	if (!entries) {
		free(name);
		return NULL;
	}
	catalog->entries = entries;
	entries[catalog->size] = (struct probekit_catalog_entry){
		.name = name,
		.kind = kind,
		.object = object->path,
		.arguments = "",
		.is_fast = true,
	};
	return &entries[catalog->size++];
}

static void count_site(struct probekit_catalog_entry *entry, const struct sdt_site *site,
		       enum wire_role role)
{
	if (is_end_role(role)) {
		entry->end_sites++;
	} else {
		if (entry->sites++ == 0)
			entry->arguments = site->arguments;
		entry->has_key |= role == WIRE_SPAN_BEGIN && site->arg_count > 0;
	}
	entry->has_semaphore |= site->semaphore_offset != 0;
	entry->is_fast &= site->form != SDT_FORM_FOREIGN;
}

static int add_sites(struct probekit_catalog *catalog, const struct object *object)
{
	for (size_t i = 0; i < object->sites.size; i++) {
		const struct sdt_site *site = &object->sites.sites[i];
		struct probekit_catalog_entry *entry;
		size_t length;
		enum wire_role role = wire_role(site, &length);
		char *name;

		if (asprintf(&name, "%s:%.*s", site->provider, (int)length, site->name) < 0)
			return -ENOMEM;
		entry = entry_of(catalog, name, kinds[role], object);
		if (!entry)
			return -ENOMEM;
		count_site(entry, site, role);
	}
	catalog->bad_notes += object->sites.bad_notes + object->sites.bad_arguments;
	return 0;
}

/* ---- pairs ---- */

static const char *probe_name(const struct probekit_catalog_entry *entry)
{
	return strchr(entry->name, ':') + 1;
}

static bool is_pair(const struct probekit_catalog_entry *a, const struct probekit_catalog_entry *b)
{
	size_t provider = (size_t)(probe_name(a) - a->name);

	return a->kind == PROBEKIT_CATALOG_EVENT && b->kind == PROBEKIT_CATALOG_EVENT &&
	       a->object == b->object && strncmp(a->name, b->name, provider) == 0 &&
	       wire_is_pair(probe_name(a), probe_name(b));
}

/* Joins all ends that pair with entry `begin` to "provider:begin,end|end". */
static int add_pair(struct probekit_catalog *catalog, size_t begin, size_t singles)
{
	struct probekit_catalog_entry pair = catalog->entries[begin];
	struct probekit_catalog_entry *entries;
	char *name = strdup(pair.name);
	char separator = ',';

	pair.end_sites = 0;
	for (size_t i = 0; name && i < singles; i++) {
		const struct probekit_catalog_entry *end = &catalog->entries[i];
		char *longer = NULL;

		if (!is_pair(&catalog->entries[begin], end))
			continue;
		if (asprintf(&longer, "%s%c%s", name, separator, probe_name(end)) < 0)
			longer = NULL;
		free(name);
		name = longer;
		separator = '|';
		pair.end_sites += end->sites;
		pair.has_semaphore |= end->has_semaphore;
		pair.is_fast &= end->is_fast;
	}
	if (!name)
		return -ENOMEM;
	if (separator == ',') {
		free(name);
		return 0;
	}
	entries = reallocarray(catalog->entries, catalog->size + 1, sizeof(*entries));
	if (!entries) {
		free(name);
		return -ENOMEM;
	}
	catalog->entries = entries;
	pair.name = name;
	pair.kind = PROBEKIT_CATALOG_PAIR;
	entries[catalog->size++] = pair;
	return 0;
}

static int by_kind(const void *a, const void *b)
{
	const struct probekit_catalog_entry *x = a;
	const struct probekit_catalog_entry *y = b;

	int order;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->object, y->object);
}

static int fill(struct probekit_catalog *catalog)
{
	size_t singles;
	int result = 0;

	for (size_t i = 0; i < catalog->objects.size && !result; i++)
		result = add_sites(catalog, catalog->objects.items[i]);
	singles = catalog->size;
	for (size_t i = 0; i < singles && !result; i++)
		if (catalog->entries[i].kind == PROBEKIT_CATALOG_EVENT)
			result = add_pair(catalog, i, singles);
	if (!result && catalog->size)
		qsort(catalog->entries, catalog->size, sizeof(*catalog->entries), by_kind);
	return result;
}

static int finish(struct probekit_catalog *catalog, int result, struct probekit_catalog **out,
		  struct probekit_error *err)
{
	if (!result && fill(catalog))
		result = error_no_memory(err);
	if (result) {
		probekit_catalog_free(catalog);
		return result;
	}
	*out = catalog;
	return 0;
}

int probekit_catalog_open_path(const char *path, struct probekit_catalog **out,
			       struct probekit_error *err)
{
	struct probekit_catalog *catalog = calloc(1, sizeof(*catalog));
	struct object *object;
	int result = catalog ? object_open(path, -1, &object, err) : error_no_memory(err);

	if (!result && objects_add(&catalog->objects, object) < 0)
		result = error_no_memory(err);
	return finish(catalog, result, out, err);
}

int probekit_catalog_open_pid(pid_t pid, struct probekit_catalog **out, struct probekit_error *err)
{
	struct probekit_catalog *catalog = calloc(1, sizeof(*catalog));
	size_t skipped;
	int result = catalog ? process_check_proc(err) : error_no_memory(err);

	if (!result)
		result = process_objects(pid, &catalog->objects, &skipped, err);
	return finish(catalog, result, out, err);
}

int probekit_catalog_require(const struct probekit_catalog *catalog, struct probekit_error *err)
{
	struct plan plan;

	if (catalog->size)
		return 0;
	plan_init(&plan);
	return plan_require(&plan, &catalog->objects, &(struct selection){0}, err);
}

/* ---- functions ---- */

const char *probekit_cost_name(enum probekit_cost cost)
{
	static const char *const names[] = {
		[PROBEKIT_COST_OPTIMISED] = "optimised",
		[PROBEKIT_COST_EMULATED] = "emulated",
		[PROBEKIT_COST_STEPPED] = "stepped",
	};

	return (size_t)cost < sizeof(names) / sizeof(names[0]) ? names[cost] : NULL;
}

static void free_entry(const struct probekit_catalog_entry *entry)
{
	free((char *)entry->name);
	free((char *)entry->first_inlined);
	free((char *)entry->refused);
}

/* Takes the texts of `function` over. */
static struct probekit_catalog_entry entry_of_function(struct function *function, bool by_exits,
						       const struct object *object)
{
	struct probekit_catalog_entry entry = {
		.name = function->name,
		.kind = PROBEKIT_CATALOG_FUNCTION,
		.object = object->path,
		.arguments = "",
		.sites = (unsigned int)function->entry_count,
		.size_bytes = function->size_bytes,
		.inlined = function->inlined,
		.first_inlined = function->first_inlined,
		.by_exits = by_exits,
		.refused = function->refused,
	};

	for (size_t i = 0; i < function->entry_count; i++) {
		if (function->entries[i].cost > entry.cost)
			entry.cost = function->entries[i].cost;
		entry.end_sites += (unsigned int)function->entries[i].exit_count;
	}
	function->name = NULL;
	function->first_inlined = NULL;
	function->refused = NULL;
	return entry;
}

static int add_matches(struct probekit_catalog *catalog, const struct object *object,
		       const char *glob, bool may_unwind, struct probekit_error *err)
{
	struct probekit_catalog_entry *entries;
	struct functions functions;
	int result = functions_find(object, glob, FUNCTIONS_TO_LIST, may_unwind, &functions, err);

	if (result)
		return result;
	entries = reallocarray(catalog->entries, catalog->size + functions.size + 1,
			       sizeof(*entries));
	if (!entries) {
		functions_done(&functions);
		return error_no_memory(err);
	}
	catalog->entries = entries;
	for (size_t i = 0; i < functions.size; i++)
		entries[catalog->size++] =
			entry_of_function(&functions.items[i], functions.are_left_by_exits, object);
	functions_done(&functions);
	return 0;
}

/* A function may match several patterns. */
static void drop_repeated(struct probekit_catalog *catalog)
{
	size_t kept = 0;

	if (catalog->size)
		qsort(catalog->entries, catalog->size, sizeof(*catalog->entries), by_kind);
	for (size_t i = 0; i < catalog->size; i++) {
		const struct probekit_catalog_entry *last =
			kept ? &catalog->entries[kept - 1] : NULL;

		if (last && last->kind == PROBEKIT_CATALOG_FUNCTION &&
		    by_kind(last, &catalog->entries[i]) == 0)
			free_entry(&catalog->entries[i]);
		else
			catalog->entries[kept++] = catalog->entries[i];
	}
	catalog->size = kept;
}

static int no_function(const struct object *object, const char *glob, struct probekit_error *err)
{
	char near[512];

	error_failed(err, -ENOENT, "no function of '%s' matches '%s'", object->path, glob);
	functions_suggest(object, glob, near, sizeof(near));
	return near[0] ? error_hint(err, -ENOENT, "%s", near) : -ENOENT;
}

int probekit_catalog_add_functions(struct probekit_catalog *catalog, const char *pattern,
				   struct probekit_error *err)
{
	const struct object *first = NULL;
	size_t before = catalog->size;
	bool unwinds = false;
	char library[256];
	const char *glob;
	int result = functions_split(pattern, library, sizeof(library), &glob);

	if (result)
		return error_usage(err, "the library's name in '%s' is too long", pattern);
	unwinds = library[0] && functions_are_unwound(&catalog->objects);
	for (size_t i = 0; i < catalog->objects.size && !result; i++) {
		const struct object *object = catalog->objects.items[i];

		if (library[0] ? !functions_is_library(library, object->path) : i > 0)
			continue;
		first = first ? first : object;
		result = add_matches(catalog, object, glob, unwinds, err);
	}
	if (!result && !first)
		return plan_no_library(&catalog->objects, library, err);
	if (!result && catalog->size == before)
		return no_function(first, glob, err);
	drop_repeated(catalog);
	return result;
}

void probekit_catalog_free(struct probekit_catalog *catalog)
{
	if (!catalog)
		return;
	for (size_t i = 0; i < catalog->size; i++)
		free_entry(&catalog->entries[i]);
	free(catalog->entries);
	objects_done(&catalog->objects);
	free(catalog);
}

size_t probekit_catalog_size(const struct probekit_catalog *catalog)
{
	return catalog->size;
}

const struct probekit_catalog_entry *probekit_catalog_entry(const struct probekit_catalog *catalog,
							    size_t i)
{
	return i < catalog->size ? &catalog->entries[i] : NULL;
}

size_t probekit_catalog_bad_notes(const struct probekit_catalog *catalog)
{
	return catalog->bad_notes;
}
