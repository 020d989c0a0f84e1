/* SPDX-License-Identifier: BSD-2-Clause */
/* What is told of a lock, of what samples found. */
#include "lock_evidence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lock.h"
#include "lock_groups.h"

#define OWN_TID 71   /* its own stack was sampled */
#define SEEN_TID 72  /* waiters saw it as the owner */
#define NAMED_TID 73 /* the same, and its name is known */

static const struct probekit_lock_holder *holder_of(const struct probekit_lock *lock, pid_t tid)
{
	for (size_t i = 0; i < lock->holder_count; i++)
		if (lock->holders[i].holder->thread.tid == tid)
			return &lock->holders[i];
	fail_msg("no holder %d", (int)tid);
	return NULL;
}

static void add_holder(struct probekit_lock *lock, pid_t tid, const char *comm)
{
	struct probekit_thread thread = {.pid = 70, .tid = tid};

	strcpy(thread.comm, comm);
	assert_non_null(lock_holder_of(lock, &thread));
}

static void holders_are_called_as_they_were_when_they_were_seen(void **state)
{
	const struct thread_count seen[] = {
		{.pid = 70, .tid = OWN_TID, .comm = "own", .count = 1},
		{.pid = 70, .tid = SEEN_TID, .comm = "seen", .count = 1},
		{.pid = 70, .tid = NAMED_TID, .comm = "before", .count = 1},
	};
	struct probekit_lock lock = {.kind = strdup("mutex")};
	struct wait_findings findings = {.is_lock = true};
	struct traces traces;

	(void)state;
	assert_int_equal(traces_init(&traces), 0);
	assert_int_equal(thread_stacks_add(&findings.by_holder, &traces, &seen[0], NULL, 1), 0);
	assert_int_equal(thread_tally_add(&findings.holder_threads, &seen[1], THREADS_MAX), 0);
	assert_int_equal(thread_tally_add(&findings.holder_threads, &seen[2], THREADS_MAX), 0);
	add_holder(&lock, OWN_TID, "");
	add_holder(&lock, SEEN_TID, "");
	add_holder(&lock, NAMED_TID, "now");
	assert_int_equal(lock_evidence_show(&findings, &lock), 0);
	assert_int_equal(lock.holder_count, 3);
	assert_string_equal(holder_of(&lock, OWN_TID)->holder->thread.comm, "own");
	assert_string_equal(holder_of(&lock, SEEN_TID)->holder->thread.comm, "seen");
	assert_string_equal(holder_of(&lock, NAMED_TID)->holder->thread.comm, "now");
	lock_done(&lock);
	wait_findings_done(&findings, &traces);
	traces_done(&traces);
}

/* Else it were the evidence of whatever has no address. */
static void the_row_of_all_others_has_no_word(void **state)
{
	struct lock_groups groups = {0};
	const struct futex_key others = {0};
	struct lock_group *group = lock_group_of(&groups, &others);

	(void)state;
	assert_non_null(group);
	assert_int_equal(group->words.size, 0);
	assert_null(lock_word_at(&group->words, (struct futex_place){0}));
	assert_ptr_equal(lock_group_of(&groups, &others), group);
	lock_groups_done(&groups);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holders_are_called_as_they_were_when_they_were_seen),
		cmocka_unit_test(the_row_of_all_others_has_no_word),
	};

	return cmocka_run_group_tests_name("lock evidence", tests, NULL, NULL);
}
