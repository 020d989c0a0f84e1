/* SPDX-License-Identifier: BSD-2-Clause */
/* Which nameless locks are told as one row, and in which order rows are told. */
#include "nameless.h"

#include "lock.h"
#include "lock_join.h"
#include "stack.h"

/* ---- alike ---- */

/* What a lock is told from others by. */
struct identity {
	const char *symbol;
	const char *name;
	const char *kind;
	enum probekit_lock_access access;
	bool is_shared;
	pid_t pid;
	const char *calls; /* NULL: no stack was seen */
};

#define MUTEX .kind = "mutex", .pid = 42
#define SERVE .calls = "lock get serve main"

static struct probekit_lock lock_of(const struct identity *identity)
{
	struct probekit_lock lock = nameless(0x1000, 1);

	free((void *)(uintptr_t)lock.kind);
	stack_done(&lock.waiters[0]);
	lock.symbol = identity->symbol ? copied(identity->symbol) : NULL;
	lock.name = identity->name ? copied(identity->name) : NULL;
	lock.kind = identity->kind ? copied(identity->kind) : NULL;
	lock.access = identity->access;
	lock.is_shared = identity->is_shared;
	lock.pid = identity->pid;
	lock.waiter_count = identity->calls != NULL;
	if (identity->calls)
		lock.waiters[0] = calls(identity->calls, 1);
	return lock;
}

static bool are_alike(const struct identity *left, const struct identity *right)
{
	struct probekit_lock a = lock_of(left);
	struct probekit_lock b = lock_of(right);
	bool is_alike = lock_is_alike(&a, &b);

	assert_int_equal(lock_is_alike(&b, &a), is_alike);
	lock_done(&a);
	lock_done(&b);
	return is_alike;
}

static void what_tells_locks_apart_keeps_them_apart(void **state)
{
	static const struct identity like = {MUTEX, SERVE};
	static const struct identity others[] = {
		{MUTEX, SERVE, .symbol = "log_mutex"},
		{MUTEX, SERVE, .name = "logger:lock"},
		{SERVE, .kind = "rwlock", .pid = 42},
		{SERVE, .pid = 42},
		{MUTEX, SERVE, .access = PROBEKIT_LOCK_READ},
		{MUTEX, SERVE, .is_shared = true},
		{SERVE, .kind = "mutex", .pid = 43},
		{MUTEX, .calls = "lock get refuse main"},
		{MUTEX, .calls = "lock get serve"},
		{MUTEX},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++)
		if (are_alike(&like, &others[i]))
			fail_msg("case %zu", i);
}

static void locks_with_a_name_or_without_a_stack_are_never_joined(void **state)
{
	static const struct identity twice[] = {
		{MUTEX, SERVE, .symbol = "log_mutex"},
		{MUTEX, SERVE, .name = "logger:lock"},
		{MUTEX},
		{MUTEX, SERVE, .is_shared = true, .symbol = "log_mutex"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(twice); i++)
		if (are_alike(&twice[i], &twice[i]))
			fail_msg("case %zu", i);
}

static void nameless_locks_waited_for_from_the_same_four_frames_are_alike(void **state)
{
	static const struct identity pairs[][2] = {
		{{MUTEX, SERVE}, {MUTEX, SERVE}},
		{{MUTEX, SERVE}, {MUTEX, .calls = "lock get serve main start"}},
		{{MUTEX, .calls = "lock get"}, {MUTEX, .calls = "lock get"}},
		{{SERVE, .pid = 42}, {SERVE, .pid = 42}},
		{{MUTEX, SERVE, .access = PROBEKIT_LOCK_READ},
		 {MUTEX, SERVE, .access = PROBEKIT_LOCK_READ}},
		/* a shared one is of any of its processes */
		{{MUTEX, SERVE, .is_shared = true},
		 {SERVE, .kind = "mutex", .is_shared = true, .pid = 43}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++)
		if (!are_alike(&pairs[i][0], &pairs[i][1]))
			fail_msg("case %zu", i);
}

static void frames_are_told_by_file_function_and_line(void **state)
{
	struct probekit_lock a = nameless(0x1000, 1);
	struct probekit_lock b = nameless(0x2000, 1);
	struct probekit_frame *frame = &b.waiters[0].frames[1];
	const char *module = frame->module;

	(void)state;
	frame->module_offset = 0x999; /* another inlined copy, or call in that line */
	assert_true(lock_is_alike(&a, &b));
	frame->line++;
	assert_false(lock_is_alike(&a, &b));
	frame->line--;
	frame->module = "/opt/other";
	assert_false(lock_is_alike(&a, &b));
	frame->module = module;
	lock_done(&a);
	lock_done(&b);
}

static void code_without_a_name_is_told_by_its_address(void **state)
{
	struct probekit_lock a = nameless(0x1000, 1);
	struct probekit_lock b = nameless(0x2000, 1);
	struct probekit_frame *frames[] = {&a.waiters[0].frames[2], &b.waiters[0].frames[2]};

	(void)state;
	for (size_t i = 0; i < COUNT(frames); i++) {
		free((void *)(uintptr_t)frames[i]->function);
		frames[i]->function = NULL;
		frames[i]->module_offset = 0x40;
	}
	frames[0]->line = 1; /* of no function */
	assert_true(lock_is_alike(&a, &b));
	frames[1]->module_offset = 0x41;
	assert_false(lock_is_alike(&a, &b));
	lock_done(&a);
	lock_done(&b);
}

/* ---- order ---- */

static void what_was_waited_for_most_comes_first(void **state)
{
	const struct probekit_lock most = {.address = 9, .waits = {.sum = 2 * MS}, .waiting_ns = 2};
	const struct probekit_lock waits_now = {.address = 8, .waiting_ns = 2 * MS + 1};
	const struct probekit_lock less = {.address = 1, .waits = {.sum = 2 * MS}};
	const struct probekit_lock alike = {.address = 2, .waits = {.sum = 2 * MS}};

	(void)state;
	assert_true(lock_by_time(&most, &waits_now) < 0 && lock_by_time(&waits_now, &most) > 0);
	assert_true(lock_by_time(&waits_now, &less) < 0 && lock_by_time(&less, &waits_now) > 0);
	assert_true(lock_by_time(&less, &alike) < 0 && lock_by_time(&alike, &less) > 0);
	assert_int_equal(lock_by_time(&less, &less), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_tells_locks_apart_keeps_them_apart),
		cmocka_unit_test(locks_with_a_name_or_without_a_stack_are_never_joined),
		cmocka_unit_test(nameless_locks_waited_for_from_the_same_four_frames_are_alike),
		cmocka_unit_test(frames_are_told_by_file_function_and_line),
		cmocka_unit_test(code_without_a_name_is_told_by_its_address),
		cmocka_unit_test(what_was_waited_for_most_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
