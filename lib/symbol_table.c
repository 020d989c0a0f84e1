/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the table of symbols. libdwfl's own look-up goes through all symbols for each address. */
#include "symbol_table.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOLS_MAX 16000000

/* Where several names have one address, the lowest is shown: write before __write before glibc's
 * __GI_write for itself, then those that others can call. */
unsigned char symbol_rank(const GElf_Sym *symbol, const char *name)
{
	static const unsigned char by_binding[] = {
		[STB_GLOBAL] = 0, [STB_WEAK] = 1, [STB_LOCAL] = 2};
	unsigned char binding = GELF_ST_BIND(symbol->st_info);
	size_t underscores = strncmp(name, "_Z", 2) ? strspn(name, "_") : 0;

	if (strncmp(name, "__GI_", 5) == 0)
		underscores = 8;
	return (unsigned char)((underscores < 8 ? underscores : 8) * 4 +
			       (binding <= STB_WEAK ? by_binding[binding] : 0));
}

/* Labels without a type count where they have no size, as in assembler code; compilers' local ones
 * never reach the table. */
static bool is_code(const GElf_Sym *symbol, const char *name, GElf_Word section)
{
	unsigned char type = GELF_ST_TYPE(symbol->st_info);

	if (!name || !name[0] || name[0] == '$' || section == SHN_UNDEF || section == SHN_ABS)
		return false;
	return type == STT_FUNC || type == STT_GNU_IFUNC ||
	       (type == STT_NOTYPE && GELF_ST_BIND(symbol->st_info) != STB_LOCAL);
}

static bool add(struct symbol_table *table, struct symbol symbol)
{
	if (table->size == table->capacity) {
		size_t wanted = table->capacity ? table->capacity * 2 : 512;
		struct symbol *grown =
			wanted > SYMBOLS_MAX ? NULL
					     : reallocarray(table->symbols, wanted, sizeof(*grown));

		if (!grown)
			return false;
		table->symbols = grown;
		table->capacity = wanted;
	}
	table->symbols[table->size++] = symbol;
	return true;
}

static int compare(const void *left, const void *right)
{
	const struct symbol *a = left;
	const struct symbol *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->size_bytes != b->size_bytes) /* the outer before the inner */
		return a->size_bytes > b->size_bytes ? -1 : 1;
	if (a->rank != b->rank)
		return b->rank - a->rank;
	return strcmp(b->name, a->name);
}

/* The end of the section of code that holds `address`; 0 when none does. */
static uint64_t section_end(Dwfl_Module *module, uint64_t address)
{
	Dwarf_Addr at = address;
	Dwarf_Addr bias;
	Elf_Scn *section = dwfl_module_address_section(module, &at, &bias);
	GElf_Shdr header;

	if (!section || !gelf_getshdr(section, &header) || !(header.sh_flags & SHF_EXECINSTR))
		return 0;
	return address - at + header.sh_size;
}

static bool ends(Elf *elf, size_t strings)
{
	Elf_Scn *section = elf_getscn(elf, strings);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;

	return data && data->d_size && ((const char *)data->d_buf)[data->d_size - 1] == '\0';
}

/* A file without section headers, whose symbols libdwfl finds by other ways, has no such section. */
bool symbol_names_end(Elf *elf)
{
	Elf_Scn *section = NULL;
	bool has_symbols = false;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;

		if (!gelf_getshdr(section, &header) ||
		    (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM))
			continue;
		has_symbols = true;
		if (!ends(elf, header.sh_link))
			return false;
	}
	return has_symbols;
}

/* Or only what the dynamic linker needs, with most functions missing? */
static bool has_full_table(Elf *elf)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;

		if (gelf_getshdr(section, &header) && header.sh_type == SHT_SYMTAB)
			return true;
	}
	return false;
}

static void compute_reach(struct symbol_table *table)
{
	uint64_t reach = 0;

	for (size_t i = 0; i < table->size; i++) {
		uint64_t end = table->symbols[i].address + table->symbols[i].size_bytes;

		reach = end > reach ? end : reach;
		table->symbols[i].reach = reach;
	}
}

void symbol_table_load(Dwfl_Module *module, struct symbol_table *table)
{
	int count = dwfl_module_getsymtab(module);
	Elf *checked = NULL;
	bool is_full = false;
	bool are_safe = false;

	for (int i = 1; i < count; i++) {
		struct symbol symbol = {0};
		GElf_Word section;
		GElf_Sym raw;
		Elf *elf;

		symbol.name = dwfl_module_getsym_info(module, i, &raw, &symbol.address, &section,
						      &elf, NULL);
		if (symbol.name && elf != checked) {
			is_full = has_full_table(elf);
			are_safe = symbol_names_end(elf);
			checked = elf;
		}
		if (!are_safe || !is_code(&raw, symbol.name, section))
			continue;
		symbol.size_bytes = raw.st_size;
		symbol.rank = symbol_rank(&raw, symbol.name);
		if (!raw.st_size && is_full)
			symbol.limit = section_end(module, symbol.address);
		if ((raw.st_size || symbol.limit) && !add(table, symbol))
			break;
	}
	if (table->size)
		qsort(table->symbols, table->size, sizeof(*table->symbols), compare);
	compute_reach(table);
}

void symbol_table_done(struct symbol_table *table)
{
	free(table->symbols);
	*table = (struct symbol_table){0};
}

const struct symbol *symbol_table_find(const struct symbol_table *table, uint64_t address)
{
	const struct symbol *symbols = table->symbols;
	size_t low = 0;
	size_t high = table->size;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i-- > 0 && symbols[i].reach > address;)
		if (address - symbols[i].address < symbols[i].size_bytes)
			return &symbols[i];
	return low && address < symbols[low - 1].limit ? &symbols[low - 1] : NULL;
}
