/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_SYMBOLIZE_H
#define PROBEKIT_SYMBOLIZE_H
/*
 * From addresses to functions, files and lines. One symbolizer a session; it is not
 * thread-safe. Files are opened and DWARF is read when an address in
 * them is first asked for, and what was found is kept for all processes that run the same file.
 */
#include "address_space.h"

struct symbolizer;

int symbolizer_new(struct symbolizer **symbolizer) __attribute__((warn_unused_result));
/* Address spaces and unwinders that use its modules must be done with before. */
void symbolizer_free(struct symbolizer *symbolizer);
/* The files that it has open; for address_space_init(). */
struct module_cache *symbolizer_modules(struct symbolizer *symbolizer);

/* The one copy of `text` that lives as long as the symbolizer. NULL stays NULL, and is what memory
 * that ran out gives. */
const char *symbolizer_keep(struct symbolizer *symbolizer, const char *text);

/* Strings live as long as the symbolizer; they come from the target and are untrusted. */
struct symbol_frame {
	const char *function; /* demangled; NULL: not known */
	uint64_t offset;      /* in the function's code; of an inlined one, in that around it */
	/* the path as mapped, or a name in brackets: [vdso], [jit], [anon], [heap] ..., and
	 * [unmapped] */
	const char *module;
	uint64_t module_offset; /* the address as the module's file has it, else from the mapping's
				 * start */
	const char *file;	/* of the source, absolute where DWARF has it so; NULL: not known */
	unsigned int line;	/* 0: not known */
	bool is_inlined;
};

#define SYMBOL_FRAMES_MAX 32

struct symbol_frames {
	struct symbol_frame frames[SYMBOL_FRAMES_MAX]; /* innermost inlined first */
	size_t size;				       /* at least 1 */
};

/* What is at `address`. Return addresses (`is_return`) count for the call before them. Never fails:
 * what cannot be known is not there. */
void symbolizer_resolve(struct symbolizer *symbolizer, struct address_space *space,
			uint64_t address, bool is_return, struct symbol_frames *frames);

/* "function", or "module+0xoffset" with the module's last path component; cut to fit. */
void symbol_frame_name(const struct symbol_frame *frame, char *text, size_t size);

#endif
