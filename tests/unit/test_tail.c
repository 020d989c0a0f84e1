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
	assert_int_equal(breakdown_from_row(&sums, 0, probe), 0);
}

static void add_mode(struct samples *s, double ns, int count)
{
	for (int i = 0; i < count; i++)
		samples_add(s, samples_log_normal(s, ns, 0.1));
}

static uint64_t tail_count(struct samples *s)
{
	struct probekit_tail tail;

	tail_by_shape(&s->probe, &tail);
	assert_true(tail.count > 0);
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

/* Two ways of being fast are not a fast and a slow one. */
static void of_two_near_each_other_it_is_the_slowest_hundredth(void **state)
{
	static struct samples s;

	(void)state;
	samples_init(&s, PROBEKIT_KIND_SPAN, 5);
	add_mode(&s, 10 * US, 6000);
	add_mode(&s, 25 * US, 4000);
	finish(&s);
	assert_int_equal(probekit_probe_modes(&s.probe, NULL, 0), 2);
	assert_true(tail_count(&s) < 5000);
	breakdown_done(&s.probe);
	samples_done(&s);
}

/* Two modes, of which the slow one is in band -9 and waited 300 ns there. */
static void add_two_modes(struct samples *s, uint64_t seed)
{
	samples_init(s, PROBEKIT_KIND_SPAN, seed);
	add_mode(s, 10 * US, 9500);
	add_mode(s, 3 * MS, 500);
	finish(s);
	for (size_t i = 0; i < s->probe.band_count; i++)
		if (s->probe.bands[i].exponent == -9)
			s->probe.bands[i].time_ns[PROBEKIT_CLASS_LOCK] = 300;
}

static void explain(struct samples *s, const struct probekit_wait *waits, size_t size)
{
	for (size_t i = 0; i < size; i++)
		assert_int_equal(breakdown_add_wait(&s->probe, &waits[i]), 0);
	assert_int_equal(breakdown_explain(&s->probe), 0);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LOCK_WAIT(band, process, lock, name, where, ns, waits_, spans_)                         \
	{                                                                                       \
		.exponent = band, .time_class = PROBEKIT_CLASS_LOCK, .syscall = "futex",        \
		.pid = process, .address = lock, .symbol = name, .place = where, .time_ns = ns, \
		.count = waits_, .spans = spans_,                                               \
	}

static void causes_of_the_tail_add_up_to_its_time(void **state)
{
	static struct samples s;
	static const struct probekit_wait waits[] = {
		LOCK_WAIT(-9, 7, 0x10, "pool", "a+0x10", 100, 2, 2),
		LOCK_WAIT(-8, 8, 0x20, "pool", "a+0x10", 50, 1, 1),
		LOCK_WAIT(-9, 7, 0x30, NULL, NULL, 70, 1, 1),
		LOCK_WAIT(-9, 8, 0x30, NULL, NULL, 20, 1, 1),
		LOCK_WAIT(-17, 7, 0x10, "pool", "a+0x10", 9, 1, 1),
	};
	const struct probekit_cause *causes;
	uint64_t sum = 0;
	double share = 0;

	(void)state;
	add_two_modes(&s, 5);
	explain(&s, waits, COUNT(waits));
	causes = s.probe.causes;
	for (size_t i = 0; i < s.probe.cause_count; i++) {
		sum += causes[i].time_ns;
		share += causes[i].share;
	}
	assert_int_equal(sum, s.probe.tail.time_ns[PROBEKIT_CLASS_ONCPU] + 300);
	assert_true(fabs(share - 1) < 1e-9);
	/* on-CPU; the named lock, in both processes; 60 of the class without a cause; two locks at one
	 * address of two processes */
	assert_int_equal(s.probe.cause_count, 5);
	assert_int_equal(causes[0].time_class, PROBEKIT_CLASS_ONCPU);
	assert_int_equal(causes[0].count, 0);
	assert_string_equal(causes[1].symbol, "pool");
	assert_int_equal(causes[1].time_ns, 150);
	assert_int_equal(causes[1].spans, 3);
	assert_int_equal(causes[2].time_ns, 70);
	assert_int_equal(causes[3].time_ns, 60);
	assert_int_equal(causes[3].count, 0);
	assert_int_equal(causes[4].pid, 8);
	breakdown_done(&s.probe);
	samples_done(&s);
}

static const struct probekit_wait different[] = {
	{.exponent = -9,
	 .time_class = PROBEKIT_CLASS_NETWORK,
	 .object = "10.0.0.1:80",
	 .direction = "read",
	 .time_ns = 9,
	 .count = 1},
	{.exponent = -8,
	 .time_class = PROBEKIT_CLASS_NETWORK,
	 .object = "10.0.0.1:80",
	 .direction = "read",
	 .time_ns = 1,
	 .count = 1},
	{.exponent = -9,
	 .time_class = PROBEKIT_CLASS_NETWORK,
	 .object = "10.0.0.1:80",
	 .direction = "write",
	 .time_ns = 8,
	 .count = 1},
	{.exponent = -9,
	 .time_class = PROBEKIT_CLASS_NETWORK,
	 .object = "10.0.0.2:80",
	 .direction = "write",
	 .time_ns = 7,
	 .count = 1},
	{.exponent = -9,
	 .time_class = PROBEKIT_CLASS_RUNQUEUE,
	 .other_pid = 5,
	 .other_comm = "thief",
	 .time_ns = 6,
	 .count = 1},
	{.exponent = -9,
	 .time_class = PROBEKIT_CLASS_RUNQUEUE,
	 .other_pid = 6,
	 .other_comm = "other",
	 .time_ns = 5,
	 .count = 1},
	{.exponent = -9,
	 .time_class = PROBEKIT_CLASS_IPC,
	 .other_pid = 7,
	 .other_comm = "writer",
	 .time_ns = 4,
	 .count = 1},
};

static void causes_differ_by_object_direction_and_the_other_process(void **state)
{
	static struct samples s;
	static const uint64_t times[] = {10, 8, 7, 6, 5, 4};
	const struct probekit_cause *causes;

	(void)state;
	samples_init(&s, PROBEKIT_KIND_SPAN, 7);
	add_mode(&s, 10 * US, 9500);
	add_mode(&s, 3 * MS, 500);
	finish(&s);
	explain(&s, different, COUNT(different));
	assert_int_equal(s.probe.cause_count, COUNT(times) + 1); /* and on-CPU */
	causes = &s.probe.causes[1];
	for (size_t i = 0; i < COUNT(times); i++)
		assert_int_equal(causes[i].time_ns, times[i]);
	assert_string_equal(causes[0].object, "10.0.0.1:80");
	assert_string_equal(causes[1].direction, "write");
	assert_int_equal(causes[3].thief.pid, 5);
	assert_string_equal(causes[3].thief.comm, "thief");
	assert_int_equal(causes[3].waker.pid, 0);
	assert_int_equal(causes[5].waker.pid, 7);
	assert_string_equal(causes[5].waker.comm, "writer");
	breakdown_done(&s.probe);
	samples_done(&s);
}

static void of_a_threshold_the_causes_are_of_slow_spans_alone(void **state)
{
	static struct samples s;
	struct probekit_wait waits[] = {
		LOCK_WAIT(-9, 7, 0x10, "pool", "a+0x10", 100, 2, 2),
		LOCK_WAIT(-9, 7, 0x10, "pool", "a+0x10", 40, 1, 1),
		LOCK_WAIT(-17, 7, 0x10, "pool", "a+0x10", 9, 1, 1),
	};

	(void)state;
	add_two_modes(&s, 8);
	waits[1].is_slow = true;
	s.probe.tail = (struct probekit_tail){.exponent = INT32_MIN,
					      .from_ns = 3500000,
					      .count = 1,
					      .time_ns[PROBEKIT_CLASS_LOCK] = 50};
	explain(&s, waits, COUNT(waits));
	assert_int_equal(s.probe.tail.from_ns, 3500000);
	assert_int_equal(s.probe.cause_count, 2);
	assert_int_equal(s.probe.causes[0].time_ns, 40);
	assert_int_equal(s.probe.causes[0].count, 1);
	assert_int_equal(s.probe.causes[1].time_ns, 10);
	assert_int_equal(s.probe.causes[1].count, 0);
	breakdown_done(&s.probe);
	samples_done(&s);
}

static void a_threshold_that_nothing_passed_leaves_no_tail(void **state)
{
	static struct samples s;

	(void)state;
	add_two_modes(&s, 9);
	s.probe.tail = (struct probekit_tail){.exponent = INT32_MIN, .from_ns = 1000000000};
	assert_int_equal(breakdown_explain(&s.probe), 0);
	assert_int_equal(s.probe.tail.count, 0);
	assert_int_equal(s.probe.cause_count, 0);
	breakdown_done(&s.probe);
	samples_done(&s);
}

static void without_a_breakdown_there_is_no_tail(void **state)
{
	static struct samples s;

	(void)state;
	samples_init(&s, PROBEKIT_KIND_SPAN, 6);
	add_mode(&s, 10 * US, 100);
	assert_int_equal(samples_finish(&s), 0);
	assert_int_equal(breakdown_explain(&s.probe), 0);
	assert_int_equal(s.probe.tail.count, 0);
	assert_null(s.probe.causes);
	assert_int_equal(s.probe.cause_count, 0);
	samples_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_one_mode_the_tail_is_the_slowest_hundredth),
		cmocka_unit_test(of_two_modes_it_is_the_second),
		cmocka_unit_test(of_two_near_each_other_it_is_the_slowest_hundredth),
		cmocka_unit_test(of_three_it_begins_behind_the_widest_step),
		cmocka_unit_test(causes_of_the_tail_add_up_to_its_time),
		cmocka_unit_test(causes_differ_by_object_direction_and_the_other_process),
		cmocka_unit_test(of_a_threshold_the_causes_are_of_slow_spans_alone),
		cmocka_unit_test(a_threshold_that_nothing_passed_leaves_no_tail),
		cmocka_unit_test(without_a_breakdown_there_is_no_tail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
