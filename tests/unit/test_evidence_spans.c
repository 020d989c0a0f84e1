/* SPDX-License-Identifier: BSD-2-Clause */
/* The slowest spans, and where threads ran inside of slow ones. */
#include "evidence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "oncpu_evidence.h"
#include "records.h"
#include "stack.h"

__attribute__((noinline)) static int parse(int value)
{
	__asm__ volatile("" ::: "memory");
	for (int i = 0; i < value; i++)
		value ^= i * 7;
	return value * 3;
}

__attribute__((noinline)) static int compress(int value)
{
	__asm__ volatile("" ::: "memory");
	return value * 5;
}

static uint64_t address_of(int (*function)(int))
{
	return (uintptr_t)function;
}

/* A millisecond of running at `ip`, in a span that began at `begin_ns`. */
static void add_oncpu(struct evidence *evidence, uint64_t ip, uint64_t begin_ns)
{
	struct stack_record record = record_at(ip, STACK_ONCPU, 1000000);

	record.wait = (struct wait_identity){.syscall = NO_SYSCALL, .time_class = CLASS_ONCPU};
	record.span_begin_ns = begin_ns;
	record.at_ns = begin_ns + 10;
	record_add(evidence, &record);
}

static void add_span(struct evidence *evidence, uint64_t begin_ns, uint64_t ns)
{
	struct span_record span = record_of_span(begin_ns, ns);

	assert_int_equal(evidence_add(evidence, &span, sizeof(span)), 0);
}

static void expect_oncpu(struct evidence *evidence, uint32_t probe, const char *name, double share)
{
	struct probekit_cause cause = {0};

	assert_int_equal(evidence_fill_oncpu(evidence, probe, &cause), 0);
	if (!name) {
		assert_int_equal(cause.stack.size, 0);
	} else {
		assert_int_equal(cause.stack.size, 1);
		assert_string_equal(cause.stack.frames[0].function, name);
		assert_true(cause.stack.share == share);
	}
	cause_done(&cause);
}

static void samples_of_slow_spans_alone_count(void **state)
{
	struct evidence *evidence = new_evidence();

	(void)state;
	for (uint64_t i = 0; i < 10; i++)
		add_oncpu(evidence, address_of(parse), 1000 + i * 100);
	add_oncpu(evidence, address_of(compress), 5000);
	expect_oncpu(evidence, RECORD_PROBE, "parse", 10. / 11);
	add_span(evidence, 5000, 50);
	expect_oncpu(evidence, RECORD_PROBE, "compress", 1);
	expect_oncpu(evidence, RECORD_PROBE + 1, NULL, 0);
	evidence_free(evidence);
}

static void samples_of_spans_inside_a_slow_one_are_its_too(void **state)
{
	struct evidence *evidence = new_evidence();
	struct span_record outer = record_of_span(900, 10000);
	struct span_record elsewhere = record_of_span(900, 10000);

	(void)state;
	add_oncpu(evidence, address_of(parse), 1000);
	add_oncpu(evidence, address_of(compress), 50000);
	outer.probe = elsewhere.probe = RECORD_PROBE + 1;
	elsewhere.tid++;
	assert_int_equal(evidence_add(evidence, &elsewhere, sizeof(elsewhere)), 0);
	expect_oncpu(evidence, RECORD_PROBE + 1, NULL, 0);
	assert_int_equal(evidence_add(evidence, &outer, sizeof(outer)), 0);
	expect_oncpu(evidence, RECORD_PROBE + 1, "parse", 1);
	evidence_free(evidence);
}

/* As of one that was stopped meanwhile, where that is left out. */
static void samples_count_up_to_the_end_of_a_span_that_took_less_time(void **state)
{
	struct span_record outer = record_of_span(900, 50);
	struct evidence *evidence = new_evidence();

	(void)state;
	add_oncpu(evidence, address_of(parse), 1000);
	outer.probe = RECORD_PROBE + 1;
	assert_int_equal(evidence_add(evidence, &outer, sizeof(outer)), 0);
	expect_oncpu(evidence, RECORD_PROBE + 1, NULL, 0);
	outer.end_ns = 1010;
	assert_int_equal(evidence_add(evidence, &outer, sizeof(outer)), 0);
	expect_oncpu(evidence, RECORD_PROBE + 1, "parse", 1);
	evidence_free(evidence);
}

static void the_hottest_function_counts_not_its_hottest_line(void **state)
{
	struct evidence *evidence = new_evidence();

	(void)state;
	/* two instructions of different lines together outweigh another function */
	for (int i = 0; i < 3; i++) {
		add_oncpu(evidence, address_of(parse), 1000);
		add_oncpu(evidence, address_of(parse) + 16, 1000);
	}
	for (int i = 0; i < 4; i++)
		add_oncpu(evidence, address_of(compress), 1000);
	add_span(evidence, 1000, 50);
	expect_oncpu(evidence, RECORD_PROBE, "parse", 6. / 10);
	evidence_free(evidence);
}

