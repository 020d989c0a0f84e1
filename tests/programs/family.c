/* SPDX-License-Identifier: BSD-2-Clause */
/* A process with descendants, all of which make spans once they are let go. The first "go" creates them,
 * the second lets them go, and waits for their ends. */
#include <probekit/probe.h>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "beside.h"
#include "program.h"

#define WIDTH 3
#define BRIEF 20

extern char **environ;

static int gate[2] = {-1, -1}; /* its end of file lets everybody go */
static pid_t children[WIDTH];

static __attribute__((noinline)) void work(void)
{
	PROBEKIT_SPAN(family, work);
	touch();
}

static void repeat(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		work();
}

static void reap(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		abort();
}

static void reap_all(void)
{
	for (int i = 0; i < WIDTH; i++)
		reap(children[i]);
}

static void await_end(int fd)
{
	char byte;

	while (read(fd, &byte, 1) < 0 && errno == EINTR)
		;
}

/* ---- what a child does ---- */

/* With children of its own, down to `depth`. */
static void live(int depth, unsigned long count)
{
	for (int i = 0; depth > 0 && i < WIDTH; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			live(depth - 1, count);
			_exit(0);
		}
	}
	await_end(gate[0]);
	repeat(count);
	if (depth > 0)
		reap_all();
}

static void become_second(unsigned long count)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", count);
	dup2(gate[0], STDIN_FILENO);
	execl(beside("second"), "second", "gated", text, (char *)NULL);
	abort();
}

static pid_t spawn_second(unsigned long count)
{
	posix_spawn_file_actions_t actions;
	char text[32];
	char *argv[] = {(char *)"second", (char *)"gated", text, NULL};
	pid_t pid;

	snprintf(text, sizeof(text), "%lu", count);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, gate[0], STDIN_FILENO);
	posix_spawn_file_actions_addclose(&actions, gate[1]);
	if (posix_spawn(&pid, beside("second"), &actions, NULL, argv, environ))
		abort();
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* ---- modes ---- */

enum way {
	FORK,
	FORK_TREE,
	EXEC,
	SPAWN,
};

static void create(enum way way, unsigned long count)
{
	if (pipe(gate))
		abort();
	for (int i = 0; i < WIDTH; i++) {
		children[i] = way == SPAWN ? spawn_second(count) : fork();
		if (children[i])
			continue;
		close(gate[1]);
		if (way == EXEC)
			become_second(count);
		live(way == FORK_TREE, count);
		_exit(0);
	}
}

static void run(enum way way, unsigned long count)
{
	if (gate[1] < 0) {
		create(way, count);
		return;
	}
	close(gate[1]);
	close(gate[0]);
	gate[1] = -1;
	repeat(count);
	reap_all();
}

static void fork_all(unsigned long count)
{
	run(FORK, count);
}

static void fork_tree(unsigned long count)
{
	run(FORK_TREE, count);
}

static void exec_all(unsigned long count)
{
	run(EXEC, count);
}

static void spawn_all(unsigned long count)
{
	run(SPAWN, count);
}

/* As a command, whose standard input lets its children go. */
static void command(unsigned long count)
{
	create(FORK, count);
	repeat(count);
	await_go();
	run(FORK, count);
}

/* They are gone before anybody could look at them. */
static void brief(unsigned long count)
{
	(void)count;
	for (int i = 0; i < BRIEF; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		reap(pid);
	}
	tell("brief", BRIEF);
}

/* Always a child, and no more than one at a time, until the program ends. */
static void churn(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			repeat(100);
			_exit(0);
		}
		reap(pid);
	}
}

static int is_traced(void)
{
	return (int)PROBEKIT_ENABLED(family, work);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"repeat", repeat}, {"fork", fork_all},	  {"tree", fork_tree},
		{"exec", exec_all}, {"spawn", spawn_all}, {"command", command},
		{"brief", brief},   {"churn", churn},	  {NULL, NULL},
	};

	return program_main(argc, argv, modes, is_traced);
}
