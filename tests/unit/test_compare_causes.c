/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of why a probe changed: causes of all runs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "breakdown.h"
#include "stack.h"
#include "whys.h"

#define MAX_FRAMES 8

/* Waiters for the lock at this address were seen there: "innermost caller ..." of /opt/web. */
static void note_calls(struct probekit_snapshot *run, uint64_t address, const char *kind,
		       const char *functions)
{
	struct probekit_frame frames[MAX_FRAMES] = {{0}};
	struct probekit_stack stack = {.frames = frames};
	struct probekit_probe *row = &run->probes[0];
	char *names = copied(functions);
	char *rest = names;

	for (char *name; (name = strsep(&rest, " "));)
		frames[stack.size++] = (struct probekit_frame){
			.function = *name == '?' ? NULL : name,
			.module = strcmp(name, "pthread_mutex_lock") == 0 ? "/lib/libc.so.6"
									  : "/opt/web",
		};
	for (size_t i = 0; i < row->cause_count; i++) {
		if (row->causes[i].address != address)
			continue;
		assert_int_equal(stack_copy(&row->causes[i].stack, &stack), 0);
		row->causes[i].lock_kind = copied(kind);
	}
	free(names);
}

static bool is_of(struct probekit_snapshot *const *runs, const struct probekit_cause *cause)
{
	for (size_t i = 0; i < whys.pairs; i++) {
		const struct probekit_probe *row = &runs[i]->probes[0];

		if (cause >= row->causes && cause < row->causes + row->cause_count)
			return true;
	}
	return false;
}

/* Everything else of it differs from run to run. */
static void named_lock_is_one_cause_wherever_it_lies(void **state)
{
	(void)state;
	whys_begin(3);
	for (size_t i = 0; i < whys.pairs; i++) {
		struct probekit_wait after = lock_wait(0x2000 + i, "log_mutex", "new+0x5060");

		after.other_pid = after.pid = 100 + (pid_t)i;
		wait_in(whys.base[i], lock_wait(0x1000 + i, "log_mutex", "old+0x4050"), MS);
		wait_in(whys.head[i], after, (double)(3 + i) * MS);
		wait_in(whys.head[i], lock_wait(0x3000, "other", "new+0x5070"), 0.5 * MS);
	}
	explain_tails();
	whys_ask();
	assert_int_equal(whys.why.cause_count, 2);
	assert_cause(0, MS, 4 * MS);
	assert_string_equal(whys.why.causes[0].cause->symbol, "log_mutex");
	assert_cause(1, 0, 0.5 * MS);
	assert_string_equal(whys.why.causes[1].cause->symbol, "other");
}

static void lock_without_a_name_is_known_by_its_place(void **state)
{
	(void)state;
	whys_begin(2);
	for (size_t i = 0; i < whys.pairs; i++) {
		wait_in(whys.base[i], lock_wait(0x1000 + i, NULL, "libpool.so+0x10"), MS);
		wait_in(whys.head[i], lock_wait(0x2000 + i, NULL, "libpool.so+0x10"), 2 * MS);
		wait_in(whys.head[i], lock_wait(0x3000 + i, NULL, "libpool.so+0x20"), 5 * MS);
	}
	explain_tails();
	whys_ask();
	assert_int_equal(whys.why.cause_count, 2);
	assert_cause(0, 0, 5 * MS);
	assert_cause(1, MS, 2 * MS);
}

/* Locks in the heap have addresses alone, which are others in each run; and the functions of
 * libraries, inlined or not, are the same for all. */
static void lock_without_a_place_is_known_by_who_waits(void **state)
{
	(void)state;
	whys_begin(2);
	for (size_t i = 0; i < whys.pairs; i++) {
		wait_in(whys.base[i], lock_wait(0x1000 + i, NULL, "[heap]"), MS);
		wait_in(whys.base[i], lock_wait(0x7000 + i, NULL, "[heap]"), 4 * MS);
		wait_in(whys.head[i], lock_wait(0x2000 + i, NULL, NULL), 3 * MS);
		wait_in(whys.head[i], lock_wait(0x8000 + i, NULL, "[heap]"), 4.5 * MS);
		wait_in(whys.head[i], lock_wait(0x9000 + i, NULL, "[heap]"), 0.25 * MS);
	}
	explain_tails();
	for (size_t i = 0; i < whys.pairs; i++) {
		note_calls(whys.base[i], 0x1000 + i, "mutex", "pthread_mutex_lock append serve");
		note_calls(whys.base[i], 0x7000 + i, "mutex", "pthread_mutex_lock flush append");
		note_calls(whys.head[i], 0x2000 + i, "mutex",
			   "pthread_mutex_lock std::mutex::lock ? append");
		note_calls(whys.head[i], 0x8000 + i, "mutex", "flush");
		note_calls(whys.head[i], 0x9000 + i, "rwlock", "flush");
	}
	whys_ask();
	assert_int_equal(whys.why.cause_count, 3);
	assert_cause(0, MS, 3 * MS);
	assert_cause(1, 4 * MS, 4.5 * MS);
	assert_cause(2, 0, 0.25 * MS);
}

