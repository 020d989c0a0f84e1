/* SPDX-License-Identifier: BSD-2-Clause */
#include "stack_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define LIBC(name)                                               \
	{                                                        \
		.function = name, .module = "/usr/lib/libc.so.6" \
	}
#define APPLICATION(name)                              \
	{                                              \
		.function = name, .module = "/srv/app" \
	}
#define KERNEL(name)                                   \
	{                                              \
		.function = name, .module = "[kernel]" \
	}

static void run_time_environments_are_known_by_file_name(void **state)
{
	static const char *const yes[] = {"/lib/libc.so.6",
					  "/lib64/ld-linux-x86-64.so.2",
					  "/x/libpthread-2.28.so",
					  "/usr/lib/libstdc++.so.6",
					  "/usr/lib/libc++.so.1",
					  "/lib/libgcc_s.so.1",
					  "[vdso]",
					  "libc-2.28.so",
					  "/lib/ld-musl-x86_64.so.1"};
	static const char *const no[] = {"/srv/libc.so.6/app", "/lib/libcurl.so.4", "/app",
					 "[anon]", "/lib/libcap.so"};

	(void)state;
	for (size_t i = 0; i < LENGTH(yes); i++)
		assert_true(stack_view_is_runtime(yes[i]));
	for (size_t i = 0; i < LENGTH(no); i++)
		assert_false(stack_view_is_runtime(no[i]));
	assert_false(stack_view_is_runtime(NULL));
}

static void only_the_innermost_run_of_the_library_is_hidden(void **state)
{
	static const struct symbol_frame frames[] = {
		LIBC("__lll_lock_wait"), LIBC("pthread_mutex_lock"),
		APPLICATION("compare"),	 LIBC("msort"),
		LIBC("qsort"),		 APPLICATION("main"),
	};

	(void)state;
	assert_int_equal(stack_view_hidden(frames, LENGTH(frames)), 1);
	assert_int_equal(stack_view_hidden(frames + 1, LENGTH(frames) - 1), 0);
	assert_int_equal(stack_view_hidden(frames + 2, LENGTH(frames) - 2), 0);
	assert_int_equal(stack_view_hidden(frames, 2), 0);
	assert_int_equal(stack_view_hidden(frames, 0), 0);
}

static void a_static_program_hides_by_name(void **state)
{
	static const struct symbol_frame public_name[] = {APPLICATION("__lll_lock_wait"),
							  APPLICATION("pthread_mutex_lock"),
							  APPLICATION("append_line")};
	static const struct symbol_frame internal_name[] = {
		APPLICATION("__futex_abstimed_wait_common"), APPLICATION("__pthread_clockjoin_ex"),
		APPLICATION("append_line")};
	static const struct symbol_frame all[] = {APPLICATION("__futex_wait"),
						  APPLICATION("__internal_wait")};

	(void)state;
	assert_int_equal(stack_view_hidden(public_name, 3), 1);
	assert_int_equal(stack_view_hidden(internal_name, 3), 1);
	assert_int_equal(stack_view_hidden(all, 2), 0);
}

static void an_interrupt_is_hidden_in_the_kernel_where_it_came_into_something(void **state)
{
	const struct symbol_frame frames[] = {
		KERNEL("__hrtimer_run_queues"),
		KERNEL("sysvec_apic_timer_interrupt"),
		KERNEL("asm_sysvec_apic_timer_interrupt"),
		KERNEL("tcp_sendmsg"),
		KERNEL("do_syscall_64"),
	};

	(void)state;
	assert_int_equal(stack_view_hidden_kernel(frames, LENGTH(frames)), 3);
	assert_int_equal(stack_view_hidden_kernel(frames, 3), 0);
}

static void the_scheduler_and_tracers_are_hidden_in_the_kernel(void **state)
{
	static const struct symbol_frame frames[] = {
		{.function = "bpf_prog_0123_on_switch", .module = "[bpf]"},
		KERNEL("bpf_trace_run4"),
		KERNEL("__traceiter_sched_switch"),
		KERNEL("__schedule"),
		KERNEL("schedule_timeout"),
		KERNEL("ptrace_stop"),
		KERNEL("schedule"),
	};

	(void)state;
	assert_int_equal(stack_view_hidden_kernel(frames, LENGTH(frames)), 5);
	assert_int_equal(stack_view_hidden_kernel(frames, 5), 0);
}

static void expect_kind(const char *kind, const char *function)
{
	struct symbol_frame frames[] = {LIBC(NULL), LIBC(function), APPLICATION("main")};

	if (kind)
		assert_string_equal(stack_view_lock_kind(frames, LENGTH(frames)), kind);
	else
		assert_null(stack_view_lock_kind(frames, LENGTH(frames)));
}

static void lock_kinds_are_known_by_the_librarys_inner_names(void **state)
{
	(void)state;
	expect_kind("mutex", "___pthread_mutex_lock");
	expect_kind("mutex", "__pthread_mutex_cond_lock");
	expect_kind("mutex", "__lll_lock_wait_private");
	expect_kind("rwlock", "__pthread_rwlock_wrlock_full64");
	expect_kind("condvar", "pthread_cond_clockwait");
	expect_kind("semaphore", "__new_sem_wait_slow64.constprop.0");
	expect_kind("semaphore", "sem_clockwait");
	expect_kind("join", "__pthread_clockjoin_ex");
	expect_kind("barrier", "pthread_barrier_wait");
	expect_kind("once", "__pthread_once_slow");
	expect_kind(NULL, "syscall");
	expect_kind(NULL, NULL);
}

static void the_mutex_that_a_condition_variable_takes_again_is_a_mutex(void **state)
{
	static const struct symbol_frame frames[] = {LIBC("__lll_lock_wait"),
						     LIBC("__pthread_mutex_cond_lock"),
						     LIBC("pthread_cond_wait"),
						     APPLICATION("main")};

	(void)state;
	assert_string_equal(stack_view_lock_kind(frames, LENGTH(frames)), "mutex");
}

static void outer_calls_do_not_tell_what_is_waited_for(void **state)
{
	static const struct symbol_frame frames[] = {LIBC("syscall"), APPLICATION("own_lock"),
						     LIBC("pthread_once"), APPLICATION("main")};

	(void)state;
	assert_null(stack_view_lock_kind(frames, LENGTH(frames)));
}

static void locks_with_owners_are_told_from_others(void **state)
{
	(void)state;
	assert_true(stack_view_has_owner("mutex"));
	assert_true(stack_view_has_owner("rwlock"));
	assert_true(stack_view_has_owner("join"));
	assert_false(stack_view_has_owner("condvar"));
	assert_false(stack_view_has_owner("semaphore"));
	assert_false(stack_view_has_owner(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run_time_environments_are_known_by_file_name),
		cmocka_unit_test(only_the_innermost_run_of_the_library_is_hidden),
		cmocka_unit_test(a_static_program_hides_by_name),
		cmocka_unit_test(an_interrupt_is_hidden_in_the_kernel_where_it_came_into_something),
		cmocka_unit_test(the_scheduler_and_tracers_are_hidden_in_the_kernel),
		cmocka_unit_test(lock_kinds_are_known_by_the_librarys_inner_names),
		cmocka_unit_test(the_mutex_that_a_condition_variable_takes_again_is_a_mutex),
		cmocka_unit_test(outer_calls_do_not_tell_what_is_waited_for),
		cmocka_unit_test(locks_with_owners_are_told_from_others),
	};

	return cmocka_run_group_tests_name("stack view", tests, NULL, NULL);
}
