/* SPDX-License-Identifier: BSD-2-Clause */
/* The tail, its causes with all their evidence, slow and open spans: written and read back. */
#include "snapshots.h"

#include <stdio.h>
#include <string.h>

#include "breakdown.h"
#include "causes_json.h"

static void causes_read_back_are_equal(void **state)
{
	struct probekit_snapshot *made = example_of_causes();
	struct probekit_snapshot *read = read_back(made);

	(void)state;
	assert_int_equal(read->probes[0].cause_count, PROBEKIT_CLASS_COUNT);
	for (size_t i = 0; i < PROBEKIT_CLASS_COUNT; i++) {
		const struct probekit_cause *a = &made->probes[0].causes[i];
		const struct probekit_cause *b = &read->probes[0].causes[i];

		assert_int_equal(a->time_class, b->time_class);
		assert_same_text(a->syscall, b->syscall);
		assert_int_equal(a->pid, b->pid);
		assert_true(a->address == b->address);
		assert_same_text(a->symbol, b->symbol);
		assert_same_text(a->place, b->place);
		assert_same_text(a->lock_kind, b->lock_kind);
		assert_same_text(a->object, b->object);
		assert_same_text(a->direction, b->direction);
		assert_true(a->time_ns == b->time_ns && a->share == b->share);
		assert_true(a->count == b->count && a->spans == b->spans);
		assert_same_stack(&a->stack, &b->stack);
		assert_same_stack(&a->kernel_stack, &b->kernel_stack);
		assert_same_holder(a->holder, b->holder);
		assert_same_thread(&a->waker, &b->waker);
		assert_same_stack(&a->waker_stack, &b->waker_stack);
		assert_same_thread(&a->thief, &b->thief);
	}
	probekit_snapshot_free(made);
	probekit_snapshot_free(read);
}

static void tail_waits_slow_and_open_spans_read_back_are_equal(void **state)
{
	struct probekit_snapshot *made = example_of_causes();
	struct probekit_snapshot *read = read_back(made);
	const struct probekit_probe *a = &made->probes[0];
	const struct probekit_probe *b = &read->probes[0];

	(void)state;
	assert_int_equal(a->tail.exponent, b->tail.exponent);
	assert_true(a->tail.from_ns == b->tail.from_ns && a->tail.count == b->tail.count);
	assert_true(a->tail.share_of_spans == b->tail.share_of_spans &&
		    a->tail.share_of_time == b->tail.share_of_time);
	assert_memory_equal(a->tail.time_ns, b->tail.time_ns, sizeof(a->tail.time_ns));
	assert_int_equal(b->wait_count, 1);
	assert_true(b->waits[0].is_slow);
	assert_string_equal(b->waits[0].object, "10.0.0.1:80");
	assert_string_equal(b->waits[0].direction, "read");
	assert_int_equal(b->waits[0].other_pid, 9);
	assert_string_equal(b->waits[0].other_comm, "peer");
	assert_int_equal(b->slowest_count, 1);
	assert_true(b->slowest[0].ended_unix_ns == 1767225600123456789);
	assert_same_thread(&b->slowest[0].thread, &a->slowest[0].thread);
	assert_true(b->slowest[0].has_key && b->slowest[0].key == -7);
	assert_int_equal(b->slowest[0].duration_ns, 63000000);
	assert_memory_equal(a->slowest[0].time_ns, b->slowest[0].time_ns,
			    sizeof(a->slowest[0].time_ns));
	assert_int_equal(b->open_count, 1);
	assert_string_equal(b->open[0].blocked_in, "futex");
	assert_int_equal(b->open[0].blocked_ns, 98);
	assert_int_equal(b->open[0].lock_address, 0x10);
	assert_string_equal(b->open[0].lock_symbol, "lock_a");
	assert_string_equal(b->open[0].lock_place, "logger+0x10");
	assert_int_equal(b->open[0].holder_tid, 44);
	assert_true(b->open[0].is_deadlock);
	assert_int_equal(b->open[0].blocker_count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct probekit_blocker *was = &a->open[0].blockers[i];
		const struct probekit_blocker *is = &b->open[0].blockers[i];

		assert_same_thread(&was->thread, &is->thread);
		assert_int_equal(was->lock_address, is->lock_address);
		assert_same_stack(&was->stack, &is->stack);
	}
	assert_string_equal(b->open[0].blockers[0].lock_symbol, "lock_b");
	assert_string_equal(b->open[0].blockers[0].lock_place, "logger+0x20");
	assert_same_stack(&a->open[0].stack, &b->open[0].stack);
	probekit_snapshot_free(made);
	probekit_snapshot_free(read);
}

