/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_PAIR_H
#define LOCK_PAIR_H
/*
 * Rounds of two: the owner, a thread or a process, takes the lock; the waiter, the program's first
 * thread, comes and is seen to wait; HOLD_MS later the owner gives.
 */
#include "lock_tell.h"

struct lock_pair {
	const char *name;
	const volatile void *address; /* NULL: the word that the waiter is seen in */
	void (*take)(void);	      /* NULL: nothing is taken; who gives is the waker */
	void (*give)(void);
	void (*wait)(void);
	void (*after)(void); /* of the waiter, for instance gives back what it got; NULL: nothing */
	void (*own)(void);   /* instead of take and give: must call hold_while_wanted() */
	bool is_process;
};

static struct lock_pair lock_pair;
static int lock_pair_lock; /* as lock_declare() numbers it */
static unsigned long lock_pair_rounds;
static pid_t lock_waiter; /* process and thread */
static struct turn turn_to_take;
static struct turn turn_to_wait;
static struct turn turn_to_end;

/* ---- the owner ---- */

static NOINLINE void linger_with_it(void)
{
	uint64_t word = await_futex(lock_waiter, lock_waiter);

	if (!lock_pair.address)
		lock_log->locks[lock_pair_lock].address = word;
	pause_ms(HOLD_MS);
	touch();
}

/* With the lock, or about to wake. */
static inline void hold_while_wanted(void)
{
	struct lock_event *hold = hold_begin(lock_pair_lock);

	turn_give(&turn_to_wait);
	linger_with_it();
	hold_end(hold);
}

static NOINLINE void give_it(void)
{
	lock_pair.give();
	touch();
}

static inline void own_once(void)
{
	if (lock_pair.own) {
		lock_pair.own();
		return;
	}
	if (lock_pair.take) {
		lock_pair.take();
		hold_while_wanted();
	} else {
		lock_log->waker = own_tid();
		turn_give(&turn_to_wait);
		linger_with_it();
	}
	give_it();
}

static inline void *own_rounds(void *arg)
{
	prctl(PR_SET_NAME, "owner");
	for (unsigned long i = 0; i < lock_pair_rounds; i++) {
		turn_await(&turn_to_take);
		own_once();
		turn_give(&turn_to_end);
	}
	return arg;
}

/* Never joined, which would be one more wait. */
static inline void start_owner(void)
{
	pthread_t thread;
	pid_t pid;

	if (!lock_pair.is_process) {
		check(pthread_create(&thread, NULL, own_rounds, NULL) == 0);
		check(pthread_detach(thread) == 0);
		return;
	}
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		own_rounds(NULL);
		_exit(0);
	}
}

/* ---- the waiter ---- */

static NOINLINE void want_it(void)
{
	lock_pair.wait();
	touch();
}

static inline void wait_once(void)
{
	struct lock_event *wait;

	turn_give(&turn_to_take);
	turn_await(&turn_to_wait);
	wait = wait_begin(lock_pair_lock);
	want_it();
	wait_end(wait);
	if (lock_pair.after)
		lock_pair.after();
	turn_await(&turn_to_end);
}

/* Several may follow each other; each has an owner of its own. */
static inline void play_pair(struct lock_pair pair, unsigned long count)
{
	lock_pair = pair;
	lock_pair_rounds = count;
	lock_waiter = getpid();
	turn_init(&turn_to_take);
	turn_init(&turn_to_wait);
	turn_init(&turn_to_end);
	lock_pair_lock = lock_declare(pair.name, pair.address);
	start_owner();
	for (unsigned long i = 0; i < count; i++)
		wait_once();
	check_waits_once();
}

static inline void run_pair(struct lock_pair pair, unsigned long count)
{
	play_pair(pair, count);
	tell_lock_truth();
}

/* ---- threads that end ---- */

/* Has the waiter wait for its end. */
static inline void *live_while_wanted(void *arg)
{
	struct lock_event *hold = hold_begin(lock_pair_lock);

	prctl(PR_SET_NAME, "owner");
	lock_log->locks[lock_pair_lock].address = await_futex(lock_waiter, lock_waiter);
	pause_ms(HOLD_MS);
	hold_end(hold);
	return arg;
}

/* The stack of each is that of the one before: one word for all. */
static inline void run_joins(void (*start)(pthread_t *thread), void (*join)(pthread_t thread),
			     unsigned long count)
{
	lock_waiter = getpid();
	lock_pair_lock = lock_declare("thread", NULL);
	for (unsigned long i = 0; i < count; i++) {
		struct lock_event *wait;
		pthread_t thread;

		start(&thread);
		wait = wait_begin(lock_pair_lock);
		join(thread);
		wait_end(wait);
	}
	check_waits_once();
	tell_lock_truth();
}

#endif
