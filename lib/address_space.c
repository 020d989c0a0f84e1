/* SPDX-License-Identifier: BSD-2-Clause */
#include "address_space.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/uio.h>
#include <unistd.h>

struct mapped_module {
	struct module *module;
	bool is_tried;
};

int address_space_init(struct address_space *space, struct module_cache *modules, pid_t pid,
		       const struct proc_maps *maps)
{
	*space = (struct address_space){.modules = modules, .maps = maps, .pid = pid};
	space->mapped = calloc(maps->size ? maps->size : 1, sizeof(*space->mapped));
	if (!space->mapped)
		return -ENOMEM;
	jit_map_init(&space->jit, pid);
	return 0;
}

void address_space_done(struct address_space *space)
{
	jit_map_done(&space->jit);
	free(space->mapped);
	*space = (struct address_space){0};
}

/* ---- vdso ---- */

/* Up to the end of its section headers, which the kernel maps with it. */
static size_t vdso_bytes(const ElfW(Ehdr) * own)
{
	return own->e_shoff + (size_t)own->e_shnum * own->e_shentsize;
}

/* The same bytes as ours? It is the kernel's one image for all 64-bit processes, but not that of
 * 32-bit ones. When the process cannot be read any more, its size has to do. */
static bool is_our_vdso(pid_t pid, const struct proc_map *map, const void *own, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *theirs = malloc(size);
	struct iovec local = {.iov_base = theirs, .iov_len = size};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)map->start, .iov_len = size};
	bool is_same = map->end - map->start == ((size + page - 1) & -page);

	if (is_same && theirs && process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)size)
		is_same = memcmp(theirs, own, size) == 0;
	free(theirs);
	return is_same;
}

static int open_vdso(struct address_space *space, const struct proc_map *map,
		     struct module **module)
{
	const void *own = (const void *)getauxval(AT_SYSINFO_EHDR);
	size_t size = own ? vdso_bytes(own) : 0;

	if (!own || !is_our_vdso(space->pid, map, own, size))
		return -ENOENT;
	return module_from_memory(space->modules, "[vdso]", own, size, module);
}

/* ---- addresses ---- */

static ssize_t find_map(const struct proc_maps *maps, uint64_t address)
{
	size_t low = 0;
	size_t high = maps->size;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (maps->maps[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < maps->size && maps->maps[low].start <= address ? (ssize_t)low : -1;
}

struct location address_space_locate(struct address_space *space, uint64_t address)
{
	struct location location = {0};
	ssize_t index = find_map(space->maps, address);
	struct mapped_module *mapped;
	const struct proc_map *map;

	if (index < 0)
		return location;
	map = location.map = &space->maps->maps[index];
	mapped = &space->mapped[index];
	if (!mapped->is_tried) {
		int result;

		mapped->is_tried = true;
		if (strcmp(map->path, "[vdso]") == 0)
			result = open_vdso(space, map, &mapped->module);
		else
			result = module_open(space->modules, space->pid, map, &mapped->module);
		if (result)
			mapped->module = NULL;
	}
	if (mapped->module &&
	    module_address(mapped->module, address - map->start + map->offset, &location.address))
		location.module = mapped->module;
	return location;
}

bool address_space_read_code(struct address_space *space, uint64_t address,
			     unsigned char code[static 8])
{
	struct location location = address_space_locate(space, address);
	uint64_t word;

	if (!location.module || !location.map->is_executable ||
	    !module_read(location.module, location.address, &word))
		return false;
	memcpy(code, &word, sizeof(word));
	return true;
}

const char *address_space_jit_name(struct address_space *space, uint64_t address, uint64_t *offset)
{
	return jit_map_find(&space->jit, address, offset);
}
