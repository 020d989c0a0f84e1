/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns the process that watches over ours. All it has is the read end of a pipe: once no process has the
 * other end, we are gone. Commands that are still held have that end too, but they go with us.
 */
#include "watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "opts.h"
#include "rights.h"

enum {
	MAX_GROUPS = 2,
	TERM_TO_KILL_MS = 500,
	LOOK_MS = 10,
};

/* ---- in the watchdog: what may be called after a fork in a program with threads ---- */

static void keep_only(int fd)
{
	if (fd > 0)
		close_range(0, (unsigned int)fd - 1, 0);
	close_range((unsigned int)fd + 1, ~0u, 0);
}

static void tell_all(const pid_t *groups, size_t count, int number)
{
	for (size_t i = 0; i < count; i++)
		kill(-groups[i], number);
}

static bool is_any_left(const pid_t *groups, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (kill(-groups[i], 0) == 0)
			return true;
	return false;
}

static void end_groups(const pid_t *groups, size_t count)
{
	const struct timespec moment = {.tv_nsec = LOOK_MS * 1000000};

	tell_all(groups, count, SIGTERM);
	tell_all(groups, count, SIGCONT);
	for (int ms = 0; ms < TERM_TO_KILL_MS && is_any_left(groups, count); ms += LOOK_MS)
		nanosleep(&moment, NULL);
	tell_all(groups, count, SIGKILL);
}

static void watch(int fd)
{
	pid_t groups[MAX_GROUPS];
	size_t count = 0;
	sigset_t all;
	pid_t group;

	/* What is sent to us all, by a terminal or who ends a service, must not end it first. */
	setsid();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "probekit-guard");
	keep_only(fd);
	rights_keep(rights_to_end);
	while (read(fd, &group, sizeof(group)) == sizeof(group))
		if (count < MAX_GROUPS)
			groups[count++] = group;
	end_groups(groups, count);
	_exit(0);
}

/* ---- in ours ---- */

static int failed(int code, struct probekit_error *err)
{
	return failure_error(err, code, "cannot start what guards the commands: %s",
			     strerror(-code));
}

int watchdog_start(struct watchdog *watchdog, struct probekit_error *err)
{
	int ends[2];
	pid_t pid;

	*watchdog = (struct watchdog){.fd = -1};
	if (pipe2(ends, O_CLOEXEC))
		return failed(-errno, err);
	pid = fork();
	if (pid == 0)
		watch(ends[0]);
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		return failed(-errno, err);
	}
	*watchdog = (struct watchdog){.pid = pid, .fd = ends[1]};
	return 0;
}

int watchdog_guard(const struct watchdog *watchdog, pid_t group, struct probekit_error *err)
{
	return write(watchdog->fd, &group, sizeof(group)) == sizeof(group) ? 0
									   : failed(-errno, err);
}

void watchdog_stop(struct watchdog *watchdog)
{
	if (watchdog->pid <= 0)
		return;
	kill(watchdog->pid, SIGKILL);
	while (waitpid(watchdog->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(watchdog->fd);
	*watchdog = (struct watchdog){.fd = -1};
}
