/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_ELF_FILE_H
#define PROBEKIT_ELF_FILE_H
/*
 * An ELF file opened for reading: the bytes of its sections and where its addresses lie in the
 * file. libelf finds the tables; what the bytes of a section mean is decided here (symbols, build
 * id) and in sdt_note.h. The content is untrusted: every offset and size is checked against the
 * file.
 */
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct elf_file;

/* Opens `path`, or takes over the descriptor `fd` when it is >= 0 (closed by elf_file_free() and on
 * error); `path` is then only what errors call it. -ENOENT, -EACCES ..., -EISDIR, -ENOEXEC: no
 * regular file, not an ELF file, truncated, of another byte order, class or machine than the
 * host's, or neither a program nor a library. Content is read when it is first asked for, and never
 * mapped: a file that somebody truncates meanwhile makes bytes absent, not a SIGBUS. */
int elf_file_open(const char *path, int fd, struct elf_file **file, struct probekit_error *err);
/* The same for bytes in memory, which are copied. For tests and fuzzing. */
int elf_file_from_memory(const void *bytes, size_t size, struct elf_file **file,
			 struct probekit_error *err);
void elf_file_free(struct elf_file *file);

/* EM_X86_64 or EM_AARCH64. */
uint16_t elf_file_machine(const struct elf_file *file);

/* Bytes of the first section of this name, or NULL; they live as long as the file. A section that
 * does not lie inside the file (or has none: SHT_NOBITS), is compressed or larger than 1 GiB is
 * NULL with *size_bytes 0 as well; *address is its virtual address in any case where the section
 * exists, 0 where it does not. `address` may be NULL. */
const void *elf_file_section(struct elf_file *file, const char *name, size_t *size_bytes,
			     uint64_t *address);

/* Virtual address (as symbols and notes have it) to file offset by the PT_LOAD segments; -ENOENT
 * when no segment that has all of `flags` (PF_X, PF_W ..., or 0) has a file byte there. Where
 * segments overlap, the one that begins first counts. */
int elf_file_offset(const struct elf_file *file, uint64_t address, uint32_t flags,
		    uint64_t *offset);
/* The address that the file's first page is for: where that page is mapped, less this, is what
 * addresses are off by in a process. */
uint64_t elf_file_base(const struct elf_file *file);
/* Bytes at a file offset, or NULL unless all `size_bytes` lie in the file. */
const void *elf_file_bytes(const struct elf_file *file, uint64_t offset, size_t size_bytes);

/* Build id in lower-case hexadecimal, or NULL. */
const char *elf_file_build_id(const struct elf_file *file);
/* PT_INTERP's string or NULL: static. */
const char *elf_file_interpreter(const struct elf_file *file);

/* One function symbol (STT_FUNC or STT_GNU_IFUNC, defined, with file bytes in an executable
 * segment, and a name of at most ELF_NAME_MAX bytes). */
#define ELF_NAME_MAX 16384
struct elf_symbol {
	const char *name; /* without the @VERSION, not empty; lives as long as the file */
	uint64_t address;
	uint64_t size_bytes;
	uint64_t offset; /* in the file */
};
/* Calls `visit` for each function of .symtab, or of .dynsym where there is none, until it returns
 * non-zero, which is returned. -ENOMEM. */
int elf_file_functions(struct elf_file *file,
		       int (*visit)(const struct elf_symbol *symbol, void *arg), void *arg);
/* The variable that `address` lies in, and how many bytes from its start. The name lives as long as
 * the file. -ENOENT: none; -ENOMEM. */
int elf_file_data(struct elf_file *file, uint64_t address, const char **name, uint64_t *into);

#endif
