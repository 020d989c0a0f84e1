/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel_types.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading ---- */

static int read_all(int fd, struct kernel_types *types)
{
	size_t have = 0;

	types->bytes = malloc(types->size);
	if (!types->bytes)
		return -ENOMEM;
	while (have < types->size) {
		ssize_t got = read(fd, types->bytes + have, types->size - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EINVAL;
		have += (size_t)got;
	}
	return 0;
}

/* A read of the file gives no more than a page: a thousand of them take longer than all else. It can be mapped since
 * Linux 6.16 (commit a539e2a6d51d). */
static int read_file(struct kernel_types *types)
{
	int fd = open(KERNEL_TYPES_PATH, O_RDONLY | O_CLOEXEC);
	int result = 0;
	struct stat status;
	void *bytes;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status)) {
		result = -errno;
	} else {
		types->size = (size_t)status.st_size;
		bytes = mmap(NULL, types->size, PROT_READ, MAP_PRIVATE, fd, 0);
		types->is_mapped = bytes != MAP_FAILED;
		if (types->is_mapped)
			types->bytes = bytes;
		else
			result = read_all(fd, types);
	}
	close(fd);
	return result;
}

/* Bytes of a type; 0: of a kind that came later. */
static size_t size_of(const struct btf_type *type)
{
	static const struct {
		uint8_t once;
		uint8_t each; /* member, value, parameter */
	} sizes[] = {
		[BTF_KIND_INT] = {4, 0},
		[BTF_KIND_PTR] = {0, 0},
		[BTF_KIND_ARRAY] = {sizeof(struct btf_array), 0},
		[BTF_KIND_STRUCT] = {0, sizeof(struct btf_member)},
		[BTF_KIND_UNION] = {0, sizeof(struct btf_member)},
		[BTF_KIND_ENUM] = {0, sizeof(struct btf_enum)},
		[BTF_KIND_FUNC_PROTO] = {0, sizeof(struct btf_param)},
		[BTF_KIND_VAR] = {sizeof(struct btf_var), 0},
		[BTF_KIND_DATASEC] = {0, sizeof(struct btf_var_secinfo)},
		[BTF_KIND_DECL_TAG] = {sizeof(struct btf_decl_tag), 0},
		[BTF_KIND_TYPE_TAG] = {0, 0},
		[BTF_KIND_ENUM64] = {0, sizeof(struct btf_enum64)},
	};
	size_t kind = btf_kind(type);

	if (kind >= sizeof(sizes) / sizeof(*sizes))
		return 0;
	return sizeof(*type) + sizes[kind].once + (size_t)btf_vlen(type) * sizes[kind].each;
}

/* Of one type each: there are more than a hundred thousand. */
static int note_offset(struct kernel_types *types, uint32_t offset, uint32_t *capacity)
{
	uint32_t *offsets = types->offsets;

	if (types->count == *capacity) {
		*capacity = *capacity ? 2 * *capacity : 1 << 17;
		offsets = reallocarray(offsets, *capacity, sizeof(*offsets));
		if (!offsets)
			return -ENOMEM;
		types->offsets = offsets;
	}
	offsets[types->count++] = offset;
	return 0;
}

static int note_types(struct kernel_types *types, size_t size)
{
	uint32_t capacity = 0;
	int result = note_offset(types, 0, &capacity);
	size_t at = 0;

	while (!result && at < size) {
		const struct btf_type *type = (const struct btf_type *)(types->types + at);
		size_t bytes = size - at < sizeof(*type) ? 0 : size_of(type);

		if (!bytes || bytes > size - at)
			return -EINVAL;
		result = note_offset(types, (uint32_t)at, &capacity);
		at += bytes;
	}
	return result;
}

static int parse(struct kernel_types *types)
{
	const struct btf_header *header = (const struct btf_header *)types->bytes;
	size_t size = types->size;

	if (size < sizeof(*header) || header->magic != BTF_MAGIC || header->hdr_len > size)
		return -EINVAL;
	size -= header->hdr_len;
	if (header->type_off > size || header->type_len > size - header->type_off ||
	    header->str_off > size || header->str_len > size - header->str_off || !header->str_len)
		return -EINVAL;
	types->types = types->bytes + header->hdr_len + header->type_off;
	types->strings = (const char *)types->bytes + header->hdr_len + header->str_off;
	types->string_bytes = header->str_len;
	if (types->strings[header->str_len - 1])
		return -EINVAL;
	return note_types(types, header->type_len);
}

