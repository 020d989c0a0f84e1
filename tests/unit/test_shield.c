/* SPDX-License-Identifier: BSD-2-Clause */
/* What runs behind the shield is part of this process, but for its death. */
#include "shield.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct work {
	pid_t pid;
	pid_t session;
	int fds[2];
};

static int note_who_and_open(void *arg)
{
	struct work *work = arg;

	work->pid = getpid();
	work->session = getsid(0);
	return pipe(work->fds) ? -errno : 7;
}

static void memory_and_descriptors_are_ours(void **state)
{
	struct work work;
	char byte;

	(void)state;
	assert_int_equal(shield_run(note_who_and_open, &work), 7);
	assert_true(work.pid > 0 && work.pid != getpid());
	assert_int_equal(work.session, work.pid);
	assert_int_equal(write(work.fds[1], "x", 1), 1);
	assert_int_equal(read(work.fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(work.fds[0]);
	close(work.fds[1]);
}

static void nobody_else_is_told_of_the_other_process(void **state)
{
	struct work work;

	(void)state;
	shield_run(note_who_and_open, &work);
	assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	close(work.fds[0]);
	close(work.fds[1]);
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

static int raise_to_parent(void *arg)
{
	kill(*(pid_t *)arg, SIGUSR1);
	return signals;
}

static void signals_are_for_us_and_come_afterwards(void **state)
{
	pid_t self = getpid();

	(void)state;
	signal(SIGUSR1, on_signal);
	assert_int_equal(shield_run(raise_to_parent, &self), 0);
	assert_int_equal(signals, 1);
}

/* The pipe `arg` is a byte from the begin, and one from the end. */
static int work_for_a_while(void *arg)
{
	const int *out = arg;

	if (write(*out, "b", 1) != 1)
		return -errno;
	poll(NULL, 0, 100);
	return write(*out, "e", 1) == 1 ? 0 : -errno;
}

static void what_has_begun_ends_though_we_are_killed(void **state)
{
	int fds[2];
	char byte;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		shield_run(work_for_a_while, &fds[1]);
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'b');
	assert_int_equal(kill(-pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'e');
	assert_int_equal(read(fds[0], &byte, 1), 0); /* and it is gone */
	close(fds[0]);
}

/* Threads may be created, processes not. */
static void forbid_processes(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (!filter ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAGAIN), SCMP_SYS(clone), 1,
			     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) ||
	    seccomp_load(filter))
		_exit(2);
	seccomp_release(filter);
}

static void where_there_can_be_no_process_it_runs_in_ours(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct work work = {0};

		forbid_processes();
		_exit(shield_run(note_who_and_open, &work) == 7 && work.pid == getpid() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_and_descriptors_are_ours),
		cmocka_unit_test(nobody_else_is_told_of_the_other_process),
		cmocka_unit_test(signals_are_for_us_and_come_afterwards),
		cmocka_unit_test(what_has_begun_ends_though_we_are_killed),
		cmocka_unit_test(where_there_can_be_no_process_it_runs_in_ours),
	};

	return cmocka_run_group_tests_name("shield", tests, NULL, NULL);
}
