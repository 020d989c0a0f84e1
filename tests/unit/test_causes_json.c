/* SPDX-License-Identifier: BSD-2-Clause */
/* The tail, its causes with all their evidence, slow and open spans: written and read back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "breakdown.h"
#include "causes_json.h"
#include "snapshot.h"
#include "stack.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void *zeroed(size_t count, size_t size)
{
	void *made = calloc(count, size);

	assert_non_null(made);
	return made;
}

static char *copy(const char *text)
{
	char *made = strdup(text);

	assert_non_null(made);
	return made;
}

static struct probekit_stack new_stack(double share)
{
	struct probekit_frame frames[] = {
		{.function = "std::vector<int>::push_back(int&&)",
		 .module = "/lib/libc.so.6",
		 .module_offset = 0xffffffff81000000},
		{.function = "flush \x1b\"log\"",
		 .module = "/opt/logger",
		 .module_offset = 0x40,
		 .file = "logger.c",
		 .line = 61,
		 .is_inlined = true},
		{.module = NULL},
	};
	struct probekit_stack made;

	assert_int_equal(stack_copy(&made, &(struct probekit_stack){.frames = frames,
								    .size = COUNT(frames),
								    .is_complete = true,
								    .end = PROBEKIT_STACK_COMPLETE,
								    .share = share}),
			 0);
	return made;
}

static struct probekit_holder *new_holder(int depth)
{
	struct probekit_holder *holder = zeroed(1, sizeof(*holder));

	holder->thread = (struct probekit_thread){42, 100 + depth, "holder"};
	holder->threads = (uint32_t)depth;
	holder->activities = zeroed(2, sizeof(*holder->activities));
	holder->activity_count = 2;
	holder->activities[0] = (struct probekit_activity){copy("fsync"), 0.94};
	holder->activities[1] = (struct probekit_activity){copy("#451"), 0.05};
	holder->stack = new_stack(0.5);
	holder->file = copy("/var/log/app.log");
	if (depth > 1) {
		holder->next_address = 0x5000;
		holder->next_symbol = copy("inner");
		holder->next_place = copy("logger+0x60");
		holder->next = new_holder(depth - 1);
	}
	return holder;
}

/* A cause of every class, each with all that it can have. */
static void add_causes(struct probekit_probe *probe)
{
	probe->causes = zeroed(PROBEKIT_CLASS_COUNT, sizeof(*probe->causes));
	probe->cause_count = PROBEKIT_CLASS_COUNT;
	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++) {
		struct probekit_cause *cause = &probe->causes[i];

		cause->time_class = (enum probekit_class)i;
		cause->syscall = copy("read");
		cause->pid = 42;
		cause->address = 0x7fff12345678;
		cause->symbol = copy("log_mutex");
		cause->place = copy("logger+0x4050");
		cause->lock_kind = copy("rwlock");
		cause->object = copy("/data/index\n");
		cause->direction = copy("write");
		cause->time_ns = 1000;
		cause->share = 0.123456789;
		cause->count = 3;
		cause->spans = 2;
		cause->stack = new_stack(1);
		cause->kernel_stack = new_stack(0.25);
		cause->holder = new_holder(i % HOLDERS_MAX + 1);
		cause->waker = (struct probekit_thread){42, 9, "producer"};
		cause->waker_stack = new_stack(0.75);
		cause->thief = (struct probekit_thread){7, 0, "thief"};
	}
}

static void add_wait(struct probekit_probe *probe)
{
	const struct probekit_wait wait = {
		.exponent = -9,
		.is_slow = true,
		.time_class = PROBEKIT_CLASS_NETWORK,
		.object = "10.0.0.1:80",
		.direction = "read",
		.other_pid = 9,
		.other_comm = "peer",
		.time_ns = 5,
		.count = 2,
		.spans = 1,
	};

	assert_int_equal(breakdown_add_wait(probe, &wait), 0);
}

