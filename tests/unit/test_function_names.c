/* SPDX-License-Identifier: BSD-2-Clause */
/* Symbols, names and patterns of functions. */
#include "function_names.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "functions.h"

static void suffixes_of_clones_are_known(void **state)
{
	static const struct {
		const char *symbol;
		const char *base;
		enum function_piece piece;
	} examples[] = {
		{"plain", "plain", FUNCTION_BODY},
		{"versioned@@GLIBC_2.14", "versioned", FUNCTION_BODY},
		{"versioned@V1", "versioned", FUNCTION_BODY},
		{"f.isra.0", "f", FUNCTION_BODY},
		{"f.constprop.12", "f", FUNCTION_BODY},
		{"f.lto_priv.0.constprop.0", "f", FUNCTION_BODY},
		{"f.part.0", "f", FUNCTION_PART},
		{"f.part.0.isra.0", "f", FUNCTION_PART},
		{"f.cold", "f", FUNCTION_COLD},
		{"f.part.3.cold", "f", FUNCTION_COLD},
		{"f.isra.0.cold.1", "f", FUNCTION_COLD},
		{"f.llvm.123456789", "f", FUNCTION_BODY},
		{"f.__uniq.77.llvm.8", "f", FUNCTION_BODY},
		{"f.avx2.0", "f.avx2.0", FUNCTION_BODY},
		{"f.avx2.0.cold", "f.avx2.0", FUNCTION_COLD},
		{"f.coldish", "f.coldish", FUNCTION_BODY},
		{"f.part.x", "f.part.x", FUNCTION_BODY},
		{".cold", ".cold", FUNCTION_BODY},
		{"inner.0", "inner.0", FUNCTION_BODY},
		{"f.", "f.", FUNCTION_BODY},
		{"", "", FUNCTION_BODY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		enum function_piece piece;
		size_t length = function_name_base(examples[i].symbol, &piece);

		assert_int_equal(length, strlen(examples[i].base));
		assert_memory_equal(examples[i].symbol, examples[i].base, length);
		assert_int_equal(piece, examples[i].piece);
	}
}

static void names_are_shown_as_written_and_unique(void **state)
{
	static const char *const examples[][2] = {
		{"plain.isra.0", "plain"},
		{"_ZN4shop4Cart3addEiPKc", "shop::Cart::add(int, char const*)"},
		{"_ZN4shop4Cart3addEiPKc.part.0", "shop::Cart::add(int, char const*)"},
		{"_ZN4shop4CartC1Ei", "shop::Cart::Cart(int)"},
		{"_ZN4shop4CartC2Ei", "shop::Cart::Cart(int) [base]"},
		{"_ZN4shop4CartD1Ev", "shop::Cart::~Cart()"},
		{"_ZN4shop4CartD2Ev", "shop::Cart::~Cart() [base]"},
		{"_ZN4shop4CartD0Ev", "shop::Cart::~Cart() [deleting]"},
		{"_Z3fooI3barEvT_", "foo<bar>(bar)"},
		{"_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE",
		 "core::fmt::Formatter::write_str"},
		{"_Zebra", "_Zebra"},
	};
	char name[DEMANGLED_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		function_name_display(examples[i][0], name);
		assert_string_equal(name, examples[i][1]);
	}
}

static void a_name_too_long_to_be_shown_is_the_symbol(void **state)
{
	char name[DEMANGLED_BYTES_MAX];
	char symbol[1024] = "_Z1f900";

	(void)state;
	memset(symbol + 7, 'a', 900); /* a class, and four more parameters of it */
	strcpy(symbol + 907, "S_S_S_S_");
	function_name_display(symbol, name);
	assert_string_equal(name, symbol);
}

static void patterns_match_symbols_and_names(void **state)
{
	static const struct {
		const char *symbol;
		const char *pattern;
		bool matches;
	} examples[] = {
		{"handle_request", "handle_*", true},
		{"handle_request.constprop.0", "handle_request", true},
		{"handle_request@@V2", "*_request", true},
		{"handle_request", "request", false},
		{"_ZN4shop4Cart3addEiPKc", "shop::Cart::add", true},
		{"_ZN4shop4Cart3addEiPKc", "shop::Cart::add(int, char const[*])", true},
		{"_ZN4shop4Cart3addEiPKc", "*::add(int*", true},
		{"_ZN4shop4Cart3addEiPKc", "_ZN4shop*", true},
		{"_ZN4shop4Cart3addEiPKc", "shop::Cart::add(long)", false},
		{"_ZN4shop4Cart3addEiPKc.isra.0", "shop::*", true},
		{"_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
		assert_int_equal(function_name_matches(examples[i].symbol, examples[i].pattern),
				 examples[i].matches);
}

static void a_single_colon_parts_library_and_glob(void **state)
{
	static const char *const examples[][3] = {
		{"handle_*", "", "handle_*"},
		{"libc:mem*", "libc", "mem*"},
		{"shop::Cart::add", "", "shop::Cart::add"},
		{"libshop.so.1:shop::Cart::*", "libshop.so.1", "shop::Cart::*"},
		{"::main", "", "::main"},
		{"[[:alpha:]]*", "", "[[:alpha:]]*"},
		{"lib[ab]:[[:alpha:]]*", "lib[ab]", "[[:alpha:]]*"},
		{":x", "", "x"},
		{"", "", ""},
	};
	char library[16];
	const char *glob;

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		assert_int_equal(functions_split(examples[i][0], library, sizeof(library), &glob),
				 0);
		assert_string_equal(library, examples[i][1]);
		assert_string_equal(glob, examples[i][2]);
	}
	assert_int_equal(functions_split("a_very_long_library:x", library, sizeof(library), &glob),
			 -ENAMETOOLONG);
}

static void libraries_are_known_by_short_names(void **state)
{
	static const char path[] = "/usr/lib/x86_64-linux-gnu/libc.so.6";
	static const char *const right[] = {"c",    "libc",	"libc.so",     "libc.so.6",
					    "lib?", "libc.so*", "*/libc.so.6", path};
	static const char *const wrong[] = {"", "ssl", "lib", "libc.so.7", "/libc", "libcrypto"};

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		assert_true(functions_is_library(right[i], path));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(functions_is_library(wrong[i], path));
	assert_true(functions_is_library("stdc++", "/lib/libstdc++.so.6.0.30"));
	assert_true(functions_is_library("server", "./server"));
	assert_false(functions_is_library("libcrypto", "/lib/libc.so.6"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suffixes_of_clones_are_known),
		cmocka_unit_test(names_are_shown_as_written_and_unique),
		cmocka_unit_test(a_name_too_long_to_be_shown_is_the_symbol),
		cmocka_unit_test(patterns_match_symbols_and_names),
		cmocka_unit_test(a_single_colon_parts_library_and_glob),
		cmocka_unit_test(libraries_are_known_by_short_names),
	};

	return cmocka_run_group_tests_name("function_names", tests, NULL, NULL);
}
