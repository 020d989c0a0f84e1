/* SPDX-License-Identifier: BSD-2-Clause */
#include "snapshots.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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
	holder->thief = (struct probekit_thread){7, 8, "thief"};
	if (depth > 1) {
		holder->next_address = 0x5000;
		holder->next_symbol = copied("inner");
		holder->next_place = copied("logger+0x60");
		holder->next = new_holder(depth - 1);
	}
	return holder;
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
