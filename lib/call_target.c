/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading calls through the procedure linkage table, or through the slot that the dynamic
 * linker fills. Code and relocations are untrusted. */
#include "call_target.h"

#include <gelf.h>
#include <string.h>

/* The name that the relocation of `slot` in one section refers to. */
static const char *name_in(Elf *elf, Elf_Scn *section, uint64_t slot)
{
	Elf_Scn *symbols;
	Elf_Data *symbol_data;
	GElf_Shdr symbol_header;
	GElf_Shdr header;
	Elf_Data *data;
	GElf_Rela rela;
	GElf_Sym symbol;

	if (!gelf_getshdr(section, &header) || header.sh_type != SHT_RELA || !header.sh_entsize)
		return NULL;
	data = elf_getdata(section, NULL);
	symbols = elf_getscn(elf, header.sh_link);
	if (!data || !symbols || !gelf_getshdr(symbols, &symbol_header) ||
	    symbol_header.sh_type != SHT_DYNSYM)
		return NULL;
	symbol_data = elf_getdata(symbols, NULL);
	for (size_t i = 0; i < data->d_size / header.sh_entsize; i++) {
		if (!gelf_getrela(data, (int)i, &rela))
			return NULL;
		if (rela.r_offset != slot || !GELF_R_SYM(rela.r_info))
			continue;
		if (!gelf_getsym(symbol_data, (int)GELF_R_SYM(rela.r_info), &symbol))
			return NULL;
		return elf_strptr(elf, symbol_header.sh_link, symbol.st_name);
	}
	return NULL;
}

/* From the last section on: those of the linkage table come last, and are the shortest. */
static const char *name_of_slot(Elf *elf, uint64_t slot)
{
	const char *name = NULL;
	size_t count;

	if (elf_getshdrnum(elf, &count))
		return NULL;
	for (size_t i = count; i-- > 1 && !name;) {
		Elf_Scn *section = elf_getscn(elf, i);

		if (section)
			name = name_in(elf, section, slot);
	}
	return name && name[0] ? name : NULL;
}

#if defined(__x86_64__)

static uint64_t relative(uint64_t next, const unsigned char *at)
{
	int32_t displacement;

	memcpy(&displacement, at, sizeof(displacement));
	return next + (uint64_t)(int64_t)displacement;
}

/* [endbr64] [bnd] jmp *SLOT(%rip) */
static bool stub_slot(const struct module *module, uint64_t stub, uint64_t *slot)
{
	static const unsigned char endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	unsigned char code[16];
	uint64_t word;
	size_t at = 0;

	for (size_t i = 0; i < sizeof(code); i += sizeof(word)) {
		if (!module_read(module, stub + i, &word))
			return false;
		memcpy(code + i, &word, sizeof(word));
	}
	if (memcmp(code, endbr64, sizeof(endbr64)) == 0)
		at = sizeof(endbr64);
	if (code[at] == 0xf2)
		at++;
	if (code[at] != 0xff || code[at + 1] != 0x25)
		return false;
	*slot = relative(stub + at + 6, code + at + 2);
	return true;
}

/* call STUB, or call *SLOT(%rip) */
static bool call_slot(const struct module *module, uint64_t next, uint64_t *slot)
{
	unsigned char code[8];
	uint64_t word;

	if (!module_read(module, next - sizeof(code), &word))
		return false;
	memcpy(code, &word, sizeof(code));
	if (code[2] == 0xff && code[3] == 0x15) {
		*slot = relative(next, code + 4);
		return true;
	}
	return code[3] == 0xe8 && stub_slot(module, relative(next, code + 4), slot);
}

#else

static bool call_slot(const struct module *module, uint64_t next, uint64_t *slot)
{
	(void)module;
	(void)next;
	(void)slot;
	return false;
}

#endif

const char *call_target(struct address_space *space, uint64_t return_address)
{
	struct location location = address_space_locate(space, return_address - 1);
	uint64_t slot;

	if (!location.module || !call_slot(location.module, location.address + 1, &slot))
		return NULL;
	return name_of_slot(location.module->elf, slot);
}
