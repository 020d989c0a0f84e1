/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of rules: one that nobody asked for may be anybody's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "folder.h"
#include "verdict.h"

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void assert_refused(const char *rules_file, const char *text)
{
	const struct verdict_options options = {.rules_file = rules_file};
	struct verdict_rules rules;
	struct probekit_error err = {0};

	assert_true(verdict_prepare(&options, &rules, &err) < 0);
	assert_string_equal(err.text, text);
	assert_int_equal(err.kind, PROBEKIT_ERROR_FAILED);
}

static void rules_are_the_lines_of_the_file_that_are_no_comments(void **state)
{
	const struct verdict_options options = {0};
	struct verdict_rules rules;
	struct probekit_error err;

	(void)state;
	write_file(".probekit-ci", "# tails\n\n  p99>+10%\t\r\nlogger:* p50>+50us");
	assert_int_equal(verdict_prepare(&options, &rules, &err), 0);
	assert_string_equal(rules.items[0], "p99>+10%");
	assert_string_equal(rules.items[1], "logger:* p50>+50us");
	assert_null(rules.items[2]);
	verdict_rules_free(&rules);
}

static void no_file_is_no_rules_unless_it_was_asked_for(void **state)
{
	const struct verdict_options options = {0};
	struct verdict_rules rules;
	struct probekit_error err;

	(void)state;
	assert_int_equal(verdict_prepare(&options, &rules, &err), 0);
	assert_null(rules.items[0]);
	verdict_rules_free(&rules);
	assert_refused("none", "cannot read the rules in 'none': No such file or directory");
}

/* Else its first line would be quoted, of a file that who put the link there may not read. */
static void a_link_that_nobody_asked_for_is_not_followed(void **state)
{
	const struct verdict_options options = {.rules_file = ".probekit-ci"};
	struct verdict_rules rules;
	struct probekit_error err;

	(void)state;
	write_file("secret", "p50>+1%\n");
	assert_int_equal(symlink("secret", ".probekit-ci"), 0);
	assert_refused(NULL, "cannot read the rules in '.probekit-ci': it is a symbolic link");
	assert_int_equal(verdict_prepare(&options, &rules, &err), 0);
	assert_string_equal(rules.items[0], "p50>+1%");
	verdict_rules_free(&rules);
}

/* A FIFO without a writer would be waited for. */
static void only_a_regular_file_has_rules(void **state)
{
	(void)state;
	alarm(20);
	assert_int_equal(mkfifo(".probekit-ci", 0600), 0);
	assert_refused(NULL, "cannot read the rules in '.probekit-ci': it is not a regular file");
	assert_refused(".probekit-ci",
		       "cannot read the rules in '.probekit-ci': it is not a regular file");
	alarm(0);
	assert_refused(".", "cannot read the rules in '.': it is a folder");
}

static void a_file_of_other_bytes_is_refused(void **state)
{
	FILE *file = fopen(".probekit-ci", "we");

	(void)state;
	assert_non_null(file);
	assert_int_equal(fwrite("p50>+1%\0x\n", 1, 10, file), 10);
	assert_int_equal(fclose(file), 0);
	assert_refused(NULL, "cannot read the rules in '.probekit-ci': Invalid or incomplete "
			     "multibyte or wide character");
	file = fopen(".probekit-ci", "we");
	assert_non_null(file);
	for (size_t i = 0; i < 65537; i++)
		fputc('#', file);
	assert_int_equal(fclose(file), 0);
	assert_refused(NULL, "cannot read the rules in '.probekit-ci': File too large");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rules_are_the_lines_of_the_file_that_are_no_comments,
						folder_enter, folder_leave),
		cmocka_unit_test_setup_teardown(no_file_is_no_rules_unless_it_was_asked_for,
						folder_enter, folder_leave),
		cmocka_unit_test_setup_teardown(a_link_that_nobody_asked_for_is_not_followed,
						folder_enter, folder_leave),
		cmocka_unit_test_setup_teardown(only_a_regular_file_has_rules, folder_enter,
						folder_leave),
		cmocka_unit_test_setup_teardown(a_file_of_other_bytes_is_refused, folder_enter,
						folder_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
