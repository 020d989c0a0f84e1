/* SPDX-License-Identifier: BSD-2-Clause */
/* What spans waited for, as a whole and of an interval. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "breakdown.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DISK_WAIT(name, ns, waits_)                                                   \
	{                                                                             \
		.exponent = -9, .time_class = PROBEKIT_CLASS_DISK, .syscall = "read", \
		.object = name, .direction = "read", .time_ns = ns, .count = waits_,  \
		.spans = waits_,                                                      \
	}

static struct probekit_probe now;
static struct probekit_probe before;

static int release(void **state)
{
	(void)state;
	breakdown_done(&now);
	breakdown_done(&before);
	now = before = (struct probekit_probe){0};
	return 0;
}

static void add(struct probekit_probe *probe, const struct probekit_wait *waits, size_t size)
{
	for (size_t i = 0; i < size; i++)
		assert_int_equal(breakdown_add_wait(probe, &waits[i]), 0);
	breakdown_join_waits(probe);
}

static void assert_wait(size_t i, const char *object, uint64_t ns, uint64_t count)
{
	const struct probekit_wait *wait = &now.waits[i];

	assert_true(i < now.wait_count);
	if (object)
		assert_string_equal(wait->object, object);
	else
		assert_null(wait->object);
	assert_true(wait->time_ns == ns);
	assert_true(wait->count == count);
	assert_true(wait->spans == count);
}

static void files_of_one_name_are_told_once(void **state)
{
	static const struct probekit_wait waits[] = {
		DISK_WAIT("/tmp/x", 10, 1), DISK_WAIT(NULL, 3, 1),     DISK_WAIT("/tmp/y", 7, 2),
		DISK_WAIT("/tmp/x", 20, 4), DISK_WAIT("/tmp/x", 5, 1), DISK_WAIT(NULL, 1, 1),
	};

	(void)state;
	add(&now, waits, COUNT(waits));
	breakdown_sort_waits(&now);
	assert_int_equal(now.wait_count, 3);
	assert_wait(0, "/tmp/x", 35, 6);
	assert_wait(1, "/tmp/y", 7, 2);
	assert_wait(2, NULL, 4, 2);
}

/* Each of two files of one name was taken off what both have had. */
static void of_an_interval_files_of_one_name_are_what_they_have_more(void **state)
{
	static const struct probekit_wait then[] = {
		DISK_WAIT("/tmp/x", 10, 1), DISK_WAIT("/tmp/x", 20, 2), DISK_WAIT("/tmp/y", 7, 2)};
	static const struct probekit_wait waits[] = {
		DISK_WAIT("/tmp/x", 11, 2), DISK_WAIT("/tmp/y", 7, 2), DISK_WAIT("/tmp/x", 24, 3)};

	(void)state;
	add(&before, then, COUNT(then));
	add(&now, waits, COUNT(waits));
	breakdown_subtract(&now, &before);
	assert_int_equal(now.wait_count, 1);
	assert_wait(0, "/tmp/x", 5, 2);
}

static void what_is_less_than_it_was_began_anew(void **state)
{
	static const struct probekit_wait then[] = {DISK_WAIT("/tmp/x", 100, 10),
						    DISK_WAIT("/tmp/gone", 50, 5)};
	static const struct probekit_wait waits[] = {DISK_WAIT("/tmp/x", 30, 3)};

	(void)state;
	add(&before, then, COUNT(then));
	add(&now, waits, COUNT(waits));
	breakdown_subtract(&now, &before);
	assert_int_equal(now.wait_count, 1);
	assert_wait(0, "/tmp/x", 30, 3);
}

/* Also where it is more than it was. */
static void what_was_forgotten_and_came_again_begins_anew(void **state)
{
	static const struct probekit_wait then[] = {
		DISK_WAIT("/tmp/x", 20, 2), DISK_WAIT("/tmp/y", 7, 2), DISK_WAIT("/tmp/z", 5, 1)};
	static const struct probekit_wait waits[] = {
		DISK_WAIT("/tmp/x", 30, 3), DISK_WAIT("/tmp/y", 8, 3), DISK_WAIT("/tmp/z", 5, 1)};
	static const struct probekit_wait gone[] = {DISK_WAIT("/tmp/x", 25, 3),
						    DISK_WAIT("/tmp/unknown", 9, 9)};

	(void)state;
	add(&before, then, COUNT(then));
	add(&now, waits, COUNT(waits));
	for (size_t i = 0; i < COUNT(gone); i++)
		breakdown_forget_wait(&before, &gone[i]);
	breakdown_subtract(&now, &before);
	breakdown_sort_waits(&now);
	assert_int_equal(now.wait_count, 2);
	assert_wait(0, "/tmp/x", 30, 3);
	assert_wait(1, "/tmp/y", 1, 1);
}

/* As of a lock of two words one may leave. */
static void what_has_left_in_part_has_what_stays(void **state)
{
	static const struct probekit_wait then[] = {DISK_WAIT("/tmp/x", 100, 10)};
	static const struct probekit_wait waits[] = {DISK_WAIT("/tmp/x", 97, 11)};
	static const struct probekit_wait gone = DISK_WAIT("/tmp/x", 5, 1);

	(void)state;
	add(&before, then, COUNT(then));
	add(&now, waits, COUNT(waits));
	breakdown_forget_wait(&before, &gone);
	breakdown_subtract(&now, &before);
	assert_int_equal(now.wait_count, 1);
	assert_wait(0, "/tmp/x", 2, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, release)
	const struct CMUnitTest tests[] = {
		TEST(files_of_one_name_are_told_once),
		TEST(of_an_interval_files_of_one_name_are_what_they_have_more),
		TEST(what_is_less_than_it_was_began_anew),
		TEST(what_was_forgotten_and_came_again_begins_anew),
		TEST(what_has_left_in_part_has_what_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
