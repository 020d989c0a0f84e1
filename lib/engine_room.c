/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the room in the kernel's tables of causes and of what holders did. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_state.h"
#include "lightest.h"

struct table {
	int map;
	struct table_entry *entries;
	size_t size;
	size_t room;
};

/* NULL: what has come since the listing began. */
static struct table_entry *next_entry(struct table *table)
{
	return table->size < table->room ? &table->entries[table->size++] : NULL;
}

static int list(const struct bpf_map *map,
		int (*visit)(const void *key, const void *value, void *arg), struct table *table)
{
	int result;

	*table = (struct table){
		.map = bpf_map__fd(map),
		.room = bpf_map__max_entries(map),
	};
	table->entries = calloc(table->room, sizeof(*table->entries));
	if (!table->entries)
		return -ENOMEM;
	result = engine_visit_elements(table->map, bpf_map__key_size(map), bpf_map__value_size(map),
				       visit, table);
	if (result)
		free(table->entries);
	return result;
}

/* ---- causes ---- */

size_t engine_cause_room(const struct engine *engine)
{
	return bpf_map__max_entries(engine->bpf->maps.causes);
}

void engine_count_unnamed(struct engine *engine, uint32_t probe, uint64_t waits)
{
	__atomic_fetch_add(&engine->counters[probe].waits_unnamed, waits, __ATOMIC_RELAXED);
}

static int list_cause(const void *key, const void *value, void *arg)
{
	struct table_entry *entry = next_entry(arg);

	(void)value;
	if (entry)
		entry->key.cause = *(const struct cause_key *)key;
	return 0;
}

/* Each is read as it goes. A CPU that has looked it up right before may still add a wait to it, or to what takes its
 * room. */
int engine_take_causes(struct engine *engine,
		       int (*visit)(const struct cause_key *key, const struct cause *cause,
				    void *arg),
		       void *arg)
{
	struct table table;
	int result = list(engine->bpf->maps.causes, list_cause, &table);

	if (result)
		return result;
	for (size_t i = 0; i < table.size && table.size > table.room / 4 && !result; i++) {
		struct cause_key *key = &table.entries[i].key.cause;
		struct cause cause;

		if (bpf_map_lookup_and_delete_elem(table.map, key, &cause))
			continue;
		engine_own_cause(engine, key);
		result = visit(key, &cause, arg);
	}
	free(table.entries);
	return result;
}

/* ---- what holders did ---- */

size_t engine_holding_room(const struct engine *engine)
{
	return bpf_map__max_entries(engine->bpf->maps.holdings);
}

static int list_holding(const void *key, const void *value, void *arg)
{
	struct table_entry *entry = next_entry(arg);

	if (!entry)
		return 0;
	entry->key.holding = *(const struct holding_key *)key;
	entry->weight = (double)((const struct holding *)value)->ns;
	return 0;
}

int engine_take_holdings(struct engine *engine,
			 int (*visit)(const struct holding_key *key, const struct holding *holding,
				      void *arg),
			 void *arg)
{
	struct table table;
	size_t leaving;
	int result = list(engine->bpf->maps.holdings, list_holding, &table);

	if (result)
		return result;
	leaving = lightest_to_leave(table.entries, table.size, table.room, false);
	for (size_t i = 0; i < leaving && !result; i++) {
		struct holding_key *key = &table.entries[i].key.holding;
		struct holding holding;

		if (bpf_map_lookup_and_delete_elem(table.map, key, &holding))
			continue;
		engine_own_holding(engine, key);
		result = visit(key, &holding, arg);
	}
	free(table.entries);
	return result;
}
