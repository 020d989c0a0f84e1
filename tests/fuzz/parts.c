/* SPDX-License-Identifier: BSD-2-Clause */
#include "parts.h"

#include <string.h>

#define HEAD_BYTES 3

/* What the tables at the end of the file take at most. */
#define TABLES_BYTES 4096

static const struct {
	const char *name;
	uint32_t type;
	uint64_t address; /* 0: behind the others */
} sections[PART_SECTIONS] = {
	[PART_TEXT] = {".text", SHT_PROGBITS, PARTS_TEXT},
	[PART_EH_FRAME] = {".eh_frame", SHT_PROGBITS, PARTS_EH_FRAME},
	[PART_EH_FRAME_HDR] = {".eh_frame_hdr", SHT_PROGBITS, PARTS_EH_FRAME_HDR},
	[PART_DEBUG_INFO] = {".debug_info", SHT_PROGBITS, 0},
	[PART_DEBUG_ABBREV] = {".debug_abbrev", SHT_PROGBITS, 0},
	[PART_DEBUG_LINE] = {".debug_line", SHT_PROGBITS, 0},
	[PART_DEBUG_STR] = {".debug_str", SHT_PROGBITS, 0},
	[PART_DEBUG_LINE_STR] = {".debug_line_str", SHT_PROGBITS, 0},
	[PART_DEBUG_RANGES] = {".debug_ranges", SHT_PROGBITS, 0},
	[PART_DEBUG_RNGLISTS] = {".debug_rnglists", SHT_PROGBITS, 0},
	[PART_STRTAB] = {".strtab", SHT_STRTAB, 0},
	[PART_SYMTAB] = {".symtab", SHT_SYMTAB, 0},
	[PART_NOTES] = {".note.stapsdt", SHT_NOTE, 0},
	[PART_DEBUG_ADDR] = {".debug_addr", SHT_PROGBITS, 0},
	[PART_DEBUG_STR_OFFSETS] = {".debug_str_offsets", SHT_PROGBITS, 0},
};

const uint8_t *parts_find(const uint8_t *data, size_t size, uint8_t kind, size_t *part_size)
{
	while (size >= HEAD_BYTES) {
		size_t length = (size_t)data[1] | (size_t)data[2] << 8;
		uint8_t found = data[0];

		data += HEAD_BYTES;
		size -= HEAD_BYTES;
		length = length < size ? length : size;
		if (found == kind) {
			*part_size = length;
			return data;
		}
		data += length;
		size -= length;
	}
	*part_size = 0;
	return NULL;
}

/* 0: there was no room. */
static uint32_t add_section(struct elf_builder *builder, size_t kind, const uint8_t *bytes,
			    size_t size)
{
	uint64_t address = sections[kind].address;
	uint64_t offset;

	if (builder->size_bytes + size + TABLES_BYTES > sizeof(builder->bytes))
		return 0;
	offset = elf_builder_append(builder, bytes, size);
	return elf_builder_section(builder, sections[kind].name, sections[kind].type, offset,
				   address, size);
}

static void add_symbols(struct elf_builder *builder, uint32_t symbols, uint32_t strings)
{
	builder->sections[symbols].sh_link = strings;
	builder->sections[symbols].sh_entsize = sizeof(Elf64_Sym);
}

void parts_build(const uint8_t *data, size_t size, uint32_t flags, struct elf_builder *builder)
{
	Elf64_Phdr *load;
	uint32_t strings = 0;

	elf_builder_init(builder);
	load = elf_builder_segment(builder, PT_LOAD, flags, 0, 0, 0);
	load->p_align = 0x1000;
	for (size_t kind = 0; kind < PART_SECTIONS; kind++) {
		uint64_t end = sections[kind].address ? sections[kind].address + 0x1000 : 0;
		size_t part_size;
		const uint8_t *part = parts_find(data, size, (uint8_t)kind, &part_size);
		uint32_t section;

		if (end)
			builder->size_bytes = sections[kind].address;
		if (part_size > 0x1000 && end)
			part_size = 0x1000;
		section = part ? add_section(builder, kind, part, part_size) : 0;
		if (end)
			builder->size_bytes = end;
		if (kind == PART_STRTAB)
			strings = section;
		if (kind == PART_SYMTAB && section)
			add_symbols(builder, section, strings);
		if (kind == PART_EH_FRAME_HDR && section)
			elf_builder_segment(builder, PT_GNU_EH_FRAME, PF_R, PARTS_EH_FRAME_HDR,
					    PARTS_EH_FRAME_HDR, part_size);
	}
	load->p_filesz = load->p_memsz = PARTS_REST;
	elf_builder_finish(builder);
}
