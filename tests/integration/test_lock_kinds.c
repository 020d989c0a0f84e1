/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `probekit locks` says of programs that know who waited for which lock, for how long and
 * behind whom: for each kind of lock the number of waits is exact, the time is the program's own,
 * and no thread is called a holder for certain that was none.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lock_runs.h"
#include "lock_told.h"

/* clang-format off */
/* (Of joins fewer, each of which has a holder of its own: a lock's list of holders is short.) */
#define JOIN(function) SLEEPING, .is_owned = true, .holder = function, .has_no_symbol = true, .rounds = "12", .has_many_holders = true
#define PAIR .waiter = "want_it"
#define SLEEPING .does = "clock_nanosleep"
#define OWNED PAIR, SLEEPING, .is_owned = true, .holder = "linger_with_it"
#define WOKEN PAIR, SLEEPING, .waker = "give_it"

static const struct lock_kind kinds[] = {
	{"a_normal_mutex", "lock_kinds", "mutex", "mutex", OWNED},
	{"a_recursive_mutex", "lock_kinds", "mutex_recursive", "mutex", OWNED},
	{"an_errorcheck_mutex", "lock_kinds", "mutex_errorcheck", "mutex", OWNED},
	{"an_adaptive_mutex", "lock_kinds", "mutex_adaptive", "mutex", OWNED},
	{"a_robust_mutex", "lock_kinds", "mutex_robust", "mutex", OWNED},
	{"a_mutex_with_priority_inheritance", "lock_kinds", "mutex_pi", "mutex", OWNED},
	{"a_mutex_waited_for_in_vain", "lock_kinds", "mutex_timed_out", "mutex", PAIR, .is_owned = true},
	{"a_mutex_of_two_processes", "lock_kinds", "mutex_shared", "mutex", OWNED, .has_no_symbol = true, .has_processes = true},
	{"a_robust_mutex_of_two_processes", "lock_kinds", "mutex_shared_robust", "mutex", OWNED, .has_no_symbol = true, .has_processes = true},
	{"a_mutex_with_priority_inheritance_of_two_processes", "lock_kinds", "mutex_shared_pi", "mutex", OWNED, .has_no_symbol = true, .has_processes = true},
	{"readers_that_wait_for_a_writer", "lock_kinds", "readers_for_writer", "rwlock", OWNED},
	{"writers_that_wait_for_readers", "lock_kinds", "writers_for_readers", "rwlock", PAIR},
	{"writers_that_wait_for_writers", "lock_kinds", "writers_for_writers", "rwlock", OWNED},
	{"readers_apart_from_writers", "lock_kinds", "readers_and_writers", "rwlock", PAIR},
	{"a_rwlock_of_two_processes", "lock_kinds", "rwlock_shared", "rwlock", OWNED, .has_no_symbol = true, .has_processes = true},
	{"a_condition_variable", "lock_kinds", "condvar", "condvar", WOKEN},
	{"a_condition_variable_of_two_processes", "lock_kinds", "condvar_shared", "condvar", WOKEN, .has_no_symbol = true, .has_processes = true},
	{"a_semaphore", "lock_kinds", "semaphore", "semaphore", WOKEN},
	{"a_semaphore_of_two_processes", "lock_kinds", "semaphore_shared", "semaphore", WOKEN, .has_no_symbol = true, .has_processes = true},
	{"a_barrier", "lock_kinds", "barrier", "barrier", WOKEN, .word_at = 4},
	{"a_join", "lock_kinds", "join", "join", JOIN("live_while_wanted")},
	{"a_pthread_once", "lock_kinds", "once", "once", PAIR},
	{"a_C11_mutex", "lock_kinds_other", "c11_mutex", "mutex", OWNED},
	{"a_C11_condition_variable", "lock_kinds_other", "c11_condvar", "condvar", WOKEN},
	{"a_C11_join", "lock_kinds_other", "c11_join", "join", JOIN("live_while_wanted")},
	{"a_C11_once", "lock_kinds_other", "c11_once", "once", PAIR},
	{"a_lock_of_a_stream", "lock_kinds_other", "stdio", "stdio", PAIR, .has_no_symbol = true},
	{"a_lock_of_the_allocator", "lock_kinds_other", "malloc", "malloc", PAIR, .has_no_symbol = true, .has_brief_waits = true},
	{"another_lock_of_the_C_library", "lock_kinds_other", "zone", "libc", PAIR, .has_no_symbol = true},
	{"a_futex_of_the_program", "lock_kinds_other", "raw", NULL, WOKEN},
	{"a_mutex_of_Rust", "lock_kinds_other", "rust", NULL, PAIR},
	{"a_std_mutex", "lock_kinds_cxx", "mutex", "mutex", OWNED},
	{"a_std_recursive_mutex", "lock_kinds_cxx", "recursive_mutex", "mutex", OWNED},
	{"a_std_timed_mutex", "lock_kinds_cxx", "timed_mutex", "mutex", OWNED},
	{"readers_of_a_std_shared_mutex", "lock_kinds_cxx", "readers_for_writer", "rwlock", OWNED},
	{"writers_of_a_std_shared_mutex", "lock_kinds_cxx", "writers_for_readers", "rwlock", PAIR},
	{"a_std_condition_variable", "lock_kinds_cxx", "condition_variable", "condvar", WOKEN},
	{"a_std_call_once", "lock_kinds_cxx", "call_once", "once", PAIR},
	{"a_std_thread_join", "lock_kinds_cxx", "join", "join", JOIN("{lambda}::operator()")},
	{"a_std_future", "lock_kinds_cxx", "future", NULL, WOKEN, .has_no_symbol = true},
	{"a_queue_of_threads", "lock_queues", "queue", "mutex", SLEEPING, .is_owned = true, .holder = "hold_in_turn", .waiter = "queue_up"},
	{"a_mutex_taken_again_before_who_was_woken", "lock_queues", "barging", "mutex", .is_owned = true, .waiter = "barge"},
	{"a_mutex_behind_a_mutex", "lock_queues", "chain", "mutex", .is_owned = true, .waiter = "link_chain", .waits_for = "inner_guard"},
	{"a_holder_without_a_CPU", "lock_queues", "starving", "mutex", .is_owned = true, .holder = "compute_with_it", .waiter = "starve", .is_starved = true},
	{.name = NULL},
};
/* clang-format on */