static void causes_have_the_members_of_the_contract(void **state)
{
	static const struct {
		enum probekit_class time_class;
		const char *key;
	} objects[] = {
		{PROBEKIT_CLASS_LOCK, "file"},	       {PROBEKIT_CLASS_DISK, "file"},
		{PROBEKIT_CLASS_NETWORK, "peer"},      {PROBEKIT_CLASS_IPC, "peer"},
		{PROBEKIT_CLASS_PAGEFAULT, "mapping"}, {PROBEKIT_CLASS_THROTTLED, "cgroup"},
		{PROBEKIT_CLASS_MEMORY, "cgroup"},
	};
	json_t *root = to_tree(example_of_causes());
	char path[64];

	(void)state;
	for (size_t i = 0; i < COUNT(objects); i++) {
		snprintf(path, sizeof(path), "probes/0/causes/%d/%s", (int)objects[i].time_class,
			 objects[i].key);
		assert_member_text(root, path, "/data/index\\n");
	}
	assert_true(json_is_null(member_at(root, "probes/0/causes/4/peer")));
	assert_member_text(root, "probes/0/causes/5/direction", "write");
	assert_member_text(root, "probes/0/causes/3/lock/kind", "rwlock");
	assert_member_text(root, "probes/0/causes/3/lock/address", "0x7fff12345678");
	assert_member_text(root, "probes/0/causes/3/stack/1/file", "logger.c");
	assert_int_equal(json_integer_value(member_at(root, "probes/0/causes/3/stack/1/line")), 61);
	assert_true(json_is_null(member_at(root, "probes/0/causes/3/stack/0/line")));
	assert_member_text(root, "probes/0/causes/3/released_by/comm", "producer");
	assert_member_text(root, "probes/0/causes/3/released_by/stack/1/file", "logger.c");
	assert_member_text(root, "probes/0/causes/6/released_by/comm", "producer");
	assert_int_equal(json_integer_value(member_at(root, "probes/0/causes/1/thief/pid")), 7);
	assert_true(json_is_null(member_at(root, "probes/0/causes/1/thief/tid")));
	assert_true(json_number_value(
			    member_at(root, "probes/0/causes/3/holder/blocked_in/fsync")) == 0.94);
	assert_member_text(root, "probes/0/causes/3/holder/waits_for/lock/symbol", "inner");
	assert_int_equal(json_integer_value(
				 member_at(root, "probes/0/causes/1/holder/waits_for/holder/tid")),
			 101);
	assert_true(json_is_null(
		member_at(root, "probes/0/causes/1/holder/waits_for/holder/waits_for")));
	assert_member_text(root, "probes/0/open/0/lock/symbol", "lock_a");
	assert_true(json_is_true(member_at(root, "probes/0/open/0/is_deadlock")));
	assert_member_text(root, "probes/0/slowest/0/at", "2026-01-01T00:00:00.123456789Z");
	json_decref(root);
}