static void add_spans(struct probekit_probe *probe)
{
	probe->slowest = zeroed(1, sizeof(*probe->slowest));
	probe->slowest_count = 1;
	probe->slowest[0] = (struct probekit_slow_span){
		.ended_unix_ns = 1767225600123456789,
		.thread = {42, 43, "worker"},
		.has_key = true,
		.key = -7,
		.duration_ns = 63000000,
		.time_ns[PROBEKIT_CLASS_LOCK] = 62000000,
	};
	probe->open = zeroed(1, sizeof(*probe->open));
	probe->open_count = 1;
	probe->open[0] = (struct probekit_open_span){
		.pid = 42,
		.tid = 43,
		.comm = "worker",
		.age_ns = 99,
		.blocked_in = copy("futex"),
		.blocked_ns = 98,
		.lock_address = 0x10,
		.lock_symbol = copy("lock_a"),
		.lock_place = copy("logger+0x10"),
		.holder_tid = 44,
		.is_deadlock = true,
		.blockers = zeroed(2, sizeof(*probe->open[0].blockers)),
		.blocker_count = 2,
		.stack = new_stack(1),
	};
	probe->open[0].blockers[0] = (struct probekit_blocker){
		.thread = {42, 44, "holder"},
		.lock_address = 0x20,
		.lock_symbol = copy("lock_b"),
		.lock_place = copy("logger+0x20"),
		.stack = new_stack(1),
	};
	probe->open[0].blockers[1].thread = (struct probekit_thread){42, 45, ""};
}

static struct probekit_snapshot *new_example(void)
{
	struct probekit_snapshot *snapshot = snapshot_new(1);
	struct probekit_probe *probe = &snapshot->probes[0];

	probe->name = copy("logger:flush");
	probe->count = 4;
	probe->sum = 2000;
	probe->has_time = true;
	probe->histogram.zero_count = 4;
	probe->tail = (struct probekit_tail){
		.exponent = -10,
		.from_ns = 976563,
		.count = 4,
		.share_of_spans = 0.5,
		.share_of_time = 0.96,
		.time_ns[PROBEKIT_CLASS_LOCK] = 1000,
	};
	add_wait(probe);
	add_causes(probe);
	add_spans(probe);
	return snapshot;
}

static char *to_json(const struct probekit_snapshot *snapshot)
{
	char *text;

	assert_int_equal(probekit_snapshot_to_json(snapshot, true, &text, NULL), 0);
	return text;
}

static struct probekit_snapshot *from_json(const char *text)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err = {0};

	if (snapshot_from_json(text, strlen(text), "x.json", &snapshot, &err))
		fail_msg("%s", err.text);
	return snapshot;
}

static json_t *example_tree(void)
{
	struct probekit_snapshot *snapshot = new_example();
	char *text = to_json(snapshot);
	json_t *root = json_loads(text, 0, NULL);

	assert_non_null(root);
	probekit_snapshot_free(snapshot);
	free(text);
	return root;
}

/* "causes/0/holder" of the row: the value there. */
static json_t *at(json_t *root, const char *path)
{
	json_t *value = json_array_get(json_object_get(root, "probes"), 0);
	char part[64];

	while (*path) {
		size_t length = strcspn(path, "/");

		assert_true(length < sizeof(part));
		memcpy(part, path, length);
		part[length] = '\0';
		value = json_is_array(value) ? json_array_get(value, (size_t)atol(part))
					     : json_object_get(value, part);
		if (!value)
			fail_msg("nothing at %s", path);
		path += length + (path[length] == '/');
	}
	return value;
}

static void assert_same_text(const char *a, const char *b)
{
	if (a && b)
		assert_string_equal(a, b);
	else
		assert_true(!a && !b);
}

