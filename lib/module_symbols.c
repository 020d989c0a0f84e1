/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the join of symbol table and DWARF: the table names every function and says where it begins,
 * DWARF adds what was inlined, and lines. */
#include "module_symbols.h"

#include <dwarf.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dwarf_scopes.h"
#include "symbol_table.h"

_Static_assert(SYMBOL_FRAMES_MAX == DWARF_SCOPES_MAX, "a frame for each scope");

struct module_symbols {
	struct module *module;
	bool is_loaded;
	struct symbol_table table;
	struct dwarf_units *units; /* NULL: no DWARF */
	uint64_t steps_left;	   /* in it */
};

int module_symbols_new(struct module *module, struct module_symbols **symbols)
{
	*symbols = calloc(1, sizeof(**symbols));
	if (!*symbols)
		return -ENOMEM;
	(*symbols)->module = module;
	(*symbols)->steps_left = DWARF_STEPS_MAX;
	return 0;
}

void module_symbols_free(struct module_symbols *symbols)
{
	if (!symbols)
		return;
	symbol_table_done(&symbols->table);
	dwarf_units_free(symbols->units);
	free(symbols);
}

static Elf_Scn *find_section(Elf *elf, const char *wanted)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const char *name = gelf_getshdr(section, &header)
					   ? elf_strptr(elf, names, header.sh_name)
					   : NULL;

		if (name && strcmp(name, wanted) == 0)
			break;
	}
	return section;
}

/* libdw reads on where the last string has no end. */
static bool strings_end(Dwarf *dwarf)
{
	static const char *const sections[] = {".debug_str", ".debug_line_str", ".zdebug_str",
					       ".zdebug_line_str"};
	Elf *elf = dwarf ? dwarf_getelf(dwarf) : NULL;

	for (size_t i = 0; elf && i < sizeof(sections) / sizeof(sections[0]); i++) {
		Elf_Scn *section = find_section(elf, sections[i]);
		Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;

		if (data && data->d_size && data->d_buf &&
		    ((const char *)data->d_buf)[data->d_size - 1] != '\0')
			return false;
	}
	return true;
}

/* DWARF that refers to a shared part (dwz) which is not there: libdw would go and open whatever the
 * file names, and its names would be missing in any case. */
static bool is_incomplete(struct module *module, Dwarf *dwarf)
{
	const char *name;
	const void *build_id;
	bool has_own = find_section(module->elf, ".debug_info");

	return dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &build_id) > 0 &&
	       module->debug_files < (has_own ? 1 : 2);
}

Dwarf *module_dwarf(struct module *module)
{
	Dwfl_Module *dwfl_module = module_symbols(module);
	Dwarf_Addr bias;
	Dwarf *dwarf = dwfl_module ? dwfl_module_getdwarf(dwfl_module, &bias) : NULL;

	/* Debug files have their file's addresses; one that was prelinked since is not worth it. */
	if (!dwarf || bias != 0 || is_incomplete(module, dwarf))
		return NULL;
	return strings_end(dwarf) && strings_end(dwarf_getalt(dwarf)) ? dwarf : NULL;
}

static void load(struct module_symbols *symbols)
{
	Dwfl_Module *dwfl_module = module_symbols(symbols->module);
	Dwarf *dwarf;

	symbols->is_loaded = true;
	if (!dwfl_module)
		return;
	symbol_table_load(dwfl_module, &symbols->table);
	dwarf = module_dwarf(symbols->module);
	if (dwarf && dwarf_units_new(dwarf, &symbols->units))
		symbols->units = NULL;
}

/* ---- frames ---- */

/* Without the version that glibc's tables carry (fsync@@GLIBC_2.2.5). */
static const char *symbol_name(const struct symbol *symbol, char text[DEMANGLED_BYTES_MAX])
{
	size_t length = strcspn(symbol->name, "@");

	if (!symbol->name[length] || length >= DEMANGLED_BYTES_MAX)
		return symbol->name;
	memcpy(text, symbol->name, length);
	text[length] = '\0';
	return text;
}

/* The symbol's name is the one that others call the function by; but a clone's (.constprop.0) is not
 * what its author wrote. */
static void name_frame(Dwarf_Die *scope, const struct symbol *symbol, uint64_t *steps_left,
		       char text[DEMANGLED_BYTES_MAX], struct symbol_frame *frame)
{
	char buffer[DEMANGLED_BYTES_MAX];
	const char *name = NULL;

	if (!frame->is_inlined && symbol)
		name = symbol_name(symbol, buffer);
	if (scope && (!name || strchr(name, '.'))) {
		const char *source = dwarf_function_name(scope, buffer, sizeof(buffer), steps_left);

		name = source ? source : name;
	}
	if (name)
		demangle(name, text, DEMANGLED_BYTES_MAX);
	frame->function = name ? text : NULL;
}

static uint64_t function_offset(Dwarf_Die *function, const struct symbol *symbol, uint64_t address)
{
	Dwarf_Addr entry;

	if (symbol)
		return address - symbol->address;
	if (function && dwarf_entrypc(function, &entry) == 0 && entry <= address)
		return address - entry;
	return 0;
}

static void source_line(Dwarf_Die *unit, uint64_t address, struct symbol_frame *frame)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, address);
	int number;

	if (!line || dwarf_lineno(line, &number) || number <= 0)
		return;
	frame->file = dwarf_linesrc(line, NULL, NULL);
	frame->line = frame->file ? (unsigned int)number : 0;
}

void module_symbols_find(struct module_symbols *symbols, uint64_t address, bool is_return,
			 struct symbol_names *names, struct symbol_frames *frames)
{
	Dwarf_Die scopes[DWARF_SCOPES_MAX];
	const struct symbol *symbol;
	struct symbol_frame where = {0};
	size_t count = 0;
	Dwarf_Die unit;

	if (!symbols->is_loaded)
		load(symbols);
	symbol = symbol_table_find(&symbols->table, address);
	if (symbols->units && dwarf_units_find(symbols->units, address, &unit)) {
		count = dwarf_scopes(&unit, address, scopes, &symbols->steps_left);
		source_line(&unit, address, &where);
	}
	where.offset = function_offset(count ? &scopes[0] : NULL, symbol, address + is_return);
	frames->size = count ? count : 1;
	for (size_t i = 0; i < frames->size; i++) {
		Dwarf_Die *scope = count ? &scopes[count - 1 - i] : NULL;
		struct symbol_frame *frame = &frames->frames[i];

		*frame = where;
		frame->is_inlined = scope && i + 1 < count;
		name_frame(scope, symbol, &symbols->steps_left, names->names[i], frame);
		where.file = NULL;
		where.line = 0;
		if (frame->is_inlined && !dwarf_call_site(&unit, scope, &where.file, &where.line))
			where.line = 0;
	}
}
