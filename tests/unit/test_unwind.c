/* SPDX-License-Identifier: BSD-2-Clause */
/* Stacks unwound from copies, against what the program itself and libgcc's unwinder say. */
#include "unwind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "symbolize.h"
#include "victim.h"

#define COPY_BYTES 32768

static const char *const builds[] = {"stacks_chain", "stacks_chain_fp", "stacks_chain_omit",
				     "stacks_chain_static", "stacks_chain_fixed"};
#define BUILDS (sizeof(builds) / sizeof(builds[0]))

/* A victim with its stack unwound. */
struct unwound {
	struct victim victim;
	struct symbolizer *symbolizer;
	struct address_space space;
	struct unwinder *unwinder;
	struct unwind_trace trace;
};

static void unwind_up_to(struct unwound *unwound, const char *program, const char *scenario,
			 const char *argument, bool has_all_registers, size_t copy_bytes)
{
	struct victim *victim = &unwound->victim;

	victim_start(victim, program, scenario, argument, "ready");
	victim_capture(victim, copy_bytes, has_all_registers);
	victim_end(victim);
	assert_int_equal(symbolizer_new(&unwound->symbolizer), 0);
	assert_int_equal(address_space_init(&unwound->space,
					    symbolizer_modules(unwound->symbolizer), victim->pid,
					    &victim->maps),
			 0);
	assert_int_equal(unwinder_new(&unwound->space, &unwound->unwinder), 0);
	unwind_copied(unwound->unwinder, &victim->registers, &victim->stack, &unwound->trace);
}

static void unwind(struct unwound *unwound, const char *program, const char *scenario,
		   const char *argument, bool has_all_registers)
{
	unwind_up_to(unwound, program, scenario, argument, has_all_registers, COPY_BYTES);
}

static void done(struct unwound *unwound)
{
	unwinder_free(unwound->unwinder);
	address_space_done(&unwound->space);
	symbolizer_free(unwound->symbolizer);
	victim_done(&unwound->victim);
}

static const char *name_of(struct unwound *unwound, size_t i)
{
	struct symbol_frames frames;

	symbolizer_resolve(unwound->symbolizer, &unwound->space, unwound->trace.addresses[i],
			   unwound->trace.is_return[i], &frames);
	return frames.frames[frames.size - 1].function ? frames.frames[frames.size - 1].function
						       : "?";
}

static void show(struct unwound *unwound)
{
	print_message("ended: %s\n", probekit_stack_end_name(unwound->trace.end));
	for (size_t i = 0; i < unwound->trace.size; i++)
		print_message("  %zu %#llx %s\n", i,
			      (unsigned long long)unwound->trace.addresses[i], name_of(unwound, i));
	for (size_t i = 0; i < unwound->victim.line_count; i++)
		print_message("  told: %s\n", unwound->victim.lines[i]);
}

/* Where `address` stands in the trace, from `from` on. */
static size_t position(struct unwound *unwound, uint64_t address, size_t from)
{
	for (size_t i = from; i < unwound->trace.size; i++)
		if (unwound->trace.addresses[i] == address)
			return i;
	show(unwound);
	fail_msg("%#llx is missing", (unsigned long long)address);
	return 0;
}

/* Every return address that was told is there, in order, with its caller's name. */
static size_t expect_returns(struct unwound *unwound)
{
	size_t last = SIZE_MAX;
	size_t found = 0;

	for (size_t i = 0; i < unwound->victim.line_count; i++) {
		unsigned long long address;
		char caller[64];
		size_t at;

		if (sscanf(unwound->victim.lines[i], "return %63s %llx", caller, &address) != 2)
			continue;
		/* told by the outer functions first */
		at = position(unwound, address, 0);
		if (at >= last)
			fail_msg("%s is out of order", caller);
		last = at;
		assert_true(unwound->trace.is_return[at]);
		assert_string_equal(name_of(unwound, at), caller);
		found++;
	}
	assert_true(found >= 4);
	return last;
}

/* From the caller of leaf() on, the stack is what libgcc found, to its end. */
static void expect_backtrace(struct unwound *unwound)
{
	size_t at = 0;
	size_t found = 0;

	for (size_t i = 0; i < unwound->victim.line_count; i++) {
		unsigned long long address;

		if (sscanf(unwound->victim.lines[i], "backtrace %llx", &address) != 1)
			continue;
		at = position(unwound, address, at);
		if (!found)
			assert_string_equal(name_of(unwound, at - 1), "leaf");
		found++;
		at++;
	}
	assert_true(found >= 4);
	if (at != unwound->trace.size)
		show(unwound);
	assert_int_equal(at, unwound->trace.size);
}

