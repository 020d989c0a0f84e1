/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what `.note.stapsdt` says: one struct for each probe site that can be located, in their
 * order. */
#include "sdt_note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf_note.h"

#define SDT_SECTION ".note.stapsdt"
#define SDT_OWNER "stapsdt"
#define SDT_VERSION 3
#define SDT_ALIGNMENT 4

/* What a descriptor begins with; addresses as they were when the file was linked. */
struct sdt_addresses {
	uint64_t site;
	uint64_t base;
	uint64_t semaphore;
};

/* The forms of probe.h on x86-64; on other machines every site is foreign. */
static const unsigned char INLINE_SITE[] = {
	0x90,							    /* nop */
	0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00, /* nop10 */
	0x48, 0x8d, 0x64, 0x24, 0x80,				    /* lea -128(%rsp), %rsp */
	0x0f, 0x1f, 0x44, 0x00, 0x00,				    /* nop5 */
	0x48, 0x8d, 0xa4, 0x24, 0x80, 0x00, 0x00, 0x00,		    /* lea 128(%rsp), %rsp */
};
static const unsigned char THUNK_SITE[] = {
	0x90,							    /* nop */
	0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00, /* nop10 */
	0x0f, 0x1f, 0x44, 0x00, 0x00,				    /* nop5 */
	0xc3,							    /* ret */
};
_Static_assert(SDT_INLINE_NOP5_OFFSET == 1 + 10 + 5, "nop, nop10, lea");
_Static_assert(SDT_THUNK_NOP5_OFFSET == 1 + 10, "nop, nop10");

static bool has_code(const struct elf_file *file, uint64_t offset, const unsigned char *code,
		     size_t size_bytes)
{
	const void *bytes = elf_file_bytes(file, offset, size_bytes);

	return bytes && memcmp(bytes, code, size_bytes) == 0;
}

static enum sdt_form recognise(const struct elf_file *file, uint64_t offset)
{
	if (elf_file_machine(file) != EM_X86_64)
		return SDT_FORM_FOREIGN;
	if (has_code(file, offset, INLINE_SITE, sizeof(INLINE_SITE)))
		return SDT_FORM_INLINE;
	if (has_code(file, offset, THUNK_SITE, sizeof(THUNK_SITE)))
		return SDT_FORM_THUNK;
	return SDT_FORM_FOREIGN;
}

/* The next of the strings in [*at, end), or NULL when it does not end there. */
static const char *take_string(const char **at, const char *end)
{
	const char *string = *at;
	const char *nul = string < end ? memchr(string, '\0', (size_t)(end - string)) : NULL;

	if (!nul)
		return NULL;
	*at = nul + 1;
	return string;
}

static bool read_strings(const struct elf_note *note, struct sdt_site *site)
{
	const char *at = (const char *)note->desc + sizeof(struct sdt_addresses);
	const char *end = (const char *)note->desc + note->desc_size;

	site->provider = take_string(&at, end);
	site->name = take_string(&at, end);
	/* Some writers leave out the empty string of a probe without arguments. */
	site->arguments = at == end ? "" : take_string(&at, end);
	return site->provider && site->provider[0] && site->name && site->name[0] &&
	       site->arguments;
}

/* The kernel counts in a 16-bit word that it finds by its offset in a private writable mapping of
 * the file, and refuses an odd one. */
static bool find_semaphore(const struct elf_file *file, uint64_t address, uint64_t *offset)
{
	uint64_t last;

	if (elf_file_offset(file, address, PF_W, offset) == 0 && *offset % 2 == 0 && *offset != 0 &&
	    elf_file_offset(file, address + 1, PF_W, &last) == 0 && last == *offset + 1)
		return true;
	*offset = 0;
	return false;
}

static void read_arguments(const struct elf_file *file, struct sdt_site *site)
{
	site->arg_count =
		(uint8_t)sdt_args_parse(site->arguments, elf_file_machine(file), site->args);
	for (size_t i = 0; i < site->arg_count; i++)
		if (site->args[i].kind == SDT_ARG_BAD)
			site->has_bad_argument = true;
}

/* `base` is where `.stapsdt.base` lies now, 0 when there is none. What moved the section since the
 * file was linked (prelink) moved the other addresses by as much, but cannot change a note. */
static bool read_note(const struct elf_file *file, const struct elf_note *note, uint64_t base,
		      struct sdt_site *site)
{
	struct sdt_addresses addresses;
	uint64_t moved = 0;

	*site = (struct sdt_site){0};
	if (note->type != SDT_VERSION || note->owner_size != sizeof(SDT_OWNER) ||
	    memcmp(note->owner, SDT_OWNER, sizeof(SDT_OWNER)) != 0 ||
	    note->desc_size < sizeof(addresses) || !read_strings(note, site))
		return false;
	memcpy(&addresses, note->desc, sizeof(addresses));
	if (base && addresses.base)
		moved = base - addresses.base;
	site->address = addresses.site + moved;
	if (elf_file_offset(file, site->address, PF_X, &site->offset))
		return false;
	if (addresses.semaphore)
		site->has_bad_semaphore =
			!find_semaphore(file, addresses.semaphore + moved, &site->semaphore_offset);
	site->form = recognise(file, site->offset);
	read_arguments(file, site);
	return true;
}

static int append(struct sdt_sites *sites, size_t *capacity, const struct sdt_site *site)
{
	if (sites->size == *capacity) {
		size_t wanted = *capacity ? *capacity * 2 : 32;
		struct sdt_site *grown = reallocarray(sites->sites, wanted, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		sites->sites = grown;
		*capacity = wanted;
	}
	sites->sites[sites->size++] = *site;
	sites->bad_arguments += site->has_bad_argument;
	return 0;
}

int sdt_sites_read(struct elf_file *file, struct sdt_sites *sites, struct probekit_error *err)
{
	struct sdt_sites result = {0};
	struct elf_note note;
	size_t capacity = 0;
	size_t position = 0;
	size_t size_bytes;
	const void *bytes;
	uint64_t base;

	elf_file_section(file, ".stapsdt.base", &size_bytes, &base);
	bytes = elf_file_section(file, SDT_SECTION, &size_bytes, NULL);
	while (bytes && elf_note_next(bytes, size_bytes, SDT_ALIGNMENT, &position, &note)) {
		struct sdt_site site;

		if (!read_note(file, &note, base, &site)) {
			result.bad_notes++;
		} else if (append(&result, &capacity, &site)) {
			sdt_sites_done(&result);
			return error_no_memory(err);
		}
	}
	if (bytes && position != size_bytes)
		result.bad_notes++;
	*sites = result;
	return 0;
}

void sdt_sites_done(struct sdt_sites *sites)
{
	free(sites->sites);
	*sites = (struct sdt_sites){0};
}
