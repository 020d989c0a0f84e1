/* SPDX-License-Identifier: BSD-2-Clause */
/* What is made of stacks of real threads that block. */
#include "evidence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "process.h"
#include "records.h"
#include "stack.h"

#define COPY_BYTES 32768
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void capture(struct victim *victim, const char *program, const char *what,
		    const char *argument)
{
	victim_start(victim, program, what, argument, "ready");
	victim_capture(victim, COPY_BYTES, true);
}

static void add_victim(struct evidence *evidence, const struct victim *victim, enum stack_role role,
		       uint64_t weight)
{
	struct stack_record *record = record_of_victim(victim, role, weight);

	record_add(evidence, record);
	free(record);
}

/* What one thread that blocks in `what` shows. */
static struct probekit_cause cause_of(const char *program, const char *what)
{
	struct evidence *evidence = new_evidence();
	struct probekit_cause cause;
	struct victim victim;

	capture(&victim, program, what, NULL);
	add_victim(evidence, &victim, STACK_WAITER, 100);
	add_victim(evidence, &victim, STACK_HOLDER, 100);
	victim_done(&victim);
	cause = cause_of_lock(evidence);
	evidence_free(evidence);
	return cause;
}

static void the_called_function_of_the_library_is_the_innermost_shown(void **state)
{
	static const char *const names[] = {"pthread_mutex_lock", "append_line", "handle_request",
					    "worker"};
	struct probekit_cause cause = cause_of("stacks_blocked", "mutex");

	(void)state;
	expect_functions(&cause.stack, LENGTH(names), names);
	assert_true(cause.stack.is_complete);
	assert_true(cause.stack.share == 1);
	assert_non_null(strstr(cause.stack.frames[0].module, "libc"));
	assert_string_equal(strrchr(cause.stack.frames[1].file, '/'), "/stacks_blocked.c");
	assert_true(cause.stack.frames[1].line > 0);
	cause_done(&cause);
}

static const struct {
	const char *what;
	const char *kind;
	const char *function;
} locks[] = {
	{"mutex", "mutex", "pthread_mutex_lock"},
	{"rdlock", "rwlock", "pthread_rwlock_rdlock"},
	{"wrlock", "rwlock", "pthread_rwlock_wrlock"},
	{"condvar", "condvar", "pthread_cond_wait"},
	{"semaphore", "semaphore", "sem_wait"},
	{"join", "join", "pthread_join"},
	{"barrier", "barrier", "pthread_barrier_wait"},
	{"once", "once", "pthread_once"},
};

static void every_kind_of_lock_is_recognised(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(locks); i++) {
		const char *names[] = {locks[i].function, "append_line"};
		struct probekit_cause cause = cause_of("stacks_blocked", locks[i].what);

		print_message("%s: %s\n", locks[i].what, cause.lock_kind);
		expect_functions(&cause.stack, LENGTH(names), names);
		assert_non_null(cause.lock_kind);
		assert_string_equal(cause.lock_kind, locks[i].kind);
		cause_done(&cause);
	}
}

static void every_kind_is_recognised_in_a_static_program(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(locks); i++) {
		struct probekit_cause cause = cause_of("stacks_blocked_static", locks[i].what);

		print_message("%s: %s in %s\n", locks[i].what, cause.lock_kind,
			      cause.stack.frames[0].function);
		assert_non_null(cause.lock_kind);
		assert_string_equal(cause.lock_kind, locks[i].kind);
		assert_string_equal(cause.stack.frames[1].function, "append_line");
		cause_done(&cause);
	}
}

static void names_of_called_functions_are_readable(void **state)
{
	static const char *const names[] = {"std::condition_variable::wait", "queue::take", "main"};
	struct probekit_cause cause = cause_of("stacks_queue", NULL);

	(void)state;
	expect_functions(&cause.stack, LENGTH(names), names);
	assert_string_equal(cause.lock_kind, "condvar");
	cause_done(&cause);
}

static void a_holder_is_believed_where_the_lock_has_an_owner(void **state)
{
	static const char *const with[] = {"mutex", "wrlock", "join"};
	static const char *const without[] = {"condvar", "semaphore", "barrier", "once"};
	struct probekit_cause cause;

	(void)state;
	for (size_t i = 0; i < LENGTH(with); i++) {
		cause = cause_of("stacks_blocked", with[i]);
		assert_non_null(cause.holder);
		assert_int_equal(cause.holder->threads, 1);
		assert_true(cause.holder->thread.tid > 0);
		assert_string_equal(cause.holder->thread.comm, "test");
		assert_string_equal(cause.holder->stack.frames[1].function, "append_line");
		cause_done(&cause);
	}
	for (size_t i = 0; i < LENGTH(without); i++) {
		cause = cause_of("stacks_blocked", without[i]);
		assert_null(cause.holder);
		cause_done(&cause);
	}
}