static void samples_that_wait_too_long_for_their_span_count_for_any(void **state)
{
	struct evidence *evidence = new_evidence();

	(void)state;
	for (uint64_t i = 0; i < 2 * ONCPU_PENDING_MAX; i++)
		add_oncpu(evidence, address_of(i % 4 ? parse : compress), 1000 + i * 100);
	expect_oncpu(evidence, RECORD_PROBE, "parse", 3. / 4);
	/* the first ones are no longer there to be its */
	add_span(evidence, 1000, 50);
	expect_oncpu(evidence, RECORD_PROBE, "parse", 3. / 4);
	evidence_free(evidence);
}

/* ---- the slowest ---- */

static void the_ten_slowest_are_kept_in_order(void **state)
{
	static const uint64_t order[] = {5, 90, 1, 14, 3, 77, 8, 8, 20, 2, 60, 11, 4, 33, 6};
	static const uint64_t slowest[] = {90, 77, 60, 33, 20, 14, 11, 8, 8, 6};
	struct evidence *evidence = new_evidence();
	struct probekit_slow_span *list;
	size_t count;

	(void)state;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		add_span(evidence, 1000, order[i]);
	assert_int_equal(evidence_slowest(evidence, RECORD_PROBE, &list, &count), 0);
	assert_int_equal(count, 10);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(list[i].duration_ns, slowest[i]);
	free(list);
	assert_int_equal(evidence_slowest(evidence, RECORD_PROBE + 1, &list, &count), 0);
	assert_int_equal(count, 0);
	assert_null(list);
	evidence_free(evidence);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void a_slow_span_has_its_date_and_all_its_time(void **state)
{
	uint64_t real_ns = clock_ns(CLOCK_REALTIME);
	struct span_record span =
		record_of_span(clock_ns(CLOCK_MONOTONIC) - 2000000000, 1000000000);
	struct evidence *evidence = new_evidence();
	struct probekit_slow_span *list;
	size_t count;

	(void)state;
	span.key = -4;
	span.has_key = 1;
	span.off.ns[CLASS_ONCPU] = 12345;
	span.off.ns[CLASS_DISK] = 600000000;
	span.off.ns[CLASS_LOCK] = 300000000;
	assert_int_equal(evidence_add(evidence, &span, sizeof(span)), 0);
	assert_int_equal(evidence_slowest(evidence, RECORD_PROBE, &list, &count), 0);
	assert_int_equal(count, 1);
	/* it ended a second before; the clocks are read one after the other */
	assert_true(list[0].ended_unix_ns >= (int64_t)(real_ns - 1000000000));
	assert_true(list[0].ended_unix_ns <= (int64_t)clock_ns(CLOCK_REALTIME) - 1000000000 + 1000);
	assert_true(list[0].has_key);
	assert_int_equal(list[0].key, -4);
	assert_int_equal(list[0].time_ns[PROBEKIT_CLASS_DISK], 600000000);
	assert_int_equal(list[0].time_ns[PROBEKIT_CLASS_LOCK], 300000000);
	assert_int_equal(list[0].time_ns[PROBEKIT_CLASS_ONCPU], 100000000);
	assert_string_equal(list[0].thread.comm, "test");
	free(list);
	evidence_free(evidence);
}

static void time_on_cpu_is_never_negative(void **state)
{
	struct span_record span = record_of_span(1000, 100);
	struct evidence *evidence = new_evidence();
	struct probekit_slow_span *list;
	size_t count;

	(void)state;
	span.off.ns[CLASS_DISK] = 70;
	span.off.ns[CLASS_LOCK] = 70;
	assert_int_equal(evidence_add(evidence, &span, sizeof(span)), 0);
	assert_int_equal(evidence_slowest(evidence, RECORD_PROBE, &list, &count), 0);
	assert_int_equal(list[0].time_ns[PROBEKIT_CLASS_ONCPU], 0);
	free(list);
	evidence_free(evidence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_of_slow_spans_alone_count),
		cmocka_unit_test(samples_of_spans_inside_a_slow_one_are_its_too),
		cmocka_unit_test(samples_count_up_to_the_end_of_a_span_that_took_less_time),
		cmocka_unit_test(the_hottest_function_counts_not_its_hottest_line),
		cmocka_unit_test(samples_that_wait_too_long_for_their_span_count_for_any),
		cmocka_unit_test(the_ten_slowest_are_kept_in_order),
		cmocka_unit_test(a_slow_span_has_its_date_and_all_its_time),
		cmocka_unit_test(time_on_cpu_is_never_negative),
	};

	return cmocka_run_group_tests_name("evidence of spans", tests, NULL, NULL);
}
