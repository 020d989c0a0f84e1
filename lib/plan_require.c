/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what is said when the selection names nothing that is there. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "functions.h"
#include "plan.h"
#include "wire.h"

struct text {
	char *at;
	size_t left;
	int items;
};

static bool text_add(struct text *text, const char *provider, const char *name, size_t length)
{
	int n;

	if (text->items == 8)
		return false;
	n = snprintf(text->at, text->left, "%s%s%s%.*s", text->items ? ", " : "", provider,
		     *provider ? ":" : "", (int)length, name);
	if (n < 0 || (size_t)n >= text->left) {
		*text->at = '\0';
		return false;
	}
	text->at += n;
	text->left -= (size_t)n;
	text->items++;
	return true;
}

static void list_spans(const struct objects *objects, struct text *text)
{
	char seen[512] = "";

	for (size_t o = 0; o < objects->size; o++) {
		const struct sdt_sites *sites = &objects->items[o]->sites;

		for (size_t i = 0; i < sites->size; i++) {
			char key[160];
			size_t length;
			enum wire_role role = wire_role(&sites->sites[i], &length);

			if (role == WIRE_EVENT)
				continue;
			snprintf(key, sizeof(key), "|%s:%.*s|", sites->sites[i].provider,
				 (int)length, sites->sites[i].name);
			if (strstr(seen, key) || strlen(seen) + strlen(key) >= sizeof(seen))
				continue;
			strcat(seen, key);
			if (!text_add(text, sites->sites[i].provider, sites->sites[i].name, length))
				return;
		}
	}
}

static int list_function(const struct elf_symbol *symbol, void *arg)
{
	/* reserved names are the C library's start-up code */
	if (symbol->name[0] == '_' || symbol->size_bytes < 16)
		return 0;
	return !text_add(arg, "", symbol->name, strlen(symbol->name));
}

static size_t count_notes(const struct objects *objects)
{
	size_t notes = 0;

	for (size_t i = 0; i < objects->size; i++)
		notes += objects->items[i]->sites.size;
	return notes;
}

static int nothing_found(const struct objects *objects, const char *what, const char *name,
			 struct probekit_error *err)
{
	const char *path = objects->size ? objects->items[0]->path : "";
	char buffer[384] = "";
	struct text text = {.at = buffer, .left = sizeof(buffer)};

	error_failed(err, -ENOENT, "%s%s%s%s in '%s'%s", what, *name ? " '" : "", name,
		     *name ? "'" : "", path, objects->size > 1 ? " or its libraries" : "");
	list_spans(objects, &text);
	if (text.items)
		return error_hint(err, -ENOENT, "its spans are: %s", buffer);
	if (count_notes(objects))
		return error_hint(
			err, -ENOENT,
			"it has other USDT probes: 'probekit list' shows them and the pairs to give to -u");
	for (size_t i = 0; i < objects->size && i < 1; i++)
		(void)elf_file_functions(objects->items[i]->elf, list_function, &text);
	if (text.items)
		return error_hint(
			err, -ENOENT,
			"measure functions with -f, or add PROBEKIT_SPAN() of <probekit/probe.h> to one, such as %s",
			buffer);
	return error_hint(err, -ENOENT,
			  "add PROBEKIT_SPAN() of <probekit/probe.h> to its hot paths");
}

int plan_no_library(const struct objects *objects, const char *library, struct probekit_error *err)
{
	bool is_process = objects->size > 1;

	error_failed(err, -ENOENT, "'%s' %s no library called '%s'",
		     objects->size ? objects->items[0]->path : "", is_process ? "has mapped" : "is",
		     library);
	return error_hint(err, -ENOENT, "%s",
			  is_process ? "a library that is opened later can be measured by its path"
				     : "give the library's path, or a process that maps it");
}

static bool is_asked_for(const struct object *object, const struct function_pattern *pattern)
{
	return *pattern->library ? functions_is_library(pattern->library, object->path)
				 : object->is_program;
}

static int no_function(const struct objects *objects, const struct function_pattern *pattern,
		       struct probekit_error *err)
{
	char near[400] = "";
	bool is_there = false;

	if (pattern->refused) {
		error_failed(err, -ENOENT, "no function that matches '%s' can be probed",
			     pattern->text);
		return error_hint(err, -ENOENT, "%s", pattern->first_refused);
	}
	for (size_t i = 0; i < objects->size; i++)
		is_there |= is_asked_for(objects->items[i], pattern);
	if (*pattern->library && !is_there)
		return plan_no_library(objects, pattern->library, err);
	error_failed(err, -ENOENT, "no function matches '%s' in '%s'", pattern->text,
		     objects->size ? objects->items[0]->path : "");
	for (size_t i = 0; i < objects->size && !*near; i++)
		if (is_asked_for(objects->items[i], pattern))
			functions_suggest(objects->items[i], pattern->glob, near, sizeof(near));
	return *near ? error_hint(err, -ENOENT, "%s", near)
		     : error_hint(err, -ENOENT,
				  "'probekit list -f' shows what there is; LIB:GLOB is "
				  "of a library that a process maps");
}

static bool glob_found(const struct plan *plan, const char *glob)
{
	for (uint32_t i = 0; i < plan->probe_count; i++) {
		const char *name = plan->probes[i].name;
		char lock[512];
		size_t length = strlen(name);

		if (fnmatch(glob, name, 0) == 0)
			return true;
		if (length < 5 || length >= sizeof(lock) || strcmp(name + length - 5, ".wait") != 0)
			continue;
		memcpy(lock, name, length - 5); /* a lock's own name means both of its spans */
		lock[length - 5] = '\0';
		if (fnmatch(glob, lock, 0) == 0)
			return true;
	}
	return false;
}

int plan_require(const struct plan *plan, const struct objects *objects,
		 const struct selection *selection, struct probekit_error *err)
{
	for (size_t i = 0; i < selection->glob_count; i++)
		if (!glob_found(plan, selection->globs[i]))
			return nothing_found(objects, "no span matches", selection->globs[i], err);
	for (size_t i = 0; i < selection->pair_count; i++) {
		const struct pair *pair = &selection->pairs[i];
		const struct plan_probe *probe = NULL;

		for (uint32_t p = 0; p < plan->probe_count; p++)
			if (strcmp(plan->probes[p].name, pair->text) == 0)
				probe = &plan->probes[p];
		if (!probe || !probe->sites)
			return nothing_found(objects, "no USDT probe begins the pair", pair->text,
					     err);
		if (!probe->end_sites)
			return nothing_found(objects, "no USDT probe ends the pair", pair->text,
					     err);
	}
	for (size_t i = 0; i < selection->function_count; i++)
		if (!selection->functions[i].found)
			return no_function(objects, &selection->functions[i], err);
	if (plan->probe_count == 0)
		return nothing_found(objects, "no probekit span", "", err);
	return 0;
}
