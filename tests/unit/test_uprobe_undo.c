/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that were caught while a probe of theirs was half done, in code of this very process. */
#include "uprobe_undo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "process.h"
#include "symbolize.h"

#if defined(__x86_64__)

#define BREAKPOINT 0xcc
#define STACK 0x7ffe00001000u
#define TRAMPOLINE 0x7fffffffe000u
#define TOP 4	   /* the word that the stack pointer points to */
#define POPS_AT 13 /* behind the trampoline's system call */

/* As functions begin and end that are probed, and a breakpoint of the program's own. */
__asm__(".text\n"
	"undo_push: push %rbp\n"
	"undo_pushed: pop %rbp\n"
	"undo_return: ret\n"
	"undo_returned: nop\n"
	"undo_push_upper: push %r12\n"
	"undo_pushed_upper: pop %r12\n"
	"ret\n"
	"undo_own: int3\n"
	"undo_after_own: push %rbp\n"
	".skip 16, 0x90\n");
extern const char undo_push[], undo_pushed[], undo_return[], undo_returned[], undo_push_upper[],
	undo_pushed_upper[], undo_own[], undo_after_own[];

struct caught {
	struct symbolizer *symbolizer;
	struct proc_maps maps;
	struct address_space space;
	struct unwind_registers registers;
	struct unwind_stack stack;
	uint64_t words[16];
};

static uint64_t address_of(const char *code)
{
	return (uint64_t)(uintptr_t)code;
}

static int setup(void **state)
{
	static struct caught caught;

	caught = (struct caught){0};
	assert_int_equal(symbolizer_new(&caught.symbolizer), 0);
	assert_int_equal(process_read_maps(getpid(), &caught.maps, NULL), 0);
	assert_int_equal(address_space_init(&caught.space, symbolizer_modules(caught.symbolizer),
					    getpid(), &caught.maps),
			 0);
	caught.stack.address = STACK;
	caught.stack.bytes = caught.words;
	caught.stack.size_bytes = sizeof(caught.words);
	*state = &caught;
	return 0;
}

static int teardown(void **state)
{
	struct caught *caught = *state;

	address_space_done(&caught->space);
	proc_maps_done(&caught->maps);
	symbolizer_free(caught->symbolizer);
	return 0;
}

/* Where the thread is put that stands at `ip`, with `top` on its stack and a breakpoint before or there. */
static uint64_t undone(struct caught *caught, const char *ip, uint64_t top, bool is_before)
{
	caught->registers.ip = address_of(ip);
	unwind_registers_set(&caught->registers, UNWIND_STACK_POINTER, STACK + 8 * TOP);
	caught->words[TOP] = top;
	caught->stack.code[0] = is_before ? BREAKPOINT : 0;
	caught->stack.code[1] = is_before ? 0 : BREAKPOINT;
	uprobe_undo(&caught->space, &caught->registers, &caught->stack);
	return caught->registers.ip;
}

static void a_push_that_waits_behind_its_breakpoint_has_not_run(void **state)
{
	struct caught *caught = *state;

	unwind_registers_set(&caught->registers, UNWIND_FRAME_POINTER, 0x1234);
	assert_int_equal(undone(caught, undo_pushed, address_of(undo_own), true),
			 address_of(undo_push));
	assert_int_equal(undone(caught, undo_pushed, 0x1234, true), address_of(undo_pushed));
	/* of the bytes of a longer one the unwind information is the same */
	assert_int_equal(undone(caught, undo_push_upper + 1, address_of(undo_own), true),
			 address_of(undo_push_upper) + 1);
}

static void a_push_that_the_kernel_has_run_is_behind_the_thread(void **state)
{
	struct caught *caught = *state;

	unwind_registers_set(&caught->registers, 12, 0x1234);
	assert_int_equal(undone(caught, undo_push_upper, 0x1234, false),
			 address_of(undo_pushed_upper));
	assert_int_equal(undone(caught, undo_push_upper, address_of(undo_own), false),
			 address_of(undo_push_upper));
	unwind_registers_set(&caught->registers, UNWIND_FRAME_POINTER, 0x5678);
	assert_int_equal(undone(caught, undo_push, 0x5678, false), address_of(undo_pushed));
	assert_int_equal(undone(caught, undo_pushed, 0x5678, false), address_of(undo_pushed));
}