/* ---- tests ---- */

/* Whoever the words of the lock may be taken for, readers keep no owner. */
static void check_writers_preferred(const json_t *snapshot, const char *told)
{
	const long rounds = strtol(LOCK_ROUNDS, NULL, 10);
	unsigned int seen = 0;
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(snapshot, "locks"), i, row) {
		const json_t *holders = json_object_get(row, "holders");
		const char *address = json_string_value(json_object_get(row, "address"));
		bool is_read = lock_row_is_text(json_object_get(row, "access"), "read");
		json_t *holder;
		size_t k;

		assert_true(lock_row_is_text(json_object_get(row, "kind"), "rwlock"));
		assert_int_equal(strtoull(address, NULL, 16), support_number(told, "rwlock"));
		assert_true(lock_row_count_above(row, LOCK_LONG_WAIT_NS) >= rounds);
		assert_int_equal(support_integer(row, "threads"), 1);
		json_array_foreach (holders, k, holder)
			if (!is_read ||
			    !lock_row_is_text(json_object_get(holder, "comm"), "writer"))
				fail_msg("no holder: %s",
					 json_dumps(holder, JSON_REAL_PRECISION(3)));
		seen |= is_read ? 1 : 2;
	}
	assert_int_equal(i, 2);
	assert_int_equal(seen, 3);
}

static void readers_that_let_writers_pass(void **state)
{
	static const char *const modes[] = {"writers_preferred", "writers_preferred_shared"};

	(void)state;
	lock_require_true_times();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct support_child probekit;
		json_t *snapshot = lock_run_program(&probekit, "lock_kinds", modes[i], LOCK_ROUNDS);

		check_writers_preferred(snapshot, probekit.err.text);
		json_decref(snapshot);
		support_done(&probekit);
	}
}

