/* SPDX-License-Identifier: BSD-2-Clause */
#include "stack_view.h"

#include <linux/futex.h>
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
					  "/lib/ld-2.28.so",
					  "/lib/ld-musl-x86_64.so.1"};
	static const char *const no[] = {
		"/srv/libc.so.6/app", "/lib/libcurl.so.4", "/app", "[anon]",
		"/lib/libcap.so",     "/bin/ld-new"};

	(void)state;
	for (size_t i = 0; i < LENGTH(yes); i++)
		assert_true(stack_view_is_runtime(yes[i]));
	for (size_t i = 0; i < LENGTH(no); i++)
		assert_false(stack_view_is_runtime(no[i]));
	assert_false(stack_view_is_runtime(NULL));
}

static void what_is_inlined_from_a_library_is_known_by_name(void **state)
{
	static const struct probekit_frame yes[] = {
		{.module = "/lib/libc.so.6", .function = "qsort"},
		{.module = "/lib/libc.so.6"},
		{.module = "/opt/app", .function = "std::mutex::lock()"},
		{.module = "/opt/app", .function = "pthread_mutex_lock"},
		{.module = "/opt/app", .function = "runtime.futexsleep"},
	};
	static const struct probekit_frame no[] = {
		{.module = "/opt/app", .function = "append_line"},
		{.module = "/opt/app", .function = "runtime.stopm"},
		{.module = "/opt/app"},
		{.module = NULL},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(yes); i++)
		assert_true(probekit_frame_is_library(&yes[i]));
	for (size_t i = 0; i < LENGTH(no); i++)
		assert_false(probekit_frame_is_library(&no[i]));
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

#define WAIT(number, ...)                                                              \
	{                                                                              \
		.operation = FUTEX_##number | FUTEX_PRIVATE_FLAG, .value = __VA_ARGS__ \
	}

static const struct futex_call contended = WAIT(WAIT, 2);

static void expect_kind(const char *kind, const char *function)
{
	struct symbol_frame frames[] = {LIBC(NULL), LIBC(function), APPLICATION("main")};

	if (kind)
		assert_string_equal(stack_view_lock_kind(frames, LENGTH(frames), &contended), kind);
	else
		assert_null(stack_view_lock_kind(frames, LENGTH(frames), &contended));
}

static void lock_kinds_are_known_by_the_librarys_inner_names(void **state)
{
	(void)state;
	expect_kind("mutex", "___pthread_mutex_lock");
	expect_kind("mutex", "__pthread_mutex_cond_lock");
	expect_kind("mutex", "__lll_lock_wait");
	expect_kind("rwlock", "__pthread_rwlock_wrlock_full64");
	expect_kind("condvar", "pthread_cond_clockwait");
	expect_kind("semaphore", "__new_sem_wait_slow64.constprop.0");
	expect_kind("semaphore", "sem_clockwait");
	expect_kind("join", "__pthread_clockjoin_ex");
	expect_kind("join", "thrd_join");
	expect_kind("join", "std::thread::join()");
	expect_kind("join", "std::__1::thread::join()");
	expect_kind("barrier", "pthread_barrier_wait");
	expect_kind("once", "__pthread_once_slow");
	expect_kind("once", "call_once");
	expect_kind(NULL, "syscall");
	expect_kind(NULL, NULL);
}

static void expect_private_kind(const char *kind, const char *caller)
{
	struct symbol_frame frames[] = {LIBC("__lll_lock_wait_private"), LIBC(caller),
					APPLICATION("main")};
	const char *found = stack_view_lock_kind(frames, LENGTH(frames), &contended);

	assert_string_equal(found ? found : "none", kind);
}

static void locks_of_the_library_itself_are_known_by_what_was_called(void **state)
{
	(void)state;
	expect_private_kind("malloc", "__libc_malloc");
	expect_private_kind("malloc", "_int_free");
	expect_private_kind("malloc", "realloc");
	expect_private_kind("stdio", "_IO_fwrite");
	expect_private_kind("stdio", "fprintf");
	expect_private_kind("stdio", "__vfprintf_chk");
	expect_private_kind("stdio", "rewind");
	expect_private_kind("stdio", "__getdelim");
	/* they have locks of their own */
	expect_private_kind("libc", "getpwnam");
	expect_private_kind("libc", "gethostbyname");
	expect_private_kind("libc", "getservbyname");
	expect_private_kind("libc", "putenv");
	expect_private_kind("libc", "rewinddir");
	expect_private_kind("libc", "setlocale");
	expect_private_kind("libc", NULL);
}

/* That of the time zone, in the initialization that a thread waits not for. */
static void a_lock_of_the_library_itself_is_not_what_its_caller_is(void **state)
{
	static const struct symbol_frame frames[] = {
		LIBC("__futex_wait"), LIBC("__lll_lock_wait_private"), LIBC("__tz_convert"),
		LIBC("__pthread_once_slow"), APPLICATION("main")};

	(void)state;
	assert_string_equal(stack_view_lock_kind(frames, LENGTH(frames), &contended), "libc");
}

static void the_mutex_that_a_condition_variable_takes_again_is_a_mutex(void **state)
{
	static const struct symbol_frame frames[] = {LIBC("__lll_lock_wait"),
						     LIBC("__pthread_mutex_cond_lock"),
						     LIBC("pthread_cond_wait"),
						     APPLICATION("main")};

	(void)state;
	assert_string_equal(stack_view_lock_kind(frames, LENGTH(frames), &contended), "mutex");
}

/* Without debug symbols what is inside of the function has no names. */
static void the_mutex_that_is_taken_again_is_known_by_how_it_is_waited_for(void **state)
{
	static const struct {
		const char *function;
		size_t inside; /* frames */
		struct futex_call call;
		const char *kind;
	} waits[] = {
		{"pthread_cond_wait", 2, WAIT(WAIT, 2), "mutex"},
		{"pthread_cond_timedwait", 2, WAIT(WAIT, 2), "mutex"},
		{"pthread_cond_wait", 1, WAIT(WAIT, 0x80000123), "mutex"},
		{"pthread_cond_wait", 1, WAIT(LOCK_PI, 0), "mutex"},
		{"pthread_cond_wait", 1, WAIT(LOCK_PI2, 0), "mutex"},
		{"pthread_cond_wait", 1, WAIT(WAIT_BITSET, 0), "condvar"},
		/* newer ones wait with any value */
		{"pthread_cond_wait", 2, WAIT(WAIT_BITSET, 2), "condvar"},
		{"pthread_cond_wait", 2, WAIT(WAIT_BITSET, 0x80000002), "condvar"},
		/* its inner lock, and who still leaves it */
		{"pthread_cond_clockwait", 1, WAIT(WAIT, 2), "condvar"},
		{"pthread_cond_signal", 2, WAIT(WAIT, 2), "condvar"},
		{"pthread_cond_broadcast", 2, WAIT(WAIT, 3), "condvar"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(waits); i++) {
		const struct symbol_frame frames[] = {LIBC(NULL), LIBC(NULL),
						      LIBC(waits[i].function), APPLICATION("main")};
		size_t hidden = 2 - waits[i].inside;

		assert_string_equal(stack_view_lock_kind(frames + hidden, LENGTH(frames) - hidden,
							 &waits[i].call),
				    waits[i].kind);
	}
}

static void outer_calls_do_not_tell_what_is_waited_for(void **state)
{
	static const struct symbol_frame frames[] = {LIBC("syscall"), APPLICATION("own_lock"),
						     LIBC("pthread_once"), APPLICATION("main")};

	(void)state;
	assert_null(stack_view_lock_kind(frames, LENGTH(frames), &contended));
}

static void locks_with_owners_are_told_from_others(void **state)
{
	(void)state;
	assert_true(stack_view_has_owner("mutex"));
	assert_true(stack_view_has_owner("rwlock"));
	assert_true(stack_view_has_owner("join"));
	assert_false(stack_view_has_owner("condvar"));
	assert_false(stack_view_has_owner("semaphore"));
	assert_false(stack_view_has_owner("libc"));
	assert_false(stack_view_has_owner(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run_time_environments_are_known_by_file_name),
		cmocka_unit_test(what_is_inlined_from_a_library_is_known_by_name),
		cmocka_unit_test(only_the_innermost_run_of_the_library_is_hidden),
		cmocka_unit_test(a_static_program_hides_by_name),
		cmocka_unit_test(an_interrupt_is_hidden_in_the_kernel_where_it_came_into_something),
		cmocka_unit_test(the_scheduler_and_tracers_are_hidden_in_the_kernel),
		cmocka_unit_test(lock_kinds_are_known_by_the_librarys_inner_names),
		cmocka_unit_test(locks_of_the_library_itself_are_known_by_what_was_called),
		cmocka_unit_test(a_lock_of_the_library_itself_is_not_what_its_caller_is),
		cmocka_unit_test(the_mutex_that_a_condition_variable_takes_again_is_a_mutex),
		cmocka_unit_test(the_mutex_that_is_taken_again_is_known_by_how_it_is_waited_for),
		cmocka_unit_test(outer_calls_do_not_tell_what_is_waited_for),
		cmocka_unit_test(locks_with_owners_are_told_from_others),
	};

	return cmocka_run_group_tests_name("stack view", tests, NULL, NULL);
}
