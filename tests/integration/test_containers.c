/* SPDX-License-Identifier: BSD-2-Clause */
/* Targets in containers, by the numbers that the host has for them. What the containers' files are called is
 * another program outside, or nothing. */
#include "container.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a container's files ---- */

struct place {
	char *source;
	char *folder;
	char app[128]; /* in the folder */
};

static void add_file(const char *folder, const char *name, const char *program)
{
	size_t size_bytes;
	char *path = support_join(folder, name);
	char *data = support_read_file(support_program(program), &size_bytes);

	support_write_file(path, data, size_bytes);
	assert_int_equal(chmod(path, 0755), 0);
	free(data);
	free(path);
}

/* "app" is the program inside, and outside one that has nothing of what it has. */
static void place_new(struct place *place, const char *program)
{
	char *debug;

	container_require();
	place->source = support_new_folder();
	place->folder = support_new_folder();
	debug = support_join(place->source, ".debug");
	assert_int_equal(mkdir(debug, 0755), 0);
	free(debug);
	add_file(place->source, "app", program);
	add_file(place->folder, "app", "spanless");
	snprintf(place->app, sizeof(place->app), "%s/app", place->folder);
}

static void place_done(struct place *place)
{
	support_remove_folder(place->source);
	support_remove_folder(place->folder);
}

static const char *const only_app[] = {"app", NULL};

static void start_app(struct support_child *child, const struct place *place,
		      enum container_files files, const char *mode)
{
	const struct container container = {
		.files = files,
		.source = place->source,
		.names = only_app,
		.folder = place->folder,
	};

	container_start(child, &container, (const char *const[]){place->app, mode, NULL});
	assert_int_equal(container_inner_tid(child->pid, child->pid), 1);
}

/* Lets it serve once, and waits until it has. */
static void serve(struct support_child *child, unsigned long total)
{
	char did[32];

	snprintf(did, sizeof(did), "did %lu\n", total);
	support_write(child, "go\n");
	assert_true(support_wait_text(child, &child->out, did));
}

/* ---- probekit beside it ---- */

/* The words after the PID's place are `more`, NULL-terminated. */
static void start_probekit(struct support_child *probekit, const char *command, pid_t pid,
			   const char *const more[])
{
	const char *words[SUPPORT_MAX_WORDS] = {support_probekit(), command, "-v", "--json", "-p"};
	char text[16];
	size_t count = 5;

	snprintf(text, sizeof(text), "%d", (int)pid);
	words[count++] = text;
	for (size_t i = 0; more && more[i]; i++)
		words[count++] = more[i];
	support_start(probekit, NULL, words);
	support_wait_measuring(probekit);
}