static void calls_and_files_are_told_apart(void **state)
{
	struct probekit_wait peer = {.time_class = PROBEKIT_CLASS_NETWORK,
				     .syscall = "recvfrom",
				     .object = "10.0.0.1:80",
				     .direction = "read"};

	(void)state;
	whys_begin(2);
	for (size_t i = 0; i < whys.pairs; i++) {
		wait_in(whys.base[i], file_wait("fsync", "/var/log/a"), MS);
		wait_in(whys.head[i], file_wait("fsync", "/var/log/a"), 10 * MS);
		wait_in(whys.head[i], file_wait("fsync", "/var/log/b"), 8 * MS);
		wait_in(whys.head[i], file_wait("fdatasync", "/var/log/a"), 7 * MS);
		peer.direction = "read";
		wait_in(whys.head[i], peer, 6 * MS);
		peer.direction = "connect";
		wait_in(whys.head[i], peer, 5 * MS);
		peer.object = "10.0.0.2:80";
		wait_in(whys.head[i], peer, 4 * MS);
		peer.object = "10.0.0.1:80";
	}
	explain_tails();
	whys_ask();
	assert_int_equal(whys.why.cause_count, 6);
	assert_cause(0, MS, 10 * MS);
	assert_string_equal(whys.why.causes[0].cause->object, "/var/log/a");
	assert_cause(1, 0, 8 * MS);
	assert_cause(2, 0, 7 * MS);
	assert_cause(3, 0, 6 * MS);
	assert_cause(4, 0, 5 * MS);
	assert_string_equal(whys.why.causes[4].cause->direction, "connect");
	assert_cause(5, 0, 4 * MS);
}

static void names_of_one_run_alone_tell_nothing_apart(void **state)
{
	(void)state;
	whys_begin(3);
	for (size_t i = 0; i < whys.pairs; i++) {
		char before[32];
		char after[32];

		snprintf(before, sizeof(before), "/tmp/a%zu", i);
		snprintf(after, sizeof(after), "/tmp/b%zu", i);
		wait_in(whys.base[i], file_wait("fsync", before), 0.75 * MS);
		wait_fast(whys.base[i], file_wait("fsync", before), 0.25 * MS);
		wait_in(whys.head[i], file_wait("fsync", after), (double)(i + 2) * MS);
		wait_in(whys.head[i], file_wait("fsync", "/data"), 0.1 * MS);
	}
	explain_tails();
	whys_ask();
	assert_int_equal(whys.why.cause_count, 2);
	assert_cause(0, MS, 3 * MS);
	/* as evidence, the run that took most */
	assert_string_equal(whys.why.causes[0].cause->object, "/tmp/b2");
	assert_cause(1, 0, 0.1 * MS);
}

static void a_single_pair_has_names_and_no_certainty(void **state)
{
	(void)state;
	whys_begin(1);
	wait_in(whys.base[0], file_wait("fsync", "/a"), 2 * MS);
	wait_in(whys.head[0], file_wait("fsync", "/b"), MS);
	explain_tails();
	whys_ask();
	assert_int_equal(whys.why.cause_count, 2);
	assert_cause(0, 2 * MS, 0);
	assert_cause(1, 0, MS);
	assert_false(whys.why.classes[0].is_certain);
}

/* A tail is a hundredth of the spans, more or less from run to run. */
static void causes_have_the_time_of_all_spans(void **state)
{
	const struct probekit_wait lock = lock_wait(0x10, "log_mutex", "web+0x10");

	(void)state;
	whys_begin(2);
	for (size_t i = 0; i < whys.pairs; i++) {
		wait_in(whys.base[i], lock, MS);
		wait_in(whys.head[i], lock, MS);
		wait_fast(whys.head[i], lock, 4 * MS);
	}
	explain_tails();
	assert_int_equal(whys.head[0]->probes[0].causes[0].time_ns, MS * SPANS);
	whys_ask();
	assert_int_equal(whys.why.cause_count, 1);
	assert_cause(0, MS, 5 * MS);
}

