/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the BPF object and the memory it shares with us. */
#include "engine.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../bpf/bucket.h"
#include "attach.h"
#include "probekit.skel.h"
#include "quiet.h"
#include "syscalls.h"

#define MAX_SHARDS 16
#define MEMORY_BUDGET_BYTES (64ull << 20)
#define MIN_SCALE 2
#define MAX_ASYNC_SPANS 65536

struct engine {
	struct probekit_bpf *bpf;
	uint32_t shards;
	int32_t scale;
	size_t row_bytes;
	uint32_t rows;
	uint32_t probes;
	uint8_t *row_memory;
	size_t row_memory_bytes;
	struct probe_counters *counters;
	size_t counters_bytes;
	struct key_table *keys;
	size_t keys_bytes;
	struct ring_buffer *events;
	int exec_events;
};

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
		[PROGRAM_SPAN_BEGIN] = bpf->progs.span_begin,
		[PROGRAM_PAIR_BEGIN] = bpf->progs.pair_begin,
		[PROGRAM_ASYNC_BEGIN] = bpf->progs.async_begin,
		[PROGRAM_LOCK_WAIT_BEGIN] = bpf->progs.lock_wait_begin,
		[PROGRAM_VALUE] = bpf->progs.value,
		[PROGRAM_LOCK_ACQUIRED] = bpf->progs.lock_acquired,
		[PROGRAM_SPAN_END] = bpf->progs.span_end,
		[PROGRAM_PAIR_END] = bpf->progs.pair_end,
		[PROGRAM_ASYNC_END] = bpf->progs.async_end,
		[PROGRAM_LOCK_RELEASED] = bpf->progs.lock_released,
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
	syscalls_fill_kinds(bpf->rodata->syscall_kinds);
	bpf_map__set_value_size(bpf->maps.rows, (uint32_t)engine->row_bytes);
	bpf_map__set_max_entries(bpf->maps.rows, options->rows * engine->shards);
	bpf_map__set_max_entries(bpf->maps.counters, options->probes);
	bpf_map__set_max_entries(bpf->maps.key_tables, options->probes);
	bpf_map__set_max_entries(bpf->maps.probe_rows, options->probes);
	bpf_map__set_max_entries(bpf->maps.arguments, options->sites ? options->sites : 1);
	bpf_map__set_max_entries(bpf->maps.async_spans, options->has_async ? MAX_ASYNC_SPANS : 1);
	bpf_object__for_each_program (program, bpf->obj) {
		bpf_program__set_autoload(program, true);
		if (options->use_multi && bpf_program__type(program) == BPF_PROG_TYPE_KPROBE)
			bpf_program__set_expected_attach_type(program, ATTACH_TYPE_UPROBE_MULTI);
	}
	for (int i = 0; i < PROGRAM_COUNT; i++)
		if (options->leaves_out[i])
			bpf_program__set_autoload(program_of(bpf, (enum program)i), false);
	bpf_program__set_autoload(bpf->progs.on_switch, options->has_breakdown);
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

	(void)data, (void)size;
	engine->exec_events++;
	return 0;
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
	engine->events = ring_buffer__new(bpf_map__fd(bpf->maps.events), on_event, engine, NULL);
	return engine->events ? 0 : -errno;
}

static int attach_hooks(struct engine *engine)
{
	struct probekit_bpf *bpf = engine->bpf;

	bpf->links.on_exit = bpf_program__attach(bpf->progs.on_exit);
	if (!bpf->links.on_exit)
		return -errno;
	bpf->links.on_exec = bpf_program__attach(bpf->progs.on_exec);
	if (!bpf->links.on_exec)
		return -errno;
	if (!bpf->rodata->has_breakdown)
		return 0;
	bpf->links.on_switch = bpf_program__attach(bpf->progs.on_switch);
	return bpf->links.on_switch ? 0 : -errno;
}

static int load(struct engine *engine, const struct engine_options *options,
		struct probekit_error *err)
{
	int result;

