/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what the kernel keeps of waits for futexes: how it is set up, and read. */
#include <bpf/bpf.h>
#include <errno.h>

#include "engine_state.h"
#include "quiet.h"

void engine_configure_futexes(struct engine *engine, const struct engine_options *options)
{
	struct probekit_bpf *bpf = engine->bpf;

	bpf->rodata->counts_futexes = options->counts_futexes;
	if (options->counts_futexes) {
		bpf_map__set_max_entries(bpf->maps.futex_rows, MAX_FUTEXES);
		bpf_map__set_max_entries(bpf->maps.lock_pasts, MAX_FUTEXES);
		bpf_map__set_max_entries(bpf->maps.holdings, MAX_LOCK_HOLDINGS);
	} else {
		bpf_map__set_max_entries(bpf->maps.futex_spans, 1);
		bpf_map__set_max_entries(bpf->maps.futex_holders, 1);
	}
	bpf->rodata->measures_holds = options->measures_holds;
	if (options->measures_holds)
		bpf_map__set_max_entries(bpf->maps.hold_rows, MAX_HELD_LOCKS);
}

static int clear(int map, void *key)
{
	while (bpf_map_get_next_key(map, NULL, key) == 0)
		if (bpf_map_delete_elem(map, key))
			return -errno;
	return 0;
}

int engine_begin_futexes(struct engine *engine)
{
	int map = bpf_map__fd(engine->bpf->maps.futex_rows);
	const struct futex_row none = {0};
	struct futex_key key;
	struct futex_span_key span;
	struct futex_holder_key holder;
	int result = clear(map, &key);

	if (!result)
		result = clear(bpf_map__fd(engine->bpf->maps.futex_holders), &holder);
	if (!result)
		result = clear(bpf_map__fd(engine->bpf->maps.futex_spans), &span);
	key = (struct futex_key){0}; /* of all that finds no room */
	if (!result && bpf_map_update_elem(map, &key, &none, BPF_ANY))
		result = -errno;
	return result;
}

static int visit_rows(const struct engine *engine, const struct bpf_map *rows,
		      int (*visit)(const struct futex_key *key, const struct futex_row *row,
				   void *arg),
		      void *arg)
{
	struct futex_key key;
	struct futex_row row;
	bool has_begun = false;
	int result = 0;

	while (!result && engine_next_element(bpf_map__fd(rows), &has_begun, &key, &row)) {
		struct futex_key own = key; /* the next is found by the kernel's */

		engine_own_space(engine, &own.space);
		if (row.ns)
			result = visit(&own, &row, arg);
	}
	return result;
}

int engine_visit_futexes(const struct engine *engine,
			 int (*visit)(const struct futex_key *key, const struct futex_row *row,
				      void *arg),
			 void *arg)
{
	return visit_rows(engine, engine->bpf->maps.futex_rows, visit, arg);
}

/* A CPU that has looked the row up right before may still add a wait to it, or to what takes its room. */
int engine_take_futex(struct engine *engine, const struct futex_key *key, struct futex_row *row)
{
	int map = bpf_map__fd(engine->bpf->maps.futex_rows);
	struct futex_key kernel = *key;

	engine_kernel_space(engine, &kernel.space);
	return bpf_map_lookup_and_delete_elem(map, &kernel, row) ? -errno : 0;
}

int engine_visit_holds(const struct engine *engine,
		       int (*visit)(const struct futex_key *key, const struct futex_row *row,
				    void *arg),
		       void *arg)
{
	return visit_rows(engine, engine->bpf->maps.hold_rows, visit, arg);
}

int engine_visit_futex_spans(const struct engine *engine,
			     int (*visit)(const struct futex_span_key *key, uint64_t ns, void *arg),
			     void *arg)
{
	int map = bpf_map__fd(engine->bpf->maps.futex_spans);
	struct futex_span_key key;
	uint64_t ns;
	bool has_begun = false;
	int result = 0;

	while (!result && engine_next_element(map, &has_begun, &key, &ns)) {
		struct futex_span_key own = key;

		engine_own_space(engine, &own.futex.space);
		result = visit(&own, ns, arg);
	}
	return result;
}

struct holder_visit {
	const struct engine *engine;
	int (*visit)(const struct futex_holder_key *key, uint64_t waits, void *arg);
	void *arg;
};

static int visit_holder(const void *key, const void *value, void *arg)
{
	const struct holder_visit *visit = arg;
	struct futex_holder_key own = *(const struct futex_holder_key *)key;
	const uint64_t *waits = value;

	engine_own_space(visit->engine, &own.space);
	engine_own_thread(visit->engine, &own.pid, &own.tid);
	return (int64_t)*waits > 0 ? visit->visit(&own, *waits, visit->arg) : 0;
}

int engine_visit_futex_holders(const struct engine *engine,
			       int (*visit)(const struct futex_holder_key *key, uint64_t waits,
					    void *arg),
			       void *arg)
{
	struct holder_visit each = {engine, visit, arg};

	return engine_visit_elements(bpf_map__fd(engine->bpf->maps.futex_holders),
				     sizeof(struct futex_holder_key), sizeof(uint64_t),
				     visit_holder, &each);
}

_Static_assert(sizeof(struct futex_record) <= ENGINE_RECORD_BYTES, "fits");

struct wait_visit {
	const struct engine *engine;
	int (*visit)(const struct futex_record *record, void *arg);
	void *arg;
};

static int visit_wait(const void *record, void *arg)
{
	const struct wait_visit *wait = arg;
	struct futex_record own = *(const struct futex_record *)record;

	engine_own_futex(wait->engine, &own);
	return wait->visit(&own, wait->arg);
}

int engine_visit_futex_waits(struct engine *engine,
			     int (*visit)(const struct futex_record *record, void *arg), void *arg)
{
	struct wait_visit wait = {.engine = engine, .visit = visit, .arg = arg};
	libbpf_print_fn_t print = quiet_begin();
	int result = engine_iterate_records(engine->bpf->progs.list_futexes,
					    sizeof(struct futex_record), visit_wait, &wait);

	libbpf_set_print(print);
	return result;
}
