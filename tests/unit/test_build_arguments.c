/* SPDX-License-Identifier: BSD-2-Clause */
/* Which program a build's name is. */
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

#include "build_arguments.h"
#include "folder.h"

static void assert_program(const char *name, const char *expected)
{
	char **made = build_arguments(name, NULL);

	assert_non_null(made);
	assert_string_equal(made[0], expected);
	assert_null(made[1]);
	build_arguments_free(made);
}

static void a_file_of_the_current_folder_precedes_path(void **state)
{
	FILE *file = fopen("test", "we");

	(void)state;
	assert_non_null(file);
	fclose(file);
	assert_program("test", "./test");
	assert_program("/usr/bin/test", "/usr/bin/test");
	assert_program("../test", "../test");
}

static void a_folder_is_no_build(void **state)
{
	(void)state;
	assert_int_equal(mkdir("test", 0700), 0);
	assert_program("test", "test");
	assert_program("none", "none");
}

static void arguments_follow_the_build(void **state)
{
	char first[] = "a b";
	char second[] = "";
	char *const arguments[] = {first, second, NULL};
	char **made = build_arguments("./new", arguments);

	(void)state;
	assert_non_null(made);
	assert_string_equal(made[0], "./new");
	assert_ptr_equal(made[1], first);
	assert_ptr_equal(made[2], second);
	assert_null(made[3]);
	build_arguments_free(made);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_of_the_current_folder_precedes_path,
						folder_enter, folder_leave),
		cmocka_unit_test_setup_teardown(a_folder_is_no_build, folder_enter, folder_leave),
		cmocka_unit_test(arguments_follow_the_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
