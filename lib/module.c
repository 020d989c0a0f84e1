/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the cache of ELF files. Their content is untrusted; libelf and libdw check it. */
#include "module.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "debug_file.h"
#include "mapped_file.h"
#include "proc_maps.h"
#include "shared_file.h"

/* Of the 1024 descriptors that a process commonly has. */
#define MODULES_MAX 400
/* A file is read piece by piece, as a mapping of one that shrinks would raise SIGBUS; where copies of
 * whole sections would hurt it is mapped, but only if no target can change it. */
#define READ_BYTES_MAX (64l << 20)
#define SEGMENTS_MAX 1024

struct module_segment {
	uint64_t offset;
	uint64_t address;
	uint64_t file_bytes;
	bool is_writable;
};

struct module_cache {
	struct module *first;
	size_t size;
	struct shared_file_budget budget;
};

int module_cache_new(struct module_cache **cache)
{
	*cache = calloc(1, sizeof(**cache));
	if (!*cache)
		return -ENOMEM;
	shared_file_budget_init(&(*cache)->budget);
	return 0;
}

struct shared_file_budget *module_budget(struct module *module)
{
	return &module->cache->budget;
}

static void module_free(struct module *module)
{
	if (module->user)
		module->user_free(module->user);
	if (module->dwfl)
		dwfl_end(module->dwfl);
	elf_end(module->elf);
	if (module->fd >= 0)
		close(module->fd);
	free(module->bytes);
	free(module->segments);
	free(module->debug_root);
	free(module->path);
	free(module);
}

void module_cache_free(struct module_cache *cache)
{
	if (!cache)
		return;
	while (cache->first) {
		struct module *next = cache->first->next;

		module_free(cache->first);
		cache->first = next;
	}
	free(cache);
}

size_t module_cache_size(const struct module_cache *cache)
{
	return cache->size;
}

/* ---- one file ---- */

static void add_segment(struct module *module, const GElf_Phdr *header)
{
	uint64_t align = header->p_align ? header->p_align : 1;
	uint64_t start = header->p_vaddr & -align;
	uint64_t end = header->p_vaddr + header->p_memsz;

	if (end < header->p_vaddr)
		return;
	/* libdwfl places a module by its first segment, so this is the start that it must be told */
	if (!module->segment_count)
		module->start = start;
	if (end > module->end)
		module->end = end;
	module->segments[module->segment_count++] = (struct module_segment){
		.offset = header->p_offset,
		.address = header->p_vaddr,
		.file_bytes = header->p_filesz,
		.is_writable = header->p_flags & PF_W,
	};
}

static int read_segments(struct module *module)
{
	long page = sysconf(_SC_PAGESIZE);
	size_t count;

	if (elf_getphdrnum(module->elf, &count) || !count || count > SEGMENTS_MAX)
		return -ENOEXEC;
	module->segments = calloc(count, sizeof(*module->segments));
	if (!module->segments)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr header;

		if (gelf_getphdr(module->elf, (int)i, &header) && header.p_type == PT_LOAD)
			add_segment(module, &header);
	}
	module->end = (module->end + (uint64_t)page - 1) & -(uint64_t)page;
	return module->segment_count && module->start < module->end ? 0 : -ENOEXEC;
}

static int begin_file(struct module *module)
{
	Elf_Cmd how = ELF_C_READ;
	struct stat status;
	int result = fstat(module->fd, &status) ? -errno : 0;

	if (!result && status.st_size > READ_BYTES_MAX) {
		if (shared_file_may_change(&status, module->pid))
			result = shared_file_claim(module_budget(module), (uint64_t)status.st_size);
		else
			how = ELF_C_READ_MMAP;
	}
	if (!result)
		module->elf = elf_begin(module->fd, how, NULL);
	return result;
}

static int read_elf(struct module *module)
{
	const void *build_id;
	ssize_t size;
	int result;

	elf_version(EV_CURRENT);
	result = module->fd >= 0 ? begin_file(module) : 0;
	if (result)
		return result;
	if (!module->elf || elf_kind(module->elf) != ELF_K_ELF)
		return -ENOEXEC;
	size = dwelf_elf_gnu_build_id(module->elf, &build_id);
	if (size > 0 && size <= BUILD_ID_BYTES_MAX) {
		memcpy(module->build_id, build_id, (size_t)size);
		module->build_id_size = (size_t)size;
	}
	return read_segments(module);
}

static bool is_copy(const struct module *one, const struct module *other)
{
	return one->build_id_size && one->build_id_size == other->build_id_size &&
	       memcmp(one->build_id, other->build_id, one->build_id_size) == 0 &&
	       one->segment_count == other->segment_count && one->end == other->end;
}

