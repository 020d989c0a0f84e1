/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_SDT_NOTE_H
#define PROBEKIT_SDT_NOTE_H
/*
 * USDT sites from `.note.stapsdt` (SystemTap SDT version 3), and whether a site is one of probe.h.
 * Format: https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf_file.h"
#include "sdt_arg.h"

/* The instructions at the note. Ours are recognised by their bytes (probe.h); offsets from the note
 * to the other attach points follow from the form. */
enum sdt_form {
	SDT_FORM_FOREIGN, /* anything else */
	SDT_FORM_INLINE,  /* nop, nop10, lea -128, nop5, lea +128: nop5 at +16, rsp lower by 128 */
	SDT_FORM_THUNK,	  /* nop, nop10, nop5, ret: nop5 at +11 */
};
#define SDT_NOP10_OFFSET 1
#define SDT_INLINE_NOP5_OFFSET 16
#define SDT_THUNK_NOP5_OFFSET 11

struct sdt_site {
	const char *provider; /* non-empty; these three point into the file's section */
	const char *name;
	const char *arguments;	   /* "" when none */
	uint64_t address;	   /* adjusted for prelink (`.stapsdt.base`) */
	uint64_t offset;	   /* in the file */
	uint64_t semaphore_offset; /* in the file; 0: none */
	/* The note names a semaphore that cannot be raised (offset 0): it has no file bytes in a
	 * writable segment, or an odd offset. The application may never reach the site. */
	bool has_bad_semaphore;
	enum sdt_form form;
	bool has_bad_argument; /* one or more could not be understood: SDT_ARG_BAD */
	uint8_t arg_count;
	struct sdt_arg args[SDT_MAX_ARGS];
};

struct sdt_sites {
	struct sdt_site *sites; /* in the order of the notes */
	size_t size;
	size_t bad_notes;     /* notes that are no v3 probe, cut short, or whose address is outside
				 * the executable segments: left out */
	size_t bad_arguments; /* sites with has_bad_argument */
};

/* All sites of `file`; an empty table when it has no notes. The strings live as long as the file.
 * -ENOMEM. Bad notes are counted, never an error. */
int sdt_sites_read(struct elf_file *file, struct sdt_sites *sites, struct probekit_error *err);
void sdt_sites_done(struct sdt_sites *sites);

#endif