const struct btf_type *kernel_types_at(const struct kernel_types *types, uint32_t id)
{
	if (!id || id >= types->count)
		return NULL;
	return (const struct btf_type *)(types->types + types->offsets[id]);
}

const char *kernel_types_name(const struct kernel_types *types, uint32_t offset)
{
	return offset < types->string_bytes ? types->strings + offset : "";
}

uint32_t kernel_types_plain(const struct kernel_types *types, uint32_t id)
{
	const struct btf_type *type = kernel_types_at(types, id);

	while (type && (btf_is_mod(type) || btf_is_typedef(type))) {
		id = type->type;
		type = kernel_types_at(types, id);
	}
	return id;
}

/* ---- by name ---- */

/* Of those that programs ask for: structs, tracepoints, and functions that programs may call. */
static bool is_indexed(unsigned int kind, const char *name)
{
	switch (kind) {
	case BTF_KIND_STRUCT:
		return *name;
	case BTF_KIND_TYPEDEF:
		return strncmp(name, "btf_trace_", 10) == 0;
	case BTF_KIND_FUNC:
		return strncmp(name, "bpf_", 4) == 0;
	default:
		return false;
	}
}

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash;
}

/* The next type of the name from slot `*at` on; 0: there is none. */
static uint32_t next_of(const struct kernel_types *types, const char *name, unsigned int kind,
			uint32_t *at)
{
	uint32_t id;

	while ((id = types->slots[*at & types->slot_mask])) {
		const struct btf_type *type = kernel_types_at(types, id);

		++*at;
		if (btf_kind(type) == kind &&
		    strcmp(kernel_types_name(types, type->name_off), name) == 0)
			return id;
	}
	return 0;
}

static int index_names(struct kernel_types *types)
{
	uint32_t size = 1024;

	while (size <= types->count)
		size *= 2;
	types->slot_mask = size - 1;
	types->slots = calloc(size, sizeof(*types->slots));
	if (!types->slots)
		return -ENOMEM;
	for (uint32_t id = 1; id < types->count; id++) {
		const struct btf_type *type = kernel_types_at(types, id);
		const char *name = kernel_types_name(types, type->name_off);
		uint32_t at;

		if (!is_indexed(btf_kind(type), name))
			continue;
		at = hash_of(name);
		while (types->slots[at & types->slot_mask])
			at++;
		types->slots[at & types->slot_mask] = id;
	}
	return 0;
}

int kernel_types_new(struct kernel_types **out)
{
	struct kernel_types *types = calloc(1, sizeof(*types));
	int result = types ? 0 : -ENOMEM;

	if (!result)
		result = read_file(types);
	if (!result)
		result = parse(types);
	if (!result)
		result = index_names(types);
	if (result)
		kernel_types_free(types);
	else
		*out = types;
	return result;
}

void kernel_types_free(struct kernel_types *types)
{
	if (!types)
		return;
	if (types->is_mapped)
		munmap(types->bytes, types->size);
	else
		free(types->bytes);
	free(types->offsets);
	free(types->slots);
	free(types);
}

uint32_t kernel_types_find(const struct kernel_types *types, const char *name, unsigned int kind)
{
	uint32_t at = hash_of(name);

	if (is_indexed(kind, name))
		return next_of(types, name, kind, &at);
	for (uint32_t id = 1; id < types->count; id++) {
		const struct btf_type *type = kernel_types_at(types, id);

		if (btf_kind(type) == kind &&
		    strcmp(kernel_types_name(types, type->name_off), name) == 0)
			return id;
	}
	return 0;
}

/* ---- the excerpt ---- */

struct excerpt {
	const struct kernel_types *types;
	const struct btf *local;
	struct btf *out;
	int32_t *ids; /* in `out`, by id in `types`; 0: not yet */
	int pointer;  /* to whatever it is */
};

static int copy(struct excerpt *excerpt, uint32_t id);

static int copy_members(struct excerpt *excerpt, const struct btf_type *type)
{
	const struct btf_member *member = btf_members(type);
	int result = 0;

	for (uint16_t i = 0; i < btf_vlen(type) && result >= 0; i++) {
		const char *name = kernel_types_name(excerpt->types, member[i].name_off);

		result = copy(excerpt, member[i].type); /* known: it was copied before */
		if (result >= 0)
			result = btf__add_field(excerpt->out, *name ? name : NULL, result,
						btf_member_bit_offset(type, i),
						btf_member_bitfield_size(type, i));
	}
	return result;
}

