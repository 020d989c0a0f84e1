/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the processes that the tests start: their pipes, their output, their end. */
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_SECONDS 60
#define EMULATED 5 /* times slower, and more */

/* ---- where things are ---- */

static char *next_text(void)
{
	static char texts[16][512];
	static unsigned int at;

	return texts[at++ % 16];
}

const char *build_path(const char *relative)
{
	const char *build = getenv("PROBEKIT_BUILD");
	char *path = next_text();

	if (!build)
		fail_msg("PROBEKIT_BUILD must name the build folder");
	snprintf(path, 512, "%s/%s", build, relative);
	return path;
}

const char *program_path(const char *name)
{
	char relative[256];

	snprintf(relative, sizeof(relative), "tests/programs/%s", name);
	return build_path(relative);
}

uint64_t test_scale(void)
{
	const char *text = getenv("PROBEKIT_TEST_SCALE");
	uint64_t scale = text ? strtoull(text, NULL, 10) : 1;

	return scale ? scale : 1;
}

uint64_t scaled(uint64_t count, uint64_t least)
{
	count /= test_scale();
	return count > least ? count : least;
}

const char *number_text(uint64_t number)
{
	char *text = next_text();

	snprintf(text, 512, "%llu", (unsigned long long)number);
	return text;
}

const char *scaled_text(uint64_t count, uint64_t least)
{
	return number_text(scaled(count, least));
}

uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

bool keep_waiting(uint64_t *since, unsigned int seconds)
{
	uint64_t now = monotonic_ns();

	if (*since == 0)
		*since = now;
	poll(NULL, 0, 2);
	return now - *since < seconds * 1000000000ull * (test_scale() > 1 ? EMULATED : 1);
}

/* ---- processes that talk ---- */

/* Between fork and exec. A test that fails must not leave children behind. */
static void become(const char *const argv[], int in, int out, int err)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	if (err >= 0)
		dup2(err, STDERR_FILENO);
	execv(argv[0], (char *const *)argv);
	fprintf(stderr, "cannot run '%s': %s\n", argv[0], strerror(errno));
	_exit(127);
}

void child_start(struct child *child, const char *const argv[])
{
	int in[2];
	int out[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		fail_msg("pipe: %s", strerror(errno));
	fflush(NULL);
	*child = (struct child){.pid = fork(), .in = in[1], .out = out[0], .status = -1};
	if (child->pid < 0)
		fail_msg("fork: %s", strerror(errno));
	if (child->pid == 0)
		become(argv, in[0], out[1], -1);
	close(in[0]);
	close(out[1]);
}

void child_start_program(struct child *child, const char *name, const char *mode, uint64_t count)
{
	child_start(child, (const char *const[]){program_path(name), mode, number_text(count),
						 "wait", NULL});
	child_wait_line(child, "ready");
}

/* False at end of file. */
static bool read_more(struct child *child)
{
	struct pollfd fd = {.fd = child->out, .events = POLLIN};
	char *text = realloc(child->text, child->size + 4097);
	ssize_t got;

	if (!text)
		fail_msg("no memory");
	child->text = text;
	if (poll(&fd, 1, PATIENCE_SECONDS * 1000 * (test_scale() > 1 ? EMULATED : 1)) <= 0)
		fail_msg("process %d says nothing; so far: %.*s", child->pid, (int)child->size,
			 text);
	got = read(child->out, text + child->size, 4096);
	if (got > 0)
		child->size += (size_t)got;
	text[child->size] = '\0';
	return got > 0;
}

const char *child_wait_line(struct child *child, const char *prefix)
{
	static char line[512];
	const char *end;

	for (;;) {
		while (!child->text || !strchr(child->text + child->read_to, '\n'))
			if (!read_more(child))
				fail_msg("process %d ended without saying '%s'; it said: %s",
					 child->pid, prefix, child->text);
		end = strchr(child->text + child->read_to, '\n');
		snprintf(line, sizeof(line), "%.*s",
			 (int)(end - child->text - (long)child->read_to),
			 child->text + child->read_to);
		child->read_to = (size_t)(end - child->text) + 1;
		if (strncmp(line, prefix, strlen(prefix)) == 0)
			return line;
	}
}

void child_tell(struct child *child, const char *line)
{
	if (dprintf(child->in, "%s\n", line) < 0)
		fail_msg("process %d does not listen: %s", child->pid, strerror(errno));
}

void child_go(struct child *child)
{
	child_tell(child, "go");
	child_wait_line(child, "done");
}

bool child_is_traced(struct child *child)
{
	child_tell(child, "traced");
	return strcmp(child_wait_line(child, "traced "), "traced 0") != 0;
}

static int shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int child_end(struct child *child)
{
	int status;

	if (child->in >= 0)
		close(child->in);
	child->in = -1;
	while (child->status < 0 && read_more(child))
		;
	if (child->status < 0) {
		if (waitpid(child->pid, &status, 0) != child->pid)
			fail_msg("waitpid: %s", strerror(errno));
		child->status = shell_status(status);
	}
	return child->status;
}

void child_done(struct child *child)
{
	child_end(child);
	close(child->out);
	free(child->text);
	*child = (struct child){.in = -1, .out = -1};
}

/* ---- truth ---- */

static bool find_value(const char *text, const char *name, int64_t *value)
{
	size_t length = strlen(name);

	for (const char *line = text; line && *line;
	     line = strchr(line, '\n'), line += line != NULL) {
		if (strncmp(line, name, length) == 0 && line[length] == ' ') {
			*value = strtoll(line + length + 1, NULL, 10);
			return true;
		}
	}
	return false;
}

int64_t child_truth(const struct child *child, const char *name)
{
	int64_t value = 0;

	if (!find_value(child->text, name, &value))
		fail_msg("the program did not tell '%s': %s", name, child->text);
	return value;
}

int64_t run_truth(const struct run *run, const char *name)
{
	int64_t value = 0;

	if (!find_value(run->text, name, &value))
		fail_msg("the program did not tell '%s': %s", name, run->text);
	return value;
}

void run_skip_if_missing(const struct run *run)
{
	const char *missing = strstr(run->text, "missing ");

	if (!missing)
		return;
	print_message("skipped: needs %s", missing + strlen("missing "));
	skip();
}

/* ---- commands to their end ---- */

static char *read_all(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1);

	if (!text || pread(fd, text, (size_t)size, 0) != size)
		fail_msg("cannot read captured output");
	close(fd);
	return text;
}

void run_captured(const char *const argv[], struct output *output)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = memfd_create("stdout", MFD_CLOEXEC);
	int err = memfd_create("stderr", MFD_CLOEXEC);
	pid_t pid;
	int status = -1;

	if (in < 0 || out < 0 || err < 0)
		fail_msg("cannot capture output: %s", strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become(argv, in, out, err);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		fail_msg("cannot run '%s': %s", argv[0], strerror(errno));
	close(in);
	output->status = shell_status(status);
	output->out = read_all(out);
	output->err = read_all(err);
}

void run_cli(const char *const arguments[], struct output *output)
{
	const char *argv[64] = {build_path("probekit")};

	for (size_t i = 0; arguments[i] && i + 2 < sizeof(argv) / sizeof(*argv); i++)
		argv[i + 1] = arguments[i];
	run_captured(argv, output);
}

void output_done(struct output *output)
{
	free(output->out);
	free(output->err);
}
