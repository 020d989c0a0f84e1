/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the folder that a group may fill; there is one at a time, as groups run one after the other. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

#define REMOVAL_TRIES 50
#define REMOVAL_PAUSE_MS 100

static char path[64];
static pid_t guard;
static int guard_pipe = -1; /* its write end; the guard has the other */

static int remove_one(const char *name, const struct stat *status, int type, struct FTW *walk)
{
	(void)status, (void)type, (void)walk;
	return remove(name);
}

static void remove_folder(void)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Outlives a bench that is killed, and removes the folder then. What still writes into it dies at
 * that moment too, so a removal may have to be tried again. */
static _Noreturn void run_guard(int bench)
{
	char nothing;

	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	/* and none of the bench's pipes, whose other sides wait for their ends */
	dup2(bench, STDIN_FILENO);
	close_range(STDIN_FILENO + 1, ~0u, 0);
	while (read(STDIN_FILENO, &nothing, 1) < 0 && errno == EINTR)
		;
	for (int i = 0; i < REMOVAL_TRIES && access(path, F_OK) == 0; i++) {
		if (i)
			poll(NULL, 0, REMOVAL_PAUSE_MS);
		remove_folder();
	}
	_exit(0);
}

static void start_guard(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return;
	guard = fork();
	if (guard == 0)
		run_guard(fds[0]);
	close(fds[0]);
	guard_pipe = fds[1];
}

const char *bench_scratch(struct bench_run *run)
{
	if (path[0])
		return path;
	snprintf(path, sizeof(path), "/tmp/probekit-bench-XXXXXX");
	if (!mkdtemp(path)) {
		path[0] = 0;
		bench_fail(run, "cannot create a folder in /tmp: %s", strerror(errno));
		return NULL;
	}
	chmod(path, 0755); /* servers of other users live in it */
	start_guard();
	return path;
}

void scratch_remove(void)
{
	if (!path[0])
		return;
	remove_folder();
	if (guard_pipe >= 0)
		close(guard_pipe);
	if (guard > 0)
		waitpid(guard, NULL, 0);
	guard_pipe = -1;
	guard = 0;
	path[0] = 0;
}
