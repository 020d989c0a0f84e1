/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions of programs that were compiled in several ways. */
#include "functions.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "victim.h"

static const char *const builds[] = {"O0", "O3", "O2_cet"};
#define BUILDS (sizeof(builds) / sizeof(builds[0]))

static struct object *open_program(const char *name)
{
	struct probekit_error err;
	struct object *object;
	char path[PATH_MAX];

	victim_program_path(name, path, sizeof(path));
	if (object_open(path, -1, &object, &err))
		fail_msg("%s", err.text);
	return object;
}

static struct object *open_build(const char *program, const char *build)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_%s", program, build);
	return open_program(name);
}

static struct functions find_with(const struct object *object, const char *pattern,
				  enum functions_detail detail, bool may_unwind)
{
	struct functions functions;
	struct probekit_error err;

	if (functions_find(object, pattern, detail, may_unwind, &functions, &err))
		fail_msg("%s", err.text);
	return functions;
}

static struct functions find(const struct object *object, const char *pattern)
{
	return find_with(object, pattern, FUNCTIONS_TO_PROBE, false);
}

/* The only function that matches. */
static const struct function *only(const struct functions *functions)
{
	assert_int_equal(functions->size, 1);
	return &functions->items[0];
}

static bool has(const struct functions *functions, const char *name)
{
	for (size_t i = 0; i < functions->size; i++)
		if (strcmp(functions->items[i].name, name) == 0)
			return true;
	return false;
}

/* ---- names and entries ---- */

static void aliases_are_one_function(void **state)
{
	(void)state;
	for (size_t i = 0; i < BUILDS; i++) {
		struct object *object = open_build("functions", builds[i]);
		struct functions both = find(object, "[wj]o[rb]*");
		struct functions alias = find(object, "job");

		assert_int_equal(both.size, 1);
		assert_string_equal(only(&alias)->name, "job");
		assert_int_equal(alias.items[0].entries[0].address,
				 both.items[0].entries[0].address);
		functions_done(&both);
		functions_done(&alias);
		object_free(object);
	}
}

static void clones_belong_to_the_function_of_the_source(void **state)
{
	(void)state;
	for (size_t i = 0; i < BUILDS; i++) {
		struct object *object = open_build("functions", builds[i]);
		struct functions shaped = find(object, "shaped");
		struct functions split = find(object, "split");
		struct functions twin = find(object, "twin");

		assert_int_equal(only(&shaped)->entry_count, 2);
		assert_false(shaped.items[0].entries[0].is_part);
		assert_false(shaped.items[0].entries[1].is_part);
		assert_int_equal(only(&split)->entry_count, 2);
		assert_int_equal(
			split.items[0].entries[0].is_part + split.items[0].entries[1].is_part, 1);
		assert_int_equal(only(&twin)->entry_count, 2);
		functions_done(&shaped);
		functions_done(&split);
		functions_done(&twin);
		object_free(object);
	}
}

static void an_ifunc_is_refused(void **state)
{
	struct object *object = open_program("functions_O3");
	struct functions functions = find(object, "chosen");

	(void)state;
	assert_non_null(only(&functions)->refused);
	assert_non_null(strstr(functions.items[0].refused, "IFUNC"));
	functions_done(&functions);
	object_free(object);
}

static void cxx_functions_have_unique_names(void **state)
{
	static const char *const names[] = {"shop::Cart::add(int, char const*)",
					    "shop::Cart::add(long)", "shop::Cart::Cart(int)",
					    "shop::Cart::~Cart()",
					    "shop::Cart::~Cart() [deleting]"};

	(void)state;
	for (size_t i = 0; i < BUILDS; i++) {
		struct object *object = open_build("functions_cpp", builds[i]);
		struct functions all = find(object, "shop::*");
		struct functions one = find(object, "shop::Cart::add(long)");

		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			assert_true(has(&all, names[k]));
		for (size_t k = 1; k < all.size; k++) {
			assert_true(all.items[k - 1].entries[0].address <
				    all.items[k].entries[0].address);
			for (size_t m = 0; m < k; m++)
				assert_string_not_equal(all.items[m].name, all.items[k].name);
		}
		assert_string_equal(only(&one)->name, "shop::Cart::add(long)");
		functions_done(&all);
		functions_done(&one);
		object_free(object);
	}
}

