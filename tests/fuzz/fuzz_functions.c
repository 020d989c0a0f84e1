/* SPDX-License-Identifier: BSD-2-Clause */
/* An ELF file of any bytes: its functions are looked for in every way, and all that is said of them
 * is touched. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "functions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Keeps reads from being optimised away. */
static volatile size_t sink;

static void touch_entry(const struct object *object, const struct function_entry *entry)
{
	if (!elf_file_bytes(object->elf, entry->offset, 1))
		__builtin_trap();
	for (size_t i = 0; i < entry->exit_count; i++)
		if (!elf_file_bytes(object->elf, entry->exits[i].offset, 1) ||
		    entry->exits[i].offset == entry->offset || entry->exits[i].condition > 31)
			__builtin_trap();
}

static void touch(const struct object *object, enum functions_detail detail, bool may_unwind)
{
	struct functions functions;

	if (functions_find(object, "*", detail, may_unwind, &functions, NULL))
		return;
	for (size_t i = 0; i < functions.size; i++) {
		const struct function *function = &functions.items[i];

		if (!function->name[0] || (!function->entry_count && !function->refused))
			__builtin_trap();
		sink += strlen(function->name);
		sink += function->first_inlined ? strlen(function->first_inlined) : 0;
		sink += function->refused ? strlen(function->refused) : 0;
		for (size_t k = 0; k < function->entry_count; k++)
			touch_entry(object, &function->entries[k]);
	}
	functions_done(&functions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct object *object;
	char text[256];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (object_open("memory", fd, &object, NULL))
		return 0;
	touch(object, FUNCTIONS_TO_LIST, true);
	touch(object, FUNCTIONS_TO_PROBE, false);
	functions_suggest(object, "mian", text, sizeof(text));
	sink += strlen(text);
	object_free(object);
	return 0;
}
