/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_FUNCTION_SYMBOLS_H
#define PROBEKIT_FUNCTION_SYMBOLS_H
/* The symbols of an object's functions, by address, from wherever they are: the object, its debug
 * file, or .gnu_debugdata. */
#include "module.h"
#include "object.h"

struct function_symbol {
	const char *name; /* as the table has it, with version and suffixes */
	uint64_t address;
	uint64_t size_bytes;
	uint64_t offset; /* in the file */
	unsigned char rank;
	bool is_ifunc;
};

struct function_symbols {
	struct module_cache *cache;
	struct module *module;	       /* NULL: libelf refused the file, and there are no symbols */
	struct function_symbol *items; /* by address, then by rank */
	size_t size;
	size_t capacity;
};

/* -ENOMEM. */
int function_symbols_load(const struct object *object, struct function_symbols *symbols,
			  struct probekit_error *err) __attribute__((warn_unused_result));
void function_symbols_done(struct function_symbols *symbols);

/* How many of the symbols, from `first` on, have the address of that one. */
size_t function_symbols_run(const struct function_symbols *symbols, size_t first);

/* The symbol that `address` lies in: of those that take it in, the last to begin. NULL: none. */
const struct function_symbol *function_symbols_find(const struct function_symbols *symbols,
						    uint64_t address);

/* Does a function begin in there? */
bool function_symbols_any(const struct function_symbols *symbols, uint64_t address,
			  uint64_t size_bytes);

#endif
