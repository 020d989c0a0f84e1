/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading what the programs have counted. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../bpf/bucket.h"
#include "engine_state.h"
#include "quiet.h"

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

static struct row *row_shard(const struct engine *engine, uint32_t index, uint32_t shard)
{
	size_t at = ((size_t)index * engine->shards + shard) * engine->row_bytes;

	return (struct row *)(engine->row_memory + at);
}

uint64_t engine_count(const struct engine *engine, uint32_t index)
{
	uint64_t count = 0;

	for (uint32_t shard = 0; shard < engine->shards; shard++)
		count += __atomic_load_n(&row_shard(engine, index, shard)->count, __ATOMIC_RELAXED);
	return count;
}

void engine_read_slots(const struct engine *engine, uint32_t index, uint64_t *into)
{
	size_t slots = engine_slots(engine);

	for (uint32_t shard = 0; shard < engine->shards; shard++) {
		struct row *row = row_shard(engine, index, shard);

		for (size_t i = 0; i < slots; i++)
			into[i] += __atomic_load_n((uint64_t *)&row->slots[i], __ATOMIC_ACQUIRE);
	}
}

void engine_read_row(struct engine *engine, uint32_t index, struct row_sums *sums)
{
	size_t slots = engine_slots(engine);
	uint64_t *into = sums->slots;

	*sums = (struct row_sums){.slots = into};
	memset(into, 0, slots * sizeof(*into));
	for (uint32_t shard = 0; shard < engine->shards; shard++) {
		struct row *row = row_shard(engine, index, shard);

		sums->sum += __atomic_load_n(&row->sum, __ATOMIC_RELAXED);
		sums->zero_count += __atomic_load_n(&row->zero_count, __ATOMIC_RELAXED);
		sums->negative_count += __atomic_load_n(&row->negative_count, __ATOMIC_RELAXED);
		sums->out_of_range += __atomic_load_n(&row->out_of_range, __ATOMIC_RELAXED);
		sums->unexplained_ns += __atomic_load_n(&row->unexplained_ns, __ATOMIC_RELAXED);
		sums->slow_count += __atomic_load_n(&row->slow_count, __ATOMIC_RELAXED);
		for (int i = 0; i < CLASS_COUNT; i++)
			sums->slow_ns[i] += __atomic_load_n(&row->slow_ns[i], __ATOMIC_RELAXED);
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

bool engine_next_element(int map, bool *has_begun, void *key, void *value)
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

	while (!result && engine_next_element(map, &has_begun, &key, &relation))
		result = visit(&key, &relation, arg);
	return result;
}

struct cause_visit {
	const struct engine *engine;
	int (*visit)(const struct cause_key *key, const struct cause *cause, void *arg);
	void *arg;
};

static int visit_cause(const void *key, const void *cause, void *arg)
{
	const struct cause_visit *visit = arg;
	struct cause_key own = *(const struct cause_key *)key;

	engine_own_cause(visit->engine, &own);
	return visit->visit(&own, cause, visit->arg);
}

int engine_visit_causes(const struct engine *engine,
			int (*visit)(const struct cause_key *key, const struct cause *cause,
				     void *arg),
			void *arg)
{
	struct cause_visit each = {engine, visit, arg};

	return engine_visit_elements(bpf_map__fd(engine->bpf->maps.causes),
				     sizeof(struct cause_key), sizeof(struct cause), visit_cause,
				     &each);
}

struct holding_visit {
	const struct engine *engine;
	int (*visit)(const struct holding_key *key, const struct holding *holding, void *arg);
	void *arg;
};

static int visit_holding(const void *key, const void *holding, void *arg)
{
	const struct holding_visit *visit = arg;
	struct holding_key own = *(const struct holding_key *)key;

	engine_own_holding(visit->engine, &own);
	return visit->visit(&own, holding, visit->arg);
}

int engine_visit_holdings(const struct engine *engine,
			  int (*visit)(const struct holding_key *key, const struct holding *holding,
				       void *arg),
			  void *arg)
{
	struct holding_visit each = {engine, visit, arg};

	return engine_visit_elements(bpf_map__fd(engine->bpf->maps.holdings),
				     sizeof(struct holding_key), sizeof(struct holding),
				     visit_holding, &each);
}

bool engine_find_thing(const struct engine *engine, uint64_t id, struct thing *thing)
{
	return bpf_map_lookup_elem(bpf_map__fd(engine->bpf->maps.things), &id, thing) == 0;
}

bool engine_find_shared(const struct engine *engine, const struct futex_place *place,
			struct futex_place *seen)
{
	if (bpf_map_lookup_elem(bpf_map__fd(engine->bpf->maps.shared_words), place, seen))
		return false;
	engine_own_place(engine, seen);
	return true;
}

bool engine_find_process(const struct engine *engine, uint32_t pid, struct process_name *name)
{
	int map = bpf_map__fd(engine->bpf->maps.process_names);
	uint32_t key = engine_kernel_pid(engine, (pid_t)pid);

	return bpf_map_lookup_elem(map, &key, name) == 0;
}

int64_t engine_key(const struct engine *engine, uint32_t probe, uint32_t i)
{
	return __atomic_load_n(&engine->keys[probe].keys[i], __ATOMIC_ACQUIRE);
}

/* ---- iterators ---- */

#define ITERATOR_BYTES 65536 /* that it writes at once, at most */

int engine_iterate(const struct bpf_program *program,
		   ssize_t (*take)(uint8_t *bytes, size_t size, void *arg), void *arg)
{
	struct bpf_link *link = bpf_program__attach_iter(program, NULL);
	uint8_t *bytes = malloc(2 * ITERATOR_BYTES);
	size_t have = 0;
	ssize_t result = link && bytes ? 0 : link ? -ENOMEM : -errno;
	int fd = result ? -1 : bpf_iter_create(bpf_link__fd(link));

	if (!result && fd < 0)
		result = -errno;
	while (result >= 0) {
		ssize_t got = read(fd, bytes + have, ITERATOR_BYTES);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			result = got < 0 ? -errno : 0;
			break;
		}
		have += (size_t)got;
		result = take ? take(bytes, have, arg) : (ssize_t)have;
		if (result >= 0) {
			have -= (size_t)result;
			memmove(bytes, bytes + result, have);
		}
	}
	if (fd >= 0)
		close(fd);
	free(bytes);
	bpf_link__destroy(link);
	return (int)result;
}

