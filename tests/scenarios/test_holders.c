/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has what slow spans wait for, what that one does meanwhile and who gives it: for each kind of
 * lock, of programs that were started by probekit and of ones that it came to later.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "support.h"

#define LOCK "causes[class:lock]."
#define SLOW_OVER "5ms"
/* Of them one in 20 waits, for 20 ms. */
#define ROUNDS "160"

struct wait {
	const char *name; /* as a test's: what it claims */
	const char *program;
	const char *mode;
	const char *kind;
	const char *symbol;	 /* NULL: has none */
	const char *does;	 /* the holder, most of the time; NULL: there is no holder */
	const char *holder;	 /* function in its stack */
	const char *releaser;	 /* function in the stack of who gives it; NULL: not looked at */
	bool has_several_owners; /* not one whose tid is told */
	bool is_of_command;	 /* cannot wait for us to come */
};

/* clang-format off */
static const struct wait waits[] = {
	{.name = "a_mutex_is_held_by_its_owner",
	 .program = "holders", .mode = "mutex", .kind = "mutex", .symbol = "mutex",
	 .does = "clock_nanosleep", .holder = "linger_with_it", .releaser = "give_it"},
	{.name = "a_holder_that_computes_is_on_its_cpu",
	 .program = "holders", .mode = "computing", .kind = "mutex", .symbol = "mutex",
	 .does = "oncpu", .holder = "compute", .releaser = "give_it"},
	{.name = "a_pi_mutex_is_held_by_its_owner",
	 .program = "holders", .mode = "pi_mutex", .kind = "mutex", .symbol = "pi_mutex",
	 .does = "clock_nanosleep", .holder = "linger_with_it", .releaser = "give_it"},
	{.name = "a_recursive_mutex_is_held_by_its_owner",
	 .program = "holders", .mode = "recursive_mutex", .kind = "mutex", .symbol = "recursive_mutex",
	 .does = "clock_nanosleep", .holder = "linger_with_it", .releaser = "give_it"},
	{.name = "a_reader_waits_for_the_writer",
	 .program = "holders", .mode = "reader", .kind = "rwlock", .symbol = "rwlock",
	 .does = "clock_nanosleep", .holder = "linger_with_it", .releaser = "give_it"},
	{.name = "a_writer_waits_for_the_writer",
	 .program = "holders", .mode = "writer", .kind = "rwlock", .symbol = "rwlock",
	 .does = "clock_nanosleep", .holder = "linger_with_it", .releaser = "give_it"},
	{.name = "readers_are_no_holders",
	 .program = "holders", .mode = "writer_behind_reader", .kind = "rwlock", .symbol = "rwlock",
	 .releaser = "give_it"},
	{.name = "a_semaphore_has_no_holder",
	 .program = "holders", .mode = "semaphore", .kind = "semaphore", .symbol = "semaphore",
	 .releaser = "give_it"},
	{.name = "a_condition_has_no_holder",
	 .program = "holders", .mode = "condition", .kind = "condvar", .symbol = "condition",
	 .releaser = "give_it"},
	{.name = "a_joined_thread_is_the_holder",
	 .program = "holders", .mode = "join", .kind = "join",
	 .does = "clock_nanosleep", .holder = "live_shortly", .has_several_owners = true},
	{.name = "threads_in_a_queue_hold_one_after_the_other",
	 .program = "holders", .mode = "queue", .kind = "mutex", .symbol = "mutex",
	 .does = "clock_nanosleep", .holder = "take_turn", .releaser = "take_turn", .has_several_owners = true},
	{.name = "a_std_mutex_is_a_mutex",
	 .program = "holders_cpp", .mode = "mutex", .kind = "mutex", .symbol = "scene_mutex",
	 .does = "clock_nanosleep", .holder = "hold_it", .is_of_command = true},
	{.name = NULL},
};
/* clang-format on */

/* ---- what must be said ---- */

static void check_fact(const json_t *row, const char *truth, const char *path, const char *expected)
{
	const struct fact fact = {path, expected ? FACT_IS : FACT_EXISTS, expected};
	char missed[FACT_TEXT_MAX];

	if (!fact_holds(&fact, row, truth, missed))
		fail_msg("%s", missed);
}

static void check_function(const json_t *row, const char *list, const char *function)
{
	char path[128];

	snprintf(path, sizeof(path), LOCK "%s[function:%s].line", list, function);
	check_fact(row, "", path, NULL);
}

static const json_t *lock_cause(const json_t *row)
{
	json_t *cause;
	size_t i;

	json_array_foreach (json_object_get(row, "causes"), i, cause)
		if (strcmp(json_string_value(json_object_get(cause, "class")), "lock") == 0)
			return cause;
	fail_msg("no cause is a lock");
	return NULL;
}

/* Most of the time that the machine let it do anything. */
static void check_does(const json_t *holder, const char *does)
{
	const json_t *shares = json_object_get(holder, "blocked_in");
	double queued = json_number_value(json_object_get(shares, "runqueue"));
	double share = json_number_value(json_object_get(shares, does));

	if (share < 0.8 * (1 - queued))
		fail_msg("the holder is in %s for only %.2f: %s", does, share,
			 json_dumps(shares, JSON_REAL_PRECISION(3)));
}

