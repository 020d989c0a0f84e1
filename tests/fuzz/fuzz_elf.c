/* SPDX-License-Identifier: BSD-2-Clause */
/* An ELF file of any bytes: sites and functions are read, and everything they point to is touched.
 */
#include <string.h>

#include "elf_file.h"
#include "sdt_note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Keeps reads from being optimised away. */
static volatile size_t sink;

static int touch_symbol(const struct elf_symbol *symbol, void *arg)
{
	const struct elf_file *file = arg;
	const unsigned char *byte = elf_file_bytes(file, symbol->offset, 1);

	if (!byte || strlen(symbol->name) > ELF_NAME_MAX || strchr(symbol->name, '@'))
		__builtin_trap();
	sink += *byte;
	return 0;
}

static void touch_site(const struct elf_file *file, const struct sdt_site *site)
{
	const unsigned char *byte = elf_file_bytes(file, site->offset, 1);

	if (!byte || !site->provider[0] || !site->name[0] || site->arg_count > SDT_MAX_ARGS)
		__builtin_trap();
	if (site->semaphore_offset && !elf_file_bytes(file, site->semaphore_offset, 2))
		__builtin_trap();
	sink += *byte + strlen(site->provider) + strlen(site->name) + strlen(site->arguments);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct probekit_error err;
	struct elf_file *file;
	struct sdt_sites sites;

	if (elf_file_from_memory(data, size, &file, &err)) {
		sink += strlen(err.text);
		return 0;
	}
	if (sdt_sites_read(file, &sites, &err) == 0) {
		for (size_t i = 0; i < sites.size; i++)
			touch_site(file, &sites.sites[i]);
		sdt_sites_done(&sites);
	}
	elf_file_functions(file, touch_symbol, file);
	if (elf_file_build_id(file))
		sink += strlen(elf_file_build_id(file));
	if (elf_file_interpreter(file))
		sink += strlen(elf_file_interpreter(file));
	elf_file_free(file);
	return 0;
}
