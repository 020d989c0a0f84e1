/* SPDX-License-Identifier: BSD-2-Clause */
/* How long locks are held, against a program that knows it: each hold is counted once, whatever took the lock. */
#include <stdio.h>
#include <string.h>

#include "measure.h"
#include "support.h"

#define ROUNDS 20
#define ALLOWED_NS 100000 /* a hold more than the program knows, which looks at its clock inside */
#define ALLOWED_SHARE .05

static bool is_native(void)
{
	return test_scale() == 1;
}

/* Those that the program calls by this name. */
static void assert_told(const struct run *run, const char *name, const struct probekit_probe *holds)
{
	char key[32];
	int64_t count;
	int64_t ns;

	snprintf(key, sizeof(key), "%s-count", name);
	count = run_truth(run, key);
	snprintf(key, sizeof(key), "%s-ns", name);
	ns = run_truth(run, key);
	print_message("%s: %lld holds, %lld ns; told %llu, %lld ns\n", name, (long long)count,
		      (long long)ns, (unsigned long long)holds->count, (long long)holds->sum);
	assert_int_equal(holds->count, count);
	assert_true(holds->sum >= ns);
	if (is_native())
		assert_true((double)(holds->sum - ns) <=
			    (double)ns * ALLOWED_SHARE + (double)count * ALLOWED_NS);
}

static const struct probekit_lock *find_lock(const struct probekit_snapshot *snapshot,
					     const char *symbol)
{
	for (size_t i = 0; i < probekit_snapshot_lock_count(snapshot); i++) {
		const struct probekit_lock *lock = probekit_snapshot_lock(snapshot, i);

		if (symbol ? lock->symbol && strcmp(lock->symbol, symbol) == 0 : lock->is_shared)
			return lock;
	}
	fail_msg("nobody waited for '%s'", symbol ? symbol : "the shared one");
	return NULL;
}

static void each_hold_is_counted_once(void **state)
{
	static const char *const mutexes[] = {"plain", "nested", "tried", "timed", "signalled"};
	const char *const command[] = {program_path("lock_holds"), "each_kind",
				       scaled_text(ROUNDS, 5), NULL};
	const struct measure measure = {
		.command = command,
		.options = {.measure_locks = true, .measure_holds = true, .max_overhead = -1},
	};
	const struct probekit_probe *all;
	struct run run;

	(void)state;
	measure_run(&measure, &run);
	assert_int_equal(run.status, 0);
	for (size_t i = 0; i < sizeof(mutexes) / sizeof(mutexes[0]); i++) {
		const struct probekit_lock *lock = find_lock(run.snapshot, mutexes[i]);

		assert_told(&run, mutexes[i], &lock->holds);
		assert_int_equal(lock->read_holds.count, 0);
	}
	assert_told(&run, "written", &find_lock(run.snapshot, "shelf")->holds);
	assert_told(&run, "read", &find_lock(run.snapshot, "shelf")->read_holds);
	assert_told(&run, "shared", &find_lock(run.snapshot, NULL)->holds);
	/* the C library's own besides */
	all = find_row(run.snapshot, PROBEKIT_HOLDS_NAME);
	assert_non_null(all);
	assert_true(all->count >= 16 * scaled(ROUNDS, 5));
	assert_int_equal(all->lost.unmatched_end, 0);
	assert_int_equal(all->lost.abandoned, 0);
	run_done(&run);
}

/* ---- at what cost ---- */

static const struct probekit_probe *measure_endless(double max_overhead, unsigned int ms,
						    struct probekit_snapshot **snapshot)
{
	const char *const command[] = {program_path("lock_holds"), "endless", "1", NULL};
	struct probekit_session *session = measure_start(&(struct measure){
		.command = command,
		.options = {.measure_locks = true,
			    .measure_holds = true,
			    .max_overhead = max_overhead},
	});
	uint64_t until = monotonic_ns() + ms * 1000000ull;
	const struct probekit_probe *row;
	struct probekit_error err;

	do {
		if (probekit_session_poll(session, 10, &err) < 0 ||
		    probekit_session_snapshot(session, snapshot, &err))
			fail_msg("%s", err.text);
		row = find_row(*snapshot, PROBEKIT_HOLDS_NAME);
		if (row && row->dropped_after_ns)
			break;
		probekit_snapshot_free(*snapshot);
		*snapshot = NULL;
	} while (monotonic_ns() < until);
	if (*snapshot)
		probekit_snapshot_free(*snapshot);
	*snapshot = measure_stop(session);
	return find_row(*snapshot, PROBEKIT_HOLDS_NAME);
}

static void what_costs_too_much_ends_and_is_said(void **state)
{
	struct probekit_snapshot *snapshot = NULL;
	const struct probekit_probe *row;

	(void)state;
	require_tracing();
	if (!is_native()) {
		print_message("skipped: needs native, as nobody knows what is hot when emulated\n");
		skip();
	}
	row = measure_endless(0, 20000, &snapshot);
	assert_true(row->dropped_after_ns > 0);
	assert_true(row->count > 0);
	probekit_snapshot_free(snapshot);
}

static void nothing_ends_that_is_forced(void **state)
{
	struct probekit_snapshot *snapshot = NULL;
	const struct probekit_probe *row;

	(void)state;
	require_tracing();
	row = measure_endless(-1, 500, &snapshot);
	assert_int_equal(row->dropped_after_ns, 0);
	assert_true(row->count > 0);
	probekit_snapshot_free(snapshot);
}

/* ---- what cannot be measured ---- */

static void holds_are_refused_where_the_functions_belong_to_all(void **state)
{
	const char *const arguments[] = {"locks", "--hold", "-d", "1", program_path("lock_holds"),
					 NULL};
	struct output output;

	(void)state;
	require_tracing();
	run_cli(arguments, &output);
	assert_int_equal(output.status, 1);
	assert_non_null(strstr(output.err, "no hold can be measured: '"));
	assert_non_null(strstr(output.err, "lock_holds' has none of the functions"));
	assert_non_null(strstr(output.err, "-p PID"));
	assert_string_equal(output.out, "");
	output_done(&output);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_hold_is_counted_once),
		cmocka_unit_test(what_costs_too_much_ends_and_is_said),
		cmocka_unit_test(nothing_ends_that_is_forced),
		cmocka_unit_test(holds_are_refused_where_the_functions_belong_to_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
