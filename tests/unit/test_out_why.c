/* SPDX-License-Identifier: BSD-2-Clause */
/* What a person reads of slow spans, of their causes, and of those that did not end. */
#include "out_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "shown.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define STACK(list)                                                                        \
	{                                                                                  \
		.frames = (struct probekit_frame *)(uintptr_t)(list), .size = COUNT(list), \
		.is_complete = true, .share = 0.9,                                         \
	}
#define THREAD(id, name)                           \
	{                                          \
		.pid = 42, .tid = id, .comm = name \
	}

static const struct probekit_frame append[] = {
	{.function = "pthread_mutex_lock", .module = "/lib/libc.so.6"},
	{.function = "append_line", .module = "/opt/logger", .file = "src/logger.c", .line = 48},
	{.function = "handle_request", .module = "/opt/logger", .file = "src/logger.c", .line = 90},
	{.function = "serve", .module = "/opt/logger", .file = "src/server.c", .line = 7},
	{.function = "start_thread", .module = "/lib/libc.so.6"},
};
static const struct probekit_frame flush[] = {
	{.function = "fsync", .module = "/lib/libc.so.6"},
	{.function = "flush_log", .module = "/opt/logger", .file = "logger.c", .line = 61},
	{.function = "append_line", .module = "/opt/logger", .file = "logger.c", .line = 52},
};
static const struct probekit_frame stripped[] = {
	{.module = "/opt/logger", .module_offset = 0x1234},
	{.module = NULL},
};
static const struct probekit_frame in_kernel[] = {
	{.function = "rwsem_down_write_slowpath", .module = "[kernel]"},
	{.function = "down_write", .module = "[kernel]"},
	{.function = "ext4_write", .module = "[ext4]"},
	{.function = "vfs_write", .module = "[kernel]"},
	{.function = "ksys_write", .module = "[kernel]"},
};

static struct probekit_probe row;
static const pid_t target_pids[] = {42};
static const struct probekit_snapshot_info info = {.pids = target_pids, .pid_count = 1};

static int reset(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	row = (struct probekit_probe){
		.name = "logger:flush",
		.sum = 1000,
		.tail = {.exponent = -10,
			 .from_ns = 976563,
			 .count = 31,
			 .share_of_spans = 0.031,
			 .share_of_time = 0.96},
	};
	return 0;
}

enum part { WHY, SLOWEST, OPEN, DEADLOCKS };

static const char *render(enum part part, unsigned int width)
{
	const struct text_style style = {.width = width};
	const struct probekit_probe *rows[] = {&row};
	const struct text_view view = {.info = &info, .rows = rows, .size = 1};
	struct text_line line = {.style = &style, .indent = 2, .out = show_open()};

	if (part == WHY)
		out_why(&line, &info, &row);
	else if (part == SLOWEST)
		out_slowest(&line, &row);
	else if (part == OPEN)
		out_open(&line, &row);
	else
		out_deadlocks(&line, &view, &row);
	fclose(line.out);
	assert_fits(width);
	return shown;
}

/* One cause that took all of the tail's time. */
static const char *explain(struct probekit_cause *cause, unsigned int width)
{
	cause->share = 0.97;
	row.causes = cause;
	row.cause_count = 1;
	row.tail.time_ns[cause->time_class] = 97;
	return render(WHY, width);
}

static struct probekit_activity fsyncing[] = {{"fsync", 0.94}, {"oncpu", 0.058}, {"futex", 0.001}};

static struct probekit_holder new_holder(void)
{
	return (struct probekit_holder){
		.thread = THREAD(12, "flusher"),
		.threads = 1,
		.activities = fsyncing,
		.activity_count = COUNT(fsyncing),
		.stack = STACK(flush),
		.file = "/var/log/app.log",
		.file_activity = "fsync",
	};
}

static struct probekit_cause new_lock(void)
{
	return (struct probekit_cause){
		.time_class = PROBEKIT_CLASS_LOCK,
		.syscall = "futex",
		.pid = 42,
		.address = 0x4050,
		.symbol = "log_mutex",
		.place = "logger+0x4050",
		.lock_kind = "mutex",
		.count = 2904,
		.spans = 2900,
		.stack = STACK(append),
	};
}

