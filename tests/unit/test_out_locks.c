/* SPDX-License-Identifier: BSD-2-Clause */
/* What a person reads of locks: who waited for which, who had it, and what that one did. */
#include "out_locks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "shown.h"
#include "snapshot.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WIDTH 80
#define STACK(list)                                                                        \
	{                                                                                  \
		.frames = (struct probekit_frame *)(uintptr_t)(list), .size = COUNT(list), \
		.is_complete = true, .share = 1,                                           \
	}
#define MS 1000000ull
#define MS_BUCKET (-10) /* 0.98 to 2 ms, in a histogram of scale 0 */

static const struct probekit_frame append[] = {
	{.function = "pthread_mutex_lock", .module = "/lib/libc.so.6"},
	{.function = "append_line", .module = "/opt/logger", .file = "log.c", .line = 85},
};
static const struct probekit_frame flush[] = {
	{.function = "flush_log", .module = "/opt/logger", .file = "log.c", .line = 57},
};

static struct probekit_activity fsyncing[] = {{"fsync", 0.94}, {"oncpu", 0.06}};
static struct probekit_activity waiting[] = {{"futex", 0.94}, {"oncpu", 0.06}};
static struct probekit_activity starving[] = {{"runqueue", 0.4}, {"oncpu", 0.6}};
static struct probekit_holder who[2];
static struct probekit_lock_holder holders[2];
static struct probekit_stack waiters[1];
static struct probekit_lock_waker wakers[4];
static struct probekit_lock_span spans[1];
static int32_t indices[] = {MS_BUCKET};
static uint64_t counts[] = {3};
static struct probekit_lock locks[2];
static struct probekit_probe rows[2];
static struct probekit_snapshot snapshot;

static struct probekit_probe waits_of(const char *name, uint64_t count)
{
	counts[0] = count;
	return (struct probekit_probe){
		.name = name,
		.count = count,
		.sum = (int64_t)(count * MS),
		.min = MS,
		.max = (int64_t)(2 * MS),
		.histogram = {.index = indices, .count = counts, .size = 1},
	};
}

static int reset(void **state)
{
	(void)state;
	waiters[0] = (struct probekit_stack)STACK(append);
	who[0] = (struct probekit_holder){
		.thread = {.pid = 42, .tid = 43, .comm = "worker"},
		.threads = 1,
		.activities = fsyncing,
		.activity_count = COUNT(fsyncing),
		.stack = STACK(flush),
		.file = "/var/log/app.log",
		.file_activity = "fsync",
	};
	holders[0] =
		(struct probekit_lock_holder){.share = 0.98, .is_certain = true, .holder = &who[0]};
	locks[0] = (struct probekit_lock){
		.pid = 42,
		.address = 0x4050,
		.symbol = "log_mutex",
		.place = "logger+0x50",
		.kind = "mutex",
		.waits = waits_of(NULL, 3),
		.threads = 2,
		.waiters = waiters,
		.waiter_count = 1,
		.holders = holders,
		.holder_count = 1,
	};
	snapshot = (struct probekit_snapshot){
		.info = {.target = "./logger", .duration_ns = 1000 * MS},
		.probes = rows,
		.locks = locks,
		.lock_count = 1,
	};
	return 0;
}

static void render(void)
{
	const struct text_style style = {.width = WIDTH};
	FILE *out = show_open();

	out_locks_report(out, &style, &snapshot);
	fclose(out);
	assert_fits(WIDTH);
}

static void a_lock_tells_who_waited_and_what_its_holder_did(void **state)
{
	(void)state;
	render();
	assert_has("./logger   waits for locks in 1 s\n");
	assert_has("locks: 1, 3 ms of waiting\n");
	assert_has("log_mutex (logger+0x50)  mutex  100 % of the time\n");
	assert_has("3 waits of 2 threads  3 ms in all");
	assert_has("   244 us - 2 ms              3 |########################|\n");
	assert_has("waiting:  append_line");
	assert_has("held 98 %: fsync(\"/var/log/app.log\") 94 % of it, on CPU 6 %");
	assert_has("by worker (tid 43)");
	assert_has("in flush_log");
	assert_lacks("priority inversion");
	assert_lacks("owner unknown");
}

