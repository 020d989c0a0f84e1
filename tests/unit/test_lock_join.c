/* SPDX-License-Identifier: BSD-2-Clause */
/* That one row of several nameless locks says of all of them together. */
#include "nameless.h"

#include <errno.h>
#include <stdio.h>

#include "lock.h"
#include "lock_groups.h"
#include "lock_join.h"
#include "stack.h"

static unsigned int allocations_left; /* before reallocarray() fails; 0: it never does */

/* In the place of the C library's. */
void *reallocarray(void *old, size_t count, size_t size)
{
	size_t bytes;

	if ((allocations_left && --allocations_left == 0) ||
	    __builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, bytes);
}

/* Room for one more element. */
static void *grown(void *list, size_t count, size_t bytes)
{
	void *larger = realloc(list, (count + 1) * bytes);

	assert_non_null(larger);
	return larger;
}

static void add_holder(struct probekit_lock *lock, pid_t tid, double share, uint64_t long_waits)
{
	struct probekit_lock_holder *list = grown(lock->holders, lock->holder_count, sizeof(*list));

	lock->holders = list;
	list[lock->holder_count] = (struct probekit_lock_holder){
		.share = share, .is_certain = true, .long_waits = long_waits};
	list[lock->holder_count].holder = new_holder(1);
	list[lock->holder_count++].holder->thread.tid = tid;
}

static void add_waker(struct probekit_lock *lock, pid_t tid, const char *stack, double share)
{
	struct probekit_lock_waker *list = grown(lock->wakers, lock->waker_count, sizeof(*list));

	lock->wakers = list;
	list[lock->waker_count] = (struct probekit_lock_waker){
		.share = share, .thread = {42, tid, "waker"}, .stack = calls(stack, 1)};
	list[lock->waker_count].did = zeroed(1, sizeof(*list->did));
	list[lock->waker_count].did[0] = (struct probekit_activity){copied("read"), 1};
	list[lock->waker_count++].did_count = 1;
}

static void add_span(struct probekit_lock *lock, const char *name, double share)
{
	struct probekit_lock_span *list = grown(lock->spans, lock->span_count, sizeof(*list));

	lock->spans = list;
	list[lock->span_count++] = (struct probekit_lock_span){copied(name), share};
}

static void add_waiters(struct probekit_lock *lock, const char *functions, double share)
{
	lock->waiters = grown(lock->waiters, lock->waiter_count, sizeof(*lock->waiters));
	lock->waiters[lock->waiter_count++] = calls(functions, share);
}

static void assert_near(double found, double expected)
{
	if (!(found > expected - 1e-9 && found < expected + 1e-9))
		fail_msg("%g, not %g", found, expected);
}

static void join(struct probekit_lock *into, double into_ns, struct probekit_lock *from,
		 double from_ns)
{
	static const struct probekit_lock nothing;

	assert_int_equal(lock_join(into, into_ns, from, from_ns), 0);
	assert_memory_equal(from, &nothing, sizeof(nothing));
}

/* ---- the whole ---- */

/* Outer callers differ: each has less than what is waited for from elsewhere, together they have more. */
static void a_joined_row_is_still_like_what_it_was_joined_of(void **state)
{
	struct probekit_lock locks[3];

	(void)state;
	for (size_t i = 0; i < COUNT(locks); i++) {
		char functions[64];

		snprintf(functions, sizeof(functions), "lock get serve main start%zu", i);
		locks[i] = nameless(i, 1);
		stack_done(&locks[i].waiters[0]);
		locks[i].waiters[0] = calls(functions, 0.6);
		add_waiters(&locks[i], "lock elsewhere", 0.4);
	}
	for (size_t i = 1; i < COUNT(locks); i++) {
		assert_true(lock_is_alike(&locks[0], &locks[i]));
		join(&locks[0], (double)i, &locks[i], 1);
	}
	assert_int_equal(locks[0].objects, 3);
	assert_string_equal(locks[0].waiters[0].frames[1].function, "elsewhere");
	lock_done(&locks[0]);
}

