/* SPDX-License-Identifier: BSD-2-Clause */
#include "attachment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"

/* Sites of one program in one object, as arrays for the kernel. */
struct group {
	size_t count;
	uint64_t *offsets;
	uint64_t *semaphores;
	uint64_t *cookies;
	uint32_t first_probe;
};

static int attach_group(struct attachment *attachment, const struct object *object,
			enum program program, const struct group *group, pid_t pid,
			struct attach_links *links)
{
	char path[64];
	struct attach_sites sites = {
		.path = path,
		.count = group->count,
		.offsets = group->offsets,
		.semaphore_offsets = group->semaphores,
		.cookies = group->cookies,
		.pid = pid,
		.is_return = program == PROGRAM_FUNCTION_RETURN,
	};

	/* Not the name: the file behind it may be another by now. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", object->fd);
	return attach_program(engine_program_fd(attachment->engine, program), attachment->use_multi,
			      &sites, links);
}

int attachment_add_site(struct attachment *attachment, const struct object *object,
			const struct placement *placement, uint64_t semaphore_offset,
			enum program program, uint64_t cookie, pid_t pid)
{
	uint64_t offset = placement->offset;
	struct group group = {
		.count = 1,
		.offsets = &offset,
		.semaphores = &semaphore_offset,
		.cookies = &cookie,
	};

	return attach_group(attachment, object, program, &group, pid, &attachment->links);
}

static bool takes_argument(enum program program, bool has_key)
{
	return program == PROGRAM_SPAN_BEGIN
		       ? has_key
		       : program != PROGRAM_SPAN_END && program != PROGRAM_PAIR_BEGIN &&
				 program != PROGRAM_PAIR_END;
}

static bool is_function_end(enum program program)
{
	return program == PROGRAM_FUNCTION_RETURN || program == PROGRAM_FUNCTION_EXIT;
}

/* What sites that share a program are told apart by. */
static uint64_t named_bits(enum program program)
{
	static const uint8_t what[PROGRAM_COUNT] = {
		[PROGRAM_PAIR_BEGIN] = NAMED_BEGINS,
		[PROGRAM_PAIR_END] = NAMED_ENDS,
		[PROGRAM_LOCK_WAIT_BEGIN] = NAMED_LOCK | NAMED_BEGINS,
		[PROGRAM_LOCK_ACQUIRED] = NAMED_ACQUIRED,
		[PROGRAM_LOCK_RELEASED] = NAMED_RELEASED,
	};

	return (uint64_t)what[program] << COOKIE_NAMED_SHIFT;
}

static bool is_hold(enum program program)
{
	return program == PROGRAM_HOLD_BEGIN || program == PROGRAM_HOLD_END;
}

/* What an end program needs is its row; one of holds has what it needs in the plan; everything else needs the
 * site. */
static uint64_t site_cookie(const struct plan *plan, uint32_t index, uint32_t flags)
{
	const struct plan_site *site = &plan->sites[index];
	const struct plan_probe *probe = &plan->probes[site->probe];
	bool is_row = site->program == PROGRAM_SPAN_END || is_function_end(site->program);
	uint32_t operand = is_row		    ? ENGINE_ROW(probe->row)
			   : is_hold(site->program) ? 0
						    : ENGINE_SITE(index);

	return cookie_make(ENGINE_PROBE(site->probe), operand,
			   flags | (site->has_key ? COOKIE_HAS_KEY : 0) |
				   (probe->is_odd ? COOKIE_IS_ODD : 0)) |
	       named_bits(site->program);
}

static void add_offset(struct group *group, uint32_t probe, uint64_t offset, uint64_t semaphore,
		       uint64_t cookie)
{
	if (group->count == 0)
		group->first_probe = probe;
	group->offsets[group->count] = offset;
	group->semaphores[group->count] = semaphore;
	group->cookies[group->count++] = cookie;
}

static int add_note(struct attachment *attachment, struct group *group, uint32_t index,
		    uint32_t flags, struct probekit_error *err)
{
	const struct plan_site *site = &attachment->plan->sites[index];
	const struct sdt_site *note =
		&attachment->objects->items[site->object]->sites.sites[site->site];
	struct placement placement;
	int result = 0;

	placement_choose(note, attachment->point, &placement);
	if (takes_argument(site->program, site->has_key))
		result = engine_set_argument(attachment->engine, ENGINE_SITE(index),
					     &placement.argument, err);
	if (!result)
		add_offset(group, site->probe, placement.offset, note->semaphore_offset,
			   site_cookie(attachment->plan, index, placement.flags | flags));
	return result;
}

static int add_to_group(struct attachment *attachment, struct group *group, uint32_t index,
			bool is_late, struct probekit_error *err)
{
	const struct plan_site *site = &attachment->plan->sites[index];
	uint32_t late = COOKIE_LATE | (attachment->is_found ? COOKIE_FOUND : 0);
	uint32_t flags = is_late ? late : 0;
	int result = 0;

	if (attachment->plan->probes[site->probe].kind != PROBEKIT_KIND_FUNCTION)
		result = add_note(attachment, group, index, flags, err);
	else
		add_offset(group, site->probe, site->offset, 0,
			   site_cookie(attachment->plan, index, flags) | site->cookie_bits);
	if (!result && is_late)
		group->cookies[group->count - 1] |= (uint64_t)attachment->arrival
						    << COOKIE_ARRIVAL_SHIFT;
	return result;
}

static int refused(const struct attachment *attachment, const struct object *object,
		   const struct group *group, pid_t pid, int code, struct probekit_error *err)
{
	const char *how = attachment->use_multi ? "uprobe_multi" : "perf uprobe";
	const char *name = attachment->plan->probes[group->first_probe].name;

	if (code == -ESRCH)
		return error_failed(err, code, "process %d has ended before it could be measured",
				    pid);
	if (code == -EPERM || code == -EACCES) {
		error_unavailable(err, code, "cannot attach '%s' in '%s': %s refused: %s", name,
				  object->path, how, strerror(-code));
		return error_hint(
			err, code, "run as root, or grant CAP_BPF and CAP_PERFMON%s",
			attachment->use_multi
				? ""
				: ", and CAP_SYS_ADMIN, without uprobe_multi (Linux 6.6)");
	}
	if (code == -EMFILE || code == -ENFILE) {
		error_failed(err, code, "cannot attach '%s' in '%s': too many open files", name,
			     object->path);
		return error_hint(err, code, "raise the limit with 'ulimit -n'");
	}
	return error_errno(err, code, "cannot attach '%s' and %zu more sites in '%s' (%s)", name,
			   group->count - 1, object->path, how);
}

/* What attachment_add() is asked for. */
struct request {
	uint32_t from_site;
	uint32_t batch;
	bool is_late;
	struct attach_links *links;
};

static bool is_asked(const struct request *request, const struct plan_probe *probe)
{
	return probe->batch == request->batch &&
	       (probe->kind == PROBEKIT_KIND_FUNCTION) == (request->batch != 0);
}

bool attachment_leaves_out(const struct attachment *attachment, uint32_t object, pid_t pid)
{
	const struct objects *objects = attachment->objects;
	bool is_mapped;

	return pid && objects_have_copy(objects, object) &&
	       process_maps(pid, objects->items[object], &is_mapped, NULL) == 0 && !is_mapped;
}

static int attach_object(struct attachment *attachment, uint32_t object, enum program program,
			 const struct request *request, struct group *group,
			 struct probekit_error *err)
{
	const struct plan *plan = attachment->plan;
	const struct object *file = attachment->objects->items[object];
	size_t rounds = attachment->pid_count ? attachment->pid_count : 1;
	size_t ended = 0;
	int result;

