/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns from which sites a program of the caller's is run, and what it can learn there. */
#include <bpf/bpf.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attachment.h"
#include "custom.h"
#include "wire.h"

/* Others have built it into their programs. */
_Static_assert(sizeof(struct probekit_argument) == 16, "no padding");
_Static_assert(sizeof(struct probekit_site_arguments) == 200, "no padding");

/* ---- which there are ---- */

static const struct {
	enum probekit_role role;
	bool has_key;
	bool is_of_next; /* the span is that of the probe after the site's: a lock's hold */
} roles[PROGRAM_COUNT] = {
	[PROGRAM_SPAN_BEGIN] = {.role = PROBEKIT_AT_BEGIN},
	[PROGRAM_PAIR_BEGIN] = {.role = PROBEKIT_AT_BEGIN},
	[PROGRAM_ASYNC_BEGIN] = {.role = PROBEKIT_AT_BEGIN, .has_key = true},
	[PROGRAM_LOCK_WAIT_BEGIN] = {.role = PROBEKIT_AT_BEGIN, .has_key = true},
	[PROGRAM_VALUE] = {.role = PROBEKIT_AT_VALUE},
	[PROGRAM_LOCK_ACQUIRED] = {.role = PROBEKIT_AT_END, .has_key = true},
	[PROGRAM_SPAN_END] = {.role = PROBEKIT_AT_END},
	[PROGRAM_PAIR_END] = {.role = PROBEKIT_AT_END},
	[PROGRAM_ASYNC_END] = {.role = PROBEKIT_AT_END, .has_key = true},
	[PROGRAM_LOCK_RELEASED] = {.role = PROBEKIT_AT_END, .has_key = true, .is_of_next = true},
	[PROGRAM_FUNCTION_ENTRY] = {.role = PROBEKIT_AT_BEGIN},
	[PROGRAM_FUNCTION_RETURN] = {.role = PROBEKIT_AT_END},
	[PROGRAM_FUNCTION_EXIT] = {.role = PROBEKIT_AT_END},
};

static int find_probe(struct custom *custom, const char *name, enum probekit_kind kind,
		      uint32_t *number)
{
	struct custom_probe *probes;

	for (uint32_t i = 0; i < custom->probe_count; i++) {
		if (custom->probes[i].kind == kind && strcmp(custom->probes[i].name, name) == 0) {
			*number = i;
			return 0;
		}
	}
	if (custom->probe_count == MAX_PROBES)
		return -ENOSPC;
	probes = reallocarray(custom->probes, custom->probe_count + 1, sizeof(*probes));
	if (!probes)
		return -ENOMEM;
	custom->probes = probes;
	probes[custom->probe_count] = (struct custom_probe){.name = strdup(name), .kind = kind};
	if (!probes[custom->probe_count].name)
		return -ENOMEM;
	*number = custom->probe_count++;
	return 0;
}

/* Two notes may stand at one address. */
static bool is_there(const struct custom *custom, const struct custom_site *site)
{
	for (uint32_t i = custom->site_count; i-- > 0;) {
		const struct custom_site *other = &custom->sites[i];

		if (other->object != site->object)
			break; /* one object comes after the other */
		if (other->shown.probe == site->shown.probe &&
		    other->shown.role == site->shown.role &&
		    other->shown.offset == site->shown.offset)
			return true;
	}
	return false;
}

static int add_site(struct custom *custom, const struct attachment *attachment,
		    struct custom_site site, const char *name)
{
	struct custom_site *sites;
	struct placement placement;
	int result = find_probe(custom, name, site.shown.kind, &site.shown.probe);

	if (result)
		return result;
	if (site.note) {
		placement_choose(site.note, attachment->point, &placement);
		site.shown.offset = placement.offset;
	}
	if (is_there(custom, &site))
		return 0;
	sites = reallocarray(custom->sites, custom->site_count + 1, sizeof(*sites));
	if (!sites)
		return -ENOMEM;
	custom->sites = sites;
	site.shown.name = custom->probes[site.shown.probe].name;
	site.shown.object = attachment->objects->items[site.object]->path;
	site.shown.arguments = site.note ? site.note->arguments : "";
	sites[custom->site_count++] = site;
	return 0;
}

static int add_function_site(struct custom *custom, const struct attachment *attachment,
			     const struct plan_site *planned)
{
	const struct plan_probe *probe = &attachment->plan->probes[planned->probe];
	struct custom_site site = {
		.shown = {.kind = probe->kind,
			  .role = roles[planned->program].role,
			  .offset = planned->offset},
		.object = planned->object,
		.planned = planned->probe,
		.is_return = planned->program == PROGRAM_FUNCTION_RETURN,
		.condition = planned->cookie_bits >> COOKIE_CONDITION_SHIFT & COOKIE_CONDITION_MASK,
	};

	return add_site(custom, attachment, site, probe->name);
}

