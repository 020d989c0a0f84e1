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
	bool is_of_causes; /* else of holdings */
	struct table_entry *entries;
	size_t size;
	size_t room;
};

static int add_entry(const void *key, const void *value, void *arg)
{
	struct table *table = arg;
	struct table_entry *entry = &table->entries[table->size];

	if (table->size == table->room) /* what has come since the listing began */
		return 0;
	table->size++;
	if (table->is_of_causes) {
		entry->key.cause = *(const struct cause_key *)key;
		entry->weight = (double)((const struct cause *)value)->ns;
	} else {
		entry->key.holding = *(const struct holding_key *)key;
		entry->weight = (double)((const struct holding *)value)->ns;
	}
	return 0;
}

/* A CPU that has looked it up right before may still add a wait to it, or to what takes its room. */
static void take_out(struct engine *engine, const struct table *table,
		     const struct table_entry *entry)
{
	union {
		struct cause cause;
		struct holding holding;
	} value;
	uint32_t probe = table->is_of_causes ? entry->key.cause.probe : 0;

	if (bpf_map_lookup_and_delete_elem(table->map, &entry->key, &value))
		return;
	__atomic_fetch_add(&engine->counters[probe].waits_unnamed,
			   table->is_of_causes ? value.cause.waits : value.holding.count,
			   __ATOMIC_RELAXED);
}

static int make_room(struct engine *engine, const struct bpf_map *map, bool is_of_causes)
{
	struct table table = {
		.map = bpf_map__fd(map),
		.is_of_causes = is_of_causes,
		.room = bpf_map__max_entries(map),
	};
	size_t leaving = 0;
	int result;

	table.entries = calloc(table.room, sizeof(*table.entries));
	if (!table.entries)
		return -ENOMEM;
	result = engine_visit_elements(table.map, bpf_map__key_size(map), bpf_map__value_size(map),
				       add_entry, &table);
	if (!result)
		leaving = lightest_to_leave(table.entries, table.size, table.room, is_of_causes);
	for (size_t i = 0; i < leaving; i++)
		take_out(engine, &table, &table.entries[i]);
	free(table.entries);
	return result;
}

int engine_make_room(struct engine *engine)
{
	int result = make_room(engine, engine->bpf->maps.causes, true);

	return result ? result : make_room(engine, engine->bpf->maps.holdings, false);
}