	group->count = 0;
	for (uint32_t i = request->from_site; i < plan->site_count; i++) {
		const struct plan_site *site = &plan->sites[i];
		const struct plan_probe *probe = &plan->probes[site->probe];

		if (site->object != object || site->program != program ||
		    probe->row == UINT32_MAX || !is_asked(request, probe))
			continue;
		result = add_to_group(attachment, group, i, request->is_late, err);
		if (result)
			return result;
	}
	for (size_t i = 0; i < rounds && group->count; i++) {
		pid_t pid = attachment->pid_count ? attachment->pids[i] : 0;

		if (attachment_leaves_out(attachment, object, pid))
			continue;
		result = attach_group(attachment, file, program, group, pid, request->links);
		if (result == -ESRCH && ++ended < rounds)
			continue; /* the others can still be measured */
		if (result)
			return refused(attachment, file, group, pid, result, err);
	}
	return 0;
}

static int set_rows(struct attachment *attachment, const struct request *request,
		    struct probekit_error *err)
{
	const struct plan *plan = attachment->plan;
	int result = 0;

	for (uint32_t i = request->from_site; i < plan->site_count && !result; i++) {
		uint32_t probe = plan->sites[i].probe;
		bool is_lock = plan->sites[i].program == PROGRAM_LOCK_ACQUIRED;

		if (!is_asked(request, &plan->probes[probe]))
			continue;
		for (uint32_t p = probe; p <= probe + is_lock && !result; p++)
			result = engine_set_row(
				attachment->engine, ENGINE_PROBE(p),
				plan->probes[p].row == UINT32_MAX
					? UINT32_MAX /* no room: nothing is recorded */
					: ENGINE_ROW(plan->probes[p].row),
				err);
	}
	return result;
}

int attachment_add(struct attachment *attachment, uint32_t from_site, uint32_t batch, bool is_late,
		   struct attach_links *links, struct probekit_error *err)
{
	size_t sites = attachment->plan->site_count - from_site;
	struct request request = {
		.from_site = from_site, .batch = batch, .is_late = is_late, .links = links};
	struct group group = {
		.offsets = calloc(sites + 1, sizeof(uint64_t)),
		.semaphores = calloc(sites + 1, sizeof(uint64_t)),
		.cookies = calloc(sites + 1, sizeof(uint64_t)),
	};
	int result = group.offsets && group.semaphores && group.cookies ? 0 : error_no_memory(err);

	for (int program = 0; program < PROGRAM_COUNT && !result; program++) {
		/* What is attached last runs first, and the time that the caller's programs take is no
		 * part of spans: they come after our begins and before our ends. */
		if (program == PROGRAM_SPAN_END && batch == 0)
			result = custom_attach(attachment->custom, attachment,
					       attachment->custom_from, 0, links, err);
		for (uint32_t i = 0;
		     i < attachment->objects->size && !result && !attachment->is_custom_only; i++)
			result = attach_object(attachment, i, (enum program)program, &request,
					       &group, err);
	}
	if (!result && batch)
		result = custom_attach(attachment->custom, attachment, attachment->custom_from,
				       batch, links, err);
	if (!result) /* last: that lets late ones record */
		result = set_rows(attachment, &request, err);
	free(group.offsets);
	free(group.semaphores);
	free(group.cookies);
	return result;
}
