/* SPDX-License-Identifier: BSD-2-Clause */
/* Spans around fork, vfork and exec, and in what a process becomes or opens later. */
#include <probekit/probe.h>

#include <dlfcn.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "beside.h"
#include "program.h"

#define NOINLINE __attribute__((noinline))

extern char **environ;

static NOINLINE void work(void)
{
	PROBEKIT_SPAN(processes, work);
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

/* ---- fork ---- */

/* The child leaves the parent's span, then makes two of its own. */
static NOINLINE pid_t fork_inside(void)
{
	PROBEKIT_SPAN(processes, forking);
	work();
	return fork();
}

static void forks(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		pid_t pid = fork_inside();

		if (pid == 0) {
			repeat(2);
			_exit(0);
		}
		reap(pid);
		work();
	}
}

/* The child borrows the parent's stack, below an open span of the parent. */
static NOINLINE void borrow(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		work();
		_exit(0);
	}
	reap(pid);
	work();
}

static NOINLINE void vfork_inside(void)
{
	PROBEKIT_SPAN(processes, forking);
	borrow();
}

static void vforks(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		vfork_inside();
}

static NOINLINE void spawn_inside(void)
{
	static char *argv[] = {(char *)"/bin/true", NULL};
	PROBEKIT_SPAN(processes, forking);
	pid_t pid;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ))
		abort();
	reap(pid);
	work();
}

static void spawns(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		spawn_inside();
}

/* ---- exec ---- */

static void become(const char *program, const char *mode, unsigned long count)
{
	char text[32];
	char *argv[] = {(char *)program, (char *)mode, text, NULL};

	snprintf(text, sizeof(text), "%lu", count);
	execv(program, argv);
	abort();
}

static NOINLINE void exec_in_span(const char *program, const char *mode, unsigned long count)
{
	PROBEKIT_SPAN(processes, replaced);
	become(program, mode, count);
	touch();
}

/* Itself again, from inside a span. */
static void exec_self(unsigned long count)
{
	repeat(count);
	exec_in_span("/proc/self/exe", "repeat", count);
}

static void exec_second(unsigned long count)
{
	repeat(count);
	exec_in_span(beside("second"), "attached", count);
}

static void *exec_from_thread(void *arg)
{
	const unsigned long *count = arg;

	exec_in_span("/proc/self/exe", "repeat", *count);
	return NULL;
}

/* Not from the first thread, which is inside a span itself: the kernel ends it. */
static void exec_thread(unsigned long count)
{
	PROBEKIT_SPAN(processes, replaced);
	pthread_t thread;

	repeat(count);
	if (pthread_create(&thread, NULL, exec_from_thread, &count))
		abort();
	pthread_join(thread, NULL);
	touch();
}

/* ---- a library opened later ---- */

static void *find(void *library, const char *name)
{
	void *symbol = dlsym(library, name);

	if (!symbol)
		abort();
	return symbol;
}

static void open_library(unsigned long count)
{
	void *library = open_beside("plugin_spans.so");
	int (*is_traced)(void);
	void (*run)(unsigned long);

	*(void **)&is_traced = find(library, "plugin_is_traced");
	*(void **)&run = find(library, "plugin_run");
	repeat(count);
	await_go();
	if (!is_traced())
		abort();
	run(count);
	repeat(count);
}

struct visitor {
	pthread_t thread;
	void (*run)(unsigned long);
	unsigned long count;
};

static void *visit(void *arg)
{
	const struct visitor *visitor = arg;

	visitor->run(visitor->count);
	repeat(visitor->count);
	return NULL;
}

/* Four threads, in the library and in the program, `count` times each in both. */
static void share_library(unsigned long count)
{
	void *library = open_beside("plugin_spans.so");
	struct visitor visitors[4];

	for (int i = 0; i < 4; i++) {
		visitors[i].count = count;
		*(void **)&visitors[i].run = find(library, "plugin_run");
		if (pthread_create(&visitors[i].thread, NULL, visit, &visitors[i]))
			abort();
	}
	for (int i = 0; i < 4; i++)
		pthread_join(visitors[i].thread, NULL);
}

static int is_traced(void)
{
	return (int)PROBEKIT_ENABLED(processes, work);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"repeat", repeat},
		{"forks", forks},
		{"vforks", vforks},
		{"spawns", spawns},
		{"exec_self", exec_self},
		{"exec_second", exec_second},
		{"exec_thread", exec_thread},
		{"open_library", open_library},
		{"share_library", share_library},
		{NULL, NULL},
	};

	return program_main(argc, argv, modes, is_traced);
}
