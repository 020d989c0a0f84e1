/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in the file; what a browser makes of it is in tests/viewers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles.h"
#include "svg_scan.h"

#include <cmocka.h>

/* Frees the profile; the caller frees the text. */
static char *drawn(struct probekit_profile *profile, struct svg_scan *found)
{
	char *text;
	size_t size;

	assert_int_equal(profile_to_svg(profile, &text, &size), 0);
	profile_free(profile);
	*found = svg_scan(text, size);
	return text;
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("there is no %s", part);
}

static void a_profile_without_entries_has_an_empty_graph(void **state)
{
	struct svg_scan found;
	char *text = drawn(profile_new(), &found);

	(void)state;
	assert_int_equal(found.graphs, 1);
	assert_int_equal(found.frames, 0);
	assert_int_equal(found.scripts, 1);
	assert_contains(text, ">Off-CPU: 0 ns<");
	free(text);
}

static void a_frame_tells_its_place_time_and_class(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct svg_scan found;
	char *text;

	(void)state;
	profile_add(profile, PROBEKIT_CLASS_LOCK, "main", NULL, 3000000)->syscall = "futex";
	profile_add(profile, PROBEKIT_CLASS_DISK, "main", NULL, 1000000)->syscall = "fsync";
	text = drawn(profile, &found);
	assert_int_equal(found.frames, 5);
	assert_contains(text, "data-f=\"0 4000000 2\"><title>main\napp.c:10 in /usr/bin/app\n"
			      "4.00 ms, 100.00 % of off-CPU time; 75.00 % of it lock</title>");
	assert_contains(text, "data-f=\"1000000 3000000 3\"><title>[lock futex]\n"
			      "3.00 ms, 75.00 % of off-CPU time; 100.00 % of it lock</title>");
	assert_contains(text, "<g class=\"legend disk\" data-find=\"[disk\">");
	free(text);
}

static void off_and_on_cpu_are_two_graphs_with_their_own_totals(void **state)
{
	struct svg_scan found;
	char *text = drawn(profile_of_service(), &found);

	(void)state;
	assert_int_equal(found.graphs, 2);
	assert_contains(text, ">Off-CPU: 11.3 s<");
	assert_contains(text, ">On-CPU: 2.79 s<");
	free(text);
}

static void names_cannot_become_markup_or_script(void **state)
{
	static const char *const names[] = {
		"</title><script>pwned()</script>",
		"\" onmouseover=\"pwned()\" x=\"",
		"' onload='pwned()",
		"]]><script>pwned()</script><![CDATA[",
		"&amp;&lt;script&gt;",
		"<!--",
		"line\nbreak\r\t\x01\x7f",
		"\xff\xfe\xed\xa0\x80 bad UTF-8 \xef\xbf\xbf \xef\xbf\xbe",
		"\xe2\x80\xae right to left",
	};
	struct probekit_profile *profile = profile_new();
	struct svg_scan found;
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct probekit_profile_entry *entry =
			profile_add(profile, PROBEKIT_CLASS_LOCK, "f", NULL, 1000);

		profile_set_frame(entry, 0, names[i], names[i]);
		free((void *)entry->stack.frames[0].file);
		entry->stack.frames[0].file = strdup(names[i]);
		free((void *)entry->comm);
		entry->comm = strdup(names[i]);
	}
	free((void *)profile->info.target);
	profile->info.target = strdup("</text><script>pwned()</script>");
	text = drawn(profile, &found);
	assert_int_equal(found.scripts, 1);
	assert_contains(text, "<title>&lt;/title&gt;&lt;script&gt;pwned()&lt;/script&gt;\n");
	assert_contains(text, "<title>line\\nbreak\\x0d\\t\\x01\\x7f\n");
	free(text);
}

static void long_names_are_cut_where_they_are_shown(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct probekit_profile_entry *entry =
		profile_add(profile, PROBEKIT_CLASS_LOCK, "main;f", NULL, 1000);
	char *name = malloc(65537);
	struct svg_scan found;
	char *text;

	(void)state;
	memset(name, '<', 65536);
	name[65536] = '\0';
	profile_set_frame(entry, 0, name, name);
	text = drawn(profile, &found);
	assert_int_equal(found.frames, 5);
	assert_true(strlen(text) < 30000);
	assert_contains(text, "&lt;..</text>");
	free(text);
	free(name);
}

static void every_frame_of_a_deep_stack_is_drawn(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct svg_scan found;
	char deep[2 * 128] = "";

	(void)state;
	for (int i = 0; i < 127; i++)
		strcat(deep, i ? ";f" : "f");
	profile_add(profile, PROBEKIT_CLASS_LOCK, deep, NULL, 1000);
	free(drawn(profile, &found));
	assert_int_equal(found.frames, 127 + 3);
}

static void frames_too_narrow_to_see_are_counted(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct svg_scan found;
	char *text;

	(void)state;
	profile_add(profile, PROBEKIT_CLASS_LOCK, "main;wide", NULL, 1000000);
	profile_add(profile, PROBEKIT_CLASS_LOCK, "main;narrow", NULL, 10);
	text = drawn(profile, &found);
	assert_int_equal(found.frames, 5);
	assert_contains(text, ">2 frames are too narrow to be drawn<");
	free(text);
}

static void ten_thousand_stacks_stay_below_five_megabytes(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct svg_scan found;
	char *text;

	(void)state;
	for (unsigned int i = 0; i < 10000; i++) {
		char stack[800] = "main";

		for (unsigned int j = 0, seed = i; j < 30; j++, seed = seed * 1103515245 + 12345)
			sprintf(stack + strlen(stack), ";function_%u<&>", seed >> 16 & 15);
		profile_add(profile, PROBEKIT_CLASS_LOCK, stack, NULL, 1000 + i);
	}
	text = drawn(profile, &found);
	assert_in_range(strlen(text), 1000000, 5000000);
	assert_true(found.frames > 5000);
	free(text);
}

static void what_was_lost_is_shown(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct svg_scan found;
	char *text;

	(void)state;
	profile->info.samples_dropped = 5;
	profile->info.samples_skipped = 6;
	profile->info.unknown_stacks = 7;
	text = drawn(profile, &found);
	assert_contains(text,
			"2023-11-14 22:13:20 UTC, 10.0 s; 5 samples dropped; 6 samples skipped; "
			"7 stacks not known<");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_profile_without_entries_has_an_empty_graph),
		cmocka_unit_test(a_frame_tells_its_place_time_and_class),
		cmocka_unit_test(off_and_on_cpu_are_two_graphs_with_their_own_totals),
		cmocka_unit_test(names_cannot_become_markup_or_script),
		cmocka_unit_test(long_names_are_cut_where_they_are_shown),
		cmocka_unit_test(every_frame_of_a_deep_stack_is_drawn),
		cmocka_unit_test(frames_too_narrow_to_see_are_counted),
		cmocka_unit_test(ten_thousand_stacks_stay_below_five_megabytes),
		cmocka_unit_test(what_was_lost_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
