/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of what is slow, 99 % of the stacks go down to main() or to the begin of a thread, with and without
 * frame pointers, and through the C library; the rest is counted by reason (programs/depths.c). And inside
 * functions that do little but being probed (programs/brief.c).
 */
#include <stdlib.h>
#include <string.h>

#include "support.h"

#define COMPLETE_SHARE 0.99
#define ROUNDS 160 /* of fifteen spans in seven threads, each fourth of them slow */
#define ROUNDS_LEAST 12
#define BRIEF_MS 2500	 /* some thousand samples */
#define SCALED_SHARE 0.7 /* in a short run the first stacks weigh, that tell how deep they are */

static unsigned long scaled_rounds(void)
{
	unsigned long scaled = support_scaled(ROUNDS);

	return scaled < ROUNDS_LEAST ? ROUNDS_LEAST : scaled;
}

/* A figure that is asserted, and shown. */
static void expect_share(const char *what, double part, double whole)
{
	double least = scaled_rounds() < ROUNDS ? SCALED_SHARE : COMPLETE_SHARE;

	print_message("%s: %.2f %% of %.0f\n", what, whole > 0 ? 100 * part / whole : 0, whole);
	assert_true(whole > 0);
	assert_true(part >= least * whole);
}

/* All there are, but of processes that had gone. How they end is shown. */
static double stacks_of(json_t *json)
{
	const json_t *stacks = json_object_get(json, "stacks");
	const char *end;
	json_t *count;
	double all = 0;

	assert_true(json_is_object(stacks));
	json_object_foreach ((json_t *)stacks, end, count)
		if (json_integer_value(count) && strcmp(end, "none") != 0) {
			print_message("%s %lld\n", end, (long long)json_integer_value(count));
			all += (double)json_integer_value(count);
		}
	return all;
}

static void measure(const char *command, const char *option, const char *program, const char *mode,
		    unsigned long rounds, struct support_child *probekit)
{
	char count[32];

	snprintf(count, sizeof(count), "%lu", rounds);
	support_run(probekit, NULL, support_probekit(), command, "--json", option, "--",
		    support_program(program), mode, count, NULL);
	if (probekit->status)
		fail_msg("probekit failed: %s", probekit->err.text);
}

/* ---- latency ---- */

static void add_cause(const json_t *cause, double *complete, double *with_stack)
{
	double ns = (double)support_integer(cause, "time_ns");

	if (!json_array_size(json_object_get(cause, "stack")))
		return; /* not what stacks are taken of, or none was */
	*with_stack += ns;
	if (json_is_true(json_object_get(cause, "stack_is_complete"))) {
		*complete += ns;
		assert_string_equal(json_string_value(json_object_get(cause, "stack_end")),
				    "complete");
	} else {
		assert_true(json_is_string(json_object_get(cause, "stack_end")));
	}
}

static void spans_have_whole_stacks(void **state)
{
	struct support_child probekit;
	json_t *snapshot, *row, *cause;
	double complete = 0;
	double with_stack = 0;
	size_t i, j;

	support_require_tracing();
	measure("latency", "-v", *state, "all", scaled_rounds(), &probekit);
	snapshot = support_json(probekit.out.text);
	json_array_foreach (json_object_get(snapshot, "probes"), i, row)
		json_array_foreach (json_object_get(row, "causes"), j, cause)
			add_cause(cause, &complete, &with_stack);
	expect_share("slow time at complete stacks", complete, with_stack);
	expect_share("complete samples",
		     (double)support_integer(json_object_get(snapshot, "stacks"), "complete"),
		     stacks_of(snapshot));
	/* of children, which live for 5 ms, alone: each ends the wait of its parent */
	assert_true(support_integer(json_object_get(snapshot, "stacks"), "none") <=
		    support_integer(support_row(snapshot, "depths:recursion_child"), "count"));
	json_decref(snapshot);
	support_done(&probekit);
}

/* ---- offcpu ---- */

