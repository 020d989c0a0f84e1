/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses of a program against what it says stands there: functions, inlined ones, lines; and
 * what is told where its file is stripped, copied or replaced. */
#include "symbolize.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "asked.h"
#include "victim.h"

/* ---- stacks_inline: every "address" and the "frame"s after it ---- */

struct told {
	uint64_t address;
	struct {
		char kind[16];
		unsigned int line;
		char function[200];
	} frames[4];
	size_t size;
};

static size_t read_told(const struct victim *victim, struct told told[8])
{
	size_t count = 0;

	for (size_t i = 0; i < victim->line_count; i++) {
		const char *line = victim->lines[i];
		unsigned long long address;

		if (sscanf(line, "address %llx", &address) == 1) {
			assert_true(count < 8);
			told[count++] = (struct told){.address = address};
		} else if (count) {
			struct told *last = &told[count - 1];

			assert_true(last->size < 4);
			last->size += sscanf(line, "frame %15s %u %199[^\n]",
					     last->frames[last->size].kind,
					     &last->frames[last->size].line,
					     last->frames[last->size].function) == 3;
		}
	}
	assert_int_equal(count, 3);
	return count;
}

static void expect_frames(struct asked *asked, const struct victim *victim)
{
	struct told told[8];
	size_t count = read_told(victim, told);

	for (size_t i = 0; i < count; i++) {
		struct symbol_frames frames;

		symbolizer_resolve(asked->symbolizer, &asked->space, told[i].address, true,
				   &frames);
		assert_int_equal(frames.size, told[i].size);
		for (size_t k = 0; k < frames.size; k++) {
			const struct symbol_frame *frame = &frames.frames[k];

			assert_string_equal(frame->function, told[i].frames[k].function);
			assert_int_equal(frame->is_inlined,
					 strcmp(told[i].frames[k].kind, "inlined") == 0);
			assert_non_null(frame->file);
			assert_string_equal(strrchr(frame->file, '/'), "/stacks_inline.cpp");
			assert_int_equal(frame->line, told[i].frames[k].line);
			assert_true(frame->offset > 0 && frame->offset < 4096);
		}
	}
}

static void expect_program(const char *program, bool ends_first)
{
	struct asked asked = {0};
	struct victim victim;

	victim_start(&victim, program, NULL, NULL, "done");
	if (ends_first)
		victim_end(&victim);
	ask_about(&asked, victim.pid, &victim.maps);
	expect_frames(&asked, &victim);
	asked_done(&asked);
	victim_done(&victim);
}

static void inlined_functions_and_lines_are_what_the_program_says(void **state)
{
	(void)state;
	expect_program("stacks_inline", false);
}

static void a_process_that_has_ended_is_still_resolved(void **state)
{
	(void)state;
	expect_program("stacks_inline", true);
}

static void a_linked_debug_file_tells_as_much(void **state)
{
	(void)state;
	expect_program("stacks_inline_linked", false);
}

static void a_debug_file_is_found_without_the_process(void **state)
{
	(void)state;
	expect_program("stacks_inline_linked", true);
}

static void a_stripped_file_gives_the_place_in_it(void **state)
{
	struct asked asked = {0};
	struct victim victim;
	struct told told[8];
	size_t count;

	(void)state;
	victim_start(&victim, "stacks_inline_stripped", NULL, NULL, "done");
	ask_about(&asked, victim.pid, &victim.maps);
	count = read_told(&victim, told);
	for (size_t i = 0; i < count; i++) {
		struct symbol_frames frames;
		char expected[128];
		char name[128];

		symbolizer_resolve(asked.symbolizer, &asked.space, told[i].address, true, &frames);
		assert_int_equal(frames.size, 1);
		assert_null(frames.frames[0].function);
		assert_null(frames.frames[0].file);
		/* the first mapping begins at the file's address 0 */
		snprintf(expected, sizeof(expected), "stacks_inline_stripped+0x%llx",
			 (unsigned long long)(told[i].address - victim.maps.maps[0].start));
		symbol_frame_name(&frames.frames[0], name, sizeof(name));
		assert_string_equal(name, expected);
	}
	asked_done(&asked);
	victim_done(&victim);
}

/* ---- copies and replacements ---- */

static void copy_file(const char *from, const char *to)
{
	char command[2 * PATH_MAX + 16];

	assert_true((size_t)snprintf(command, sizeof(command), "cp '%s' '%s'", from, to) <
		    sizeof(command));
	assert_int_equal(system(command), 0);
}

