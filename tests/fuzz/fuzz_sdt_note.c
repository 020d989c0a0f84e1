/* SPDX-License-Identifier: BSD-2-Clause */
/* Notes of any bytes in an ELF file that is right. */
#include <string.h>

#include "parts.h"
#include "sdt_note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct elf_file *file, const struct sdt_site *site)
{
	if (!elf_file_bytes(file, site->offset, 1) || !site->provider[0] ||
	    site->arg_count > SDT_MAX_ARGS)
		__builtin_trap();
	if (site->semaphore_offset &&
	    (!elf_file_bytes(file, site->semaphore_offset, 2) || site->semaphore_offset % 2))
		__builtin_trap();
	if (strlen(site->provider) + strlen(site->name) + strlen(site->arguments) >
	    sizeof(((struct elf_builder *)NULL)->bytes))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct elf_builder builder;
	struct elf_file *file;
	struct sdt_sites sites;

	parts_build(data, size, PF_R | PF_W | PF_X, &builder);
	if (elf_file_from_memory(builder.bytes, builder.size_bytes, &file, NULL))
		__builtin_trap();
	if (sdt_sites_read(file, &sites, NULL) == 0) {
		for (size_t i = 0; i < sites.size; i++)
			check(file, &sites.sites[i]);
		sdt_sites_done(&sites);
	}
	elf_file_free(file);
	return 0;
}
