/* SPDX-License-Identifier: BSD-2-Clause */
/* What has left the kernel's tables, by what is told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "breakdown.h"
#include "told.h"

enum {
	ROOM = 16384,
	WAIT_NS = 2000000,
	BAND = 10,
};

static struct told_list left;
static uint64_t unnamed;

static int reset(void **state)
{
	(void)state;
	told_done(&left);
	left = (struct told_list){0};
	unnamed = 0;
	return 0;
}

static struct cause_key file_in(uint8_t band)
{
	return (struct cause_key){
		.address = TOLD_BY_NAME, .probe = 1, .band = band, .time_class = CLASS_DISK};
}

/* So many elements of the kernel's table, of as many files, of one wait each. */
static void leave(const char *name, size_t count, uint8_t band)
{
	const struct cause_key key = file_in(band);
	const struct cause one = {.ns = WAIT_NS, .waits = 1, .spans = 1};

	for (size_t i = 0; i < count; i++)
		assert_int_equal(told_add_cause(&left, &key, name, &one), 0);
}

static int note(const struct told *told, void *arg)
{
	(void)arg;
	unnamed += told->sum.waits;
	return 0;
}

static void trim(void)
{
	told_join(&left);
	assert_int_equal(told_trim(&left, ROOM, true, note, NULL), 0);
}

static const struct told *find(const char *name)
{
	for (size_t i = 0; i < left.size; i++)
		if (left.items[i].name && strcmp(left.items[i].name, name) == 0)
			return &left.items[i];
	return NULL;
}

/* Each took a 4097th part of what spans of this length waited for. */
static void what_is_many_to_the_kernel_is_weighed_as_one(void **state)
{
	(void)state;
	leave("journal", ROOM / 4 + 1, BAND);
	trim();
	assert_int_equal(left.size, 1);
	assert_int_equal(left.items[0].sum.waits, ROOM / 4 + 1);
	assert_int_equal(left.items[0].sum.ns, (ROOM / 4 + 1ull) * WAIT_NS);
	assert_int_equal(unnamed, 0);
}

static void it_is_told_beside_many_that_are_light(void **state)
{
	char name[32];

	(void)state;
	for (unsigned int round = 0; round < 10; round++) {
		leave("journal", 2000, BAND);
		leave(NULL, 100, BAND);
		for (unsigned int i = 0; i < 3000; i++) {
			snprintf(name, sizeof(name), "file %u of %u", i, round);
			leave(name, 1, BAND);
		}
		trim();
		assert_true(left.size <= ROOM / 4);
	}
	assert_int_equal(find("journal")->sum.waits, 20000);
	for (size_t i = 0; i < left.size; i++)
		if (!left.items[i].name)
			assert_int_equal(left.items[i].sum.waits, 1000);
	assert_true(unnamed > 0);
}

static void what_leaves_leaves_as_a_whole_and_is_counted(void **state)
{
	uint64_t told = 0;
	char name[32];

	(void)state;
	for (unsigned int i = 0; i < ROOM; i++) {
		snprintf(name, sizeof(name), "file %u", i % (ROOM / 2));
		leave(name, 1, BAND);
	}
	trim();
	for (size_t i = 0; i < left.size; i++) {
		assert_int_equal(left.items[i].sum.waits, 2);
		told += left.items[i].sum.waits;
	}
	assert_true(unnamed > 0);
	assert_int_equal(told + unnamed, ROOM);
}

static void names_and_keys_are_told_apart(void **state)
{
	(void)state;
	leave("a", 3, BAND);
	leave("b", 2, BAND);
	leave("a", 1, BAND + 1);
	leave(NULL, 4, BAND);
	leave("a", 1, BAND);
	trim();
	assert_int_equal(left.size, 4);
}

/* Of holders that write such files all is told but for the files. */
static void what_holders_did_is_told_by_lock_and_thread(void **state)
{
	const struct holding one = {.ns = WAIT_NS, .count = 1};
	struct holding_key key = {.lock = 1, .tid = 1, .time_class = CLASS_DISK};

	(void)state;
	for (uint32_t i = 0; i < ROOM; i++) {
		key.tid = 1 + i % 2;
		assert_int_equal(told_add_holding(&left, &key, &one), 0);
	}
	for (key.tid = 3; key.tid < ROOM; key.tid++)
		assert_int_equal(told_add_holding(&left, &key, &one), 0);
	told_join(&left);
	assert_int_equal(told_trim(&left, ROOM, false, note, NULL), 0);
	assert_int_equal(left.size, ROOM / 2);
	assert_int_equal(unnamed, ROOM - 1 - ROOM / 2);
	for (size_t i = 0; i < left.size; i++)
		assert_int_equal(left.items[i].sum.waits,
				 left.items[i].key.holding.tid < 3 ? ROOM / 2 : 1);
}

/* ---- intervals ---- */

/* As a snapshot has them: what has left, and what is in the kernel's table. */
static void read_row(struct probekit_probe *row, size_t in_table)
{
	struct probekit_wait wait = {.exponent = -9,
				     .time_class = PROBEKIT_CLASS_DISK,
				     .object = "journal",
				     .time_ns = WAIT_NS,
				     .count = 1,
				     .spans = 1};

	for (size_t i = 0; i < in_table; i++)
		assert_int_equal(breakdown_add_wait(row, &wait), 0);
	for (size_t i = 0; i < left.size; i++) {
		wait.time_ns = left.items[i].sum.ns;
		wait.count = left.items[i].sum.waits;
		wait.spans = left.items[i].sum.spans;
		assert_int_equal(breakdown_add_wait(row, &wait), 0);
	}
	breakdown_join_waits(row);
}

static void an_interval_is_what_came_in_it_when_others_have_left(void **state)
{
	struct probekit_probe before = {0};
	struct probekit_probe now = {0};

	(void)state;
	read_row(&before, 4000);
	leave("journal", 2000, BAND);
	trim();
	read_row(&now, 2000 + 50);
	breakdown_subtract(&now, &before);
	assert_int_equal(now.wait_count, 1);
	assert_int_equal(now.waits[0].count, 50);
	assert_int_equal(now.waits[0].spans, 50);
	assert_int_equal(now.waits[0].time_ns, 100000000);
	breakdown_done(&now);
	breakdown_done(&before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, reset)
	const struct CMUnitTest tests[] = {
		TEST(what_is_many_to_the_kernel_is_weighed_as_one),
		TEST(it_is_told_beside_many_that_are_light),
		TEST(what_leaves_leaves_as_a_whole_and_is_counted),
		TEST(names_and_keys_are_told_apart),
		TEST(what_holders_did_is_told_by_lock_and_thread),
		TEST(an_interval_is_what_came_in_it_when_others_have_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
