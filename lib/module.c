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
#include "inflated_size.h"
#include "mapped_file.h"
#include "proc_maps.h"
#include "shared_file.h"

/* Of the 1024 descriptors that a process commonly has. */
#define MODULES_MAX 400
/* A file is read, as a mapping of one that shrinks would raise SIGBUS; where a copy would hurt it is
 * mapped, but only if no target can change it. */
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
	elf_image_done(&module->image);
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

/* Neither libelf nor libdw are asked for a program's code and variables. */
static bool is_wanted(const Elf64_Shdr *header)
{
	return header->sh_type != SHT_NOBITS && (header->sh_type != SHT_PROGBITS ||
						 !(header->sh_flags & (SHF_EXECINSTR | SHF_WRITE)));
}

/* All parts of the file that libelf and libdw are asked for. What lies outside of it they refuse. */
static int read_parts(const struct elf_image *image, const Elf64_Ehdr *header)
{
	uint64_t table_bytes = (uint64_t)header->e_shnum * sizeof(Elf64_Shdr);
	int result = elf_image_load(image, header->e_shoff, table_bytes);

	if (!result)
		result = elf_image_load(image, header->e_phoff,
					(uint64_t)header->e_phnum * sizeof(Elf64_Phdr));
	for (size_t i = 0; i < header->e_shnum && !result; i++) {
		Elf64_Shdr section;

		memcpy(&section, image->bytes + header->e_shoff + i * sizeof(section),
		       sizeof(section));
		if (is_wanted(&section))
			result = elf_image_load(image, section.sh_offset, section.sh_size);
		if (result == -ERANGE)
			result = 0;
	}
	return result;
}

static int read_image(struct module *module)
{
	struct elf_image *image = &module->image;
	struct stat status;
	Elf64_Ehdr header;
	int result;

	if (image->size_bytes < sizeof(header))
		return -ENOEXEC;
	if (image->size_bytes > READ_BYTES_MAX) {
		if (fstat(image->fd, &status))
			return -errno;
		if (!shared_file_may_change(&status, module->pid))
			return elf_image_map(image);
		result = shared_file_claim(module_budget(module), image->size_bytes);
		if (result)
			return result;
	}
	result = elf_image_load(image, 0, sizeof(header));
	if (result)
		return result;
	memcpy(&header, image->bytes, sizeof(header));
	/* Where symbols are found by other ways than sections, and in 32-bit files, it is all of it. */
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || !header.e_shoff || !header.e_shnum)
		return elf_image_load(image, 0, image->size_bytes);
	return read_parts(image, &header);
}

static int read_elf(struct module *module)
{
	const void *build_id;
	ssize_t size;
	int result = read_image(module);

	if (result)
		return result;
	elf_version(EV_CURRENT);
	module->elf = elf_memory((char *)module->image.bytes, module->image.size_bytes);
	if (!module->elf || elf_kind(module->elf) != ELF_K_ELF)
		return -ENOEXEC;
	if (inflated_debug_size(module->elf) > module_budget(module)->left_bytes)
		return -EFBIG;
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

/* Takes the descriptor over. */
static int add_file(struct module_cache *cache, const char *path, const char *root, int fd,
		    struct module module, struct module **out)
{
	struct module *made = malloc(sizeof(*made));
	int result;

	if (!made) {
		close(fd);
		return -ENOMEM;
	}
	*made = module;
	result = elf_image_open(path, fd, &made->image, NULL);
	if (result) {
		free(made);
		return result;
	}
	made->path = strdup(path);
	made->debug_root = strdup(root);
	return add_module(cache, made, out);
}

int module_open(struct module_cache *cache, pid_t pid, const struct proc_map *map,
		struct module **out)
{
	const struct module wanted = {
		.device = makedev(map->dev_major, map->dev_minor),
		.inode = map->inode,
		.pid = pid,
	};
	char root[MAPPED_FILE_ROOT_BYTES];
	struct module *module;
	int fd;

	for (module = cache->first; module; module = module->next) {
		if (module->image.fd >= 0 && module->device == wanted.device &&
		    module->inode == wanted.inode) {
			*out = module;
			return 0;
		}
	}
	if (cache->size >= MODULES_MAX)
		return -EMFILE;
	fd = mapped_file_open(pid, map, root);
	return fd < 0 ? fd : add_file(cache, map->path, root, fd, wanted, out);
}

int module_from_file(struct module_cache *cache, const char *path, int fd, struct module **out)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return own < 0 ? -EMFILE : add_file(cache, path, "", own, (struct module){0}, out);
}

int module_from_memory(struct module_cache *cache, const char *name, const void *bytes, size_t size,
		       struct module **out)
{
	struct module *module;

	for (module = cache->first; module; module = module->next) {
		if (module->image.fd < 0 && strcmp(module->path, name) == 0) {
			*out = module;
			return 0;
		}
	}
	module = calloc(1, sizeof(*module));
	if (!module || elf_image_copy(bytes, size, &module->image)) {
		free(module);
		return -ENOMEM;
	}
	module->path = strdup(name);
	module->debug_root = strdup("");
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

		if (segment->is_writable || segment->file_bytes < sizeof(*value) ||
		    address < segment->address || offset > segment->file_bytes - sizeof(*value))
			continue;
		if (elf_image_load(&module->image, segment->offset + offset, sizeof(*value)))
			return false;
		memcpy(value, module->image.bytes + segment->offset + offset, sizeof(*value));
		return true;
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
	if (inflated_symbols_size(module->elf) > module_budget(module)->left_bytes)
		return NULL;
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
