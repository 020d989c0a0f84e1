/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the list of function symbols. libdwfl finds the table; what it says is untrusted. */
#include "function_symbols.h"

#include <errno.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbol_table.h"

#define SYMBOLS_MAX 16000000

static bool is_function(const GElf_Sym *symbol, const char *name, GElf_Word section)
{
	unsigned char type = GELF_ST_TYPE(symbol->st_info);

	return name && name[0] && name[0] != '@' && section != SHN_UNDEF && section != SHN_ABS &&
	       (type == STT_FUNC || type == STT_GNU_IFUNC) &&
	       strnlen(name, ELF_NAME_MAX + 1) <= ELF_NAME_MAX;
}

static int add(struct function_symbols *symbols, const struct function_symbol *symbol)
{
	if (symbols->size == symbols->capacity) {
		size_t wanted = symbols->capacity ? symbols->capacity * 2 : 512;
		struct function_symbol *grown =
			wanted > SYMBOLS_MAX ? NULL
					     : reallocarray(symbols->items, wanted, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		symbols->items = grown;
		symbols->capacity = wanted;
	}
	symbols->items[symbols->size++] = *symbol;
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct function_symbol *a = left;
	const struct function_symbol *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank - b->rank;
	return strcmp(a->name, b->name);
}

static int read_all(struct function_symbols *symbols, const struct elf_file *elf)
{
	Dwfl_Module *dwfl_module = module_symbols(symbols->module);
	int count = dwfl_module ? dwfl_module_getsymtab(dwfl_module) : 0;
	Elf *checked = NULL;
	bool are_safe = false;
	int result = 0;

	for (int i = 1; i < count && !result; i++) {
		struct function_symbol symbol;
		GElf_Word section;
		GElf_Sym raw;
		Elf *from = NULL;

		symbol.name = dwfl_module_getsym_info(dwfl_module, i, &raw, &symbol.address,
						      &section, &from, NULL);
		if (symbol.name && from != checked) {
			are_safe = symbol_names_end(from);
			checked = from;
		}
		if (!are_safe || !is_function(&raw, symbol.name, section) ||
		    elf_file_offset(elf, symbol.address, PF_X, &symbol.offset))
			continue;
		symbol.size_bytes = raw.st_size;
		symbol.rank = symbol_rank(&raw, symbol.name);
		symbol.is_ifunc = GELF_ST_TYPE(raw.st_info) == STT_GNU_IFUNC;
		result = add(symbols, &symbol);
	}
	if (symbols->size)
		qsort(symbols->items, symbols->size, sizeof(*symbols->items), compare);
	return result;
}

/* Debug files are looked for from the file's place, which the name it was opened by need not tell. */
static int open_module(const struct object *object, struct function_symbols *symbols)
{
	char link[64];
	char path[PATH_MAX];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", object->fd);
	length = readlink(link, path, sizeof(path) - 1);
	path[length > 0 ? length : 0] = '\0';
	return module_from_file(symbols->cache, path[0] == '/' ? path : object->path, object->fd,
				&symbols->module);
}

int function_symbols_load(const struct object *object, struct function_symbols *out,
			  struct probekit_error *err)
{
	struct function_symbols symbols = {0};
	int result = module_cache_new(&symbols.cache);

	if (!result) {
		result = open_module(object, &symbols);
		if (!result)
			result = read_all(&symbols, object->elf);
		else if (result == -ENOEXEC)
			result = 0;
	}
	if (result) {
		function_symbols_done(&symbols);
		return result == -ENOMEM
			       ? error_no_memory(err)
			       : error_errno(err, result, "cannot read the symbols of '%s'",
					     object->path);
	}
	*out = symbols;
	return 0;
}

void function_symbols_done(struct function_symbols *symbols)
{
	free(symbols->items);
	module_cache_free(symbols->cache);
	*symbols = (struct function_symbols){0};
}

size_t function_symbols_run(const struct function_symbols *symbols, size_t first)
{
	size_t end = first;

	while (end < symbols->size && symbols->items[end].address == symbols->items[first].address)
		end++;
	return end - first;
}

/* How many symbols begin at `address` or before. */
static size_t count_until(const struct function_symbols *symbols, uint64_t address)
{
	size_t low = 0;
	size_t high = symbols->size;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols->items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct function_symbol *function_symbols_find(const struct function_symbols *symbols,
						    uint64_t address)
{
	size_t count = count_until(symbols, address);

	/* One that begins before and reaches over another is rare: a few are enough. */
	for (size_t i = count; i-- > 0 && count - i <= 16;)
		if (address - symbols->items[i].address < symbols->items[i].size_bytes)
			return &symbols->items[i];
	return NULL;
}

bool function_symbols_any(const struct function_symbols *symbols, uint64_t address,
			  uint64_t size_bytes)
{
	size_t before = address ? count_until(symbols, address - 1) : 0;

	return before < symbols->size && symbols->items[before].address - address < size_bytes;
}
