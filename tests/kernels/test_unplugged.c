/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A CPU is taken away, and given back, while probekit measures: every span is counted, and the time that each took is
 * told. In guests alone: it is nobody's to take a CPU from the machine that tests run on.
 */
#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ONLINE "/sys/devices/system/cpu/cpu1/online"
#define TURNS 4

static void set_online(bool is_online)
{
	int fd = open(ONLINE, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, is_online ? "1" : "0", 1), 1);
	close(fd);
}

static void check_row(json_t *snapshot, const char *name, uint64_t count)
{
	json_t *row = support_row(snapshot, name);

	assert_int_equal(support_integer(row, "count"), count);
	support_check_nothing_lost(json_object_get(row, "lost"));
	if (json_is_object(json_object_get(row, "time_ns")))
		assert_int_equal(support_sum(json_object_get(row, "time_ns")),
				 support_integer(row, "sum_ns"));
}

/* `count` of steady's rounds, while the CPU comes and goes. */
static void check_measured(const char *rounds, bool is_online_first)
{
	const char *const words[] = {support_probekit(),	"latency", "--json", "--",
				     support_program("steady"), rounds,	   "2000",   NULL};
	uint64_t count = strtoull(rounds, NULL, 10);
	struct support_child untraced;
	struct support_child probekit;
	json_t *snapshot;

	set_online(is_online_first);
	support_start(&probekit, NULL, words);
	assert_true(support_wait_text(&probekit, &probekit.err, "ready\n"));
	for (int i = 0; i < 2 * TURNS; i++) {
		set_online(is_online_first ? i % 2 : !(i % 2));
		poll(NULL, 0, 50);
	}
	assert_int_equal(support_finish(&probekit), 0);
	set_online(true);
	snapshot = support_json(probekit.out.text);
	check_row(snapshot, "steady:mix", 32 * count);
	check_row(snapshot, "steady:round", 2 * count);
	check_row(snapshot, "steady:total.wait", 16 * count);
	check_row(snapshot, "steady:total.hold", 16 * count);
	json_decref(snapshot);
	support_run(&untraced, NULL, support_program("steady"), rounds, "0", NULL);
	assert_non_null(strstr(probekit.err.text, untraced.out.text));
	support_done(&untraced);
	support_done(&probekit);
}

static void spans_are_counted_while_a_cpu_goes_and_comes_back(void **state)
{
	(void)state;
	support_require_tracing();
	check_measured("300", true);
}

/* There are more CPUs than when it began. */
static void spans_are_counted_while_a_cpu_comes_and_goes(void **state)
{
	(void)state;
	support_require_tracing();
	check_measured("300", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_are_counted_while_a_cpu_goes_and_comes_back),
		cmocka_unit_test(spans_are_counted_while_a_cpu_comes_and_goes),
	};

	if (access(ONLINE, W_OK)) {
		fprintf(stderr, "no CPU can be taken away\n");
		return 1;
	}
	return cmocka_run_group_tests_name("unplugged", tests, NULL, NULL);
}
