/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what is known of addresses. For each module the frames of an address are kept, as the same
 * few addresses are asked for again and again. */
#include "symbolize.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module_symbols.h"

#define CACHED_MAX 65536

struct symbolizer {
	struct module_cache *modules;
	void *strings; /* a tree of all that were given out */
	struct symbol_names names;
};

/* Of one module. */
struct module_frames {
	struct module_symbols *symbols;
	void *known; /* a tree of struct known_frames */
	size_t size;
};

struct known_frames {
	uint64_t address;
	bool is_return;
	size_t size;
	struct symbol_frame frames[];
};

int symbolizer_new(struct symbolizer **symbolizer)
{
	struct symbolizer *made = calloc(1, sizeof(*made));

	if (!made || module_cache_new(&made->modules)) {
		free(made);
		return -ENOMEM;
	}
	*symbolizer = made;
	return 0;
}

void symbolizer_free(struct symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	module_cache_free(symbolizer->modules);
	tdestroy(symbolizer->strings, free);
	free(symbolizer);
}

struct module_cache *symbolizer_modules(struct symbolizer *symbolizer)
{
	return symbolizer->modules;
}

static int compare_strings(const void *left, const void *right)
{
	return strcmp(left, right);
}

const char *symbolizer_keep(struct symbolizer *symbolizer, const char *text)
{
	char **known;
	char *copy;

	if (!text)
		return NULL;
	known = tfind(text, &symbolizer->strings, compare_strings);
	if (known)
		return *known;
	copy = strdup(text);
	known = copy ? tsearch(copy, &symbolizer->strings, compare_strings) : NULL;
	if (!known)
		free(copy);
	return known ? *known : NULL;
}

/* ---- what a module knows ---- */

static void module_frames_free(void *user)
{
	struct module_frames *frames = user;

	tdestroy(frames->known, free);
	module_symbols_free(frames->symbols);
	free(frames);
}

static struct module_frames *module_frames(struct module *module)
{
	struct module_frames *frames = module->user;

	if (frames)
		return frames;
	frames = calloc(1, sizeof(*frames));
	if (!frames || module_symbols_new(module, &frames->symbols)) {
		free(frames);
		return NULL;
	}
	module->user = frames;
	module->user_free = module_frames_free;
	return frames;
}

static int compare_known(const void *left, const void *right)
{
	const struct known_frames *a = left;
	const struct known_frames *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return a->is_return - b->is_return;
}

static void remember(struct module_frames *module, uint64_t address, bool is_return,
		     const struct symbol_frames *frames)
{
	size_t bytes = frames->size * sizeof(frames->frames[0]);
	struct known_frames *known;
	void *node;

	if (module->size >= CACHED_MAX)
		return;
	known = malloc(sizeof(*known) + bytes);
	if (!known)
		return;
	known->address = address;
	known->is_return = is_return;
	known->size = frames->size;
	memcpy(known->frames, frames->frames, bytes);
	node = tsearch(known, &module->known, compare_known);
	if (!node)
		free(known);
	else
		module->size++;
}

static void resolve_in_module(struct symbolizer *symbolizer, const struct location *location,
			      bool is_return, struct symbol_frames *frames)
{
	struct known_frames wanted = {.address = location->address, .is_return = is_return};
	struct module_frames *module = module_frames(location->module);
	struct known_frames **known;

	if (!module)
		return;
	known = tfind(&wanted, &module->known, compare_known);
	if (known) {
		frames->size = (*known)->size;
		memcpy(frames->frames, (*known)->frames, frames->size * sizeof(frames->frames[0]));
		return;
	}
	module_symbols_find(module->symbols, location->address, is_return, &symbolizer->names,
			    frames);
	for (size_t i = 0; i < frames->size; i++) {
		frames->frames[i].function =
			symbolizer_keep(symbolizer, frames->frames[i].function);
		frames->frames[i].file = symbolizer_keep(symbolizer, frames->frames[i].file);
	}
	remember(module, location->address, is_return, frames);
}

/* ---- addresses ---- */

static void resolve_elsewhere(struct symbolizer *symbolizer, struct address_space *space,
			      const struct proc_map *map, uint64_t address,
			      struct symbol_frame *frame)
{
	const char *path = map ? map->path : "[unmapped]";
	uint64_t offset;
	const char *name = NULL;

	if (map && map->is_executable && !map->inode && strcmp(path, "[vdso]") != 0)
		name = address_space_jit_name(space, address, &offset);
	if (name) {
		frame->function = symbolizer_keep(symbolizer, name);
		frame->offset = offset;
		path = "[jit]";
	}
	frame->module = symbolizer_keep(symbolizer, path[0] ? path : "[anon]");
	frame->module_offset = map ? address - map->start : address;
	if (map && map->inode)
		frame->module_offset += map->offset;
}

void symbolizer_resolve(struct symbolizer *symbolizer, struct address_space *space,
			uint64_t address, bool is_return, struct symbol_frames *frames)
{
	uint64_t at = address - is_return;
	struct location location = address_space_locate(space, at);

	frames->size = 1;
	frames->frames[0] = (struct symbol_frame){0};
	if (!location.module) {
		resolve_elsewhere(symbolizer, space, location.map, at, &frames->frames[0]);
		frames->frames[0].offset += frames->frames[0].function ? is_return : 0;
		frames->frames[0].module_offset += is_return;
		return;
	}
	resolve_in_module(symbolizer, &location, is_return, frames);
	/* A copy of the file has its own path in this process. */
	for (size_t i = 0; i < frames->size; i++) {
		frames->frames[i].module = symbolizer_keep(symbolizer, location.map->path);
		frames->frames[i].module_offset = location.address + is_return;
	}
}

void symbol_frame_name(const struct symbol_frame *frame, char *text, size_t size)
{
	const char *module = frame->module ? frame->module : "[anon]";
	const char *slash = strrchr(module, '/');

	if (frame->function)
		snprintf(text, size, "%s", frame->function);
	else
		snprintf(text, size, "%s+0x%llx", slash ? slash + 1 : module,
			 (unsigned long long)frame->module_offset);
}
