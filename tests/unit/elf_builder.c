/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the layout of the ELF files that tests are made of. */
#include "elf_builder.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void elf_builder_init(struct elf_builder *builder)
{
	memset(builder, 0, sizeof(*builder));
	builder->size_bytes = sizeof(Elf64_Ehdr) + ELF_BUILDER_MAX * sizeof(Elf64_Phdr);
	builder->section_count = 1;
	builder->names_bytes = 1;
}

uint64_t elf_builder_append(struct elf_builder *builder, const void *bytes, size_t size_bytes)
{
	size_t offset = (builder->size_bytes + 7) & ~(size_t)7;

	assert(offset + size_bytes <= sizeof(builder->bytes));
	if (bytes && size_bytes)
		memcpy(builder->bytes + offset, bytes, size_bytes);
	builder->size_bytes = offset + size_bytes;
	return offset;
}

Elf64_Phdr *elf_builder_segment(struct elf_builder *builder, uint32_t type, uint32_t flags,
				uint64_t offset, uint64_t address, uint64_t size_bytes)
{
	Elf64_Phdr *program = &builder->programs[builder->program_count++];

	assert(builder->program_count <= ELF_BUILDER_MAX);
	*program = (Elf64_Phdr){
		.p_type = type,
		.p_flags = flags,
		.p_offset = offset,
		.p_vaddr = address,
		.p_filesz = size_bytes,
		.p_memsz = size_bytes,
		.p_align = 4,
	};
	return program;
}

uint32_t elf_builder_section(struct elf_builder *builder, const char *name, uint32_t type,
			     uint64_t offset, uint64_t address, uint64_t size_bytes)
{
	size_t length = strlen(name) + 1;

	assert(builder->section_count < ELF_BUILDER_MAX);
	assert(builder->names_bytes + length <= sizeof(builder->names));
	memcpy(builder->names + builder->names_bytes, name, length);
	builder->sections[builder->section_count] = (Elf64_Shdr){
		.sh_name = (uint32_t)builder->names_bytes,
		.sh_type = type,
		.sh_offset = offset,
		.sh_addr = address,
		.sh_size = size_bytes,
	};
	builder->names_bytes += length;
	return (uint32_t)builder->section_count++;
}

void elf_builder_symbols(struct elf_builder *builder, uint32_t type, const char *name,
			 const char *names_name, const Elf64_Sym *symbols, size_t count,
			 const char *names, size_t names_bytes)
{
	uint64_t offset = elf_builder_append(builder, names, names_bytes);
	uint32_t strings =
		elf_builder_section(builder, names_name, SHT_STRTAB, offset, 0, names_bytes);
	uint32_t table;

	offset = elf_builder_append(builder, symbols, count * sizeof(*symbols));
	table = elf_builder_section(builder, name, type, offset, 0, count * sizeof(*symbols));
	builder->sections[table].sh_link = strings;
	builder->sections[table].sh_entsize = sizeof(*symbols);
}

void elf_builder_note(unsigned char *buffer, size_t size_bytes, size_t *used, uint32_t type,
		      const char *owner, const void *desc, size_t desc_size)
{
	Elf64_Nhdr header = {(uint32_t)strlen(owner) + 1, (uint32_t)desc_size, type};
	size_t padded_owner = (header.n_namesz + 3) & ~3u;
	size_t padded_desc = (desc_size + 3) & ~(size_t)3;
	unsigned char *at = buffer + *used;

	assert(*used + sizeof(header) + padded_owner + padded_desc <= size_bytes);
	memset(at, 0, sizeof(header) + padded_owner + padded_desc);
	memcpy(at, &header, sizeof(header));
	memcpy(at + sizeof(header), owner, header.n_namesz);
	memcpy(at + sizeof(header) + padded_owner, desc, desc_size);
	*used += sizeof(header) + padded_owner + padded_desc;
}

void elf_builder_finish(struct elf_builder *builder)
{
	uint32_t names = elf_builder_section(builder, ".shstrtab", SHT_STRTAB, 0, 0, 0);
	Elf64_Ehdr header = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			    EV_CURRENT},
		.e_type = ET_DYN,
#ifdef __aarch64__
		.e_machine = EM_AARCH64,
#else
		.e_machine = EM_X86_64,
#endif
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (uint16_t)builder->program_count,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = (uint16_t)builder->section_count,
		.e_shstrndx = (uint16_t)names,
	};

	builder->sections[names].sh_offset =
		elf_builder_append(builder, builder->names, builder->names_bytes);
	builder->sections[names].sh_size = builder->names_bytes;
	header.e_shoff = elf_builder_append(builder, builder->sections,
					    builder->section_count * sizeof(*builder->sections));
	memcpy(builder->bytes, &header, sizeof(header));
	memcpy(builder->bytes + sizeof(header), builder->programs,
	       builder->program_count * sizeof(*builder->programs));
}

Elf64_Ehdr *elf_builder_header(struct elf_builder *builder)
{
	return (Elf64_Ehdr *)builder->bytes;
}

Elf64_Shdr *elf_builder_section_header(struct elf_builder *builder, size_t index)
{
	uint64_t offset = elf_builder_header(builder)->e_shoff;

	return (Elf64_Shdr *)(builder->bytes + offset) + index;
}

Elf64_Phdr *elf_builder_program_header(struct elf_builder *builder, size_t index)
{
	return (Elf64_Phdr *)(builder->bytes + sizeof(Elf64_Ehdr)) + index;
}