static void expect_end(struct unwound *unwound, enum probekit_stack_end end)
{
	if (unwound->trace.end != end)
		show(unwound);
	assert_string_equal(probekit_stack_end_name(unwound->trace.end),
			    probekit_stack_end_name(end));
}

/* libgcc's list has no gaps, so neither may ours: as many frames from leaf() to the end. */
static void expect_no_gaps(struct unwound *unwound)
{
	size_t told = 0;
	size_t leaf = 0;

	for (size_t i = 0; i < unwound->victim.line_count; i++)
		told += strncmp(unwound->victim.lines[i], "backtrace", 9) == 0;
	while (leaf < unwound->trace.size && strcmp(name_of(unwound, leaf), "leaf") != 0)
		leaf++;
	assert_int_equal(unwound->trace.size - leaf - 1, told);
}

static void expect_complete(const char *program, const char *scenario, bool has_all_registers)
{
	struct unwound unwound;

	unwind(&unwound, program, scenario, NULL, has_all_registers);
	expect_end(&unwound, PROBEKIT_STACK_COMPLETE);
	expect_returns(&unwound);
	expect_backtrace(&unwound);
	expect_no_gaps(&unwound);
	done(&unwound);
}

static void a_blocked_thread_is_followed_to_its_start_in_every_build(void **state)
{
	(void)state;
	for (size_t i = 0; i < BUILDS; i++)
		expect_complete(builds[i], "mutex", true);
}

static void callbacks_from_libc_are_followed_through_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < BUILDS; i++)
		expect_complete(builds[i], "qsort", true);
}

static void a_signal_frame_leads_to_what_it_interrupted(void **state)
{
	(void)state;
	for (size_t i = 0; i < BUILDS; i++)
		expect_complete(builds[i], "signal", true);
}

static void what_a_signal_interrupted_is_no_return_address(void **state)
{
	struct unwound unwound;
	size_t others = 0;

	(void)state;
	unwind(&unwound, "stacks_chain", "signal", NULL, true);
	for (size_t i = 0; i < unwound.trace.size; i++)
		others += !unwound.trace.is_return[i];
	/* where it stands, the signal's return code, and the interrupted function */
	assert_int_equal(others, 3);
	assert_false(unwound.trace.is_return[0]);
	done(&unwound);
}

static void a_thread_is_followed_to_its_start(void **state)
{
	(void)state;
	for (size_t i = 0; i < BUILDS; i++)
		expect_complete(builds[i], "thread", true);
}

static void three_registers_are_enough_for_frames_of_ordinary_functions(void **state)
{
	(void)state;
	for (size_t i = 0; i < BUILDS; i++)
		expect_complete(builds[i], "mutex", false);
}

static void code_without_a_file_is_passed_by_its_frame_pointer(void **state)
{
	struct unwound unwound;

	(void)state;
	for (size_t i = 0; i < BUILDS; i++) {
		unwind(&unwound, builds[i], "jit", NULL, true);
		expect_end(&unwound, PROBEKIT_STACK_COMPLETE);
		expect_returns(&unwound);
		done(&unwound);
	}
}

static void code_without_unwind_information_is_passed_by_its_frame_pointer(void **state)
{
	struct unwound unwound;

	(void)state;
	unwind(&unwound, "stacks_chain_nocfi", "mutex", NULL, true);
	expect_end(&unwound, PROBEKIT_STACK_COMPLETE);
	expect_returns(&unwound);
	done(&unwound);
}

static void another_stack_ends_the_walk(void **state)
{
	struct unwound unwound;

	(void)state;
	unwind(&unwound, "stacks_chain", "other-stack", NULL, true);
	expect_end(&unwound, PROBEKIT_STACK_SWITCHED);
	assert_string_equal(name_of(&unwound, unwound.trace.size - 2), "handler");
	done(&unwound);
}

static void a_copy_that_is_too_short_is_told_apart(void **state)
{
	struct unwound unwound;
	size_t recursions = 0;

	(void)state;
	unwind(&unwound, "stacks_chain", "deep", "40", true);
	expect_end(&unwound, PROBEKIT_STACK_COPY_SHORT);
	for (size_t i = 0; i < unwound.trace.size; i++)
		recursions += strcmp(name_of(&unwound, i), "recurse") == 0;
	assert_in_range(recursions, 13, 16);
	done(&unwound);
}

