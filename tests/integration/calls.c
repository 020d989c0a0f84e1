/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the programs that count their own calls, and how what they say is compared. */
#include "calls.h"
#include "series.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FUNCTIONS 128
#define MAX_CASES 32

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

static void add_function(struct functions *functions, const char *name, int length)
{
	char *copy = functions->names[functions->size];

	for (size_t i = 0; i < functions->size; i++)
		if (strncmp(functions->names[i], name, (size_t)length) == 0 &&
		    functions->names[i][length] == '\0')
			return;
	assert_true(functions->size < MAX_FUNCTIONS);
	snprintf(copy, sizeof(functions->names[0]), "%.*s", length, name);
	functions->patterns[functions->size++] = copy;
}

/* From "NAME.calls N" lines; names hold blanks and colons, too. */
static void add_functions(struct functions *functions, const char *text)
{
	static const char said[] = ".calls ";

	for (const char *line = text; line && *line;
	     line = strchr(line, '\n'), line += line != NULL) {
		const char *end = strstr(line, said);

		if (end && end < line + strcspn(line, "\n"))
			add_function(functions, line, (int)(end - line));
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

/* ---- running them ---- */

struct planned {
	const struct calls_case *one;
	const struct calls_group *group;
	char program[64]; /* of the build that the group names */
	char name[160];
};

/* (What may be refused is told of a session that has no other functions; children that are forked are measured
 * by path, and not as a command's.) */
static bool is_shared(const struct calls_case *one)
{
	return test_scale() > 1 && !one->is_partly_refused;
}

static uint64_t rounds_of(const struct planned *planned, const struct calls_case *one)
{
	return scaled(one->rounds / (planned->group->divisor ? planned->group->divisor : 1), 2);
}

static void run_unmeasured(const struct planned *planned, const struct calls_case *one,
			   struct output *output)
{
	run_captured((const char *const[]){program_path(planned->program), one->mode,
					   number_text(rounds_of(planned, one)), NULL},
		     output);
	if (output->status == 77) {
		print_message("skipped: needs x86-64: %s is written for it\n", planned->program);
		skip();
	}
	assert_int_equal(output->status, 0);
}

/* What the cases of a group say in one program while nobody measures it, and all that they count: its series
 * measures that. */
static struct {
	const struct calls_group *group;
	char program[64];
	struct functions functions;
	char *told[MAX_CASES];
} shared;

static void forget_shared(void)
{
	series_end();
	for (size_t i = 0; i < MAX_CASES; i++)
		free(shared.told[i]);
	memset(&shared, 0, sizeof(shared));
}

static void share(const struct planned *planned)
{
	struct output output;
	size_t i = 0;

	if (shared.group == planned->group && strcmp(shared.program, planned->program) == 0)
		return;
	forget_shared();
	for (const struct calls_case *one = planned->group->cases; one->name; one++, i++) {
		if (!is_shared(one) || strcmp(one->program, planned->one->program) != 0)
			continue;
		run_unmeasured(planned, one, &output);
		add_functions(&shared.functions, output.out);
		assert_true(i < MAX_CASES);
		shared.told[i] = output.out;
		free(output.err);
	}
	shared.group = planned->group;
	snprintf(shared.program, sizeof(shared.program), "%s", planned->program);
}

/* Returns what the program says while nobody measures it; the caller frees it. */
static char *measure_planned(const struct planned *planned, struct functions *own, struct run *run)
{
	const struct calls_case *one = planned->one;
	const char *const *functions = own->patterns;
	struct output output = {.out = NULL};

	if (is_shared(one)) {
		share(planned);
		output.out = strdup(shared.told[one - planned->group->cases]);
		functions = shared.functions.patterns;
	} else {
		run_unmeasured(planned, one, &output);
	}
	add_functions(own, output.out);
	const char *const command[] = {program_path(planned->program), one->mode,
				       number_text(rounds_of(planned, one)), NULL};
	const struct measure what = {.command = command, .functions = functions};

	if (is_shared(one))
		series_run(&what, run);
	else
		measure_run(&what, run);
	if (run->status != 0)
		fail_msg("%s %s: status %d", planned->program, one->mode, run->status);
	free(output.err);
	return output.out;
}

static void run_planned(void **state)
{
	const struct planned *planned = *state;
	struct functions own = {.size = 0};
	struct run run;
	char *told = measure_planned(planned, &own, &run);

	compare(planned->one, rounds_of(planned, planned->one), &run,
		program_path(planned->program), &own);
	assert_string_equal(run.text, told);
	free(told);
	run_done(&run);
}

static int prepare(void **state)
{
	const struct planned *planned = *state;

	if (planned->group->denied)
		setenv("PROBEKIT_DISABLE_FEATURES", planned->group->denied, 1);
	return 0;
}

static int tidy_all(void **state)
{
	(void)state;
	forget_shared();
	return 0;
}

static int tidy(void **state)
{
	(void)state;
	unsetenv("PROBEKIT_DISABLE_FEATURES");
	return 0;
}

static void plan(const struct calls_group *group, const struct calls_case *one,
		 struct planned *planned, struct CMUnitTest *test)
{
	planned->one = one;
	planned->group = group;
	snprintf(planned->program, sizeof(planned->program), "%s%s%s", one->program,
		 *group->build ? "_" : "", group->build);
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
	failed = _cmocka_run_group_tests(name, tests, count + more_count, NULL, tidy_all);
	free(tests);
	free(planned);
	return failed;
}
