/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how sites become probes, and what is said when there are none. */
#include "plan.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "wire.h"

void plan_init(struct plan *plan)
{
	*plan = (struct plan){
		.max_probes = UINT32_MAX,
		.max_sites = UINT32_MAX,
		.max_rows = UINT32_MAX,
	};
}

void plan_done(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->probe_count; i++) {
		free(plan->probes[i].name);
		free(plan->probes[i].objects);
		free(plan->probes[i].build_id);
	}
	free(plan->probes);
	free(plan->sites);
	plan_init(plan);
}

static bool is_selected(const struct selection *selection, const char *name)
{
	if (selection->glob_count == 0)
		return selection->pair_count == 0 && selection->function_count == 0;
	for (size_t i = 0; i < selection->glob_count; i++)
		if (fnmatch(selection->globs[i], name, 0) == 0)
			return true;
	return false;
}

static bool is_known(const struct plan *plan, const char *name, enum probekit_kind kind,
		     uint32_t *probe)
{
	for (uint32_t i = 0; i < plan->probe_count; i++) {
		if (plan->probes[i].kind == kind && strcmp(plan->probes[i].name, name) == 0) {
			*probe = i;
			return true;
		}
	}
	return false;
}

int plan_find_probe(struct plan *plan, const char *name, enum probekit_kind kind, uint32_t *probe)
{
	struct plan_probe *probes;

	if (is_known(plan, name, kind, probe))
		return 0;
	if (plan->probe_count >= plan->max_probes || plan->probe_count >= MAX_PROBES)
		return -ENOSPC;
	probes = reallocarray(plan->probes, plan->probe_count + 1, sizeof(*probes));
	if (!probes)
		return -ENOMEM;
	plan->probes = probes;
	probes[plan->probe_count] = (struct plan_probe){
		.name = strdup(name),
		.kind = kind,
		.row = UINT32_MAX,
		.is_fast = true,
	};
	if (!probes[plan->probe_count].name)
		return -ENOMEM;
	*probe = plan->probe_count++;
	return 0;
}

static bool is_in_list(const char *list, const char *path)
{
	size_t length = strlen(path);

	for (const char *at = strstr(list, path); at; at = strstr(at + 1, path))
		if ((at == list || at[-1] == ' ') && (at[length] == '\0' || at[length] == ','))
			return true;
	return false;
}

int plan_note_object(struct plan_probe *probe, const struct object *object)
{
	char *joined;

	if (!probe->objects) {
		const char *build_id = elf_file_build_id(object->elf);

		probe->objects = strdup(object->path);
		probe->build_id = build_id ? strdup(build_id) : NULL;
		return probe->objects && (!build_id || probe->build_id) ? 0 : -ENOMEM;
	}
	if (is_in_list(probe->objects, object->path))
		return 0;
	if (asprintf(&joined, "%s, %s", probe->objects, object->path) < 0)
		return -ENOMEM;
	free(probe->objects);
	probe->objects = joined;
	return 0;
}

static bool is_end(enum program program)
{
	return program == PROGRAM_SPAN_END || program == PROGRAM_PAIR_END ||
	       program == PROGRAM_ASYNC_END || program == PROGRAM_LOCK_RELEASED;
}

/* Two notes may stand at one address: a probe counts it once. */
static bool is_planned(const struct plan *plan, const struct objects *objects,
		       const struct plan_site *site)
{
	uint64_t offset = objects->items[site->object]->sites.sites[site->site].offset;

	for (uint32_t i = plan->site_count; i-- > 0;) {
		const struct plan_site *other = &plan->sites[i];

		if (other->object != site->object)
			break; /* objects are planned one after the other */
		if (plan->probes[other->probe].kind == PROBEKIT_KIND_FUNCTION)
			continue;
		if (other->probe == site->probe && other->program == site->program &&
		    objects->items[other->object]->sites.sites[other->site].offset == offset)
			return true;
	}
	return false;
}

