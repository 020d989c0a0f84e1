/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns telling from an object's symbols whether stacks that it is on may be unwound or switched. */
#include <gelf.h>
#include <string.h>

#include "function_symbols.h"
#include "functions.h"

/* The run times of C++, Ada, Objective-C and Rust, and what C uses for cleanups; libraries of
 * coroutines. */
static const char *const unwinding[] = {
	"_Unwind_RaiseException",
	"_Unwind_Resume",
	"_Unwind_ForcedUnwind",
	"__cxa_throw",
	"__cxa_rethrow",
	"__cxa_begin_catch",
	"__gxx_personality_v0",
	"__gcc_personality_v0",
	"__gnat_personality_v0",
	"__objc_personality_v0",
	"__gnu_objc_personality_v0",
	"rust_eh_personality",
	"rust_begin_unwind",
	"jump_fcontext",
	"make_fcontext",
	"ontop_fcontext",
	"coro_transfer",
	"__splitstack_makecontext",
};

/* The C library has them whether they are used or not. */
static const char *const switching[] = {"swapcontext", "setcontext", "makecontext", "sigaltstack"};

#define HAS(names, name) has((names), sizeof(names) / sizeof((names)[0]), (name))

static bool has(const char *const *names, size_t count, const char *name)
{
	size_t length = strcspn(name, "@");

	for (size_t i = 0; i < count; i++)
		if (strncmp(names[i], name, length) == 0 && names[i][length] == '\0')
			return true;
	return false;
}

/* Names that could be one of them, before they are compared with each. */
static bool is_candidate(const char *name)
{
	return name && name[0] && strchr("_rjmocs", name[0]);
}

static bool tells_unwinding(Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t count = data ? data->d_size / sizeof(Elf64_Sym) : 0;

	for (size_t i = 1; i < count; i++) {
		const char *name;
		GElf_Sym symbol;

		if (!gelf_getsym(data, (int)i, &symbol))
			return false;
		name = elf_strptr(elf, header->sh_link, symbol.st_name);
		if (!is_candidate(name))
			continue;
		if (HAS(unwinding, name) || (symbol.st_shndx == SHN_UNDEF && HAS(switching, name)))
			return true;
	}
	return false;
}

static bool any_tells(Elf *elf, bool *has_table)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;

		if (!gelf_getshdr(section, &header) ||
		    (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM))
			continue;
		*has_table = true;
		if (tells_unwinding(elf, section, &header))
			return true;
	}
	return false;
}

bool functions_may_unwind(const struct object *object)
{
	struct module_cache *cache;
	struct module *module;
	bool has_table = false;
	bool may_unwind = true; /* where it cannot be told */
	size_t size_bytes;

	if (module_cache_new(&cache))
		return true;
	if (module_from_file(cache, object->path, object->fd, &module) == 0) {
		may_unwind = any_tells(module->elf, &has_table);
		/* a static program without its symbols */
		if (!has_table)
			may_unwind = elf_file_section(object->elf, ".gcc_except_table", &size_bytes,
						      NULL);
	}
	module_cache_free(cache);
	return may_unwind;
}

bool functions_are_unwound(const struct objects *objects)
{
	static const char *const own[] = {"libc", "libgcc_s", "libstdc++", "ld-linux*", "ld-musl*"};

	for (size_t o = 0; o < objects->size; o++) {
		bool is_own = false;

		for (size_t i = 0; i < sizeof(own) / sizeof(*own) && !is_own; i++)
			is_own = functions_is_library(own[i], objects->items[o]->path);
		if (!is_own && functions_may_unwind(objects->items[o]))
			return true;
	}
	return false;
}
