/* SPDX-License-Identifier: BSD-2-Clause */
/* Debug information of any bytes: the frames of addresses, their names and lines, and the functions
 * that were inlined. */
#include <stdlib.h>
#include <string.h>

#include "function_inlines.h"
#include "module_symbols.h"
#include "parts.h"

#define ADDRESSES 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Keeps reads from being optimised away. */
static volatile size_t sink;

static void touch_address(struct module_symbols *symbols, uint64_t address)
{
	static struct symbol_names names;
	struct symbol_frames frames;

	module_symbols_find(symbols, address, address & 1, &names, &frames);
	if (frames.size < 1 || frames.size > SYMBOL_FRAMES_MAX)
		__builtin_trap();
	for (size_t i = 0; i < frames.size; i++) {
		const struct symbol_frame *frame = &frames.frames[i];

		if (frame->is_inlined != (i + 1 < frames.size))
			__builtin_trap();
		sink += frame->function ? strlen(frame->function) : 0;
		sink += frame->file ? strlen(frame->file) : 0;
	}
}

static void touch_inlined(struct module *module)
{
	struct functions functions = {0};

	if (function_inlines_find(module, "*", &functions) == 0)
		for (size_t i = 0; i < functions.size; i++)
			if (!functions.items[i].name[0] || !functions.items[i].refused)
				__builtin_trap();
	functions_done(&functions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct elf_builder builder;
	struct module_symbols *symbols;
	struct module_cache *cache;
	struct module *module;
	size_t text_size;

	parts_find(data, size, PART_TEXT, &text_size);
	parts_build(data, size, PF_R | PF_X, &builder);
	if (module_cache_new(&cache))
		return 0;
	if (module_from_memory(cache, "memory", builder.bytes, builder.size_bytes, &module) == 0 &&
	    module_symbols_new(module, &symbols) == 0) {
		for (size_t i = 0; i < ADDRESSES; i++)
			touch_address(symbols, PARTS_TEXT + i * text_size / ADDRESSES);
		module_symbols_free(symbols);
		touch_inlined(module);
	}
	module_cache_free(cache);
	return 0;
}
