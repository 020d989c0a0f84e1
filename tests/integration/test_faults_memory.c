/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocations are made to fail, one in each run (preload/no_memory.c): probekit says that memory is out, or does
 * what it does otherwise. Never does it crash, nor leave out anything without a word. PROBEKIT_TEST_ALL=1 takes each
 * allocation of the commands that measure nothing and one in 50 of those that do, otherwise some of each.
 */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TRIES 5 /* of a command */
#define LIVE_STRIDE 50

static char *folder;

struct failing {
	unsigned long at; /* 0: none */
};

static void prepare(void *arg)
{
	const struct failing *failing = arg;
	char text[32];

	snprintf(text, sizeof(text), "%lu", failing->at);
	setenv("LD_PRELOAD", support_program("no_memory.so"), 1);
	setenv("NO_MEMORY_AT", text, 1);
	setenv("NO_MEMORY_COUNT", "count", 1);
}

static void run_failing(struct support_child *child, const char *const words[], unsigned long at)
{
	struct failing failing = {.at = at};
	const struct support_how how = {.prepare = prepare, .arg = &failing, .folder = folder};

	support_start(child, &how, words);
	support_close_input(child);
	support_finish(child);
}

static unsigned long count_allocations(void)
{
	char *path = support_join(folder, "count");
	size_t size;
	char *text = support_read_file(path, &size);
	unsigned long count = strtoul(text, NULL, 10);

	free(text);
	free(path);
	return count;
}

static void check_one(const char *const words[], unsigned long at,
		      const struct support_child *whole)
{
	struct support_child child;
	bool is_told;

	run_failing(&child, words, at);
	is_told = strstr(child.err.text, "memory") || strstr(child.out.text, "out of memory");
	if (child.status >= 128 || (child.status != whole->status && !is_told))
		fail_msg("%s, allocation %lu: status %d: %s", words[1], at, child.status,
			 child.err.text);
	/* A measurement differs from the next. */
	if (child.status == whole->status && !is_told && strcmp(words[2], "--json") != 0)
		assert_string_equal(child.out.text, whole->out.text);
	support_done(&child);
}

static void check(bool is_live, const char *const words[])
{
	struct support_child whole;
	unsigned long stride;
	unsigned long count;
	unsigned long at;

	run_failing(&whole, words, 0);
	assert_in_range(whole.status, 0, 5);
	count = count_allocations();
	assert_true(count > 0);
	if (getenv("PROBEKIT_TEST_ALL"))
		stride = is_live ? LIVE_STRIDE : 1;
	else
		stride = count / support_scaled(TRIES) + 1;
	at = 1 + (unsigned long)time(NULL) % stride;
	print_message("  %s: %lu allocations, each %lu from %lu\n", words[1], count, stride, at);
	for (; at <= count; at += stride)
		check_one(words, at, &whole);
	support_done(&whole);
}

#define CHECK(is_live, ...) \
	check(is_live, (const char *const[]){support_probekit(), __VA_ARGS__, NULL})

static int set_up(void **state)
{
	struct support_how how = {.folder = NULL};
	struct support_child child;

	(void)state;
	folder = support_new_folder();
	how.folder = folder;
	support_run(&child, &how, support_probekit(), "record", "--runs", "6", "-o", "base.json",
		    "--", support_program("builds"), "20", NULL);
	support_done(&child);
	support_run(&child, &how, support_probekit(), "locks", "--hold", "-o", "locks.json", "--",
		    support_program("steady"), "200", "100", NULL);
	support_done(&child);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	support_remove_folder(folder);
	return 0;
}

static void what_is_stored_is_shown_whole_or_not_at_all(void **state)
{
	(void)state;
	support_require_tracing();
	CHECK(false, "latency", "--from", "base.json");
	CHECK(false, "latency", "--json", "--from", "base.json");
	CHECK(false, "locks", "--from", "locks.json");
	CHECK(false, "diff", "base.json", "base.json");
}

static void what_a_file_has_is_listed_whole_or_not_at_all(void **state)
{
	(void)state;
	CHECK(false, "list", support_program("steady"));
	CHECK(false, "list", "--json", support_program("steady"));
	CHECK(false, "list", "-f", "*", support_program("victim"));
}

static void a_measurement_ends_well_or_says_why_not(void **state)
{
	(void)state;
	support_require_tracing();
	CHECK(true, "latency", "--json", "--", support_program("steady"), "50", "100");
	CHECK(true, "locks", "--json", "--hold", "--", support_program("steady"), "50", "100");
	CHECK(true, "offcpu", "--json", "--oncpu", "--", support_program("steady"), "50", "100");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_stored_is_shown_whole_or_not_at_all),
		cmocka_unit_test(what_a_file_has_is_listed_whole_or_not_at_all),
		cmocka_unit_test(a_measurement_ends_well_or_says_why_not),
	};

	return cmocka_run_group_tests_name("faults: memory", tests, set_up, tear_down);
}