	engine->bpf = probekit_bpf__open();
	if (!engine->bpf)
		return error_errno(err, -errno, "cannot open the BPF object");
	configure(engine, options);
	result = probekit_bpf__load(engine->bpf);
	if (result == -EPERM || result == -EACCES)
		return error_unavailable(err, result,
					 "the kernel refuses to load the BPF programs: %s",
					 strerror(-result));
	if (result == -ENOMEM || result == -E2BIG)
		return error_errno(err, result, "cannot load the BPF maps (%u rows in %u shards)",
				   options->rows, engine->shards);
	if (result)
		return error_unavailable(err, result, "the kernel cannot load the BPF programs: %s",
					 strerror(-result));
	result = map_aggregates(engine);
	if (result)
		return error_errno(err, result, "cannot map the BPF maps");
	result = attach_hooks(engine);
	if (result)
		return error_unavailable(
			err, result, "cannot attach to process exit, exec and the scheduler: %s",
			strerror(-result));
	return 0;
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

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	ring_buffer__free(engine->events);
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

int engine_set_argument(struct engine *engine, uint32_t site, const struct argument *argument,
			struct probekit_error *err)
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

void engine_watch_exec(struct engine *engine, pid_t pid)
{
	__atomic_store_n(&engine->bpf->bss->command_pid, (uint32_t)pid, __ATOMIC_RELEASE);
}

int engine_poll_exec(struct engine *engine)
{
	engine->exec_events = 0;
	ring_buffer__consume(engine->events);
	return engine->exec_events;
}

int engine_event_fd(const struct engine *engine)
{
	return ring_buffer__epoll_fd(engine->events);
}

uint64_t engine_hits(const struct engine *engine)
{
	return __atomic_load_n(&engine->bpf->bss->hits, __ATOMIC_ACQUIRE);
}

size_t engine_slots(const struct engine *engine)
{
	return BUCKET_SLOTS(engine->scale);
}

int32_t engine_first_bucket(const struct engine *engine, bool is_duration)
{
	return BUCKET_SLOT_BASE - (is_duration ? BUCKET_SECONDS_EXPONENT << engine->scale : 0);
}

static void raise_to(uint64_t *at, uint64_t value)
{
	if (value > *at)
		*at = value;
}

static void add_bands(struct row_sums *sums, const struct row *row)
{
	for (uint32_t band = 0; band < BUCKET_OCTAVES; band++)
		for (int i = 0; i < CLASS_COUNT; i++)
			sums->bands[band][i] +=
				__atomic_load_n(&row->bands[band][i], __ATOMIC_RELAXED);
}

void engine_read_row(struct engine *engine, uint32_t index, struct row_sums *sums)
{
	size_t slots = engine_slots(engine);
	uint64_t *into = sums->slots;

	*sums = (struct row_sums){.slots = into};
	memset(into, 0, slots * sizeof(*into));
	for (uint32_t shard = 0; shard < engine->shards; shard++) {
		size_t at = ((size_t)index * engine->shards + shard) * engine->row_bytes;
		struct row *row = (struct row *)(engine->row_memory + at);

		sums->sum += __atomic_load_n(&row->sum, __ATOMIC_RELAXED);
		sums->zero_count += __atomic_load_n(&row->zero_count, __ATOMIC_RELAXED);
		sums->negative_count += __atomic_load_n(&row->negative_count, __ATOMIC_RELAXED);
		sums->out_of_range += __atomic_load_n(&row->out_of_range, __ATOMIC_RELAXED);
		sums->unexplained_ns += __atomic_load_n(&row->unexplained_ns, __ATOMIC_RELAXED);
		add_bands(sums, row);
		for (size_t i = 0; i < slots; i++)
			into[i] += __atomic_load_n((uint64_t *)&row->slots[i], __ATOMIC_ACQUIRE);
		/* after the counts: what is counted has raised its extremes before */
		raise_to(&sums->max, __atomic_exchange_n(&row->max, 0, __ATOMIC_RELAXED));
		raise_to(&sums->inverted_min,
			 __atomic_exchange_n(&row->inverted_min, 0, __ATOMIC_RELAXED));
	}
}

void engine_read_counters(const struct engine *engine, uint32_t probe,
			  struct probe_counters *counters)
{
	const uint64_t *from = (const uint64_t *)&engine->counters[probe];
	uint64_t *to = (uint64_t *)counters;

