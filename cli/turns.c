/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the thread that gives two processes their turns. */
#include "turns.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "opts.h"

enum {
	TURN_MS = 5,
	LOOK_US = 50, /* between looks whether a process has stopped */
	/* Who has not stopped by then waits in the kernel, as for a disk, or a child that has borrowed its memory
	 * and is stopped itself. */
	PAUSE_MS = 20,
};

struct turns {
	pid_t leaders[2];
	int pidfds[2];
	int stop_fd;
	int running;
	uint64_t random;
	size_t overlaps[2];
	pthread_t thread;
};

/* ---- stop and continue ---- */

/* Or gone. */
static bool has_stopped(pid_t leader)
{
	siginfo_t info = {0};

	/* Its status is left for who reaps it; that it stopped is no news once it is continued. */
	return waitid(P_PID, (id_t)leader, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT) ||
	       info.si_pid;
}

bool turns_pause(pid_t leader)
{
	const struct timespec moment = {.tv_nsec = LOOK_US * 1000};
	uint64_t end_ns = clock_now_ns() + PAUSE_MS * 1000000ull;

	kill(-leader, SIGSTOP);
	while (!has_stopped(leader)) {
		if (clock_now_ns() >= end_ns)
			return has_stopped(leader);
		nanosleep(&moment, NULL);
	}
	return true;
}

static void resume(pid_t leader)
{
	kill(-leader, SIGCONT);
}

/* ---- turns ---- */

static void give(struct turns *turns, int side)
{
	if (side == turns->running)
		return;
	if (!turns_pause(turns->leaders[turns->running]))
		turns->overlaps[turns->running]++;
	resume(turns->leaders[side]);
	turns->running = side;
}

/* False: one has ended, or no more turns are wanted. */
static bool wait_for_turn(const struct turns *turns)
{
	struct pollfd fds[] = {
		{.fd = turns->pidfds[0], .events = POLLIN},
		{.fd = turns->pidfds[1], .events = POLLIN},
		{.fd = turns->stop_fd, .events = POLLIN},
	};

	return poll(fds, 3, TURN_MS) <= 0; /* 0, or we have been stopped ourselves */
}

static void *take_turns(void *arg)
{
	struct turns *turns = arg;
	bool goes_on = true;

	prctl(PR_SET_TIMERSLACK, 1);
	while (goes_on) {
		int first = (int)(clock_next_random(&turns->random) & 1);

		give(turns, first);
		goes_on = wait_for_turn(turns);
		if (!goes_on)
			break;
		give(turns, !first);
		goes_on = wait_for_turn(turns);
	}
	resume(turns->leaders[0]);
	resume(turns->leaders[1]);
	return NULL;
}

/* ---- the thread ---- */

static void turns_free(struct turns *turns)
{
	for (int i = 0; i < 2; i++)
		if (turns->pidfds[i] >= 0)
			close(turns->pidfds[i]);
	if (turns->stop_fd >= 0)
		close(turns->stop_fd);
	free(turns);
}

static int open_all(struct turns *turns)
{
	for (int i = 0; i < 2; i++)
		turns->pidfds[i] = (int)syscall(SYS_pidfd_open, turns->leaders[i], 0);
	turns->stop_fd = eventfd(0, EFD_CLOEXEC);
	return turns->pidfds[0] < 0 || turns->pidfds[1] < 0 || turns->stop_fd < 0 ? -errno : 0;
}

/* Signals are for the thread that measures. */
static int start_thread(struct turns *turns)
{
	sigset_t all;
	sigset_t before;
	int result;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = -pthread_create(&turns->thread, NULL, take_turns, turns);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return result;
}

int turns_start(const pid_t leaders[static 2], int running, uint64_t seed, struct turns **out,
		struct probekit_error *err)
{
	struct turns *turns = calloc(1, sizeof(*turns));
	int result = turns ? 0 : -ENOMEM;

	if (!result) {
		memcpy(turns->leaders, leaders, sizeof(turns->leaders));
		turns->running = running;
		turns->random = seed;
		result = open_all(turns);
		if (!result)
			result = start_thread(turns);
	}
	if (result) {
		if (turns)
			turns_free(turns);
		return failure_error(err, result, "cannot give the commands their turns: %s",
				     strerror(-result));
	}
	*out = turns;
	return 0;
}

void turns_stop(struct turns *turns, size_t overlaps[static 2])
{
	const uint64_t one = 1;

	if (!turns)
		return;
	while (write(turns->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(turns->thread, NULL);
	for (int i = 0; i < 2; i++)
		overlaps[i] += turns->overlaps[i];
	turns_free(turns);
}
