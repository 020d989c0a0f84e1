/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how ELF notes follow one another. */
#include "elf_note.h"

#include <elf.h>
#include <string.h>

bool elf_note_next(const void *bytes, size_t size_bytes, size_t alignment, size_t *position,
		   struct elf_note *note)
{
	const unsigned char *start = (const unsigned char *)bytes + *position;
	size_t left = size_bytes - *position;
	Elf64_Nhdr header;
	uint64_t desc;
	uint64_t end;

	if (left < sizeof(header))
		return false;
	memcpy(&header, start, sizeof(header));
	desc = (sizeof(header) + (uint64_t)header.n_namesz + alignment - 1) &
	       ~((uint64_t)alignment - 1);
	end = desc + header.n_descsz;
	if (end > left)
		return false;
	*note = (struct elf_note){
		.type = header.n_type,
		.owner = (const char *)start + sizeof(header),
		.owner_size = header.n_namesz,
		.desc = start + desc,
		.desc_size = header.n_descsz,
	};
	end = (end + alignment - 1) & ~((uint64_t)alignment - 1);
	/* The last note may lack its padding. */
	*position += end < left ? (size_t)end : left;
	return true;
}