static json_t *end_probekit(struct support_child *probekit)
{
	json_t *json = support_end_measuring(probekit);

	support_done(probekit);
	return json;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* The frame of this function, or NULL. */
static const json_t *find_frame(const json_t *stack, const char *function)
{
	json_t *frame;
	size_t i;

	json_array_foreach ((json_t *)stack, i, frame)
		if (strcmp(text_of(frame, "function"), function) == 0)
			return frame;
	return NULL;
}

static void check_linger(const json_t *stack)
{
	const json_t *frame = find_frame(stack, "linger");
	const char *file;

	if (!frame || !find_frame(stack, "main"))
		fail_msg("%s", json_dumps(stack, 0));
	file = strrchr(text_of(frame, "file"), '/');
	assert_non_null(file);
	assert_string_equal(file, "/contained.c");
	assert_true(support_integer(frame, "line") > 0);
}

/* ---- what is told ---- */

static void spans_threads_and_lines_are_told(void **state)
{
	const struct container container = {
		.names = (const char *const[]){"app", ".debug/contained.debug", NULL},
	};
	struct container made = container;
	struct support_child probekit, app;
	const json_t *slowest;
	const json_t *row;
	struct place place;
	json_t *snapshot;

	(void)state;
	place_new(&place, "contained_linked");
	add_file(place.source, ".debug/contained.debug", ".debug/contained.debug");
	made.source = place.source;
	made.folder = place.folder;
	container_start(&app, &made, (const char *const[]){place.app, "50", NULL});
	start_probekit(&probekit, "latency", app.pid, NULL);
	serve(&app, 50);
	snapshot = end_probekit(&probekit);
	row = support_row(snapshot, "contained:request");
	assert_int_equal(support_integer(row, "count"), 50);
	support_check_nothing_lost(json_object_get(row, "lost"));
	slowest = json_array_get(json_object_get(row, "slowest"), 0);
	assert_int_equal(support_integer(slowest, "tid"), app.pid);
	assert_string_equal(text_of(slowest, "comm"), "app");
	check_linger(json_object_get(json_array_get(json_object_get(row, "causes"), 0), "stack"));
	json_decref(snapshot);
	support_end(&app);
	place_done(&place);
}

static void functions_and_waits_are_told(void **state)
{
	struct support_child probekit, app;
	struct place place;
	json_t *snapshot;
	json_t *entry;
	bool is_told = false;
	size_t i;

	(void)state;
	place_new(&place, "contained");
	start_app(&app, &place, CONTAINER_COPIES, "50");
	start_probekit(&probekit, "latency", app.pid, (const char *const[]){"-f", "handle", NULL});
	serve(&app, 50);
	snapshot = end_probekit(&probekit);
	assert_int_equal(support_integer(support_row(snapshot, "handle"), "count"), 50);
	json_decref(snapshot);
	start_probekit(&probekit, "offcpu", app.pid, NULL);
	serve(&app, 100);
	snapshot = end_probekit(&probekit);
	json_array_foreach (json_object_get(snapshot, "entries"), i, entry) {
		if (strcmp(text_of(entry, "class"), "sleep") != 0)
			continue;
		assert_int_equal(support_integer(entry, "pid"), app.pid);
		check_linger(json_object_get(entry, "stack"));
		is_told = true;
	}
	assert_true(is_told);
	json_decref(snapshot);
	support_end(&app);
	place_done(&place);
}

static void what_it_offers_is_listed(void **state)
{
	struct support_child probekit, app;
	struct place place;
	char pid[16];

	(void)state;
	place_new(&place, "contained");
	start_app(&app, &place, CONTAINER_COPIES, "50");
	snprintf(pid, sizeof(pid), "%d", (int)app.pid);
	assert_int_equal(support_run(&probekit, NULL, support_probekit(), "list", "-p", pid, NULL),
			 0);
	assert_non_null(strstr(probekit.out.text, "contained:request"));
	support_done(&probekit);
	assert_int_equal(support_run(&probekit, NULL, support_probekit(), "list", "-p", pid, "-f",
				     "linger", NULL),
			 0);
	assert_non_null(strstr(probekit.out.text, "linger"));
	support_done(&probekit);
	support_end(&app);
	place_done(&place);
}

/* By its own number, 1, in a /tmp that the host does not see. */
static void compiled_code_is_named_by_the_containers_map(void **state)
{
	struct support_child probekit, app;
	struct container container;
	struct place place;
	json_t *snapshot;
	json_t *entry;
	bool is_told = false;
	size_t i;

	(void)state;
#ifndef __x86_64__
	print_message("skipped: needs x86-64: the code is written for it\n");
	skip();
#endif
	place_new(&place, "contained");
	container = (struct container){
		.source = place.source,
		.names = only_app,
		.folder = "/tmp",
	};
	container_start(&app, &container, (const char *const[]){"/tmp/app", "jit", NULL});
	start_probekit(&probekit, "offcpu", app.pid,
		       (const char *const[]){"--oncpu", "-d", "1s", NULL});
	assert_int_equal(support_finish(&probekit), 0);
	snapshot = support_json(probekit.out.text);
	support_done(&probekit);
	json_array_foreach (json_object_get(snapshot, "entries"), i, entry)
		is_told |= find_frame(json_object_get(entry, "stack"), "compiled_inside") != NULL;
	if (!is_told)
		fail_msg("%s", json_dumps(snapshot, 0));
	json_decref(snapshot);
	support_end(&app);
	place_done(&place);
}

/* Opened before probekit comes, and only there to be opened inside. */
static void a_library_of_the_container_is_measured(void **state)
{
	struct support_child probekit, app;
	struct container container;
	struct place place;
	json_t *snapshot;

	(void)state;
	place_new(&place, "processes");
	add_file(place.source, "plugin_spans.so", "plugin_spans.so");
	container = (struct container){
		.source = place.source,
		.names = (const char *const[]){"app", "plugin_spans.so", NULL},
		.folder = place.folder,
	};
	container_start(&app, &container,
			(const char *const[]){place.app, "share_library", "20", "wait", NULL});
	support_write(&app, "go\n");
	assert_true(support_wait_text(&app, &app.out, "done\n"));
	start_probekit(&probekit, "latency", app.pid, NULL);
	support_write(&app, "go\n");
	assert_true(support_wait_text(&app, &app.out, "done\ndone\n"));
	snapshot = end_probekit(&probekit);
	assert_int_equal(support_integer(support_row(snapshot, "plugin:own"), "count"), 4 * 20);
	json_decref(snapshot);
	support_end(&app);
	place_done(&place);
}

/* What the program calls its threads is not what the host does. */
static void check_tid(const struct support_child *app, const json_t *open)
{
	pid_t tid = (pid_t)support_integer(open, "tid");
	const char *name = text_of(open, "comm");

	assert_int_equal(container_inner_tid(app->pid, tid), support_number(app->out.text, name));
}

static void threads_of_a_deadlock_are_told_by_the_hosts_numbers(void **state)
{
	struct support_child probekit, app;
	struct container container;
	struct place place;
	json_t *snapshot;
	json_t *open;
	size_t i;

	(void)state;
	place_new(&place, "stuck");
	container = (struct container){
		.source = place.source,
		.names = only_app,
		.folder = place.folder,
	};
	container_start(&app, &container,
			(const char *const[]){place.app, "deadlock", "1", "wait", NULL});
	start_probekit(&probekit, "latency", app.pid, NULL);
	support_write(&app, "go\n");
	assert_true(support_wait_text(&app, &app.out, "stuck "));
	snapshot = end_probekit(&probekit);
	open = json_object_get(support_row(snapshot, "stuck:span"), "open");
	assert_int_equal(json_array_size(open), 3);
	for (i = 0; i < 3; i++)
		check_tid(&app, json_array_get(open, i));
	json_decref(snapshot);
	support_done(&app);
	place_done(&place);
}

/* ---- one program in two containers ---- */

static void check_count(json_t *snapshot, int64_t expected)
{
	const json_t *row = support_row(snapshot, "contained:request");

	assert_int_equal(support_integer(row, "count"), expected);
	support_check_nothing_lost(json_object_get(row, "lost"));
}

/* With one traced, and with both. */
static void keep_apart(enum container_files files)
{
	struct support_child probekit, first, second;
	struct place place;
	char pid[16];

	place_new(&place, "contained");
	start_app(&first, &place, files, "50");
	start_app(&second, &place, files, "70");
	start_probekit(&probekit, "latency", first.pid, NULL);
	serve(&first, 50);
	serve(&second, 70);
	check_count(end_probekit(&probekit), 50);
	snprintf(pid, sizeof(pid), "%d", (int)second.pid);
	start_probekit(&probekit, "latency", first.pid, (const char *const[]){"-p", pid, NULL});
	serve(&first, 100);
	serve(&second, 140);
	check_count(end_probekit(&probekit), 50 + 70);
	support_end(&first);
	support_end(&second);
	place_done(&place);
}

static void copies_in_two_containers_are_kept_apart(void **state)
{
	(void)state;
	keep_apart(CONTAINER_COPIES);
}

static void one_file_in_two_containers_is_kept_apart(void **state)
{
	(void)state;
	keep_apart(CONTAINER_BOUND);
}

static void two_containers_of_one_image_are_kept_apart(void **state)
{
	(void)state;
	keep_apart(CONTAINER_OVERLAY);
}

/* To the kernel it is one file. */
static void a_path_in_an_image_stands_for_all_its_containers(void **state)
{
	struct support_child probekit, first, second;
	struct place place;
	char path[256];
	const char *const words[] = {support_probekit(), "latency", "-v", "--json", path, NULL};

	(void)state;
	place_new(&place, "contained");
	start_app(&first, &place, CONTAINER_OVERLAY, "50");
	start_app(&second, &place, CONTAINER_OVERLAY, "70");
	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)first.pid, place.app);
	support_start(&probekit, NULL, words);
	support_wait_measuring(&probekit);
	serve(&first, 50);
	serve(&second, 70);
	check_count(end_probekit(&probekit), 50 + 70);
	support_end(&first);
	support_end(&second);
	place_done(&place);
}

