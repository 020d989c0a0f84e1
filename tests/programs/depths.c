/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slow spans at every depth of stack: below recursion, frames of many KiB, frames whose size is known
 * only at run time, callbacks of the C library and of an opened library, signal handlers; waiting for
 * mutexes, condition variables, timers, a disk, a pipe, a child, page faults, or running. Every fourth
 * span of a shape is slow, all others do nothing at the same depth. Built with and without frame
 * pointers: tests/CMakeLists.txt.
 */
#include <probekit/probe.h>

#include <alloca.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <search.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "beside.h"
#include "plugin_depths.h"
#include "program.h"

#define NOINLINE __attribute__((noinline))
#define THREADS 6
#define SLOW_MS 5
#define SLOW_EVERY 4
#define SHALLOW_CALLS 5
#define DEEP_CALLS 200
#define WIDE_BYTES 6000
#define WIDE_CALLS 3
#define FILE_BYTES (1 << 20)

extern char **environ;

static pthread_mutex_t contended = PTHREAD_MUTEX_INITIALIZER;
static int (*descend_in_plugin)(unsigned int depth, void (*callback)(void));
static __thread bool is_slow;
static __thread void (*bottom)(void); /* what the deepest function does */
static __thread int file;
static __thread char *mapping;
static __thread unsigned int round_number;

/* ---- what is slow ---- */

static NOINLINE void rest(void)
{
	if (is_slow)
		pause_ms(SLOW_MS);
	touch();
}

static NOINLINE void await_poll(void)
{
	poll(NULL, 0, is_slow ? SLOW_MS : 0);
	touch();
}

static NOINLINE void contend(void)
{
	if (!is_slow)
		return;
	pthread_mutex_lock(&contended);
	pause_ms(1);
	pthread_mutex_unlock(&contended);
}

static NOINLINE void await_condition(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
	struct timespec until;

	if (!is_slow)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += SLOW_MS * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&mutex);
	pthread_cond_timedwait(&condition, &mutex, &until);
	pthread_mutex_unlock(&mutex);
}

static NOINLINE void sync_file(void)
{
	static const char page[4096];

	if (is_slow && (pwrite(file, page, sizeof(page), 0) < 0 || fsync(file)))
		abort();
}

/* What another program has written is read from the disk again. */
static NOINLINE void fault(void)
{
	if (!is_slow)
		return;
	madvise(mapping, FILE_BYTES, MADV_DONTNEED);
	posix_fadvise(file, 0, FILE_BYTES, POSIX_FADV_DONTNEED);
	for (size_t at = 0; at < FILE_BYTES; at += 4096)
		((volatile char *)mapping)[at];
	pause_ms(1);
}

static NOINLINE void await_child(void)
{
	char *arguments[] = {(char *)"sleep", (char *)"0.005", NULL};
	pid_t child;

	if (!is_slow || posix_spawnp(&child, arguments[0], NULL, NULL, arguments, environ))
		return;
	waitpid(child, NULL, 0);
	touch();
}

static NOINLINE void run(void)
{
	long long until = now_ns() + SLOW_MS * 1000000;

	while (is_slow && now_ns() < until)
		touch();
}

/* ---- how deep ---- */

static NOINLINE void descend(unsigned int depth)
{
	if (depth)
		descend(depth - 1);
	else
		bottom();
	touch();
}

/* What is called is not known to lie below here: the frame stays. */
static NOINLINE int descend_wide(unsigned int depth)
{
	volatile char room[WIDE_BYTES];
	int result = 0;

	room[depth] = 1;
	if (depth)
		result = descend_wide(depth - 1);
	else
		bottom();
	return result + room[depth];
}

/* Frames that a fixed offset from the stack pointer does not describe. */
static NOINLINE int descend_unaligned(unsigned int depth)
{
	volatile char aligned[64] __attribute__((aligned(64)));
	volatile char *room = alloca(depth * 24 + 8);
	int result = 0;

	aligned[depth % sizeof(aligned)] = 1;
	room[0] = 1;
	if (depth)
		result = descend_unaligned(depth - 1);
	else
		bottom();
	return result + room[0] + aligned[depth % sizeof(aligned)];
}

static NOINLINE int compare(const void *left, const void *right)
{
	if (*(const int *)left == 2)
		bottom();
	touch();
	return *(const int *)left - *(const int *)right;
}

/* Compares 2 once. */
static NOINLINE void search(void)
{
	static const int numbers[] = {1, 3};
	const int wanted = 2;

	bsearch(&wanted, numbers, 1, sizeof(numbers[0]), compare);
	touch();
}