int plan_append_site(struct plan *plan, const struct plan_site *site)
{
	struct plan_site *grown;

	if (plan->site_count >= plan->max_sites || plan->site_count >= MAX_SITES)
		return -ENOSPC;
	grown = array_grow(plan->sites, plan->site_count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	plan->sites = grown;
	grown[plan->site_count++] = *site;
	return 0;
}

static int add_site(struct plan *plan, const struct objects *objects, struct plan_site site,
		    const char *name, enum probekit_kind kind)
{
	const struct object *object = objects->items[site.object];
	struct plan_probe *probe;
	int result = plan_find_probe(plan, name, kind, &site.probe);

	if (result)
		return result;
	if (is_planned(plan, objects, &site))
		return 0;
	probe = &plan->probes[site.probe];
	if (site.has_key && probe->row != UINT32_MAX && !probe->has_keys) {
		site.has_key =
			false; /* it was given one row when only sites without key were known */
		plan->left_out++;
	}
	result = plan_append_site(plan, &site);
	if (result)
		return result;
	probe->sites += !is_end(site.program);
	probe->end_sites += is_end(site.program);
	probe->has_keys |= site.has_key;
	probe->is_fast &= object->sites.sites[site.site].form != SDT_FORM_FOREIGN;
	return plan_note_object(probe, object);
}

static const struct {
	enum program program;
	enum probekit_kind kind;
} roles[] = {
	[WIRE_SPAN_BEGIN] = {PROGRAM_SPAN_BEGIN, PROBEKIT_KIND_SPAN},
	[WIRE_SPAN_END] = {PROGRAM_SPAN_END, PROBEKIT_KIND_SPAN},
	[WIRE_EXPLICIT_BEGIN] = {PROGRAM_PAIR_BEGIN, PROBEKIT_KIND_SPAN},
	[WIRE_EXPLICIT_END] = {PROGRAM_PAIR_END, PROBEKIT_KIND_SPAN},
	[WIRE_ASYNC_BEGIN] = {PROGRAM_ASYNC_BEGIN, PROBEKIT_KIND_ASYNC},
	[WIRE_ASYNC_END] = {PROGRAM_ASYNC_END, PROBEKIT_KIND_ASYNC},
	[WIRE_VALUE] = {PROGRAM_VALUE, PROBEKIT_KIND_VALUE},
	[WIRE_LOCK_WAIT] = {PROGRAM_LOCK_WAIT_BEGIN, PROBEKIT_KIND_SPAN},
	[WIRE_LOCK_ACQUIRED] = {PROGRAM_LOCK_ACQUIRED, PROBEKIT_KIND_SPAN},
	[WIRE_LOCK_RELEASED] = {PROGRAM_LOCK_RELEASED, PROBEKIT_KIND_SPAN},
};

/* The programs count on it: a lock's hold is the probe right after its wait. */
static int add_lock_site(struct plan *plan, const struct objects *objects, struct plan_site site,
			 const char *name, const struct selection *selection)
{
	char *wait = NULL;
	char *hold = NULL;
	uint32_t wait_probe;
	uint32_t hold_probe;
	int result = -ENOMEM;

	if (asprintf(&wait, "%s.wait", name) < 0 || asprintf(&hold, "%s.hold", name) < 0)
		goto out;
	result = 0;
	if (!is_selected(selection, wait) && !is_selected(selection, hold) &&
	    !is_selected(selection, name))
		goto out;
	if (!is_known(plan, wait, PROBEKIT_KIND_SPAN, &wait_probe) &&
	    (uint64_t)plan->probe_count + 2 > plan->max_probes)
		result = -ENOSPC;
	if (!result)
		result = plan_find_probe(plan, wait, PROBEKIT_KIND_SPAN, &wait_probe);
	if (!result)
		result = plan_find_probe(plan, hold, PROBEKIT_KIND_SPAN, &hold_probe);
	if (!result)
		result = add_site(plan, objects, site, wait, PROBEKIT_KIND_SPAN);
	if (!result && site.program != PROGRAM_LOCK_WAIT_BEGIN)
		result = plan_note_object(&plan->probes[hold_probe], objects->items[site.object]);
	if (!result && site.program == PROGRAM_LOCK_ACQUIRED) {
		plan->probes[hold_probe].sites++;
		plan->probes[wait_probe].sites--;
		plan->probes[wait_probe].end_sites++;
	}
	if (!result && site.program == PROGRAM_LOCK_RELEASED)
		plan->probes[hold_probe].end_sites++;
out:
	free(wait);
	free(hold);
	return result;
}

static int add_own_site(struct plan *plan, const struct objects *objects, struct plan_site site,
			const struct selection *selection)
{
	const struct sdt_site *note = &objects->items[site.object]->sites.sites[site.site];
	size_t length;
	enum wire_role role = wire_role(note, &length);
	char *name;
	int result = 0;

	if (role == WIRE_EVENT || strcmp(note->provider, "probekit") == 0)
		return 0;
	if (asprintf(&name, "%s:%.*s", note->provider, (int)length, note->name) < 0)
		return -ENOMEM;
	site.program = roles[role].program;
	site.has_key = role == WIRE_SPAN_BEGIN && note->arg_count > 0;
	if (role >= WIRE_LOCK_WAIT)
		result = add_lock_site(plan, objects, site, name, selection);
	else if (is_selected(selection, name))
		result = add_site(plan, objects, site, name, roles[role].kind);
	free(name);
	return result;
}

static int add_pair_site(struct plan *plan, const struct objects *objects, struct plan_site site,
			 const struct pair *pair)
{
	const struct sdt_site *note = &objects->items[site.object]->sites.sites[site.site];
	int result = 0;

	if (strcmp(note->provider, pair->provider) != 0)
		return 0;
	if (strcmp(note->name, pair->begin) == 0) {
		site.program = PROGRAM_PAIR_BEGIN;
		result = add_site(plan, objects, site, pair->text, PROBEKIT_KIND_USDT);
	}
	for (size_t i = 0; i < pair->end_count && !result; i++) {
		if (strcmp(note->name, pair->ends[i]) != 0)
			continue;
		site.program = PROGRAM_PAIR_END;
		result = add_site(plan, objects, site, pair->text, PROBEKIT_KIND_USDT);
	}
	return result;
}

void plan_number_rows(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->probe_count; i++) {
		uint32_t rows = plan->probes[i].has_keys ? KEYED_ROWS : 1;

		if (plan->probes[i].row != UINT32_MAX)
			continue;
		if (plan->row_count + rows > plan->max_rows) {
			plan->left_out++;
			continue;
		}
		plan->probes[i].row = plan->row_count;
		plan->row_count += rows;
	}
}

int plan_add_object(struct plan *plan, const struct objects *objects, uint32_t index,
		    const struct selection *selection, struct probekit_error *err)
{
	const struct sdt_sites *sites = &objects->items[index]->sites;
	int result = 0;

	for (uint32_t i = 0; i < sites->size && !result; i++) {
		struct plan_site site = {.object = index, .site = i};

		result = add_own_site(plan, objects, site, selection);
		for (size_t p = 0; p < selection->pair_count && !result; p++)
			result = add_pair_site(plan, objects, site, &selection->pairs[p]);
		if (result == -ENOSPC) {
			plan->left_out++;
			result = 0;
		}
	}
	return result ? error_no_memory(err) : 0;
}
