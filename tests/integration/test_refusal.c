/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel on which probekit cannot measure is refused in one line, before anything is done; what
 * needs no kernel works there all the same. Everywhere else the same commands measure.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

/* It measured the hundred spans; or said why not, and did not run the command, which would print. */
static void check_measured_or_refused(const struct support_child *child)
{
	if (child->status == 0) {
		assert_non_null(strstr(child->out.text, "victim:work"));
		assert_string_equal(child->err.text, "");
		return;
	}
	assert_int_equal(child->status, 3);
	assert_string_equal(child->out.text, "");
	assert_int_equal(support_count_lines(child->err.text), 1);
	assert_int_equal(strncmp(child->err.text, "probekit: ", 10), 0);
	assert_non_null(strstr(child->err.text, "the kernel "));
	assert_non_null(strstr(child->err.text, "; ")); /* what to do about it */
}

static void a_command_is_measured_or_the_kernel_refused_in_one_line(void **state)
{
	struct support_child child;

	(void)state;
	support_run(&child, NULL, support_probekit(), "latency", "--", support_program("victim"),
		    "end", "0", NULL);
	check_measured_or_refused(&child);
	support_done(&child);
}

/* Also a path that nobody runs, which is waited for where that makes sense. */
static void a_process_is_measured_or_the_kernel_refused_in_one_line(void **state)
{
	const char *victim = support_program("victim");
	const char *const words[] = {victim, "lines", "100", NULL};
	struct support_child target;
	struct support_child child;
	char pid[16];

	(void)state;
	support_start(&target, NULL, words);
	assert_true(support_wait_text(&target, &target.out, "ready"));
	snprintf(pid, sizeof(pid), "%d", (int)target.pid);
	support_run(&child, NULL, support_probekit(), "latency", "-d", "100ms", "-p", pid, NULL);
	check_measured_or_refused(&child);
	support_done(&child);
	support_run(&child, NULL, support_probekit(), "latency", "-d", "100ms", victim, NULL);
	check_measured_or_refused(&child);
	support_done(&child);
	support_wait_untraced(target.pid, victim);
	support_end(&target);
}

static void spans_are_listed_on_any_kernel(void **state)
{
	struct support_child child;

	(void)state;
	support_run(&child, NULL, support_probekit(), "list", support_program("victim"), NULL);
	assert_int_equal(child.status, 0);
	assert_string_equal(child.err.text, "");
	assert_non_null(strstr(child.out.text, "victim:work"));
	assert_non_null(strstr(child.out.text, "victim:held"));
	support_done(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_is_measured_or_the_kernel_refused_in_one_line),
		cmocka_unit_test(a_process_is_measured_or_the_kernel_refused_in_one_line),
		cmocka_unit_test(spans_are_listed_on_any_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
