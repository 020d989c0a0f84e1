/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks of a session over time: intervals, and snapshots that are kept. */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 50
#define TRIES 4
#define LOST_MAX 2
#define LONGEST_NS 100000000

struct sums {
	uint64_t count;
	uint64_t slots; /* in histograms */
	int64_t ns;
};

static void add_waits(struct sums *sums, const struct probekit_snapshot *snapshot)
{
	for (size_t i = 0; i < probekit_snapshot_lock_count(snapshot); i++) {
		const struct probekit_probe *waits = &probekit_snapshot_lock(snapshot, i)->waits;

		sums->count += waits->count;
		sums->ns += waits->sum;
		for (size_t k = 0; k < waits->histogram.size; k++)
			sums->slots += waits->histogram.count[k];
		assert_true(waits->min <= waits->max);
	}
}

/* True if there were waits in several intervals. */
static bool do_intervals_add_up(uint64_t rounds)
{
	const char *const command[] = {program_path("lock_kinds"), "readers_and_writers",
				       number_text(rounds), NULL};
	struct probekit_session *session =
		measure_start(&(struct measure){.command = command, .options.measure_locks = true});
	struct probekit_snapshot *snapshot;
	struct sums intervals = {0};
	struct sums whole = {0};
	struct probekit_error err;
	size_t busy = 0;
	int events = 0;

	while (!(events & PROBEKIT_EVENT_TARGETS_ENDED)) {
		uint64_t before = intervals.count;

		events = probekit_session_poll(session, 5, &err);
		if (events < 0 || probekit_session_interval(session, &snapshot, &err))
			fail_msg("%s", err.text);
		add_waits(&intervals, snapshot);
		busy += intervals.count > before;
		probekit_snapshot_free(snapshot);
	}
	if (probekit_session_stop(session, &err) ||
	    probekit_session_interval(session, &snapshot, &err))
		fail_msg("%s", err.text);
	add_waits(&intervals, snapshot);
	probekit_snapshot_free(snapshot);
	snapshot = measure_stop(session);
	add_waits(&whole, snapshot);
	probekit_snapshot_free(snapshot);
	print_message("%zu busy intervals\n", busy);
	assert_int_equal(intervals.count, whole.count);
	assert_int_equal(intervals.slots, whole.slots);
	assert_int_equal(intervals.ns, whole.ns);
	return busy > 2;
}

/* In the middle of it the kinds of locks become known, and with them which words are one lock. There is more
 * work until it lasts for several intervals, which on a slow machine take long themselves. */
static void intervals_add_up_to_the_whole(void **state)
{
	uint64_t rounds = scaled(ROUNDS, 5);

	(void)state;
	for (int i = 0; i < TRIES; i++, rounds *= 4)
		if (do_intervals_add_up(rounds))
			return;
	fail_msg("all work was in two intervals");
}

static bool has_waits_for(const struct probekit_snapshot *snapshot, const char *symbol)
{
	for (size_t i = 0; i < probekit_snapshot_lock_count(snapshot); i++) {
		const struct probekit_lock *lock = probekit_snapshot_lock(snapshot, i);

		if (lock->waits.count && lock->symbol && strcmp(lock->symbol, symbol) == 0)
			return true;
	}
	return false;
}

/* Polls a while, and takes the interval. */
static struct probekit_snapshot *next_interval(struct probekit_session *session)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	uint64_t since = 0;

	while (keep_waiting(&since, 1))
		if (probekit_session_poll(session, 50, &err) < 0)
			fail_msg("%s", err.text);
	if (probekit_session_interval(session, &snapshot, &err))
		fail_msg("%s", err.text);
	return snapshot;
}

/* Its requests have more locks than the kernel's table has room for. */
static void a_lock_is_found_after_many_that_were_waited_for_once(void **state)
{
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
	struct sums intervals = {0};
	struct sums whole = {0};
	struct child child;
	bool is_found = false;
	uint64_t since = 0;

	(void)state;
	require_tracing();
	child_start(&child, (const char *const[]){program_path("short_locks"), "9000", NULL});
	child_wait_line(&child, "ready"); /* it has executed the program */
	session = measure_start(&(struct measure){.pid = child.pid, .options.measure_locks = true});
	child_tell(&child, "go");
	child_wait_line(&child, "requests");
	while (!is_found && keep_waiting(&since, 60)) {
		snapshot = next_interval(session);
		add_waits(&intervals, snapshot);
		is_found = has_waits_for(snapshot, "of_all");
		probekit_snapshot_free(snapshot);
	}
	assert_true(is_found);
	child_end(&child);
	measure_wait(session);
	snapshot = next_interval(session);
	add_waits(&intervals, snapshot);
	probekit_snapshot_free(snapshot);
	snapshot = measure_stop(session);
	add_waits(&whole, snapshot);
	assert_true(has_waits_for(snapshot, "of_all"));
	probekit_snapshot_free(snapshot);
	child_done(&child);
	assert_true(whole.count > 9000);
	/* a wait that ends just as its row leaves the kernel's table may be lost */
	assert_in_range(intervals.count, whole.count - LOST_MAX, whole.count + LOST_MAX);
	assert_in_range(intervals.ns, whole.ns - LOST_MAX * LONGEST_NS,
			whole.ns + LOST_MAX * LONGEST_NS);
}

static void a_stored_snapshot_reads_as_it_was_written(void **state)
{
	char path[] = "/tmp/probekit-locks-XXXXXX";
	const char *const measure[] = {"locks", "-o", path, "--", program_path("lock_kinds"),
				       "mutex", "24", NULL};
	const char *const text[] = {"locks", "--from", path, NULL};
	const char *const json[] = {"locks", "--from", path, "--json", NULL};
	struct output measured;
	struct output shown;
	struct output written;
	struct output stored;
	const char *const cat[] = {"/bin/cat", path, NULL};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	require_tracing();
	run_cli(measure, &measured);
	assert_int_equal(measured.status, 0);
	run_cli(text, &shown);
	assert_int_equal(shown.status, 0);
	/* behind what the command said */
	assert_non_null(strstr(measured.out, shown.out));
	assert_non_null(strstr(shown.out, "  mutex  "));
	run_cli(json, &written);
	run_captured(cat, &stored);
	assert_string_equal(written.out, stored.out);
	unlink(path);
	output_done(&measured);
	output_done(&shown);
	output_done(&written);
	output_done(&stored);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intervals_add_up_to_the_whole),
		cmocka_unit_test(a_lock_is_found_after_many_that_were_waited_for_once),
		cmocka_unit_test(a_stored_snapshot_reads_as_it_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