static void numbers_are_added_and_the_object_stays(void **state)
{
	struct probekit_lock into = nameless(0x1000, 5);
	struct probekit_lock from = nameless(0x2000, 3);

	(void)state;
	into.objects = 4;
	from.objects = 2;
	into.runqueue_ns = 100;
	from.runqueue_ns = 11;
	into.handoffs = 4;
	from.handoffs = 3;
	into.barged = 2;
	from.barged = 7;
	into.waiting = 1;
	from.waiting = 2;
	into.waiting_ns = 50;
	from.waiting_ns = 6;
	from.waits.min = MS / 2;
	from.waits.max = 9 * MS;
	join(&into, 5, &from, 3);
	assert_int_equal(into.pid, 42);
	assert_int_equal(into.address, 0x1000);
	assert_int_equal(into.objects, 6);
	assert_int_equal(into.waits.count, 8);
	assert_int_equal(into.waits.sum, 8 * MS);
	assert_int_equal(into.waits.min, MS / 2);
	assert_int_equal(into.waits.max, 9 * MS);
	assert_int_equal(into.runqueue_ns, 111);
	assert_int_equal(into.handoffs, 7);
	assert_int_equal(into.barged, 9);
	assert_int_equal(into.waiting, 3);
	assert_int_equal(into.waiting_ns, 56);
	assert_string_equal(into.kind, "mutex");
	lock_done(&into);
}

