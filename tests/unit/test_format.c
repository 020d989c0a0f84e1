/* SPDX-License-Identifier: BSD-2-Clause */
/* How the command line reads and writes numbers, names and the terminal's size. */
#include "format.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void durations_have_two_to_three_digits_and_a_fitting_unit(void **state)
{
	static const struct {
		double ns;
		const char *text;
	} cases[] = {
		{0, "0 ns"},	    {7, "7 ns"},       {99.4, "99 ns"},	    {99.6, "0.1 us"},
		{290, "0.29 us"},   {954, "0.95 us"},  {999, "1 us"},	    {1900, "1.9 us"},
		{412e3, "412 us"},  {999.6e3, "1 ms"}, {18.2e6, "18.2 ms"}, {41e6, "41 ms"},
		{12.3e9, "12.3 s"}, {599e9, "599 s"},  {630e9, "10.5 min"}, {7.5 * 3600e9, "7.5 h"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(format_duration(cases[i].ns).text, cases[i].text);
}

static void counts_are_grouped_by_thousands(void **state)
{
	(void)state;
	assert_string_equal(format_count(0).text, "0");
	assert_string_equal(format_count(999).text, "999");
	assert_string_equal(format_count(1000).text, "1 000");
	assert_string_equal(format_count(12043).text, "12 043");
	assert_string_equal(format_count(UINT64_MAX).text, "18 446 744 073 709 551 615");
}

static void values_have_no_unit(void **state)
{
	(void)state;
	assert_string_equal(format_value(7).text, "7");
	assert_string_equal(format_value(-3).text, "-3");
	assert_string_equal(format_value(2.5).text, "2.5");
	assert_string_equal(format_value(-1024).text, "-1 024");
	assert_string_equal(format_value(-0.001).text, "0");
	assert_string_equal(format_value(1e30).text, "1e+30");
}

static void shares_are_whole_only_when_exact(void **state)
{
	(void)state;
	assert_string_equal(format_share(0).text, "0 %");
	assert_string_equal(format_share(1e-9).text, "<0.1 %");
	assert_string_equal(format_share(0.006).text, "0.6 %");
	assert_string_equal(format_share(0.031).text, "3.1 %");
	assert_string_equal(format_share(0.97).text, "97 %");
	assert_string_equal(format_share(0.9999999).text, ">99 %");
	assert_string_equal(format_share(1).text, "100 %");
	assert_string_equal(format_share(3.2).text, "320 %");
}

static void rates_and_plurals_read_naturally(void **state)
{
	(void)state;
	assert_string_equal(format_rate(12043.2).text, "12 043/s");
	assert_string_equal(format_rate(0.25).text, "0.25/s");
	assert_string_equal(format_plural(1, "site", "sites").text, "1 site");
	assert_string_equal(format_plural(4000, "site", "sites").text, "4 000 sites");
}

static void differences_and_changes_have_a_sign(void **state)
{
	(void)state;
	assert_string_equal(format_difference(3.1e6).text, "+3.1 ms");
	assert_string_equal(format_difference(-80e3).text, "-80 us");
	assert_string_equal(format_difference(0).text, "+0 ns");
	assert_string_equal(format_change(1.17).text, "+17 %");
	assert_string_equal(format_change(1.004).text, "+0.4 %");
	assert_string_equal(format_change(0.969).text, "-3.1 %");
	assert_string_equal(format_change(1.0004).text, "0 %");
	assert_string_equal(format_change(0.9996).text, "0 %");
	assert_string_equal(format_change(9.99).text, "+899 %");
	assert_string_equal(format_change(12.34).text, "x 12.3");
	assert_string_equal(format_change(1e5).text, "x 100000");
	assert_string_equal(format_change(1.4e9).text, ">x 100000");
	assert_string_equal(format_change(INFINITY).text, "new");
	assert_string_equal(format_change(NAN).text, "-");
}

static void intervals_of_changes_share_their_unit(void **state)
{
	(void)state;
	assert_string_equal(format_change_interval(1.12, 1.22).text, "+12 to +22 %");
	assert_string_equal(format_change_interval(0.991, 1.004).text, "-0.9 to +0.4 %");
	assert_string_equal(format_change_interval(1.5, 12).text, "+50 % to x 12");
	assert_string_equal(format_change_interval(NAN, 1.2).text, "-");
	assert_string_equal(format_change_interval(1.2, INFINITY).text, "-");
}

static void probabilities_are_told_to_a_thousandth(void **state)
{
	(void)state;
	assert_string_equal(format_probability(0.0124).text, "0.012");
	assert_string_equal(format_probability(0.0009765625).text, "<0.001");
	assert_string_equal(format_probability(1).text, "1");
	assert_string_equal(format_probability(NAN).text, "-");
}

static void bands_share_the_unit_of_their_upper_edge(void **state)
{
	(void)state;
	assert_string_equal(format_time_band(-20).text, "0.95 - 1.9 us");
	assert_string_equal(format_time_band(-11).text, "488 - 977 us");
	assert_string_equal(format_time_band(-10).text, "0.98 - 2 ms");
	assert_string_equal(format_time_band(-6).text, "15.6 - 31.2 ms");
	assert_string_equal(format_time_band(-1).text, "0.5 - 1 s");
	assert_string_equal(format_time_band(0).text, "1 - 2 s");
}

static void value_bands_name_the_integers_in_them(void **state)
{
	(void)state;
	assert_string_equal(format_value_band(-1).text, "1");
	assert_string_equal(format_value_band(0).text, "2");
	assert_string_equal(format_value_band(1).text, "3 - 4");
	assert_string_equal(format_value_band(10).text, "1 025 - 2 048");
	assert_string_equal(format_value_band(62).text,
			    "4 611 686 018 427 387 905 - 9 223 372 036 854 775 808");
}

static void names_cannot_steer_the_terminal(void **state)
{
	static const struct {
		const char *raw;
		const char *escaped;
	} cases[] = {
		{"plain", "plain"},
		{"a\033[2Jb", "a\\x1b[2Jb"},
		{"tab\tnewline\n", "tab\\x09newline\\x0a"},
		{"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7",
		 "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7"},
		{"\xc2\x9b", "\\xc2\\x9b"},		      /* C1: CSI */
		{"\xe2\x80\xae", "\\xe2\\x80\\xae"},	      /* right-to-left override */
		{"\xd8\x9c", "\\xd8\\x9c"},		      /* Arabic letter mark */
		{"\xe2\x81\xa3", "\\xe2\\x81\\xa3"},	      /* invisible separator */
		{"\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"}, /* tag */
		{"\xff\xc3", "\\xff\\xc3"},		      /* not UTF-8, and cut short */
		{"\xc0\x9b", "\\xc0\\x9b"},		      /* overlong ESC */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},	      /* surrogate */
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		format_escape(cases[i].raw, out, sizeof(out));
		assert_string_equal(out, cases[i].escaped);
	}
}

static void long_names_are_cut_at_a_character(void **state)
{
	char out[8];

	(void)state;
	format_escape("1234567", out, sizeof(out));
	assert_string_equal(out, "1234567");
	format_escape("12345678", out, sizeof(out));
	assert_string_equal(out, "1234...");
	format_escape("123\xc3\xbc\xc3\xbc\xc3\xbc", out, sizeof(out));
	assert_string_equal(out, "123...");
	for (size_t size = 4; size <= sizeof(out); size++) {
		format_escape("\001\002\003\004\005", out, size);
		assert_true(strlen(out) < size);
	}
}

static void width_counts_characters(void **state)
{
	(void)state;
	assert_int_equal(format_width("gr\xc3\xbc\xc3\x9f"), 4);
}

static void width_follows_COLUMNS_within_bounds(void **state)
{
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	unsetenv("COLUMNS");
	assert_int_equal(terminal_width(file), 80);
	setenv("COLUMNS", "120", 1);
	assert_int_equal(terminal_width(file), 120);
	setenv("COLUMNS", "5", 1);
	assert_int_equal(terminal_width(file), 40);
	setenv("COLUMNS", "100000", 1);
	assert_int_equal(terminal_width(file), 200);
	setenv("COLUMNS", "wide", 1);
	assert_int_equal(terminal_width(file), 80);
	assert_false(terminal_has_colour(file));
	fclose(file);
}

static void durations_are_read_with_and_without_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns; /* 0: refused */
	} cases[] = {
		{"10", 10000000000},
		{"0.5", 500000000},
		{".5", 500000000},
		{"500ms", 500000000},
		{"20us", 20000},
		{"7ns", 7},
		{"2m", 120000000000},
		{"1h", 3600000000000},
		{"1min", 60000000000},
		{"", 0},
		{"0", 0},
		{"-1", 0},
		{"+1", 0},
		{" 1", 0},
		{"1 ", 0},
		{"1 s", 0},
		{"0x10", 0},
		{"inf", 0},
		{"nan", 0},
		{"s", 0},
		{".", 0},
		{"1e99", 0},
		{"10x", 0},
		{"1,5", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t ns = 0;

		assert_int_equal(parse_duration(cases[i].text, &ns), cases[i].ns != 0);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void integers_are_read_whole_or_not_at_all(void **state)
{
	int64_t value = 0;

	(void)state;
	assert_true(parse_integer("-9223372036854775808", &value));
	assert_true(value == INT64_MIN);
	assert_true(parse_integer("42", &value));
	assert_int_equal(value, 42);
	assert_false(parse_integer("9223372036854775808", &value));
	assert_false(parse_integer("", &value));
	assert_false(parse_integer("-", &value));
	assert_false(parse_integer(" 1", &value));
	assert_false(parse_integer("1x", &value));
	assert_false(parse_integer("0x1", &value));
	assert_int_equal(value, 42);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_have_two_to_three_digits_and_a_fitting_unit),
		cmocka_unit_test(counts_are_grouped_by_thousands),
		cmocka_unit_test(values_have_no_unit),
		cmocka_unit_test(shares_are_whole_only_when_exact),
		cmocka_unit_test(rates_and_plurals_read_naturally),
		cmocka_unit_test(differences_and_changes_have_a_sign),
		cmocka_unit_test(intervals_of_changes_share_their_unit),
		cmocka_unit_test(probabilities_are_told_to_a_thousandth),
		cmocka_unit_test(bands_share_the_unit_of_their_upper_edge),
		cmocka_unit_test(value_bands_name_the_integers_in_them),
		cmocka_unit_test(names_cannot_steer_the_terminal),
		cmocka_unit_test(long_names_are_cut_at_a_character),
		cmocka_unit_test(width_counts_characters),
		cmocka_unit_test(width_follows_COLUMNS_within_bounds),
		cmocka_unit_test(durations_are_read_with_and_without_unit),
		cmocka_unit_test(integers_are_read_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