static void what_is_not_sure_is_not_told_as_sure(void **state)
{
	(void)state;
	holders[0].is_certain = false;
	locks[0].kind = NULL;
	locks[0].unowned_share = 1;
	render();
	assert_has("maybe held 98 %:");
	assert_lacks("owner unknown");
	locks[0].holder_count = 0;
	render();
	assert_has("owner unknown for 100 % of the time\n");
	snapshot.lock_count = 0;
	render();
	assert_has("no thread waited for a lock\n");
}

/* 16 of them, each with that share; a third stands elsewhere. */
static void hold_by_many(double share)
{
	static struct probekit_holder many[16];
	static struct probekit_lock_holder list[COUNT(many)];

	for (size_t i = 0; i < COUNT(many); i++) {
		many[i] = who[0];
		many[i].thread.tid = 100 + (pid_t)i;
		if (i % 3 == 0)
			many[i].stack = (struct probekit_stack)STACK(append);
		list[i] = (struct probekit_lock_holder){
			.share = share, .is_certain = true, .holder = &many[i]};
	}
	locks[0].holders = list;
	locks[0].holder_count = COUNT(list);
}

static void many_holders_are_told_together(void **state)
{
	(void)state;
	hold_by_many(0.003);
	locks[0].holder_threads = 150;
	locks[0].unowned_share = 0.74;
	render();
	assert_has("held by 150 threads 26 %: fsync(");
	assert_has("in flush_log");
	assert_lacks("(tid 10");
	assert_has("owner unknown for 74 % of the time\n");
	locks[0].holder_threads = 0; /* not known */
	render();
	assert_has("held by at least 16 threads 26 %:");
	assert_lacks("(tid 10");
}

static void of_many_holders_those_that_had_it_long_are_told_apart_too(void **state)
{
	(void)state;
	hold_by_many(0.05);
	locks[0].holders[0].share = 0.25;
	locks[0].holder_threads = 16;
	render();
	assert_has("held by 16 threads 100 %:");
	assert_has("by one of them 25 %:");
	assert_has("by worker (tid 100)");
	assert_has("by worker (tid 101)");
	assert_lacks("tid 102");
}

static void a_holder_without_a_cpu_is_told_with_who_had_it(void **state)
{
	(void)state;
	who[0].activities = starving;
	who[0].activity_count = COUNT(starving);
	render();
	assert_lacks("priority inversion");
	who[0].thief = (struct probekit_thread){7, 0, "burn"};
	render();
	assert_has("priority inversion: 40 % of it others had its CPU, most burn (pid 7)\n");
	who[0].thief = (struct probekit_thread){.pid = 7}; /* ended before its name was asked for */
	render();
	assert_has("most pid 7\n");
	who[0].thief = (struct probekit_thread){42, 0, "logger"};
	render();
	assert_has("most the target's own logger (pid 42)\n");
}

static void a_chain_is_followed(void **state)
{
	(void)state;
	who[0].next_address = 0x4090;
	who[0].next_symbol = "pool";
	who[0].next_place = "logger+0x90";
	who[0].activities = waiting;
	who[1] = (struct probekit_holder){
		.thread = {.pid = 42, .tid = 44, .comm = "flusher"},
		.threads = 1,
		.activities = fsyncing,
		.activity_count = 1,
	};
	who[0].next = &who[1];
	render();
	assert_has("waits for pool (logger+0x90), held by flusher (tid 44):\n");
	assert_has("fsync 94 % of it\n");
	assert_has("held 98 %: waiting for another thread 94 % of it, on CPU 6 %");
}

static void a_thread_that_is_joined_holds_up_who_waits_for_its_end(void **state)
{
	(void)state;
	locks[0].kind = "join";
	render();
	assert_has("held up 98 %: fsync(");
	hold_by_many(0.003);
	render();
	assert_has("held up by at least 16 threads");
}

static void a_wait_that_was_hardly_any_of_a_hold_is_no_chain(void **state)
{
	static struct probekit_activity mostly_running[] = {{"oncpu", 0.98}, {"futex", 0.02}};

	(void)state;
	who[0].next_address = 0x4090;
	who[0].next_symbol = "pool";
	who[0].activities = mostly_running;
	render();
	assert_lacks("pool");
	who[0].activity_count = 0; /* it waits now: that is all that is known */
	render();
	assert_has("waits for pool\n");
}

