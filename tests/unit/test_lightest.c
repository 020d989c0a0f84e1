/* SPDX-License-Identifier: BSD-2-Clause */
/* What leaves full tables of the kernel: a long measurement, in which a cause that matters comes late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lightest.h"

enum {
	ROOM = 1024,
	LOOKS = 100,
	NEW_PER_LOOK = 200,
	LIGHT_NS = 100000, /* of each that comes and goes */
	FAST_BAND = 10,
	SLOW_BAND = 20,
};

/* A table, as the kernel's programs fill it. */
static struct table_entry entries[ROOM];
static size_t entry_count;
static double charged;
static double found_no_room;
static double left;

static int reset(void **state)
{
	(void)state;
	entry_count = 0;
	charged = found_no_room = left = 0;
	return 0;
}

static struct table_entry *find(const struct cause_key *key)
{
	for (size_t i = 0; i < entry_count; i++)
		if (memcmp(&entries[i].key.cause, key, sizeof(*key)) == 0)
			return &entries[i];
	return NULL;
}

static void charge(const struct cause_key *key, double ns)
{
	struct table_entry *entry = find(key);

	charged += ns;
	if (!entry && entry_count == ROOM) {
		found_no_room += ns;
		return;
	}
	if (!entry) {
		entry = &entries[entry_count++];
		*entry = (struct table_entry){.key.cause = *key};
	}
	entry->weight += ns;
}

/* Works on a copy, as its weights become shares. */
static void look(void)
{
	static struct table_entry ordered[ROOM];
	size_t leaving;

	memcpy(ordered, entries, sizeof(ordered));
	leaving = lightest_to_leave(ordered, entry_count, ROOM, true);
	for (size_t i = 0; i < leaving; i++) {
		struct table_entry *entry = find(&ordered[i].key.cause);

		assert_non_null(entry);
		left += entry->weight;
		*entry = entries[--entry_count];
	}
}

static struct cause_key file(uint64_t id, uint8_t band)
{
	return (struct cause_key){
		.address = id, .probe = 1, .band = band, .time_class = CLASS_DISK};
}

static struct cause_key waker(uint32_t pid)
{
	return (struct cause_key){
		.pid = pid, .probe = 1, .band = FAST_BAND, .time_class = CLASS_IPC};
}

static double told(const struct cause_key *key)
{
	const struct table_entry *entry = find(key);

	return entry ? entry->weight : 0;
}

/* What is told, what has left, and what never got in are all that was charged. */
static void assert_sums_close(void)
{
	double sum = left + found_no_room;

	for (size_t i = 0; i < entry_count; i++)
		sum += entries[i].weight;
	assert_true(sum == charged);
}

/* Files and processes without end; from half of the time on one file takes most of all. */
static void what_comes_late_and_heavy_is_told(void **state)
{
	const struct cause_key heavy = file(1, FAST_BAND);
	double heavy_ns = 0;

	(void)state;
	for (uint32_t i = 0; i < LOOKS; i++) {
		for (uint32_t k = 0; k < NEW_PER_LOOK; k++) {
			struct cause_key key = k % 2 ? file(1000 + i * NEW_PER_LOOK + k, FAST_BAND)
						     : waker(1000 + i * NEW_PER_LOOK + k);

			charge(&key, LIGHT_NS);
		}
		if (i >= LOOKS / 2) {
			charge(&heavy, 5 * LIGHT_NS);
			heavy_ns += 5 * LIGHT_NS;
		}
		look();
	}
	assert_true(left > 0);
	assert_true(found_no_room == 0);
	assert_true(told(&heavy) == heavy_ns);
	assert_sums_close();
}

/* All that many fast spans waited for took longer than the one wait of the slow span. */
static void what_slow_spans_waited_for_is_not_light(void **state)
{
	const struct cause_key slow = file(1, SLOW_BAND);

	(void)state;
	charge(&slow, LIGHT_NS);
	for (uint32_t i = 0; i < LOOKS; i++) {
		for (uint32_t k = 0; k < NEW_PER_LOOK; k++) {
			struct cause_key key = file(1000 + i * NEW_PER_LOOK + k, FAST_BAND);

			charge(&key, 50 * LIGHT_NS);
		}
		look();
	}
	assert_true(left > 0);
	assert_true(told(&slow) == LIGHT_NS);
	assert_sums_close();
}

/* And what does not fit at once is counted, and the next look makes room. */
static void a_flood_leaves_room_for_what_follows(void **state)
{
	const struct cause_key late = file(1, FAST_BAND);

	(void)state;
	for (uint32_t k = 0; k < 4 * ROOM; k++) {
		struct cause_key key = waker(1000 + k);

		charge(&key, LIGHT_NS);
	}
	assert_true(found_no_room > 0);
	look();
	assert_true(entry_count == ROOM / 8);
	charge(&late, LIGHT_NS);
	assert_true(told(&late) == LIGHT_NS);
	assert_sums_close();
}

static void nothing_leaves_while_there_is_room(void **state)
{
	(void)state;
	for (uint32_t k = 0; k < ROOM / 4; k++) {
		struct cause_key key = waker(1000 + k);

		charge(&key, k);
		look();
	}
	assert_true(left == 0);
	assert_sums_close();
}

/* Few of each of many probes. */
static void reasons_stay_until_the_table_fills_up(void **state)
{
	(void)state;
	for (uint32_t k = 0; k < ROOM; k++) {
		struct cause_key key = waker(1000 + k);

		key.probe = (uint16_t)(k / 4);
		charge(&key, LIGHT_NS * (1 + k % 4));
		if (k == ROOM - ROOM / 4 - 1) {
			look();
			assert_true(left == 0);
		}
	}
	look();
	assert_true(entry_count == ROOM / 2);
	for (size_t i = 0; i < entry_count; i++)
		assert_true(entries[i].weight > 2 * LIGHT_NS);
	assert_sums_close();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, reset)
	const struct CMUnitTest tests[] = {
		TEST(what_comes_late_and_heavy_is_told),
		TEST(what_slow_spans_waited_for_is_not_light),
		TEST(a_flood_leaves_room_for_what_follows),
		TEST(nothing_leaves_while_there_is_room),
		TEST(reasons_stay_until_the_table_fills_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