static void copies_of_a_file_are_opened_once(void **state)
{
	char folder[] = "/tmp/probekit-symbolize-XXXXXX";
	struct asked asked = {0};
	char original[PATH_MAX];
	char copy[PATH_MAX];
	struct victim victims[3];

	(void)state;
	assert_non_null(mkdtemp(folder));
	victim_program_path("stacks_inline", original, sizeof(original));
	snprintf(copy, sizeof(copy), "%s/copy", folder);
	copy_file(original, copy);
	for (size_t i = 0; i < 3; i++) {
		victim_start(&victims[i], i == 1 ? copy : original, NULL, NULL, "done");
		ask_about(&asked, victims[i].pid, &victims[i].maps);
		assert_int_equal(module_cache_size(symbolizer_modules(asked.symbolizer)), i > 0);
		expect_frames(&asked, &victims[i]);
	}
	assert_int_equal(module_cache_size(symbolizer_modules(asked.symbolizer)), 1);
	asked_done(&asked);
	for (size_t i = 0; i < 3; i++)
		victim_done(&victims[i]);
	unlink(copy);
	rmdir(folder);
}

static void each_process_has_its_own_path_of_a_shared_file(void **state)
{
	char folder[] = "/tmp/probekit-symbolize-XXXXXX";
	struct asked asked = {0};
	char original[PATH_MAX];
	char copy[PATH_MAX];
	struct told told[8];
	struct victim victims[2];

	(void)state;
	assert_non_null(mkdtemp(folder));
	victim_program_path("stacks_inline", original, sizeof(original));
	snprintf(copy, sizeof(copy), "%s/copy", folder);
	copy_file(original, copy);
	for (size_t i = 0; i < 2; i++) {
		victim_start(&victims[i], i ? copy : original, NULL, NULL, "done");
		ask_about(&asked, victims[i].pid, &victims[i].maps);
		read_told(&victims[i], told);
		assert_string_equal(asked_resolve(&asked, told[0].address).module,
				    i ? copy : original);
	}
	asked_done(&asked);
	for (size_t i = 0; i < 2; i++)
		victim_done(&victims[i]);
	unlink(copy);
	rmdir(folder);
}

/* How a file that is gone, or another by now, is resolved; while the process lives, or after. */
static void expect_replaced(bool ends_first, bool is_found)
{
	char folder[] = "/tmp/probekit-symbolize-XXXXXX";
	struct asked asked = {0};
	char original[PATH_MAX];
	char copy[PATH_MAX];
	struct told told[8];
	struct victim victim;

	assert_non_null(mkdtemp(folder));
	victim_program_path("stacks_inline", original, sizeof(original));
	snprintf(copy, sizeof(copy), "%s/copy", folder);
	copy_file(original, copy);
	victim_start(&victim, copy, NULL, NULL, "done");
	if (ends_first)
		victim_end(&victim);
	/* keeps the inode, which must not be used again for the test to mean something */
	rename(copy, strcat(strcpy(original, copy), ".old"));
	copy_file("/bin/true", copy);
	ask_about(&asked, victim.pid, &victim.maps);
	read_told(&victim, told);
	if (is_found)
		assert_string_equal(asked_resolve(&asked, told[2].address).function, "plain_c");
	else
		assert_null(asked_resolve(&asked, told[2].address).function);
	assert_string_equal(asked_resolve(&asked, told[2].address).module, copy);
	asked_done(&asked);
	victim_done(&victim);
	unlink(original);
	unlink(copy);
	rmdir(folder);
}

static void a_replaced_file_of_a_live_process_is_still_its_own(void **state)
{
	(void)state;
	if (geteuid()) /* map_files asks for a capability */
		skip();
	expect_replaced(false, true);
}

static void another_file_under_the_path_is_not_taken_for_it(void **state)
{
	(void)state;
	expect_replaced(true, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inlined_functions_and_lines_are_what_the_program_says),
		cmocka_unit_test(a_process_that_has_ended_is_still_resolved),
		cmocka_unit_test(a_linked_debug_file_tells_as_much),
		cmocka_unit_test(a_debug_file_is_found_without_the_process),
		cmocka_unit_test(a_stripped_file_gives_the_place_in_it),
		cmocka_unit_test(copies_of_a_file_are_opened_once),
		cmocka_unit_test(each_process_has_its_own_path_of_a_shared_file),
		cmocka_unit_test(a_replaced_file_of_a_live_process_is_still_its_own),
		cmocka_unit_test(another_file_under_the_path_is_not_taken_for_it),
	};

	return cmocka_run_group_tests_name("symbolize", tests, NULL, NULL);
}