static void deep_recursion_ends_at_the_frames_there_is_room_for(void **state)
{
	struct unwound unwound;

	(void)state;
	unwind_up_to(&unwound, "stacks_chain", "deep", "700", true, 3 << 19);
	expect_end(&unwound, PROBEKIT_STACK_TOO_DEEP);
	assert_int_equal(unwound.trace.size, UNWIND_FRAMES_MAX);
	assert_string_equal(name_of(&unwound, UNWIND_FRAMES_MAX - 1), "recurse");
	done(&unwound);
}

static void what_leads_to_no_code_is_lost(void **state)
{
	struct unwound unwound;
	struct victim *victim = &unwound.victim;

	(void)state;
	unwind(&unwound, "stacks_chain_omit", "mutex", NULL, true);
	for (size_t at = 0; at + 8 <= victim->stack.size_bytes; at += 8) {
		uint64_t word;

		memcpy(&word, victim->copy + at, sizeof(word));
		if (word == unwound.trace.addresses[2])
			memset(victim->copy + at, 0xff, sizeof(word));
	}
	unwind_copied(unwound.unwinder, &victim->registers, &victim->stack, &unwound.trace);
	expect_end(&unwound, PROBEKIT_STACK_LOST);
	assert_int_equal(unwound.trace.size, 2);
	done(&unwound);
}

static void generated_code_without_a_frame_pointer_ends_the_walk(void **state)
{
	struct unwound unwound;
	struct unwind_registers registers;
	size_t at = 0;

	(void)state;
	unwind(&unwound, "stacks_chain", "jit", NULL, true);
	while (at + 1 < unwound.trace.size && strcmp(name_of(&unwound, at), "?") != 0)
		at++;
	assert_string_equal(name_of(&unwound, at), "?");
	registers = unwound.victim.registers;
	registers.ip = unwound.trace.addresses[at];
	registers.values[UNWIND_FRAME_POINTER] = 1;
	unwind_copied(unwound.unwinder, &registers, &unwound.victim.stack, &unwound.trace);
	expect_end(&unwound, PROBEKIT_STACK_GENERATED);
	assert_int_equal(unwound.trace.size, 1);
	done(&unwound);
}

/* As long as no return address is in it, a page that is missing does no harm. */
static void pages_that_could_not_be_read_are_missed_only_when_needed(void **state)
{
	struct unwound unwound;
	struct unwind_stack stack;
	uint32_t pages, harmless = 0;
	size_t whole;

	(void)state;
	unwind(&unwound, "stacks_chain_omit", "deep", "8", true);
	expect_end(&unwound, PROBEKIT_STACK_COMPLETE);
	whole = unwound.trace.size;
	stack = unwound.victim.stack;
	pages = (uint32_t)(((stack.address + stack.size_bytes - 1) >> 12) - (stack.address >> 12) +
			   1);
	assert_true(pages >= 5 && pages <= 16);
	for (uint32_t page = 0; page < pages; page++) {
		stack.holes = 1u << page;
		unwind_copied(unwound.unwinder, &unwound.victim.registers, &stack, &unwound.trace);
		if (unwound.trace.end == PROBEKIT_STACK_COMPLETE)
			harmless++;
		else
			assert_int_equal(unwound.trace.end, PROBEKIT_STACK_UNREADABLE);
		assert_true(unwound.trace.size <= whole);
	}
	/* frames of half a page have one in each */
	assert_true(harmless < pages - 4);
	stack.holes = 1u << pages;
	unwind_copied(unwound.unwinder, &unwound.victim.registers, &stack, &unwound.trace);
	expect_end(&unwound, PROBEKIT_STACK_COMPLETE);
	done(&unwound);
}

static void a_copy_that_ends_where_memory_does_is_told_apart(void **state)
{
	struct unwound unwound;

	(void)state;
	unwind(&unwound, "stacks_chain", "deep", "40", true);
	unwound.victim.stack.is_torn = true;
	unwind_copied(unwound.unwinder, &unwound.victim.registers, &unwound.victim.stack,
		      &unwound.trace);
	expect_end(&unwound, PROBEKIT_STACK_UNREADABLE);
	done(&unwound);
}