/* Also when it has ended since. */
static void a_holder_that_was_never_sampled_has_its_name(void **state)
{
	struct evidence *evidence = new_evidence();
	struct stack_record *record;
	struct probekit_cause cause;
	struct victim victim;

	(void)state;
	if (!process_has_kernel_pids()) {
		print_message("needs the first PID namespace\n");
		skip();
	}
	capture(&victim, "stacks_blocked", "mutex", NULL);
	record = record_of_victim(&victim, STACK_WAITER, 1);
	record->holder_tid = (uint32_t)victim.pid;
	record->holder_pid = (uint32_t)victim.pid;
	record_add(evidence, record);
	victim_end(&victim);
	cause = cause_of_lock(evidence);
	assert_non_null(cause.holder);
	assert_int_equal(cause.holder->thread.tid, victim.pid);
	assert_string_equal(cause.holder->thread.comm, "stacks_blocked");
	cause_done(&cause);
	free(record);
	victim_done(&victim);
	evidence_free(evidence);
}

/* Two processes of one program have its functions at different addresses. */
static void stacks_of_the_same_functions_count_as_one(void **state)
{
	struct evidence *evidence = new_evidence();
	struct probekit_cause cause;
	struct victim direct;
	struct victim one;
	struct victim two;

	(void)state;
	capture(&one, "stacks_blocked", "mutex", NULL);
	capture(&two, "stacks_blocked", "mutex", NULL);
	capture(&direct, "stacks_blocked", "mutex", "direct");
	add_victim(evidence, &direct, STACK_WAITER, 30);
	add_victim(evidence, &one, STACK_WAITER, 20);
	cause = cause_of_lock(evidence);
	assert_string_equal(cause.stack.frames[2].function, "worker");
	assert_true(cause.stack.share == 30. / 50);
	cause_done(&cause);
	add_victim(evidence, &two, STACK_WAITER, 20);
	cause = cause_of_lock(evidence);
	assert_string_equal(cause.stack.frames[2].function, "handle_request");
	assert_true(cause.stack.share == 40. / 70);
	cause_done(&cause);
	evidence_free(evidence);
	victim_done(&one);
	victim_done(&two);
	victim_done(&direct);
}

static void a_process_that_has_ended_since_is_still_unwound(void **state)
{
	static const char *const names[] = {"pthread_mutex_lock", "append_line"};
	struct evidence *evidence = new_evidence();
	struct stack_record *record;
	struct probekit_cause cause;
	struct victim victim;

	(void)state;
	capture(&victim, "stacks_blocked", "mutex", NULL);
	record = record_of_victim(&victim, STACK_WAKER, 1);
	record_add(evidence, record);
	victim_end(&victim);
	record->role = STACK_WAITER;
	record_add(evidence, record);
	assert_int_equal(evidence_stacks(evidence, PROBEKIT_STACK_NONE), 0);
	cause = cause_of_lock(evidence);
	expect_functions(&cause.stack, LENGTH(names), names);
	expect_functions(&cause.waker_stack, LENGTH(names), names);
	assert_int_equal(cause.waker.tid, victim.tid);
	cause_done(&cause);
	free(record);
	victim_done(&victim);
	evidence_free(evidence);
}

static void a_process_that_was_never_seen_is_counted(void **state)
{
	struct evidence *evidence = new_evidence();
	struct stack_record *record;
	struct probekit_cause cause;
	struct victim victim;

	(void)state;
	capture(&victim, "stacks_blocked", "mutex", NULL);
	record = record_of_victim(&victim, STACK_WAITER, 1);
	victim_end(&victim);
	record_add(evidence, record);
	assert_int_equal(evidence_stacks(evidence, PROBEKIT_STACK_NONE), 1);
	cause = cause_of_lock(evidence);
	assert_int_equal(cause.stack.size, 0);
	assert_null(cause.lock_kind);
	cause_done(&cause);
	free(record);
	victim_done(&victim);
	evidence_free(evidence);
}

