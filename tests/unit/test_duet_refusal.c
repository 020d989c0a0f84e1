/* SPDX-License-Identifier: BSD-2-Clause */
/* Which programs cannot be measured by turns, as a run of their own tells. */
#include "duet.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "snapshot.h"

#define MS 1000000

/* One span of 100 ms, of which so much was spent in a class, the rest on a CPU. */
static struct probekit_probe span(enum probekit_class time_class, uint64_t ms)
{
	struct probekit_probe row = {
		.name = "web:request",
		.kind = PROBEKIT_KIND_SPAN,
		.count = 1,
		.sum = 100 * MS,
		.has_time = true,
	};

	row.time_ns[time_class] = ms * MS;
	row.time_ns[PROBEKIT_CLASS_ONCPU] += (100 - ms) * MS;
	return row;
}

/* Valid until the next call. */
static const char *refusal_of(struct probekit_probe *rows, size_t count, double cpu_share)
{
	static char text[256];
	struct probekit_snapshot snapshot = {.probes = rows, .size = count};
	struct run_result alone = {.snapshot = &snapshot, .cpu_share = cpu_share};

	return duet_refusal(&alone, text, sizeof(text));
}

static const char *refusal_of_one(struct probekit_probe row, double cpu_share)
{
	return refusal_of(&row, 1, cpu_share);
}

static void what_computes_can_be_measured_by_turns(void **state)
{
	(void)state;
	assert_null(refusal_of_one(span(PROBEKIT_CLASS_ONCPU, 100), 0.99));
	assert_null(refusal_of_one(span(PROBEKIT_CLASS_ONCPU, 100), NAN));
	assert_null(refusal_of(NULL, 0, 1));
}

static void time_without_a_cpu_is_no_wait_for_others(void **state)
{
	(void)state;
	assert_null(refusal_of_one(span(PROBEKIT_CLASS_RUNQUEUE, 60), 1));
	assert_null(refusal_of_one(span(PROBEKIT_CLASS_THROTTLED, 60), 1));
	assert_null(refusal_of_one(span(PROBEKIT_CLASS_PAGEFAULT, 60), 1));
}

static void a_busy_machine_is_no_reason(void **state)
{
	(void)state;
	assert_null(refusal_of_one(span(PROBEKIT_CLASS_RUNQUEUE, 58), 0.42));
	assert_null(refusal_of_one(span(PROBEKIT_CLASS_THROTTLED, 58), 0.42));
	/* It waits outside of them for as long as it runs, or would. */
	assert_non_null(refusal_of_one(span(PROBEKIT_CLASS_RUNQUEUE, 50), 0.25));
	/* Without any on a CPU they tell nothing. */
	assert_non_null(refusal_of_one(span(PROBEKIT_CLASS_RUNQUEUE, 100), 0.42));
}

static void spans_that_wait_are_refused_with_what_for(void **state)
{
	(void)state;
	assert_null(refusal_of_one(span(PROBEKIT_CLASS_SLEEP, 10), 1));
	assert_string_equal(refusal_of_one(span(PROBEKIT_CLASS_SLEEP, 11), 1),
			    "its spans wait for 11 % of their time, mostly in sleep, and such "
			    "waits go on while it is stopped");
	assert_string_equal(refusal_of_one(span(PROBEKIT_CLASS_NETWORK, 63), 1),
			    "its spans wait for 63 % of their time, mostly in network, and such "
			    "waits go on while it is stopped");
}

static void the_time_of_all_probes_counts_and_of_keys_not_again(void **state)
{
	struct probekit_probe rows[3] = {
		span(PROBEKIT_CLASS_ONCPU, 100),
		span(PROBEKIT_CLASS_DISK, 30),
		span(PROBEKIT_CLASS_DISK, 30),
	};

	(void)state;
	rows[2].has_key = true;
	assert_non_null(refusal_of(rows, 3, 1)); /* 15 % */
	rows[1] = span(PROBEKIT_CLASS_DISK, 19);
	assert_null(refusal_of(rows, 3, 1)); /* 9.5 %, but 16 % with the key */
}

static void quantities_have_no_time(void **state)
{
	struct probekit_probe rows[2] = {span(PROBEKIT_CLASS_ONCPU, 100)};

	(void)state;
	rows[1] = (struct probekit_probe){
		.name = "web:depth", .kind = PROBEKIT_KIND_VALUE, .count = 9, .sum = 1000 * MS};
	assert_null(refusal_of(rows, 2, 1));
}

static void async_spans_are_refused_once_there_are_any(void **state)
{
	struct probekit_probe row = span(PROBEKIT_CLASS_ONCPU, 100);

	(void)state;
	row.kind = PROBEKIT_KIND_ASYNC;
	assert_string_equal(refusal_of_one(row, 1),
			    "it has async spans (web:request), of which the time that it is "
			    "stopped cannot be told apart");
	row.count = 0;
	assert_null(refusal_of_one(row, 1));
}

static void spans_whose_time_is_not_known_are_refused(void **state)
{
	struct probekit_probe row = span(PROBEKIT_CLASS_ONCPU, 100);

	(void)state;
	row.has_time = false;
	assert_string_equal(refusal_of_one(row, 1),
			    "where the time of its spans goes is not known on this machine");
}

static void a_program_that_waits_outside_of_its_spans_is_refused(void **state)
{
	(void)state;
	assert_null(refusal_of_one(span(PROBEKIT_CLASS_ONCPU, 100), 0.8));
	assert_string_equal(refusal_of_one(span(PROBEKIT_CLASS_ONCPU, 100), 0.41),
			    "it is on a CPU for only 41 % of its time, and what it waits for goes "
			    "on while it is stopped");
}

static void a_program_of_which_a_part_cannot_be_stopped_is_refused(void **state)
{
	struct probekit_probe row = span(PROBEKIT_CLASS_ONCPU, 100);
	struct probekit_snapshot snapshot = {.probes = &row, .size = 1};
	const struct run_result alone = {
		.snapshot = &snapshot, .cpu_share = 1, .has_left_group = true};
	char text[256];

	(void)state;
	assert_string_equal(duet_refusal(&alone, text, sizeof(text)),
			    "a process of it leaves its process group, and would not be stopped "
			    "with it");
}

static void a_program_that_uses_several_cpus_is_refused(void **state)
{
	(void)state;
	assert_null(refusal_of_one(span(PROBEKIT_CLASS_ONCPU, 100), 1.2));
	assert_string_equal(refusal_of_one(span(PROBEKIT_CLASS_ONCPU, 100), 3.14),
			    "it keeps 3.1 CPUs busy at a time, and by turns it would have one");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_computes_can_be_measured_by_turns),
		cmocka_unit_test(time_without_a_cpu_is_no_wait_for_others),
		cmocka_unit_test(a_busy_machine_is_no_reason),
		cmocka_unit_test(spans_that_wait_are_refused_with_what_for),
		cmocka_unit_test(the_time_of_all_probes_counts_and_of_keys_not_again),
		cmocka_unit_test(quantities_have_no_time),
		cmocka_unit_test(async_spans_are_refused_once_there_are_any),
		cmocka_unit_test(spans_whose_time_is_not_known_are_refused),
		cmocka_unit_test(a_program_that_waits_outside_of_its_spans_is_refused),
		cmocka_unit_test(a_program_of_which_a_part_cannot_be_stopped_is_refused),
		cmocka_unit_test(a_program_that_uses_several_cpus_is_refused),
	};

	return cmocka_run_group_tests_name("refusal of turns", tests, NULL, NULL);
}