static void call_sites_that_read_the_same_are_one(void **state)
{
	static const struct probekit_frame from_other[] = {
		{.function = "pthread_mutex_lock", .module = "/lib/libc.so.6"},
		{.function = "append_line", .module = "/opt/logger", .file = "log.c", .line = 85},
		{.function = "serve", .module = "/opt/logger", .file = "log.c", .line = 7},
		{.function = "main", .module = "/opt/logger", .file = "log.c", .line = 9},
	};
	static const struct probekit_frame from_main[] = {
		{.function = "pthread_mutex_lock", .module = "/lib/libc.so.6"},
		{.function = "append_line", .module = "/opt/logger", .file = "log.c", .line = 85},
		{.function = "serve", .module = "/opt/logger", .file = "log.c", .line = 7},
		{.function = "_start", .module = "/opt/logger"},
	};
	struct probekit_stack stacks[] = {STACK(flush), STACK(from_other), STACK(from_main)};

	(void)state;
	stacks[0].share = 0.4;
	stacks[1].share = 0.35;
	stacks[2].share = 0.25;
	locks[0].waiters = stacks;
	locks[0].waiter_count = COUNT(stacks);
	render();
	assert_has(
		"    waiting:  60 % append_line <- serve                                 log.c:85\n"
		"              40 % flush_log                                            log.c:57\n");
	locks[0].waiters = &stacks[1];
	locks[0].waiter_count = 2;
	render();
	assert_has(
		"    waiting:  append_line <- serve                                      log.c:85\n");
}

static void a_named_mutex_has_its_own_histograms(void **state)
{
	(void)state;
	rows[0] = waits_of("logger:log.wait", 7);
	rows[1] = waits_of("logger:log.hold", 7);
	snapshot.size = 2;
	locks[0].name = "logger:log";
	render();
	assert_has("logger:log  log_mutex (logger+0x50)  mutex");
	assert_has("acquired 7 times, waiting 7 ms");
	assert_has("held 7 times, 7 ms");
	rows[1].name = "logger:logs.hold";
	render();
	assert_lacks("held 7 times");
}

static void events_stand_apart_with_who_signalled(void **state)
{
	(void)state;
	locks[1] = locks[0];
	locks[1].kind = "condvar";
	locks[1].symbol = "is_full";
	locks[1].holder_count = 0;
	locks[1].unowned_share = 1;
	locks[1].wakers = wakers;
	locks[1].waker_count = 1;
	wakers[0] = (struct probekit_lock_waker){
		.share = 0.9,
		.thread = {.pid = 42, .tid = 44, .comm = "flusher"},
		.stack = STACK(flush),
		.did = fsyncing,
		.did_count = 1,
	};
	snapshot.lock_count = 2;
	render();
	assert_has(
		"semaphores, condvars, joins, barriers (idle threads too): 1, 3 ms of waiting\n");
	assert_has("woken by flusher (tid 44) 90 % of the time, after");
	assert_has("fsync 94 % of it");
	/* nobody owns it, so that is nothing to tell */
	assert_lacks("owner unknown");
}

static void many_wakers_are_told_together(void **state)
{
	(void)state;
	locks[0].kind = "semaphore";
	locks[0].holder_count = 0;
	locks[0].wakers = wakers;
	locks[0].waker_count = 4;
	for (int i = 0; i < 4; i++)
		wakers[i] = (struct probekit_lock_waker){
			.share = 0.05,
			.thread = {.pid = 42, .tid = 50 + i, .comm = "worker"},
			.stack = STACK(flush),
			.did = fsyncing,
			.did_count = 1,
		};
	render();
	assert_has("locks: no thread waited for one but those made of semaphores\n");
	assert_has("woken by many threads, after fsync 94 % of it\n");
	assert_lacks("tid 51");
}

static void where_futexes_found_no_room_it_is_not_said_that_nobody_waited(void **state)
{
	(void)state;
	locks[0].symbol = locks[0].place = locks[0].kind = NULL;
	render();
	assert_has("locks: no thread waited for one\n");
	locks[0].pid = 0;
	locks[0].address = 0;
	render();
	assert_lacks("no thread waited");
	assert_has("locks: none is known, as there was no room for all\n");
	assert_has("all others, for which there was no room  futex  100 % of the time\n");
}

static void what_makes_waits_longer_is_remarked(void **state)
{
	(void)state;
	render();
	assert_lacks("for nothing");
	assert_lacks("without a CPU");
	locks[0].barged = 2;
	locks[0].handoffs = 5;
	locks[0].runqueue_ns = 3 * MS / 2;
	spans[0] = (struct probekit_lock_span){"logger:request", 1};
	locks[0].spans = spans;
	locks[0].span_count = 1;
	render();
	assert_has("inside:  logger:request 100 %\n");
	assert_has("2 of 5 releases woke a thread for nothing: another took it\n");
	assert_has("50 % of the time woken already, but without a CPU\n");
}

