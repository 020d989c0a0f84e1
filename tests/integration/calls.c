/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the programs that count their own calls, and how what they say is compared. */
#include "calls.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FUNCTIONS 64

#define CASE(claim, of, how, times, ...)                                                          \
	{                                                                                         \
		.name = (claim), .program = (of), .mode = (how), .rounds = (times), ##__VA_ARGS__ \
	}

/* clang-format off */
const struct calls_case calls_core[] = {
	CASE("nested_calls_are_counted_exactly", "calls", "nesting", 5000),
	CASE("recursion_to_depth_20_is_counted_exactly", "calls", "recursion_20", 2000),
	CASE("recursion_to_depth_40_counts_what_is_too_deep", "calls", "recursion_40", 500,
	 .deep = "recursive", .too_deep = 9),
	CASE("recursion_to_depth_64_counts_what_is_too_deep", "calls", "recursion_64", 500,
	 .deep = "recursive", .too_deep = 33),
	CASE("recursion_to_depth_200_counts_what_is_too_deep", "calls", "recursion_200", 200,
	 .deep = "recursive", .too_deep = 169),
	CASE("mutual_recursion_is_counted_exactly", "calls", "mutual", 2000),
	CASE("tail_calls_are_calls", "calls", "tails", 2000),
	CASE("endless_tail_calls_are_counted_or_too_deep", "calls", "long_tails", 50,
	 .deep = "again", .may_overflow = true),
	CASE("longjmp_abandons_the_calls_it_leaves_and_no_others", "calls", "longjmps", 2000),
	{.name = NULL},
};

/* Of these, where little is left to differ. */
const struct calls_case calls_few[] = {
	CASE("nested_calls_are_counted_exactly", "calls", "nesting", 500),
	CASE("recursion_to_depth_40_counts_what_is_too_deep", "calls", "recursion_40", 50,
	     .deep = "recursive", .too_deep = 9),
	CASE("tail_calls_are_calls", "calls", "tails", 200),
	CASE("longjmp_abandons_the_calls_it_leaves_and_no_others", "calls", "longjmps", 200),
	{.name = NULL},
};

const struct calls_case calls_shapes[] = {
	CASE("functions_of_all_shapes_are_counted_exactly", "calls", "shapes", 500),
	CASE("clones_count_as_their_function", "calls", "clones", 2000),
	CASE("functions_are_counted_whatever_their_first_instruction", "calls_entries", "entries", 500,
	     .is_partly_refused = true),
	CASE("conditional_tail_calls_end_calls_when_taken", "calls_entries", "conditions", 500),
	CASE("forked_children_run_probed_code", "calls_entries", "forked_entries", 20,
	     .is_partly_refused = true),
	{.name = NULL},
};

const struct calls_case calls_cxx[] = {
	CASE("exceptions_leave_the_calls_they_pass", "calls_cxx", "exceptions", 1000),
	CASE("exceptions_out_of_deep_recursion_shift_nothing", "calls_cxx", "deep_exceptions", 500),
	CASE("kinds_of_cxx_functions_are_found_by_name", "calls_cxx", "kinds", 500),
	CASE("forced_unwinding_runs_destructors", "calls_cxx", "threads", 100),
	{.name = NULL},
};

const struct calls_case calls_stacks[] = {
	CASE("signal_handlers_nest_in_what_they_interrupt", "calls_signals", "signals", 1000),
	CASE("handlers_on_an_alternate_stack_end_nothing", "calls_signals", "alternate", 1000),
	CASE("handlers_on_a_stack_above_the_threads_end_nothing", "calls_signals", "alternate_above", 1000),
	CASE("siglongjmp_abandons_handler_and_interrupted", "calls_signals", "signal_jumps", 1000),
	CASE("siglongjmp_from_an_alternate_stack_abandons_both", "calls_signals", "alternate_jumps", 1000),
	CASE("coroutines_on_heap_stacks_keep_their_calls", "calls_stacks", "on_heap", 300),
	CASE("coroutines_on_mapped_stacks_keep_their_calls", "calls_stacks", "on_mapping", 300),
	CASE("coroutines_beside_their_threads_stack_keep_their_calls", "calls_stacks", "beside_thread", 300),
	CASE("coroutines_dropped_inside_a_call_abandon_it", "calls_stacks", "drops", 1000),
	{.name = NULL},
};

