/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the reading of .eh_frame. libdw finds its records; their content is untrusted. */
#include "function_frames.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX 8000000
/* What compilers write: 4 bytes, relative to where they stand. */
#define USUAL_ENCODING (DW_EH_PE_pcrel | DW_EH_PE_sdata4)

struct reader {
	const unsigned char *ident;
	Elf_Data data;
	uint64_t address; /* of the section */
	Dwarf_Off known_cie;
	bool is_usual; /* the encoding in that one */
	struct function_frames *frames;
};

/* ---- encoding ---- */

/* The size of a pointer to a personality routine; 0: not known. */
static size_t pointer_bytes(unsigned char encoding)
{
	switch (encoding & 0x0f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return 8;
	case DW_EH_PE_udata4:
	case DW_EH_PE_sdata4:
		return 4;
	default:
		return 0;
	}
}

static bool has_usual_encoding(const Dwarf_CIE *cie)
{
	const unsigned char *at = cie->augmentation_data;
	const unsigned char *end = at + cie->augmentation_data_size;

	if (cie->augmentation[0] != 'z')
		return false;
	for (const char *letter = cie->augmentation + 1; *letter; letter++) {
		size_t pointer;

		if (*letter == 'S' || *letter == 'B') /* no data */
			continue;
		if (at >= end)
			return false;
		if (*letter == 'R')
			return *at == USUAL_ENCODING;
		pointer = *letter == 'P' ? pointer_bytes(*at) : 0;
		if ((*letter != 'P' && *letter != 'L') || (*letter == 'P' && !pointer) ||
		    (size_t)(end - at) < pointer + 1)
			return false;
		at += 1 + pointer;
	}
	return false;
}

/* Does the first instruction say where the caller's frame is, before any code? */
static bool begins_inside(const unsigned char *at, const unsigned char *end)
{
	uint64_t skip = 0;

	for (unsigned int shift = 0; at < end && shift < 63; shift += 7) {
		skip |= (uint64_t)(*at & 0x7f) << shift;
		if (!(*at++ & 0x80))
			break;
	}
	if (skip >= (uint64_t)(end - at))
		return false;
	at += skip;
	return *at == DW_CFA_def_cfa || *at == DW_CFA_def_cfa_offset ||
	       *at == DW_CFA_def_cfa_register || *at == DW_CFA_def_cfa_expression;
}

/* ---- records ---- */

static int add(struct function_frames *frames, const struct function_frame *frame)
{
	if (frames->size == frames->capacity) {
		size_t wanted = frames->capacity ? frames->capacity * 2 : 256;
		struct function_frame *grown =
			wanted > FRAMES_MAX ? NULL
					    : reallocarray(frames->items, wanted, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		frames->items = grown;
		frames->capacity = wanted;
	}
	frames->items[frames->size++] = *frame;
	return 0;
}

static bool is_usual(struct reader *reader, Dwarf_Off cie)
{
	Dwarf_CFI_Entry entry;
	Dwarf_Off next;

	if (cie != reader->known_cie) {
		reader->known_cie = cie;
		reader->is_usual = dwarf_next_cfi(reader->ident, &reader->data, true, cie, &next,
						  &entry) == 0 &&
				   dwarf_cfi_cie_p(&entry) && has_usual_encoding(&entry.cie);
	}
	return reader->is_usual;
}

static int add_record(struct reader *reader, const Dwarf_FDE *record)
{
	struct function_frame frame;
	int32_t start;
	uint32_t size;

	if (record->end - record->start < (ptrdiff_t)(sizeof(start) + sizeof(size)) ||
	    !is_usual(reader, record->CIE_pointer))
		return 0;
	memcpy(&start, record->start, sizeof(start));
	memcpy(&size, record->start + sizeof(start), sizeof(size));
	frame.address = reader->address +
			(uint64_t)(record->start - (const unsigned char *)reader->data.d_buf) +
			(uint64_t)(int64_t)start;
	frame.size_bytes = size;
	frame.begins_inside =
		begins_inside(record->start + sizeof(start) + sizeof(size), record->end);
	return add(reader->frames, &frame);
}

static int compare(const void *left, const void *right)
{
	const struct function_frame *a = left;
	const struct function_frame *b = right;

	return a->address < b->address ? -1 : a->address > b->address;
}

int function_frames_load(struct elf_file *elf, struct function_frames *out)
{
	struct function_frames frames = {0};
	struct reader reader = {.known_cie = (Dwarf_Off)-1, .frames = &frames};
	Dwarf_CFI_Entry entry;
	Dwarf_Off next = 0;
	size_t size_bytes;
	int result = 0;

	reader.ident = elf_file_bytes(elf, 0, EI_NIDENT);
	reader.data.d_buf =
		(void *)elf_file_section(elf, ".eh_frame", &size_bytes, &reader.address);
	reader.data.d_size = size_bytes;
	reader.data.d_version = EV_CURRENT;
	if (!reader.data.d_buf) {
		*out = frames;
		return 0;
	}
	for (Dwarf_Off at = 0; !result; at = next) {
		int found = dwarf_next_cfi(reader.ident, &reader.data, true, at, &next, &entry);

		if (found || next <= at)
			break;
		if (!dwarf_cfi_cie_p(&entry))
			result = add_record(&reader, &entry.fde);
	}
	if (frames.size)
		qsort(frames.items, frames.size, sizeof(*frames.items), compare);
	if (result)
		function_frames_done(&frames);
	*out = frames;
	return result;
}

void function_frames_done(struct function_frames *frames)
{
	free(frames->items);
	*frames = (struct function_frames){0};
}

const struct function_frame *function_frames_find(const struct function_frames *frames,
						  uint64_t address)
{
	size_t low = 0;
	size_t high = frames->size;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (frames->items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || address - frames->items[low - 1].address >= frames->items[low - 1].size_bytes)
		return NULL;
	return &frames->items[low - 1];
}
