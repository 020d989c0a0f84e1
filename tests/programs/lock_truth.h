/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_TRUTH_H
#define LOCK_TRUTH_H
/*
 * How a program knows who waited for which lock, how long, and who had it: every wait and every
 * hold is noted with CLOCK_MONOTONIC, in memory that processes share. Whoever has a lock gives it
 * only once those who want it are seen blocked in futex, so that each of these calls waits, and no
 * other call does; how often a call has blocked is read from the thread's own count of voluntary
 * switches. Turns are taken by pipes: what waits for a futex is a subject.
 *
 * At its end the program prints
 *
 *	lock NAME ADDRESS waits N ns T	waits over 100 us for NAME ("NAME/read", "NAME/write" if apart)
 *	most NAME ns N			the longest of them
 *	barged NAME waits N		so many ended with the lock taken by another again
 *	unsure NAME ns N		so much of it may have been after a wait: its thread lost its CPU
 *	waiter NAME TID waits N		so many of them were this thread's
 *	holder NAME TID waits N		in so many waits over 1 ms this thread had it longest
 *	held NAME TID ns N		for so long, of all that was waited, this thread had it
 *	waker NAME TID waits N		so many waits were ended by this thread
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
	pid_t tid;
	long long begin_ns;
	long long end_ns;
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
	} locks[LOCKS_MAX];
	unsigned int wait_count;
	struct lock_event waits[EVENTS_MAX];
	unsigned int hold_count;
	struct lock_event holds[EVENTS_MAX];
	pid_t waker; /* of the next wait to end */
};

static struct lock_log *lock_log;

