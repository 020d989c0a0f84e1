/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how functions become probes: their entries, and where they are left. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"
#include "plan.h"

/* More are no longer a question that a person has; their histograms would fill the memory. */
#define MAX_FUNCTIONS 4096

static uint64_t flags_in_cookie(uint32_t flags)
{
	return (uint64_t)flags << COOKIE_FLAG_SHIFT;
}

static int add_exits(struct plan *plan, struct plan_site site, const struct function_entry *entry,
		     bool by_exits)
{
	int result = 0;

	if (!by_exits) {
		site.program = PROGRAM_FUNCTION_RETURN;
		site.offset = entry->offset;
		plan->probes[site.probe].end_sites++;
		return plan_append_site(plan, &site);
	}
	site.program = PROGRAM_FUNCTION_EXIT;
	site.cookie_bits |= flags_in_cookie(COOKIE_AT_EXIT);
	for (size_t i = 0; i < entry->exit_count && !result; i++) {
		struct plan_site exit_site = site;

		exit_site.offset = entry->exits[i].offset;
		exit_site.cookie_bits |= (uint64_t)entry->exits[i].condition
					 << COOKIE_CONDITION_SHIFT;
		plan->probes[site.probe].end_sites++;
		result = plan_append_site(plan, &exit_site);
	}
	return result;
}

/* A function is planned whole or not at all: entries without their exits would be open for ever. */
static bool has_room(const struct plan *plan, const struct function *function, bool by_exits)
{
	uint64_t sites = plan->site_count + function->entry_count;

	for (size_t i = 0; i < function->entry_count; i++)
		sites += by_exits ? function->entries[i].exit_count : 1;
	return sites <= plan->max_sites && sites <= MAX_SITES;
}

static int add_function(struct plan *plan, const struct objects *objects, uint32_t index,
			const struct function *function, bool by_exits)
{
	struct plan_site site = {.object = index};
	struct plan_probe *probe;
	int result;

	if (!has_room(plan, function, by_exits))
		return -ENOSPC;
	result = plan_find_probe(plan, function->name, PROBEKIT_KIND_FUNCTION, &site.probe);
	if (result)
		return result;
	probe = &plan->probes[site.probe];
	probe->is_by_exits |= by_exits;
	for (size_t i = 0; i < function->entry_count && !result; i++) {
		const struct function_entry *entry = &function->entries[i];

		site.program = PROGRAM_FUNCTION_ENTRY;
		site.offset = entry->offset;
		site.cookie_bits = flags_in_cookie(entry->is_part ? COOKIE_IS_PART : 0);
		result = plan_append_site(plan, &site);
		if (!result)
			result = add_exits(plan, site, entry, by_exits);
		probe->sites++;
		if (entry->cost > probe->cost)
			probe->cost = entry->cost;
	}
	return result ? result : plan_note_object(probe, objects->items[index]);
}

static int note_refused(struct function_pattern *pattern, const struct function *function)
{
	if (pattern->refused++ == 0 &&
	    asprintf(&pattern->first_refused, "'%s': %s", function->name, function->refused) < 0) {
		pattern->first_refused = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* Is an address of the object probed already, by another pattern? */
static bool is_planned(const struct plan *plan, uint32_t object, uint64_t offset)
{
	for (uint32_t i = plan->site_count; i-- > 0;) {
		const struct plan_site *site = &plan->sites[i];

		if (site->object != object)
			break; /* objects are planned one after the other */
		if (site->program == PROGRAM_FUNCTION_ENTRY && site->offset == offset)
			return true;
	}
	return false;
}

static int add_pattern(struct plan *plan, const struct objects *objects, uint32_t index,
		       struct function_pattern *pattern, struct probekit_error *err)
{
	const struct object *object = objects->items[index];
	bool may_unwind = *pattern->library && functions_are_unwound(objects);
	struct functions functions;
	int result = functions_find(object, pattern->glob, FUNCTIONS_TO_PROBE, may_unwind,
				    &functions, err);

	if (result)
		return result;
	for (size_t i = 0; i < functions.size && !result; i++) {
		const struct function *function = &functions.items[i];

		if (function->refused) {
			result = note_refused(pattern, function);
			continue;
		}
		if (function->entry_count == 0)
			continue;
		pattern->found++;
		if (is_planned(plan, index, function->entries[0].offset))
			continue;
		result = add_function(plan, objects, index, function, functions.are_left_by_exits);
		if (result == -ENOSPC) {
			plan->left_out++;
			result = 0;
		}
	}
	functions_done(&functions);
	if (!result && pattern->found > MAX_FUNCTIONS) {
		error_usage(
			err,
			"%zu functions match '%s', more than the %d that can be measured at once",
			pattern->found, pattern->text, MAX_FUNCTIONS);
		return error_hint(err, -E2BIG, "narrow the pattern: 'probekit list -f' shows them");
	}
	return result ? error_no_memory(err) : 0;
}

int plan_add_functions(struct plan *plan, const struct objects *objects, uint32_t index,
		       struct selection *selection, struct probekit_error *err)
{
	const struct object *object = objects->items[index];
	int result = 0;

	for (size_t i = 0; i < selection->function_count && !result; i++) {
		struct function_pattern *pattern = &selection->functions[i];

		if (*pattern->library ? functions_is_library(pattern->library, object->path)
				      : object->is_program)
			result = add_pattern(plan, objects, index, pattern, err);
	}
	return result;
}
