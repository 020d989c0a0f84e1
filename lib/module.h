/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_MODULE_H
#define PROBEKIT_MODULE_H
/*
 * The ELF files that code runs from, each opened once: a thousand processes of one binary share one
 * struct module, found by device and inode, and copies of one file (in containers) by build id. A
 * module that is open keeps its inode, so that no other file can come to be taken for it. Not
 * thread-safe: all that one cache gives out belongs to one thread at a time.
 */
#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "elf_image.h"

struct module_cache;
struct proc_map;

#define BUILD_ID_BYTES_MAX 64

struct module {
	char *path; /* as the first process that was asked about had it, or "[vdso]" */
	dev_t device;
	ino_t inode;
	struct elf_image image;
	Elf *elf;
	unsigned char build_id[BUILD_ID_BYTES_MAX];
	size_t build_id_size;
	uint64_t start; /* of its addresses as the file has them; page-aligned */
	uint64_t end;
	struct module_segment *segments;
	size_t segment_count;
	char *debug_root; /* where else the target's debug files may be: "/proc/PID/root", or "" */
	size_t debug_files; /* found for it */
	Dwfl *dwfl;	    /* of module_symbols(); NULL until then */
	Dwfl_Module *symbols;
	void *user; /* the symbolizer's; freed by `user_free` */
	void (*user_free)(void *user);
	struct module_cache *cache;
	pid_t pid; /* the process that was asked about first; 0: none */
	struct module *next;
};

int module_cache_new(struct module_cache **cache) __attribute__((warn_unused_result));
/* All modules end with it, and what was made from them (symbolizer, unwinders) must have before. */
void module_cache_free(struct module_cache *cache);
/* How many files are open. */
size_t module_cache_size(const struct module_cache *cache);

/* The file that `pid` mapped, opened when it is met first: through /proc/PID/root, by
 * /proc/PID/map_files, or, once the process is gone, by its path, and only when it is still the
 * same file. -ENOENT, -ESTALE (another file has that path now), -ENOEXEC (no ELF file), -EMFILE
 * (too many are open), -EFBIG (of a size that only a file which nobody changes may have), -ENOMEM. */
int module_open(struct module_cache *cache, pid_t pid, const struct proc_map *map,
		struct module **module) __attribute__((warn_unused_result));
/* A file that is open already; `fd` stays the caller's. Not found again. -ENOEXEC, -EMFILE, -ENOMEM. */
int module_from_file(struct module_cache *cache, const char *path, int fd, struct module **module)
	__attribute__((warn_unused_result));
/* The same as module_open() for ELF bytes in memory, which are copied. Found again by `name`. */
int module_from_memory(struct module_cache *cache, const char *name, const void *bytes, size_t size,
		       struct module **module) __attribute__((warn_unused_result));

/* What is left for copies of files that a target could change. */
struct shared_file_budget *module_budget(struct module *module);

/* Offset in the file to the address that the file's symbols have; false where no segment is. */
bool module_address(const struct module *module, uint64_t file_offset, uint64_t *address);
/* Eight bytes at such an address, from the parts of the file that a program cannot write. */
bool module_read(const struct module *module, uint64_t address, uint64_t *value);

/* The module alone in a Dwfl of its own, at the file's own addresses, for symbols and DWARF; NULL
 * when libdwfl refuses it. */
Dwfl_Module *module_symbols(struct module *module);

/* For other Dwfl's that hold modules of the cache: dwfl_module's user data points to the module. */
int module_find_elf(Dwfl_Module *dwfl_module, void **user, const char *name, Dwarf_Addr base,
		    char **file_name, Elf **elf);

#endif