static void a_lock_is_told_with_its_waiter_and_holder(void **state)
{
	struct probekit_holder holder = new_holder();
	struct probekit_cause cause = new_lock();

	(void)state;
	cause.holder = &holder;
	explain(&cause, 80);
	assert_string_equal(
		shown,
		"\n"
		"  why slow (over 977 us: 3.1 % of spans, 96 % of the time):\n"
		"   97 %  lock  log_mutex (logger+0x4050), 2 904 waits\n"
		"               waiting: append_line <- handle_request                logger.c:48\n"
		"               holder: fsync(\"/var/log/app.log\") 94 % of it, on CPU 5.8 %\n"
		"                       by flusher (tid 12)\n"
		"                       in flush_log <- append_line                   logger.c:61\n");
}

static void a_file_stands_beside_what_waited_for_it(void **state)
{
	struct probekit_activity activities[] = {{"clock_nanosleep", 0.7}, {"fsync", 0.3}};
	struct probekit_holder holder = new_holder();
	struct probekit_cause cause = new_lock();

	(void)state;
	holder.activities = activities;
	holder.activity_count = COUNT(activities);
	cause.holder = &holder;
	explain(&cause, 120);
	assert_has("holder: clock_nanosleep 70 % of it, fsync(\"/var/log/app.log\") 30 %");
	holder.file_activity = NULL;
	explain(&cause, 120);
	assert_has("holder: clock_nanosleep 70 % of it, fsync 30 %");
	assert_lacks("app.log");
}

static void a_wide_terminal_shows_more_callers(void **state)
{
	struct probekit_cause cause = new_lock();

	(void)state;
	explain(&cause, 120);
	assert_has("waiting: append_line <- handle_request <- serve  ");
	assert_has("  logger.c:48\n");
	assert_lacks("start_thread");
}

static void long_names_are_cut_to_the_width(void **state)
{
	struct probekit_frame deep[] = {{.file = "file.c", .line = 5}, {.function = "caller"}};
	struct probekit_stack stack = STACK(deep);
	struct probekit_cause cause = new_lock();
	char name[600];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	deep[0].function = name;
	cause.stack = stack;
	explain(&cause, 80);
	assert_has("xxx...  file.c:5\n");
	assert_lacks("caller");
	explain(&cause, 120);
}

static void holders_of_holders_are_a_chain(void **state)
{
	struct probekit_activity sleeping = {"nanosleep", 1};
	struct probekit_activity waiting = {"futex", 1};
	struct probekit_holder last = {.thread = THREAD(14, "sleeper"),
				       .threads = 3,
				       .activities = &sleeping,
				       .activity_count = 1,
				       .stack = STACK(flush)};
	struct probekit_holder first = new_holder();
	struct probekit_cause cause = new_lock();

	(void)state;
	first.activities = &waiting;
	first.activity_count = 1;
	first.next_address = 0x50;
	first.next_symbol = "inner_mutex";
	first.next = &last;
	cause.holder = &first;
	explain(&cause, 80);
	assert_has("                       waits for inner_mutex,\n"
		   "                         held by sleeper (tid 14) and 2 more:\n"
		   "                         nanosleep 100 % of it\n"
		   "                         in flush_log");
	explain(&cause, 120);
	assert_has(
		"  waits for inner_mutex, held by sleeper (tid 14) and 2 more: nanosleep 100 % of it\n");
	first.next = NULL;
	explain(&cause, 80);
	assert_has("                       waits for inner_mutex\n");
}

static void what_has_no_holder_names_who_released_it(void **state)
{
	struct probekit_holder holder = new_holder();
	struct probekit_cause cause = new_lock();

	(void)state;
	cause.lock_kind = "condvar";
	cause.waker = (struct probekit_thread)THREAD(9, "producer");
	cause.waker_stack = (struct probekit_stack)STACK(flush);
	explain(&cause, 80);
	assert_has("lock  condvar log_mutex (logger+0x4050)");
	assert_has("               released by: producer (tid 9)\n");
	assert_has("                            in flush_log");
	cause.holder = &holder;
	explain(&cause, 80);
	assert_lacks("released by");
}

static void a_lock_without_a_name_is_told_by_its_call_site(void **state)
{
	struct probekit_cause cause = new_lock();

	(void)state;
	cause.symbol = cause.place = NULL;
	cause.address = 0x7ff0;
	explain(&cause, 80);
	assert_has("lock  a mutex that append_line waits for (0x7ff0)");
	cause.stack.size = 0;
	explain(&cause, 80);
	assert_has("lock  a mutex at 0x7ff0 of process 42");
	cause.lock_kind = "join";
	explain(&cause, 80);
	assert_has("lock  the end of another thread");
}

