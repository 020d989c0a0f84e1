/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three threads that wait for each other since before probekit came, which runs as an ordinary user
 * with CAP_BPF and CAP_PERFMON: the circle is told with every lock and stack, while it lasts.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_user.h"

#define THREADS 3
#define LOCATED "want_lock" /* the function in which they wait */

static const char *const names[THREADS] = {"first", "second", "third"};

struct scene {
	struct support_copies copies;
	struct support_child stuck;
};

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	support_copy(&scene->copies, "stuck");
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	if (scene->stuck.pid > 0)
		support_done(&scene->stuck);
	support_copy_done(&scene->copies);
	free(scene);
	return 0;
}

/* Returns once all of them are stuck. */
static void get_stuck(struct scene *scene, const char *mode)
{
	const char *const words[] = {scene->copies.program, mode, "1", NULL};

	support_require_capable_kernel();
	support_start(&scene->stuck, &support_nobody, words);
	assert_true(support_wait_text(&scene->stuck, &scene->stuck.out, "\nstuck "));
}

static void run_locks(struct scene *scene, const char *option, struct support_child *probekit)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)scene->stuck.pid);
	support_run(probekit, &support_tracer, scene->copies.probekit, "locks", "-p", pid, "-d",
		    "1", option, NULL);
	if (probekit->status != 0)
		fail_msg("status %d: %s", probekit->status, probekit->err.text);
	assert_int_equal(kill(scene->stuck.pid, 0), 0);
}

/* The address that the program tells as "NAME-WHAT 0x...". */
static unsigned long long told_address(const struct scene *scene, const char *name,
				       const char *what)
{
	char start[64];
	const char *line;

	snprintf(start, sizeof(start), "\n%s-%s ", name, what);
	line = strstr(scene->stuck.out.text, start);
	assert_non_null(line);
	return strtoull(line + strlen(start), NULL, 16);
}

/* ---- as JSON ---- */

static const json_t *member_of(const json_t *circle, int64_t tid)
{
	json_t *member;
	size_t i;

	json_array_foreach (circle, i, member)
		if (support_integer(member, "tid") == tid)
			return member;
	fail_msg("thread %lld is not in the circle: %s", (long long)tid,
		 json_dumps(circle, JSON_INDENT(1)));
	return NULL;
}

static bool has_function(const json_t *stack, const char *function)
{
	json_t *frame;
	size_t i;

	json_array_foreach (stack, i, frame) {
		const char *name = json_string_value(json_object_get(frame, "function"));

		if (name && strcmp(name, function) == 0)
			return true;
	}
	return false;
}

static void check_member(const struct scene *scene, const json_t *circle, const char *name)
{
	const json_t *member =
		member_of(circle, (int64_t)support_number(scene->stuck.out.text, name));
	const json_t *lock = json_object_get(member, "lock");
	const char *address = json_string_value(json_object_get(lock, "address"));
	const char *symbol = json_string_value(json_object_get(lock, "symbol"));

	assert_string_equal(json_string_value(json_object_get(member, "comm")), name);
	if (!address || strtoull(address, NULL, 16) != told_address(scene, name, "wants"))
		fail_msg("'%s' does not wait for %s", name, address);
	if (!symbol || strncmp(symbol, "locks", strlen("locks")) != 0)
		fail_msg("the lock is called %s", symbol);
	if (!has_function(json_object_get(member, "stack"), LOCATED))
		fail_msg("'%s' is not in the stack of '%s': %s", LOCATED, name,
			 json_dumps(member, JSON_INDENT(1)));
}

static void a_circle_older_than_us_is_told_with_every_lock_and_stack(void **state)
{
	struct scene *scene = *state;
	struct support_child probekit;
	const json_t *circle;
	json_t *snapshot;

	get_stuck(scene, "deadlock");
	run_locks(scene, "--json", &probekit);
	snapshot = support_json(probekit.out.text);
	assert_int_equal(json_array_size(json_object_get(snapshot, "deadlocks")), 1);
	circle = json_array_get(json_object_get(snapshot, "deadlocks"), 0);
	assert_int_equal(json_array_size(circle), THREADS);
	for (int i = 0; i < THREADS; i++)
		check_member(scene, circle, names[i]);
	json_decref(snapshot);
	support_done(&probekit);
}

static void a_chain_that_ends_is_no_deadlock(void **state)
{
	struct scene *scene = *state;
	struct support_child probekit;
	json_t *snapshot;

	get_stuck(scene, "chain");
	run_locks(scene, "--json", &probekit);
	snapshot = support_json(probekit.out.text);
	assert_true(json_is_array(json_object_get(snapshot, "deadlocks")));
	assert_int_equal(json_array_size(json_object_get(snapshot, "deadlocks")), 0);
	json_decref(snapshot);
	support_done(&probekit);
}

/* ---- as text ---- */

/* The line below the one that tells of the thread is its stack. */
static void expect_stack(const char *text, const char *name, unsigned long long tid)
{
	char head[64];
	const char *line;

	snprintf(head, sizeof(head), "\n  %s (tid %llu) holds ", name, tid);
	line = strstr(text, head);
	if (!line)
		fail_msg("no '%s' in: %s", head, text);
	line = strstr(line, "\n      in ");
	assert_non_null(line);
	assert_int_equal(strncmp(line, "\n      in " LOCATED " <- ",
				 strlen("\n      in " LOCATED " <- ")),
			 0);
}

static void a_circle_is_printed_with_three_stacks(void **state)
{
	struct scene *scene = *state;
	struct support_child probekit;

	get_stuck(scene, "deadlock");
	run_locks(scene, "--no-color", &probekit);
	assert_non_null(strcasestr(probekit.out.text, "deadlock"));
	for (int i = 0; i < THREADS; i++)
		expect_stack(probekit.out.text, names[i],
			     (unsigned long long)support_number(scene->stuck.out.text, names[i]));
	support_done(&probekit);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_circle_older_than_us_is_told_with_every_lock_and_stack),
		TEST(a_chain_that_ends_is_no_deadlock),
		TEST(a_circle_is_printed_with_three_stacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
