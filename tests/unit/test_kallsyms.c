/* SPDX-License-Identifier: BSD-2-Clause */
/* The text of /proc/kallsyms: as kernels write it, this kernel's own, and damaged. */
#include "kallsyms.h"

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct kallsyms *parse(const char *text)
{
	struct kallsyms *kallsyms;

	assert_int_equal(kallsyms_parse(text, strlen(text), &kallsyms), 0);
	return kallsyms;
}

static void expect(const struct kallsyms *kallsyms, uint64_t address, const char *name,
		   uint64_t offset, const char *module)
{
	struct kernel_symbol symbol;

	assert_int_equal(kallsyms_find(kallsyms, address, &symbol), 0);
	assert_string_equal(symbol.name, name);
	assert_string_equal(symbol.module, module);
	assert_int_equal(symbol.offset, offset);
}

static void expect_none(const struct kallsyms *kallsyms, uint64_t address)
{
	struct kernel_symbol symbol;

	assert_int_equal(kallsyms_find(kallsyms, address, &symbol), -ENOENT);
}

static void an_address_belongs_to_the_function_before_it(void **state)
{
	struct kallsyms *kallsyms = parse("ffffffff81001000 T second\n"
					  "ffffffff81000000 T first\n"
					  "ffffffffc0002000 t helper\t[ext4]\n"
					  "ffffffffc0000000 t bpf_prog_6deef7357e7b4530\t[bpf]\n");

	(void)state;
	assert_int_equal(kallsyms_size(kallsyms), 4);
	assert_false(kallsyms_are_hidden(kallsyms));
	expect_none(kallsyms, 0xffffffff80ffffff);
	expect(kallsyms, 0xffffffff81000000, "first", 0, "");
	expect(kallsyms, 0xffffffff81000fff, "first", 0xfff, "");
	expect(kallsyms, 0xffffffff81001000, "second", 0, "");
	expect(kallsyms, 0xffffffffc0000010, "bpf_prog_6deef7357e7b4530", 0x10, "bpf");
	expect(kallsyms, 0xffffffffc0002001, "helper", 1, "ext4");
	kallsyms_free(kallsyms);
}

static void what_is_far_behind_any_function_is_in_none(void **state)
{
	struct kallsyms *kallsyms = parse("ffffffff81000000 T first\n");

	(void)state;
	expect_none(kallsyms, 0xffffffffa0000000);
	expect_none(kallsyms, UINT64_MAX);
	expect_none(kallsyms, 0);
	kallsyms_free(kallsyms);
}

static void only_functions_count(void **state)
{
	struct kallsyms *kallsyms = parse("ffffffff81000000 T text\n"
					  "ffffffff81000100 D data\n"
					  "ffffffff81000200 r constants\n"
					  "ffffffff81000300 W weak\n"
					  "ffffffff81000400 B zeroed\n"
					  "0000000000001000 A absolute\n");

	(void)state;
	assert_int_equal(kallsyms_size(kallsyms), 2);
	expect(kallsyms, 0xffffffff81000200, "text", 0x200, "");
	expect(kallsyms, 0xffffffff81000400, "weak", 0x100, "");
	kallsyms_free(kallsyms);
}

static void of_two_names_the_global_one_is_told(void **state)
{
	struct kallsyms *kallsyms = parse("ffffffff81000000 t __local\n"
					  "ffffffff81000000 T shared\n"
					  "ffffffff81000000 T later\n");

	(void)state;
	assert_int_equal(kallsyms_size(kallsyms), 1);
	expect(kallsyms, 0xffffffff81000000, "shared", 0, "");
	kallsyms_free(kallsyms);
}

static void addresses_that_are_hidden_are_a_state_of_their_own(void **state)
{
	struct kallsyms *kallsyms = parse("0000000000000000 T _stext\n"
					  "0000000000000000 t helper\t[ext4]\n");

	(void)state;
	assert_true(kallsyms_are_hidden(kallsyms));
	assert_int_equal(kallsyms_size(kallsyms), 0);
	expect_none(kallsyms, 0xffffffff81000000);
	kallsyms_free(kallsyms);
	kallsyms = parse("");
	assert_false(kallsyms_are_hidden(kallsyms));
	kallsyms_free(kallsyms);
}

static void lines_that_are_not_understood_are_left_out(void **state)
{
	struct kallsyms *kallsyms = parse("\n"
					  "ffffffff81000000\n"
					  "ffffffff81000000 T\n"
					  "ffffffff81000000 T \n"
					  "11111ffffffff81000000 T too_long\n"
					  "zzzz T name\n"
					  "ffffffff81000000 T name\tmodule\n"
					  "ffffffff81000000 T name\t[\n"
					  "ffffffff81000010 T good\n"
					  "ffffffff81000020 T cut_sho");

	(void)state;
	assert_int_equal(kallsyms_size(kallsyms), 1);
	expect(kallsyms, 0xffffffff81000010, "good", 0, "");
	kallsyms_free(kallsyms);
}

/* Sanitizers have an allocator of their own, and tell 0. */
static size_t allocated_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* The running kernel's table against its own lines, read here once more. */
static void this_kernels_functions_are_found(void **state)
{
	size_t before = allocated_bytes();
	struct kallsyms *kallsyms;
	FILE *file;
	char line[1024];
	size_t count = 0;

	(void)state;
	assert_int_equal(kallsyms_load(&kallsyms, NULL), 0);
	assert_true(allocated_bytes() - before < 8u << 20);
	if (kallsyms_are_hidden(kallsyms) || !kallsyms_size(kallsyms)) {
		kallsyms_free(kallsyms);
		skip();
	}
	file = fopen("/proc/kallsyms", "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		struct kernel_symbol symbol;
		unsigned long long address;
		char type;

		if (sscanf(line, "%llx %c", &address, &type) != 2 || type != 'T' || count++ % 16)
			continue;
		assert_int_equal(kallsyms_find(kallsyms, address, &symbol), 0);
		assert_int_equal(symbol.offset, 0);
	}
	assert_true(count > 1000);
	fclose(file);
	kallsyms_free(kallsyms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_belongs_to_the_function_before_it),
		cmocka_unit_test(what_is_far_behind_any_function_is_in_none),
		cmocka_unit_test(only_functions_count),
		cmocka_unit_test(of_two_names_the_global_one_is_told),
		cmocka_unit_test(addresses_that_are_hidden_are_a_state_of_their_own),
		cmocka_unit_test(lines_that_are_not_understood_are_left_out),
		cmocka_unit_test(this_kernels_functions_are_found),
	};

	return cmocka_run_group_tests_name("kallsyms", tests, NULL, NULL);
}
