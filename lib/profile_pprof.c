/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what a profile is in pprof's terms: samples with their labels, and what is said of them
 * all. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "pprof_tables.h"
#include "profile_path.h"
#include "stack_view.h"

#define VALUES 2 /* samples, time */
#define LABELS 5
#define COMMENTS 5
/* Per entry the texts of labels that differ, and those that are the same in all. */
#define STRINGS_PER_ENTRY 4
#define STRINGS_COMMON 32
#define GZIP 16 /* in deflateInit2()'s window bits: gzip's header and trailer */

/* A number of a profile fits in 63 bits. */
static int64_t clamp(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* A NULL `text` makes no label. */
static int add_label(struct pprof_tables *tables, Pprof__Sample *sample, const char *key,
		     const char *text)
{
	Pprof__Label *label;

	if (!text || !*text)
		return 0;
	label = malloc(sizeof(*label));
	if (!label)
		return -ENOMEM;
	pprof__label__init(label);
	label->key = pprof_tables_string(tables, key);
	label->str = pprof_tables_string(tables, text);
	sample->label[sample->n_label++] = label;
	return label->key < 0 || label->str < 0 ? -ENOMEM : 0;
}

static int add_labels(struct pprof_tables *tables, Pprof__Sample *sample,
		      const struct probekit_profile_entry *entry)
{
	bool is_incomplete = entry->stack.size > 0 && !entry->stack.is_complete;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)entry->pid);
	if (add_label(tables, sample, "class", profile_class_name(entry->time_class)) ||
	    add_label(tables, sample, "syscall", entry->syscall) ||
	    add_label(tables, sample, "pid", pid) ||
	    add_label(tables, sample, "process", entry->comm) ||
	    add_label(tables, sample, "stack", is_incomplete ? "incomplete" : NULL))
		return -ENOMEM;
	return 0;
}

/* An inlined function shares its place in the code with what it was inlined into. */
static int add_locations(struct pprof_tables *tables, Pprof__Sample *sample,
			 const struct probekit_frame *frames, size_t size)
{
	for (size_t first = 0, last; first < size; first = last + 1) {
		uint64_t id;

		for (last = first; last + 1 < size && frames[last].is_inlined;)
			last++;
		id = pprof_tables_location(tables, &frames[first], last + 1 - first);
		if (!id)
			return -ENOMEM;
		sample->location_id[sample->n_location_id++] = id;
	}
	return 0;
}

static int add_stacks(struct pprof_tables *tables, Pprof__Sample *sample,
		      const struct probekit_profile_entry *entry)
{
	static const struct probekit_frame unknown = {0};

	/* What has no place at all is left out of every report. */
	if (entry->kernel_stack.size + entry->stack.size == 0)
		return add_locations(tables, sample, &unknown, 1);
	if (add_locations(tables, sample, entry->kernel_stack.frames, entry->kernel_stack.size))
		return -ENOMEM;
	return add_locations(tables, sample, entry->stack.frames, entry->stack.size);
}

static int add_sample(struct pprof_tables *tables, const struct probekit_profile_entry *entry)
{
	Pprof__Profile *out = tables->out;
	Pprof__Sample *sample = malloc(sizeof(*sample));

	if (!sample)
		return -ENOMEM;
	pprof__sample__init(sample);
	out->sample[out->n_sample++] = sample;
	sample->location_id = calloc(entry->kernel_stack.size + entry->stack.size + 1,
				     sizeof(*sample->location_id));
	sample->value = calloc(VALUES, sizeof(*sample->value));
	sample->label = calloc(LABELS, sizeof(*sample->label));
	if (!sample->location_id || !sample->value || !sample->label)
		return -ENOMEM;
	sample->value[sample->n_value++] = clamp(entry->samples);
	sample->value[sample->n_value++] = clamp(entry->time_ns);
	if (add_stacks(tables, sample, entry))
		return -ENOMEM;
	return add_labels(tables, sample, entry);
}

static Pprof__ValueType *make_type(struct pprof_tables *tables, const char *name, const char *unit)
{
	Pprof__ValueType *made = malloc(sizeof(*made));

	if (!made)
		return NULL;
	pprof__value_type__init(made);
	made->type = pprof_tables_string(tables, name);
	made->unit = pprof_tables_string(tables, unit);
	if (made->type >= 0 && made->unit >= 0)
		return made;
	free(made);
	return NULL;
}

/* Nothing is said of what did not happen. */
static int add_count(struct pprof_tables *tables, const char *what, uint64_t count)
{
	Pprof__Profile *out = tables->out;
	char text[96];

	if (count == 0)
		return 0;
	snprintf(text, sizeof(text), "%s: %" PRIu64, what, count);
	out->comment[out->n_comment] = pprof_tables_string(tables, text);
	return out->comment[out->n_comment++] < 0 ? -ENOMEM : 0;
}

