/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of why a probe changed: distributions of all runs, and classes of time. */
#include "whys.h"

/* ---- distributions ---- */

static void set_buckets(struct probekit_snapshot *run, int32_t scale, int32_t index, uint64_t count)
{
	struct probekit_histogram *h = &run->probes[0].histogram;

	h->scale = scale;
	h->size = 1;
	h->index = zeroed(1, sizeof(*h->index));
	h->count = zeroed(1, sizeof(*h->count));
	h->index[0] = index;
	h->count[0] = count;
}

/* Also over those that tell nothing else. */
static void distributions_are_joined_over_all_runs(void **state)
{
	(void)state;
	whys_begin(3);
	set_buckets(whys.base[0], 6, -640, 5);
	set_buckets(whys.base[1], 6, -640, 7);
	set_buckets(whys.base[2], 6, -600, 1);
	set_buckets(whys.head[0], 6, -639, 2);
	set_buckets(whys.head[1], 5, -320, 3); /* the same two buckets, joined */
	set_buckets(whys.head[2], 6, -640, 4);
	for (size_t i = 0; i < whys.pairs; i++) {
		spend(whys.base[i], PROBEKIT_CLASS_LOCK, MS);
		whys.head[i]->probes[0].has_time = false;
	}
	explain_tails();
	whys_ask();
	assert_int_equal(whys.why.class_count, 0);
	assert_int_equal(whys.why.cause_count, 0);
	assert_int_equal(whys.why.base.scale, 6);
	assert_int_equal(whys.why.base.size, 2);
	assert_int_equal(whys.why.base.index[0], -640);
	assert_int_equal(whys.why.base.count[0], 12);
	assert_int_equal(whys.why.base.count[1], 1);
	assert_int_equal(whys.why.head.scale, 5);
	assert_int_equal(whys.why.head.size, 1);
	assert_int_equal(whys.why.head.index[0], -320);
	assert_int_equal(whys.why.head.count[0], 9);
}

/* ---- classes ---- */

static void classes_are_compared_per_span(void **state)
{
	(void)state;
	whys_begin(2);
	for (size_t i = 0; i < whys.pairs; i++) {
		whys.head[i]->probes[0].count = 5 * SPANS;
		spend(whys.base[i], PROBEKIT_CLASS_ONCPU, 2 * MS);
		spend(whys.head[i], PROBEKIT_CLASS_ONCPU, 2.5 * MS);
		spend(whys.base[i], PROBEKIT_CLASS_LOCK, (double)(i + 1) * MS);
		spend(whys.head[i], PROBEKIT_CLASS_LOCK, (double)(i + 4) * MS);
		spend(whys.base[i], PROBEKIT_CLASS_DISK, MS);
	}
	whys_ask();
	assert_int_equal(whys.why.class_count, 3);
	assert_class(0, PROBEKIT_CLASS_LOCK, 1.5 * MS, 4.5 * MS);
	assert_class(1, PROBEKIT_CLASS_DISK, MS, 0);
	assert_class(2, PROBEKIT_CLASS_ONCPU, 2 * MS, 2.5 * MS);
}

/* Of three degrees of freedom, 95 % lie within 3.182: differences of 1, 2, 3 and 4 have 3.87, of 1,
 * 2, 3 and 6 have 2.78. */
static void difference_is_certain_beyond_what_t_allows(void **state)
{
	static const double differences[] = {1, 2, 3, 6};

	(void)state;
	whys_begin(4);
	for (size_t i = 0; i < whys.pairs; i++) {
		/* the spread of what both have in common is no matter */
		double common = (double)(i * i * 10 + 10) * MS;

		spend(whys.base[i], PROBEKIT_CLASS_LOCK, common);
		spend(whys.head[i], PROBEKIT_CLASS_LOCK, common + (double)(i + 1) * MS);
		spend(whys.base[i], PROBEKIT_CLASS_DISK, common + differences[i] * MS);
		spend(whys.head[i], PROBEKIT_CLASS_DISK, common);
	}
	whys_ask();
	assert_int_equal(whys.why.class_count, 2);
	assert_class(0, PROBEKIT_CLASS_DISK, 48 * MS, 45 * MS);
	assert_false(whys.why.classes[0].is_certain);
	assert_class(1, PROBEKIT_CLASS_LOCK, 45 * MS, 47.5 * MS);
	assert_true(whys.why.classes[1].is_certain);
}

static void pairs_that_do_not_tell_are_left_out(void **state)
{
	(void)state;
	whys_begin(4);
	for (size_t i = 0; i < whys.pairs; i++) {
		spend(whys.base[i], PROBEKIT_CLASS_LOCK, i == 0 ? MS : 100 * MS);
		wait_in(whys.head[i], lock_wait(0x10, "log_mutex", "web+0x10"),
			i == 0 ? 3 * MS : 500 * MS);
	}
	explain_tails();
	whys.base[1]->probes[0].has_time = false;
	whys.head[2]->probes[0].count = 0;
	whys.head[3]->probes[0].has_time = false;
	whys_ask();
	assert_int_equal(whys.why.class_count, 1);
	assert_class(0, PROBEKIT_CLASS_LOCK, MS, 3 * MS);
	assert_int_equal(whys.why.cause_count, 2);
	assert_cause(0, 0, 3 * MS);
	assert_cause(1, MS, 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, whys_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(distributions_are_joined_over_all_runs),
		TEST(classes_are_compared_per_span),
		TEST(difference_is_certain_beyond_what_t_allows),
		TEST(pairs_that_do_not_tell_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