static void patterns_that_match_nothing_find_nothing(void **state)
{
	struct object *object = open_program("functions_O3");
	struct functions functions = find(object, "no_such_*");
	struct probekit_error err;
	char text[256];

	(void)state;
	assert_int_equal(functions.size, 0);
	functions_done(&functions);
	assert_int_equal(functions_find(object, "", FUNCTIONS_TO_PROBE, false, &functions, &err),
			 -EINVAL);
	functions_suggest(object, "frist_caller", text, sizeof(text));
	assert_non_null(strstr(text, "first_caller"));
	functions_suggest(object, "only_inline?", text, sizeof(text));
	assert_non_null(strstr(text, "'only_inlined' is inlined everywhere (3 places; first "));
	functions_suggest(object, "caller", text, 16);
	assert_int_equal(strlen(text), 15);
	object_free(object);
}

/* ---- symbols that are elsewhere ---- */

static void symbols_come_from_the_linked_debug_file(void **state)
{
	struct object *object = open_program("functions_O3_linked");
	struct object *stripped = open_program("functions_O3_stripped");
	struct object *whole = open_program("functions_O3");
	struct functions linked = find(object, "twin");
	struct functions original = find(whole, "twin");
	struct functions none = find(stripped, "twin");
	char text[256];

	(void)state;
	assert_int_equal(only(&linked)->entry_count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(linked.items[0].entries[i].offset,
				 original.items[0].entries[i].offset);
	assert_int_equal(none.size, 0);
	functions_suggest(stripped, "twin", text, sizeof(text));
	assert_non_null(strstr(text, "it is stripped"));
	functions_done(&linked);
	functions_done(&original);
	functions_done(&none);
	object_free(object);
	object_free(stripped);
	object_free(whole);
}

static void debug_files_are_found_from_relative_paths(void **state)
{
	char path[PATH_MAX];
	struct object *object;
	struct functions functions;
	char *folder = realpath(".", NULL);

	(void)state;
	assert_non_null(folder);
	victim_program_path("functions_O3_linked", path, sizeof(path));
	*strrchr(path, '/') = '\0';
	assert_int_equal(chdir(path), 0);
	assert_int_equal(object_open("functions_O3_linked", -1, &object, NULL), 0);
	functions = find(object, "twin");
	assert_int_equal(functions.size, 1);
	functions_done(&functions);
	object_free(object);
	assert_int_equal(chdir(folder), 0);
	free(folder);
}

static void symbols_come_from_gnu_debugdata(void **state)
{
	struct object *object = open_program("functions_O3_debugdata");
	struct functions functions = find(object, "with_cold");

	(void)state;
	assert_int_equal(only(&functions)->entry_count, 1);
	functions_done(&functions);
	object_free(object);
}

static void functions_of_go_are_refused(void **state)
{
	struct object *object = open_program("functions_O3_go");
	struct functions functions = find(object, "*");
	char text[256];

	(void)state;
	assert_true(functions.size > 0);
	for (size_t i = 0; i < functions.size; i++)
		assert_int_equal(strncmp(functions.items[i].refused, "Go moves its stacks", 19), 0);
	functions_suggest(object, "no_such", text, sizeof(text));
	assert_non_null(strstr(text, "Go"));
	functions_done(&functions);
	object_free(object);
}

/* ---- inlining ---- */

static void inlined_places_are_counted_when_listed(void **state)
{
	static const char *const programs[] = {"functions_O0", "functions_O3",
					       "functions_O3_linked"};

	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct object *object = open_program(programs[i]);
		struct functions listed =
			find_with(object, "only_inlined", FUNCTIONS_TO_LIST, false);
		struct functions caller =
			find_with(object, "first_caller", FUNCTIONS_TO_LIST, false);
		struct functions probed = find(object, "only_inlined");

		assert_int_equal(only(&listed)->inlined, 3);
		assert_int_equal(listed.items[0].entry_count, 0);
		assert_non_null(strstr(listed.items[0].first_inlined, "_caller at main.c:"));
		assert_non_null(strstr(listed.items[0].refused, "inlined everywhere (3 places; "));
		assert_int_equal(only(&caller)->inlined, 0);
		assert_null(caller.items[0].refused);
		assert_int_equal(probed.size, 0);
		functions_done(&listed);
		functions_done(&caller);
		functions_done(&probed);
		object_free(object);
	}
}

static void inlining_is_unknown_without_debug_information(void **state)
{
	struct object *object = open_program("functions_cpp_O3_stripped");
	struct functions functions = find_with(object, "*", FUNCTIONS_TO_LIST, false);

	(void)state;
	for (size_t i = 0; i < functions.size; i++)
		assert_int_equal(functions.items[i].inlined, UINT32_MAX);
	functions_done(&functions);
	object_free(object);
}

