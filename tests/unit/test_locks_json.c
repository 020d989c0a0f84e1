/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks and deadlocks: written and read back, and what is refused of them. */
#include "snapshots.h"

#include "breakdown.h"
#include "causes_json.h"

static struct probekit_lock_waker new_waker(void)
{
	struct probekit_lock_waker waker = {
		.share = 0.6,
		.thread = {42, 44, "producer"},
		.stack = new_stack(0.75),
		.did = zeroed(2, sizeof(*waker.did)),
		.did_count = 2,
	};

	waker.did[0] = (struct probekit_activity){copied("read"), 0.7};
	waker.did[1] = (struct probekit_activity){copied("oncpu"), 0.25};
	return waker;
}

static void add_waits(struct probekit_lock *lock)
{
	struct probekit_histogram *h = &lock->waits.histogram;

	lock->waits.kind = PROBEKIT_KIND_USDT;
	lock->waits.count = 6;
	lock->waits.sum = 12345678;
	lock->waits.min = 1000;
	lock->waits.max = 9000000;
	h->scale = 4;
	h->zero_count = 1;
	h->size = 2;
	h->index = zeroed(2, sizeof(*h->index));
	h->count = zeroed(2, sizeof(*h->count));
	h->index[0] = -319;
	h->count[0] = 2;
	h->index[1] = -108;
	h->count[1] = 3;
}

static void add_lists(struct probekit_lock *lock)
{
	lock->spans = zeroed(1, sizeof(*lock->spans));
	lock->span_count = 1;
	lock->spans[0] = (struct probekit_lock_span){copied("web:\x1brequest"), 0.5};
	lock->waiters = zeroed(2, sizeof(*lock->waiters));
	lock->waiter_count = 2;
	lock->waiters[0] = new_stack(0.8);
	lock->waiters[1] = new_stack(0.125);
	lock->holders = zeroed(2, sizeof(*lock->holders));
	lock->holder_count = 2;
	lock->holders[0] = (struct probekit_lock_holder){0.9, true, 5, new_holder(HOLDERS_MAX)};
	lock->holders[1] = (struct probekit_lock_holder){0.0625, false, 0, new_holder(1)};
	lock->wakers = zeroed(1, sizeof(*lock->wakers));
	lock->waker_count = 1;
	lock->wakers[0] = new_waker();
}

static void fill_lock(struct probekit_lock *lock)
{
	*lock = (struct probekit_lock){
		.pid = 42,
		.address = 0xffff800012345678,
		.symbol = copied("log_mutex"),
		.place = copied("logger+0x4050"),
		.name = copied("logger:\"lock\""),
		.kind = copied("rwlock"),
		.access = PROBEKIT_LOCK_WRITE,
		.is_shared = true,
		.objects = 3,
		.holder_threads = 150,
		.runqueue_ns = 11,
		.threads = 12,
		.handoffs = 13,
		.barged = 14,
		.waiting = 15,
		.waiting_ns = 16,
		.unowned_share = 0.25,
	};
	add_waits(lock);
	add_lists(lock);
}

/* One that waits, and one of which nothing more is known. */
static void add_deadlock(struct probekit_snapshot *snapshot)
{
	struct probekit_deadlock *deadlock = zeroed(1, sizeof(*deadlock));

	snapshot->deadlocks = deadlock;
	snapshot->deadlock_count = 1;
	deadlock->threads = zeroed(2, sizeof(*deadlock->threads));
	deadlock->size = 2;
	deadlock->threads[0] = (struct probekit_blocker){
		.thread = {42, 43, "worker"},
		.lock_address = 0x5000,
		.lock_symbol = copied("a"),
		.lock_place = copied("logger+0x5000"),
		.stack = new_stack(1),
	};
	deadlock->threads[1].thread = (struct probekit_thread){42, 44, ""};
}

/* Everything is set in the first lock, nothing in the second. */
static struct probekit_snapshot *new_example(void)
{
	struct probekit_snapshot *snapshot = snapshot_new(0);

	snapshot->info.has_locks = true;
	snapshot->locks = zeroed(2, sizeof(*snapshot->locks));
	snapshot->lock_count = 2;
	fill_lock(&snapshot->locks[0]);
	snapshot->locks[1].access = PROBEKIT_LOCK_READ;
	add_deadlock(snapshot);
	return snapshot;
}

