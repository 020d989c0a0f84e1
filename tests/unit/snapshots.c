/* SPDX-License-Identifier: BSD-2-Clause */
#include "snapshots.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "breakdown.h"
#include "causes_json.h"
#include "samples.h"
#include "stack.h"

/* ---- parts ---- */

void *zeroed(size_t count, size_t size)
{
	void *made = calloc(count, size);

	assert_non_null(made);
	return made;
}

char *copied(const char *text)
{
	char *made = strdup(text);

	assert_non_null(made);
	return made;
}

struct probekit_stack new_stack(double share)
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

struct probekit_holder *new_holder(int depth)
{
	struct probekit_holder *holder = zeroed(1, sizeof(*holder));

	holder->thread = (struct probekit_thread){42, 100 + depth, "holder"};
	holder->threads = (uint32_t)depth;
	holder->activities = zeroed(2, sizeof(*holder->activities));
	holder->activity_count = 2;
	holder->activities[0] = (struct probekit_activity){copied("fsync"), 0.94};
	holder->activities[1] = (struct probekit_activity){copied("#451"), 0.05};
	holder->stack = new_stack(0.5);
	holder->file = copied("/var/log/app.log");
	holder->file_activity = copied("fsync");
	holder->thief = (struct probekit_thread){7, 8, "thief"};
	if (depth > 1) {
		holder->next_address = 0x5000;
		holder->next_symbol = copied("inner");
		holder->next_place = copied("logger+0x60");
		holder->next = new_holder(depth - 1);
	}
	return holder;
}

/* ---- wholes ---- */

/* Moves the histogram and the totals of `s` to a row of the snapshot. */
static struct probekit_probe *fill_row(struct probekit_snapshot *snapshot, size_t i,
				       struct samples *s, const char *name)
{
	struct probekit_probe *probe = &snapshot->probes[i];

	assert_int_equal(samples_finish(s), 0);
	*probe = s->probe;
	probe->name = copied(name);
	probe->object = copied("/opt/logger");
	probe->sites = 4;
	return probe;
}

static void add_open_span(struct probekit_probe *probe)
{
	probe->open = calloc(1, sizeof(*probe->open));
	assert_non_null(probe->open);
	probe->open_count = 1;
	probe->open[0] = (struct probekit_open_span){.pid = 42, .tid = 43, .age_ns = 5000000000};
	memset(probe->open[0].comm, '\xff', 15);
}

/* In the i-th band that is not empty class c has 1000 i + c + 1 ns. */
static void add_times(struct probekit_probe *probe)
{
	static struct row_sums sums;
	uint64_t counts[BUCKET_OCTAVES];
	int32_t first;
	size_t n = probekit_probe_bands(probe, &first, counts, BUCKET_OCTAVES);
	size_t full = 0;

	sums = (struct row_sums){.unexplained_ns = 77};
	for (size_t i = 0; i < n; i++) {
		if (!counts[i])
			continue;
		for (size_t c = 0; c < CLASS_COUNT; c++)
			sums.bands[(size_t)(first + BUCKET_SECONDS_EXPONENT) + i][c] =
				1000 * full + c + 1;
		full++;
	}
	assert_int_equal(breakdown_from_row(&sums, 0, probe), 0);
	assert_int_equal(
		breakdown_relate(&probe->children, &probe->child_count, "logger:lock", 5, 500), 0);
	assert_int_equal(breakdown_explain(probe), 0);
}

struct probekit_snapshot *example_of_kinds(void)
{
	static struct samples s;
	struct probekit_snapshot *snapshot = snapshot_new(5);
	struct probekit_probe *probe;
	pid_t *pids = calloc(2, sizeof(*pids));