/* ---- exits ---- */

static void exceptions_are_known_by_what_is_imported(void **state)
{
	(void)state;
	for (size_t i = 0; i < BUILDS; i++) {
		struct object *c = open_build("functions", builds[i]);
		struct object *cxx = open_build("functions_cpp", builds[i]);
		struct functions of_c = find(c, "work");
		struct functions of_cxx = find(cxx, "main");

		assert_false(functions_may_unwind(c));
		assert_true(functions_may_unwind(cxx));
		assert_false(of_c.are_left_by_exits);
		assert_int_equal(only(&of_c)->entries[0].exit_count, 0);
		assert_true(of_cxx.are_left_by_exits);
		assert_true(only(&of_cxx)->entries[0].exit_count > 0);
		functions_done(&of_c);
		functions_done(&of_cxx);
		object_free(c);
		object_free(cxx);
	}
}

#if defined(__x86_64__)

#define JE (16 + 4)
#define EXITS_MAX 3

struct expected {
	const char *name;
	const char *refused; /* part of why; NULL: it is not */
	uint64_t entry;	     /* from the first byte */
	size_t exit_count;
	struct function_exit exits[EXITS_MAX]; /* offsets from the first byte */
};

/* The cold part of with_cold is the next symbol: at 0x20. */
static const struct expected written[] = {
	{"with_cold", NULL, 4, 3, {{0x0a, 0}, {0x0e, JE}, {0x27, 0}}},
	{"tail", NULL, 0, 1, {{8, 0}}},
	{"dispatch", NULL, 0, 1, {{0x15, 0}}},
	{"tracked", NULL, 0, 1, {{7, 0}}},
	{"pointer", NULL, 0, 2, {{9, 0}, {0x0b, 0}}},
	{"marked_nothing", NULL, 0, 1, {{4, 0}}},
	{"itself", NULL, 0, 2, {{4, 16 + 5}, {6, 0}}},
	{"anywhere", "computed jump", 0, 0, {{0}}},
	{"again", "its own first instruction", 0, 0, {{0}}},
	{"nothing", "single instruction", 0, 0, {{0}}},
	{"garbage", "cannot be decoded", 0, 0, {{0}}},
	{"between", "cannot be decoded", 0, 0, {{0}}},
	{"locked", "instruction that cannot be probed", 0, 0, {{0}}},
};

static void expect(const struct object *object, const struct expected *expected)
{
	struct functions functions = find_with(object, expected->name, FUNCTIONS_TO_PROBE, true);
	const struct function *function = only(&functions);
	const struct function_entry *entry = &function->entries[0];
	uint64_t first;

	if (expected->refused) {
		assert_non_null(function->refused);
		assert_non_null(strstr(function->refused, expected->refused));
	} else {
		assert_null(function->refused);
	}
	assert_int_equal(function->entry_count, 1);
	assert_int_equal(elf_file_offset(object->elf, entry->address, PF_X, &first), 0);
	assert_int_equal(entry->offset - first, expected->entry);
	assert_int_equal(entry->exit_count, expected->exit_count);
	for (size_t i = 0; i < expected->exit_count; i++) {
		assert_int_equal(entry->exits[i].offset - first, expected->exits[i].offset);
		assert_int_equal(entry->exits[i].condition, expected->exits[i].condition);
	}
	functions_done(&functions);
}

static void exits_are_where_they_were_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < BUILDS; i++) {
		struct object *object = open_build("functions", builds[i]);

		for (size_t k = 0; k < sizeof(written) / sizeof(written[0]); k++)
			expect(object, &written[k]);
		object_free(object);
	}
}

static void a_loop_to_the_entry_is_refused_without_exits_too(void **state)
{
	struct object *object = open_program("functions_O3");
	struct functions again = find(object, "again");
	struct functions itself = find(object, "itself");

	(void)state;
	assert_non_null(only(&again)->refused);
	assert_null(only(&itself)->refused);
	functions_done(&again);
	functions_done(&itself);
	object_free(object);
}

/* ---- against another disassembler ---- */

struct listing {
	uint64_t returns[4096];
	size_t size;
};

