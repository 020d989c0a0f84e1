/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs of the caller's own at functions that turn out to be called too often: they go with the
 * measurement, those at other functions stay (programs/dropped.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tally_program.h"

#define LINE_BYTES 1024
#define TICKS 5

struct dropping {
	struct tally_bpf *bpf;
	struct probekit_session *session;
	char warning[LINE_BYTES];
};

static int add(struct probekit_session *session, void *arg, struct probekit_error *err)
{
	struct dropping *dropping = arg;
	struct probekit_program program;

	dropping->bpf = tally_load(session, 0);
	program = tally_program(dropping->bpf);
	return probekit_session_add_function(session, "tick", err) ||
	       probekit_session_add_function(session, "busy", err) ||
	       probekit_session_add_program(session, &program, err);
}

static void keep_warning(void *arg, enum probekit_log_level level, const char *line)
{
	struct dropping *dropping = arg;

	if (level == PROBEKIT_LOG_WARNING)
		snprintf(dropping->warning, sizeof(dropping->warning), "%s", line);
}

static uint64_t hits(const struct dropping *dropping, const char *name)
{
	size_t count = probekit_session_site_count(dropping->session);
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct tally tally;

		if (strcmp(probekit_session_site(dropping->session, i)->name, name) != 0)
			continue;
		assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(dropping->bpf->maps.tallies), &i,
						     &tally),
				 0);
		sum += tally.hits;
	}
	return sum;
}

static void poll_session(struct probekit_session *session)
{
	struct probekit_error err;

	if (probekit_session_poll(session, 50, &err) < 0)
		fail_msg("%s", err.text);
}

/* Of a process, or of all that run the file. */
static void drop_one(bool is_by_path)
{
	struct dropping dropping = {0};
	struct probekit_snapshot *snapshot;
	struct child child;
	uint64_t since = 0;
	uint64_t busy, ticks;

	child_start_program(&child, "dropped", "burst", 1000);
	dropping.session = measure_start(
		&(struct measure){.path = is_by_path ? program_path("dropped") : NULL,
				  .pid = is_by_path ? 0 : child.pid,
				  .prepare = add,
				  .prepare_arg = &dropping,
				  .options = {.log = keep_warning, .log_arg = &dropping}});
	child_tell(&child, "go");
	while (!strstr(dropping.warning, "'busy'")) {
		if (!keep_waiting(&since, 60))
			fail_msg("a function that is called without a pause is not dropped");
		poll_session(dropping.session);
	}
	assert_non_null(strstr(dropping.warning, "nor a program run there"));
	busy = hits(&dropping, "busy");
	ticks = hits(&dropping, "tick");
	assert_true(busy > 0);
	/* it is called all the while */
	for (since = 0; hits(&dropping, "tick") < ticks + TICKS;) {
		if (!keep_waiting(&since, 60))
			fail_msg("the program at the other function is gone too");
		poll_session(dropping.session);
	}
	assert_int_equal(hits(&dropping, "busy"), busy);
	child_tell(&child, "go");
	child_wait_line(&child, "done");
	snapshot = measure_stop(dropping.session);
	assert_true(find_row(snapshot, "busy")->dropped_after_ns > 0);
	assert_int_equal(find_row(snapshot, "tick")->dropped_after_ns, 0);
	probekit_snapshot_free(snapshot);
	tally_bpf__destroy(dropping.bpf);
	child_done(&child);
}

static void a_program_leaves_the_function_that_is_dropped(void **state)
{
	(void)state;
	drop_one(false);
}

static void a_program_leaves_it_in_all_processes(void **state)
{
	(void)state;
	drop_one(true);
}

static int deny(void **state)
{
	(void)state;
	return setenv("PROBEKIT_DISABLE_FEATURES", "uprobe_multi,uprobe_multi_pid", 1);
}

static int allow(void **state)
{
	(void)state;
	return unsetenv("PROBEKIT_DISABLE_FEATURES");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_leaves_the_function_that_is_dropped),
		cmocka_unit_test(a_program_leaves_it_in_all_processes),
		{"a_program_leaves_the_function_that_is_dropped, events",
		 a_program_leaves_the_function_that_is_dropped, deny, allow, NULL},
	};

	return cmocka_run_group_tests_name("custom_dropped", tests, NULL, NULL);
}
