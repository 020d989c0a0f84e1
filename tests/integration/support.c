/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns children and their output. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void run_child(const struct support_how *how, const char *const words[], const int fds[3])
{
	sigset_t none;

	for (int i = 0; i < 3; i++)
		dup2(fds[i], i);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (how && how->folder && chdir(how->folder))
		_exit(125);
	if (how && how->prepare)
		how->prepare(how->arg);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execvp(words[0], (char *const *)words);
	_exit(127);
}

void support_start(struct support_child *child, const struct support_how *how,
		   const char *const words[])
{
	int in[2], out[2], err[2];

	assert_false(pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC));
	fflush(NULL);
	signal(SIGPIPE, SIG_IGN);
	*child = (struct support_child){
		.in = in[1],
		.out = {.fd = out[0]},
		.err = {.fd = err[0]},
		.status = -1,
	};
	child->out.text = calloc(1, 1);
	child->err.text = calloc(1, 1);
	assert_true(child->out.text && child->err.text);
	child->pid = fork();
	if (child->pid == 0)
		run_child(how, words, (const int[]){in[0], out[1], err[1]});
	assert_true(child->pid > 0);
	close(in[0]);
	close(out[1]);
	close(err[1]);
}

void support_write(struct support_child *child, const char *text)
{
	assert_int_equal(write(child->in, text, strlen(text)), strlen(text));
}

void support_close_input(struct support_child *child)
{
	if (child->in >= 0)
		close(child->in);
	child->in = -1;
}

static void take(struct support_output *stream)
{
	char buffer[65536];
	ssize_t got = read(stream->fd, buffer, sizeof(buffer));

	if (got < 0 && errno == EINTR)
		return;
	if (got <= 0) {
		close(stream->fd);
		stream->fd = -1;
		return;
	}
	stream->text = realloc(stream->text, stream->size_bytes + (size_t)got + 1);
	assert_non_null(stream->text);
	memcpy(stream->text + stream->size_bytes, buffer, (size_t)got);
	stream->size_bytes += (size_t)got;
	stream->text[stream->size_bytes] = '\0';
}

/* Reads what has come. False: that was nothing, for so long. */
static bool take_within(struct support_child *child, int timeout_ms)
{
	struct support_output *const streams[] = {&child->out, &child->err};
	struct pollfd fds[] = {
		{.fd = child->out.fd, .events = POLLIN},
		{.fd = child->err.fd, .events = POLLIN},
	};

	if (poll(fds, 2, timeout_ms) == 0)
		return false;
	for (int i = 0; i < 2; i++)
		if (fds[i].fd >= 0 && fds[i].revents)
			take(streams[i]);
	return true;
}

void support_take_output(struct support_child *child)
{
	take_within(child, 0);
}

/* Reads what has come; waits for more until `deadline_ms`. */
static void pump(struct support_child *child, int64_t deadline_ms)
{
	int64_t left = deadline_ms - now_ms();

	if (left <= 0 || !take_within(child, (int)left))
		fail_msg("program %d hangs; it wrote: %s%s", (int)child->pid, child->out.text,
			 child->err.text);
}

bool support_wait_text(struct support_child *child, struct support_output *stream, const char *text)
{
	int64_t deadline_ms = now_ms() + SUPPORT_DEADLINE_MS;

	while (!strstr(stream->text, text)) {
		if (stream->fd < 0)
			return false;
		pump(child, deadline_ms);
	}
	return true;
}

int support_finish(struct support_child *child)
{
	int64_t deadline_ms = now_ms() + SUPPORT_DEADLINE_MS;
	int status;

	while (child->out.fd >= 0 || child->err.fd >= 0)
		pump(child, deadline_ms);
	if (child->status < 0) {
		assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
		child->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
	support_close_input(child);
	return child->status;
}

void support_end(struct support_child *child)
{
	support_close_input(child);
	assert_int_equal(support_finish(child), 0);
	support_done(child);
}

void support_interrupt(struct support_child *child)
{
	assert_int_equal(kill(child->pid, SIGINT), 0);
	if (support_finish(child))
		fail_msg("status %d: %s", child->status, child->err.text);
}

void support_done(struct support_child *child)
{
	if (child->pid > 0 && child->status < 0) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
	}
	support_close_input(child);
	if (child->out.fd >= 0)
		close(child->out.fd);
	if (child->err.fd >= 0)
		close(child->err.fd);
	free(child->out.text);
	free(child->err.text);
	*child = (struct support_child){.in = -1, .out = {.fd = -1}, .err = {.fd = -1}};
}