static void the_shortest_wait_is_that_of_locks_with_waits(void **state)
{
	static const struct {
		uint64_t into_count;
		int64_t into_min;
		uint64_t from_count;
		int64_t from_min;
		int64_t expected;
	} cases[] = {
		{1, 5, 1, 3, 3}, {1, 3, 1, 5, 3}, {0, 0, 1, 5, 5}, {1, 5, 0, 0, 5},
		{1, 0, 1, 5, 0}, {1, 5, 1, 0, 0}, {0, 0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct probekit_lock into = nameless(0x1000, 0);
		struct probekit_lock from = nameless(0x2000, 0);

		into.waits.count = cases[i].into_count;
		into.waits.min = cases[i].into_min;
		from.waits.count = cases[i].from_count;
		from.waits.min = cases[i].from_min;
		join(&into, 1, &from, 1);
		if (into.waits.min != cases[i].expected)
			fail_msg("case %zu: %lld", i, (long long)into.waits.min);
		lock_done(&into);
	}
}

static void histograms_are_added_bucket_by_bucket(void **state)
{
	struct probekit_lock into = nameless(0x1000, 5);
	struct probekit_lock from = nameless(0x2000, 3);
	struct probekit_lock other = nameless(0x3000, 2);

	(void)state;
	other.waits.histogram.index[0] = -90;
	join(&into, 5, &from, 3);
	join(&into, 8, &other, 2);
	assert_int_equal(into.waits.histogram.scale, 4);
	assert_int_equal(into.waits.histogram.size, 2);
	assert_int_equal(into.waits.histogram.index[0], -150);
	assert_int_equal(into.waits.histogram.count[0], 8);
	assert_int_equal(into.waits.histogram.index[1], -90);
	assert_int_equal(into.waits.histogram.count[1], 2);
	assert_int_equal(into.waits.count, 10);
	lock_done(&into);
}

static void shares_are_weighted_by_time(void **state)
{
	struct probekit_lock into = nameless(0x1000, 1);
	struct probekit_lock from = nameless(0x2000, 1);

	(void)state;
	into.unowned_share = 0.2;
	from.unowned_share = 0.6;
	add_span(&into, "web:request", 0.4);
	add_span(&from, "web:request", 0.8);
	add_span(&from, "web:flush", 0.4);
	add_holder(&into, 1, 0.5, 0);
	add_holder(&from, 2, 1, 0);
	add_holder(&from, 1, 0.25, 0);
	add_waker(&into, 1, "release", 0.8);
	add_waker(&from, 1, "release", 0.4);
	add_waker(&from, 1, "signal", 0.2);
	join(&into, 300, &from, 100);
	lock_keep_holders(&into);
	assert_near(into.unowned_share, 0.3);
	assert_int_equal(into.span_count, 2);
	assert_string_equal(into.spans[0].name, "web:request");
	assert_near(into.spans[0].share, 0.5);
	assert_near(into.spans[1].share, 0.1);
	assert_int_equal(into.holder_count, 2);
	assert_int_equal(into.holders[0].holder->thread.tid, 1);
	assert_near(into.holders[0].share, 0.4375);
	assert_int_equal(into.holders[1].holder->thread.tid, 2);
	assert_near(into.holders[1].share, 0.25);
	assert_int_equal(into.waker_count, 2);
	assert_near(into.wakers[0].share, 0.7);
	assert_string_equal(into.wakers[1].stack.frames[0].function, "signal");
	assert_near(into.wakers[1].share, 0.05);
	assert_int_equal(into.waiter_count, 1);
	assert_near(into.waiters[0].share, 1);
	lock_done(&into);
}

/* What goes on at the end has no time yet. */
static void locks_without_time_weigh_the_same(void **state)
{
	struct probekit_lock into = nameless(0x1000, 0);
	struct probekit_lock from = nameless(0x2000, 0);

	(void)state;
	into.unowned_share = 1;
	join(&into, 0, &from, 0);
	assert_near(into.unowned_share, 0.5);
	lock_done(&into);
}

static void a_larger_share_of_the_added_lock_comes_first(void **state)
{
	struct probekit_lock into = nameless(0x1000, 1);
	struct probekit_lock from = nameless(0x2000, 1);

	(void)state;
	add_waiters(&from, "elsewhere", 0.9);
	from.waiters[0].share = 0.1;
	add_holder(&into, 1, 0.1, 0);
	add_holder(&from, 2, 0.9, 0);
	join(&into, 100, &from, 300);
	lock_keep_holders(&into);
	assert_int_equal(into.waiter_count, 2);
	assert_string_equal(into.waiters[0].frames[0].function, "elsewhere");
	assert_near(into.waiters[0].share, 0.675);
	assert_near(into.waiters[1].share, 0.325);
	assert_int_equal(into.holders[0].holder->thread.tid, 2);
	assert_int_equal(into.holders[1].holder->thread.tid, 1);
	lock_done(&into);
}

static void only_the_largest_shares_are_kept(void **state)
{
	struct probekit_lock into = nameless(0x1000, 1);
	struct probekit_lock from = nameless(0x2000, 1);

	(void)state;
	for (pid_t tid = 1; tid <= 40; tid++) {
		char stack[16];

		snprintf(stack, sizeof(stack), "f%d", tid);
		add_holder(&into, tid, (100 - tid) / 10000.0, 0);
		add_holder(&from, 100 + tid, (100 - tid) / 10000.0, 0);
		add_waker(&from, tid, stack, (100 - tid) / 10000.0);
	}
	join(&into, 1, &from, 1);
	lock_keep_holders(&into);
	assert_int_equal(into.holder_count, 64);
	assert_int_equal(into.holder_threads, 80);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(into.holders[i].holder->thread.tid % 100, i / 2 + 1);
	assert_int_equal(into.waker_count, 32);
	assert_int_equal(into.wakers[31].thread.tid, 32);
	lock_done(&into);
}

static void one_holder_of_both_has_the_long_waits_of_both(void **state)
{
	struct probekit_lock into = nameless(0x1000, 1);
	struct probekit_lock from = nameless(0x2000, 1);

	(void)state;
	add_holder(&into, 1, 0.5, 3);
	add_holder(&from, 1, 0.5, 4);
	add_holder(&from, 2, 0.25, 5);
	from.holders[0].is_certain = false;
	join(&into, 1, &from, 1);
	lock_keep_holders(&into);
	assert_int_equal(into.holder_count, 2);
	assert_int_equal(into.holder_threads, 2);
	assert_int_equal(into.holders[0].long_waits, 7);
	assert_false(into.holders[0].is_certain); /* not in all of its share */
	assert_int_equal(into.holders[1].long_waits, 5);
	assert_true(into.holders[1].is_certain);
	lock_done(&into);
}

/* None of many locks is held long by one thread, and the threads are the same. */
static void small_shares_of_many_locks_are_one_large_share(void **state)
{
	enum { LOCKS = 80, THREADS = 80 };
	struct probekit_lock into = nameless(0x1000, 1);

	(void)state;
	for (unsigned int i = 0; i < LOCKS; i++) {
		struct probekit_lock from = nameless(0x2000 + i, 1);

		for (pid_t tid = 1; tid <= THREADS; tid++) /* each time others come first */
			add_holder(&from, tid, (1 + (tid + i) % THREADS) / 1000.0, 1);
		join(&into, i, &from, 1);
	}
	lock_keep_holders(&into);
	assert_int_equal(into.holder_count, 64);
	assert_int_equal(into.holder_threads, THREADS);
	for (size_t i = 0; i < into.holder_count; i++) {
		assert_int_equal(into.holders[i].long_waits, LOCKS);
		if (i)
			assert_true(into.holders[i].share <= into.holders[i - 1].share);
		assert_true(into.holders[i].share > 0.04 && into.holders[i].share < 0.041);
	}
	lock_done(&into);
}

static void a_stack_of_what_a_thread_held_longer_is_told_if_there_is_one(void **state)
{
	struct probekit_lock into = nameless(0x1000, 1);
	struct probekit_lock from = nameless(0x2000, 1);

	(void)state;
	for (pid_t tid = 1; tid <= 2; tid++) {
		add_holder(&into, tid, 0.1, 0);
		add_holder(&from, tid, 0.2, 0);
		for (size_t i = 0; i < 2; i++) {
			struct probekit_lock *lock = i ? &from : &into;
			struct probekit_stack *stack = &lock->holders[tid - 1].holder->stack;

			stack_done(stack);
			*stack = (struct probekit_stack){0};
			if (!i || tid == 1)
				*stack = calls(i ? "longer" : "shorter", 1);
		}
	}
	join(&into, 1, &from, 1);
	lock_keep_holders(&into);
	assert_int_equal(into.holder_count, 2);
	assert_string_equal(into.holders[0].holder->stack.frames[0].function, "longer");
	assert_string_equal(into.holders[1].holder->stack.frames[0].function, "shorter");
	lock_done(&into);
}

/* Their shares are of what was sampled, not of all time. */
static void wakers_of_one_lock_alone_keep_their_shares(void **state)
{
	struct probekit_lock into = nameless(0x1000, 1);
	struct probekit_lock from = nameless(0x2000, 1);
	struct probekit_lock last = nameless(0x3000, 1);

	(void)state;
	add_waker(&from, 1, "release", 1);
	join(&into, 300, &from, 100);
	assert_near(into.wakers[0].share, 1);
	join(&into, 400, &last, 100);
	assert_near(into.wakers[0].share, 1);
	lock_done(&into);
}

static void without_memory_nothing_is_lost_twice(void **state)
{
	(void)state;
	for (unsigned int i = 1; i <= 4; i++) { /* lists */
		struct probekit_lock into = nameless(0x1000, 1);
		struct probekit_lock from = nameless(0x2000, 1);

		add_span(&into, "web:request", 0.5);
		add_span(&from, "web:request", 0.5);
		add_holder(&from, 1, 0.5, 0);
		add_waker(&from, 1, "release", 1);
		allocations_left = i;
		assert_int_equal(lock_join(&into, 1, &from, 1), -ENOMEM);
		assert_int_equal(allocations_left, 0);
		assert_int_equal(into.objects, 1);
		lock_done(&into);
		lock_done(&from);
	}
}

/* ---- all of a snapshot ---- */

static void add_group(struct lock_groups *groups, struct probekit_lock lock)
{
	struct lock_group *group = zeroed(1, sizeof(*group));
	const struct lock_word word = {{lock.address, 42}, lock.address};

	group->lock = lock;
	group->whole_ns = 1000 - groups->size;
	group->threads[0] = 1ull << groups->size;
	assert_int_equal(lock_words_add(&group->words, &word, 1), 0);
	groups->items = grown(groups->items, groups->size, sizeof(struct lock_group *));
	groups->items[groups->size++] = group;
}

/* The first and the third are alike, the second and the fifth. */
static struct lock_groups five_groups(void)
{
	struct lock_groups groups = {0};

	for (unsigned int i = 0; i < 5; i++) {
		struct probekit_lock lock = nameless(0x1000 + 16 * i, 1);

		if (i % 3 == 1) {
			stack_done(&lock.waiters[0]);
			lock.waiters[0] = calls("elsewhere", 1);
		}
		if (i == 3)
			lock.symbol = copied("alone");
		add_group(&groups, lock);
	}
	return groups;
}

static void groups_that_are_alike_are_one_with_the_words_and_threads_of_all(void **state)
{
	struct lock_groups groups = five_groups();

	(void)state;
	assert_int_equal(lock_groups_join(&groups), 0);
	assert_int_equal(groups.size, 3);
	for (size_t i = 0; i < groups.size; i++)
		assert_int_equal(groups.items[i]->lock.objects, i == 2 ? 1 : 2);
	assert_int_equal(groups.items[0]->whole_ns, 1998);
	assert_int_equal(groups.items[0]->threads[0], 5);
	assert_int_equal(groups.items[0]->words.size, 2);
	assert_non_null(lock_word_at(&groups.items[0]->words, (struct futex_place){0x1020, 42}));
	assert_null(lock_word_at(&groups.items[0]->words, (struct futex_place){0x1010, 42}));
	assert_string_equal(groups.items[2]->lock.symbol, "alone");
	lock_groups_done(&groups);
}

static void without_memory_each_group_is_there_once(void **state)
{
	int result = -ENOMEM;

	(void)state;
	for (unsigned int i = 1; result; i++) {
		struct lock_groups groups = five_groups();

		allocations_left = i;
		result = lock_groups_join(&groups);
		allocations_left = 0;
		for (size_t k = 0; k < groups.size; k++)
			for (size_t j = 0; j < k; j++)
				assert_ptr_not_equal(groups.items[k], groups.items[j]);
		lock_groups_done(&groups);
		assert_true(i < 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_joined_row_is_still_like_what_it_was_joined_of),
		cmocka_unit_test(numbers_are_added_and_the_object_stays),
		cmocka_unit_test(the_shortest_wait_is_that_of_locks_with_waits),
		cmocka_unit_test(histograms_are_added_bucket_by_bucket),
		cmocka_unit_test(shares_are_weighted_by_time),
		cmocka_unit_test(locks_without_time_weigh_the_same),
		cmocka_unit_test(a_larger_share_of_the_added_lock_comes_first),
		cmocka_unit_test(only_the_largest_shares_are_kept),
		cmocka_unit_test(one_holder_of_both_has_the_long_waits_of_both),
		cmocka_unit_test(small_shares_of_many_locks_are_one_large_share),
		cmocka_unit_test(a_stack_of_what_a_thread_held_longer_is_told_if_there_is_one),
		cmocka_unit_test(wakers_of_one_lock_alone_keep_their_shares),
		cmocka_unit_test(without_memory_nothing_is_lost_twice),
		cmocka_unit_test(groups_that_are_alike_are_one_with_the_words_and_threads_of_all),
		cmocka_unit_test(without_memory_each_group_is_there_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
