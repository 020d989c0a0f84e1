/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles.h"

#include <cmocka.h>

/* Frees the profile; the caller frees the text. */
static char *folded(struct probekit_profile *profile)
{
	char *text;
	size_t size;

	assert_int_equal(profile_to_folded(profile, &text, &size), 0);
	assert_int_equal(strlen(text), size);
	profile_free(profile);
	return text;
}

static void expect(struct probekit_profile *profile, const char *lines)
{
	char *text = folded(profile);

	assert_string_equal(text, lines);
	free(text);
}

static uint64_t sum_of(const char *text)
{
	uint64_t sum = 0;

	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		const char *end = strchr(line, '\n');

		assert_non_null(end);
		while (end[-1] != ' ')
			end--;
		sum += strtoull(end, NULL, 10);
	}
	return sum;
}

static void a_profile_without_entries_is_an_empty_file(void **state)
{
	(void)state;
	expect(profile_new(), "");
}

static void a_stack_reads_from_the_process_to_what_it_waited_for(void **state)
{
	struct probekit_profile *profile = profile_new();

	(void)state;
	profile_add(profile, PROBEKIT_CLASS_LOCK, "main;work", "futex_wait;schedule", 5000)
		->syscall = "futex";
	expect(profile, "app;main;work;futex_wait_[k];schedule_[k];[lock futex] 5\n");
}

static void time_on_cpu_ends_in_the_function(void **state)
{
	struct probekit_profile *profile = profile_new();

	(void)state;
	profile_add(profile, PROBEKIT_CLASS_ONCPU, "main;work", NULL, 5000);
	expect(profile, "app;main;work 5\n");
}

static void equal_lines_are_joined(void **state)
{
	struct probekit_profile *profile = profile_new();

	(void)state;
	profile_add(profile, PROBEKIT_CLASS_SLEEP, "main;nap", NULL, 3000);
	profile_add(profile, PROBEKIT_CLASS_SLEEP, "main;rest", NULL, 1000);
	profile_add(profile, PROBEKIT_CLASS_SLEEP, "main;nap", NULL, 4000)->pid = 43;
	expect(profile, "app;main;nap;[sleep] 7\napp;main;rest;[sleep] 1\n");
}

static void names_that_become_equal_are_joined_too(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct probekit_profile_entry *entry;

	(void)state;
	profile_add(profile, PROBEKIT_CLASS_ONCPU, "main;f<[u8: 4]>", NULL, 1000);
	entry = profile_add(profile, PROBEKIT_CLASS_ONCPU, "main;f", NULL, 2000);
	profile_set_frame(entry, 0, "f<[u8; 4]>", NULL);
	expect(profile, "app;main;f<[u8: 4]> 3\n");
}

static void fractions_of_a_microsecond_add_up(void **state)
{
	struct probekit_profile *profile = profile_new();
	char *text;

	(void)state;
	for (int i = 0; i < 10; i++) {
		char name[8];

		snprintf(name, sizeof(name), "f%d", i);
		profile_add(profile, PROBEKIT_CLASS_ONCPU, name, NULL, 1700);
	}
	text = folded(profile);
	assert_int_equal(sum_of(text), 17);
	free(text);
}

static void what_has_no_stack_is_unknown(void **state)
{
	struct probekit_profile *profile = profile_new();

	(void)state;
	profile_add(profile, PROBEKIT_CLASS_OTHER, NULL, NULL, 1000);
	expect(profile, "app;[unknown];[other] 1\n");
}

static void functions_without_a_name_go_by_their_file(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct probekit_profile_entry *entry =
		profile_add(profile, PROBEKIT_CLASS_ONCPU, "a;b;c;d", NULL, 1000);

	(void)state;
	profile_set_frame(entry, 0, NULL, NULL);
	profile_set_frame(entry, 1, NULL, "[vdso]");
	profile_set_frame(entry, 2, "", "/usr/lib/libc.so.6");
	expect(profile, "app;a;[libc.so.6];[vdso];[unknown] 1\n");
}

static void a_stack_that_is_cut_off_says_so(void **state)
{
	struct probekit_profile *profile = profile_new();

	(void)state;
	profile_add(profile, PROBEKIT_CLASS_ONCPU, "work", NULL, 1000)->stack.is_complete = false;
	expect(profile, "app;[incomplete];work 1\n");
}

static void no_name_makes_another_line_or_frame_or_number(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct probekit_profile_entry *entry =
		profile_add(profile, PROBEKIT_CLASS_ONCPU, "main;f", NULL, 1000);

	(void)state;
	free((void *)entry->comm);
	entry->comm = strdup("a;b\n\x1b[31m ");
	profile_set_frame(entry, 1, "evil\n; 99\r\n", NULL);
	profile_set_frame(entry, 0, "operator 12", NULL);
	expect(profile, "a:b\\n\\x1b[31m ;evil\\n: 99\\x0d\\n;operator_12 1\n");
}

static void long_names_and_deep_stacks_are_kept_whole(void **state)
{
	struct probekit_profile *profile = profile_new();
	char *name = malloc(65537);
	struct probekit_profile_entry *entry;
	char deep[2 * 128] = "";
	char *text;

	(void)state;
	memset(name, 'x', 65536);
	name[65536] = '\0';
	for (int i = 0; i < 127; i++)
		strcat(deep, i ? ";f" : "f");
	entry = profile_add(profile, PROBEKIT_CLASS_ONCPU, deep, NULL, 1000);
	profile_set_frame(entry, 0, name, NULL);
	text = folded(profile);
	assert_int_equal(strlen(text), strlen("app;") + 2 * 126 + 65536 + strlen(" 1\n"));
	free(text);
	free(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_profile_without_entries_is_an_empty_file),
		cmocka_unit_test(a_stack_reads_from_the_process_to_what_it_waited_for),
		cmocka_unit_test(time_on_cpu_ends_in_the_function),
		cmocka_unit_test(equal_lines_are_joined),
		cmocka_unit_test(names_that_become_equal_are_joined_too),
		cmocka_unit_test(fractions_of_a_microsecond_add_up),
		cmocka_unit_test(what_has_no_stack_is_unknown),
		cmocka_unit_test(functions_without_a_name_go_by_their_file),
		cmocka_unit_test(a_stack_that_is_cut_off_says_so),
		cmocka_unit_test(no_name_makes_another_line_or_frame_or_number),
		cmocka_unit_test(long_names_and_deep_stacks_are_kept_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