static NOINLINE void sort(void)
{
	int numbers[] = {2, 1};

	qsort(numbers, 2, sizeof(numbers[0]), compare);
	touch();
}

static NOINLINE void walk(const void *node, VISIT visit, void *arg)
{
	(void)node;
	(void)visit;
	(void)arg;
	bottom();
	touch();
}

static NOINLINE void walk_tree(void)
{
	static const int number;
	void *tree = NULL;

	tsearch(&number, &tree, compare);
	twalk_r(tree, walk, NULL);
	tdelete(&number, &tree, compare);
}

static NOINLINE void through_plugin(void)
{
	descend_in_plugin(SHALLOW_CALLS, bottom);
	touch();
}

static NOINLINE void on_signal(int signal)
{
	(void)signal;
	bottom();
	touch();
}

static NOINLINE void interrupt(void)
{
	raise(SIGUSR1);
	touch();
}

/* ---- spans ---- */

#define SHAPE(name, wait, call)                      \
	static NOINLINE void name(void)              \
	{                                            \
		bottom = wait;                       \
		{                                    \
			PROBEKIT_SPAN(depths, name); \
			call;                        \
		}                                    \
		touch();                             \
	}

SHAPE(recursion_rest, rest, descend(DEEP_CALLS))
SHAPE(recursion_fsync, sync_file, descend(SHALLOW_CALLS))
SHAPE(recursion_run, run, descend(SHALLOW_CALLS))
SHAPE(recursion_child, await_child, descend(SHALLOW_CALLS))
SHAPE(wide_poll, await_poll, descend_wide(WIDE_CALLS))
SHAPE(wide_mutex, contend, descend_wide(WIDE_CALLS))
SHAPE(unaligned_condition, await_condition, descend_unaligned(SHALLOW_CALLS))
SHAPE(unaligned_run, run, descend_unaligned(SHALLOW_CALLS))
SHAPE(qsort_mutex, contend, sort())
SHAPE(bsearch_rest, rest, search())
SHAPE(tree_fault, fault, walk_tree())
SHAPE(plugin_condition, await_condition, through_plugin())
SHAPE(plugin_rest, rest, through_plugin())
SHAPE(signal_rest, rest, interrupt())
SHAPE(signal_fsync, sync_file, interrupt())

static void (*const shapes[])(void) = {
	recursion_rest, recursion_fsync,     recursion_run, recursion_child, wide_poll,
	wide_mutex,	unaligned_condition, unaligned_run, qsort_mutex,     bsearch_rest,
	tree_fault,	plugin_condition,    plugin_rest,   signal_rest,     signal_fsync,
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* ---- threads ---- */

static void open_plugin(void)
{
	*(void **)&descend_in_plugin = dlsym(open_beside("plugin_depths.so"), "plugin_descend");
	if (!descend_in_plugin)
		abort();
}

static void open_file(void)
{
	char path[] = "/var/tmp/depths.XXXXXX";

	file = mkstemp(path);
	if (file < 0 || unlink(path) || ftruncate(file, FILE_BYTES))
		abort();
	mapping = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, file, 0);
	if (mapping == MAP_FAILED)
		abort();
}

/* The threads are at different shapes. */
static NOINLINE void spans(unsigned long count, size_t first)
{
	open_file();
	for (unsigned long i = 0; i < count; i++) {
		is_slow = round_number++ % SLOW_EVERY == 0;
		for (size_t s = 0; s < SHAPES; s++)
			shapes[(first + s) % SHAPES]();
	}
	munmap(mapping, FILE_BYTES);
	close(file);
}

struct worker {
	pthread_t thread;
	unsigned long count;
	size_t first;
};

static void *work(void *arg)
{
	struct worker *worker = arg;

	spans(worker->count, worker->first);
	return NULL;
}

static void all(unsigned long count)
{
	struct worker workers[THREADS];

	for (size_t i = 0; i < THREADS; i++) {
		workers[i].count = count;
		workers[i].first = (i + 1) * SHAPES / (THREADS + 1);
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			abort();
	}
	spans(count, 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	tell("spans", (long long)((THREADS + 1) * count));
}

/* On a stack of their own handlers do not tell what they interrupted. */
static void other_stack(unsigned long count)
{
	static char room[1 << 16];
	const stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)};
	const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	for (unsigned long i = 0; i < count; i++) {
		is_slow = round_number++ % SLOW_EVERY == 0;
		signal_rest();
	}
	tell("spans", (long long)count);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"all", all},
		{"other_stack", other_stack},
		{0},
	};
	const struct sigaction action = {.sa_handler = on_signal};

	open_plugin();
	sigaction(SIGUSR1, &action, NULL);
	return program_main(argc, argv, modes, NULL);
}