static inline void lock_log_init(void)
{
	void *memory = mmap(NULL, sizeof(*lock_log), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	check(memory != MAP_FAILED);
	lock_log = (struct lock_log *)memory;
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
	return hold;
}

static inline void hold_end(struct lock_event *hold)
{
	hold->end_ns = now_ns();
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

/* ---- the truth ---- */

static inline long long waited_ns(const struct lock_event *wait)
{
	return wait->end_ns - wait->begin_ns - wait->ran_ns;
}

static inline long long overlap_ns(const struct lock_event *a, const struct lock_event *b)
{
	long long begin = a->begin_ns > b->begin_ns ? a->begin_ns : b->begin_ns;
	long long end = a->end_ns < b->end_ns ? a->end_ns : b->end_ns;

	return end > begin ? end - begin : 0;
}

static inline bool is_same_lock(int a, int b)
{
	return lock_log->locks[a].address == lock_log->locks[b].address;
}

/* For how long of the wait this thread had it. */
static inline long long held_ns(const struct lock_event *wait, pid_t tid)
{
	long long held = 0;

	for (unsigned int i = 0; i < lock_log->hold_count; i++)
		if (lock_log->holds[i].tid == tid &&
		    is_same_lock(lock_log->holds[i].lock, wait->lock))
			held += overlap_ns(&lock_log->holds[i], wait);
	return held;
}

/* Whoever had it longest during the wait; 0: nobody is known. */
static inline pid_t holder_of(const struct lock_event *wait)
{
	long long most = 0;
	pid_t holder = 0;

	for (unsigned int i = 0; i < lock_log->hold_count; i++) {
		long long held = held_ns(wait, lock_log->holds[i].tid);

		if (held > most) {
			most = held;
			holder = lock_log->holds[i].tid;
		}
	}
	return holder;
}

static inline pid_t waiter_of(const struct lock_event *wait)
{
	return wait->tid;
}

static inline pid_t waker_of(const struct lock_event *wait)
{
	return wait->waker;
}

static inline bool is_of(const struct lock_event *wait, int lock)
{
	return wait->lock == lock && waited_ns(wait) > LONG_WAIT_NS;
}

static inline void tell_waits(int lock)
{
	const char *name = lock_log->locks[lock].name;
	long long most = 0;
	long long sum = 0;
	long long unsure = 0;
	long barged = 0;
	long waits = 0;

	for (unsigned int i = 0; i < lock_log->wait_count; i++) {
		const struct lock_event *wait = &lock_log->waits[i];
		long long ns = waited_ns(wait);

		if (!is_of(wait, lock))
			continue;
		waits++;
		barged += wait->blocks - 1;
		unsure += wait->preemptions ? wait->delay_ns : 0;
		sum += ns;
		most = ns > most ? ns : most;
	}
	printf("lock %s 0x%llx waits %ld ns %lld\n", name,
	       (unsigned long long)lock_log->locks[lock].address, waits, sum);
	printf("most %s ns %lld\n", name, most);
	printf("barged %s waits %ld\n", name, barged);
	printf("unsure %s ns %lld\n", name, unsure);
}

/* Each thread that `of` names for waits of this lock that are longer than `over_ns`. */
static inline void tell_threads(int lock, const char *what,
				pid_t (*of)(const struct lock_event *wait), long long over_ns)
{
	struct {
		pid_t tid;
		long waits;
	} threads[LOCKS_MAX] = {{0, 0}};
	int count = 0;

	for (unsigned int i = 0; i < lock_log->wait_count; i++) {
		const struct lock_event *wait = &lock_log->waits[i];
		pid_t tid = is_of(wait, lock) && waited_ns(wait) > over_ns ? of(wait) : 0;
		int at = 0;

		while (at < count && threads[at].tid != tid)
			at++;
		if (!tid || at == LOCKS_MAX)
			continue;
		count += at == count;
		threads[at].tid = tid;
		threads[at].waits++;
	}
	for (int i = 0; i < count; i++)
		printf("%s %s %d waits %ld\n", what, lock_log->locks[lock].name,
		       (int)threads[i].tid, threads[i].waits);
}

/* Each once that has ever had it. */
static inline void tell_held(int lock)
{
	for (unsigned int i = 0; i < lock_log->hold_count; i++) {
		const struct lock_event *hold = &lock_log->holds[i];
		long long held = 0;
		unsigned int first = 0;

		while (lock_log->holds[first].tid != hold->tid ||
		       !is_same_lock(lock_log->holds[first].lock, hold->lock))
			first++;
		if (first != i || !is_same_lock(hold->lock, lock))
			continue;
		for (unsigned int k = 0; k < lock_log->wait_count; k++)
			if (is_of(&lock_log->waits[k], lock))
				held += held_ns(&lock_log->waits[k], hold->tid);
		printf("held %s %d ns %lld\n", lock_log->locks[lock].name, (int)hold->tid, held);
	}
}

static inline void tell_lock_truth(void)
{
	for (int i = 0; i < (int)lock_log->lock_count; i++) {
		tell_waits(i);
		tell_threads(i, "waiter", waiter_of, LONG_WAIT_NS);
		tell_threads(i, "holder", holder_of, HELD_WAIT_NS);
		tell_held(i);
		tell_threads(i, "waker", waker_of, LONG_WAIT_NS);
	}
	fflush(stdout);
}

/* A call waits once, unless the scene has others take the lock again. */
static inline void check_waits_once(void)
{
	for (unsigned int i = 0; i < lock_log->wait_count; i++) {
		const struct lock_event *wait = &lock_log->waits[i];

		check(wait->blocks == 1 && waited_ns(wait) > HELD_WAIT_NS);
	}
}

/* ---- running ---- */

/* `PROGRAM KIND [ROUNDS]`, and as program.h has it. */
static inline int lock_main(int argc, char **argv, const struct mode *modes)
{
	static char rounds[] = "20";
	char *with_rounds[] = {argv[0], argv[1], rounds, NULL};

	/* What else the machine runs had better not stand between a clock and the call beside it;
	 * without privilege it must be quiet. */
	setpriority(PRIO_PROCESS, 0, -20);
	lock_log_init();
	return argc == 2 ? program_main(3, with_rounds, modes, NULL)
			 : program_main(argc, argv, modes, NULL);
}

#endif
