/* SPDX-License-Identifier: BSD-2-Clause */
/* Names as compilers mangled them, and as nobody should have. */
#include "demangle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct example {
	const char *mangled;
	const char *readable;
};

static void expect_all(const struct example *examples, size_t count)
{
	char text[DEMANGLED_BYTES_MAX];

	for (size_t i = 0; i < count; i++) {
		assert_true(demangle(examples[i].mangled, text, sizeof(text)));
		assert_string_equal(text, examples[i].readable);
	}
}

static void cxx_names_read_as_written(void **state)
{
	static const struct example examples[] = {
		{"_ZN6shapes6circle4growEi", "shapes::circle::grow"},
		{"_ZN6shapes5scaleIlEEvT_PKPKc", "shapes::scale<long>"},
		{"_ZNSt6vectorIiSaIiEE9push_backERKi",
		 "std::vector<int, std::allocator<int> >::push_back"},
		{"_ZN3fooC1Ev", "foo::foo"},
		{"_ZN3fooD0Ev", "foo::~foo"},
		{"_ZN12_GLOBAL__N_16hiddenEv", "(anonymous namespace)::hidden"},
		{"_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()"},
		{"_ZTV3foo", "vtable for foo"},
		{"_ZL6do_putP4node.constprop.0", "do_put"},
		{"_Z6handlei.cold", "handle"},
	};

	(void)state;
	expect_all(examples, sizeof(examples) / sizeof(examples[0]));
}

/* Both manglings of rustc; those of crate "m" are from a small program. */
static void rust_names_read_as_written(void **state)
{
	static const struct example examples[] = {
		{"_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE",
		 "core::fmt::Formatter::write_str"},
		{"_ZN60_$LT$alloc..string..String$u20$as$u20$core..fmt..Display$GT$3fmt"
		 "17h0123456789abcdefE.llvm.1234567890",
		 "<alloc::string::String as core::fmt::Display>::fmt"},
		{"_RNvXCskK7mfDs1mzF_1mINtB2_5ShapehENtNtCsgEmfK2I1SDS_4core3fmt7Display3fmtB2_",
		 "<m::Shape<u8> as core::fmt::Display>::fmt"},
		{"_RINvCskK7mfDs1mzF_1m4arealEB2_", "m::area::<i32>"},
		{"_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar"},
		{"_RINvNtC3std3mem8align_ofdE", "std::mem::align_of::<f64>"},
		{"_RNCNvC7mycrate4main0.llvm.42", "mycrate::main::{closure#0}"},
	};

	(void)state;
	expect_all(examples, sizeof(examples) / sizeof(examples[0]));
}

static void other_names_stay(void **state)
{
	static const char *const names[] = {
		"main",		"",	  "_Z",	   "_R",	"__libc_start_main",
		"_Zebra cross", "_ZN3fo", "_RNvC", "a_ZN3fooE", "Lcom/example/Main;::run"};
	char text[DEMANGLED_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_false(demangle(names[i], text, sizeof(text)));
		assert_string_equal(text, names[i]);
	}
}

static void names_that_do_not_fit_are_cut(void **state)
{
	char text[16];

	(void)state;
	assert_true(demangle("_ZN6shapes6circle4growEi", text, sizeof(text)));
	assert_string_equal(text, "shapes::circ...");
	assert_false(demangle("a_plain_name_that_is_long", text, sizeof(text)));
	assert_string_equal(text, "a_plain_name...");
	assert_false(demangle("fifteen_letters", text, sizeof(text)));
	assert_string_equal(text, "fifteen_letters");
	assert_true(demangle("_ZN7fifteen7lettersEv", text, 17 - 1));
	assert_string_equal(text, "fifteen::let...");
}

/* Each pair doubles what the one before stands for: 2^40 letters, were they written out. */
static void doubling_cxx(char *name, size_t size)
{
	size_t used = (size_t)snprintf(name, size, "_Z1fSt4pairIiiE");

	for (int i = 0; i < 34 && used + 24 < size; i++) {
		char reference[8];

		if (i == 0)
			strcpy(reference, "S0_");
		else
			snprintf(reference, sizeof(reference), "S%c_",
				 i < 9 ? '1' + i - 1 : 'A' + i - 9);
		used += (size_t)snprintf(name + used, size - used, "St4pairI%s%sE", reference,
					 reference);
	}
}

static void names_that_stand_for_endless_text_are_cut_in_time(void **state)
{
	char text[DEMANGLED_BYTES_MAX];
	char name[4096];

	(void)state;
	doubling_cxx(name, sizeof(name));
	demangle(name, text, sizeof(text));
	assert_true(strlen(text) < sizeof(text));
	/* ever deeper tuples of two references back to the tuple before */
	strcpy(name, "_RINvC1a1bTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTaaEB8_EB7_EB6_EB5_E");
	demangle(name, text, sizeof(text));
	assert_true(strlen(text) < sizeof(text));
}

static void deep_nesting_is_no_danger(void **state)
{
	static const char *const pieces[] = {"P", "N", "I", "F", "T", "St4pairI", "DpT_", "R", "Y"};
	char text[DEMANGLED_BYTES_MAX];
	size_t size = 1 << 20;
	char *name = malloc(size);

	(void)state;
	assert_non_null(name);
	for (size_t piece = 0; piece < sizeof(pieces) / sizeof(pieces[0]); piece++) {
		for (size_t length = 1000; length < size; length *= 10) {
			size_t used =
				(size_t)sprintf(name, "%s", piece % 2 ? "_RINvC1a1b" : "_Z1f");

			while (used + 16 < length)
				used += (size_t)sprintf(name + used, "%s", pieces[piece]);
			demangle(name, text, sizeof(text));
			assert_true(strlen(text) < sizeof(text));
		}
	}
	free(name);
}

static void damaged_names_are_only_names(void **state)
{
	static const char *const seeds[] = {
		"_ZNSt6vectorIiSaIiEE9push_backERKi",
		"_ZN6shapes5scaleIlEEvT_PKPKc",
		"_ZZ4mainENKUlvE_clEv",
		"_RINvNtC3std3mem8align_ofdE",
		"_RNvNtCs1234_7mycrateu8caf_tla3bar",
		"_ZN37_$LT$alloc..string..String$u20$as$GT$3fmt17h0123456789abcdefE"};
	char text[64];
	char name[256];

	(void)state;
	srand(1);
	for (int i = 0; i < 200000; i++) {
		const char *seed = seeds[(size_t)rand() % (sizeof(seeds) / sizeof(seeds[0]))];
		size_t length = strlen(seed);

		strcpy(name, seed);
		for (int change = rand() % 4; change >= 0; change--)
			name[2 + (size_t)rand() % (length - 2)] = (char)(33 + rand() % 94);
		demangle(name, text, sizeof(text));
		assert_true(strlen(text) < sizeof(text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cxx_names_read_as_written),
		cmocka_unit_test(rust_names_read_as_written),
		cmocka_unit_test(other_names_stay),
		cmocka_unit_test(names_that_do_not_fit_are_cut),
		cmocka_unit_test(names_that_stand_for_endless_text_are_cut_in_time),
		cmocka_unit_test(deep_nesting_is_no_danger),
		cmocka_unit_test(damaged_names_are_only_names),
	};

	return cmocka_run_group_tests_name("demangle", tests, NULL, NULL);
}
