/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_ROUND_H
#define LOCK_ROUND_H
/*
 * Rounds of several threads, of one process or two: the first one takes the lock, the others come, each once
 * the one before is seen to wait, and the first one goes on. It is another one's turn to be the first in
 * each round where the scene moves lock_round->first.
 */
#include "lock_tell.h"

#define MEMBERS_MAX 32

struct member {
	pid_t pid;
	pid_t tid;
	unsigned int place; /* in the order of the round */
	struct turn is_wanted;
};

/* In memory that processes share. */
static struct {
	struct member members[MEMBERS_MAX];
	unsigned int first; /* of the members, in this round */
	unsigned int count;
	bool is_complete; /* all wait */
} * lock_round;

static struct turn is_known; /* a member's tid */
static struct turn has_first;
static struct turn is_free;
static struct turn is_done;
static void (*act)(struct member *member);

/* Who came as this one in this round. */
static inline struct member *round_member(unsigned int place)
{
	return &lock_round->members[(lock_round->first + place) % lock_round->count];
}

static inline void *run_member(void *arg)
{
	struct member *member = (struct member *)arg;

	member->pid = getpid();
	member->tid = own_tid();
	turn_give(&is_known);
	for (;;) {
		turn_await(&member->is_wanted);
		act(member);
		turn_give(&is_done);
	}
	return NULL;
}

static inline void start_member(unsigned int at)
{
	pthread_t thread;

	check(pthread_create(&thread, NULL, run_member, &lock_round->members[at]) == 0);
	check(pthread_detach(thread) == 0);
}

static inline void prepare_members(unsigned int count, void (*wanted)(struct member *member))
{
	check(count <= MEMBERS_MAX);
	lock_round = share(sizeof(*lock_round));
	lock_round->count = count;
	act = wanted;
	turn_init(&is_known);
	turn_init(&has_first);
	turn_init(&is_free);
	turn_init(&is_done);
	for (unsigned int i = 0; i < count; i++)
		turn_init(&lock_round->members[i].is_wanted);
}

static inline void start_members(unsigned int count, void (*wanted)(struct member *member))
{
	prepare_members(count, wanted);
	for (unsigned int i = 0; i < count; i++) {
		start_member(i);
		turn_await(&is_known);
	}
}

/* Those at odd places are of a process of their own. */
static inline void start_members_of_two(unsigned int count, void (*wanted)(struct member *member))
{
	pid_t pid;

	prepare_members(count, wanted);
	pid = fork();
	check(pid >= 0);
	for (unsigned int i = pid == 0; i < count; i += 2)
		start_member(i);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	for (unsigned int i = 0; i < count; i++)
		turn_await(&is_known);
}

static inline void play_round(void)
{
	unsigned int count = lock_round->count;

	__atomic_store_n(&lock_round->is_complete, false, __ATOMIC_SEQ_CST);
	for (unsigned int place = 0; place < count; place++) {
		struct member *member = round_member(place);

		member->place = place;
		turn_give(&member->is_wanted);
		if (place == 0)
			turn_await(&has_first);
		else
			await_futex(member->pid, member->tid);
	}
	__atomic_store_n(&lock_round->is_complete, true, __ATOMIC_SEQ_CST);
	turn_give(&is_free);
	for (unsigned int i = 0; i < count; i++)
		turn_await(&is_done);
}

#endif
