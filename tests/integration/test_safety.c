/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A target comes to no harm: its results stay right while probes come and go, nothing stays behind
 * when probekit dies, and a process that is not measured is not touched.
 *
 * PROBEKIT_TEST_CYCLES is how often to attach and detach, say 10000; without it, as often as fits
 * LEAST_SECONDS and a scaled DEFAULT_SECONDS.
 */
#include "support.h"

#include <probekit/probekit.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	DEFAULT_SECONDS = 16,
	LEAST_SECONDS = 4, /* however slow the machine */
	WORKERS = 4,
	LEAST_SPANS = 10, /* a cycle: else its sites were hardly hit, and it shows nothing */
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- attach and detach ---- */

/* Lets the target run into the probes; adds the spans seen. However short the time is meant to be, a
 * slow machine may not let the target run in it. */
static int see_spans(struct probekit_session *session, uint64_t *spans, struct probekit_error *err)
{
	int timeout_ms = (int)(200 / support_scaled(100));
	double begin_s = now_s();
	double end_s = begin_s + SUPPORT_DEADLINE_MS / 1e3;
	struct probekit_snapshot *snapshot;
	uint64_t count;

	do {
		int ret = probekit_session_poll(session, timeout_ms, err);

		if (!ret)
			ret = probekit_session_snapshot(session, &snapshot, err);
		if (ret)
			return ret;
		count = probekit_snapshot_probe(snapshot, 0)->count;
		probekit_snapshot_free(snapshot);
	} while (count < LEAST_SPANS && now_s() < end_s);
	if (now_s() - begin_s > 1)
		fprintf(stderr, "%lu spans only after %.1f s\n", (unsigned long)count,
			now_s() - begin_s);
	*spans += count;
	return 0;
}

/* Attaches, has the sites hit, detaches; adds the spans seen. Negative: failed. */
static int attach_once(pid_t pid, uint64_t *spans, struct probekit_error *err)
{
	struct probekit_session *session;
	int ret = probekit_session_new(NULL, &session, err);

	if (ret)
		return ret;
	ret = probekit_session_add_pid(session, pid, err);
	if (!ret)
		ret = probekit_session_add_span(session, "redzone:pair", err);
	if (!ret)
		ret = probekit_session_start(session, err);
	if (!ret)
		ret = see_spans(session, spans, err);
	if (!ret)
		ret = probekit_session_stop(session, err);
	probekit_session_free(session);
	return ret;
}

/* Shared with the processes that attach: each has a target of its own, as detaching waits a long
 * time for the kernel, and only the last tracer that leaves a process restores its code. */
struct worker {
	struct support_child target;
	pid_t pid;
	uint64_t cycles;
	uint64_t spans;
};

static void attach_often(struct worker *worker, unsigned long wanted)
{
	double end_s = now_s() + (double)(support_scaled(DEFAULT_SECONDS) + LEAST_SECONDS);
	struct probekit_error err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (wanted ? worker->cycles < wanted : now_s() < end_s) {
		if (attach_once(worker->target.pid, &worker->spans, &err)) {
			fprintf(stderr, "cycle %lu: %s\n", (unsigned long)worker->cycles, err.text);
			_exit(1);
		}
		worker->cycles++;
	}
	_exit(0);
}

static void start_worker(struct worker *worker, unsigned long wanted)
{
	const char *const words[] = {support_program("red_zone"), "0", "4", NULL};

	struct support_child target;
	pid_t pid;

	/* Not straight into shared memory: fork() returns twice. */
	support_start(&target, NULL, words);
	worker->target = target;
	assert_true(support_wait_text(&worker->target, &worker->target.out, "ready"));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		attach_often(worker, wanted);
	worker->pid = pid;
}

/* How many results the target had, all of them right. */
static unsigned long end_worker(struct worker *worker)
{
	unsigned long calls;
	const char *ok;
	int status;

	assert_int_equal(waitpid(worker->pid, &status, 0), worker->pid);
	assert_int_equal(status, 0);
	support_wait_untraced(worker->target.pid, support_program("red_zone"));
	assert_int_equal(kill(worker->target.pid, SIGTERM), 0);
	if (support_finish(&worker->target) != 0)
		fail_msg("after %lu cycles: %s", (unsigned long)worker->cycles,
			 worker->target.out.text);
	ok = strstr(worker->target.out.text, "OK ");
	assert_non_null(ok);
	calls = strtoul(ok + 3, NULL, 10);
	assert_true(calls > 0);
	support_done(&worker->target);
	return calls;
}

