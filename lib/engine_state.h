/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_ENGINE_STATE_H
#define PROBEKIT_ENGINE_STATE_H
/* The engine's state, shared by engine.c (its life) and engine_read.c (what it has counted). */
#include <bpf/libbpf.h>
#include <stdbool.h>

#include "engine.h"
#include "probekit.skel.h"

struct loading;

struct engine {
	struct probekit_bpf *bpf;
	struct loading *loading; /* programs that threads still load; NULL: none */
	int types_fd; /* of an excerpt of the kernel's types, while the object is loaded */
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
	struct ring_buffer *samples;
	struct slowness *slowness;
	size_t slowness_bytes;
	int follow_events;
	void (*executed)(pid_t pid, void *arg); /* while polled */
	void *executed_arg;
	bool has_new_process; /* that had its first span */
	pid_t *programs;      /* of events, until they are taken */
	size_t program_count;
	int (*visit_sample)(const void *record, size_t size_bytes, void *arg); /* while polled */
	void *visit_arg;
	uint32_t samples_left; /* until the poll ends */
	void *record;	       /* a copy, where numbers in it change */
};

/* -errno. The first is undone by the second. */
int engine_open_object(struct engine *engine);
int engine_load_object(struct engine *engine, const struct kernel_types *types);
/* Waits for the programs that are not for probes, which may still be loaded. Does nothing the second time. */
int engine_finish_load(struct engine *engine);

/* Before the load. */
void engine_configure_profile(struct engine *engine, const struct engine_options *options);
void engine_configure_futexes(struct engine *engine, const struct engine_options *options);
void engine_configure_numbers(struct engine *engine);

/* Notes those of all processes that are there: what has come since is noted as it is followed. */
void engine_note_numbers(const struct engine *engine);
/* From the numbers of our own PID namespace to the kernel's, and back; 0 is not known. A space may be memory that is
 * shared, which has a number of its own. */
uint32_t engine_kernel_pid(const struct engine *engine, pid_t pid);
void engine_kernel_space(const struct engine *engine, uint32_t *space);
void engine_own_process(const struct engine *engine, uint32_t *pid);
void engine_own_thread(const struct engine *engine, uint32_t *pid, uint32_t *tid);
void engine_own_space(const struct engine *engine, uint32_t *space);
void engine_own_place(const struct engine *engine, struct futex_place *place);
/* All that are in a record. */
void engine_own_cause(const struct engine *engine, struct cause_key *key);
void engine_own_holding(const struct engine *engine, struct holding_key *key);
void engine_own_open(const struct engine *engine, struct open_record *record);
void engine_own_stack(const struct engine *engine, struct stack_record *record);
/* The sample, or a copy of it that lives until the next call. */
const void *engine_own_record(struct engine *engine, const void *record, size_t size_bytes);
void engine_own_futex(const struct engine *engine, struct futex_record *record);

/* The next element of a hash that is there; false behind the last. */
bool engine_next_element(int map, bool *has_begun, void *key, void *value);
/* Calls `visit` for each element of a hash, until it returns other than 0, which is returned. -errno. */
int engine_visit_elements(int map, size_t key_bytes, size_t value_bytes,
			  int (*visit)(const void *key, const void *value, void *arg), void *arg);
/* Forgotten where there is no profile, or no memory. */
void engine_note_program(struct engine *engine, pid_t pid);

/* Calls `take` for all that an iterator over tasks writes: it returns how many bytes it could use, the
 * rest comes again with what follows, or a negative errno. NULL: it is run for what it does. */
int engine_iterate(const struct bpf_program *program,
		   ssize_t (*take)(uint8_t *bytes, size_t size, void *arg), void *arg);

/* The same for records of one size, up to ENGINE_RECORD_BYTES: calls `visit` for each, until it returns other
 * than 0, which is returned. */
#define ENGINE_RECORD_BYTES 128
int engine_iterate_records(const struct bpf_program *program, size_t record_bytes,
			   int (*visit)(const void *record, void *arg), void *arg);

#endif
