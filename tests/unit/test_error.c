/* SPDX-License-Identifier: BSD-2-Clause */
/* How errors read: one line, escaped, and cut without losing the reason. */
#include "error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void text_is_escaped_where_it_could_deceive(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} examples[] = {
		{"", ""},
		{"plain 'text' \\", "plain 'text' \\"},
		{"a\nb\tc", "a\\nb\\tc"},
		{"\x1b[31mred\x7f\r", "\\x1b[31mred\\x7f\\x0d"},
		{"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		 "h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"\xc2\x85", "\\xc2\\x85"}, /* C1: next line */
		{"\xc2\xa0", "\xc2\xa0"},
		{"\xd8\x9c", "\\xd8\\x9c"},	     /* Arabic letter mark */
		{"\xe2\x80\x8b", "\\xe2\\x80\\x8b"}, /* zero width space */
		{"\xe2\x80\x90", "\xe2\x80\x90"},    /* hyphen */
		{"\xe2\x80\xa8", "\\xe2\\x80\\xa8"}, /* line separator */
		{"\xe2\x80\xae", "\\xe2\\x80\\xae"}, /* right-to-left override */
		{"\xe2\x80\xaf", "\xe2\x80\xaf"},
		{"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},	      /* isolate */
		{"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},	      /* byte order mark */
		{"\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"}, /* tag */
		{"\xff\xfe", "\\xff\\xfe"},
		{"\x80", "\\x80"},
		{"\xc0\xaf", "\\xc0\\xaf"}, /* overlong */
		{"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},
		{"\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf"},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},	      /* surrogate */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
		{"\xe2\x82", "\\xe2\\x82"},		      /* cut short */
		{"\xf0\x9f\x98", "\\xf0\\x9f\\x98"},
		{"\xe2(\xa1", "\\xe2(\\xa1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		char out[64];

		escape_text(examples[i].in, out, sizeof(out));
		assert_string_equal(out, examples[i].out);
	}
}

static void cut_text_ends_in_dots_between_characters(void **state)
{
	static const struct {
		size_t size;
		const char *in;
		const char *out;
	} examples[] = {
		{1, "abc", ""},
		{2, "abc", "."},
		{3, "abc", ".."},
		{4, "abc", "abc"},
		{4, "abcd", "..."},
		{7, "abcdef", "abcdef"},
		{7, "abcdefg", "abc..."},
		{7,
		 "ab\xe2\x82\xac"
		 "cd",
		 "ab..."},
		{9,
		 "ab\xe2\x82\xac"
		 "cdefg",
		 "ab\xe2\x82\xac..."},
		{9, "abcd\x01\x02", "abcd..."},
		{7, "\x01\x02", "..."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		/* Of the exact size, so that a sanitizer sees a byte too many. */
		char *out = malloc(examples[i].size);

		assert_non_null(out);
		escape_text(examples[i].in, out, examples[i].size);
		assert_string_equal(out, examples[i].out);
		free(out);
	}
}

static void no_room_is_left_alone(void **state)
{
	char out = 'x';

	(void)state;
	escape_text("abc", &out, 0);
	assert_int_equal(out, 'x');
}

static void each_function_fills_code_kind_and_text(void **state)
{
	struct probekit_error err;

	(void)state;
	memset(&err, 'x', sizeof(err));
	assert_int_equal(error_failed(&err, -ENOEXEC, "'%s' is no %d\n", "a\tb", 7), -ENOEXEC);
	assert_int_equal(err.code, -ENOEXEC);
	assert_int_equal(err.kind, PROBEKIT_ERROR_FAILED);
	assert_string_equal(err.text, "'a\\tb' is no 7\\n");
	assert_string_equal(err.hint, "");

	errno = E2BIG;
	assert_int_equal(error_errno(&err, -ENOENT, "cannot open '%s'", "x"), -ENOENT);
	assert_int_equal(err.kind, PROBEKIT_ERROR_FAILED);
	assert_string_equal(err.text, "cannot open 'x': No such file or directory");
	assert_int_equal(errno, E2BIG);

	assert_int_equal(error_usage(&err, "no"), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	assert_int_equal(err.kind, PROBEKIT_ERROR_USAGE);

	assert_int_equal(error_unavailable(&err, -EPERM, "no"), -EPERM);
	assert_int_equal(err.code, -EPERM);
	assert_int_equal(err.kind, PROBEKIT_ERROR_UNAVAILABLE);

	assert_int_equal(error_no_memory(&err), -ENOMEM);
	assert_int_equal(err.code, -ENOMEM);
}

static void a_hint_is_added_to_what_is_there(void **state)
{
	struct probekit_error err;

	(void)state;
	error_failed(&err, -ESRCH, "gone");
	assert_int_equal(error_hint(&err, -ESRCH, "try %s\x1b", "this"), -ESRCH);
	assert_string_equal(err.text, "gone");
	assert_string_equal(err.hint, "try this\\x1b");
	error_failed(&err, -ESRCH, "again");
	assert_string_equal(err.hint, "");
}

static void long_text_is_cut_but_keeps_its_reason(void **state)
{
	static const char reason[] = "...: Permission denied";
	struct probekit_error err;
	char path[5000];

	(void)state;
	for (size_t length = 900; length < sizeof(path); length += length < 1100 ? 1 : 1000) {
		memset(path, 'p', length);
		path[length] = '\0';
		error_errno(&err, -EACCES, "'%s'", path);
		assert_true(strlen(err.text) < sizeof(err.text));
		assert_string_equal(strrchr(err.text, ':'), ": Permission denied");
		if (length > sizeof(err.text))
			assert_string_equal(err.text + strlen(err.text) - strlen(reason), reason);
		error_failed(&err, -EACCES, "%s", path);
		assert_int_equal(strlen(err.text), length < 1024 ? length : 1023);
		assert_int_equal(strstr(err.text, "...") != NULL, length >= 1024);
		error_hint(&err, -EACCES, "%s", path);
		assert_string_equal(err.hint + strlen(err.hint) - 3, "...");
	}
}

static void a_caller_may_want_no_text(void **state)
{
	(void)state;
	assert_int_equal(error_failed(NULL, -EIO, "%d", 1), -EIO);
	assert_int_equal(error_errno(NULL, -EIO, "%d", 1), -EIO);
	assert_int_equal(error_usage(NULL, "%d", 1), -EINVAL);
	assert_int_equal(error_unavailable(NULL, -EIO, "%d", 1), -EIO);
	assert_int_equal(error_no_memory(NULL), -ENOMEM);
	assert_int_equal(error_hint(NULL, -EIO, "%d", 1), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_escaped_where_it_could_deceive),
		cmocka_unit_test(cut_text_ends_in_dots_between_characters),
		cmocka_unit_test(no_room_is_left_alone),
		cmocka_unit_test(each_function_fills_code_kind_and_text),
		cmocka_unit_test(a_hint_is_added_to_what_is_there),
		cmocka_unit_test(long_text_is_cut_but_keeps_its_reason),
		cmocka_unit_test(a_caller_may_want_no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
