/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_SYMBOL_TABLE_H
#define PROBEKIT_SYMBOL_TABLE_H
/* The functions of an ELF file by address, from the symbol table that libdwfl finds for it: its
 * own, its debug file's, or .gnu_debugdata. */
#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol {
	const char *name; /* lives as long as the Dwfl_Module */
	uint64_t address;
	uint64_t size_bytes;
	uint64_t reach; /* the furthest end of this symbol and all before it */
	uint64_t limit; /* of a label without a size: the end of its section */
	unsigned char rank;
};

/* Of several names of one address the lowest is shown. */
unsigned char symbol_rank(const GElf_Sym *symbol, const char *name);

/* May the names be read that libdwfl gives for the symbols of this file? It does not see to it that
 * they end within their section. */
bool symbol_names_end(Elf *elf);

struct symbol_table {
	struct symbol *symbols;
	size_t size;
	size_t capacity;
};

/* Out of memory, and no symbols, make an empty table. */
void symbol_table_load(Dwfl_Module *module, struct symbol_table *table);
void symbol_table_done(struct symbol_table *table);

/* The function whose size takes in `address`, the smallest where several do; failing that, the
 * label without a size (as assembler code has) that is the last symbol before it in its section, if
 * the table is a full one and not only that of the dynamic linker; or NULL. */
const struct symbol *symbol_table_find(const struct symbol_table *table, uint64_t address);

#endif
