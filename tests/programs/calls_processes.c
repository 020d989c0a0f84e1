/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions around fork, vfork and exec, and in a library that comes and goes. What a child process
 * counts, it counts for itself. */
#include <dlfcn.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "beside.h"
#include "calls.h"

extern char **environ;

COUNTER(leaf);
COUNTER(forks_inside);
COUNTER(vforks_inside);
COUNTER(spawns_inside);
COUNTER(execs_inside);
COUNTER(inside);
COUNTER(plugin_call);
COUNTER(plugin_leaf);

static NOINLINE uint64_t leaf(uint64_t value)
{
	CALL(leaf);
	touch();
	DONE(leaf);
	return value * 3 + 1;
}

static void repeat(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		note(leaf(i));
}

static void reap(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		abort();
}

/* ---- fork ---- */

/* Both return. */
static NOINLINE pid_t forks_inside(uint64_t value)
{
	pid_t pid;

	CALL(forks_inside);
	note(leaf(value));
	pid = fork();
	note(leaf(value + 1));
	DONE(forks_inside);
	return pid;
}

static void forks(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		pid_t pid = forks_inside(i);

		if (pid == 0) {
			repeat(2);
			_exit(0);
		}
		reap(pid);
		note(leaf(i));
	}
}

/* The child borrows the stack, below a function of its parent. It counts in its parent's memory. */
static NOINLINE uint64_t vforks_inside(uint64_t value)
{
	uint64_t result = leaf(value);
	pid_t pid;

	CALL(vforks_inside);
	pid = vfork();
	if (pid == 0)
		_exit(0);
	reap(pid);
	result += leaf(result);
	DONE(vforks_inside);
	return result;
}

static void vforks(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		note(vforks_inside(i));
}

static NOINLINE uint64_t spawns_inside(uint64_t value)
{
	static char *argv[] = {(char *)"/bin/true", NULL};
	pid_t pid;

	CALL(spawns_inside);
	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ))
		abort();
	reap(pid);
	value = leaf(value);
	DONE(spawns_inside);
	return value;
}

static void spawns(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		note(spawns_inside(i));
}

/* ---- exec ---- */

/* Itself again, from inside; what was counted until then is told before. */
static NOINLINE void execs_inside(unsigned long count)
{
	char text[32];
	char *argv[] = {(char *)"/proc/self/exe", (char *)"repeat", text, NULL};

	CALL(execs_inside);
	snprintf(text, sizeof(text), "%lu", count);
	execv(argv[0], argv);
	abort();
}

static void execs(unsigned long count)
{
	repeat(count);
	execs_inside(count);
	touch();
}

/* ---- a library that comes and goes ---- */

#define PLUGIN "plugin_calls.so"

static void call_plugin(void *library, unsigned long value)
{
	uint64_t (*call)(uint64_t);

	*(void **)&call = dlsym(library, "plugin_call");
	if (!call)
		abort();
	CALL(plugin_call);
	note(call(value));
	DONE(plugin_call);
	calls_of_plugin_leaf.entered += 2;
	calls_of_plugin_leaf.done += 2;
}

static void opens(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		void *library = open_beside(PLUGIN);

		for (unsigned long k = 0; k < 3; k++)
			call_plugin(library, i + k);
		note(leaf(i));
		dlclose(library);
	}
}

/* Open from the start, for those who look for it before they say "go". */
static void reopens(unsigned long count)
{
	static void *library;

	if (!library) {
		library = open_beside(PLUGIN);
		return;
	}
	dlclose(library);
	opens(count);
}

/* Known of before it is called. */
static void opens_awaited(unsigned long count)
{
	void *library = open_beside(PLUGIN);

	await_go();
	dlclose(library);
	opens(count);
}

static atomic_int is_over;

static void *call_without_pause(void *library)
{
	for (unsigned long i = 0; !atomic_load(&is_over); i++)
		call_plugin(library, i);
	return NULL;
}

/* Each time a step further: a library is opened, it is called, another is opened, it is over. */
static void opens_beside(unsigned long from)
{
	static unsigned long next;
	static pthread_t thread;
	static void *library;

	switch (from + next++) {
	case 0:
		library = open_beside(PLUGIN);
		break;
	case 1:
		if (pthread_create(&thread, NULL, call_without_pause, library))
			abort();
		break;
	case 2:
		open_beside("plugin_depths.so");
		break;
	default:
		atomic_store(&is_over, 1);
		pthread_join(thread, NULL);
	}
}

/* ---- inside while somebody comes to look ---- */

static NOINLINE uint64_t inside(uint64_t value)
{
	uint64_t result = leaf(value);

	CALL(inside);
	puts("inside");
	fflush(stdout);
	await_go();
	result += leaf(result);
	DONE(inside);
	return result;
}

static void enters(unsigned long count)
{
	note(inside(count));
	repeat(count);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"repeat", repeat},
		{"forks", forks},
		{"vforks", vforks},
		{"spawns", spawns},
		{"execs", execs},
		{"opens", opens},
		{"opens_awaited", opens_awaited},
		{"reopens", reopens},
		{"opens_beside", opens_beside},
		{"enters", enters},
		{NULL, NULL},
	};

	return calls_main(argc, argv, modes);
}
