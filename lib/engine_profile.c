/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what the kernel keeps for a profile: how it is set up, and read. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "array.h"
#include "engine_state.h"
#include "quiet.h"

/* Threads of a process may all be blocked for long: each needs its slot until it is back. */
#define PROFILE_STACK_SLOTS 512

void engine_configure_profile(struct engine *engine, const struct engine_options *options)
{
	struct probekit_bpf *bpf = engine->bpf;

	bpf->rodata->profile_scope = options->profile_scope;
	bpf->rodata->profiles_oncpu = options->profiles_oncpu;
	if (options->profile_scope == PROFILE_NONE)
		return;
	bpf->rodata->stack_slot_mask = PROFILE_STACK_SLOTS - 1;
	bpf_map__set_max_entries(bpf->maps.stack_slots, PROFILE_STACK_SLOTS);
	bpf_map__set_max_entries(bpf->maps.profile_times, MAX_PROFILE_TIMES);
}

int engine_begin_profile(struct engine *engine)
{
	int map = bpf_map__fd(engine->bpf->maps.profile_times);
	const uint64_t none = 0;
	struct profile_key key;

	while (bpf_map_get_next_key(map, NULL, &key) == 0)
		if (bpf_map_delete_elem(map, &key))
			return -errno;
	/* of all that finds no room later */
	for (int i = 0; i < CLASS_COUNT; i++) {
		key = (struct profile_key){.syscall = NO_SYSCALL, .time_class = (uint8_t)i};
		if (bpf_map_update_elem(map, &key, &none, BPF_ANY))
			return -errno;
	}
	engine->counters[0] = (struct probe_counters){0};
	return 0;
}

int engine_visit_profile_times(const struct engine *engine,
			       int (*visit)(const struct profile_key *key, uint64_t ns, void *arg),
			       void *arg)
{
	int map = bpf_map__fd(engine->bpf->maps.profile_times);
	struct profile_key key;
	const void *previous = NULL;
	uint64_t ns;
	int result = 0;

	while (!result && bpf_map_get_next_key(map, previous, &key) == 0) {
		struct profile_key own = key; /* the next is found by the kernel's */

		previous = &key;
		engine_own_process(engine, &own.pid);
		if (bpf_map_lookup_elem(map, &key, &ns) == 0 && ns)
			result = visit(&own, ns, arg);
	}
	return result;
}

void engine_note_program(struct engine *engine, pid_t pid)
{
	pid_t *grown;

	if (engine->bpf->rodata->profile_scope == PROFILE_NONE &&
	    !engine->bpf->rodata->counts_futexes)
		return;
	grown = array_grow(engine->programs, engine->program_count, sizeof(*grown));
	if (!grown)
		return;
	engine->programs = grown;
	grown[engine->program_count++] = pid;
}

void engine_take_programs(struct engine *engine, void (*visit)(pid_t pid, void *arg), void *arg)
{
	for (size_t i = 0; i < engine->program_count; i++)
		visit(engine->programs[i], arg);
	engine->program_count = 0;
}

bool engine_has_adopted(const struct engine *engine, pid_t pid)
{
	uint32_t key = engine_kernel_pid(engine, pid);
	uint32_t value;

	return bpf_map_lookup_elem(bpf_map__fd(engine->bpf->maps.processes), &key, &value) == 0;
}

_Static_assert(sizeof(struct profile_record) <= ENGINE_RECORD_BYTES, "fits");

struct profiled_visit {
	const struct engine *engine;
	int (*visit)(const struct profile_record *record, void *arg);
	void *arg;
};

static int visit_profiled(const void *record, void *arg)
{
	const struct profiled_visit *profiled = arg;
	struct profile_record own = *(const struct profile_record *)record;

	engine_own_thread(profiled->engine, &own.pid, &own.tid);
	return profiled->visit(&own, profiled->arg);
}

int engine_visit_profiled(struct engine *engine,
			  int (*visit)(const struct profile_record *record, void *arg), void *arg)
{
	struct profiled_visit profiled = {.engine = engine, .visit = visit, .arg = arg};
	libbpf_print_fn_t print = quiet_begin();
	int result =
		engine_iterate_records(engine->bpf->progs.list_profiled,
				       sizeof(struct profile_record), visit_profiled, &profiled);

	libbpf_set_print(print);
	return result;
}