static void stacks_that_end_early_are_told_as_a_sentence(void **state)
{
	(void)state;
	snapshot.info.stacks[PROBEKIT_STACK_COMPLETE] = 6053;
	snapshot.info.stacks[PROBEKIT_STACK_LOST] = 1896;
	render();
	assert_has("1 896 of 7 949 stacks without the outermost callers:\n"
		   "1 896 could not be followed; times are measured, stacks sampled\n");
	snapshot.info.stacks[PROBEKIT_STACK_LOST] = 0;
	render();
	assert_lacks("sampled");
}

static void the_runtime_of_go_is_not_where_a_program_waits(void **state)
{
	static const struct probekit_frame frames[] = {
		{.function = "runtime.futex", .module = "/opt/gop"},
		{.function = "runtime.futexsleep", .module = "/opt/gop"},
		{.function = "runtime.notesleep", .module = "/opt/gop"},
		{.function = "runtime.stopm", .module = "/opt/gop"},
	};

	(void)state;
	waiters[0] = (struct probekit_stack)STACK(frames);
	locks[0].symbol = locks[0].place = locks[0].kind = NULL;
	render();
	assert_has("0x4050 in runtime.stopm  futex");
}

static void a_deadlock_comes_first_with_each_stack(void **state)
{
	struct probekit_blocker circle[] = {
		{.thread = {42, 43, "a"}, .lock_address = 1, .lock_symbol = "two"},
		{.thread = {42, 44, "b"}, .lock_address = 2, .lock_symbol = "one"},
	};
	struct probekit_deadlock deadlock = {.threads = circle, .size = COUNT(circle)};

	(void)state;
	circle[0].stack = (struct probekit_stack)STACK(append);
	circle[1].stack = (struct probekit_stack)STACK(flush);
	snapshot.deadlocks = &deadlock;
	snapshot.deadlock_count = 1;
	render();
	assert_int_equal(strncmp(shown, "DEADLOCK: 2 threads wait for each other (pid 42)\n", 49),
			 0);
	assert_has("a (tid 43) holds one, waits for two\n");
	assert_has("in append_line");
	assert_has("b (tid 44) holds two, waits for one\n");
	assert_has("in flush_log");
}

static void a_name_cannot_write_to_the_terminal(void **state)
{
	(void)state;
	locks[0].name = "\033[2J";
	locks[0].kind = "\033c";
	memcpy(who[0].thread.comm, "\033[1m", 5);
	render();
	assert_null(strchr(shown, 033));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_lock_tells_who_waited_and_what_its_holder_did, reset),
		cmocka_unit_test_setup(what_is_not_sure_is_not_told_as_sure, reset),
		cmocka_unit_test_setup(many_holders_are_told_together, reset),
		cmocka_unit_test_setup(of_many_holders_those_that_had_it_long_are_told_apart_too,
				       reset),
		cmocka_unit_test_setup(a_holder_without_a_cpu_is_told_with_who_had_it, reset),
		cmocka_unit_test_setup(a_chain_is_followed, reset),
		cmocka_unit_test_setup(a_thread_that_is_joined_holds_up_who_waits_for_its_end,
				       reset),
		cmocka_unit_test_setup(a_wait_that_was_hardly_any_of_a_hold_is_no_chain, reset),
		cmocka_unit_test_setup(call_sites_that_read_the_same_are_one, reset),
		cmocka_unit_test_setup(stacks_that_end_early_are_told_as_a_sentence, reset),
		cmocka_unit_test_setup(the_runtime_of_go_is_not_where_a_program_waits, reset),
		cmocka_unit_test_setup(a_named_mutex_has_its_own_histograms, reset),
		cmocka_unit_test_setup(events_stand_apart_with_who_signalled, reset),
		cmocka_unit_test_setup(many_wakers_are_told_together, reset),
		cmocka_unit_test_setup(
			where_futexes_found_no_room_it_is_not_said_that_nobody_waited, reset),
		cmocka_unit_test_setup(what_makes_waits_longer_is_remarked, reset),
		cmocka_unit_test_setup(a_deadlock_comes_first_with_each_stack, reset),
		cmocka_unit_test_setup(a_name_cannot_write_to_the_terminal, reset),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}