/* The return that ends the function: behind the pop of its frame pointer. */
static uint64_t return_behind(struct unwound *unwound, uint64_t ip)
{
	for (uint64_t end = ip + 4096; ip < end; ip++) {
		struct location location = address_space_locate(&unwound->space, ip);
		uint64_t word;

		assert_non_null(location.module);
		assert_true(module_read(location.module, location.address, &word));
		if ((word & 0xffff) == 0xc35d || (word & 0xffff) == 0xc3c9)
			return ip + 1;
	}
	fail_msg("there is none");
	return 0;
}

/* Where a function returns, its unwind information says that they lie below the stack pointer. */
static void registers_that_a_function_has_popped_are_found(void **state)
{
	struct unwind_registers registers = {0};
	struct unwind_stack stack;
	struct unwind_trace whole;
	struct unwound unwound;
	size_t leaf = 0;
	size_t slot = 0;

	(void)state;
	unwind(&unwound, "stacks_chain_fp", "mutex", NULL, true);
	whole = unwound.trace;
	while (strcmp(name_of(&unwound, leaf), "leaf") != 0)
		leaf++;
	/* leaf() has a list of them, too, further down */
	for (size_t at = 0; at + 8 <= unwound.victim.stack.size_bytes; at += 8)
		if (memcmp(unwound.victim.copy + at, &whole.addresses[leaf + 1], 8) == 0)
			slot = at;
	registers.ip = return_behind(&unwound, whole.addresses[leaf]);
	unwind_registers_set(&registers, UNWIND_STACK_POINTER, unwound.victim.stack.address + slot);
	stack = unwound.victim.stack;
	for (int has_popped = 1; has_popped >= 0; has_popped--) {
		size_t from = slot - (has_popped ? 16 : 0);

		stack.address = unwound.victim.stack.address + from;
		stack.bytes = unwound.victim.copy + from;
		stack.size_bytes = unwound.victim.stack.size_bytes - from;
		unwind_copied(unwound.unwinder, &registers, &stack, &unwound.trace);
		expect_end(&unwound, has_popped ? PROBEKIT_STACK_COMPLETE : PROBEKIT_STACK_LOST);
		if (has_popped)
			assert_int_equal(unwound.trace.size, whole.size - leaf);
	}
	done(&unwound);
}

/* Whatever the copy's length, the frames found are the first of the whole stack; the sanitizers see
 * to it that nothing behind the copy is read. */
static void every_shorter_copy_gives_the_beginning_of_the_stack(void **state)
{
	struct unwind_trace whole;
	struct unwound unwound;
	struct victim *victim = &unwound.victim;

	(void)state;
	unwind(&unwound, "stacks_chain_omit", "qsort", NULL, true);
	whole = unwound.trace;
	for (size_t size = 0; size < victim->stack.size_bytes; size += size < 1024 ? 4 : 512) {
		char *copy = malloc(size + 1);
		struct unwind_stack shorter = {
			.address = victim->stack.address, .bytes = copy, .size_bytes = size};

		assert_non_null(copy);
		memcpy(copy, victim->copy, size);
		unwind_copied(unwound.unwinder, &victim->registers, &shorter, &unwound.trace);
		assert_true(unwound.trace.size >= 1 && unwound.trace.size <= whole.size);
		assert_memory_equal(unwound.trace.addresses, whole.addresses,
				    unwound.trace.size * sizeof(whole.addresses[0]));
		if (unwound.trace.size < whole.size)
			assert_int_equal(unwound.trace.end, PROBEKIT_STACK_COPY_SHORT);
		free(copy);
	}
	done(&unwound);
}

/* As uretprobes leave a stack: in the slots of return addresses is the trampoline's. */
static void replaced_return_addresses_are_those_told(void **state)
{
	const uint64_t trampoline = 0x7fffffff0000;
	struct replaced_return returns[SAMPLE_RETURNS];
	struct unwind_stack replaced;
	struct unwind_trace whole;
	struct unwound unwound;
	uint64_t *words;
	size_t count = 0;

	(void)state;
	unwind(&unwound, "stacks_chain_omit", "qsort", NULL, true);
	replaced = unwound.victim.stack;
	words = (uint64_t *)unwound.victim.copy;
	whole = unwound.trace;
	for (size_t i = 0; i < replaced.size_bytes / 8 && count < SAMPLE_RETURNS; i++) {
		if (words[i] != whole.addresses[1 + count])
			continue;
		returns[count++] = (struct replaced_return){replaced.address + 8 * i, words[i]};
		words[i] = trampoline;
	}
	assert_true(count >= 6);
	unwind_copied(unwound.unwinder, &unwound.victim.registers, &replaced, &unwound.trace);
	assert_int_equal(unwound.trace.size, 1);
	replaced.returns = returns;
	replaced.return_count = count;
	replaced.trampoline = trampoline;
	unwind_copied(unwound.unwinder, &unwound.victim.registers, &replaced, &unwound.trace);
	assert_int_equal(unwound.trace.size, whole.size);
	assert_int_equal(unwound.trace.end, PROBEKIT_STACK_COMPLETE);
	assert_memory_equal(unwound.trace.addresses, whole.addresses,
			    whole.size * sizeof(whole.addresses[0]));
	done(&unwound);
}