/* Addresses of all returns in the program's code, by objdump. */
static void read_returns(const struct object *object, struct listing *listing)
{
	char command[PATH_MAX + 64];
	char line[1024];
	FILE *stream;

	snprintf(command, sizeof(command), "objdump -d --no-show-raw-insn '%s'", object->path);
	stream = popen(command, "r");
	assert_non_null(stream);
	listing->size = 0;
	while (fgets(line, sizeof(line), stream)) {
		unsigned long address;
		char word[16] = "";
		char next[16] = "";

		if (sscanf(line, " %lx: %15s %15s", &address, word, next) < 2 ||
		    (strcmp(word, "ret") != 0 && strcmp(word, "retq") != 0 &&
		     !(strncmp(word, "rep", 3) == 0 && strncmp(next, "ret", 3) == 0)))
			continue;
		assert_true(listing->size < sizeof(listing->returns) / sizeof(uint64_t));
		listing->returns[listing->size++] = address;
	}
	assert_int_equal(pclose(stream), 0);
}

static bool has_exit(const struct function *function, uint64_t offset)
{
	for (size_t i = 0; i < function->entry_count; i++)
		for (size_t k = 0; k < function->entries[i].exit_count; k++)
			if (function->entries[i].exits[k].offset == offset)
				return true;
	return false;
}

static size_t compare_returns(const struct object *object, const struct listing *listing,
			      const struct function *function)
{
	size_t compared = 0;

	for (size_t i = 0; i < function->entry_count && !function->refused; i++) {
		const struct function_entry *entry = &function->entries[i];

		for (size_t k = 0; k < listing->size; k++) {
			uint64_t offset;

			if (listing->returns[k] - entry->address >= entry->size_bytes)
				continue;
			assert_int_equal(elf_file_offset(object->elf, listing->returns[k], PF_X,
							 &offset),
					 0);
			assert_true(has_exit(function, offset));
			compared++;
		}
	}
	return compared;
}

static void every_return_that_objdump_shows_is_an_exit(void **state)
{
	static const char *const programs[] = {"functions_cpp_O0", "functions_cpp_O3",
					       "functions_cpp_O2_cet", "functions_O3",
					       "functions_cpp_O3_linked"};

	(void)state;
	if (system("objdump --version >/dev/null 2>&1"))
		skip();
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct object *object = open_program(programs[i]);
		struct functions all = find_with(object, "*", FUNCTIONS_TO_PROBE, true);
		struct listing listing;
		size_t compared = 0;

		read_returns(object, &listing);
		for (size_t k = 0; k < all.size; k++)
			compared += compare_returns(object, &listing, &all.items[k]);
		assert_true(compared > 0); /* some compilers make most of them jumps */
		functions_done(&all);
		object_free(object);
	}
}

static void a_cet_build_is_probed_behind_its_endbr64(void **state)
{
	struct object *object = open_program("functions_cpp_O2_cet");
	struct functions functions = find(object, "shop::Cart::add(int, char const[*])");
	const struct function_entry *entry = &only(&functions)->entries[0];
	uint64_t first;

	(void)state;
	assert_int_equal(elf_file_offset(object->elf, entry->address, PF_X, &first), 0);
	assert_memory_equal(elf_file_bytes(object->elf, first, 4), "\xf3\x0f\x1e\xfa", 4);
	/* whether a push follows is the compiler's choice */
	if (entry->offset == first)
		assert_int_equal(entry->cost, PROBEKIT_COST_STEPPED);
	else
		assert_int_equal(entry->offset - first, 4);
	functions_done(&functions);
	object_free(object);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aliases_are_one_function),
		cmocka_unit_test(clones_belong_to_the_function_of_the_source),
		cmocka_unit_test(an_ifunc_is_refused),
		cmocka_unit_test(cxx_functions_have_unique_names),
		cmocka_unit_test(patterns_that_match_nothing_find_nothing),
		cmocka_unit_test(symbols_come_from_the_linked_debug_file),
		cmocka_unit_test(debug_files_are_found_from_relative_paths),
		cmocka_unit_test(symbols_come_from_gnu_debugdata),
		cmocka_unit_test(functions_of_go_are_refused),
		cmocka_unit_test(inlined_places_are_counted_when_listed),
		cmocka_unit_test(inlining_is_unknown_without_debug_information),
		cmocka_unit_test(exceptions_are_known_by_what_is_imported),
#if defined(__x86_64__)
		cmocka_unit_test(exits_are_where_they_were_written),
		cmocka_unit_test(a_loop_to_the_entry_is_refused_without_exits_too),
		cmocka_unit_test(every_return_that_objdump_shows_is_an_exit),
		cmocka_unit_test(a_cet_build_is_probed_behind_its_endbr64),
#endif
	};

	return cmocka_run_group_tests_name("functions", tests, NULL, NULL);
}