static bool is_said_to_map(const char *path, pid_t pid)
{
	struct support_child probekit;
	char text[16];
	bool is_said;

	snprintf(text, sizeof(text), "%d", (int)pid);
	assert_int_equal(support_run(&probekit, NULL, support_probekit(), "latency", path, "-p",
				     text, "-d", "50ms", NULL),
			 0);
	is_said = !strstr(probekit.err.text, "has not mapped");
	support_done(&probekit);
	return is_said;
}

static uint64_t inode_of(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return status.st_ino;
}

/* Each tmpfs counts its files from 1. */
static void another_file_of_the_same_number_is_not_the_target(void **state)
{
	struct place place, another;
	struct support_child app, other;
	char others[256];
	char path[256];

	(void)state;
	place_new(&place, "contained");
	place_new(&another, "victim");
	start_app(&app, &place, CONTAINER_COPIES, "50");
	start_app(&other, &another, CONTAINER_COPIES, "lines");
	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)app.pid, place.app);
	snprintf(others, sizeof(others), "/proc/%d/root%s", (int)other.pid, another.app);
	assert_int_equal(inode_of(path), inode_of(others));
	assert_true(is_said_to_map(path, app.pid));
	assert_false(is_said_to_map(path, other.pid));
	assert_true(is_said_to_map(others, other.pid));
	support_end(&app);
	support_end(&other);
	place_done(&place);
	place_done(&another);
}