/* Of one that has a name, and is not asked for, the size is enough. */
static int copy_composite(struct excerpt *excerpt, const struct btf_type *type)
{
	const char *name = kernel_types_name(excerpt->types, type->name_off);
	bool is_whole = !*name || btf__find_by_name_kind(excerpt->local, name, BTF_KIND_STRUCT) > 0;
	const struct btf_member *member = btf_members(type);
	int result = 0;
	int id;

	/* What is added to is the last: its members' types come first. */
	for (uint16_t i = 0; i < btf_vlen(type) && is_whole && result >= 0; i++)
		result = copy(excerpt, member[i].type);
	if (result < 0)
		return result;
	name = *name ? name : NULL;
	id = btf_is_struct(type) ? btf__add_struct(excerpt->out, name, type->size)
				 : btf__add_union(excerpt->out, name, type->size);
	if (id < 0 || !is_whole)
		return id;
	result = copy_members(excerpt, type);
	return result < 0 ? result : id;
}

static int copy_array(struct excerpt *excerpt, const struct btf_array *array)
{
	int index = copy(excerpt, array->index_type);
	int element = copy(excerpt, array->type);

	if (index < 0 || element < 0)
		return index < 0 ? index : element;
	return btf__add_array(excerpt->out, index, element, array->nelems);
}

static int copy_new(struct excerpt *excerpt, const struct btf_type *type)
{
	const char *name = kernel_types_name(excerpt->types, type->name_off);

	switch (btf_kind(type)) {
	case BTF_KIND_INT:
		return btf__add_int(excerpt->out, name, type->size, btf_int_encoding(type));
	case BTF_KIND_FLOAT:
		return btf__add_float(excerpt->out, name, type->size);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return btf__add_enum(excerpt->out, *name ? name : NULL, type->size);
	case BTF_KIND_ARRAY:
		return copy_array(excerpt, btf_array(type));
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return copy_composite(excerpt, type);
	default:
		return excerpt->pointer;
	}
}

/* Returns its id in the excerpt, without what qualifies it, or -errno. */
static int copy(struct excerpt *excerpt, uint32_t id)
{
	const struct btf_type *type;
	int result;

	id = kernel_types_plain(excerpt->types, id);
	type = kernel_types_at(excerpt->types, id);
	if (!type)
		return -EINVAL;
	if (excerpt->ids[id])
		return excerpt->ids[id];
	result = copy_new(excerpt, type);
	if (result > 0)
		excerpt->ids[id] = result;
	return result;
}

static int copy_namesakes(struct excerpt *excerpt)
{
	int result = excerpt->pointer = btf__add_ptr(excerpt->out, 0);

	for (uint32_t i = 1; i < btf__type_cnt(excerpt->local) && result >= 0; i++) {
		const struct btf_type *type = btf__type_by_id(excerpt->local, i);
		const char *name = btf__name_by_offset(excerpt->local, type->name_off);
		uint32_t at = hash_of(name);
		uint32_t id;

		if (!btf_is_struct(type) || !*name)
			continue;
		while (result >= 0 && (id = next_of(excerpt->types, name, BTF_KIND_STRUCT, &at)))
			result = copy(excerpt, id);
	}
	return result < 0 ? result : 0;
}

static int write_types(const struct btf *types, int fd)
{
	uint32_t size;
	const void *bytes = btf__raw_data(types, &size);

	if (!bytes)
		return -ENOMEM;
	return write(fd, bytes, size) == (ssize_t)size ? 0 : -ENOSPC;
}

int kernel_types_excerpt(const struct kernel_types *types, const struct btf *local, int fd)
{
	struct excerpt excerpt = {
		.types = types,
		.local = local,
		.out = btf__new_empty(),
		.ids = calloc(types->count, sizeof(*excerpt.ids)),
	};
	int result = excerpt.out && excerpt.ids ? copy_namesakes(&excerpt) : -ENOMEM;

	if (!result)
		result = write_types(excerpt.out, fd);
	free(excerpt.ids);
	btf__free(excerpt.out);
	return result;
}
