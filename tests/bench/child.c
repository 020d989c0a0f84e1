/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the processes that the bench starts: their pipes, and that none outlives it. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

#define MAX_CHILDREN 64
#define ANSWER_TIMEOUT_MS 60000

/* Read by the thread that handles signals as well, hence atomic. 0: free. */
static pid_t children[MAX_CHILDREN];

static bool register_child(pid_t pid)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		pid_t none = 0;

		if (__atomic_compare_exchange_n(&children[i], &none, pid, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			return true;
	}
	return false;
}

static void forget_child(pid_t pid)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		pid_t seen = pid;

		__atomic_compare_exchange_n(&children[i], &seen, 0, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
	}
}

void children_kill(void)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		pid_t pid = __atomic_exchange_n(&children[i], 0, __ATOMIC_SEQ_CST);

		if (pid <= 0)
			continue;
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* ---- starting ---- */

static bool become(const char *user)
{
	const struct passwd *entry = user ? getpwnam(user) : NULL;

	if (!user)
		return true;
	return entry && initgroups(user, entry->pw_gid) == 0 && setgid(entry->pw_gid) == 0 &&
	       setuid(entry->pw_uid) == 0;
}

static _Noreturn void run_child(const int to[2], const int from[2], int err, pid_t parent,
				const char *user, const char *const argv[])
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	dup2(to[0], STDIN_FILENO);
	dup2(from[1], STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	if (!become(user)) {
		fprintf(stderr, "cannot become the user '%s'\n", user);
		_exit(126);
	}
	/* after setuid(), which clears it */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	execvp(argv[0], (char *const *)argv);
	fprintf(stderr, "cannot run '%s': %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void close_pair(const int fds[2])
{
	if (fds[0] >= 0)
		close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
}

/* Until then it is still a copy of us, and whoever traces it by PID would trace the bench. */
static void wait_for_exec(int exec[2])
{
	char nothing;

	close(exec[1]);
	exec[1] = -1;
	while (read(exec[0], &nothing, 1) < 0 && errno == EINTR)
		;
	close(exec[0]);
	exec[0] = -1;
}

int bench_child_start_as(struct bench_run *run, struct bench_child *child, const char *user,
			 const char *const argv[])
{
	pid_t parent = getpid();
	int to[2] = {-1, -1};
	int from[2] = {-1, -1};
	int exec[2] = {-1, -1}; /* closes at execve() */

	*child = (struct bench_child){.in = -1, .out = -1, .err = -1};
	child->err = memfd_create("stderr", MFD_CLOEXEC);
	if (child->err < 0 || pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC) ||
	    pipe2(exec, O_CLOEXEC))
		goto failed;
	child->pid = fork();
	if (child->pid == 0)
		run_child(to, from, child->err, parent, user, argv);
	if (child->pid < 0)
		goto failed;
	wait_for_exec(exec);
	close(to[0]);
	close(from[1]);
	child->in = to[1];
	child->out = from[0];
	if (!register_child(child->pid)) {
		bench_child_done(child);
		return bench_fail(run, "more than %d processes", MAX_CHILDREN);
	}
	return 0;
failed:
	child->pid = 0;
	close_pair(to);
	close_pair(from);
	close_pair(exec);
	if (child->err >= 0)
		close(child->err);
	child->err = -1;
	return bench_fail(run, "cannot start '%s': %s", argv[0], strerror(errno));
}

int bench_child_start(struct bench_run *run, struct bench_child *child, const char *const argv[])
{
	return bench_child_start_as(run, child, NULL, argv);
}

/* ---- talking ---- */

/* Waits for more of its stdout, or its end. False at the end and after the time. */
static bool read_more(struct bench_child *child, uint64_t deadline_ns)
{
	struct pollfd ready = {.fd = child->out, .events = POLLIN};
	char buffer[4096];
	char *text;
	ssize_t got;

	if (child->out < 0)
		return false;
	for (;;) {
		uint64_t now = bench_now_ns();
		int left_ms = now < deadline_ns ? (int)((deadline_ns - now) / 1000000) + 1 : 0;
		int result = poll(&ready, 1, left_ms);

		if (result > 0)
			break;
		if (result == 0 || errno != EINTR)
			return false;
	}
	got = read(child->out, buffer, sizeof(buffer));
	if (got <= 0) {
		close(child->out);
		child->out = -1;
		return false;
	}
	text = realloc(child->text, child->size + (size_t)got + 1);
	if (!text)
		return false;
	memcpy(text + child->size, buffer, (size_t)got);
	child->text = text;
	child->size += (size_t)got;
	text[child->size] = 0;
	return true;
}

static uint64_t deadline(int timeout_ms)
{
	return bench_now_ns() + (uint64_t)timeout_ms * 1000000;
}

const char *bench_child_line(struct bench_child *child, int timeout_ms)
{
	uint64_t until = deadline(timeout_ms);

	for (;;) {
		char *line = child->text ? child->text + child->read_to : NULL;
		char *end = line ? strchr(line, '\n') : NULL;

		if (end) {
			*end = 0;
			child->read_to = (size_t)(end - child->text) + 1;
			return line;
		}
		if (!read_more(child, until))
			return NULL;
	}
}

const char *bench_child_wait(struct bench_child *child, const char *text, int timeout_ms)
{
	uint64_t until = deadline(timeout_ms);
	const char *line;

	do {
		uint64_t now = bench_now_ns();

		line = bench_child_line(child, now < until ? (int)((until - now) / 1000000) : 0);
	} while (line && !strstr(line, text));
	return line;
}

int bench_child_tell(struct bench_child *child, const char *format, ...)
{
	char line[4096];
	size_t done = 0;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= sizeof(line) - 1 || child->in < 0)
		return -1;
	line[length++] = '\n';
	while (done < (size_t)length) {
		ssize_t put = write(child->in, line + done, (size_t)length - done);

		if (put < 0 && errno != EINTR)
			return -1;
		done += put > 0 ? (size_t)put : 0;
	}
	return 0;
}