static void red_zone_data_survives_attach_and_detach_under_hot_threads(void **state)
{
	const char *text = getenv("PROBEKIT_TEST_CYCLES");
	unsigned long wanted = text ? strtoul(text, NULL, 10) : 0;
	struct worker *workers = mmap(NULL, WORKERS * sizeof(*workers), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned long cycles = 0;
	unsigned long spans = 0;
	unsigned long calls = 0;

	(void)state;
	support_require_tracing();
	assert_true(workers != MAP_FAILED);
	for (int i = 0; i < WORKERS; i++)
		start_worker(&workers[i], (wanted + WORKERS - 1) / WORKERS);
	for (int i = 0; i < WORKERS; i++) {
		calls += end_worker(&workers[i]);
		cycles += workers[i].cycles;
		spans += workers[i].spans;
	}
	print_message("%lu cycles of attach and detach, %lu spans, %lu results, all right\n",
		      cycles, spans, calls);
	assert_true(spans >= LEAST_SPANS * cycles);
	munmap(workers, WORKERS * sizeof(*workers));
}

/* ---- what is left behind ---- */

static void start_victim(struct support_child *target, const char *mode)
{
	const char *const words[] = {support_program("victim"), mode, "1000", NULL};

	support_start(target, NULL, words);
	assert_true(support_wait_text(target, &target->out, "ready"));
	support_wait_untraced(target->pid, support_program("victim"));
}

static void end_victim(struct support_child *target, int number)
{
	if (number)
		assert_int_equal(kill(target->pid, number), 0);
	support_end(target);
}

static void a_killed_probekit_leaves_no_probe_behind(void **state)
{
	const char *path = support_program("victim");
	struct support_child probekit;
	struct support_child target;

	(void)state;
	support_require_tracing();
	start_victim(&target, "tick");
	support_start_measuring(&probekit, target.pid);
	assert_true(support_read_image(target.pid, path).changed_bytes > 0);
	assert_int_equal(kill(probekit.pid, SIGKILL), 0);
	assert_int_equal(support_finish(&probekit), 128 + SIGKILL);
	support_wait_untraced(target.pid, path);
	support_done(&probekit);
	/* It still runs, and can be measured again. */
	support_start_measuring(&probekit, target.pid);
	support_interrupt(&probekit);
	support_done(&probekit);
	support_wait_untraced(target.pid, path);
	end_victim(&target, SIGTERM);
}

static void two_measurements_at_once_do_not_disturb_each_other(void **state)
{
	struct support_child first, second;
	struct support_child target;
	json_t *snapshot;

	(void)state;
	support_require_tracing();
	start_victim(&target, "lines");
	support_start_measuring(&first, target.pid);
	support_start_intervals(&second, target.pid, "victim:work");
	support_write(&target, "go\n");
	assert_true(support_wait_text(&target, &target.out, "did 1000\n"));
	assert_int_equal(kill(first.pid, SIGKILL), 0);
	support_finish(&first);
	support_write(&target, "go\n");
	assert_true(support_wait_text(&target, &target.out, "did 2000\n"));
	snapshot = support_end_intervals(&second);
	assert_int_equal(support_integer(support_row(snapshot, "victim:work"), "count"), 2000);
	json_decref(snapshot);
	support_wait_untraced(target.pid, support_program("victim"));
	end_victim(&target, 0);
	support_done(&first);
	support_done(&second);
}

/* ---- who is not measured ---- */

static void check_untouched(pid_t pid)
{
	struct support_image image = support_read_image(pid, support_program("victim"));

	assert_int_equal(image.changed_bytes, 0);
	assert_int_equal(image.semaphores, 0);
}

static void a_bystander_that_maps_the_same_file_is_not_touched(void **state)
{
	struct support_child before, target, after;
	struct support_child probekit;
	json_t *snapshot;

	(void)state;
	support_require_tracing();
	start_victim(&before, "lines");
	start_victim(&target, "lines");
	support_start_measuring(&probekit, target.pid);
	start_victim(&after, "lines"); /* it starts while the target is being measured */
	assert_true(support_read_image(target.pid, support_program("victim")).changed_bytes > 0);
	check_untouched(before.pid);
	check_untouched(after.pid);
	support_write(&before, "go\n");
	support_write(&target, "go\n");
	support_write(&after, "go\n");
	assert_true(support_wait_text(&before, &before.out, "did 1000\n"));
	assert_true(support_wait_text(&target, &target.out, "did 1000\n"));
	assert_true(support_wait_text(&after, &after.out, "did 1000\n"));
	check_untouched(before.pid);
	check_untouched(after.pid);
	snapshot = support_end_measuring(&probekit);
	assert_int_equal(support_integer(support_row(snapshot, "victim:work"), "count"), 1000);
	json_decref(snapshot);
	support_done(&probekit);
	support_wait_untraced(target.pid, support_program("victim"));
	end_victim(&before, 0);
	end_victim(&target, 0);
	end_victim(&after, 0);
}

#define TEST(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(red_zone_data_survives_attach_and_detach_under_hot_threads),
		TEST(a_killed_probekit_leaves_no_probe_behind),
		TEST(two_measurements_at_once_do_not_disturb_each_other),
		TEST(a_bystander_that_maps_the_same_file_is_not_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