	for (size_t i = 0; i < sizeof(*counters) / sizeof(*to); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

/* The next element of a hash that is there; false behind the last. */
static bool next_element(int map, bool *has_begun, void *key, void *value)
{
	while (bpf_map_get_next_key(map, *has_begun ? key : NULL, key) == 0) {
		*has_begun = true;
		if (bpf_map_lookup_elem(map, key, value) == 0)
			return true;
	}
	return false;
}

int engine_visit_relations(const struct engine *engine,
			   int (*visit)(const struct relation_key *key,
					const struct relation *relation, void *arg),
			   void *arg)
{
	int map = bpf_map__fd(engine->bpf->maps.relations);
	struct relation_key key;
	struct relation relation;
	bool has_begun = false;
	int result = 0;

	while (!result && next_element(map, &has_begun, &key, &relation))
		result = visit(&key, &relation, arg);
	return result;
}

int engine_visit_causes(const struct engine *engine,
			int (*visit)(const struct cause_key *key, const struct cause *cause,
				     void *arg),
			void *arg)
{
	int map = bpf_map__fd(engine->bpf->maps.causes);
	struct cause_key key;
	struct cause cause;
	bool has_begun = false;
	int result = 0;

	while (!result && next_element(map, &has_begun, &key, &cause))
		result = visit(&key, &cause, arg);
	return result;
}

int64_t engine_key(const struct engine *engine, uint32_t probe, uint32_t i)
{
	return __atomic_load_n(&engine->keys[probe].keys[i], __ATOMIC_ACQUIRE);
}

static int visit_frames(struct engine *engine,
			int (*visit)(const struct open_record *record, void *arg), void *arg)
{
	struct open_record records[64];
	struct bpf_link *link = bpf_program__attach_iter(engine->bpf->progs.list_open, NULL);
	int result = 0;
	size_t have = 0;
	ssize_t got;
	int fd;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		result = -errno;
	while (!result) {
		got = read(fd, (char *)records + have, sizeof(records) - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			result = -errno;
		if (got <= 0)
			break;
		have += (size_t)got;
		for (size_t i = 0; i < have / sizeof(*records) && !result; i++)
			result = visit(&records[i], arg);
		memmove(records, (char *)records + have / sizeof(*records) * sizeof(*records),
			have % sizeof(*records));
		have %= sizeof(*records);
	}
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return result;
}

static int visit_async(struct engine *engine,
		       int (*visit)(const struct open_record *record, void *arg), void *arg)
{
	int map = bpf_map__fd(engine->bpf->maps.async_spans);
	struct async_key key;
	struct async_span span;
	bool has_begun = false;
	int result = 0;

	while (!result && next_element(map, &has_begun, &key, &span)) {
		struct open_record record = {
			.probe = key.probe, .key = (int64_t)key.id, .has_key = 1};

		record.begin_ns = span.begin_ns;
		record.pid = span.pid;
		record.tid = span.tid;
		memcpy(record.comm, span.comm, sizeof(record.comm));
		result = visit(&record, arg);
	}
	return result;
}

int engine_visit_open(struct engine *engine,
		      int (*visit)(const struct open_record *record, void *arg), void *arg,
		      struct probekit_error *err)
{
	libbpf_print_fn_t print = quiet_begin();
	int result = visit_frames(engine, visit, arg);

	libbpf_set_print(print);
	if (!result)
		result = visit_async(engine, visit, arg);
	return result ? error_errno(err, result, "cannot list the open spans") : 0;
}