static int add_comments(struct pprof_tables *tables, const struct probekit_profile_info *info)
{
	Pprof__Profile *out = tables->out;

	out->comment = calloc(COMMENTS, sizeof(*out->comment));
	if (!out->comment)
		return -ENOMEM;
	out->comment[out->n_comment] = pprof_tables_string(tables, info->target);
	if (out->comment[out->n_comment++] < 0 ||
	    add_count(tables, "samples dropped", info->samples_dropped) ||
	    add_count(tables, "samples skipped", info->samples_skipped) ||
	    add_count(tables, "unknown stacks", info->unknown_stacks))
		return -ENOMEM;
	return 0;
}

static int add_info(struct pprof_tables *tables, const struct probekit_profile_info *info)
{
	Pprof__Profile *out = tables->out;

	out->sample_type = calloc(VALUES, sizeof(Pprof__ValueType *));
	if (!out->sample_type)
		return -ENOMEM;
	out->sample_type[0] = make_type(tables, "samples", "count");
	if (!out->sample_type[0])
		return -ENOMEM;
	out->n_sample_type = 1;
	out->sample_type[1] = make_type(tables, "time", "nanoseconds");
	if (!out->sample_type[1])
		return -ENOMEM;
	out->n_sample_type = VALUES;
	out->period_type = make_type(tables, "time", "nanoseconds");
	if (!out->period_type)
		return -ENOMEM;
	out->period = 1; /* all time is measured */
	out->default_sample_type = out->sample_type[1]->type;
	out->time_nanos = info->started_unix_ns;
	out->duration_nanos = clamp(info->duration_ns);
	return add_comments(tables, info);
}

/* Readers take the first mapping for the program, and name the profile after it. */
static int add_program(struct pprof_tables *tables, const struct probekit_profile *profile)
{
	for (size_t i = 0; i < profile->size; i++) {
		const struct probekit_stack *stack = &profile->entries[i].stack;

		for (size_t j = stack->size; j-- > 0;) {
			const char *module = stack->frames[j].module;

			if (module && *module == '/' && !strstr(module, ".so") &&
			    !stack_view_is_runtime(module))
				return pprof_tables_mapping(tables, module) ? 0 : -ENOMEM;
		}
	}
	return 0;
}

static int fill(struct pprof_tables *tables, const struct probekit_profile *profile)
{
	tables->out->sample = calloc(profile->size + 1, sizeof(Pprof__Sample *));
	if (!tables->out->sample || add_info(tables, &profile->info) ||
	    add_program(tables, profile))
		return -ENOMEM;
	for (size_t i = 0; i < profile->size; i++)
		if (add_sample(tables, &profile->entries[i]))
			return -ENOMEM;
	return 0;
}

static int compress_gzip(const void *in, size_t in_size, char **bytes, size_t *size_bytes)
{
	z_stream stream = {.next_in = (void *)(uintptr_t)in, .avail_in = (uInt)in_size};
	size_t bound;
	char *out;
	int state = Z_MEM_ERROR;

	/* zlib's sizes have 32 bits. */
	if (in_size > UINT32_MAX / 2)
		return -ENOMEM;
	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + GZIP,
			 MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	bound = deflateBound(&stream, in_size);
	out = malloc(bound);
	if (out) {
		stream.next_out = (void *)out;
		stream.avail_out = (uInt)bound;
		state = deflate(&stream, Z_FINISH);
	}
	deflateEnd(&stream);
	if (state != Z_STREAM_END) {
		free(out);
		return -ENOMEM;
	}
	*bytes = out;
	*size_bytes = stream.total_out;
	return 0;
}

static int pack(const Pprof__Profile *profile, char **bytes, size_t *size_bytes)
{
	size_t size = pprof__profile__get_packed_size(profile);
	uint8_t *packed = malloc(size ? size : 1);
	int result = -ENOMEM;

	if (packed)
		result = compress_gzip(packed, pprof__profile__pack(profile, packed), bytes,
				       size_bytes);
	free(packed);
	return result;
}

int profile_to_pprof(const struct probekit_profile *profile, char **bytes, size_t *size_bytes)
{
	struct pprof_tables tables;
	size_t frames = profile->size; /* each may need one that says so */
	int result;

	for (size_t i = 0; i < profile->size; i++)
		frames += profile->entries[i].stack.size + profile->entries[i].kernel_stack.size;
	result = pprof_tables_init(&tables, frames,
				   STRINGS_PER_ENTRY * profile->size + STRINGS_COMMON);
	if (result == 0)
		result = fill(&tables, profile);
	if (result == 0)
		result = pack(tables.out, bytes, size_bytes);
	pprof_tables_done(&tables);
	return result;
}
