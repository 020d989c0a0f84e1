/* SPDX-License-Identifier: BSD-2-Clause */
#include "lock_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bpf/shared.h"
#include "demangle.h"

static const struct proc_map *map_of(const struct proc_maps *maps, uint64_t address)
{
	for (size_t i = 0; i < maps->size; i++)
		if (address >= maps->maps[i].start && address < maps->maps[i].end)
			return &maps->maps[i];
	return NULL;
}

/* The file whose memory `map` is: its own, or, as zeroed data beyond the file is anonymous, that of
 * the mapping that ends where it begins. */
static const struct proc_map *file_of(const struct proc_maps *maps, const struct proc_map *map)
{
	while (map > maps->maps && !map->inode && map->path[0] == '\0' && map[-1].end == map->start)
		map--;
	return map->inode ? map : NULL;
}

/* Where the file's first byte is mapped. */
static const struct proc_map *first_of(const struct proc_maps *maps, const struct proc_map *file)
{
	const struct proc_map *first = file;

	while (first > maps->maps && (!first[-1].inode || first[-1].inode == file->inode)) {
		first--;
		if (first->inode)
			file = first;
	}
	return file;
}

static const struct object *object_of(const struct objects *objects, const struct proc_map *file)
{
	for (size_t i = 0; i < objects->size; i++)
		if (object_is_mapped(objects->items[i], file))
			return objects->items[i];
	return NULL;
}

int lock_name(const struct proc_maps *maps, const struct objects *objects, uint64_t address,
	      char **symbol, char **place)
{
	const struct proc_map *map = map_of(maps, address);
	const struct proc_map *file = map ? file_of(maps, map) : NULL;
	const struct object *object;
	const char *base;
	char readable[DEMANGLED_BYTES_MAX];
	const char *name;
	uint64_t bias;
	uint64_t into;

	*symbol = NULL;
	*place = NULL;
	if (!file) {
		if (map && map->path[0] == '[' && !(*place = strdup(map->path)))
			return -ENOMEM;
		return 0;
	}
	file = first_of(maps, file);
	object = object_of(objects, file);
	bias = file->start - (object ? elf_file_base(object->elf) : 0);
	base = strrchr(file->path, '/');
	if (asprintf(place, "%s+0x%llx", base ? base + 1 : file->path,
		     (unsigned long long)(address - bias)) < 0) {
		*place = NULL;
		return -ENOMEM;
	}
	if (!object || elf_file_data(object->elf, address - bias, &name, &into))
		return 0;
	demangle(name, readable, sizeof(readable));
	if (into ? asprintf(symbol, "%s+%llu", readable, (unsigned long long)into) < 0
		 : !(*symbol = strdup(readable))) {
		*symbol = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* Its version's name is among its strings, and stays in those of later ones. */
bool lock_has_new_condvars(const struct proc_maps *maps, const struct objects *objects)
{
	static const char version[] = "GLIBC_2.41";
	const struct object *object = NULL;
	const char *strings = NULL;
	size_t size = 0;

	for (size_t i = 0; i < maps->size && !object; i++) {
		const char *base = strrchr(maps->maps[i].path, '/');

		if (base && strcmp(base, "/libc.so.6") == 0)
			object = object_of(objects, &maps->maps[i]);
	}
	if (object)
		strings = elf_file_section(object->elf, ".dynstr", &size, NULL);
	return strings && memmem(strings, size, version, sizeof(version));
}

/* Two of a rwlock's words, and those of a condition variable, lie side by side (glibc, sysdeps/nptl/bits). Readers
 * that let writers pass wait for the rwlock's first word, which counts readers. Before glibc 2.41, which took the
 * counts of a group's threads out of the condition variable, who signals one may have to wait until all of an older
 * group have left: for another pair, with a bit set that sleepers' words do not have. */
uint64_t lock_object(uint64_t word, const char *kind, uint32_t value, bool has_new_condvars)
{
	uint64_t pair = word & ~7ull;

	if (strcmp(kind, "rwlock") == 0)
		return value > RWLOCK_CONTENDED ? word : pair - 8;
	if (strcmp(kind, "condvar") == 0 && has_new_condvars)
		return pair - 32;
	if (strcmp(kind, "condvar") == 0)
		return pair - (value & 1 ? 16 : 40);
	return word;
}
