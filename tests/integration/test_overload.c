/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many threads, many spans, one lock: every span is counted, and memory stays within bounds, that of
 * the kernel too. PROBEKIT_OVERLOAD_SECONDS is how long, 3 unless it is set.
 */
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

#define RESIDENT_KIB_MAX (200 * 1024)
#define BPF_KIB_MAX (256 * 1024)

static const char *seconds(void)
{
	const char *text = getenv("PROBEKIT_OVERLOAD_SECONDS");

	return text ? text : "3";
}

static void check_row(const json_t *row, const char *truth)
{
	int64_t spans = (int64_t)support_number(truth, "spans");
	const json_t *lost = json_object_get(row, "lost");

	print_message("  %lld spans in %lld ms\n", (long long)spans,
		      (long long)support_number(truth, "took") / 1000000);
	support_check_nothing_lost(lost);
	print_message("  %lld samples dropped, %lld switches repaired\n",
		      (long long)support_integer(lost, "samples_dropped"),
		      (long long)support_integer(lost, "sched_repaired"));
	assert_int_equal(support_integer(row, "count"), spans);
	assert_int_equal(support_sum(json_object_get(row, "time_ns")),
			 support_integer(row, "sum_ns"));
	assert_true(support_integer(json_object_get(row, "time_ns"), "lock") > 0);
}

static void no_span_is_lost_and_memory_is_bounded(void **state)
{
	const char *const words[] = {support_program("crowd"), "run", seconds(), "wait", NULL};
	struct support_child program;
	struct support_child probekit;
	struct support_usage usage;
	json_t *snapshot;

	(void)state;
	support_require_tracing();
	support_start(&program, NULL, words);
	assert_true(support_wait_text(&program, &program.out, "ready\n"));
	support_start_measuring(&probekit, program.pid);
	support_write(&program, "go\n");
	assert_true(support_wait_text(&program, &program.out, "done\n"));
	usage = support_read_usage(probekit.pid);
	support_interrupt(&probekit);
	print_message("  probekit: %llu MiB resident, BPF %llu MiB\n",
		      (unsigned long long)usage.peak_kib >> 10,
		      (unsigned long long)usage.bpf_kib >> 10);
	assert_in_range(usage.peak_kib, 1, RESIDENT_KIB_MAX);
	assert_in_range(usage.bpf_kib, 1, BPF_KIB_MAX);
	snapshot = support_json(probekit.out.text);
	check_row(support_row(snapshot, "crowd:span"), program.out.text);
	json_decref(snapshot);
	support_done(&probekit);
	support_done(&program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_span_is_lost_and_memory_is_bounded),
	};

	return cmocka_run_group_tests_name("overload", tests, NULL, NULL);
}