static void what_is_not_known_is_null_or_empty(void **state)
{
	struct probekit_snapshot *snapshot = snapshot_new(1);
	struct probekit_probe *probe = &snapshot->probes[0];
	static const char *const nulls[] = {
		"probes/0/causes/0/syscall",  "probes/0/causes/0/lock",
		"probes/0/causes/0/file",     "probes/0/causes/0/peer",
		"probes/0/causes/0/mapping",  "probes/0/causes/0/cgroup",
		"probes/0/causes/0/holder",   "probes/0/causes/0/released_by",
		"probes/0/causes/0/thief",    "probes/0/causes/0/stack_share",
		"probes/0/open/0/lock",	      "probes/0/open/0/blocked_in",
		"probes/0/open/0/holder_tid", "probes/0/open/0/blocked_ns"};
	json_t *root;
	char *text;

	(void)state;
	probe->name = copied("a:b");
	probe->count = probe->histogram.zero_count = 1;
	probe->has_time = true;
	probe->causes = zeroed(1, sizeof(*probe->causes));
	probe->cause_count = 1;
	probe->open = zeroed(1, sizeof(*probe->open));
	probe->open_count = 1;
	text = to_json(snapshot, true);
	root = json_loads(text, 0, NULL);
	for (size_t i = 0; i < COUNT(nulls); i++)
		if (!json_is_null(member_at(root, nulls[i])))
			fail_msg("%s is not null", nulls[i]);
	assert_true(json_is_null(member_at(root, "probes/0/tail")));
	assert_int_equal(json_array_size(member_at(root, "probes/0/causes/0/stack")), 0);
	assert_int_equal(json_array_size(member_at(root, "probes/0/slowest")), 0);
	json_decref(root);
	free(text);
	probekit_snapshot_free(snapshot);
}

static void a_threshold_has_no_exponent(void **state)
{
	struct probekit_snapshot *made = example_of_causes();
	struct probekit_snapshot *read;
	char *text;

	(void)state;
	made->probes[0].tail.exponent = INT32_MIN;
	text = to_json(made, true);
	read = from_json(text);
	assert_non_null(strstr(text, "\"tail\":{\"exponent\":null"));
	assert_int_equal(read->probes[0].tail.exponent, INT32_MIN);
	free(text);
	probekit_snapshot_free(made);
	probekit_snapshot_free(read);
}

static void holders_beyond_the_bound_are_not_written(void **state)
{
	struct probekit_snapshot *made = example_of_causes();
	struct probekit_snapshot *read;
	const struct probekit_holder *holder;
	size_t depth = 0;
	char *text;

	(void)state;
	holder_free(made->probes[0].causes[0].holder);
	made->probes[0].causes[0].holder = new_holder(HOLDERS_MAX + 3);
	text = to_json(made, true);
	read = from_json(text);
	for (holder = read->probes[0].causes[0].holder; holder; holder = holder->next)
		depth++;
	assert_int_equal(depth, HOLDERS_MAX);
	free(text);
	probekit_snapshot_free(made);
	probekit_snapshot_free(read);
}