static void assert_same_numbers(const struct probekit_lock *a, const struct probekit_lock *b)
{
	assert_int_equal(a->pid, b->pid);
	assert_true(a->address == b->address);
	assert_same_text(a->symbol, b->symbol);
	assert_same_text(a->place, b->place);
	assert_same_text(a->name, b->name);
	assert_same_text(a->kind, b->kind);
	assert_int_equal(a->access, b->access);
	assert_int_equal(a->is_shared, b->is_shared);
	assert_int_equal(a->objects, b->objects);
	assert_int_equal(a->holder_threads, b->holder_threads);
	assert_true(a->waits.count == b->waits.count && a->waits.sum == b->waits.sum);
	assert_true(a->waits.min == b->waits.min && a->waits.max == b->waits.max);
	assert_same_histogram(&a->waits.histogram, &b->waits.histogram);
	assert_true(a->runqueue_ns == b->runqueue_ns && a->threads == b->threads);
	assert_true(a->handoffs == b->handoffs && a->barged == b->barged);
	assert_true(a->waiting == b->waiting && a->waiting_ns == b->waiting_ns);
	assert_true(a->unowned_share == b->unowned_share);
}

static void assert_same_waker(const struct probekit_lock_waker *a,
			      const struct probekit_lock_waker *b)
{
	assert_true(a->share == b->share);
	assert_same_thread(&a->thread, &b->thread);
	assert_same_stack(&a->stack, &b->stack);
	assert_int_equal(a->did_count, b->did_count);
	for (size_t i = 0; i < a->did_count; i++) {
		assert_string_equal(a->did[i].name, b->did[i].name);
		assert_true(a->did[i].share == b->did[i].share);
	}
}

static void assert_same_lists(const struct probekit_lock *a, const struct probekit_lock *b)
{
	assert_int_equal(a->span_count, b->span_count);
	for (size_t i = 0; i < a->span_count; i++) {
		assert_string_equal(a->spans[i].name, b->spans[i].name);
		assert_true(a->spans[i].share == b->spans[i].share);
	}
	assert_int_equal(a->waiter_count, b->waiter_count);
	for (size_t i = 0; i < a->waiter_count; i++)
		assert_same_stack(&a->waiters[i], &b->waiters[i]);
	assert_int_equal(a->holder_count, b->holder_count);
	for (size_t i = 0; i < a->holder_count; i++) {
		assert_true(a->holders[i].share == b->holders[i].share);
		assert_int_equal(a->holders[i].is_certain, b->holders[i].is_certain);
		assert_true(a->holders[i].long_waits == b->holders[i].long_waits);
		assert_same_holder(a->holders[i].holder, b->holders[i].holder);
	}
	assert_int_equal(a->waker_count, b->waker_count);
	for (size_t i = 0; i < a->waker_count; i++)
		assert_same_waker(&a->wakers[i], &b->wakers[i]);
}

static void locks_read_back_are_equal(void **state)
{
	struct probekit_snapshot *made = new_example();
	struct probekit_snapshot *read = read_back(made);

	(void)state;
	assert_true(probekit_snapshot_info(read)->has_locks);
	assert_int_equal(probekit_snapshot_lock_count(read), 2);
	for (size_t i = 0; i < 2; i++) {
		assert_same_numbers(probekit_snapshot_lock(made, i),
				    probekit_snapshot_lock(read, i));
		assert_same_lists(probekit_snapshot_lock(made, i), probekit_snapshot_lock(read, i));
	}
	assert_null(probekit_snapshot_lock(read, 2));
	probekit_snapshot_free(made);
	probekit_snapshot_free(read);
}

static void deadlocks_read_back_are_equal(void **state)
{
	struct probekit_snapshot *made = new_example();
	struct probekit_snapshot *read = read_back(made);

	(void)state;
	assert_int_equal(probekit_snapshot_deadlock_count(read), 1);
	assert_int_equal(probekit_snapshot_deadlock(read, 0)->size, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct probekit_blocker *a = &made->deadlocks[0].threads[i];
		const struct probekit_blocker *b = &read->deadlocks[0].threads[i];

		assert_same_thread(&a->thread, &b->thread);
		assert_true(a->lock_address == b->lock_address);
		assert_same_text(a->lock_symbol, b->lock_symbol);
		assert_same_text(a->lock_place, b->lock_place);
		assert_same_stack(&a->stack, &b->stack);
	}
	assert_null(probekit_snapshot_deadlock(read, 1));
	probekit_snapshot_free(made);
	probekit_snapshot_free(read);
}

