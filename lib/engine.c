/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the life of the BPF object, and what it is told while it runs. */
#include "engine.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../bpf/bucket.h"
#include "attach.h"
#include "engine_state.h"
#include "quiet.h"
#include "sampler.h"
#include "syscalls.h"

#define MAX_SHARDS 16
#define MEMORY_BUDGET_BYTES (64ull << 20)
#define MIN_SCALE 2
#define MAX_ASYNC_SPANS 65536
#define SAMPLES_AT_ONCE 1024 /* they may come as fast as they are read */

static uint32_t shard_count(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t shards = 1;

	while (shards < MAX_SHARDS && (long)shards < cpus)
		shards *= 2;
	return shards;
}

static size_t row_bytes(int32_t scale)
{
	return sizeof(struct row) + ((size_t)BUCKET_SLOTS(scale)) * sizeof(uint64_t);
}

static void choose_scale(struct engine *engine)
{
	engine->scale = BUCKET_SCALE;
	while (engine->scale > MIN_SCALE &&
	       (uint64_t)engine->rows * engine->shards * row_bytes(engine->scale) >
		       MEMORY_BUDGET_BYTES)
		engine->scale--;
	engine->row_bytes = row_bytes(engine->scale);
}

static struct bpf_program *program_of(const struct probekit_bpf *bpf, enum program program)
{
	struct bpf_program *const programs[PROGRAM_COUNT] = {
		[PROGRAM_FUNCTION_RETURN] = bpf->progs.function_return,
		[PROGRAM_FUNCTION_EXIT] = bpf->progs.function_return,
		[PROGRAM_FUNCTION_ENTRY] = bpf->progs.function_entry,
		[PROGRAM_HOLD_BEGIN] = bpf->progs.hold_site,
		[PROGRAM_SPAN_BEGIN] = bpf->progs.span_begin,
		[PROGRAM_PAIR_BEGIN] = bpf->progs.named_site,
		[PROGRAM_ASYNC_BEGIN] = bpf->progs.async_begin,
		[PROGRAM_LOCK_WAIT_BEGIN] = bpf->progs.named_site,
		[PROGRAM_VALUE] = bpf->progs.value,
		[PROGRAM_LOCK_ACQUIRED] = bpf->progs.named_site,
		[PROGRAM_SPAN_END] = bpf->progs.span_end,
		[PROGRAM_PAIR_END] = bpf->progs.named_site,
		[PROGRAM_ASYNC_END] = bpf->progs.async_end,
		[PROGRAM_LOCK_RELEASED] = bpf->progs.named_site,
		[PROGRAM_HOLD_END] = bpf->progs.hold_site,
		[PROGRAM_COUNT_HIT] = bpf->progs.count_hit,
	};

	return programs[program];
}

