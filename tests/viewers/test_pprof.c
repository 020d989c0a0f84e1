/* SPDX-License-Identifier: BSD-2-Clause */
/* The profile in pprof, which must find the times that were put in. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles.h"
#include "viewer.h"

#include <cmocka.h>

#define FILE_NAME "profile.pb.gz"
#define PPROF "HOME=$PWD GOFLAGS= go tool pprof -symbolize=none "

static char *report(const char *folder, struct probekit_profile *profile, const char *options)
{
	char command[256];
	char *bytes;
	size_t size;

	viewer_need("go tool -n pprof", "golang-go");
	assert_int_equal(profile_to_pprof(profile, &bytes, &size), 0);
	profile_free(profile);
	viewer_write(folder, FILE_NAME, bytes, size);
	free(bytes);
	snprintf(command, sizeof(command), PPROF "%s " FILE_NAME, options);
	return viewer_run(folder, command);
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("there is no '%s' in:\n%s", part, text);
}

static void its_report_has_our_sums(void **state)
{
	char *text = report(*state, profile_of_service(),
			    "-top -unit=ms -nodecount=100 -nodefraction=0");

	assert_contains(text, "File: app\n");
	assert_contains(text, "Type: time\n");
	assert_contains(text, "of 14130ms total\n");
	assert_contains(text, " 11160ms 78.98%  schedule\n");
	assert_contains(text, " 5200ms 36.80%  futex_wait\n");
	assert_contains(text, " 30ms  0.21%  [unknown]\n");
	free(text);
}

static void its_labels_select_what_a_thread_did(void **state)
{
	char *text = report(*state, profile_of_service(), "-top -unit=ms -tagfocus=class=disk");

	assert_contains(text, "2400ms, 16.99% of 14130ms total\n");
	assert_contains(text, "  fsync\n");
	free(text);
}

/* The values of all samples, in their order "samples time:". */
static void add_samples(const char *text, uint64_t *samples, uint64_t *time_ns)
{
	const char *line = strstr(text, "samples/count time/nanoseconds[dflt]\n");

	assert_non_null(line);
	*samples = *time_ns = 0;
	for (line = strchr(line, '\n') + 1; strncmp(line, "Locations", 9) != 0;
	     line = strchr(line, '\n') + 1) {
		uint64_t some;
		uint64_t some_ns;

		if (sscanf(line, "%" SCNu64 " %" SCNu64 ":", &some, &some_ns) != 2)
			continue;
		*samples += some;
		*time_ns += some_ns;
	}
}

static void it_reads_every_nanosecond(void **state)
{
	struct probekit_profile *profile = profile_of_service();
	size_t entries = profile->size;
	uint64_t samples;
	uint64_t time_ns;
	char *text;

	profile->entries[0].time_ns++;
	text = report(*state, profile, "-raw");
	add_samples(text, &samples, &time_ns);
	assert_int_equal(samples, entries);
	assert_int_equal(time_ns, 14130000001);
	assert_contains(text, "class:[lock]");
	assert_contains(text, "syscall:[futex]");
	assert_contains(text, "/usr/bin/app  [FN][FL][LN]\n");
	free(text);
}

static void it_shows_inlined_functions_and_lines(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct probekit_profile_entry *entry =
		profile_add(profile, PROBEKIT_CLASS_ONCPU, "main;outer;inner", NULL, 1000000);
	char *text;

	entry->stack.frames[0].is_inlined = true;
	entry->stack.frames[0].line = 7;
	text = report(*state, profile, "-top -lines");
	assert_contains(text, "  inner app.c:7 (inline)\n");
	assert_contains(text, "  outer app.c:10\n");
	free(text);
}

static void it_opens_profiles_without_entries_and_with_hostile_names(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct probekit_profile_entry *entry =
		profile_add(profile, PROBEKIT_CLASS_ONCPU, "f", NULL, 1000000);

	profile_set_frame(entry, 0, "a\n\xff\x1b[31m\"<b>", "/x\xfe\n");
	free(report(*state, profile_new(), "-raw"));
	free(report(*state, profile, "-top"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(its_report_has_our_sums, viewer_setup,
						viewer_teardown),
		cmocka_unit_test_setup_teardown(its_labels_select_what_a_thread_did, viewer_setup,
						viewer_teardown),
		cmocka_unit_test_setup_teardown(it_reads_every_nanosecond, viewer_setup,
						viewer_teardown),
		cmocka_unit_test_setup_teardown(it_shows_inlined_functions_and_lines, viewer_setup,
						viewer_teardown),
		cmocka_unit_test_setup_teardown(
			it_opens_profiles_without_entries_and_with_hostile_names, viewer_setup,
			viewer_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
