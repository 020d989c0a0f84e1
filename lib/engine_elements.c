/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading large hashes: many elements by one system call. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "engine_state.h"

#define BATCH 2048 /* elements; more than are in one bucket */

struct batch {
	uint32_t next; /* bucket */
	uint32_t size;
	char *keys;
	char *values;
};

/* 1: there are more; 0: these are the last; -errno: this kernel, or this hash, has no batches. */
static int read_batch(int map, bool has_begun, struct batch *batch)
{
	uint32_t from = batch->next;

	batch->size = BATCH;
	if (bpf_map_lookup_batch(map, has_begun ? &from : NULL, &batch->next, batch->keys,
				 batch->values, &batch->size, NULL) == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

static int visit_singly(int map, struct batch *one,
			int (*visit)(const void *key, const void *value, void *arg), void *arg)
{
	bool has_begun = false;
	int result = 0;

	while (!result && engine_next_element(map, &has_begun, one->keys, one->values))
		result = visit(one->keys, one->values, arg);
	return result;
}

static int visit_batches(int map, size_t key_bytes, size_t value_bytes, struct batch *batch,
			 int (*visit)(const void *key, const void *value, void *arg), void *arg)
{
	int more = read_batch(map, false, batch);
	int result = 0;

	if (more < 0)
		return visit_singly(map, batch, visit, arg);
	for (;;) {
		for (uint32_t i = 0; i < batch->size && !result; i++)
			result = visit(batch->keys + i * key_bytes, batch->values + i * value_bytes,
				       arg);
		if (result || more <= 0)
			return result;
		more = read_batch(map, true, batch);
		if (more < 0)
			return more;
	}
}

int engine_visit_elements(int map, size_t key_bytes, size_t value_bytes,
			  int (*visit)(const void *key, const void *value, void *arg), void *arg)
{
	struct batch batch = {.keys = calloc(BATCH, key_bytes),
			      .values = calloc(BATCH, value_bytes)};
	int result = -ENOMEM;

	if (batch.keys && batch.values)
		result = visit_batches(map, key_bytes, value_bytes, &batch, visit, arg);
	free(batch.keys);
	free(batch.values);
	return result;
}