static void assert_same_stack(const struct probekit_stack *a, const struct probekit_stack *b)
{
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->is_complete, b->is_complete);
	assert_int_equal(a->end, b->end);
	assert_true(a->share == b->share);
	for (size_t i = 0; i < a->size; i++) {
		assert_same_text(a->frames[i].function, b->frames[i].function);
		assert_same_text(a->frames[i].module, b->frames[i].module);
		assert_same_text(a->frames[i].file, b->frames[i].file);
		assert_true(a->frames[i].module_offset == b->frames[i].module_offset);
		assert_int_equal(a->frames[i].line, b->frames[i].line);
		assert_int_equal(a->frames[i].is_inlined, b->frames[i].is_inlined);
	}
}

static void assert_same_thread(const struct probekit_thread *a, const struct probekit_thread *b)
{
	assert_int_equal(a->pid, b->pid);
	assert_int_equal(a->tid, b->tid);
	assert_string_equal(a->comm, b->comm);
}

static void assert_same_holder(const struct probekit_holder *a, const struct probekit_holder *b)
{
	for (; a && b; a = a->next, b = b->next) {
		assert_same_thread(&a->thread, &b->thread);
		assert_int_equal(a->threads, b->threads);
		assert_int_equal(a->activity_count, b->activity_count);
		for (size_t i = 0; i < a->activity_count; i++) {
			assert_string_equal(a->activities[i].name, b->activities[i].name);
			assert_true(a->activities[i].share == b->activities[i].share);
		}
		assert_same_stack(&a->stack, &b->stack);
		assert_same_text(a->file, b->file);
		assert_true(a->next_address == b->next_address);
		assert_same_text(a->next_symbol, b->next_symbol);
		assert_same_text(a->next_place, b->next_place);
	}
	assert_true(!a && !b);
}

static void causes_read_back_are_equal(void **state)
{
	struct probekit_snapshot *made = new_example();
	char *text = to_json(made);
	struct probekit_snapshot *read = from_json(text);
	char *again = to_json(read);

	(void)state;
	assert_string_equal(text, again);
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
	free(text);
	free(again);
	probekit_snapshot_free(made);
	probekit_snapshot_free(read);
}

static void tail_waits_slow_and_open_spans_read_back_are_equal(void **state)
{
	struct probekit_snapshot *made = new_example();
	char *text = to_json(made);
	struct probekit_snapshot *read = from_json(text);
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
	free(text);
	probekit_snapshot_free(made);
	probekit_snapshot_free(read);
}

static void assert_text(json_t *root, const char *path, const char *expected)
{
	const char *found = json_string_value(at(root, path));

	if (!found || strcmp(found, expected) != 0)
		fail_msg("%s is '%s', not '%s'", path, found ? found : "null", expected);
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
	json_t *root = example_tree();
	char path[64];

	(void)state;
	for (size_t i = 0; i < COUNT(objects); i++) {
		snprintf(path, sizeof(path), "causes/%d/%s", (int)objects[i].time_class,
			 objects[i].key);
		assert_text(root, path, "/data/index\\n");
	}
	assert_true(json_is_null(at(root, "causes/4/peer")));
	assert_text(root, "causes/5/direction", "write");
	assert_text(root, "causes/3/lock/kind", "rwlock");
	assert_text(root, "causes/3/lock/address", "0x7fff12345678");
	assert_text(root, "causes/3/stack/1/file", "logger.c");
	assert_int_equal(json_integer_value(at(root, "causes/3/stack/1/line")), 61);
	assert_true(json_is_null(at(root, "causes/3/stack/0/line")));
	assert_text(root, "causes/3/released_by/comm", "producer");
	assert_text(root, "causes/3/released_by/stack/1/file", "logger.c");
	assert_text(root, "causes/6/released_by/comm", "producer");
	assert_int_equal(json_integer_value(at(root, "causes/1/thief/pid")), 7);
	assert_true(json_is_null(at(root, "causes/1/thief/tid")));
	assert_true(json_number_value(at(root, "causes/3/holder/blocked_in/fsync")) == 0.94);
	assert_text(root, "causes/3/holder/waits_for/lock/symbol", "inner");
	assert_int_equal(json_integer_value(at(root, "causes/1/holder/waits_for/holder/tid")), 101);
	assert_true(json_is_null(at(root, "causes/1/holder/waits_for/holder/waits_for")));
	assert_text(root, "open/0/lock/symbol", "lock_a");
	assert_true(json_is_true(at(root, "open/0/is_deadlock")));
	assert_text(root, "slowest/0/at", "2026-01-01T00:00:00.123456789Z");
	json_decref(root);
}