static void configure(struct engine *engine, const struct engine_options *options)
{
	struct probekit_bpf *bpf = engine->bpf;
	struct bpf_program *program;

	bpf->rodata->shard_mask = engine->shards - 1;
	bpf->rodata->scale = (uint32_t)engine->scale;
	bpf->rodata->key_limit = options->key_limit;
	bpf->rodata->filter_key = options->filter_key;
	bpf->rodata->only_key = options->only_key;
	bpf->rodata->has_breakdown = options->has_breakdown;
	bpf->rodata->has_task_from_pid = options->has_task_from_pid;
	bpf->rodata->slow_over_ns = options->slow_over_ns;
	bpf->rodata->excludes_stopped = options->excludes_stopped;
	bpf->rodata->has_strays = options->has_strays;
	bpf->rodata->follows_children = options->follows_children;
	bpf->rodata->futex_syscall = SYS_futex;
	bpf->rodata->page_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
	bpf->rodata->lose_switches = options->lose_switches;
	bpf->rodata->lose_tasks = options->lose_tasks;
	engine_configure_profile(engine, options);
	engine_configure_futexes(engine, options);
	if (!options->has_breakdown)
		bpf_map__set_max_entries(bpf->maps.stack_slots, 1);
	bpf->rodata->sample_period_ns = options->has_breakdown ? sampler_period_ns() : 0;
	bpf_map__set_max_entries(bpf->maps.sample_rooms,
				 options->has_breakdown ? (uint32_t)libbpf_num_possible_cpus() : 1);
	syscalls_fill_kinds(bpf->rodata->syscall_kinds);
	bpf_map__set_value_size(bpf->maps.rows, (uint32_t)engine->row_bytes);
	bpf_map__set_max_entries(bpf->maps.rows, options->rows * engine->shards);
	bpf_map__set_max_entries(bpf->maps.counters, options->probes);
	bpf_map__set_max_entries(bpf->maps.key_tables, options->probes);
	bpf_map__set_max_entries(bpf->maps.slowness, options->probes);
	bpf_map__set_max_entries(bpf->maps.probe_rows, options->probes);
	bpf_map__set_max_entries(bpf->maps.arguments, options->sites ? options->sites : 1);
	bpf_map__set_max_entries(bpf->maps.async_spans, options->has_async ? MAX_ASYNC_SPANS : 1);
	bpf_object__for_each_program (program, bpf->obj) {
		bpf_program__set_autoload(program, true);
		if (options->use_multi && bpf_program__type(program) == BPF_PROG_TYPE_KPROBE)
			bpf_program__set_expected_attach_type(program, ATTACH_TYPE_UPROBE_MULTI);
	}
	for (int i = 0; i < PROGRAM_COUNT; i++)
		bpf_program__set_autoload(program_of(bpf, (enum program)i), false);
	for (int i = 0; i < PROGRAM_COUNT; i++) /* two may be one program */
		if (!options->leaves_out[i])
			bpf_program__set_autoload(program_of(bpf, (enum program)i), true);
	bpf_program__set_autoload(bpf->progs.on_switch, options->has_breakdown);
	bpf_program__set_autoload(bpf->progs.on_waking, options->has_breakdown);
	bpf_program__set_autoload(bpf->progs.on_thread, options->has_breakdown);
	bpf_program__set_autoload(bpf->progs.stock_up, options->has_breakdown);
	bpf_program__set_autoload(bpf->progs.on_child, options->follows_children);
	bpf_program__set_autoload(bpf->progs.adopt, options->has_breakdown);
	bpf_program__set_autoload(bpf->progs.on_fault, options->has_fault_address);
	bpf_program__set_autoload(bpf->progs.list_stacks, options->has_breakdown);
	bpf_program__set_autoload(bpf->progs.list_profiled, options->profile_scope != PROFILE_NONE);
	bpf_program__set_autoload(bpf->progs.list_futexes, options->counts_futexes);
	bpf_program__set_autoload(bpf->progs.on_sample, bpf->rodata->sample_period_ns > 0);
	engine_configure_numbers(engine);
}

static int map_memory(struct bpf_map *map, size_t entry_bytes, void **memory, size_t *bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	*bytes = (entry_bytes * bpf_map__max_entries(map) + page - 1) / page * page;
	*memory = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (*memory != MAP_FAILED)
		return 0;
	*memory = NULL;
	return -errno;
}

static int on_event(void *context, void *data, size_t size)
{
	struct engine *engine = context;
	struct event event;

	if (size < sizeof(event))
		return 0;
	memcpy(&event, data, sizeof(event));
	engine_own_process(engine, &event.pid);
	if (event.kind == EVENT_PROCESS)
		engine->has_new_process = true;
	else if (event.kind != EVENT_PROGRAM)
		engine->follow_events++;
	if (event.kind == EVENT_EXEC)
		engine->executed((pid_t)event.pid, engine->executed_arg);
	else
		engine_note_program(engine, (pid_t)event.pid);
	return 0;
}

static int on_sample(void *context, void *data, size_t size)
{
	struct engine *engine = context;
	int result = engine->visit_sample(engine_own_record(engine, data, size), size,
					  engine->visit_arg);

	return result || --engine->samples_left ? result : -ECANCELED;
}

static int map_aggregates(struct engine *engine)
{
	struct probekit_bpf *bpf = engine->bpf;
	int result;

	result = map_memory(bpf->maps.rows, engine->row_bytes, (void **)&engine->row_memory,
			    &engine->row_memory_bytes);
	if (!result)
		result = map_memory(bpf->maps.counters, sizeof(*engine->counters),
				    (void **)&engine->counters, &engine->counters_bytes);
	if (!result)
		result = map_memory(bpf->maps.key_tables, sizeof(*engine->keys),
				    (void **)&engine->keys, &engine->keys_bytes);
	if (result)
		return result;
	for (uint32_t i = 0; i < engine->probes; i++)
		for (int k = 0; k < KEY_SLOTS; k++)
			engine->keys[i].keys[k] = KEY_EMPTY;
	result = map_memory(bpf->maps.slowness, sizeof(*engine->slowness),
			    (void **)&engine->slowness, &engine->slowness_bytes);
	if (result)
		return result;
	engine->events = ring_buffer__new(bpf_map__fd(bpf->maps.events), on_event, engine, NULL);
	if (!engine->events)
		return -errno;
	engine->samples = ring_buffer__new(bpf_map__fd(bpf->maps.samples), on_sample, engine, NULL);
	return engine->samples ? 0 : -errno;
}