static void check_holder(const struct wait *wait, const json_t *row, const char *truth)
{
	const json_t *holder = json_object_get(lock_cause(row), "holder");

	if (!wait->does) {
		assert_true(json_is_null(holder));
		return;
	}
	check_fact(row, truth, LOCK "holder.comm", "owner");
	if (wait->has_several_owners)
		assert_true(support_integer(holder, "threads") >= 4);
	else
		check_fact(row, truth, LOCK "holder.tid", "$owner");
	check_function(row, "holder.stack", wait->holder);
	check_does(holder, wait->does);
	assert_true(json_is_null(json_object_get(holder, "waits_for")) || wait->has_several_owners);
}

static void check_wait(const struct wait *wait, json_t *snapshot, const char *truth)
{
	const json_t *row = support_row(snapshot, "scene:request");

	check_fact(row, truth, LOCK "lock.kind", wait->kind);
	if (wait->symbol) {
		check_fact(row, truth, LOCK "lock.symbol", wait->symbol);
		check_fact(row, truth, LOCK "lock.address", "$address");
	}
	check_holder(wait, row, truth);
	if (wait->releaser) {
		check_fact(row, truth, LOCK "released_by.comm", "owner");
		check_function(row, "released_by.stack", wait->releaser);
	}
}

/* ---- of a command ---- */

static void is_told_of_a_command(void **state)
{
	const struct wait *wait = *state;
	struct support_child child;
	json_t *snapshot;
	int status;

	support_require_tracing();
	status = support_run(&child, NULL, support_probekit(), "latency", "--json", "--slow-over",
			     SLOW_OVER, "--", support_program(wait->program), wait->mode, ROUNDS,
			     NULL);
	if (status)
		fail_msg("status %d: %s", status, child.err.text);
	snapshot = support_json(child.out.text);
	check_wait(wait, snapshot, child.err.text);
	json_decref(snapshot);
	support_done(&child);
}

/* ---- of a process that has been running ---- */

/* What the program says up to its end of the mode; to be freed. */
static char *go(struct support_child *program)
{
	char *text;

	program->out.size_bytes = 0;
	program->out.text[0] = '\0';
	support_write(program, "go\n");
	if (!support_wait_text(program, &program->out, "done\n"))
		fail_msg("the program ended: %s", program->out.text);
	text = strdup(program->out.text);
	assert_non_null(text);
	return text;
}

static void start_attached(struct support_child *probekit, pid_t pid)
{
	char text[16];
	const char *const words[] = {support_probekit(), "latency", "-v", "--json", "--slow-over",
				     SLOW_OVER,		 "-p",	    text, NULL};

	snprintf(text, sizeof(text), "%d", (int)pid);
	support_start(probekit, NULL, words);
	support_wait_measuring(probekit);
}

/* All of its threads that last, the holder too, are older than the measurement, and have held and
 * waited. `truth` is what the program said, to be freed. */
static json_t *measure_later(const char *mode, char **truth)
{
	const char *const words[] = {support_program("holders"), mode, ROUNDS, "wait", NULL};
	struct support_child probekit;
	struct support_child program;
	json_t *snapshot;

	support_start(&program, NULL, words);
	assert_true(support_wait_text(&program, &program.out, "ready\n"));
	*truth = go(&program);
	start_attached(&probekit, program.pid);
	free(go(&program));
	snapshot = support_end_measuring(&probekit);
	support_done(&probekit);
	support_done(&program);
	return snapshot;
}

static void is_told_of_a_process(void **state)
{
	const struct wait *wait = *state;
	json_t *snapshot;
	char *truth;

	support_require_tracing();
	snapshot = measure_later(wait->mode, &truth);
	check_wait(wait, snapshot, truth);
	json_decref(snapshot);
	free(truth);
}

/* It took the lock, and blocked, before anybody measured. */
static void one_who_held_and_blocked_before_is_the_holder(void **state)
{
	const json_t *row;
	json_t *snapshot;
	char *truth;

	(void)state;
	support_require_tracing();
	snapshot = measure_later("old_owner", &truth);
	row = support_row(snapshot, "scene:request");
	check_fact(row, truth, LOCK "lock.kind", "mutex");
	check_fact(row, truth, LOCK "lock.address", "$address");
	check_fact(row, truth, LOCK "holder.tid", "$owner");
	json_decref(snapshot);
	free(truth);
}

int main(void)
{
	enum { WAITS = sizeof(waits) / sizeof(waits[0]) };
	static char names[2 * WAITS][96];
	struct CMUnitTest tests[2 * WAITS];
	size_t count = 0;

	for (const struct wait *wait = waits; wait->name; wait++) {
		for (int i = 0; i < (wait->is_of_command ? 1 : 2); i++) {
			snprintf(names[count], sizeof(names[0]), "%s%s", wait->name,
				 i ? "_of_a_process_that_has_been_running" : "");
			tests[count] = (struct CMUnitTest){
				.name = names[count],
				.test_func = i ? is_told_of_a_process : is_told_of_a_command,
				.initial_state = (void *)(uintptr_t)wait,
			};
			count++;
		}
	}
	tests[count++] =
		(struct CMUnitTest)cmocka_unit_test(one_who_held_and_blocked_before_is_the_holder);
	return _cmocka_run_group_tests("holders", tests, count, NULL, NULL);
}