	assert_non_null(snapshot);
	assert_non_null(pids);
	pids[0] = 42;
	pids[1] = 4242;
	snapshot->info = (struct probekit_snapshot_info){
		.started_unix_ns = 1767225600123456789,
		.duration_ns = 10000000000,
		.target = copied("pid 42\n\"quoted\" \xff\\back"),
		.pids = pids,
		.pid_count = 2,
		.child_status = 143,
		.child_cpu_ns = 4500000000,
		.excludes_stopped = true,
		.span_cost_ns = 517,
		.floor_ns = 290,
		.tool_version = copied("0.1.0"),
		.attach = copied("uprobe_multi"),
		.site = copied("nop5"),
		.environment =
			{
				.kernel = copied("6.18.0"),
				.cpus = 4,
				.cpu_model = copied("A CPU @ 2 GHz"),
				.governor = copied("schedutil"),
				.is_virtual = 1,
				.cpu_quota = 1.5,
				.load = 0.25,
				.steal = 0.125,
				.aslr = 2,
				.revision = copied("c123d5770b3e0e7a4ed0cc4bb4d1cea7ac0bd2b4"),
			},
		.has_stacks = true,
		.stacks = {[PROBEKIT_STACK_COMPLETE] = 812, [PROBEKIT_STACK_GENERATED] = 3},
	};
	samples_init(&s, PROBEKIT_KIND_SPAN, 3);
	for (int i = 0; i < 10000; i++)
		samples_add(&s, samples_log_normal(&s, i % 33 ? 1900 : 17e6, 0.3));
	probe = fill_row(snapshot, 0, &s, "logger:flush");
	probe->build_id = copied("00ff");
	probe->probe_cost_ns = 500;
	probe->in_flight_at_start = 3;
	probe->lost = (struct probekit_lost){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0};
	add_open_span(probe);
	add_times(probe);
	for (size_t i = 1; i < 3; i++) {
		samples_init(&s, PROBEKIT_KIND_SPAN, i);
		samples_add(&s, 1e6);
		probe = fill_row(snapshot, i, &s, "logger:flush");
		probe->has_key = true;
		probe->is_key_overflow = i == 2;
		probe->key = i == 2 ? 0 : -7;
	}
	samples_init(&s, PROBEKIT_KIND_VALUE, 4);
	for (int64_t v = -5; v < 100; v++)
		samples_add_many(&s, v, 1);
	fill_row(snapshot, 3, &s, "logger:depth")->lost.abandoned = 10;
	samples_init(&s, PROBEKIT_KIND_USDT, 5);
	fill_row(snapshot, 4, &s, "postgresql:query__start,query__done");
	return snapshot;
}

/* A cause of every class, each with all that it can have. */
static void add_causes(struct probekit_probe *probe)
{
	probe->causes = zeroed(PROBEKIT_CLASS_COUNT, sizeof(*probe->causes));
	probe->cause_count = PROBEKIT_CLASS_COUNT;
	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++) {
		struct probekit_cause *cause = &probe->causes[i];

		cause->time_class = (enum probekit_class)i;
		cause->syscall = copied("read");
		cause->pid = 42;
		cause->address = 0x7fff12345678;
		cause->symbol = copied("log_mutex");
		cause->place = copied("logger+0x4050");
		cause->lock_kind = copied("rwlock");
		cause->object = copied("/data/index\n");
		cause->direction = copied("write");
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

static void add_slow_and_open(struct probekit_probe *probe)
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
		.blocked_in = copied("futex"),
		.blocked_ns = 98,
		.lock_address = 0x10,
		.lock_symbol = copied("lock_a"),
		.lock_place = copied("logger+0x10"),
		.holder_tid = 44,
		.is_deadlock = true,
		.blockers = zeroed(2, sizeof(*probe->open[0].blockers)),
		.blocker_count = 2,
		.stack = new_stack(1),
	};
	probe->open[0].blockers[0] = (struct probekit_blocker){
		.thread = {42, 44, "holder"},
		.lock_address = 0x20,
		.lock_symbol = copied("lock_b"),
		.lock_place = copied("logger+0x20"),
		.stack = new_stack(1),
	};
	probe->open[0].blockers[1].thread = (struct probekit_thread){42, 45, ""};
}

struct probekit_snapshot *example_of_causes(void)
{
	struct probekit_snapshot *snapshot = snapshot_new(1);
	struct probekit_probe *probe = &snapshot->probes[0];

	probe->name = copied("logger:flush");
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
	add_slow_and_open(probe);
	return snapshot;
}

