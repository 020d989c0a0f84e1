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

/* A read of the file gives no more than a page: a thousand of them take longer than all else. It can be mapped since
 * Linux 6.16 (commit a539e2a6d51d). */
static struct btf *read_types(void)
{
	int fd = open(KERNEL_TYPES_PATH, O_RDONLY | O_CLOEXEC);
	void *bytes = MAP_FAILED;
	struct btf *btf = NULL;
	struct stat status;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) == 0)
		bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (bytes != MAP_FAILED) {
		btf = btf__new(bytes, (uint32_t)status.st_size);
		munmap(bytes, (size_t)status.st_size);
	}
	return btf ? btf : btf__load_vmlinux_btf();
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
		const struct btf_type *type = btf__type_by_id(types->btf, id);

		++*at;
		if (btf_kind(type) == kind &&
		    strcmp(btf__name_by_offset(types->btf, type->name_off), name) == 0)
			return id;
	}
	return 0;
}

static int index_names(struct kernel_types *types)
{
	uint32_t count = btf__type_cnt(types->btf);
	uint32_t size = 1024;

	while (size <= count)
		size *= 2;
	types->slot_mask = size - 1;
	types->slots = calloc(size, sizeof(*types->slots));
	if (!types->slots)
		return -ENOMEM;
	for (uint32_t id = 1; id < count; id++) {
		const struct btf_type *type = btf__type_by_id(types->btf, id);
		const char *name = btf__name_by_offset(types->btf, type->name_off);
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

	if (!result) {
		types->btf = read_types();
		result = types->btf ? index_names(types) : -errno;
	}
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
	btf__free(types->btf);
	free(types->slots);
	free(types);
}

uint32_t kernel_types_find(const struct kernel_types *types, const char *name, unsigned int kind)
{
	uint32_t at = hash_of(name);
	int id;

	if (is_indexed(kind, name))
		return next_of(types, name, kind, &at);
	id = btf__find_by_name_kind(types->btf, name, kind);
	return id > 0 ? (uint32_t)id : 0;
}

/* ---- the excerpt ---- */

struct excerpt {
	const struct btf *types;
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
		const char *name = btf__name_by_offset(excerpt->types, member[i].name_off);

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
	const char *name = btf__name_by_offset(excerpt->types, type->name_off);
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
	const char *name = btf__name_by_offset(excerpt->types, type->name_off);

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
	const struct btf_type *type = btf__type_by_id(excerpt->types, id);
	int result;

	while (type && (btf_is_mod(type) || btf_is_typedef(type))) {
		id = type->type;
		type = btf__type_by_id(excerpt->types, id);
	}
	if (!type)
		return -EINVAL;
	if (excerpt->ids[id])
		return excerpt->ids[id];
	result = copy_new(excerpt, type);
	if (result > 0)
		excerpt->ids[id] = result;
	return result;
}

static int copy_namesakes(struct excerpt *excerpt, const struct kernel_types *types)
{
	int result = excerpt->pointer = btf__add_ptr(excerpt->out, 0);

	for (uint32_t i = 1; i < btf__type_cnt(excerpt->local) && result >= 0; i++) {
		const struct btf_type *type = btf__type_by_id(excerpt->local, i);
		const char *name = btf__name_by_offset(excerpt->local, type->name_off);
		uint32_t at = hash_of(name);
		uint32_t id;

		if (!btf_is_struct(type) || !*name)
			continue;
		while (result >= 0 && (id = next_of(types, name, BTF_KIND_STRUCT, &at)))
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
		.types = types->btf,
		.local = local,
		.out = btf__new_empty(),
		.ids = calloc(btf__type_cnt(types->btf), sizeof(*excerpt.ids)),
	};
	int result = excerpt.out && excerpt.ids ? copy_namesakes(&excerpt, types) : -ENOMEM;

	if (!result)
		result = write_types(excerpt.out, fd);
	free(excerpt.ids);
	btf__free(excerpt.out);
	return result;
}