_Static_assert(sizeof(struct open_record) <= ENGINE_RECORD_BYTES, "fits");

struct record_visit {
	size_t record_bytes;
	int (*visit)(const void *record, void *arg);
	void *arg;
};

static ssize_t take_records(uint8_t *bytes, size_t size, void *arg)
{
	const struct record_visit *visit = arg;
	_Alignas(uint64_t) uint8_t record[ENGINE_RECORD_BYTES];
	size_t used = 0;

	for (; used + visit->record_bytes <= size; used += visit->record_bytes) {
		int result;

		memcpy(record, bytes + used, visit->record_bytes);
		result = visit->visit(record, visit->arg);
		if (result)
			return result;
	}
	return (ssize_t)used;
}

int engine_iterate_records(const struct bpf_program *program, size_t record_bytes,
			   int (*visit)(const void *record, void *arg), void *arg)
{
	struct record_visit record_visit = {record_bytes, visit, arg};

	return engine_iterate(program, take_records, &record_visit);
}

struct open_visit {
	const struct engine *engine;
	int (*visit)(const struct open_record *record, void *arg);
	void *arg;
};

static int visit_open(const void *record, void *arg)
{
	const struct open_visit *open = arg;
	struct open_record own = *(const struct open_record *)record;

	engine_own_open(open->engine, &own);
	return open->visit(&own, open->arg);
}

struct stack_visit {
	const struct engine *engine;
	int (*visit)(const void *record, size_t size_bytes, void *arg);
	void *arg;
};

static ssize_t take_stacks(uint8_t *bytes, size_t size, void *arg)
{
	const struct stack_visit *visit = arg;
	size_t used = 0;

	while (size - used >= sizeof(struct stack_record)) {
		struct stack_record header;
		size_t whole;
		int result;

		memcpy(&header, bytes + used, sizeof(header));
		whole = sizeof(header) + header.size_bytes;
		if (header.size_bytes > SAMPLE_BYTES_MAX)
			return -EINVAL;
		if (whole > size - used)
			break;
		engine_own_stack(visit->engine, &header);
		memcpy(bytes + used, &header, sizeof(header));
		result = visit->visit(bytes + used, whole, visit->arg);
		if (result)
			return result;
		used += whole;
	}
	return (ssize_t)used;
}

int engine_visit_open_stacks(struct engine *engine,
			     int (*visit)(const void *record, size_t size_bytes, void *arg),
			     void *arg)
{
	struct stack_visit stack_visit = {.engine = engine, .visit = visit, .arg = arg};
	libbpf_print_fn_t print = quiet_begin();
	int result = engine_iterate(engine->bpf->progs.list_stacks, take_stacks, &stack_visit);

	libbpf_set_print(print);
	return result == -ENOMEM ? result : 0;
}

static int visit_async(struct engine *engine,
		       int (*visit)(const struct open_record *record, void *arg), void *arg)
{
	int map = bpf_map__fd(engine->bpf->maps.async_spans);
	struct async_key key;
	struct async_span span;
	bool has_begun = false;
	int result = 0;

	while (!result && engine_next_element(map, &has_begun, &key, &span)) {
		struct open_record record = {
			.probe = key.probe, .key = (int64_t)key.id, .has_key = 1};

		record.begin_ns = span.begin_ns;
		record.pid = span.pid;
		record.tid = span.tid;
		engine_own_open(engine, &record);
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
	struct open_visit open_visit = {.engine = engine, .visit = visit, .arg = arg};
	int result = engine_iterate_records(engine->bpf->progs.list_open,
					    sizeof(struct open_record), visit_open, &open_visit);

	libbpf_set_print(print);
	if (!result)
		result = visit_async(engine, visit, arg);
	return result ? error_errno(err, result, "cannot list the open spans") : 0;
}
