/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_ELF_BUILDER_H
#define PROBEKIT_TESTS_ELF_BUILDER_H
/*
 * Small ELF files made in memory for tests: append bytes, say which of them are segments and
 * sections, finish, then damage what the test is about. Alignment and counts are the caller's to
 * keep sane: the builder asserts where its own room ends.
 */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_BUILDER_MAX 20

struct elf_builder {
	_Alignas(16) unsigned char bytes[32768];
	size_t size_bytes;
	Elf64_Phdr programs[ELF_BUILDER_MAX];
	size_t program_count;
	Elf64_Shdr sections[ELF_BUILDER_MAX];
	size_t section_count;
	char names[512];
	size_t names_bytes;
};

/* An empty program for the host's machine. */
void elf_builder_init(struct elf_builder *builder);
/* Adds bytes and returns their offset in the file, a multiple of 8. NULL adds zeros. */
uint64_t elf_builder_append(struct elf_builder *builder, const void *bytes, size_t size_bytes);
Elf64_Phdr *elf_builder_segment(struct elf_builder *builder, uint32_t type, uint32_t flags,
				uint64_t offset, uint64_t address, uint64_t size_bytes);
/* Returns the section's index. */
uint32_t elf_builder_section(struct elf_builder *builder, const char *name, uint32_t type,
			     uint64_t offset, uint64_t address, uint64_t size_bytes);
/* A symbol table, whose names are `names`, as sections `name` and `names_name`. */
void elf_builder_symbols(struct elf_builder *builder, uint32_t type, const char *name,
			 const char *names_name, const Elf64_Sym *symbols, size_t count,
			 const char *names, size_t names_bytes);
/* Appends one note to `buffer` of `size_bytes`, whose first *used are taken. */
void elf_builder_note(unsigned char *buffer, size_t size_bytes, size_t *used, uint32_t type,
		      const char *owner, const void *desc, size_t desc_size);
/* Writes the tables, the section table last, and the header. */
void elf_builder_finish(struct elf_builder *builder);

/* In the finished file. */
Elf64_Ehdr *elf_builder_header(struct elf_builder *builder);
Elf64_Shdr *elf_builder_section_header(struct elf_builder *builder, size_t index);
Elf64_Phdr *elf_builder_program_header(struct elf_builder *builder, size_t index);

#endif