static void what_is_not_known_is_null_or_empty(void **state)
{
	struct probekit_snapshot *snapshot = snapshot_new(1);
	struct probekit_probe *probe = &snapshot->probes[0];
	static const char *const nulls[] = {"causes/0/syscall",	 "causes/0/lock",
					    "causes/0/file",	 "causes/0/peer",
					    "causes/0/mapping",	 "causes/0/cgroup",
					    "causes/0/holder",	 "causes/0/released_by",
					    "causes/0/thief",	 "causes/0/stack_share",
					    "open/0/lock",	 "open/0/blocked_in",
					    "open/0/holder_tid", "open/0/blocked_ns"};
	json_t *root;
	char *text;

	(void)state;
	probe->name = copy("a:b");
	probe->count = probe->histogram.zero_count = 1;
	probe->has_time = true;
	probe->causes = zeroed(1, sizeof(*probe->causes));
	probe->cause_count = 1;
	probe->open = zeroed(1, sizeof(*probe->open));
	probe->open_count = 1;
	text = to_json(snapshot);
	root = json_loads(text, 0, NULL);
	for (size_t i = 0; i < COUNT(nulls); i++)
		if (!json_is_null(at(root, nulls[i])))
			fail_msg("%s is not null", nulls[i]);
	assert_true(json_is_null(at(root, "tail")));
	assert_int_equal(json_array_size(at(root, "causes/0/stack")), 0);
	assert_int_equal(json_array_size(at(root, "slowest")), 0);
	json_decref(root);
	free(text);
	probekit_snapshot_free(snapshot);
}

static void a_threshold_has_no_exponent(void **state)
{
	struct probekit_snapshot *made = new_example();
	struct probekit_snapshot *read;
	char *text;

	(void)state;
	made->probes[0].tail.exponent = INT32_MIN;
	text = to_json(made);
	read = from_json(text);
	assert_non_null(strstr(text, "\"tail\":{\"exponent\":null"));
	assert_int_equal(read->probes[0].tail.exponent, INT32_MIN);
	free(text);
	probekit_snapshot_free(made);
	probekit_snapshot_free(read);
}

static void holders_beyond_the_bound_are_not_written(void **state)
{
	struct probekit_snapshot *made = new_example();
	struct probekit_snapshot *read;
	const struct probekit_holder *holder;
	size_t depth = 0;
	char *text;

	(void)state;
	holder_free(made->probes[0].causes[0].holder);
	made->probes[0].causes[0].holder = new_holder(HOLDERS_MAX + 3);
	text = to_json(made);
	read = from_json(text);
	for (holder = read->probes[0].causes[0].holder; holder; holder = holder->next)
		depth++;
	assert_int_equal(depth, HOLDERS_MAX);
	free(text);
	probekit_snapshot_free(made);
	probekit_snapshot_free(read);
}

static void refuse(json_t *root, const char *reason)
{
	struct probekit_snapshot *snapshot = NULL;
	struct probekit_error err = {0};
	char *text = json_dumps(root, 0);

	assert_non_null(text);
	assert_int_equal(snapshot_from_json(text, strlen(text), "x.json", &snapshot, &err),
			 -EBADMSG);
	assert_null(snapshot);
	if (!strstr(err.text, reason))
		fail_msg("'%s' does not say '%s'", err.text, reason);
	free(text);
}