static void profiles_have_whole_stacks(void **state)
{
	struct support_child probekit;
	double complete = 0, all = 0;
	double complete_ns = 0, all_ns = 0;
	json_t *profile, *entry;
	size_t i;

	support_require_tracing();
	measure("offcpu", "--oncpu", *state, "all", scaled_rounds(), &probekit);
	profile = support_json(probekit.out.text);
	json_array_foreach (json_object_get(profile, "entries"), i, entry) {
		const char *comm = json_string_value(json_object_get(entry, "comm"));
		double samples = (double)support_integer(entry, "samples");
		double ns = (double)support_integer(entry, "time_ns");

		if (samples == 0 || !comm || strncmp(comm, "depths", strlen("depths")) != 0)
			continue;
		all += samples;
		all_ns += ns;
		if (!json_is_true(json_object_get(entry, "stack_is_complete")))
			continue;
		complete += samples;
		complete_ns += ns;
	}
	expect_share("complete samples", complete, all);
	expect_share("time at complete stacks", complete_ns, all_ns);
	expect_share("complete samples of all processes",
		     (double)support_integer(json_object_get(profile, "stacks"), "complete"),
		     stacks_of(profile));
	json_decref(profile);
	support_done(&probekit);
}

/* ---- the rest ---- */

/* Many samples find the kernel in the midst of a probe. */
static void brief_functions_have_whole_stacks(void **state)
{
	struct support_child probekit;
	char ms[32];
	json_t *json;

	support_require_tracing();
	snprintf(ms, sizeof(ms), "%lu", support_scaled(BRIEF_MS));
	support_run(&probekit, NULL, support_probekit(), "latency", "--json", "--force", "-f",
		    "brief_*", "--", support_program(*state), "run", ms, NULL);
	assert_int_equal(probekit.status, 0);
	json = support_json(probekit.out.text);
	expect_share("complete samples",
		     (double)support_integer(json_object_get(json, "stacks"), "complete"),
		     stacks_of(json));
	json_decref(json);
	support_done(&probekit);
}

static void a_stack_that_cannot_be_followed_says_why(void **state)
{
	struct support_child probekit;
	json_t *snapshot, *row, *cause;
	size_t told = 0;
	size_t i;

	support_require_tracing();
	measure("latency", "-v", *state, "other_stack", 200, &probekit);
	snapshot = support_json(probekit.out.text);
	row = support_row(snapshot, "depths:signal_rest");
	json_array_foreach (json_object_get(row, "causes"), i, cause) {
		const char *end = json_string_value(json_object_get(cause, "stack_end"));

		if (strcmp(json_string_value(json_object_get(cause, "class")), "sleep") != 0)
			continue;
		assert_true(json_is_false(json_object_get(cause, "stack_is_complete")));
		assert_non_null(end);
		assert_string_equal(end, "other_stack");
		told++;
	}
	assert_int_equal(told, 1);
	assert_true(support_integer(json_object_get(snapshot, "stacks"), "other_stack") > 0);
	json_decref(snapshot);
	support_done(&probekit);
	support_run(&probekit, NULL, support_probekit(), "latency", "--", support_program(*state),
		    "other_stack", "200", NULL);
	assert_non_null(strstr(probekit.out.text, "without the outermost callers:"));
	assert_non_null(strstr(probekit.out.text, "from another stack"));
	support_done(&probekit);
}

#define OF_BUILD(test, build)                                                           \
	{                                                                               \
#test ", " build, test, NULL, NULL, (void *)(uintptr_t) "depths_" build \
	}

#define OF_BRIEF(build)                                                                         \
	{                                                                                       \
		"brief_functions_have_whole_stacks, " build, brief_functions_have_whole_stacks, \
			NULL, NULL, (void *)(uintptr_t) "brief_" build                          \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OF_BUILD(spans_have_whole_stacks, "fp"),
		OF_BUILD(spans_have_whole_stacks, "omit"),
		OF_BUILD(profiles_have_whole_stacks, "fp"),
		OF_BUILD(profiles_have_whole_stacks, "omit"),
		OF_BRIEF("fp"),
		OF_BRIEF("omit"),
		OF_BRIEF("exits"),
		OF_BUILD(a_stack_that_cannot_be_followed_says_why, "fp"),
		OF_BUILD(a_stack_that_cannot_be_followed_says_why, "omit"),
	};

	return cmocka_run_group_tests_name("stack_shares", tests, NULL, NULL);
}
