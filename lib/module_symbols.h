/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_MODULE_SYMBOLS_H
#define PROBEKIT_MODULE_SYMBOLS_H
/* What one ELF file and its debug information say about an address. */
#include "demangle.h"
#include "symbolize.h"

struct module_symbols;

/* The module's debug information, its own or its debug file's, at the file's own addresses; NULL:
 * there is none, or it refers to a part that is not there. */
Dwarf *module_dwarf(struct module *module);

/* Opens nothing yet. -ENOMEM. To be freed before the module is. */
int module_symbols_new(struct module *module, struct module_symbols **symbols)
	__attribute__((warn_unused_result));
void module_symbols_free(struct module_symbols *symbols);

struct symbol_names {
	char names[SYMBOL_FRAMES_MAX][DEMANGLED_BYTES_MAX];
};

/* Fills function, offset, file, line and is_inlined of at least one frame. `address` is as the file
 * has it; that of a return address lies in the call already, and its offset counts from behind it.
 * Functions' names are written to `names`. */
void module_symbols_find(struct module_symbols *symbols, uint64_t address, bool is_return,
			 struct symbol_names *names, struct symbol_frames *frames);

#endif