int bench_child_ask(struct bench_run *run, struct bench_child *child, double *answer,
		    const char *format, ...)
{
	char request[4096];
	const char *line;
	va_list args;

	va_start(args, format);
	vsnprintf(request, sizeof(request), format, args);
	va_end(args);
	line = bench_child_tell(child, "%s", request) ? NULL
						      : bench_child_line(child, ANSWER_TIMEOUT_MS);
	if (!line)
		return bench_fail(run, "the target has died, or does not answer '%s'", request);
	if (sscanf(line, "%lf", answer) != 1)
		return bench_fail(run, "the target answers '%s' to '%s'", line, request);
	return 0;
}

const char *bench_child_error(struct bench_child *child)
{
	static char text[512];
	off_t size = child->err >= 0 ? lseek(child->err, 0, SEEK_END) : 0;
	off_t from = size > (off_t)sizeof(text) - 1 ? size - (off_t)sizeof(text) + 1 : 0;
	ssize_t got = size > 0 ? pread(child->err, text, sizeof(text) - 1, from) : 0;
	char *last;

	text[got > 0 ? got : 0] = 0;
	for (size_t end = strlen(text); end > 0 && text[end - 1] == '\n'; end--)
		text[end - 1] = 0;
	last = strrchr(text, '\n');
	return last ? last + 1 : *text ? text : "it says nothing";
}

static bool has_ended(const struct bench_child *child)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) ||
	       info.si_pid != 0;
}

int bench_child_wait_error(struct bench_child *child, const char *text, int timeout_ms)
{
	uint64_t until = deadline(timeout_ms);

	for (;;) {
		bool is_last = has_ended(child) || bench_now_ns() >= until;
		char said[8192];
		ssize_t got = pread(child->err, said, sizeof(said) - 1, 0);

		said[got > 0 ? got : 0] = 0;
		if (strstr(said, text))
			return 0;
		if (is_last)
			return -1;
		poll(NULL, 0, 1);
	}
}

/* ---- ending ---- */

static void close_input(struct bench_child *child)
{
	if (child->in >= 0)
		close(child->in);
	child->in = -1;
}

/* Lines that were handed out ended with a zero. */
static void restore_text(struct bench_child *child)
{
	for (size_t i = 0; i < child->read_to; i++)
		if (!child->text[i])
			child->text[i] = '\n';
}

static uint64_t time_ns(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_usec * 1000;
}

/* -1 when it still runs at the deadline. */
static int reap(struct bench_child *child, uint64_t until)
{
	struct rusage usage;
	int status;

	for (;;) {
		pid_t pid = wait4(child->pid, &status, WNOHANG, &usage);

		if (pid == child->pid)
			break;
		if (pid < 0 || bench_now_ns() >= until)
			return -1;
		poll(NULL, 0, 1);
	}
	forget_child(child->pid);
	child->pid = 0;
	child->cpu_ns = time_ns(&usage.ru_utime) + time_ns(&usage.ru_stime);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int child_end_insisting(struct bench_child *child, int signal, int again_ms, int timeout_ms)
{
	uint64_t until = deadline(timeout_ms);
	uint64_t slice;
	int status;

	if (child->pid <= 0)
		return -1;
	close_input(child);
	do {
		kill(child->pid, signal);
		slice = deadline(again_ms);
		slice = slice < until ? slice : until;
		while (read_more(child, slice))
			;
	} while (child->out >= 0 && bench_now_ns() < until);
	restore_text(child);
	status = reap(child, until);
	if (status >= 0)
		return status;
	kill(-child->pid, SIGKILL);
	kill(child->pid, SIGKILL);
	return reap(child, deadline(ANSWER_TIMEOUT_MS));
}

int bench_child_end(struct bench_child *child, int signal, int timeout_ms)
{
	return child_end_insisting(child, signal, timeout_ms, timeout_ms);
}

void bench_child_done(struct bench_child *child)
{
	if (child->pid > 0) {
		kill(-child->pid, SIGKILL);
		bench_child_end(child, SIGKILL, ANSWER_TIMEOUT_MS);
	}
	free(child->text);
	child->text = NULL;
	child->size = 0;
	child->read_to = 0;
	/* > 0: a zeroed child owns no descriptor */
	if (child->in > 0)
		close(child->in);
	if (child->out > 0)
		close(child->out);
	if (child->err > 0)
		close(child->err);
	child->in = child->out = child->err = -1;
}

int bench_child_run(struct bench_run *run, struct bench_child *child, const char *const argv[],
		    int timeout_ms)
{
	int status;

	if (bench_child_start(run, child, argv))
		return -1;
	status = bench_child_end(child, 0, timeout_ms);
	return status == 128 + SIGKILL ? -1 : status;
}