/* Nothing is known of it: no stack, no holder. */
static void what_no_tail_has_is_no_cause(void **state)
{
	(void)state;
	whys_begin(2);
	for (size_t i = 0; i < whys.pairs; i++) {
		wait_in(whys.head[i], file_wait("fsync", "/slow"), MS);
		wait_fast(whys.head[i], file_wait("fsync", "/fast"), 9 * MS);
	}
	explain_tails();
	whys_ask();
	assert_class(0, PROBEKIT_CLASS_DISK, 0, 10 * MS);
	assert_int_equal(whys.why.cause_count, 1);
	assert_cause(0, 0, MS);
}

static void causes_of_a_class_add_up_to_it(void **state)
{
	double sum = 0;

	(void)state;
	whys_begin(2);
	for (size_t i = 0; i < whys.pairs; i++) {
		spend(whys.base[i], PROBEKIT_CLASS_ONCPU, 2 * MS);
		spend(whys.head[i], PROBEKIT_CLASS_ONCPU, 7 * MS);
		spend(whys.base[i], PROBEKIT_CLASS_LOCK, MS);
		spend(whys.head[i], PROBEKIT_CLASS_LOCK, 0.25 * MS);
		wait_in(whys.base[i], lock_wait(0x10, "a", NULL), (double)(i + 1) * MS);
		wait_in(whys.head[i], lock_wait(0x20, "b", NULL), 4 * MS);
	}
	explain_tails();
	whys_ask();
	assert_int_equal(whys.why.cause_count, 4);
	assert_cause(0, 2 * MS, 7 * MS);
	assert_int_equal(whys.why.causes[0].cause->time_class, PROBEKIT_CLASS_ONCPU);
	for (size_t i = 1; i < whys.why.cause_count; i++) {
		assert_int_equal(whys.why.causes[i].cause->time_class, PROBEKIT_CLASS_LOCK);
		sum += whys.why.causes[i].head_ns - whys.why.causes[i].base_ns;
	}
	assert_class(1, PROBEKIT_CLASS_LOCK, 2.5 * MS, 4.25 * MS);
	assert_ns(sum, 1.75 * MS);
}

static void cause_is_shown_as_where_it_took_longer(void **state)
{
	const struct probekit_wait slower = lock_wait(0x10, "slower", NULL);
	const struct probekit_wait faster = lock_wait(0x20, "faster", NULL);

	(void)state;
	whys_begin(3);
	for (size_t i = 0; i < whys.pairs; i++) {
		wait_in(whys.base[i], slower, i == 0 ? 9 * MS : 0.1 * MS);
		wait_in(whys.head[i], slower, (i == 1 ? 8 : 6) * MS);
		wait_in(whys.base[i], faster, 3 * MS);
		wait_in(whys.head[i], faster, 2 * MS);
	}
	explain_tails();
	whys_ask();
	assert_int_equal(whys.why.cause_count, 2);
	assert_true(is_of(whys.head, whys.why.causes[0].cause));
	assert_int_equal(whys.why.causes[0].cause->time_ns, 8 * MS * SPANS);
	assert_true(is_of(whys.base, whys.why.causes[1].cause));
	assert_string_equal(whys.why.causes[1].cause->symbol, "faster");
}

/* Where it takes longer it is in no tail: the other build's evidence is better than none. */
static void cause_is_shown_as_where_it_is_in_the_tail(void **state)
{
	const struct probekit_wait lock = lock_wait(0x10, "log_mutex", NULL);

	(void)state;
	whys_begin(2);
	for (size_t i = 0; i < whys.pairs; i++) {
		wait_in(whys.base[i], lock, MS);
		wait_fast(whys.head[i], lock, 2 * MS);
	}
	explain_tails();
	whys_ask();
	assert_int_equal(whys.why.cause_count, 1);
	assert_cause(0, MS, 2 * MS);
	assert_true(is_of(whys.base, whys.why.causes[0].cause));
}

/* It ran for so long a span, such a share of it in that function. */
static void run_in(struct probekit_snapshot *run, double ns_per_span, const char *function,
		   double share)
{
	struct probekit_probe *row = &run->probes[0];
	struct probekit_frame frame = {.function = function, .module = "/opt/web"};
	const struct probekit_stack stack = {.frames = &frame, .size = 1, .share = share};

	spend(run, PROBEKIT_CLASS_ONCPU, ns_per_span);
	assert_int_equal(breakdown_explain(row), 0);
	assert_int_equal(row->cause_count, 1);
	assert_int_equal(stack_copy(&row->causes[0].stack, &stack), 0);
}