static void wrong_evidence_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *path;
		const char *key;
		const char *value;
		const char *reason;
	} cases[] = {
		{"", "tail", "7", "probes[0].tail is not an object"},
		{"tail", "share_of_time", "1.5", "tail.share_of_time is not within 0 and 1"},
		{"tail", "from_ns", "null", "tail.from_ns is missing"},
		{"", "causes", "{}", "causes is not a list"},
		{"", "causes", "[7]", "causes[0]. is not an object"},
		{"causes/1", "class", "\"mutex\"", "causes[1].class is none"},
		{"causes/1", "share", "\"1\"", "causes[1].share is not a number"},
		{"causes/4", "file", "7", "causes[4].file is not a string"},
		{"causes/3", "lock", "7", "causes[3].lock is not an object"},
		{"causes/3/lock", "address", "null", "causes[3].lock.address is missing"},
		{"causes/3/lock", "address", "\"0x\"", "causes[3].lock.address is not an address"},
		{"causes/3/lock", "address", "\"0x1g\"", "is not an address"},
		{"causes/3/lock", "address", "\"0x11111111111111111\"", "is not an address"},
		{"causes/3/lock", "address", "5", "is not an address"},
		{"causes/3", "stack", "[3]", "causes[3].stack[0]. is not an object"},
		{"causes/3/stack/1", "line", "-1", "causes[3].stack[1].line is out of range"},
		{"causes/3/stack/1", "is_inlined", "1", "stack[1].is_inlined is not a boolean"},
		{"causes/3", "stack_share", "2", "causes[3].stack_share is not within"},
		{"causes/3", "kernel_stack", "{}", "causes[3].kernel_stack is not a list"},
		{"causes/3", "holder", "[]", "causes[3].holder. is not an object"},
		{"causes/3/holder", "blocked_in", "[]", "holder.blocked_in is not an object"},
		{"causes/3/holder/blocked_in", "fsync", "-1", "holder.blocked_in is not within"},
		{"causes/3/holder/blocked_in", "a\"b", "1", "holder.blocked_in has a name"},
		{"causes/3/holder", "waits_for", "7", "holder.waits_for. is not an object"},
		{"causes/3/holder/waits_for", "lock", "null", "holder.waits_for.lock is missing"},
		{"causes/3/holder/waits_for", "holder", "7",
		 "causes[3].holder.waits_for.holder. is not an object"},
		{"causes/3", "released_by", "{}", "causes[3].released_by. names no thread"},
		{"causes/1", "thief", "[]", "causes[1].thief is not an object"},
		{"", "slowest", "[[]]", "slowest[0]. is not an object"},
		{"slowest/0", "at", "\"noon\"", "slowest[0].at is not a time"},
		{"slowest/0", "key", "\"other\"", "slowest[0].key is not an integer"},
		{"slowest/0", "time_ns", "[]", "slowest[0].time_ns is not an object"},
		{"open/0", "is_deadlock", "1", "open[0].is_deadlock is not a boolean"},
		{"open/0/lock", "symbol", "1", "open[0].lock.symbol is not a string"},
		{"open/0", "blockers", "{}", "open[0].blockers is not a list"},
		{"open/0/blockers/0", "tid", "\"x\"", "open[0].blockers[0].tid is not an integer"},
		{"waits/0", "is_slow", "1", "waits[0].is_slow is not a boolean"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *root = example_tree();

		json_object_set_new(at(root, cases[i].path), cases[i].key,
				    json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
		refuse(root, cases[i].reason);
		json_decref(root);
	}
}

static void holders_that_are_nested_too_deep_are_refused(void **state)
{
	json_t *root = example_tree();
	json_t *holder = json_null();

	(void)state;
	for (int i = 0; i <= HOLDERS_MAX; i++)
		holder = json_pack("{s:{s:{s:s}, s:o}}", "waits_for", "lock", "address", "0x1",
				   "holder", holder);
	json_object_set_new(at(root, "causes/3"), "holder", holder);
	refuse(root, "is nested too deep");
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