const struct calls_case calls_threads[] = {
	CASE("calls_of_many_threads_are_counted_exactly", "calls_threads", "hot", 10000),
	CASE("threads_that_live_shortly_lose_no_call", "calls_threads", "short_threads", 40),
	CASE("pthread_exit_abandons_the_calls_it_leaves", "calls_threads", "thread_exits", 200),
	CASE("cancelled_threads_abandon_their_calls", "calls_threads", "cancels", 200),
	CASE("calls_open_when_the_process_ends_are_abandoned", "calls_threads", "stay_inside", 100),
	{.name = NULL},
};
/* Of the last four, with perf events, of which each takes long to close. */
const struct calls_case calls_left_few[] = {
	CASE("exceptions_leave_the_calls_they_pass", "calls_cxx", "exceptions", 50),
	CASE("forced_unwinding_runs_destructors", "calls_cxx", "threads", 10),
	CASE("handlers_on_a_stack_above_the_threads_end_nothing", "calls_signals", "alternate_above", 50),
	CASE("coroutines_on_heap_stacks_keep_their_calls", "calls_stacks", "on_heap", 20),
	CASE("pthread_exit_abandons_the_calls_it_leaves", "calls_threads", "thread_exits", 20),
	{.name = NULL},
};
/* clang-format on */

/* ---- what a program counts ---- */

struct functions {
	char names[MAX_FUNCTIONS][64];
	const char *patterns[MAX_FUNCTIONS + 1];
	size_t size;
};

/* From "NAME.calls N" lines; names hold blanks and colons, too. */
static void read_functions(const char *text, struct functions *functions)
{
	static const char said[] = ".calls ";

	memset(functions, 0, sizeof(*functions));
	for (const char *line = text; line && *line;
	     line = strchr(line, '\n'), line += line != NULL) {
		const char *end = strstr(line, said);

		if (!end || end > line + strcspn(line, "\n"))
			continue;
		assert_true(functions->size < MAX_FUNCTIONS);
		snprintf(functions->names[functions->size], sizeof(functions->names[0]), "%.*s",
			 (int)(end - line), line);
		functions->patterns[functions->size] = functions->names[functions->size];
		functions->size++;
	}
	assert_true(functions->size > 0);
}

static bool is_named(const struct probekit_probe *row, const char *name)
{
	size_t length = strlen(name);

	if (strncmp(row->name, name, length) == 0 &&
	    (row->name[length] == '\0' || row->name[length] == '('))
		return true;
	return strchr(name, '<') && fnmatch(name, row->name, 0) == 0;
}

struct calls_measured calls_sum(const struct probekit_snapshot *snapshot, const char *name)
{
	struct calls_measured sum = {0};

	for (size_t i = 0; i < probekit_snapshot_size(snapshot); i++) {
		const struct probekit_probe *row = probekit_snapshot_probe(snapshot, i);

		if (!is_named(row, name))
			continue;
		assert_int_equal(row->kind, PROBEKIT_KIND_FUNCTION);
		sum.rows++;
		sum.count += row->count;
		sum.abandoned += row->lost.abandoned;
		sum.unmatched += row->lost.unmatched_end;
		sum.depth_overflow += row->lost.depth_overflow;
		sum.other += row->lost.state_unavailable + row->lost.map_full +
			     row->lost.unreadable_argument + row->in_flight_at_start +
			     row->open_count;
	}
	return sum;
}

/* ---- comparing ---- */

static int64_t told(const struct run *run, const char *name, const char *what)
{
	char text[96];

	snprintf(text, sizeof(text), "%s.%s", name, what);
	return run_truth(run, text);
}

static bool is_right(const struct calls_case *one, const char *name, uint64_t rounds,
		     const struct calls_measured *is, uint64_t returned, uint64_t left)
{
	bool is_deep = one->deep && strcmp(one->deep, name) == 0;
	uint64_t too_deep = is_deep ? one->too_deep * rounds : 0;

	/* The kernel catches 64 returns: of those beyond, nothing is known but that they began. */
	if (is_deep && one->may_overflow)
		return is->count + is->depth_overflow + is->abandoned == returned + left &&
		       is->unmatched == 0 && is->other == 0;
	return is->count + too_deep == returned && is->abandoned == left &&
	       is->depth_overflow == too_deep && is->unmatched == 0 && is->other == 0;
}

