/* SPDX-License-Identifier: BSD-2-Clause */
#include "inflated_size.h"

#include <gelf.h>
#include <stdbool.h>
#include <string.h>

/* Its index tells the size, but only once it has been unpacked; better than that it never is. */
#define XZ_RATIO_MAX 7000

static bool has_name(Elf *elf, const GElf_Shdr *header, const char *start)
{
	size_t names;
	const char *name =
		elf_getshdrstrndx(elf, &names) ? NULL : elf_strptr(elf, names, header->sh_name);

	return name && strncmp(name, start, strlen(start)) == 0;
}

/* The older form: "ZLIB" and the size, big end first. */
static uint64_t zdebug_size(Elf *elf, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)header->sh_offset, 12, ELF_T_BYTE);
	uint64_t size = 0;

	for (size_t i = 4; data && i < 12; i++)
		size = size << 8 | ((const unsigned char *)data->d_buf)[i];
	return size;
}

static uint64_t debug_size(Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
	GElf_Chdr packed;

	if (header->sh_flags & SHF_COMPRESSED)
		return gelf_getchdr(section, &packed) ? packed.ch_size : 0;
	return has_name(elf, header, ".zdebug") ? zdebug_size(elf, header) : 0;
}

static uint64_t symbols_size(Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
	(void)section;
	if (!has_name(elf, header, ".gnu_debugdata"))
		return 0;
	return header->sh_size > UINT64_MAX / XZ_RATIO_MAX ? UINT64_MAX
							   : header->sh_size * XZ_RATIO_MAX;
}

static uint64_t sum(Elf *elf, uint64_t (*size_of)(Elf *, Elf_Scn *, const GElf_Shdr *))
{
	Elf_Scn *section = NULL;
	uint64_t all = 0;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		uint64_t size = gelf_getshdr(section, &header) ? size_of(elf, section, &header) : 0;

		all = all > UINT64_MAX - size ? UINT64_MAX : all + size;
	}
	return all;
}

uint64_t inflated_debug_size(Elf *elf)
{
	return sum(elf, debug_size);
}

uint64_t inflated_symbols_size(Elf *elf)
{
	return sum(elf, symbols_size);
}