static void what_has_no_symbol_is_told_by_file_and_offset(void **state)
{
	struct probekit_cause cause = new_lock();

	(void)state;
	cause.stack = (struct probekit_stack)STACK(stripped);
	explain(&cause, 80);
	assert_has("waiting: logger+0x1234 <- ?\n");
}

static void a_wait_inside_the_kernel_shows_the_kernels_stack(void **state)
{
	struct probekit_cause cause = {
		.time_class = PROBEKIT_CLASS_LOCK,
		.syscall = "write",
		.object = "/data/journal",
		.count = 5,
		.kernel_stack = STACK(in_kernel),
	};

	(void)state;
	explain(&cause, 120);
	assert_has("lock  write(\"/data/journal\"), 5 waits\n");
	assert_has(
		"in kernel: rwsem_down_write_slowpath <- down_write <- ext4_write <- vfs_write\n");
	cause.time_class = PROBEKIT_CLASS_DISK;
	row.tail.time_ns[PROBEKIT_CLASS_LOCK] = 0;
	explain(&cause, 120);
	assert_has("disk  write(\"/data/journal\")");
	assert_lacks("in kernel");
}

static void every_class_names_what_it_waited_for(void **state)
{
	static const struct {
		struct probekit_cause cause;
		const char *line;
	} cases[] = {
		{{.time_class = PROBEKIT_CLASS_RUNQUEUE, .thief = {.pid = 7, .comm = "thief"}},
		 "runqueue  CPU taken by thief (pid 7)\n"},
		{{.time_class = PROBEKIT_CLASS_RUNQUEUE,
		  .thief = {.pid = 42, .tid = 43, .comm = "worker"}},
		 "runqueue  CPU taken by the target's own worker (tid 43)\n"},
		{{.time_class = PROBEKIT_CLASS_RUNQUEUE}, "runnable, waiting for a CPU\n"},
		{{.time_class = PROBEKIT_CLASS_THROTTLED, .object = "/app (20 ms of 100 ms)"},
		 "held back by a cgroup's CPU quota: /app (20 ms of 100 ms)\n"},
		{{.time_class = PROBEKIT_CLASS_DISK, .syscall = "pread64", .object = "/data/x\033"},
		 "disk  pread64(\"/data/x\\x1b\")\n"},
		{{.time_class = PROBEKIT_CLASS_NETWORK,
		  .syscall = "recvfrom",
		  .object = "10.0.0.1:80",
		  .direction = "read"},
		 "network  reading from 10.0.0.1:80\n"},
		{{.time_class = PROBEKIT_CLASS_NETWORK, .syscall = "recvfrom"},
		 "network  recvfrom\n"},
		{{.time_class = PROBEKIT_CLASS_IPC,
		  .syscall = "write",
		  .waker = {.pid = 9, .tid = 9, .comm = "slowreader"}},
		 "ipc  write, woken by slowreader (pid 9)\n"},
		{{.time_class = PROBEKIT_CLASS_PAGEFAULT, .object = "/data/index"},
		 "in page faults: /data/index\n"},
		{{.time_class = PROBEKIT_CLASS_OTHER}, "other  waiting for something else\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct probekit_cause cause = cases[i].cause;

		reset(NULL);
		explain(&cause, 80);
		assert_has(cases[i].line);
	}
}

static void a_slow_path_on_the_cpu_names_the_hot_function(void **state)
{
	struct probekit_cause cause = {.time_class = PROBEKIT_CLASS_ONCPU, .stack = STACK(flush)};

	(void)state;
	explain(&cause, 80);
	assert_has("oncpu  in fsync, 90 % of it\n");
	assert_has("running: fsync <- flush_log ");
}

static void time_in_a_probe_is_told_as_the_measurements_own(void **state)
{
	static const struct probekit_frame ending[] = {
		{.function = "probekit.end.logger.request", .module = "/opt/logger"},
		{.function = "probekit_priv_leave", .module = "/opt/logger", .file = "probe.h"},
		{.function = "handle_request", .module = "/opt/logger"},
	};
	struct probekit_cause cause = {.time_class = PROBEKIT_CLASS_ONCPU, .stack = STACK(ending)};

	(void)state;
	explain(&cause, 80);
	assert_has("oncpu  in probekit's own probe (cost of measuring), 90 % of it\n");
	assert_has("running: handle_request\n");
	assert_lacks("probekit.end");
	assert_lacks("probekit_priv");
}

static void causes_come_by_share_and_the_small_ones_are_left_out(void **state)
{
	struct probekit_cause causes[] = {
		{.time_class = PROBEKIT_CLASS_SLEEP, .syscall = "nap", .share = 0.24, .count = 1},
		{.time_class = PROBEKIT_CLASS_LOCK, .syscall = "flock", .share = 0.2, .count = 1},
		{.time_class = PROBEKIT_CLASS_LOCK, .syscall = "fcntl", .share = 0.18, .count = 1},
		{.time_class = PROBEKIT_CLASS_POLL, .syscall = "poll", .share = 0.15, .count = 1},
		{.time_class = PROBEKIT_CLASS_LOCK, .syscall = "lockf", .share = 0.1, .count = 1},
		{.time_class = PROBEKIT_CLASS_LOCK, .syscall = "fourth", .share = 0.08, .count = 1},
		{.time_class = PROBEKIT_CLASS_DISK, .syscall = "read", .share = 0.009, .count = 1},
	};
	static const char *const in_order[] = {"nap", "flock", "fcntl", "poll", "lockf"};
	const char *last;

	(void)state;
	row.causes = causes;
	row.cause_count = COUNT(causes);
	render(WHY, 80);
	last = shown;
	for (size_t i = 0; i < COUNT(in_order); i++) {
		const char *at = strstr(shown, in_order[i]);

		if (!at || at < last)
			fail_msg("'%s' is not where it belongs:\n%s", in_order[i], shown);
		last = at;
	}
	assert_lacks("fourth");
	assert_lacks("read");
}

static void without_slow_spans_nothing_is_explained(void **state)
{
	(void)state;
	row.tail = (struct probekit_tail){0};
	assert_string_equal(render(WHY, 80), "");
	row.tail = (struct probekit_tail){.exponent = INT32_MIN, .from_ns = 100000000};
	assert_string_equal(render(WHY, 80), "\n  none took longer than 100 ms\n");
}

static void the_three_slowest_come_with_the_time_of_day(void **state)
{
	struct probekit_slow_span slowest[] = {
		{.ended_unix_ns = 1767225600123456789,
		 .thread = THREAD(43, "work\033er"),
		 .has_key = true,
		 .key = -7,
		 .duration_ns = 63000000,
		 .time_ns[PROBEKIT_CLASS_LOCK] = 61740000},
		{.ended_unix_ns = 1767225601000000000, .thread = THREAD(44, "b"), .duration_ns = 9},
		{.ended_unix_ns = 1767225602000000000, .thread = THREAD(45, "c"), .duration_ns = 8},
		{.ended_unix_ns = 1767225603000000000, .thread = THREAD(46, "d"), .duration_ns = 7},
	};

	(void)state;
	assert_string_equal(render(SLOWEST, 80), "");
	row.slowest = slowest;
	row.slowest_count = COUNT(slowest);
	render(SLOWEST, 80);
	assert_has("    00:00:00.123     63 ms  work\\x1ber (tid 43)  key -7  98 % lock\n");
	assert_has("00:00:02.000");
	assert_lacks("tid 46");
}

static void spans_that_never_ended_are_shown_oldest_first(void **state)
{
	struct probekit_open_span open[5];

	(void)state;
	assert_string_equal(render(OPEN, 80), "");
	for (int i = 0; i < 5; i++) {
		open[i] = (struct probekit_open_span){
			.pid = 42, .tid = 100 + i, .age_ns = (uint64_t)(i + 1) * 1000000000};
		strcpy(open[i].comm, i == 4 ? "evil\033[2J" : "worker");
	}
	row.open = open;
	row.open_count = 5;
	assert_string_equal(render(OPEN, 80), "\n"
					      "  still open: 5, the oldest\n"
					      "         5 s  evil\\x1b[2J (tid 104)\n"
					      "         4 s  worker (tid 103)\n"
					      "         3 s  worker (tid 102)\n");
}

static void an_open_span_tells_what_it_blocks_in(void **state)
{
	struct probekit_open_span open = {.tid = 43,
					  .comm = "main",
					  .age_ns = 12300000000,
					  .blocked_in = "futex",
					  .blocked_ns = 12100000000,
					  .lock_address = 0x10,
					  .lock_symbol = "lock_a",
					  .holder_tid = 44,
					  .stack = STACK(append)};

	(void)state;
	row.open = &open;
	row.open_count = 1;
	render(OPEN, 80);
	assert_has("      12.3 s  main (tid 43)  in futex for 12.1 s on lock_a held by tid 44\n"
		   "              at append_line <- handle_request ");
	render(OPEN, 40);
	open.blocked_in = "oncpu";
	open.lock_address = 0;
	render(OPEN, 80);
	assert_has("main (tid 43)  on CPU\n");
}

static struct probekit_open_span waits_for(pid_t tid, const char *lock, pid_t holder)
{
	struct probekit_open_span span = {.tid = tid,
					  .comm = "worker",
					  .lock_address = 0x10,
					  .lock_symbol = lock,
					  .holder_tid = holder,
					  .is_deadlock = true};

	return span;
}

static struct probekit_blocker blocks(pid_t tid, const char *lock)
{
	return (struct probekit_blocker){
		.thread = {.tid = tid, .comm = "other"}, .lock_address = 0x20, .lock_symbol = lock};
}

static void a_deadlock_is_told_once_as_a_circle(void **state)
{
	struct probekit_blocker behind_13[] = {blocks(12, "lock_a")};
	struct probekit_blocker behind_12[] = {blocks(13, "lock_b")};
	struct probekit_open_span open[] = {
		waits_for(13, "lock_b", 12), waits_for(12, "lock_a", 13),
		waits_for(12, "lock_a", 13), /* another span of the same thread */
		waits_for(11, "lock_a", 13), /* waits for the circle, and is not in it */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(open); i++) {
		open[i].blockers = open[i].tid == 13 ? behind_13 : behind_12;
		open[i].blocker_count = 1;
	}
	open[3].is_deadlock = false;
	row.open = open;
	row.open_count = COUNT(open);
	assert_string_equal(render(DEADLOCKS, 80),
			    "DEADLOCK: 2 threads wait for each other\n"
			    "  worker (tid 12) holds lock_b, waits for lock_a\n"
			    "  other (tid 13) holds lock_a, waits for lock_b\n");
	render(DEADLOCKS, 40);
	for (size_t i = 0; i < COUNT(open); i++)
		open[i].is_deadlock = false;
	assert_string_equal(render(DEADLOCKS, 80), "");
}

static void threads_without_a_span_close_the_circle(void **state)
{
	struct probekit_blocker behind[] = {blocks(11, "lock_b"), blocks(12, NULL)};
	struct probekit_open_span open = waits_for(13, "lock_a", 11);

	(void)state;
	behind[1].stack = (struct probekit_stack)STACK(append);
	open.blockers = behind;
	open.blocker_count = COUNT(behind);
	row.open = &open;
	row.open_count = 1;
	assert_string_equal(
		render(DEADLOCKS, 80),
		"DEADLOCK: 3 threads wait for each other\n"
		"  worker (tid 13) holds the lock at 0x20, waits for lock_a\n"
		"  other (tid 11) holds lock_a, waits for lock_b\n"
		"  other (tid 12) holds lock_b, waits for the lock at 0x20 in append_line\n");
	render(DEADLOCKS, 40);
}

static void a_thread_can_wait_for_itself(void **state)
{
	struct probekit_open_span open = waits_for(12, "lock_a", 12);

	(void)state;
	row.open = &open;
	row.open_count = 1;
	assert_string_equal(render(DEADLOCKS, 80),
			    "DEADLOCK: a thread waits for itself\n"
			    "  worker (tid 12) holds lock_a, waits for lock_a\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, release)
	const struct CMUnitTest tests[] = {
		TEST(a_lock_is_told_with_its_waiter_and_holder),
		TEST(a_file_stands_beside_what_waited_for_it),
		TEST(a_wide_terminal_shows_more_callers),
		TEST(long_names_are_cut_to_the_width),
		TEST(holders_of_holders_are_a_chain),
		TEST(what_has_no_holder_names_who_released_it),
		TEST(a_lock_without_a_name_is_told_by_its_call_site),
		TEST(what_has_no_symbol_is_told_by_file_and_offset),
		TEST(a_wait_inside_the_kernel_shows_the_kernels_stack),
		TEST(every_class_names_what_it_waited_for),
		TEST(a_slow_path_on_the_cpu_names_the_hot_function),
		TEST(time_in_a_probe_is_told_as_the_measurements_own),
		TEST(causes_come_by_share_and_the_small_ones_are_left_out),
		TEST(without_slow_spans_nothing_is_explained),
		TEST(the_three_slowest_come_with_the_time_of_day),
		TEST(spans_that_never_ended_are_shown_oldest_first),
		TEST(an_open_span_tells_what_it_blocks_in),
		TEST(a_deadlock_is_told_once_as_a_circle),
		TEST(threads_without_a_span_close_the_circle),
		TEST(a_thread_can_wait_for_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
