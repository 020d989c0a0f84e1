/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_ELF_NOTE_H
#define PROBEKIT_ELF_NOTE_H
/* The records of ELF note sections and segments. Pure, of untrusted bytes. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One record of a note section or segment. */
struct elf_note {
	uint32_t type;
	const char *owner; /* owner_size bytes, its NUL included if it has one */
	size_t owner_size;
	const unsigned char *desc; /* not aligned */
	size_t desc_size;
};
/* Takes the record at *position, which starts at 0, and moves on; `alignment` is 4 or 8. False at
 * the end, where *position is `size_bytes`, and at a record that is cut short, where it is not. */
bool elf_note_next(const void *bytes, size_t size_bytes, size_t alignment, size_t *position,
		   struct elf_note *note);

#endif
