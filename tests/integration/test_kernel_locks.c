/* SPDX-License-Identifier: BSD-2-Clause */
/* Who has what spans wait for inside the kernel. */
#include "measure.h"

#include <string.h>

#define SLOW_OVER_NS 5000000

static const struct probekit_cause *lock_cause(const struct probekit_probe *row)
{
	for (size_t i = 0; i < row->cause_count; i++)
		if (row->causes[i].time_class == PROBEKIT_CLASS_LOCK && row->causes[i].object)
			return &row->causes[i];
	fail_msg("no cause is a lock inside the kernel");
	return NULL;
}

static void a_write_behind_another_names_who_writes(void **state)
{
	const char *const command[] = {program_path("kernel_locks"), "writes", "160", NULL};
	const struct probekit_cause *cause;
	struct run run;

	(void)state;
	measure_run(&(struct measure){.command = command,
				      .options = {.slow_over_ns = SLOW_OVER_NS}},
		    &run);
	assert_int_equal(run.status, 0);
	run_skip_if_missing(&run);
	cause = lock_cause(find_row(run.snapshot, "scene:request"));
	assert_non_null(strstr(cause->object, "kernel-locks-"));
	assert_non_null(cause->holder);
	assert_int_equal(cause->holder->thread.pid, run_truth(&run, "pid"));
	assert_int_equal(cause->holder->thread.tid, run_truth(&run, "owner"));
	assert_string_equal(cause->holder->thread.comm, "owner");
	assert_int_equal(cause->holder->threads, 1);
	run_done(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_behind_another_names_who_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
