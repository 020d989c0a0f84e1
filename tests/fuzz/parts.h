/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_FUZZ_PARTS_H
#define PROBEKIT_TESTS_FUZZ_PARTS_H
/*
 * Inputs of several parts, each a byte that says which it is, two of length, and so many bytes; and
 * ELF files made of them. A mutation of one part leaves the others where they are, and the file's own
 * tables intact, which fuzz_elf and fuzz_functions are for.
 */
#include <stddef.h>
#include <stdint.h>

#include "../unit/elf_builder.h"

enum {
	PART_TEXT,	   /* at PARTS_TEXT */
	PART_EH_FRAME,	   /* at PARTS_EH_FRAME */
	PART_EH_FRAME_HDR, /* at PARTS_EH_FRAME_HDR */
	PART_DEBUG_INFO,
	PART_DEBUG_ABBREV,
	PART_DEBUG_LINE,
	PART_DEBUG_STR,
	PART_DEBUG_LINE_STR,
	PART_DEBUG_RANGES,
	PART_DEBUG_RNGLISTS,
	PART_STRTAB,
	PART_SYMTAB,
	PART_NOTES, /* .note.stapsdt */
	PART_DEBUG_ADDR,
	PART_DEBUG_STR_OFFSETS,
	PART_SECTIONS,
	PART_REGISTERS = PART_SECTIONS, /* no section, as what follows */
	PART_STACK,
};

/* Addresses, which are offsets in the file too. */
#define PARTS_TEXT 0x1000
#define PARTS_EH_FRAME 0x2000
#define PARTS_EH_FRAME_HDR 0x3000
#define PARTS_REST 0x4000
#define PARTS_SEMAPHORE PARTS_EH_FRAME_HDR

/* The first of the kind; NULL: there is none. */
const uint8_t *parts_find(const uint8_t *data, size_t size, uint8_t kind, size_t *part_size);

/* `flags` are those of the one segment. */
void parts_build(const uint8_t *data, size_t size, uint32_t flags, struct elf_builder *builder);

#endif
