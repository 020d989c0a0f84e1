/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that unpack to more than there is memory are not opened. */
#include "inflated_size.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include "elf_builder.h"
#include "module.h"

#define HUGE (UINT64_C(1) << 50)

/* A program with one section beside. */
static void build(struct elf_builder *builder, const char *name, uint64_t flags, const void *bytes,
		  size_t size)
{
	uint64_t offset;
	uint32_t section;

	elf_builder_init(builder);
	elf_builder_segment(builder, PT_LOAD, PF_R | PF_X, 0, 0, 4096);
	offset = elf_builder_append(builder, bytes, size);
	section = elf_builder_section(builder, name, SHT_PROGBITS, offset, 0, size);
	builder->sections[section].sh_flags = flags;
	elf_builder_finish(builder);
}

static void check(struct elf_builder *builder, uint64_t size, int opened)
{
	struct module_cache *cache;
	struct module *module;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_memory((char *)builder->bytes, builder->size_bytes);
	assert_non_null(elf);
	assert_int_equal(inflated_debug_size(elf), size);
	elf_end(elf);
	assert_int_equal(module_cache_new(&cache), 0);
	assert_int_equal(module_from_memory(cache, "memory", builder->bytes, builder->size_bytes,
					    &module),
			 opened);
	module_cache_free(cache);
}

static void a_compressed_section_counts_as_what_it_says(void **state)
{
	const Elf64_Chdr small = {.ch_type = ELFCOMPRESS_ZLIB, .ch_size = 5000, .ch_addralign = 1};
	const Elf64_Chdr huge = {.ch_type = ELFCOMPRESS_ZLIB, .ch_size = HUGE, .ch_addralign = 1};
	static struct elf_builder builder;

	(void)state;
	build(&builder, ".debug_info", SHF_COMPRESSED, &small, sizeof(small));
	check(&builder, 5000, 0);
	build(&builder, ".debug_info", SHF_COMPRESSED, &huge, sizeof(huge));
	check(&builder, HUGE, -EFBIG);
	build(&builder, ".debug_info", 0, &huge, sizeof(huge));
	check(&builder, 0, 0);
}

static void so_does_one_of_the_older_form(void **state)
{
	static struct elf_builder builder;

	(void)state;
	build(&builder, ".zdebug_info", 0, "ZLIB\0\0\0\0\0\0\x13\x88", 12);
	check(&builder, 5000, 0);
	build(&builder, ".zdebug_info", 0, "ZLIB\0\x04\0\0\0\0\0\0", 12);
	check(&builder, HUGE, -EFBIG);
}

static bool has_symbols(struct elf_builder *builder)
{
	struct module_cache *cache;
	struct module *module;
	bool has;

	assert_int_equal(module_cache_new(&cache), 0);
	assert_int_equal(module_from_memory(cache, "memory", builder->bytes, builder->size_bytes,
					    &module),
			 0);
	has = module_symbols(module);
	module_cache_free(cache);
	return has;
}

/* Stacks are unwound without them. */
static void symbols_that_may_take_all_memory_are_left(void **state)
{
	static struct elf_builder builder;

	(void)state;
	build(&builder, ".gnu_debugdata", 0, NULL, 100);
	assert_true(has_symbols(&builder));
	elf_builder_section_header(&builder, 1)->sh_size = UINT64_C(1) << 40;
	assert_false(has_symbols(&builder));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_compressed_section_counts_as_what_it_says),
		cmocka_unit_test(so_does_one_of_the_older_form),
		cmocka_unit_test(symbols_that_may_take_all_memory_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