/* Is it known to the library, with the reason why it cannot be probed? */
static bool is_refused(const char *path, const char *name)
{
	const struct probekit_catalog_entry *entry;
	struct probekit_catalog *catalog;
	struct probekit_error err;
	bool is_so = false;

	if (probekit_catalog_open_path(path, &catalog, &err))
		fail_msg("%s", err.text);
	if (probekit_catalog_add_functions(catalog, name, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < probekit_catalog_size(catalog); i++) {
		entry = probekit_catalog_entry(catalog, i);
		is_so |= entry->kind == PROBEKIT_CATALOG_FUNCTION && entry->refused;
	}
	probekit_catalog_free(catalog);
	return is_so;
}

static void compare(const struct calls_case *one, uint64_t rounds, const struct run *run,
		    const char *path, const struct functions *functions)
{
	bool is_good = true;

	for (size_t i = 0; i < functions->size; i++) {
		const char *name = functions->names[i];
		struct calls_measured is = calls_sum(run->snapshot, name);
		uint64_t returned = (uint64_t)told(run, name, "returned");
		uint64_t left = (uint64_t)told(run, name, "left");

		if (is.rows ? is_right(one, name, rounds, &is, returned, left)
			    : one->is_partly_refused && is_refused(path, name))
			continue;
		print_error(
			"%s: returned %llu, left %llu; measured in %zu rows: count %llu, abandoned %llu, unmatched %llu, too deep %llu, other %llu\n",
			name, (unsigned long long)returned, (unsigned long long)left, is.rows,
			(unsigned long long)is.count, (unsigned long long)is.abandoned,
			(unsigned long long)is.unmatched, (unsigned long long)is.depth_overflow,
			(unsigned long long)is.other);
		is_good = false;
	}
	assert_true(is_good);
}

void calls_run(const struct calls_case *one, const char *build, uint64_t rounds)
{
	char program[64];
	struct functions functions;
	struct output output;
	struct run run;

	snprintf(program, sizeof(program), "%s%s%s", one->program, *build ? "_" : "", build);
	const char *const command[] = {program_path(program), one->mode, number_text(rounds), NULL};

	run_captured(command, &output);
	if (output.status == 77) {
		print_message("skipped: needs x86-64: %s is written for it\n", program);
		skip();
	}
	assert_int_equal(output.status, 0);
	read_functions(output.out, &functions);
	measure_run(&(struct measure){.command = command, .functions = functions.patterns}, &run);
	if (run.status != 0)
		fail_msg("%s %s: status %d", program, one->mode, run.status);
	compare(one, rounds, &run, command[0], &functions);
	assert_string_equal(run.text, output.out);
	output_done(&output);
	run_done(&run);
}

/* ---- running them ---- */

struct planned {
	const struct calls_case *one;
	const struct calls_group *group;
	char name[160];
};

static int prepare(void **state)
{
	const struct planned *planned = *state;

	if (planned->group->denied)
		setenv("PROBEKIT_DISABLE_FEATURES", planned->group->denied, 1);
	return 0;
}

static int tidy(void **state)
{
	(void)state;
	unsetenv("PROBEKIT_DISABLE_FEATURES");
	return 0;
}

static void run_planned(void **state)
{
	const struct planned *planned = *state;
	uint64_t divisor = planned->group->divisor ? planned->group->divisor : 1;

	calls_run(planned->one, planned->group->build, scaled(planned->one->rounds / divisor, 2));
}

static void plan(const struct calls_group *group, const struct calls_case *one,
		 struct planned *planned, struct CMUnitTest *test)
{
	planned->one = one;
	planned->group = group;
	snprintf(planned->name, sizeof(planned->name), "%s%s%s%s%s",
		 *group->build ? group->build : "", *group->build ? ": " : "",
		 group->denied ? group->denied : "", group->denied ? " denied: " : "", one->name);
	*test = (struct CMUnitTest){
		.name = planned->name,
		.test_func = run_planned,
		.setup_func = prepare,
		.teardown_func = tidy,
		.initial_state = planned,
	};
}

int calls_main(const char *name, const struct calls_group *groups, size_t group_count,
	       const struct CMUnitTest *more, size_t more_count)
{
	struct CMUnitTest *tests;
	struct planned *planned;
	size_t count = 0;
	int failed;

	for (size_t i = 0; i < group_count; i++)
		for (const struct calls_case *one = groups[i].cases; one->name; one++)
			count++;
	tests = calloc(count + more_count + 1, sizeof(*tests));
	planned = calloc(count + 1, sizeof(*planned));
	if (!tests || !planned)
		return 1;
	count = 0;
	for (size_t i = 0; i < group_count; i++) {
		for (const struct calls_case *one = groups[i].cases; one->name; one++) {
			plan(&groups[i], one, &planned[count], &tests[count]);
			count++;
		}
	}
	if (more_count)
		memcpy(tests + count, more, more_count * sizeof(*more));
	failed = _cmocka_run_group_tests(name, tests, count + more_count, NULL, NULL);
	free(tests);
	free(planned);
	return failed;
}