static void a_lock_in_the_memory_of_another_is_of_its_own_kind(void **state)
{
	struct support_child probekit;
	json_t *snapshot =
		lock_run_program(&probekit, "lock_kinds", "semaphore_then_mutex", LOCK_ROUNDS);
	const json_t *row = lock_row_with(snapshot, "symbol", "reused");

	(void)state;
	if (!lock_row_is_text(json_object_get(row, "kind"), "mutex"))
		fail_msg("kind '%s'", json_string_value(json_object_get(row, "kind")));
	json_decref(snapshot);
	support_done(&probekit);
}

/* ---- without debug symbols ---- */

/* As on most machines: the C library has the names alone that programs link against. */
static void hide_debug_symbols(void *arg)
{
	(void)arg;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    (mount("none", "/usr/lib/debug", "tmpfs", 0, NULL) && errno != ENOENT))
		_exit(124);
}

static json_t *run_without_symbols(struct support_child *probekit, const char *program,
				   const char *mode, const char *rounds)
{
	static const struct support_how how = {.prepare = hide_debug_symbols};

	if (geteuid() != 0) {
		print_message("skipped: needs root\n");
		skip();
	}
	return lock_run(probekit, &how,
			(const char *const[]){support_probekit(), "locks", "--json", "--",
					      support_program(program), mode, rounds, NULL});
}

static void kinds_are_known_without_debug_symbols(void **state)
{
	static const char *const names[] = {
		"a_normal_mutex",
		"a_robust_mutex",
		"readers_that_wait_for_a_writer",
		"a_condition_variable",
		"a_join",
		"a_pthread_once",
		"a_C11_join",
		"a_C11_once",
		"a_lock_of_a_stream",
		"a_lock_of_the_allocator",
		"another_lock_of_the_C_library",
		"a_std_call_once",
		"a_std_thread_join",
	};
	size_t at = 0;

	(void)state;
	lock_require_true_times();
	for (const struct lock_kind *kind = kinds; kind->name; kind++) {
		struct support_child probekit;
		struct lock_kind known = *kind;
		json_t *snapshot;

		if (at == sizeof(names) / sizeof(names[0]) || strcmp(kind->name, names[at]) != 0)
			continue;
		at++;
		if (known.has_many_holders) /* which end before many stacks are read */
			known.holder = NULL;
		print_message("%s\n", kind->name);
		snapshot = run_without_symbols(&probekit, kind->program, kind->mode,
					       kind->rounds ? kind->rounds : LOCK_ROUNDS);
		lock_rows_check(snapshot, &known, probekit.err.text);
		json_decref(snapshot);
		support_done(&probekit);
	}
	assert_int_equal(at, sizeof(names) / sizeof(names[0]));
}

/* Each of its waits is for the mutex, whose owner is known, and of the condition variable's none is. */
static void check_mutex_taken_again(const json_t *snapshot)
{
	const json_t *mutex = lock_row_with(snapshot, "symbol", "state_mutex");
	const json_t *condvar = lock_row_with(snapshot, "symbol", "is_changed");
	const json_t *holder = json_array_get(json_object_get(mutex, "holders"), 0);

	assert_true(lock_row_is_text(json_object_get(mutex, "kind"), "mutex"));
	assert_int_equal(lock_row_count_above(mutex, LOCK_LONG_WAIT_NS),
			 strtol(LOCK_ROUNDS, NULL, 10));
	assert_true(lock_row_is_text(json_object_get(holder, "comm"), "owner"));
	assert_true(json_is_true(json_object_get(holder, "is_certain")));
	assert_true(lock_row_is_text(json_object_get(condvar, "kind"), "condvar"));
	assert_int_equal(json_array_size(json_object_get(snapshot, "locks")), 2);
}

static void the_mutex_that_a_condition_variable_takes_again(void **state)
{
	struct support_child probekit;
	json_t *snapshot;

	(void)state;
	lock_require_true_times();
	snapshot = lock_run_program(&probekit, "lock_kinds", "condvar_mutex", LOCK_ROUNDS);
	check_mutex_taken_again(snapshot);
	json_decref(snapshot);
	support_done(&probekit);
	snapshot = run_without_symbols(&probekit, "lock_kinds", "condvar_mutex", LOCK_ROUNDS);
	check_mutex_taken_again(snapshot);
	json_decref(snapshot);
	support_done(&probekit);
}