static void wrong_evidence_is_refused_with_its_place(void **state)
{
	static const struct wrong_member members[] = {
		{"probes/0", "tail", "7", "probes[0].tail is not an object"},
		{"probes/0/tail", "share_of_time", "1.5",
		 "tail.share_of_time is not within 0 and 1"},
		{"probes/0/tail", "from_ns", "null", "tail.from_ns is missing"},
		{"probes/0", "causes", "{}", "causes is not a list"},
		{"probes/0", "causes", "[7]", "causes[0]. is not an object"},
		{"probes/0/causes/1", "class", "\"mutex\"", "causes[1].class is none"},
		{"probes/0/causes/1", "share", "\"1\"", "causes[1].share is not a number"},
		{"probes/0/causes/4", "file", "7", "causes[4].file is not a string"},
		{"probes/0/causes/3", "lock", "7", "causes[3].lock is not an object"},
		{"probes/0/causes/3/lock", "address", "null", "causes[3].lock.address is missing"},
		{"probes/0/causes/3/lock", "address", "\"0x\"",
		 "causes[3].lock.address is not an address"},
		{"probes/0/causes/3/lock", "address", "\"0x1g\"", "is not an address"},
		{"probes/0/causes/3/lock", "address", "\"0x11111111111111111\"",
		 "is not an address"},
		{"probes/0/causes/3/lock", "address", "5", "is not an address"},
		{"probes/0/causes/3", "stack", "[3]", "causes[3].stack[0]. is not an object"},
		{"probes/0/causes/3/stack/1", "line", "-1",
		 "causes[3].stack[1].line is out of range"},
		{"probes/0/causes/3/stack/1", "is_inlined", "1",
		 "stack[1].is_inlined is not a boolean"},
		{"probes/0/causes/3", "stack_share", "2", "causes[3].stack_share is not within"},
		{"probes/0/causes/3", "kernel_stack", "{}", "causes[3].kernel_stack is not a list"},
		{"probes/0/causes/3", "holder", "[]", "causes[3].holder. is not an object"},
		{"probes/0/causes/3/holder", "blocked_in", "[]",
		 "holder.blocked_in is not an object"},
		{"probes/0/causes/3/holder/blocked_in", "fsync", "-1",
		 "holder.blocked_in is not within"},
		{"probes/0/causes/3/holder/blocked_in", "a\"b", "1",
		 "holder.blocked_in has a name"},
		{"probes/0/causes/3/holder", "waits_for", "7",
		 "holder.waits_for. is not an object"},
		{"probes/0/causes/3/holder/waits_for", "lock", "null",
		 "holder.waits_for.lock is missing"},
		{"probes/0/causes/3/holder/waits_for", "holder", "7",
		 "causes[3].holder.waits_for.holder. is not an object"},
		{"probes/0/causes/3", "released_by", "{}",
		 "causes[3].released_by. names no thread"},
		{"probes/0/causes/1", "thief", "[]", "causes[1].thief is not an object"},
		{"probes/0", "slowest", "[[]]", "slowest[0]. is not an object"},
		{"probes/0/slowest/0", "at", "\"noon\"", "slowest[0].at is not a time"},
		{"probes/0/slowest/0", "key", "\"other\"", "slowest[0].key is not an integer"},
		{"probes/0/slowest/0", "time_ns", "[]", "slowest[0].time_ns is not an object"},
		{"probes/0/open/0", "is_deadlock", "1", "open[0].is_deadlock is not a boolean"},
		{"probes/0/open/0/lock", "symbol", "1", "open[0].lock.symbol is not a string"},
		{"probes/0/open/0", "blockers", "{}", "open[0].blockers is not a list"},
		{"probes/0/open/0/blockers/0", "tid", "\"x\"",
		 "open[0].blockers[0].tid is not an integer"},
		{"probes/0/waits/0", "is_slow", "1", "waits[0].is_slow is not a boolean"},
	};

	(void)state;
	refuse_members(example_of_causes, members, COUNT(members));
}

static void holders_that_are_nested_too_deep_are_refused(void **state)
{
	json_t *root = to_tree(example_of_causes());
	json_t *holder = json_null();

	(void)state;
	for (int i = 0; i <= HOLDERS_MAX; i++)
		holder = json_pack("{s:{s:{s:s}, s:o}}", "waits_for", "lock", "address", "0x1",
				   "holder", holder);
	json_object_set_new(member_at(root, "probes/0/causes/3"), "holder", holder);
	refuse_tree(root, "is nested too deep");
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(causes_read_back_are_equal),
		cmocka_unit_test(tail_waits_slow_and_open_spans_read_back_are_equal),
		cmocka_unit_test(causes_have_the_members_of_the_contract),
		cmocka_unit_test(what_is_not_known_is_null_or_empty),
		cmocka_unit_test(a_threshold_has_no_exponent),
		cmocka_unit_test(holders_beyond_the_bound_are_not_written),
		cmocka_unit_test(wrong_evidence_is_refused_with_its_place),
		cmocka_unit_test(holders_that_are_nested_too_deep_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