/* Of frames so wide that pages of them were never touched, the last pages of the copy may be such. */
static void copies_that_end_at_pages_that_cannot_be_read_are_to_be_longer(void **state)
{
	struct evidence *evidence = new_evidence();
	struct stack_record *record;
	struct victim victim;
	uint64_t end;

	(void)state;
	capture(&victim, "stacks_chain", "deep", "40");
	record = record_of_victim(&victim, STACK_WAITER, 1);
	record->size_bytes = SAMPLE_BYTES_MAX / 2;
	record_add(evidence, record);
	assert_int_equal(evidence_stacks(evidence, PROBEKIT_STACK_COPY_SHORT), 1);
	assert_true(evidence_wants_longer_copies(evidence));
	assert_false(evidence_wants_longer_copies(evidence));
	end = record->registers[UNWIND_STACK_POINTER] - SAMPLE_POPPED_BYTES + record->size_bytes;
	record->size_bytes -= end % SAMPLE_PAGE_BYTES;
	record_add(evidence, record);
	assert_int_equal(evidence_stacks(evidence, PROBEKIT_STACK_UNREADABLE), 1);
	assert_true(evidence_wants_longer_copies(evidence));
	free(record);
	victim_done(&victim);
	evidence_free(evidence);
}

/* The same PID runs another program from one sample to the next. */
static void an_exec_makes_the_maps_be_read_again(void **state)
{
	static const char *const names[] = {"pthread_mutex_lock", "append_line"};
	struct evidence *evidence = new_evidence();
	struct probekit_cause cause;
	struct stack_record shell = record_at(0, STACK_WAITER, 1000);
	char command[4200];
	char program[4096];
	struct victim victim;

	(void)state;
	victim_program_path("stacks_blocked", program, sizeof(program));
	snprintf(command, sizeof(command), "echo ready 0; read line; exec %s mutex", program);
	victim_start(&victim, "/bin/sh", "-c", command, "ready");
	shell.pid = (uint32_t)victim.pid;
	for (size_t i = 0; i < victim.maps.size; i++)
		if (victim.maps.maps[i].is_executable)
			shell.registers[SAMPLE_REGISTERS - 1] = victim.maps.maps[i].start;
	record_add(evidence, &shell);
	assert_int_equal(evidence_stacks(evidence, PROBEKIT_STACK_NONE), 0);

	assert_int_equal(write(victim.input, "\n", 1), 1);
	assert_non_null(fgets(victim.lines[0], sizeof(victim.lines[0]), victim.output));
	proc_maps_done(&victim.maps);
	assert_int_equal(process_read_maps(victim.pid, &victim.maps, NULL), 0);
	victim_capture(&victim, COPY_BYTES, true);
	add_victim(evidence, &victim, STACK_WAITER, 2000);
	cause = cause_of_lock(evidence);
	expect_functions(&cause.stack, LENGTH(names), names);
	assert_true(cause.stack.is_complete);
	cause_done(&cause);
	victim_done(&victim);
	evidence_free(evidence);
}

static void one_stack_can_be_had_alone(void **state)
{
	static const char *const names[] = {"pthread_mutex_lock", "append_line"};
	struct evidence *evidence = new_evidence();
	struct probekit_stack stack;
	const char *lock_kind;
	struct stack_record *record;
	struct victim victim;

	(void)state;
	capture(&victim, "stacks_blocked", "mutex", NULL);
	record = record_of_victim(&victim, STACK_OPEN, 0);
	assert_int_equal(evidence_stack(evidence, record, record_size(record), &stack, &lock_kind),
			 0);
	assert_string_equal(lock_kind, "mutex");
	evidence_free(evidence);
	expect_functions(&stack, LENGTH(names), names);
	assert_true(stack.share == 1);
	stack_done(&stack);
	free(record);
	victim_done(&victim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_called_function_of_the_library_is_the_innermost_shown),
		cmocka_unit_test(every_kind_of_lock_is_recognised),
		cmocka_unit_test(every_kind_is_recognised_in_a_static_program),
		cmocka_unit_test(names_of_called_functions_are_readable),
		cmocka_unit_test(a_holder_is_believed_where_the_lock_has_an_owner),
		cmocka_unit_test(a_holder_that_was_never_sampled_has_its_name),
		cmocka_unit_test(stacks_of_the_same_functions_count_as_one),
		cmocka_unit_test(a_process_that_has_ended_since_is_still_unwound),
		cmocka_unit_test(a_process_that_was_never_seen_is_counted),
		cmocka_unit_test(copies_that_end_at_pages_that_cannot_be_read_are_to_be_longer),
		cmocka_unit_test(an_exec_makes_the_maps_be_read_again),
		cmocka_unit_test(one_stack_can_be_had_alone),
	};

	return cmocka_run_group_tests_name("evidence", tests, NULL, NULL);
}