/* ---- counts, owners and names ---- */

static void waits_are_counted_on_every_machine(void **state)
{
	static const char *const modes[] = {"mutex", "readers_for_writer", "semaphore", "condvar"};

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct support_child probekit;
		json_t *snapshot = lock_run_program(&probekit, "lock_kinds", modes[i], LOCK_ROUNDS);

		lock_rows_check_counts(snapshot, probekit.err.text);
		json_decref(snapshot);
		support_done(&probekit);
	}
}

static void an_owner_that_ends_right_after_it_is_told(void **state)
{
	struct support_child probekit;
	json_t *snapshot;

	(void)state;
	lock_require_true_times();
	snapshot = lock_run_program(&probekit, kinds[0].program, kinds[0].mode, "8");
	lock_rows_check(snapshot, &kinds[0], probekit.err.text);
	json_decref(snapshot);
	support_done(&probekit);
}

static void waits_are_counted_from_when_probekit_came(void **state)
{
	struct support_child program;
	struct support_child probekit;
	char pid[16];
	const char *const words[] = {support_program("lock_kinds"), "mutex", LOCK_ROUNDS, "wait",
				     NULL};
	const char *const tool[] = {support_probekit(), "locks", "-v", "--json", "-p", pid, NULL};
	json_t *snapshot;

	(void)state;
	lock_require_true_times();
	support_require_tracing();
	support_start(&program, NULL, words);
	assert_true(support_wait_text(&program, &program.out, "ready\n"));
	snprintf(pid, sizeof(pid), "%d", (int)program.pid);
	support_start(&probekit, NULL, tool);
	support_wait_measuring(&probekit);
	support_write(&program, "go\n");
	assert_true(support_wait_text(&program, &program.out, "done\n"));
	snapshot = support_end_measuring(&probekit);
	lock_rows_check(snapshot, &kinds[0], program.out.text);
	json_decref(snapshot);
	support_done(&probekit);
	support_done(&program);
}

/* As in a container: the lock knows its owner by another number than the kernel. */
static void holders_in_a_PID_namespace_are_told(void **state)
{
	static const char *const modes[] = {"mutex", "mutex_shared"};

	(void)state;
	lock_require_true_times();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct support_child probekit;
		json_t *snapshot = lock_run(
			&probekit, NULL,
			(const char *const[]){support_probekit(), "locks", "--json", "--children",
					      "--", "unshare", "--pid", "--fork", "--mount-proc",
					      support_program("lock_kinds"), modes[i], LOCK_ROUNDS,
					      NULL});
		const json_t *row = lock_row_with(snapshot, "kind", "mutex");
		const json_t *holder = json_array_get(json_object_get(row, "holders"), 0);

		assert_int_equal(lock_row_count_above(row, LOCK_LONG_WAIT_NS),
				 strtol(LOCK_ROUNDS, NULL, 10));
		assert_true(lock_row_is_text(json_object_get(holder, "comm"), "owner"));
		assert_true(json_is_true(json_object_get(holder, "is_certain")));
		/* (its own number is noted when it first leaves a CPU) */
		assert_true(json_number_value(json_object_get(holder, "share")) >= .9);
		json_decref(snapshot);
		support_done(&probekit);
	}
}

static void the_name_of_a_PROBEKIT_MUTEX_LOCK_is_told(void **state)
{
	struct support_child probekit;
	json_t *snapshot = lock_run_program(&probekit, "locks", "waits", LOCK_ROUNDS);
	const json_t *row = lock_row_with(snapshot, "name", "locks:guard");

	(void)state;
	assert_true(lock_row_is_text(json_object_get(row, "symbol"), "mutexes"));
	assert_int_equal(lock_row_count_above(row, LOCK_LONG_WAIT_NS),
			 strtol(LOCK_ROUNDS, NULL, 10));
	json_decref(snapshot);
	support_done(&probekit);
}