static void a_return_that_waits_behind_its_breakpoint_has_not_run(void **state)
{
	struct caught *caught = *state;

	assert_int_equal(undone(caught, undo_returned, address_of(undo_own), true),
			 address_of(undo_return));
	assert_int_equal(undone(caught, undo_returned, 0x1234, true), address_of(undo_returned));
}

static void a_breakpoint_of_the_program_is_no_probe(void **state)
{
	struct caught *caught = *state;

	unwind_registers_set(&caught->registers, UNWIND_FRAME_POINTER, 0x1234);
	assert_int_equal(undone(caught, undo_after_own, address_of(undo_own), true),
			 address_of(undo_after_own));
	assert_int_equal(undone(caught, undo_own, 0x1234, false), address_of(undo_own));
	assert_int_equal(undone(caught, (const char *)caught, 0x1234, true),
			 address_of((void *)caught));
}

/* Where a thread is put whose return address is, or was, in the word behind `pushed` others. */
static void leave(struct caught *caught, uint64_t offset, size_t pushed)
{
	caught->stack.trampoline = TRAMPOLINE;
	caught->registers.ip = TRAMPOLINE + offset;
	unwind_registers_set(&caught->registers, UNWIND_STACK_POINTER, STACK + 8 * (TOP - pushed));
	uprobe_undo(&caught->space, &caught->registers, &caught->stack);
}

static void expect_left(const struct caught *caught)
{
	assert_int_equal(caught->registers.ip, address_of(undo_pushed));
	assert_int_equal(caught->registers.values[UNWIND_STACK_POINTER], STACK + 8 * TOP + 8);
}

static void a_return_that_the_kernel_has_yet_to_tell_is_on_its_list(void **state)
{
	struct caught *caught = *state;
	const struct replaced_return listed[] = {
		{STACK - 800, address_of(undo_own)}, /* left by longjmp() */
		{STACK + 8 * TOP, address_of(undo_pushed)},
		{STACK + 8 * TOP + 64, address_of(undo_own)},
	};

	caught->stack.returns = listed;
	caught->stack.return_count = 3;
	leave(caught, 4, 2);
	expect_left(caught);
	leave(caught, POPS_AT, 2);
	expect_left(caught);
}

static void a_return_that_the_kernel_has_told_is_in_its_slot(void **state)
{
	struct caught *caught = *state;
	const struct replaced_return callers = {STACK + 8 * TOP + 16, address_of(undo_own)};

	caught->words[TOP] = address_of(undo_pushed);
	caught->stack.returns = &callers;
	caught->stack.return_count = 1;
	leave(caught, POPS_AT, 2);
	expect_left(caught);
	leave(caught, POPS_AT + 2, 1);
	expect_left(caught);
	leave(caught, POPS_AT + 3, 0);
	expect_left(caught);
	leave(caught, POPS_AT + 1, 2);
	assert_int_equal(caught->registers.ip, TRAMPOLINE + POPS_AT + 1);
	caught->words[TOP] = 0x1234; /* not yet */
	leave(caught, POPS_AT, 2);
	assert_int_equal(caught->registers.ip, TRAMPOLINE + POPS_AT);
	caught->stack.size_bytes = 8 * TOP;
	leave(caught, POPS_AT, 2);
	assert_int_equal(caught->registers.ip, TRAMPOLINE + POPS_AT);
}

#define WITH_A_THREAD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
		WITH_A_THREAD(a_push_that_waits_behind_its_breakpoint_has_not_run),
		WITH_A_THREAD(a_push_that_the_kernel_has_run_is_behind_the_thread),
		WITH_A_THREAD(a_return_that_waits_behind_its_breakpoint_has_not_run),
		WITH_A_THREAD(a_breakpoint_of_the_program_is_no_probe),
		WITH_A_THREAD(a_return_that_the_kernel_has_yet_to_tell_is_on_its_list),
		WITH_A_THREAD(a_return_that_the_kernel_has_told_is_in_its_slot),
#endif
	};

	return cmocka_run_group_tests_name("uprobe_undo", tests, NULL, NULL);
}
