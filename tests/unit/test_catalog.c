/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions in catalogs, by the public header alone. */
#include <probekit/probekit.h>

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "victim.h"

static struct probekit_catalog *open_program(const char *name)
{
	struct probekit_catalog *catalog;
	struct probekit_error err;
	char path[PATH_MAX];

	victim_program_path(name, path, sizeof(path));
	if (probekit_catalog_open_path(path, &catalog, &err))
		fail_msg("%s", err.text);
	return catalog;
}

static void a_catalog_without_probes_is_empty(void **state)
{
	struct probekit_catalog *catalog = open_program("functions_O3");
	struct probekit_error err;

	(void)state;
	assert_int_equal(probekit_catalog_size(catalog), 0);
	assert_int_equal(probekit_catalog_require(catalog, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no probekit span"));
	probekit_catalog_free(catalog);
}

static void functions_are_added_once(void **state)
{
	struct probekit_catalog *catalog = open_program("functions_cpp_O3");
	const struct probekit_catalog_entry *entry;

	(void)state;
	assert_int_equal(probekit_catalog_add_functions(catalog, "shop::Cart::add", NULL), 0);
	assert_int_equal(probekit_catalog_size(catalog), 2);
	assert_int_equal(probekit_catalog_add_functions(catalog, "shop::Cart::*(long)", NULL), 0);
	assert_int_equal(probekit_catalog_size(catalog), 2);
	assert_int_equal(probekit_catalog_require(catalog, NULL), 0);
	entry = probekit_catalog_entry(catalog, 1);
	assert_string_equal(entry->name, "shop::Cart::add(long)");
	assert_int_equal(entry->kind, PROBEKIT_CATALOG_FUNCTION);
	assert_int_equal(entry->sites, 1);
	assert_true(entry->by_exits);
	assert_true(entry->end_sites >= 1);
	assert_true(entry->size_bytes > 0);
	assert_non_null(probekit_cost_name(entry->cost));
	probekit_catalog_free(catalog);
}

static void what_is_not_there_is_an_error_that_helps(void **state)
{
	struct probekit_catalog *catalog = open_program("functions_O3");
	struct probekit_error err;

	(void)state;
	assert_int_equal(probekit_catalog_add_functions(catalog, "frist_caller", &err), -ENOENT);
	assert_non_null(strstr(err.text, "'frist_caller'"));
	assert_non_null(strstr(err.hint, "first_caller"));
	assert_int_equal(probekit_catalog_add_functions(catalog, "libx:work", &err), -ENOENT);
	assert_non_null(strstr(err.text, "'libx'"));
	assert_int_equal(probekit_catalog_add_functions(catalog, "", &err), -EINVAL);
	assert_int_equal(probekit_catalog_size(catalog), 0);
	assert_int_equal(probekit_catalog_add_functions(catalog, "functions_*:work", &err), 0);
	assert_int_equal(probekit_catalog_size(catalog), 1);
	probekit_catalog_free(catalog);
}

static void functions_of_a_process_and_its_libraries_are_found(void **state)
{
	struct probekit_catalog *catalog;
	struct probekit_error err;
	const struct probekit_catalog_entry *last;

	(void)state;
	if (probekit_catalog_open_pid(getpid(), &catalog, &err))
		fail_msg("%s", err.text);
	assert_int_equal(probekit_catalog_add_functions(catalog, "functions_of_a_process_*", &err),
			 0);
	assert_int_equal(probekit_catalog_add_functions(catalog, "c:getppid", &err), 0);
	last = probekit_catalog_entry(catalog, probekit_catalog_size(catalog) - 1);
	assert_string_equal(last->name, "getppid");
	assert_non_null(strstr(last->object, "libc"));
	assert_int_equal(probekit_catalog_add_functions(catalog, "libnot:x", &err), -ENOENT);
	probekit_catalog_free(catalog);
}

static void costs_have_names(void **state)
{
	(void)state;
	assert_string_equal(probekit_cost_name(PROBEKIT_COST_EMULATED), "emulated");
	assert_string_equal(probekit_cost_name(PROBEKIT_COST_STEPPED), "stepped");
	assert_string_equal(probekit_cost_name(PROBEKIT_COST_OPTIMISED), "optimised");
	assert_null(probekit_cost_name(PROBEKIT_COST_UNKNOWN));
	assert_null(probekit_cost_name((enum probekit_cost)99));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_catalog_without_probes_is_empty),
		cmocka_unit_test(functions_are_added_once),
		cmocka_unit_test(what_is_not_there_is_an_error_that_helps),
		cmocka_unit_test(functions_of_a_process_and_its_libraries_are_found),
		cmocka_unit_test(costs_have_names),
	};

	return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