static int add_planned(struct custom *custom, const struct attachment *attachment,
		       const struct plan_site *planned)
{
	const struct plan_probe *probe =
		&attachment->plan->probes[planned->probe + roles[planned->program].is_of_next];
	struct custom_site site = {
		.shown = {.kind = probe->kind, .role = roles[planned->program].role},
		.object = planned->object,
		.note = &attachment->objects->items[planned->object]->sites.sites[planned->site],
		.has_key = planned->has_key || roles[planned->program].has_key,
	};
	int result = add_site(custom, attachment, site, probe->name);

	if (result || planned->program != PROGRAM_LOCK_ACQUIRED)
		return result;
	site.shown.role = PROBEKIT_AT_BEGIN;
	return add_site(custom, attachment, site, probe[1].name);
}

static bool is_selected(const struct custom_program *program, const struct custom_site *site)
{
	const char *name = site->shown.name;

	if (site->shown.role == PROBEKIT_AT_EVENT)
		return program->events && fnmatch(program->events, name, 0) == 0;
	return program->roles & site->shown.role &&
	       (!program->probes || fnmatch(program->probes, name, 0) == 0);
}

static int add_event(struct custom *custom, const struct attachment *attachment, uint32_t object,
		     const struct sdt_site *note)
{
	struct custom_site site = {
		.shown = {.kind = PROBEKIT_KIND_USDT, .role = PROBEKIT_AT_EVENT},
		.object = object,
		.note = note,
	};
	bool is_wanted = false;
	size_t length;
	char *name;
	int result = 0;

	if (wire_role(note, &length) != WIRE_EVENT)
		return 0;
	if (asprintf(&name, "%s:%s", note->provider, note->name) < 0)
		return -ENOMEM;
	site.shown.name = name;
	for (size_t i = 0; i < custom->program_count; i++)
		is_wanted |= is_selected(&custom->programs[i], &site);
	if (is_wanted)
		result = add_site(custom, attachment, site, name);
	free(name);
	return result;
}

static bool is_function(const struct plan *plan, const struct plan_site *site)
{
	return plan->probes[site->probe].kind == PROBEKIT_KIND_FUNCTION;
}

static int take_over_functions(struct custom *custom, const struct attachment *attachment)
{
	const struct plan *plan = attachment->plan;
	int result = 0;

	for (; custom->planned_functions < plan->site_count && !result;
	     custom->planned_functions++) {
		const struct plan_site *site = &plan->sites[custom->planned_functions];

		if (is_function(plan, site) && plan->probes[site->probe].batch != UINT32_MAX)
			result = add_function_site(custom, attachment, site);
	}
	return result;
}

static int take_over(struct custom *custom, const struct attachment *attachment)
{
	const struct objects *objects = attachment->objects;
	const struct plan *plan = attachment->plan;
	int result = 0;

	for (; custom->planned < plan->site_count && !result; custom->planned++) {
		const struct plan_site *site = &plan->sites[custom->planned];

		if (!is_function(plan, site) && roles[site->program].role)
			result = add_planned(custom, attachment, site);
	}
	for (; custom->scanned < objects->size && !result; custom->scanned++) {
		const struct sdt_sites *sites = &objects->items[custom->scanned]->sites;

		for (size_t i = 0; i < sites->size && !result; i++)
			result = add_event(custom, attachment, custom->scanned, &sites->sites[i]);
	}
	return result;
}

/* ---- what programs learn there ---- */

static void tell_note(const struct sdt_site *note, enum point point,
		      struct probekit_site_arguments *told)
{
	struct placement placement;

	placement_choose(note, point, &placement);
	told->count = note->arg_count;
	for (unsigned int i = 0; i < told->count; i++)
		told->arguments[i] = placement_argument(note, &placement, i);
}

static int tell(const struct custom *custom, const struct attachment *attachment,
		const struct custom_program *program, uint32_t number, struct probekit_error *err)
{
	const struct custom_site *site = &custom->sites[number];
	struct probekit_site_arguments told = {.has_key = site->has_key};

	if (program->map_fd < 0)
		return 0;
	if (number >= program->map_room) {
		error_usage(err,
			    "the map probekit_sites of program '%s' has room for %u sites of %u",
			    program->name, program->map_room, custom->site_count);
		return error_hint(err, -EINVAL,
				  "define PROBEKIT_MAX_SITES before including <probekit/bpf.h>");
	}
	if (site->note)
		tell_note(site->note, attachment->point, &told);
	else
		told.count = placement_function_arguments(site->shown.role == PROBEKIT_AT_END,
							  told.arguments);
	if (bpf_map_update_elem(program->map_fd, &number, &told, BPF_ANY))
		return error_errno(err, -errno, "cannot fill the map probekit_sites of '%s'",
				   program->name);
	return 0;
}

/* ---- attaching ---- */

/* The new sites of one program and role in one object. */
struct batch {
	struct custom_program *program;
	enum probekit_role role;
	bool is_return;
	uint32_t object;
	uint32_t from;
	uint32_t planned_batch; /* of functions; 0: of all else */
	struct attach_links *links;
	uint64_t *offsets;
	uint64_t *semaphores;
	uint64_t *cookies;
	size_t count;
	const char *first;
};

static uint32_t planned_batch(const struct attachment *attachment, const struct custom_site *site)
{
	return site->note ? 0 : attachment->plan->probes[site->planned].batch;
}