static void none_measured_is_not_none_waited_for(void **state)
{
	(void)state;
	for (int has_locks = 0; has_locks < 2; has_locks++) {
		struct probekit_snapshot *made = snapshot_new(0);
		struct probekit_snapshot *read;
		json_t *root;

		made->info.has_locks = has_locks;
		read = read_back(made);
		assert_int_equal(probekit_snapshot_info(read)->has_locks, has_locks);
		assert_int_equal(probekit_snapshot_lock_count(read), 0);
		probekit_snapshot_free(read);
		root = to_tree(made);
		assert_int_equal(json_is_array(member_at(root, "locks")), has_locks);
		assert_int_equal(json_is_array(member_at(root, "deadlocks")), has_locks);
		assert_int_equal(json_is_null(member_at(root, "locks")), !has_locks);
		json_decref(root);
	}
}

static void locks_have_the_members_of_the_contract(void **state)
{
	static const char *const nulls[] = {
		"symbol", "place", "name", "kind", "quantiles_ns/0.5", "quantiles_ns/0.99",
	};
	json_t *root = to_tree(new_example());
	json_t *lock = member_at(root, "locks/0");

	(void)state;
	assert_member_text(lock, "address", "0xffff800012345678");
	assert_member_text(lock, "access", "write");
	assert_member_text(root, "locks/1/access", "read");
	assert_int_equal(json_integer_value(member_at(lock, "quantiles_ns/0.99")), 9000000);
	assert_true(json_number_value(member_at(lock, "holders/0/blocked_in/fsync")) == 0.94);
	assert_member_text(lock, "holders/0/waits_for/lock/symbol", "inner");
	assert_member_text(lock, "holders/0/waits_for/holder/thief/comm", "thief");
	assert_true(json_is_null(member_at(lock, "holders/1/waits_for")));
	assert_true(json_number_value(member_at(lock, "wakers/0/did/read")) == 0.7);
	assert_member_text(root, "deadlocks/0/0/lock/symbol", "a");
	assert_true(json_is_null(member_at(root, "deadlocks/0/1/lock")));
	for (size_t i = 0; i < COUNT(nulls); i++)
		if (!json_is_null(member_at(member_at(root, "locks/1"), nulls[i])))
			fail_msg("%s is not null", nulls[i]);
	json_decref(root);
}

static void holders_beyond_the_bound_are_not_written(void **state)
{
	struct probekit_snapshot *made = new_example();
	struct probekit_snapshot *read;
	size_t depth = 0;

	(void)state;
	holder_free(made->locks[0].holders[0].holder);
	made->locks[0].holders[0].holder = new_holder(HOLDERS_MAX + 3);
	read = read_back(made);
	for (const struct probekit_holder *h = read->locks[0].holders[0].holder; h; h = h->next)
		depth++;
	assert_int_equal(depth, HOLDERS_MAX);
	probekit_snapshot_free(made);
	probekit_snapshot_free(read);
}