int support_run(struct support_child *child, const struct support_how *how, const char *word, ...)
{
	const char *words[SUPPORT_MAX_WORDS + 1] = {word};
	va_list args;

	va_start(args, word);
	for (int i = 1; words[i - 1]; i++) {
		assert_true(i <= SUPPORT_MAX_WORDS);
		words[i] = va_arg(args, const char *);
	}
	va_end(args);
	support_start(child, how, words);
	support_close_input(child);
	return support_finish(child);
}

/* One copy of each path, to the end: tests hold on to them. */
static const char *keep(char *path)
{
	static char *kept[32];
	size_t i = 0;

	assert_non_null(path);
	while (i < sizeof(kept) / sizeof(kept[0]) && kept[i] && strcmp(kept[i], path) != 0)
		i++;
	assert_true(i < sizeof(kept) / sizeof(kept[0]));
	if (kept[i])
		free(path);
	else
		kept[i] = path;
	return kept[i];
}

static const char *in_build(const char *folder, const char *name)
{
	const char *build = getenv("PROBEKIT_BUILD");
	char *path;

	if (!build)
		fail_msg("PROBEKIT_BUILD is not set to the build folder");
	assert_true(asprintf(&path, "%s/%s%s", build, folder, name) > 0);
	return keep(path);
}

const char *support_probekit(void)
{
	return in_build("", "probekit");
}

const char *support_program(const char *name)
{
	return in_build("tests/programs/", name);
}

const char *support_example(const char *name)
{
	return in_build("examples/", name);
}

const char *support_find_tool(const char *paths)
{
	while (*paths) {
		size_t length = strcspn(paths, ":");
		char *path = strndup(paths, length);

		assert_non_null(path);
		if (access(path, X_OK) == 0)
			return keep(path);
		free(path);
		paths += length + (paths[length] == ':');
	}
	return NULL;
}

unsigned long support_scaled(unsigned long count)
{
	const char *text = getenv("PROBEKIT_TEST_SCALE");
	unsigned long scale = text ? strtoul(text, NULL, 10) : 1;

	return scale > 1 ? (count / scale ? count / scale : 1) : count;
}

void support_wait_measuring(struct support_child *probekit)
{
	if (!support_wait_text(probekit, &probekit->err, "probekit: measuring: "))
		fail_msg("probekit ended early: %s", probekit->err.text);
}

/* The first interval is printed once everything is attached. */
void support_start_intervals(struct support_child *probekit, pid_t pid, const char *glob)
{
	char text[16];
	const char *const words[] = {support_probekit(),
				     "latency",
				     "--json",
				     "-i",
				     "100ms",
				     "-s",
				     glob,
				     "-p",
				     text,
				     NULL};

	snprintf(text, sizeof(text), "%d", (int)pid);
	support_start(probekit, NULL, words);
	if (!support_wait_text(probekit, &probekit->out, "\n"))
		fail_msg("probekit ended early: %s", probekit->err.text);
}

json_t *support_end_intervals(struct support_child *probekit)
{
	char *last;

	support_interrupt(probekit);
	probekit->out.text[probekit->out.size_bytes - 1] = '\0';
	last = strrchr(probekit->out.text, '\n');
	assert_non_null(last);
	return support_json(last + 1);
}

/* NULL where nothing can be measured, with why in `refusal`. */
static const char *find_attachment(char **refusal)
{
	struct support_child child;
	const char *attach = "uprobe_multi";
	int status = support_run(&child, NULL, support_probekit(), "latency", "--json", "--",
				 support_program("victim"), "end", "0", NULL);

	if (status == 3) {
		*refusal = strdup(child.err.text);
		attach = NULL;
	} else if (status) {
		fail_msg("probekit does not work at all: %s", child.err.text);
	} else if (strstr(child.out.text, "\"perf_event\"")) {
		attach = "perf_event";
	}
	support_done(&child);
	return attach;
}

const char *support_require_tracing(void)
{
	static const char *attach;
	static char *refusal;

	if (!attach)
		attach = getenv("PROBEKIT_TEST_ATTACHMENT");
	if (!attach && !refusal)
		attach = find_attachment(&refusal);
	if (!attach) {
		print_message("skipped: needs tracing: %s", refusal);
		skip();
	}
	return attach;
}

void support_start_measuring(struct support_child *probekit, pid_t pid)
{
	char text[16];
	const char *const words[] = {
		support_probekit(), "latency", "-v", "--json", "-p", text, NULL};

	snprintf(text, sizeof(text), "%d", (int)pid);
	support_start(probekit, NULL, words);
	support_wait_measuring(probekit);
}

json_t *support_end_measuring(struct support_child *probekit)
{
	support_interrupt(probekit);
	return support_json(probekit->out.text);
}