/* ---- both ways ---- */

char *to_json(const struct probekit_snapshot *snapshot, bool compact)
{
	char *text;

	assert_int_equal(probekit_snapshot_to_json(snapshot, compact, &text, NULL), 0);
	return text;
}

struct probekit_snapshot *from_json(const char *text)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err = {0};

	if (snapshot_from_json(text, strlen(text), "dir/x.json", &snapshot, &err))
		fail_msg("%s", err.text);
	return snapshot;
}

json_t *to_tree(struct probekit_snapshot *snapshot)
{
	char *text = to_json(snapshot, true);
	json_t *root = json_loads(text, 0, NULL);

	assert_non_null(root);
	probekit_snapshot_free(snapshot);
	free(text);
	return root;
}

struct probekit_snapshot *read_back(const struct probekit_snapshot *made)
{
	struct probekit_snapshot *read = NULL;

	for (int compact = 0; compact < 2; compact++) {
		char *text = to_json(made, compact);
		char *again;

		probekit_snapshot_free(read);
		read = from_json(text);
		again = to_json(read, compact);
		assert_string_equal(text, again);
		assert_true(!compact || !strchr(text, '\n'));
		free(text);
		free(again);
	}
	return read;
}

json_t *member_at(json_t *value, const char *path)
{
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

void assert_member_text(json_t *root, const char *path, const char *expected)
{
	const char *found = json_string_value(member_at(root, path));

	if (!found || strcmp(found, expected) != 0)
		fail_msg("%s is '%s', not '%s'", path, found ? found : "null", expected);
}

void assert_same_text(const char *a, const char *b)
{
	if (a && b)
		assert_string_equal(a, b);
	else
		assert_true(!a && !b);
}

void assert_same_stack(const struct probekit_stack *a, const struct probekit_stack *b)
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

void assert_same_thread(const struct probekit_thread *a, const struct probekit_thread *b)
{
	assert_int_equal(a->pid, b->pid);
	assert_int_equal(a->tid, b->tid);
	assert_string_equal(a->comm, b->comm);
}

void assert_same_holder(const struct probekit_holder *a, const struct probekit_holder *b)
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
		assert_same_text(a->file_activity, b->file_activity);
		assert_same_thread(&a->thief, &b->thief);
		assert_true(a->next_address == b->next_address);
		assert_same_text(a->next_symbol, b->next_symbol);
		assert_same_text(a->next_place, b->next_place);
	}
	assert_true(!a && !b);
}

void assert_same_histogram(const struct probekit_histogram *a, const struct probekit_histogram *b)
{
	assert_int_equal(a->scale, b->scale);
	assert_int_equal(a->size, b->size);
	assert_true(a->zero_count == b->zero_count && a->negative_count == b->negative_count);
	for (size_t i = 0; i < a->size; i++) {
		assert_int_equal(a->index[i], b->index[i]);
		assert_true(a->count[i] == b->count[i]);
	}
}

/* ---- what is refused ---- */

void refuse_text(const char *text, size_t size, int code, const char *reason)
{
	struct probekit_snapshot *snapshot = NULL;
	struct probekit_error err = {0};

	assert_int_equal(snapshot_from_json(text, size, "dir/x.json", &snapshot, &err), code);
	assert_null(snapshot);
	assert_int_equal(err.code, code);
	if (!strstr(err.text, "'dir/x.json'") || !strstr(err.text, reason))
		fail_msg("'%s' does not say '%s'", err.text, reason);
}

void refuse_tree(const json_t *root, const char *reason)
{
	char *text = json_dumps(root, 0);

	assert_non_null(text);
	refuse_text(text, strlen(text), -EBADMSG, reason);
	free(text);
}

void refuse_members(struct probekit_snapshot *(*make)(void), const struct wrong_member *members,
		    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		json_t *root = to_tree(make());
		json_t *value = json_loads(members[i].value, JSON_DECODE_ANY, NULL);

		assert_non_null(value);
		json_object_set_new(member_at(root, members[i].path), members[i].key, value);
		refuse_tree(root, members[i].reason);
		json_decref(root);
	}
}