static int collect(const struct custom *custom, const struct attachment *attachment,
		   struct batch *batch, struct probekit_error *err)
{
	batch->count = 0;
	for (uint32_t i = batch->from; i < custom->site_count; i++) {
		const struct custom_site *site = &custom->sites[i];
		int result;

		if (site->object != batch->object || site->shown.role != batch->role ||
		    site->is_return != batch->is_return ||
		    planned_batch(attachment, site) != batch->planned_batch ||
		    !is_selected(batch->program, site))
			continue;
		result = tell(custom, attachment, batch->program, i, err);
		if (result)
			return result;
		if (batch->count == 0)
			batch->first = site->shown.name;
		batch->offsets[batch->count] = site->shown.offset;
		batch->semaphores[batch->count] = site->note ? site->note->semaphore_offset : 0;
		batch->cookies[batch->count++] =
			i | (uint64_t)site->shown.probe << PROBEKIT_COOKIE_PROBE_SHIFT |
			(uint64_t)site->shown.role << PROBEKIT_COOKIE_ROLE_SHIFT |
			(uint64_t)site->condition << PROBEKIT_COOKIE_CONDITION_SHIFT;
	}
	return 0;
}

static int attach_batch(const struct custom *custom, struct attachment *attachment,
			struct batch *batch, struct probekit_error *err)
{
	const struct object *object = attachment->objects->items[batch->object];
	size_t rounds = attachment->pid_count ? attachment->pid_count : 1;
	size_t ended = 0;
	char path[64];
	int result = collect(custom, attachment, batch, err);

	if (result || batch->count == 0)
		return result;
	batch->program->has_site = true;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", object->fd);
	for (size_t i = 0; i < rounds; i++) {
		const struct attach_sites sites = {
			.path = path,
			.count = batch->count,
			.offsets = batch->offsets,
			.semaphore_offsets = batch->semaphores,
			.cookies = batch->cookies,
			.pid = attachment->pid_count ? attachment->pids[i] : 0,
			.is_return = batch->is_return,
		};

		if (attachment_leaves_out(attachment, batch->object, sites.pid))
			continue;
		result = attach_program(batch->program->fd, attachment->use_multi, &sites,
					batch->links);
		if (result == -ESRCH && ++ended < rounds)
			continue; /* the others can still be traced */
		if (result)
			return error_errno(err, result,
					   "cannot attach program '%s' to '%s' in '%s'",
					   batch->program->name, batch->first, object->path);
	}
	return 0;
}

static int attach_all(struct custom *custom, struct attachment *attachment, struct batch *batch,
		      struct probekit_error *err)
{
	static const struct {
		enum probekit_role role;
		bool is_return;
	} order[] = {
		{PROBEKIT_AT_BEGIN, false}, {PROBEKIT_AT_VALUE, false}, {PROBEKIT_AT_EVENT, false},
		{PROBEKIT_AT_END, false},   {PROBEKIT_AT_END, true},
	};
	int result = 0;

	for (size_t r = 0; r < sizeof(order) / sizeof(*order); r++) {
		batch->role = order[r].role;
		batch->is_return = order[r].is_return;
		for (size_t p = 0; p < custom->program_count; p++) {
			batch->program = &custom->programs[p];
			for (uint32_t o = 0; o < attachment->objects->size && !result; o++) {
				batch->object = o;
				result = attach_batch(custom, attachment, batch, err);
			}
		}
	}
	return result;
}

int custom_take_over(struct custom *custom, const struct attachment *attachment, bool of_functions,
		     struct probekit_error *err)
{
	int result = 0;

	if (custom->program_count)
		result = of_functions ? take_over_functions(custom, attachment)
				      : take_over(custom, attachment);
	if (result == -ENOSPC)
		return error_failed(err, result, "more than %u probes", MAX_PROBES);
	return result ? error_no_memory(err) : 0;
}

bool custom_is_at(const struct custom *custom, uint32_t planned)
{
	for (uint32_t i = 0; i < custom->site_count; i++) {
		const struct custom_site *site = &custom->sites[i];

		if (site->note || site->planned != planned)
			continue;
		for (size_t p = 0; p < custom->program_count; p++)
			if (is_selected(&custom->programs[p], site))
				return true;
	}
	return false;
}

int custom_attach(struct custom *custom, struct attachment *attachment, uint32_t from,
		  uint32_t planned, struct attach_links *links, struct probekit_error *err)
{
	struct batch batch = {.from = from, .planned_batch = planned, .links = links};
	size_t count;
	int result;

	if (!custom->program_count || custom->site_count <= from)
		return 0;
	count = custom->site_count - from;
	batch.offsets = calloc(count, sizeof(uint64_t));
	batch.semaphores = calloc(count, sizeof(uint64_t));
	batch.cookies = calloc(count, sizeof(uint64_t));
	if (batch.offsets && batch.semaphores && batch.cookies)
		result = attach_all(custom, attachment, &batch, err);
	else
		result = error_no_memory(err);
	free(batch.offsets);
	free(batch.semaphores);
	free(batch.cookies);
	return result;
}