/* Where it cannot be run, or not on a CPU that is off, what does not fit is counted. */
static void stock_up(struct probekit_bpf *bpf)
{
	int cpus = libbpf_num_possible_cpus();

	for (int i = 0; i < cpus; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, run, .flags = BPF_F_TEST_RUN_ON_CPU,
			    .cpu = (uint32_t)i);

		bpf_prog_test_run_opts(bpf_program__fd(bpf->progs.stock_up), &run);
	}
}

static int attach_hooks(struct engine *engine)
{
	struct probekit_bpf *bpf = engine->bpf;

	bpf->links.on_exit = bpf_program__attach_raw_tracepoint(bpf->progs.on_exit, NULL);
	if (!bpf->links.on_exit)
		return -errno;
	bpf->links.on_exec = bpf_program__attach_raw_tracepoint(bpf->progs.on_exec, NULL);
	if (!bpf->links.on_exec)
		return -errno;
	if (bpf->rodata->follows_children) {
		bpf->links.on_child = bpf_program__attach_raw_tracepoint(bpf->progs.on_child, NULL);
		if (!bpf->links.on_child)
			return -errno;
	}
	if (!bpf->rodata->has_breakdown)
		return 0;
	stock_up(bpf);
	bpf->links.on_switch = bpf_program__attach_raw_tracepoint(bpf->progs.on_switch, NULL);
	if (!bpf->links.on_switch)
		return -errno;
	bpf->links.on_waking = bpf_program__attach_raw_tracepoint(bpf->progs.on_waking, NULL);
	if (!bpf->links.on_waking)
		return -errno;
	/* Without it what runs on-CPU is not told, and all else is. */
	if (bpf->rodata->sample_period_ns)
		bpf->links.on_sample =
			bpf_program__attach_raw_tracepoint(bpf->progs.on_sample, NULL);
	if (bpf_program__autoload(bpf->progs.on_fault))
		bpf->links.on_fault = bpf_program__attach_raw_tracepoint(bpf->progs.on_fault, NULL);
	bpf->links.on_thread = bpf_program__attach_raw_tracepoint(bpf->progs.on_thread, NULL);
	return bpf->links.on_thread ? 0 : -errno;
}

static int load_error(const struct engine *engine, int result, struct probekit_error *err)
{
	/* libbpf's for any reason not to read the kernel's types, which are there */
	if (result == -ESRCH)
		result = -ENOMEM;
	if (result == -EPERM || result == -EACCES)
		return error_unavailable(err, result,
					 "the kernel refuses to load the BPF programs: %s",
					 strerror(-result));
	if (result == -ENOMEM || result == -E2BIG)
		return error_errno(err, result, "cannot load the BPF maps (%u rows in %u shards)",
				   engine->rows, engine->shards);
	return error_unavailable(err, result, "the kernel cannot load the BPF programs: %s",
				 strerror(-result));
}

static int load(struct engine *engine, const struct engine_options *options,
		struct probekit_error *err)
{
	int result;

	result = engine_open_object(engine);
	if (result)
		return error_errno(err, result, "cannot open the BPF object");
	configure(engine, options);
	result = engine_load_object(engine, options->types);
	if (result)
		return load_error(engine, result, err);
	result = map_aggregates(engine);
	return result ? error_errno(err, result, "cannot map the BPF maps") : 0;
}

int engine_new(const struct engine_options *options, struct engine **out,
	       struct probekit_error *err)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	libbpf_print_fn_t print;
	int result;

	if (!engine)
		return error_no_memory(err);
	engine->shards = shard_count();
	engine->rows = options->rows;
	engine->probes = options->probes;
	choose_scale(engine);
	print = quiet_begin();
	result = load(engine, options, err);
	libbpf_set_print(print);
	if (result) {
		engine_free(engine);
		return result;
	}
	*out = engine;
	return 0;
}

int engine_attach(struct engine *engine, struct probekit_error *err)
{
	libbpf_print_fn_t print;
	int result = engine_finish_load(engine);

	if (result)
		return load_error(engine, result, err);
	print = quiet_begin();
	engine_note_numbers(engine);
	result = attach_hooks(engine);
	libbpf_set_print(print);
	if (!result)
		return 0;
	return error_unavailable(err, result,
				 "cannot attach to process exit, exec and the scheduler: %s",
				 strerror(-result));
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	engine_finish_load(engine);
	ring_buffer__free(engine->events);
	ring_buffer__free(engine->samples);
	free(engine->programs);
	free(engine->record);
	if (engine->slowness)
		munmap(engine->slowness, engine->slowness_bytes);
	if (engine->row_memory)
		munmap(engine->row_memory, engine->row_memory_bytes);
	if (engine->counters)
		munmap(engine->counters, engine->counters_bytes);
	if (engine->keys)
		munmap(engine->keys, engine->keys_bytes);
	probekit_bpf__destroy(engine->bpf);
	free(engine);
}

