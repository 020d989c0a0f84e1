/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the list of what could be measured: spans, and pairs and singles of other USDT probes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->name, y->name);
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
	if (!result && catalog->size == 0) {
		struct plan plan;

		plan_init(&plan);
		result = plan_require(&plan, &catalog->objects, &(struct selection){0}, err);
	}
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
	int result = catalog ? process_objects(pid, &catalog->objects, &skipped, err)
			     : error_no_memory(err);

	return finish(catalog, result, out, err);
}

void probekit_catalog_free(struct probekit_catalog *catalog)
{
	if (!catalog)
		return;
	for (size_t i = 0; i < catalog->size; i++)
		free((char *)catalog->entries[i].name);
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
