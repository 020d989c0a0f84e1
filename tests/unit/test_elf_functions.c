/* SPDX-License-Identifier: BSD-2-Clause */
/* Function symbols of ELF files made in memory, and of this test's own program. */
#include "elf_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include <cmocka.h>

#include "elf_builder.h"

#define CODE_ADDRESS 0x401000u
#define DATA_ADDRESS 0x602010u

/* 64 bytes of code and 4 of data; not finished. */
static void build_sample(struct elf_builder *builder)
{
	uint64_t offset;

	elf_builder_init(builder);
	offset = elf_builder_append(builder, NULL, 64);
	elf_builder_segment(builder, PT_LOAD, PF_R | PF_X, offset, CODE_ADDRESS, 64);
	offset = elf_builder_append(builder, NULL, 4);
	elf_builder_segment(builder, PT_LOAD, PF_R | PF_W, offset, DATA_ADDRESS, 4);
}

static struct elf_file *open_bytes(const struct elf_builder *builder)
{
	struct probekit_error err;
	struct elf_file *file;

	if (elf_file_from_memory(builder->bytes, builder->size_bytes, &file, &err))
		fail_msg("%s", err.text);
	return file;
}

static Elf64_Sym symbol(uint32_t name, unsigned int type, uint16_t section, uint64_t address)
{
	return (Elf64_Sym){.st_name = name,
			   .st_info = (unsigned char)ELF64_ST_INFO(STB_GLOBAL, type),
			   .st_shndx = section,
			   .st_value = address,
			   .st_size = 5};
}

/* Appends "name@address " for each. */
static int list_symbol(const struct elf_symbol *found, void *arg)
{
	char *text = arg;

	assert_int_equal(found->size_bytes, 5);
	sprintf(text + strlen(text), "%s@%llx ", found->name, (unsigned long long)found->address);
	return 0;
}

static void functions_are_listed_without_versions(void **state)
{
	static const char names[] = "\0one\0two@@V_1\0data\0three\0@V\0cut";
	const Elf64_Sym symbols[] = {
		symbol(0, STT_NOTYPE, SHN_UNDEF, 0),
		symbol(1, STT_FUNC, 1, CODE_ADDRESS),
		symbol(5, STT_GNU_IFUNC, 1, CODE_ADDRESS + 1),
		symbol(14, STT_OBJECT, 1, CODE_ADDRESS),
		symbol(19, STT_FUNC, SHN_UNDEF, CODE_ADDRESS),
		symbol(19, STT_FUNC, 2, DATA_ADDRESS),
		symbol(19, STT_FUNC, 1, CODE_ADDRESS + 64),
		symbol(19, STT_FUNC, SHN_XINDEX, CODE_ADDRESS + 3),
		symbol(25, STT_FUNC, 1, CODE_ADDRESS + 4),
		symbol(0, STT_FUNC, 1, CODE_ADDRESS + 5),
		symbol(28, STT_FUNC, 1, CODE_ADDRESS + 6),
		symbol(sizeof(names), STT_FUNC, 1, CODE_ADDRESS + 7),
		symbol(UINT32_MAX, STT_FUNC, 1, CODE_ADDRESS + 8),
	};
	struct elf_builder builder;
	struct elf_file *file;

	(void)state;
	build_sample(&builder);
	/* The string table's last NUL is left out. */
	elf_builder_symbols(&builder, SHT_SYMTAB, ".symtab", ".strtab", symbols,
			    sizeof(symbols) / sizeof(symbols[0]), names, sizeof(names) - 1);
	elf_builder_finish(&builder);
	file = open_bytes(&builder);
	for (int i = 0; i < 2; i++) {
		char text[256] = "";

		assert_int_equal(elf_file_functions(file, list_symbol, text), 0);
		assert_string_equal(text, "one@401000 two@401001 three@401003 cut@401006 ");
	}
	elf_file_free(file);
}

static void dynamic_symbols_serve_where_others_are_missing(void **state)
{
	static const char names[] = "\0exported\0other";
	const Elf64_Sym dynamic[] = {symbol(1, STT_FUNC, 1, CODE_ADDRESS)};
	const Elf64_Sym full[] = {symbol(10, STT_FUNC, 1, CODE_ADDRESS)};

	(void)state;
	for (int has_symtab = 0; has_symtab < 2; has_symtab++) {
		struct elf_builder builder;
		struct elf_file *file;
		char text[64] = "";

		build_sample(&builder);
		elf_builder_symbols(&builder, SHT_DYNSYM, ".dynsym", ".dynstr", dynamic, 1, names,
				    sizeof(names));
		if (has_symtab)
			elf_builder_symbols(&builder, SHT_SYMTAB, ".symtab", ".strtab", full, 1,
					    names, sizeof(names));
		elf_builder_finish(&builder);
		file = open_bytes(&builder);
		assert_int_equal(elf_file_functions(file, list_symbol, text), 0);
		assert_string_equal(text, has_symtab ? "other@401000 " : "exported@401000 ");
		elf_file_free(file);
	}
}