/* One wait in 20 rounds, all of it in the span. */
static void the_spans_in_which_threads_wait_are_told(void **state)
{
	struct support_child probekit;
	json_t *snapshot;
	const json_t *span;

	(void)state;
	lock_require_true_times();
	snapshot = lock_run_program(&probekit, "holders", "mutex", "60");
	span = json_array_get(json_object_get(lock_row_with(snapshot, "symbol", "mutex"), "spans"),
			      0);
	assert_true(lock_row_is_text(json_object_get(span, "name"), "scene:request"));
	assert_true(json_number_value(json_object_get(span, "share")) >= LOCK_ENOUGH);
	json_decref(snapshot);
	support_done(&probekit);
}

/* The thread that it wakes did not see it, the next one did and waits on; then it waits itself. */
static void who_has_let_it_go_is_no_holder_for_who_waits_on(void **state)
{
	struct support_child probekit;
	struct lock_told truth;
	json_t *snapshot;
	json_t *holder;
	double told = 0;
	double held;
	size_t i;
	long tid;

	(void)state;
	lock_require_true_times();
	snapshot = lock_run_program(&probekit, "lock_queues", "unseen", LOCK_ROUNDS);
	tid = (long)support_number(probekit.err.text, "back");
	assert_true(lock_told_read(probekit.err.text, strstr(probekit.err.text, "lock guard "),
				   &truth));
	held = lock_told_holder(&truth, tid)->share;
	json_array_foreach (json_object_get(lock_row_with(snapshot, "symbol", "guard"), "holders"),
			    i, holder)
		if (support_integer(holder, "tid") == tid)
			told = json_number_value(json_object_get(holder, "share"));
	print_message("  held %.3f of the time, told %.3f\n", held, told);
	/* (half of what it held it for was waited by who did not see it) */
	assert_true(told > .8 * held / 2 && told < held + .05);
	json_decref(snapshot);
	support_done(&probekit);
}

/* All that a holder did is charged at once, with interrupts off: one round in 20, to maps that are new. */
static void a_first_hold_of_many_parts_is_told_whole(void **state)
{
	static const char *const waits[] = {"clock_nanosleep", "poll",	     "ppoll", "pselect6",
					    "rt_sigtimedwait", "epoll_wait", "futex"};
	struct support_child probekit;
	const json_t *holder;
	json_t *snapshot;

	(void)state;
	snapshot = lock_run_program(&probekit, "holders", "parts", "20");
	support_check_nothing_lost(json_object_get(snapshot, "lost"));
	holder = json_array_get(
		json_object_get(lock_row_with(snapshot, "symbol", "mutex"), "holders"), 0);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		if (!json_object_get(json_object_get(holder, "blocked_in"), waits[i]))
			fail_msg("no %s: %s", waits[i], json_dumps(holder, JSON_REAL_PRECISION(3)));
	json_decref(snapshot);
	support_done(&probekit);
}

int main(void)
{
	enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) - 1 };
	const struct CMUnitTest more[] = {
		cmocka_unit_test(readers_that_let_writers_pass),
		cmocka_unit_test(a_lock_in_the_memory_of_another_is_of_its_own_kind),
		cmocka_unit_test(kinds_are_known_without_debug_symbols),
		cmocka_unit_test(the_mutex_that_a_condition_variable_takes_again),
		cmocka_unit_test(waits_are_counted_on_every_machine),
		cmocka_unit_test(an_owner_that_ends_right_after_it_is_told),
		cmocka_unit_test(waits_are_counted_from_when_probekit_came),
		cmocka_unit_test(holders_in_a_PID_namespace_are_told),
		cmocka_unit_test(the_name_of_a_PROBEKIT_MUTEX_LOCK_is_told),
		cmocka_unit_test(the_spans_in_which_threads_wait_are_told),
		cmocka_unit_test(a_first_hold_of_many_parts_is_told_whole),
		cmocka_unit_test(who_has_let_it_go_is_no_holder_for_who_waits_on),
	};
	struct CMUnitTest tests[KINDS + sizeof(more) / sizeof(more[0])];

	for (size_t i = 0; i < KINDS; i++)
		tests[i] = LOCK_KIND_TEST(&kinds[i]);
	memcpy(tests + KINDS, more, sizeof(more));
	return cmocka_run_group_tests_name("lock_kinds", tests, NULL, NULL);
}
