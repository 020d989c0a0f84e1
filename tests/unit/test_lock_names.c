/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of variables at addresses of this very process. */
#include "lock_names.h"

#include <gnu/libc-version.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "process.h"

/* One in .data, one in .bss, and one far into .bss, where memory is anonymous. */
long lock_in_data[4] = {1};
long lock_in_bss[4];
char room_in_bss[1 << 20];
long lock_far_away[4];

struct fixture {
	struct proc_maps maps;
	struct objects objects;
};

static int set_up(void **state)
{
	static struct fixture fixture;
	struct object *object;
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length < 0)
		return -1;
	path[length] = '\0';
	*state = &fixture;
	return process_read_maps(getpid(), &fixture.maps, NULL) ||
	       object_open(path, -1, &object, NULL) || objects_add(&fixture.objects, object) < 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	proc_maps_done(&fixture->maps);
	objects_done(&fixture->objects);
	return 0;
}

static void assert_named(const struct fixture *fixture, const void *at, const char *expected)
{
	char *symbol;
	char *place;

	assert_int_equal(
		lock_name(&fixture->maps, &fixture->objects, (uintptr_t)at, &symbol, &place), 0);
	assert_non_null(place);
	assert_int_equal(strncmp(place, "test_lock_names+0x", 18), 0);
	if (!symbol || strcmp(symbol, expected) != 0)
		fail_msg("'%s' (%s) is not '%s'", symbol ? symbol : "nothing", place, expected);
	free(symbol);
	free(place);
}

static void variables_are_named_wherever_they_lie(void **state)
{
	assert_named(*state, lock_in_data, "lock_in_data");
	assert_named(*state, lock_in_bss, "lock_in_bss");
	assert_named(*state, lock_far_away, "lock_far_away");
}

static void the_inside_of_a_variable_is_told_by_its_offset(void **state)
{
	assert_named(*state, &lock_in_data[1], "lock_in_data+8");
	assert_named(*state, &room_in_bss[70000], "room_in_bss+70000");
}

static void all_words_of_an_object_are_of_where_it_begins(void **state)
{
	(void)state;
	/* of a pthread_cond_t: its groups' sleepers, and who waits that they have left */
	assert_int_equal(lock_object(0x1000 + 40, "condvar", 0, false), 0x1000);
	assert_int_equal(lock_object(0x1000 + 44, "condvar", 0, false), 0x1000);
	assert_int_equal(lock_object(0x1000 + 16, "condvar", 3, false), 0x1000);
	assert_int_equal(lock_object(0x1000 + 20, "condvar", 5, false), 0x1000);
	/* of one since glibc 2.41: sleepers alone, whatever the value */
	assert_int_equal(lock_object(0x1000 + 32, "condvar", 0, true), 0x1000);
	assert_int_equal(lock_object(0x1000 + 36, "condvar", 5, true), 0x1000);
	/* of a pthread_rwlock_t: readers and writers, and readers that let writers pass */
	assert_int_equal(lock_object(0x1000 + 8, "rwlock", 2, false), 0x1000);
	assert_int_equal(lock_object(0x1000 + 12, "rwlock", 1, false), 0x1000);
	assert_int_equal(lock_object(0x1000, "rwlock", 24, false), 0x1000);
	assert_int_equal(lock_object(0x1004, "mutex", 2, false), 0x1004);
}

static void the_layout_is_that_of_the_C_library(void **state)
{
	const struct fixture *fixture = *state;
	struct objects objects = {0};
	struct object *object;
	int major;
	int minor;

	assert_int_equal(sscanf(gnu_get_libc_version(), "%d.%d", &major, &minor), 2);
	assert_false(lock_has_new_condvars(&fixture->maps, &objects));
	for (size_t i = 0; i < fixture->maps.size; i++) {
		const char *path = fixture->maps.maps[i].path;

		if (!strstr(path, "/libc.so.6"))
			continue;
		assert_int_equal(object_open(path, -1, &object, NULL), 0);
		assert_true(objects_add(&objects, object) >= 0);
		break;
	}
	assert_int_equal(objects.size, 1);
	assert_int_equal(lock_has_new_condvars(&fixture->maps, &objects), minor >= 41);
	objects_done(&objects);
}

static void what_is_no_variable_has_no_name(void **state)
{
	const struct fixture *fixture = *state;
	void *heap = malloc(64);
	char *symbol;
	char *place;

	assert_non_null(heap);
	assert_int_equal(
		lock_name(&fixture->maps, &fixture->objects, (uintptr_t)heap, &symbol, &place), 0);
	assert_null(symbol);
	free(place);
	free(heap);
	assert_int_equal(lock_name(&fixture->maps, &fixture->objects, 16, &symbol, &place), 0);
	assert_null(symbol);
	assert_null(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_are_named_wherever_they_lie),
		cmocka_unit_test(the_inside_of_a_variable_is_told_by_its_offset),
		cmocka_unit_test(all_words_of_an_object_are_of_where_it_begins),
		cmocka_unit_test(the_layout_is_that_of_the_C_library),
		cmocka_unit_test(what_is_no_variable_has_no_name),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