static void wrong_numbers_are_refused_with_their_place(void **state)
{
	static const struct wrong_member members[] = {
		{"", "locks", "{}", "locks is not a list"},
		{"", "locks", "7", "locks is not a list"},
		{"", "locks", "[[]]", "locks[0]. is not an object"},
		{"locks/1", "pid", "null", "locks[1].pid is missing"},
		{"locks/1", "pid", "2147483648", "locks[1].pid is out of range"},
		{"locks/0", "address", "\"log_mutex\"", "locks[0].address is not an address"},
		{"locks/0", "symbol", "7", "locks[0].symbol is not a string"},
		{"locks/0", "place", "[]", "locks[0].place is not a string"},
		{"locks/0", "name", "true", "locks[0].name is not a string"},
		{"locks/0", "kind", "{}", "locks[0].kind is not a string"},
		{"locks/0", "access", "\"both\"", "locks[0].access is neither"},
		{"locks/0", "access", "1", "locks[0].access is neither"},
		{"locks/0", "is_shared", "1", "locks[0].is_shared is not a boolean"},
		{"locks/0", "objects", "-1", "locks[0].objects is out of range"},
		{"locks/0", "holder_threads", "-1", "locks[0].holder_threads is out of range"},
		{"locks/0", "objects", "4294967296", "locks[0].objects is out of range"},
		{"locks/0", "waits", "null", "locks[0].waits is missing"},
		{"locks/0", "waits", "-6", "locks[0].waits is out of range"},
		{"locks/0", "waits", "5", "locks[0].waits is not what the histogram holds"},
		{"locks/1", "waits", "1", "locks[1].waits is not what the histogram holds"},
		{"locks/0", "wait_ns", "null", "locks[0].wait_ns is missing"},
		{"locks/0", "wait_ns", "-1", "locks[0].wait_ns is negative"},
		{"locks/0", "wait_ns", "1.5", "locks[0].wait_ns is not an integer"},
		{"locks/0", "min_ns", "-1", "locks[0].min_ns is negative, or above"},
		{"locks/0", "min_ns", "9000001", "locks[0].min_ns is negative, or above"},
		{"locks/0", "max_ns", "-1", "locks[0].min_ns is negative, or above"},
		{"locks/0", "runqueue_ns", "-1", "locks[0].runqueue_ns is out of range"},
		{"locks/0", "threads", "-1", "locks[0].threads is out of range"},
		{"locks/0", "waiting", "-1", "locks[0].waiting is out of range"},
		{"locks/0", "waiting_ns", "-1", "locks[0].waiting_ns is out of range"},
		{"locks/0", "handoffs", "-1", "locks[0].handoffs is out of range"},
		{"locks/0", "barged", "\"1\"", "locks[0].barged is not an integer"},
		{"locks/0", "unowned_share", "1.01", "locks[0].unowned_share is not within"},
		{"locks/0", "histogram", "null", "locks[0].histogram is not an object"},
		{"locks/0/histogram", "unit", "\"1\"", "locks[0].histogram.unit is not \"s\""},
		{"locks/0/histogram", "negative_count", "1",
		 "locks[0].histogram.negative_count is not 0"},
	};

	(void)state;
	refuse_members(new_example, members, COUNT(members));
}

static void wrong_lists_are_refused_with_their_place(void **state)
{
	static const struct wrong_member members[] = {
		{"locks/0", "spans", "{}", "locks[0].spans is not a list"},
		{"locks/0/spans/0", "name", "null", "locks[0].spans[0].name is missing"},
		{"locks/0/spans/0", "share", "-0.1", "locks[0].spans[0].share is not within"},
		{"locks/0", "waiters", "7", "locks[0].waiters is not a list"},
		{"locks/0", "waiters", "[[]]", "locks[0].waiters[0]. is not an object"},
		{"locks/0/waiters/1", "stack", "{}", "locks[0].waiters[1].stack is not a list"},
		{"locks/0/waiters/1", "stack_share", "1.5", "waiters[1].stack_share is not within"},
		{"locks/0/waiters/1/stack/1", "line", "-1", "waiters[1].stack[1].line is out of"},
		{"locks/0", "holders", "{}", "locks[0].holders is not a list"},
		{"locks/0", "holders", "[7]", "locks[0].holders[0]. is not an object"},
		{"locks/0/holders/1", "share", "null", "locks[0].holders[1].share is missing"},
		{"locks/0/holders/1", "share", "2", "locks[0].holders[1].share is not within"},
		{"locks/0/holders/1", "is_certain", "null", "holders[1].is_certain is missing"},
		{"locks/0/holders/1", "is_certain", "1", "holders[1].is_certain is not a boolean"},
		{"locks/0/holders/1", "long_waits", "-1", "holders[1].long_waits is out of range"},
		{"locks/0/holders/1", "tid", "\"x\"", "locks[0].holders[1].tid is not an integer"},
		{"locks/0/holders/1", "blocked_in", "[]", "holders[1].blocked_in is not an object"},
		{"locks/0/holders/1", "thief", "{}", "holders[1].thief. names no thread"},
		{"locks/0/holders/0", "waits_for", "[]",
		 "locks[0].holders[0].waits_for. is not an object"},
		{"locks/0/holders/0/waits_for", "lock", "null",
		 "locks[0].holders[0].waits_for.lock is missing"},
		{"locks/0/holders/0/waits_for/holder", "comm", "7",
		 "locks[0].holders[0].waits_for.holder.comm is not a string"},
		{"locks/0", "wakers", "\"\"", "locks[0].wakers is not a list"},
		{"locks/0/wakers/0", "share", "null", "locks[0].wakers[0].share is missing"},
		{"locks/0/wakers/0", "pid", "4294967296", "wakers[0].pid is out of range"},
		{"locks/0/wakers/0", "did", "[]", "locks[0].wakers[0].did is not an object"},
		{"locks/0/wakers/0/did", "read", "2", "locks[0].wakers[0].did is not within"},
		{"locks/0/wakers/0/did", "", "1", "locks[0].wakers[0].did has a name"},
		{"locks/0/wakers/0", "stack", "[[]]", "wakers[0].stack[0]. is not an object"},
	};

	(void)state;
	refuse_members(new_example, members, COUNT(members));
}

