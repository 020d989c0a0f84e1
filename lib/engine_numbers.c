/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns the numbers of processes and threads. Programs see the kernel's; where we are in a PID namespace, such as a
 * container's, all that goes in and comes out of the engine is of that namespace: 0 for what is not in it.
 */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "engine_state.h"
#include "process.h"
#include "quiet.h"

void engine_configure_numbers(struct engine *engine)
{
	struct probekit_bpf *bpf = engine->bpf;

	bpf->rodata->has_own_numbers = !process_has_kernel_pids();
	bpf_program__set_autoload(bpf->progs.list_numbers, bpf->rodata->has_own_numbers);
	if (!bpf->rodata->has_own_numbers)
		return;
	bpf_map__set_max_entries(bpf->maps.own_numbers, MAX_OWN_NUMBERS);
	bpf_map__set_max_entries(bpf->maps.kernel_numbers, MAX_OWN_NUMBERS);
}

void engine_note_numbers(const struct engine *engine)
{
	libbpf_print_fn_t print;

	if (!engine->bpf->rodata->has_own_numbers)
		return;
	print = quiet_begin();
	engine_iterate(engine->bpf->progs.list_numbers, NULL, NULL);
	libbpf_set_print(print);
}

uint32_t engine_kernel_pid(const struct engine *engine, pid_t pid)
{
	int map = bpf_map__fd(engine->bpf->maps.kernel_numbers);
	uint32_t own = (uint32_t)pid;
	uint32_t kernel = 0;

	if (!engine->bpf->rodata->has_own_numbers)
		return own;
	if (bpf_map_lookup_elem(map, &own, &kernel) == 0)
		return kernel;
	engine_note_numbers(engine); /* it has come since */
	return bpf_map_lookup_elem(map, &own, &kernel) == 0 ? kernel : 0;
}

void engine_own_thread(const struct engine *engine, uint32_t *pid, uint32_t *tid)
{
	int map = bpf_map__fd(engine->bpf->maps.own_numbers);
	struct own_number own = {0};

	if (!engine->bpf->rodata->has_own_numbers || !*tid)
		return;
	if (bpf_map_lookup_elem(map, tid, &own)) {
		engine_note_numbers(engine);
		if (bpf_map_lookup_elem(map, tid, &own))
			own = (struct own_number){0};
	}
	*pid = own.pid;
	*tid = own.tid;
}

void engine_own_process(const struct engine *engine, uint32_t *pid)
{
	uint32_t leader = *pid;

	engine_own_thread(engine, pid, &leader);
}

void engine_own_space(const struct engine *engine, uint32_t *space)
{
	if (!(*space & SHARED_MEMORY))
		engine_own_process(engine, space);
}

void engine_own_place(const struct engine *engine, struct futex_place *place)
{
	uint32_t space = (uint32_t)place->space;

	engine_own_space(engine, &space);
	place->space = space;
}

void engine_kernel_space(const struct engine *engine, uint32_t *space)
{
	if (*space && !(*space & SHARED_MEMORY))
		*space = engine_kernel_pid(engine, (pid_t)*space);
}

/* Of a lock it is where that is. */
static void own_wait(const struct engine *engine, uint8_t time_class, uint32_t *pid)
{
	if (time_class == CLASS_LOCK)
		engine_own_space(engine, pid);
	else
		engine_own_process(engine, pid);
}

void engine_own_cause(const struct engine *engine, struct cause_key *key)
{
	own_wait(engine, key->time_class, &key->pid);
}

void engine_own_holding(const struct engine *engine, struct holding_key *key)
{
	uint32_t thief = (uint32_t)key->address;

	engine_own_space(engine, &key->space);
	engine_own_space(engine, &key->address_space);
	if (key->time_class == CLASS_RUNQUEUE) {
		engine_own_process(engine, &thief);
		key->address = thief;
	}
	engine_own_thread(engine, &key->pid, &key->tid);
}

void engine_own_open(const struct engine *engine, struct open_record *record)
{
	engine_own_thread(engine, &record->pid, &record->tid);
	engine_own_thread(engine, &record->owner_pid, &record->owner_tid);
	engine_own_place(engine, &record->place);
}

void engine_own_stack(const struct engine *engine, struct stack_record *record)
{
	own_wait(engine, record->wait.time_class, &record->wait.pid);
	engine_own_thread(engine, &record->pid, &record->tid);
	engine_own_thread(engine, &record->holder_pid, &record->holder_tid);
}

const void *engine_own_record(struct engine *engine, const void *record, size_t size_bytes)
{
	struct span_record *span;
	uint32_t kind;

	if (!engine->bpf->rodata->has_own_numbers || size_bytes < sizeof(kind))
		return record;
	if (!engine->record)
		engine->record = malloc(sizeof(struct stack_record) + SAMPLE_BYTES_MAX);
	if (!engine->record || size_bytes > sizeof(struct stack_record) + SAMPLE_BYTES_MAX)
		return record;
	memcpy(engine->record, record, size_bytes);
	memcpy(&kind, record, sizeof(kind));
	span = engine->record;
	if (kind == RECORD_STACK && size_bytes >= sizeof(struct stack_record))
		engine_own_stack(engine, engine->record);
	else if (kind == RECORD_SPAN && size_bytes >= sizeof(*span))
		engine_own_thread(engine, &span->pid, &span->tid);
	return engine->record;
}

void engine_own_futex(const struct engine *engine, struct futex_record *record)
{
	engine_own_place(engine, &record->place);
	engine_own_thread(engine, &record->pid, &record->tid);
	engine_own_thread(engine, &record->owner_pid, &record->owner_tid);
}