/* ---- what is refused ---- */

/* What has a number there is another process. */
static void another_namespaces_proc_is_refused(void **state)
{
	const char *const commands[][4] = {{"latency", "-p", "1", NULL}, {"list", "-p", "1", NULL}};

	(void)state;
	container_require();
	for (size_t i = 0; i < 2; i++) {
		const char *const words[] = {support_probekit(), commands[i][0], commands[i][1],
					     commands[i][2], NULL};
		struct support_child probekit;

		container_divide_pids(true);
		support_start(&probekit, NULL, words);
		container_divide_pids(false);
		assert_int_equal(support_finish(&probekit), 3);
		assert_non_null(strstr(probekit.err.text, "/proc is not mounted, or not that of"));
		support_done(&probekit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_threads_and_lines_are_told),
		cmocka_unit_test(functions_and_waits_are_told),
		cmocka_unit_test(what_it_offers_is_listed),
		cmocka_unit_test(compiled_code_is_named_by_the_containers_map),
		cmocka_unit_test(a_library_of_the_container_is_measured),
		cmocka_unit_test(threads_of_a_deadlock_are_told_by_the_hosts_numbers),
		cmocka_unit_test(copies_in_two_containers_are_kept_apart),
		cmocka_unit_test(one_file_in_two_containers_is_kept_apart),
		cmocka_unit_test(two_containers_of_one_image_are_kept_apart),
		cmocka_unit_test(a_path_in_an_image_stands_for_all_its_containers),
		cmocka_unit_test(another_file_of_the_same_number_is_not_the_target),
		cmocka_unit_test(another_namespaces_proc_is_refused),
	};

	return cmocka_run_group_tests_name("containers", tests, NULL, NULL);
}