/* The slot of a call that ended by longjmp() may hold anything since. */
static void slots_without_the_trampoline_are_left_alone(void **state)
{
	struct replaced_return returns[SAMPLE_RETURNS];
	struct unwind_stack told;
	struct unwind_trace whole;
	struct unwound unwound;

	(void)state;
	unwind(&unwound, "stacks_chain_omit", "qsort", NULL, true);
	whole = unwound.trace;
	told = unwound.victim.stack;
	for (size_t i = 0; i < SAMPLE_RETURNS; i++)
		returns[i] = (struct replaced_return){told.address + 8 * i, whole.addresses[0]};
	told.returns = returns;
	told.return_count = SAMPLE_RETURNS;
	told.trampoline = 0x7fffffff0000;
	unwind_copied(unwound.unwinder, &unwound.victim.registers, &told, &unwound.trace);
	assert_int_equal(unwound.trace.size, whole.size);
	assert_memory_equal(unwound.trace.addresses, whole.addresses,
			    whole.size * sizeof(whole.addresses[0]));
	done(&unwound);
}

static void damaged_stacks_end_the_walk(void **state)
{
	struct unwound unwound;
	struct victim *victim = &unwound.victim;
	uint64_t *words;

	(void)state;
	unwind(&unwound, "stacks_chain_fp", "mutex", NULL, true);
	words = (uint64_t *)victim->copy;
	for (unsigned int seed = 1; seed < 500; seed++) {
		srand(seed);
		for (size_t i = 0; i < 16; i++) {
			size_t at = (size_t)rand() % (victim->stack.size_bytes / 8);

			words[at] = i % 2 ? victim->stack.address + (uint64_t)(rand() % 65536)
					  : (uint64_t)rand() << 20 ^ (uint64_t)rand();
		}
		unwind_copied(unwound.unwinder, &victim->registers, &victim->stack, &unwound.trace);
		assert_in_range(unwound.trace.size, 1, UNWIND_FRAMES_MAX);
	}
	done(&unwound);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_blocked_thread_is_followed_to_its_start_in_every_build),
		cmocka_unit_test(callbacks_from_libc_are_followed_through_it),
		cmocka_unit_test(a_signal_frame_leads_to_what_it_interrupted),
		cmocka_unit_test(what_a_signal_interrupted_is_no_return_address),
		cmocka_unit_test(a_thread_is_followed_to_its_start),
		cmocka_unit_test(three_registers_are_enough_for_frames_of_ordinary_functions),
		cmocka_unit_test(code_without_a_file_is_passed_by_its_frame_pointer),
		cmocka_unit_test(code_without_unwind_information_is_passed_by_its_frame_pointer),
		cmocka_unit_test(another_stack_ends_the_walk),
		cmocka_unit_test(a_copy_that_is_too_short_is_told_apart),
		cmocka_unit_test(what_leads_to_no_code_is_lost),
		cmocka_unit_test(generated_code_without_a_frame_pointer_ends_the_walk),
		cmocka_unit_test(pages_that_could_not_be_read_are_missed_only_when_needed),
		cmocka_unit_test(a_copy_that_ends_where_memory_does_is_told_apart),
		cmocka_unit_test(registers_that_a_function_has_popped_are_found),
		cmocka_unit_test(deep_recursion_ends_at_the_frames_there_is_room_for),
		cmocka_unit_test(every_shorter_copy_gives_the_beginning_of_the_stack),
		cmocka_unit_test(replaced_return_addresses_are_those_told),
		cmocka_unit_test(slots_without_the_trampoline_are_left_alone),
		cmocka_unit_test(damaged_stacks_end_the_walk),
	};

	return cmocka_run_group_tests_name("unwind", tests, NULL, NULL);
}