static int stop_at_once(const struct elf_symbol *found, void *arg)
{
	(void)found;
	++*(int *)arg;
	return 42;
}

static void a_visitor_stops_the_list(void **state)
{
	static const char names[] = "\0f";
	const Elf64_Sym symbols[] = {symbol(1, STT_FUNC, 1, CODE_ADDRESS),
				     symbol(1, STT_FUNC, 1, CODE_ADDRESS)};
	struct elf_builder builder;
	struct elf_file *file;
	int calls = 0;

	(void)state;
	build_sample(&builder);
	elf_builder_symbols(&builder, SHT_SYMTAB, ".symtab", ".strtab", symbols, 2, names,
			    sizeof(names));
	elf_builder_finish(&builder);
	file = open_bytes(&builder);
	assert_int_equal(elf_file_functions(file, stop_at_once, &calls), 42);
	assert_int_equal(calls, 1);
	elf_file_free(file);
}

static void names_that_are_too_long_are_left_out(void **state)
{
	static char names[1 + ELF_NAME_MAX + 1 + 1];
	const Elf64_Sym symbols[] = {symbol(1, STT_FUNC, 1, CODE_ADDRESS),
				     symbol(2, STT_FUNC, 1, CODE_ADDRESS)};
	struct elf_builder builder;
	struct elf_file *file;
	char text[ELF_NAME_MAX + 64] = "";

	(void)state;
	memset(names + 1, 'n', ELF_NAME_MAX + 1);
	build_sample(&builder);
	elf_builder_symbols(&builder, SHT_SYMTAB, ".symtab", ".strtab", symbols, 2, names,
			    sizeof(names));
	elf_builder_finish(&builder);
	file = open_bytes(&builder);
	assert_int_equal(elf_file_functions(file, list_symbol, text), 0);
	assert_int_equal(strlen(text), ELF_NAME_MAX + strlen("@401000 "));
	elf_file_free(file);
}

static void symbol_tables_that_lie_are_ignored(void **state)
{
	static const char names[] = "\0f";
	const Elf64_Sym symbols[] = {symbol(1, STT_FUNC, 1, CODE_ADDRESS)};
	struct elf_builder builder;
	Elf64_Shdr *table;
	Elf64_Shdr good;

	(void)state;
	build_sample(&builder);
	elf_builder_symbols(&builder, SHT_SYMTAB, ".symtab", ".strtab", symbols, 1, names,
			    sizeof(names));
	elf_builder_finish(&builder);
	table = elf_builder_section_header(&builder, builder.section_count - 2);
	assert_int_equal(table->sh_type, SHT_SYMTAB);
	good = *table;
	for (int i = 0; i < 6; i++) {
		struct elf_file *file;
		int calls = 0;

		*table = good;
		table->sh_link = i == 0 ? 0xffffff : i == 1 ? 2 : good.sh_link;
		table->sh_entsize = i == 2 ? 0 : i == 3 ? 23 : good.sh_entsize;
		table->sh_size = i == 4 ? UINT64_MAX : good.sh_size;
		file = open_bytes(&builder);
		/* The last is as it should be. */
		assert_int_equal(elf_file_functions(file, stop_at_once, &calls), i == 5 ? 42 : 0);
		assert_int_equal(calls, i == 5);
		elf_file_free(file);
	}
}

/* Non-static and not inlined, to be found in this program's own symbols. */
int probekit_test_marker(int value);
__attribute__((noinline)) int probekit_test_marker(int value)
{
	return value * 12345 + 1;
}

static int find_marker(const struct elf_symbol *found, void *arg)
{
	if (strcmp(found->name, "probekit_test_marker") != 0)
		return 0;
	*(struct elf_symbol *)arg = *found;
	return 1;
}

static void own_function_is_where_it_runs(void **state)
{
	struct probekit_error err;
	struct elf_symbol found;
	struct elf_file *file;
	const Elf64_Ehdr *header;
	uintptr_t base;

	(void)state;
	assert_int_equal(probekit_test_marker(0), 1);
	assert_int_equal(elf_file_open("/proc/self/exe", -1, &file, &err), 0);
	header = elf_file_bytes(file, 0, sizeof(*header));
	assert_non_null(header);
	base = getauxval(AT_ENTRY) - header->e_entry;
	assert_int_equal(elf_file_functions(file, find_marker, &found), 1);
	assert_true(base + found.address == (uintptr_t)probekit_test_marker);
	assert_true(found.size_bytes > 0);
	assert_memory_equal(elf_file_bytes(file, found.offset, found.size_bytes),
			    (const void *)(uintptr_t)probekit_test_marker, found.size_bytes);
	elf_file_free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_are_listed_without_versions),
		cmocka_unit_test(dynamic_symbols_serve_where_others_are_missing),
		cmocka_unit_test(a_visitor_stops_the_list),
		cmocka_unit_test(names_that_are_too_long_are_left_out),
		cmocka_unit_test(symbol_tables_that_lie_are_ignored),
		cmocka_unit_test(own_function_is_where_it_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
