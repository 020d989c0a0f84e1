/* SPDX-License-Identifier: BSD-2-Clause */
/* Which spans are the slow ones, and what made them slow. */
#include "samples.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "breakdown.h"

#define US 1000.0
#define MS 1e6

/* All time of all bands is on-CPU, but for what waits say. */
static void finish(struct samples *s)
{
	struct probekit_probe *probe = &s->probe;
	static struct row_sums sums;
	uint64_t counts[BUCKET_OCTAVES];
	int32_t first;
	size_t n;

	assert_int_equal(samples_finish(s), 0);
	sums = (struct row_sums){0};
	n = probekit_probe_bands(probe, &first, counts, BUCKET_OCTAVES);
	for (size_t i = 0; i < n; i++)
		sums.bands[(size_t)(first + BUCKET_SECONDS_EXPONENT) + i][CLASS_ONCPU] = counts[i];
	assert_int_equal(breakdown_from_row(&sums, probe), 0);
}

static void add_mode(struct samples *s, double ns, int count)
{
	for (int i = 0; i < count; i++)
		samples_add(s, samples_log_normal(s, ns, 0.1));
}

static uint64_t tail_count(struct samples *s)
{
	struct probekit_tail tail;

	assert_true(probekit_probe_tail(&s->probe, &tail));
	assert_int_equal(tail.from_ns, llround(ldexp(1e9, tail.exponent)));
	return tail.count;
}

static void of_one_mode_the_tail_is_the_slowest_hundredth(void **state)
{
	static struct samples s;

	(void)state;
	samples_init(&s, PROBEKIT_KIND_SPAN, 1);
	for (int i = 0; i < 10000; i++)
		samples_add(&s, samples_log_normal(&s, 10 * US, 0.2)); /* p99 is 15.9 us */
	finish(&s);
	assert_true(tail_count(&s) >= 100);
	assert_true(tail_count(&s) <= 300);
	breakdown_done(&s.probe);
	samples_done(&s);
}

static void of_two_modes_it_is_the_second(void **state)
{
	static struct samples s;

	(void)state;
	samples_init(&s, PROBEKIT_KIND_SPAN, 2);
	add_mode(&s, 10 * US, 9500);
	add_mode(&s, 3 * MS, 500);
	finish(&s);
	assert_int_equal(tail_count(&s), 500);
	breakdown_done(&s.probe);
	samples_done(&s);
}

static void of_three_it_begins_behind_the_widest_step(void **state)
{
	static struct samples s;

	(void)state;
	samples_init(&s, PROBEKIT_KIND_SPAN, 3);
	add_mode(&s, 10 * US, 9000);
	add_mode(&s, 3 * MS, 800);
	add_mode(&s, 30 * MS, 200);
	finish(&s);
	assert_int_equal(tail_count(&s), 1000);
	breakdown_done(&s.probe);
	samples_done(&s);

	samples_init(&s, PROBEKIT_KIND_SPAN, 4);
	add_mode(&s, 10 * US, 5000);
	add_mode(&s, 100 * US, 4500);
	add_mode(&s, 30 * MS, 500);
	finish(&s);
	assert_int_equal(tail_count(&s), 500);
	breakdown_done(&s.probe);
	samples_done(&s);
}

static void causes_of_the_tail_add_up_to_its_time(void **state)
{
	static struct samples s;
	struct probekit_wait waits[] = {
		{-9, PROBEKIT_CLASS_LOCK, "futex", 7, 0x10, "pool", "a+0x10", 100, 2, 2},
		{-8, PROBEKIT_CLASS_LOCK, "futex", 8, 0x20, "pool", "a+0x10", 50, 1, 1},
		{-9, PROBEKIT_CLASS_LOCK, "futex", 7, 0x30, NULL, NULL, 70, 1, 1},
		{-9, PROBEKIT_CLASS_LOCK, "futex", 8, 0x30, NULL, NULL, 20, 1, 1},
		{-17, PROBEKIT_CLASS_LOCK, "futex", 7, 0x10, "pool", "a+0x10", 9, 1, 1},
	};
	struct probekit_cause *causes;
	struct probekit_tail tail;
	uint64_t sum = 0;
	size_t size;

	(void)state;
	samples_init(&s, PROBEKIT_KIND_SPAN, 5);
	add_mode(&s, 10 * US, 9500);
	add_mode(&s, 3 * MS, 500);
	finish(&s);
	for (size_t i = 0; i < s.probe.band_count; i++)
		if (s.probe.bands[i].exponent == -9)
			s.probe.bands[i].time_ns[PROBEKIT_CLASS_LOCK] = 300;
	assert_true(probekit_probe_tail(&s.probe, &tail));
	s.probe.waits = waits;
	s.probe.wait_count = sizeof(waits) / sizeof(waits[0]);
	assert_int_equal(probekit_probe_causes(&s.probe, &causes, &size), 0);
	for (size_t i = 0; i < size; i++)
		sum += causes[i].time_ns;
	assert_int_equal(sum, tail.time_ns[PROBEKIT_CLASS_ONCPU] + 300);
	/* on-CPU; the named lock, in both processes; 60 of the class without a cause; two locks at one
	 * address of two processes */
	assert_int_equal(size, 5);
	assert_int_equal(causes[0].time_class, PROBEKIT_CLASS_ONCPU);
	assert_int_equal(causes[0].count, 0);
	assert_string_equal(causes[1].symbol, "pool");
	assert_int_equal(causes[1].time_ns, 150);
	assert_int_equal(causes[1].spans, 3);
	assert_int_equal(causes[2].time_ns, 70);
	assert_int_equal(causes[3].time_ns, 60);
	assert_int_equal(causes[3].count, 0);
	assert_int_equal(causes[4].pid, 8);
	free(causes);
	s.probe.waits = NULL;
	s.probe.wait_count = 0;
	breakdown_done(&s.probe);
	samples_done(&s);
}

static void without_a_breakdown_there_is_no_tail(void **state)
{
	static struct samples s;
	struct probekit_cause *causes;
	struct probekit_tail tail;
	size_t size;

	(void)state;
	samples_init(&s, PROBEKIT_KIND_SPAN, 6);
	add_mode(&s, 10 * US, 100);
	assert_int_equal(samples_finish(&s), 0);
	assert_false(probekit_probe_tail(&s.probe, &tail));
	assert_int_equal(probekit_probe_causes(&s.probe, &causes, &size), 0);
	assert_null(causes);
	assert_int_equal(size, 0);
	samples_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_one_mode_the_tail_is_the_slowest_hundredth),
		cmocka_unit_test(of_two_modes_it_is_the_second),
		cmocka_unit_test(of_three_it_begins_behind_the_widest_step),
		cmocka_unit_test(causes_of_the_tail_add_up_to_its_time),
		cmocka_unit_test(without_a_breakdown_there_is_no_tail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