/* Takes over `module`, filled but for its ELF part. */
static int add_module(struct module_cache *cache, struct module *module, struct module **out)
{
	int result;

	module->cache = cache;
	result = module->path && module->debug_root ? read_elf(module) : -ENOMEM;

	for (struct module *at = cache->first; at && !result; at = at->next) {
		if (is_copy(at, module)) {
			module_free(module);
			*out = at;
			return 0;
		}
	}
	if (result) {
		module_free(module);
		return result;
	}
	module->next = cache->first;
	cache->first = module;
	cache->size++;
	*out = module;
	return 0;
}

int module_open(struct module_cache *cache, pid_t pid, const struct proc_map *map,
		struct module **out)
{
	dev_t device = makedev(map->dev_major, map->dev_minor);
	char root[MAPPED_FILE_ROOT_BYTES];
	struct module *module;
	int fd;

	for (module = cache->first; module; module = module->next) {
		if (module->fd >= 0 && module->device == device && module->inode == map->inode) {
			*out = module;
			return 0;
		}
	}
	if (cache->size >= MODULES_MAX)
		return -EMFILE;
	fd = mapped_file_open(pid, map, root);
	if (fd < 0)
		return fd;
	module = calloc(1, sizeof(*module));
	if (!module) {
		close(fd);
		return -ENOMEM;
	}
	module->path = strdup(map->path);
	module->debug_root = strdup(root);
	module->device = device;
	module->inode = map->inode;
	module->pid = pid;
	module->fd = fd;
	return add_module(cache, module, out);
}

int module_from_file(struct module_cache *cache, const char *path, int fd, struct module **out)
{
	struct module *module = calloc(1, sizeof(*module));

	if (!module)
		return -ENOMEM;
	module->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (module->fd < 0) {
		free(module);
		return -EMFILE;
	}
	module->path = strdup(path);
	module->debug_root = strdup("");
	return add_module(cache, module, out);
}

int module_from_memory(struct module_cache *cache, const char *name, const void *bytes, size_t size,
		       struct module **out)
{
	struct module *module;

	for (module = cache->first; module; module = module->next) {
		if (module->fd < 0 && strcmp(module->path, name) == 0) {
			*out = module;
			return 0;
		}
	}
	module = calloc(1, sizeof(*module));
	if (!module)
		return -ENOMEM;
	module->fd = -1;
	module->path = strdup(name);
	module->debug_root = strdup("");
	module->bytes = malloc(size);
	if (module->bytes) {
		memcpy(module->bytes, bytes, size);
		module->elf = elf_memory(module->bytes, size);
	}
	return add_module(cache, module, out);
}

bool module_address(const struct module *module, uint64_t file_offset, uint64_t *address)
{
	for (size_t i = 0; i < module->segment_count; i++) {
		const struct module_segment *segment = &module->segments[i];

		if (file_offset >= segment->offset &&
		    file_offset - segment->offset < segment->file_bytes) {
			*address = segment->address + (file_offset - segment->offset);
			return true;
		}
	}
	return false;
}

bool module_read(const struct module *module, uint64_t address, uint64_t *value)
{
	for (size_t i = 0; i < module->segment_count; i++) {
		const struct module_segment *segment = &module->segments[i];
		uint64_t offset = address - segment->address;
		Elf_Data *data;

		if (segment->is_writable || segment->file_bytes < sizeof(*value) ||
		    address < segment->address || offset > segment->file_bytes - sizeof(*value))
			continue;
		if (module->fd >= 0)
			return pread(module->fd, value, sizeof(*value),
				     (off_t)(segment->offset + offset)) == sizeof(*value);
		data = elf_getdata_rawchunk(module->elf, (int64_t)(segment->offset + offset),
					    sizeof(*value), ELF_T_BYTE);
		if (data)
			memcpy(value, data->d_buf, sizeof(*value));
		return data;
	}
	return false;
}

/* ---- libdwfl ---- */

int module_find_elf(Dwfl_Module *dwfl_module, void **user, const char *name, Dwarf_Addr base,
		    char **file_name, Elf **elf)
{
	struct module *module = *user;

	(void)dwfl_module;
	(void)name;
	(void)base;
	/* One more reference to the same handle. Without one there must be no name: libdwfl would
	 * open it in our root. */
	*elf = module ? elf_begin(-1, ELF_C_READ_MMAP, module->elf) : NULL;
	*file_name = *elf ? strdup(module->path) : NULL;
	return -1;
}

Dwfl_Module *module_symbols(struct module *module)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = module_find_elf,
		.find_debuginfo = debug_file_find,
		.section_address = dwfl_offline_section_address,
	};
	void **user;

	if (module->dwfl)
		return module->symbols;
	module->dwfl = dwfl_begin(&callbacks);
	if (!module->dwfl)
		return NULL;
	dwfl_report_begin(module->dwfl);
	module->symbols =
		dwfl_report_module(module->dwfl, module->path, module->start, module->end);
	dwfl_report_end(module->dwfl, NULL, NULL);
	if (module->symbols &&
	    dwfl_module_info(module->symbols, &user, NULL, NULL, NULL, NULL, NULL, NULL))
		*user = module;
	return module->symbols;
}
