/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `probekit locks` says of locks that several wait for, some in vain, and of owners that die.
 * Nobody who was not is called the holder for certain.
 */
#include <stdint.h>

#include "lock_runs.h"

/* clang-format off */
/* Of owners that die each has one hold. */
#define DEAD .is_owned = true, .waiter = "inherit", .rounds = "12", .has_many_holders = true

static const struct lock_kind patience = {"one_who_gives_up_beside_one_who_stays", "lock_crowds", "patience", "mutex", .is_owned = true, .does = "clock_nanosleep"};
static const struct lock_kind rwlock_of_two = {"writers_and_readers_of_two_processes", "lock_crowds", "rwlock_of_two", "rwlock", .is_owned = true, .does = "clock_nanosleep", .waiter = "use_table", .has_no_symbol = true, .has_processes = true};
static const struct lock_kind dead_owner = {"a_robust_mutex_whose_owner_dies", "lock_crowds", "dead_owner", "mutex", DEAD};
static const struct lock_kind dead_owner_pi = {"a_mutex_with_priority_inheritance_whose_owner_dies", "lock_crowds", "dead_owner_pi", "mutex", DEAD};
static const struct lock_kind dead_process_pi = {"a_mutex_with_priority_inheritance_whose_process_is_killed", "lock_crowds", "dead_process_pi", "mutex", DEAD, .has_no_symbol = true, .has_processes = true};
/* clang-format on */

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOCK_KIND_TEST(&patience),	  LOCK_KIND_TEST(&rwlock_of_two),
		LOCK_KIND_TEST(&dead_owner),	  LOCK_KIND_TEST(&dead_owner_pi),
		LOCK_KIND_TEST(&dead_process_pi),
	};

	return cmocka_run_group_tests_name("lock_crowds", tests, NULL, NULL);
}