static void time_on_cpu_is_located_where_what_is_hot_is_what_differs(void **state)
{
	static const struct {
		const char *hot[2];
		double share[2];
		double ms[2];
		bool is_located;
	} cases[] = {
		{{"compute", "compute"}, {1, 1}, {8.6, 9}, true},
		{{"compute", "compute"}, {1, 1}, {9, 8.6}, true},
		{{"compute", "compute"}, {1, 0.98}, {8, 24}, true},
		{{"compute", "wait"}, {1, 0.92}, {8.3, 24.4}, true},
		{{"wait", "compute"}, {0.92, 1}, {24.4, 8.3}, true},
		{{"match", "match"}, {0.5, 0.7}, {10, 16}, true},
		/* what grew is elsewhere, and takes of its share */
		{{"slide", "slide"}, {0.92, 0.8}, {19.2, 28.6}, false},
		/* what grew is less than the rest scatters */
		{{"match", "match"}, {0.8, 0.81}, {392, 403}, false},
		/* it may have been nearly as hot before */
		{{"parse", "print"}, {0.51, 0.5}, {10, 10.5}, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		whys_begin(2);
		for (size_t k = 0; k < whys.pairs; k++) {
			run_in(whys.base[k], cases[i].ms[0] * MS, cases[i].hot[0],
			       cases[i].share[0]);
			run_in(whys.head[k], cases[i].ms[1] * MS, cases[i].hot[1],
			       cases[i].share[1]);
		}
		whys_ask();
		assert_int_equal(whys.why.cause_count, 1);
		if (whys.why.causes[0].is_located != cases[i].is_located)
			fail_msg("case %zu is %slocated", i, cases[i].is_located ? "not " : "");
		whys_end(state);
	}
}

/* What is hot in the slowest run alone may have taken nothing in the others. */
static void time_on_cpu_is_not_located_by_one_run(void **state)
{
	whys_begin(10);
	for (size_t k = 0; k < whys.pairs; k++) {
		run_in(whys.base[k], 10 * MS, "always", 0.9);
		run_in(whys.head[k], (k ? 20 : 21) * MS, k ? "always" : "once", 0.5);
	}
	whys_ask();
	assert_int_equal(whys.why.cause_count, 1);
	assert_string_equal(whys.why.causes[0].cause->stack.frames[0].function, "once");
	assert_false(whys.why.causes[0].is_located);
	whys_end(state);
}

static void largest_differences_come_first_and_few(void **state)
{
	enum { FILES = 40 };

	(void)state;
	whys_begin(2);
	for (size_t i = 0; i < whys.pairs; i++) {
		for (int k = 0; k < FILES; k++) {
			char name[32];
			int difference = (k * 7 + 3) % FILES; /* each once, in no order */

			snprintf(name, sizeof(name), "/data/%d", k);
			wait_in(whys.base[i], file_wait("read", name), 50 * MS);
			wait_in(whys.head[i], file_wait("read", name),
				(50 + (k % 2 ? difference : -difference)) * MS);
		}
	}
	explain_tails();
	whys_ask();
	assert_int_equal(whys.why.cause_count, COMPARE_CAUSES_MAX);
	for (size_t i = 0; i < whys.why.cause_count; i++)
		assert_ns(fabs(whys.why.causes[i].head_ns - whys.why.causes[i].base_ns),
			  (double)(FILES - 1 - i) * MS);
}

#define TEST(name) cmocka_unit_test_teardown(name, whys_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(named_lock_is_one_cause_wherever_it_lies),
		TEST(lock_without_a_name_is_known_by_its_place),
		TEST(lock_without_a_place_is_known_by_who_waits),
		TEST(calls_and_files_are_told_apart),
		TEST(names_of_one_run_alone_tell_nothing_apart),
		TEST(a_single_pair_has_names_and_no_certainty),
		TEST(causes_have_the_time_of_all_spans),
		TEST(what_no_tail_has_is_no_cause),
		TEST(causes_of_a_class_add_up_to_it),
		TEST(cause_is_shown_as_where_it_took_longer),
		TEST(cause_is_shown_as_where_it_is_in_the_tail),
		TEST(time_on_cpu_is_located_where_what_is_hot_is_what_differs),
		TEST(time_on_cpu_is_not_located_by_one_run),
		TEST(largest_differences_come_first_and_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