static void wrong_deadlocks_are_refused_with_their_place(void **state)
{
	static const struct wrong_member members[] = {
		{"", "deadlocks", "{}", "deadlocks is not a list"},
		{"", "deadlocks", "[7]", "deadlocks[0]. is not a list of threads"},
		{"", "deadlocks", "[[]]", "deadlocks[0]. is not a list of threads"},
		{"", "deadlocks", "[[7]]", "deadlocks[0].[0]. is not an object"},
		{"deadlocks/0/1", "tid", "\"x\"", "deadlocks[0].[1].tid is not an integer"},
		{"deadlocks/0/1", "comm", "7", "deadlocks[0].[1].comm is not a string"},
		{"deadlocks/0/0", "lock", "7", "deadlocks[0].[0].lock is not an object"},
		{"deadlocks/0/0/lock", "address", "null", "[0].lock.address is missing"},
		{"deadlocks/0/0/lock", "place", "7", "[0].lock.place is not a string"},
		{"deadlocks/0/0", "stack", "7", "deadlocks[0].[0].stack is not a list"},
	};

	(void)state;
	refuse_members(new_example, members, COUNT(members));
}

static void holders_that_are_nested_too_deep_are_refused(void **state)
{
	json_t *root = to_tree(new_example());
	json_t *chain = json_null();

	(void)state;
	for (int i = 0; i < HOLDERS_MAX; i++)
		chain = json_pack("{s:{s:{s:s}, s:o}}", "waits_for", "lock", "address", "0x1",
				  "holder", chain);
	assert_int_equal(json_object_set_new(member_at(root, "locks/0/holders/1"), "waits_for",
					     json_pack("{s:{s:s}, s:o}", "lock", "address", "0x1",
						       "holder", chain)),
			 0);
	refuse_tree(root, "is nested too deep");
	json_decref(root);
}

/* One place after a chain was read is not that of the chain. */
static void a_place_after_a_chain_is_its_own(void **state)
{
	static const struct wrong_member members[] = {
		{"locks/0/holders/1", "share", "7", "': locks[0].holders[1].share"},
		{"locks/0/wakers/0", "share", "7", "': locks[0].wakers[0].share"},
		{"deadlocks/0/1", "pid", "\"\"", "': deadlocks[0].[1].pid"},
	};

	(void)state;
	refuse_members(new_example, members, COUNT(members));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locks_read_back_are_equal),
		cmocka_unit_test(deadlocks_read_back_are_equal),
		cmocka_unit_test(none_measured_is_not_none_waited_for),
		cmocka_unit_test(locks_have_the_members_of_the_contract),
		cmocka_unit_test(holders_beyond_the_bound_are_not_written),
		cmocka_unit_test(wrong_numbers_are_refused_with_their_place),
		cmocka_unit_test(wrong_lists_are_refused_with_their_place),
		cmocka_unit_test(wrong_deadlocks_are_refused_with_their_place),
		cmocka_unit_test(holders_that_are_nested_too_deep_are_refused),
		cmocka_unit_test(a_place_after_a_chain_is_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
