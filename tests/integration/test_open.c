/* SPDX-License-Identifier: BSD-2-Clause */
/* Spans that are still open at the end: where their threads are, since when, and behind whom. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../scenarios/facts.h"
#include "support.h"

/* From the program's reading of the clock to the switch, and back: of a machine that is busy. */
#define ALLOWED_NS 5000000

struct stuck {
	struct support_child probekit;
	json_t *snapshot;
	json_t *row;
	const char *truth;
	int64_t asked_ns; /* to end: from here */
	int64_t ended_ns; /* to here it did */
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* All of its threads are where they stay when the measurement is ended. */
static void measure_stuck(const char *mode, struct stuck *stuck)
{
	const char *const words[] = {support_probekit(),       "latency", "--json", "--",
				     support_program("stuck"), mode,	  "1",	    NULL};

	support_require_tracing();
	support_start(&stuck->probekit, NULL, words);
	if (!support_wait_text(&stuck->probekit, &stuck->probekit.err, "\nstuck "))
		fail_msg("probekit ended early: %s", stuck->probekit.err.text);
	stuck->asked_ns = now_ns();
	support_interrupt(&stuck->probekit);
	stuck->ended_ns = now_ns();
	stuck->truth = stuck->probekit.err.text;
	stuck->snapshot = support_json(stuck->probekit.out.text);
	stuck->row = support_row(stuck->snapshot, "stuck:span");
}

static void stuck_done(struct stuck *stuck)
{
	json_decref(stuck->snapshot);
	support_done(&stuck->probekit);
}

/* ---- one thread ---- */

/* `member` of the open span of a thread, by its name. */
static void assert_open(const struct stuck *stuck, const char *thread, const char *member,
			const char *expected)
{
	char path[128];
	char missed[FACT_TEXT_MAX];
	const struct fact fact = {path, expected ? FACT_IS : FACT_EXISTS, expected};

	snprintf(path, sizeof(path), "open[tid:$%s].%s", thread, member);
	if (!fact_holds(&fact, stuck->row, stuck->truth, missed))
		fail_msg("%s", missed);
}

static const json_t *open_of(const struct stuck *stuck, const char *thread)
{
	int64_t tid = (int64_t)support_number(stuck->truth, thread);
	json_t *open;
	size_t i;

	json_array_foreach (json_object_get(stuck->row, "open"), i, open)
		if (support_integer(open, "tid") == tid)
			return open;
	fail_msg("no open span of %s", thread);
	return NULL;
}

static void assert_is_null(const struct stuck *stuck, const char *thread, const char *member)
{
	const json_t *value = json_object_get(open_of(stuck, thread), member);

	if (!json_is_null(value))
		fail_msg("%s: %s is not null", thread, member);
}

/* Since the moment that the program calls `since`. */
static void assert_age(const struct stuck *stuck, const char *thread, const char *member,
		       const char *since)
{
	int64_t ns = support_integer(open_of(stuck, thread), member);
	char name[64];
	int64_t began;

	snprintf(name, sizeof(name), "%s-%s", thread, since);
	began = (int64_t)support_number(stuck->truth, name);
	if (ns < stuck->asked_ns - began - ALLOWED_NS || ns > stuck->ended_ns - began)
		fail_msg("%s: %s is %lld ns, not %lld to %lld", thread, member, (long long)ns,
			 (long long)(stuck->asked_ns - began),
			 (long long)(stuck->ended_ns - began));
}

static void assert_stands(const struct stuck *stuck, const char *thread, const char *function)
{
	char member[64];

	assert_open(stuck, thread, "comm", thread);
	snprintf(member, sizeof(member), "stack[function:%s].line", function);
	assert_open(stuck, thread, member, NULL);
	assert_open(stuck, thread, "stack[function:stay].line", NULL);
	assert_age(stuck, thread, "age_ns", "began");
}

/* At that moment another may have its CPU. */
static void assert_runs(const struct stuck *stuck, const char *thread, const char *function)
{
	const char *blocked_in =
		json_string_value(json_object_get(open_of(stuck, thread), "blocked_in"));

	assert_stands(stuck, thread, function);
	assert_is_null(stuck, thread, "lock");
	if (!blocked_in || strcmp(blocked_in, "runqueue") != 0) {
		assert_open(stuck, thread, "blocked_in", "oncpu");
		assert_is_null(stuck, thread, "blocked_ns");
	}
}

static void assert_stays(const struct stuck *stuck, const char *thread, const char *blocked_in,
			 const char *function)
{
	assert_stands(stuck, thread, function);
	assert_open(stuck, thread, "blocked_in", blocked_in);
	assert_age(stuck, thread, "blocked_ns", "since");
	assert_true(support_integer(open_of(stuck, thread), "blocked_ns") <=
		    support_integer(open_of(stuck, thread), "age_ns"));
}

static void assert_behind(const struct stuck *stuck, const char *thread, const char *lock,
			  const char *holder, const char *is_deadlock)
{
	assert_stays(stuck, thread, "futex", "want_lock");
	assert_open(stuck, thread, "lock.symbol", lock);
	assert_open(stuck, thread, "holder_tid", holder);
	assert_open(stuck, thread, "is_deadlock", is_deadlock);
}

/* ---- tests ---- */

static void a_thread_is_told_where_it_stays(void **state)
{
	struct stuck stuck;

	(void)state;
	measure_stuck("each_kind", &stuck);
	assert_int_equal(json_array_size(json_object_get(stuck.row, "open")), 4);
	assert_stays(&stuck, "reading", "read", "want_byte");
	assert_stays(&stuck, "sleeping", "clock_nanosleep", "want_time");
	assert_runs(&stuck, "spinning", "spin");
	assert_is_null(&stuck, "reading", "lock");
	assert_is_null(&stuck, "reading", "holder_tid");
	assert_is_null(&stuck, "sleeping", "lock");
	assert_behind(&stuck, "locked", "locks", "$sleeping", "false");
	stuck_done(&stuck);
}

static void a_circle_is_a_deadlock_of_those_in_it_alone(void **state)
{
	char lock[32];
	struct stuck stuck;

	(void)state;
	measure_stuck("deadlock", &stuck);
	assert_int_equal(json_array_size(json_object_get(stuck.row, "open")), 3);
	snprintf(lock, sizeof(lock), "locks+%llu",
		 (unsigned long long)support_number(stuck.truth, "lock-bytes"));
	assert_behind(&stuck, "first", lock, "$second", "true");
	snprintf(lock, sizeof(lock), "locks+%llu",
		 2 * (unsigned long long)support_number(stuck.truth, "lock-bytes"));
	assert_behind(&stuck, "second", lock, "$third", "true");
	assert_behind(&stuck, "outside", "locks", "$first", "false");
	assert_open(&stuck, "first", "blockers[0].comm", "second");
	assert_open(&stuck, "first", "blockers[0].lock.symbol", lock);
	assert_open(&stuck, "first", "blockers[1].tid", "$third");
	assert_open(&stuck, "first", "blockers[1].comm", "third");
	assert_open(&stuck, "first", "blockers[1].lock.symbol", "locks");
	assert_open(&stuck, "first", "blockers[1].stack[function:want_lock].line", NULL);
	assert_int_equal(json_array_size(json_object_get(open_of(&stuck, "first"), "blockers")), 2);
	stuck_done(&stuck);
}

static void a_chain_is_no_deadlock(void **state)
{
	struct stuck stuck;

	(void)state;
	measure_stuck("chain", &stuck);
	assert_int_equal(json_array_size(json_object_get(stuck.row, "open")), 3);
	assert_stays(&stuck, "third", "clock_nanosleep", "want_time");
	assert_open(&stuck, "third", "is_deadlock", "false");
	assert_stays(&stuck, "first", "futex", "want_lock");
	assert_open(&stuck, "first", "holder_tid", "$second");
	assert_open(&stuck, "first", "is_deadlock", "false");
	assert_stays(&stuck, "second", "futex", "want_lock");
	assert_open(&stuck, "second", "holder_tid", "$third");
	assert_open(&stuck, "second", "is_deadlock", "false");
	stuck_done(&stuck);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_is_told_where_it_stays),
		cmocka_unit_test(a_circle_is_a_deadlock_of_those_in_it_alone),
		cmocka_unit_test(a_chain_is_no_deadlock),
	};

	return cmocka_run_group_tests_name("open", tests, NULL, NULL);
}
