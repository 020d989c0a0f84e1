/* SPDX-License-Identifier: BSD-2-Clause */
#include "svg_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* What `body` writes to `out`. */
#define EXPECT(text, body)                                   \
	do {                                                 \
		char *written;                               \
		size_t size;                                 \
		FILE *out = open_memstream(&written, &size); \
                                                             \
		body;                                        \
		fclose(out);                                 \
		assert_string_equal(written, text);          \
		free(written);                               \
	} while (0)

static void times_have_three_digits_and_a_unit(void **state)
{
	(void)state;
	EXPECT("0 ns", svg_time(out, 0));
	EXPECT("999 ns", svg_time(out, 999));
	EXPECT("1.00 us", svg_time(out, 1000));
	EXPECT("12.3 ms", svg_time(out, 12345678));
	EXPECT("123 ms", svg_time(out, 123456789));
	EXPECT("1.23 s", svg_time(out, 1234567890));
	EXPECT("18446744073 s", svg_time(out, UINT64_MAX));
}

static void shares_have_two_decimals(void **state)
{
	(void)state;
	EXPECT("0.00 %", svg_share(out, 0, 0));
	EXPECT("33.33 %", svg_share(out, 1, 3));
	EXPECT("100.00 %", svg_share(out, UINT64_MAX, UINT64_MAX));
}

static void markup_is_text(void **state)
{
	(void)state;
	EXPECT("&lt;a href=&quot;x&quot;&gt; &amp;amp; &#39;",
	       svg_text(out, "<a href=\"x\"> &amp; '"));
}

static void what_xml_cannot_hold_is_left_out(void **state)
{
	(void)state;
	EXPECT("ab", svg_text(out, "a\xef\xbf\xbf\xef\xbf\xbe"
				   "b"));
	EXPECT("a\\xff\\n", svg_text_raw(out, "a\xff\n"));
}

static void a_text_is_cut_at_whole_characters(void **state)
{
	(void)state;
	EXPECT("", svg_text_cut(out, "ab", 2));
	EXPECT("abc", svg_text_cut(out, "abc", 3));
	EXPECT("a..", svg_text_cut(out, "abcd", 3));
	EXPECT("\xc3\xa4..", svg_text_cut(out, "\xc3\xa4\xc3\xa4\xc3\xa4", 5));
	EXPECT("&lt;..", svg_text_cut(out, "<<<<", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_have_three_digits_and_a_unit),
		cmocka_unit_test(shares_have_two_decimals),
		cmocka_unit_test(markup_is_text),
		cmocka_unit_test(what_xml_cannot_hold_is_left_out),
		cmocka_unit_test(a_text_is_cut_at_whole_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