int engine_program_fd(const struct engine *engine, enum program program)
{
	return bpf_program__fd(program_of(engine->bpf, program));
}

int32_t engine_scale(const struct engine *engine)
{
	return engine->scale;
}

static int update(struct bpf_map *map, uint32_t key, const void *value, struct probekit_error *err)
{
	if (bpf_map_update_elem(bpf_map__fd(map), &key, value, BPF_ANY) == 0)
		return 0;
	return error_errno(err, -errno, "cannot fill the BPF map '%s'", bpf_map__name(map));
}

int engine_set_argument(struct engine *engine, uint32_t site,
			const struct probekit_argument *argument, struct probekit_error *err)
{
	return update(engine->bpf->maps.arguments, site, argument, err);
}

int engine_set_row(struct engine *engine, uint32_t probe, uint32_t row, struct probekit_error *err)
{
	return update(engine->bpf->maps.probe_rows, probe, &row, err);
}

void engine_record(struct engine *engine, uint64_t now_ns)
{
	__atomic_store_n(&engine->bpf->bss->measure_start_ns, now_ns, __ATOMIC_RELEASE);
	__atomic_store_n(&engine->bpf->bss->is_recording, true, __ATOMIC_SEQ_CST);
}

void engine_pause(struct engine *engine)
{
	__atomic_store_n(&engine->bpf->bss->is_recording, false, __ATOMIC_SEQ_CST);
}

int engine_poll_events(struct engine *engine, void (*executed)(pid_t pid, void *arg), void *arg)
{
	libbpf_print_fn_t print = quiet_begin();

	engine->follow_events = 0;
	engine->has_new_process = false;
	engine->executed = executed;
	engine->executed_arg = arg;
	ring_buffer__consume(engine->events);
	if (engine->has_new_process)
		engine_iterate(engine->bpf->progs.adopt, NULL, NULL);
	libbpf_set_print(print);
	return engine->follow_events;
}

void engine_adopt(struct engine *engine, const pid_t *pids, size_t count)
{
	int map = bpf_map__fd(engine->bpf->maps.processes);
	libbpf_print_fn_t print;
	uint32_t one = 1;

	if (!engine->bpf->rodata->has_breakdown)
		return;
	for (size_t i = 0; i < count; i++)
		bpf_map_update_elem(map, &(uint32_t){engine_kernel_pid(engine, pids[i])}, &one,
				    BPF_ANY);
	print = quiet_begin();
	engine_iterate(engine->bpf->progs.adopt, NULL, NULL);
	libbpf_set_print(print);
}

int engine_poll_samples(struct engine *engine,
			int (*visit)(const void *record, size_t size_bytes, void *arg), void *arg)
{
	int result;

	engine->visit_sample = visit;
	engine->visit_arg = arg;
	engine->samples_left = SAMPLES_AT_ONCE;
	result = ring_buffer__consume(engine->samples);
	return result == -ECANCELED ? 1 : result < 0 ? result : 0;
}

void engine_lengthen_copies(struct engine *engine)
{
	uint32_t *bytes = &engine->bpf->data->copy_bytes;

	if (*bytes < SAMPLE_BYTES_MAX)
		__atomic_store_n(bytes, 2 * *bytes, __ATOMIC_RELAXED);
}

void engine_set_slow(struct engine *engine, uint32_t probe, uint64_t from_ns)
{
	__atomic_store_n(&engine->slowness[probe].from_ns, from_ns, __ATOMIC_RELAXED);
}

void engine_renew(struct engine *engine, uint32_t number)
{
	__atomic_store_n(&engine->bpf->bss->renewal, number, __ATOMIC_SEQ_CST);
}

void engine_drop(struct engine *engine, uint32_t probe)
{
	__atomic_store_n(&engine->counters[probe].is_dropped, 1, __ATOMIC_SEQ_CST);
}

uint64_t engine_slow_spans(const struct engine *engine)
{
	return __atomic_load_n(&engine->bpf->bss->slow_spans, __ATOMIC_RELAXED);
}

int engine_event_fd(const struct engine *engine)
{
	return ring_buffer__epoll_fd(engine->events);
}

uint64_t engine_hits(const struct engine *engine)
{
	return __atomic_load_n(&engine->bpf->bss->hits, __ATOMIC_ACQUIRE);
}
