/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_TRUTH_H
#define LOCK_TRUTH_H
/*
 * How a program knows who waited for which lock, how long, and who had it: every wait and every
 * hold is noted with CLOCK_MONOTONIC, in memory that processes share. Whoever has a lock gives it
 * only once those who want it are seen blocked in futex, so that each of these calls waits, and no
 * other call does; how often a call has blocked is read from the thread's own count of voluntary
 * switches. Turns are taken by pipes: what waits for a futex is a subject.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

#define NOINLINE __attribute__((noinline))
#define HOLD_MS 10
#define LOCKS_MAX 64
#define EVENTS_MAX 4096
#define LONG_WAIT_NS 100000
#define HELD_WAIT_NS 1000000

static inline void check_line(bool is_good, int line)
{
	if (is_good)
		return;
	fprintf(stderr, "line %d: not as it should be: %s\n", line, strerror(errno));
	abort();
}
#define check(is_good) check_line(is_good, __LINE__)

static inline pid_t own_tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

/* ---- what is noted ---- */

struct lock_event {
	int lock;
	pid_t pid;
	pid_t tid;
	long long begin_ns;
	long long end_ns;
	long long free_since_ns; /* of a hold: when the one before ended */
	long long ran_ns; /* of a wait: on a CPU nevertheless, as who wants a mutex may spin for it */
	long blocks;	  /* of a wait: times that the thread has blocked */
	long preemptions;   /* of a wait */
	long long delay_ns; /* of a wait: runnable without a CPU */
	pid_t waker;	    /* of a wait: who ended it; 0: nobody in particular */
};

struct lock_log {
	unsigned int lock_count;
	struct {
		char name[64];
		uint64_t address;
		long long free_since_ns;
	} locks[LOCKS_MAX];
	unsigned int wait_count;
	struct lock_event waits[EVENTS_MAX];
	unsigned int hold_count;
	struct lock_event holds[EVENTS_MAX];
	pid_t waker; /* of the next wait to end */
};

static struct lock_log *lock_log;

/* Of memory that the program's processes share. */
static inline void *share(size_t size_bytes)
{
	void *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	check(memory != MAP_FAILED);
	return memory;
}

static inline void lock_log_init(void)
{
	lock_log = (struct lock_log *)share(sizeof(*lock_log));
}

/* Not by several threads at once. */
static inline int lock_declare(const char *name, const volatile void *address)
{
	int at = (int)lock_log->lock_count;

	for (int i = 0; i < at; i++)
		if (lock_log->locks[i].address == (uintptr_t)address &&
		    strcmp(lock_log->locks[i].name, name) == 0)
			return i;
	check(at < LOCKS_MAX);
	snprintf(lock_log->locks[at].name, sizeof(lock_log->locks[at].name), "%s", name);
	lock_log->locks[at].address = (uintptr_t)address;
	lock_log->lock_count++;
	return at;
}

static inline struct lock_event *new_event(struct lock_event *events, unsigned int *count)
{
	unsigned int at = __atomic_fetch_add(count, 1, __ATOMIC_SEQ_CST);

	check(at < EVENTS_MAX);
	events[at].pid = getpid();
	events[at].tid = own_tid();
	return &events[at];
}

/* (Without streams, whose memory may be behind a lock that this thread has.) */
static inline void read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	check(fd >= 0);
	memset(text, 0, size);
	check(read(fd, text, size - 1) > 0);
	close(fd);
}

static inline long long own_delay_ns(void)
{
	char text[96];
	long long delay;

	read_text("/proc/thread-self/schedstat", text, sizeof(text));
	check(sscanf(text, "%*d %lld", &delay) == 1);
	return delay;
}

static inline long long own_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The call that waits stands between these two. */
static inline struct lock_event *wait_begin(int lock)
{
	struct lock_event *wait = new_event(lock_log->waits, &lock_log->wait_count);
	struct rusage usage;

	wait->lock = lock;
	wait->delay_ns = own_delay_ns();
	getrusage(RUSAGE_THREAD, &usage);
	wait->blocks = usage.ru_nvcsw;
	wait->preemptions = usage.ru_nivcsw;
	wait->ran_ns = own_cpu_ns();
	wait->begin_ns = now_ns();
	return wait;
}

static inline void wait_end(struct lock_event *wait)
{
	struct rusage usage;

	wait->end_ns = now_ns();
	wait->ran_ns = own_cpu_ns() - wait->ran_ns;
	getrusage(RUSAGE_THREAD, &usage);
	wait->blocks = usage.ru_nvcsw - wait->blocks;
	wait->preemptions = usage.ru_nivcsw - wait->preemptions;
	wait->delay_ns = own_delay_ns() - wait->delay_ns;
	wait->waker = lock_log->waker;
}

/* The calls that take and give it stand around these two. */
static inline struct lock_event *hold_begin(int lock)
{
	struct lock_event *hold = new_event(lock_log->holds, &lock_log->hold_count);

	hold->lock = lock;
	hold->begin_ns = now_ns();
	hold->free_since_ns = lock_log->locks[lock].free_since_ns;
	if (!hold->free_since_ns)
		hold->free_since_ns = hold->begin_ns;
	return hold;
}

static inline void hold_end(struct lock_event *hold)
{
	hold->end_ns = now_ns();
	lock_log->locks[hold->lock].free_since_ns = hold->end_ns;
}

/* ---- turns ---- */

struct turn {
	int fds[2];
};

static inline void turn_init(struct turn *turn)
{
	check(pipe2(turn->fds, O_CLOEXEC) == 0);
}

static inline void turn_give(struct turn *turn)
{
	check(write(turn->fds[1], "", 1) == 1);
}

static inline void turn_await(struct turn *turn)
{
	char byte;

	check(read(turn->fds[0], &byte, 1) == 1);
}

/* The futex that a thread is blocked in; 0: it is not. */
static inline uint64_t futex_of(pid_t pid, pid_t tid)
{
	unsigned long long word = 0;
	char path[64];
	char text[256];
	long number = -1;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", (int)pid, (int)tid);
	read_text(path, text, sizeof(text));
	if (sscanf(text, "%ld %llx", &number, &word) != 2 || number != SYS_futex)
		word = 0;
	return word;
}

static inline void wait_a_moment(void)
{
	const struct timespec moment = {0, 100000};

	nanosleep(&moment, NULL);
}

static inline uint64_t await_futex(pid_t pid, pid_t tid)
{
	uint64_t word;

	while (!(word = futex_of(pid, tid)))
		wait_a_moment();
	return word;
}

#endif
