/* SPDX-License-Identifier: BSD-2-Clause */
/* The probes of probe.h are ordinary ones: other tools list them, and count what we count. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything that is in the victim. */
static const char *const probes[] = {"work__begin", "work__end", "held__begin", "held__end"};

static const char *require_tool(const char *paths, const char *package)
{
	const char *tool = support_find_tool(paths);

	if (!tool) {
		print_message("skipped: needs package %s\n", package);
		skip();
	}
	return tool;
}

/* Each probe stands in the tool's output as `format` with its name. */
static void check_listed(const struct support_child *child, const char *format, const char *path)
{
	if (child->status)
		fail_msg("status %d: %s", child->status, child->err.text);
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		char wanted[4200];

		snprintf(wanted, sizeof(wanted), "%s%s%s", path, format, probes[i]);
		if (!strstr(child->out.text, wanted))
			fail_msg("no '%s' in: %s", wanted, child->out.text);
	}
}

static void bpftrace_lists_the_probes(void **state)
{
	const char *tool = require_tool("/usr/bin/bpftrace", "bpftrace");
	const char *victim = support_program("victim");
	struct support_child child;
	char pattern[4200];

	(void)state;
	snprintf(pattern, sizeof(pattern), "usdt:%s:*", victim);
	support_run(&child, NULL, tool, "-l", pattern, NULL);
	check_listed(&child, ":victim:", victim);
	support_done(&child);
}

static void tplist_lists_the_probes(void **state)
{
	const char *tool =
		require_tool("/usr/sbin/tplist-bpfcc:/usr/share/bcc/tools/tplist", "bpfcc-tools");
	const char *victim = support_program("victim");
	struct support_child child;

	(void)state;
	support_run(&child, NULL, tool, "-l", victim, NULL);
	check_listed(&child, " victim:", victim);
	support_done(&child);
}

static void readelf_lists_the_probes(void **state)
{
	const char *tool = require_tool("/usr/bin/readelf", "binutils");
	struct support_child child;

	(void)state;
	support_run(&child, NULL, tool, "-nW", support_program("victim"), NULL);
	check_listed(&child, "Name: ", "");
	assert_non_null(strstr(child.out.text, "Provider: victim"));
	assert_null(strstr(child.err.text, "arning"));
	support_done(&child);
}

static void gdb_lists_the_probes(void **state)
{
	const char *tool = require_tool("/usr/bin/gdb", "gdb");
	struct support_child child;

	(void)state;
	support_run(&child, NULL, tool, "-nx", "-batch", "-iex", "set debuginfod enabled off",
		    "-ex", "info probes stap victim", support_program("victim"), NULL);
	check_listed(&child, "stap victim   ", "");
	/* Each with a semaphore: the third and fourth columns are addresses. */
	assert_null(strstr(child.out.text, "n/a"));
	support_done(&child);
}

/* The value of bpftrace's map `name`. */
static unsigned long bpftrace_count(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	if (!at)
		fail_msg("no %s in: %s", name, text);
	return strtoul(at + strlen(name), NULL, 10);
}

static void bpftrace_counts_the_same_spans_of_the_same_process(void **state)
{
	const char *tool = require_tool("/usr/bin/bpftrace", "bpftrace");
	const char *victim = support_program("victim");
	struct support_child target, bpftrace, probekit;
	char number[24], script[9000], pid[16], done[64];
	unsigned long count = support_scaled(50000);
	json_t *snapshot;

	(void)state;
	support_require_tracing();
	snprintf(number, sizeof(number), "%lu", count);
	support_start(&target, NULL, (const char *const[]){victim, "lines", number, NULL});
	assert_true(support_wait_text(&target, &target.out, "ready"));
	snprintf(pid, sizeof(pid), "%d", (int)target.pid);
	snprintf(script, sizeof(script),
		 "usdt:%s:victim:work__begin { @begins = count(); } "
		 "usdt:%s:victim:work__end { @ends = count(); }",
		 victim, victim);
	support_start(&bpftrace, NULL, (const char *const[]){tool, "-p", pid, "-e", script, NULL});
	support_wait_semaphores(target.pid, victim, 2);
	support_start_intervals(&probekit, target.pid, "victim:work");
	support_write(&target, "go\ngo\n");
	snprintf(done, sizeof(done), "did %lu\n", 2 * count);
	assert_true(support_wait_text(&target, &target.out, done));
	support_interrupt(&bpftrace);
	snapshot = support_end_intervals(&probekit);
	assert_int_equal(support_integer(support_row(snapshot, "victim:work"), "count"), 2 * count);
	assert_int_equal(bpftrace_count(bpftrace.out.text, "@begins: "), 2 * count);
	assert_int_equal(bpftrace_count(bpftrace.out.text, "@ends: "), 2 * count);
	json_decref(snapshot);
	support_wait_untraced(target.pid, victim);
	support_end(&target);
	support_done(&bpftrace);
	support_done(&probekit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bpftrace_lists_the_probes),
		cmocka_unit_test(tplist_lists_the_probes),
		cmocka_unit_test(readelf_lists_the_probes),
		cmocka_unit_test(gdb_lists_the_probes),
		cmocka_unit_test(bpftrace_counts_the_same_spans_of_the_same_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
