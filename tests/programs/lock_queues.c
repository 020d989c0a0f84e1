/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several threads and one mutex, or one behind the other: `lock_queues KIND [ROUNDS]`. Each comes
 * once the one before is seen to wait.
 */
#include "lock_truth.h"

#include <sched.h>

#define THREADS 4
#define HOLDS_IN_A_ROW 3

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t inner_guard = PTHREAD_MUTEX_INITIALIZER;

struct member {
	pid_t tid;
	unsigned int place; /* in the order of the round */
	struct turn is_wanted;
};

static struct member members[THREADS];
static struct turn is_known; /* a member's tid */
static struct turn has_first;
static struct turn is_free;
static struct turn is_done;
static void (*act)(struct member *member);

static void *run_member(void *arg)
{
	struct member *member = arg;

	member->tid = own_tid();
	turn_give(&is_known);
	for (;;) {
		turn_await(&member->is_wanted);
		act(member);
		turn_give(&is_done);
	}
	return NULL;
}

static void start_members(unsigned int count, void (*wanted)(struct member *member))
{
	act = wanted;
	turn_init(&is_known);
	turn_init(&has_first);
	turn_init(&is_free);
	turn_init(&is_done);
	for (unsigned int i = 0; i < count; i++) {
		pthread_t thread;

		turn_init(&members[i].is_wanted);
		check(pthread_create(&thread, NULL, run_member, &members[i]) == 0);
		check(pthread_detach(thread) == 0);
		turn_await(&is_known);
	}
}

/* The first one takes it, the others come to wait, and the first goes on. */
static void play_round(unsigned int count)
{
	for (unsigned int place = 0; place < count; place++) {
		struct member *member = &members[place];

		member->place = place;
		turn_give(&member->is_wanted);
		if (place == 0)
			turn_await(&has_first);
		else
			await_futex(getpid(), member->tid);
	}
	turn_give(&is_free);
	for (unsigned int i = 0; i < count; i++)
		turn_await(&is_done);
}

/* ---- a queue: 12, 6 and 3 ms, so that everybody waits for the first one most ---- */

static NOINLINE void hold_in_turn(unsigned int place)
{
	struct lock_event *hold = hold_begin(0);

	if (place == 0) {
		turn_give(&has_first);
		turn_await(&is_free);
	}
	pause_ms(12u >> place);
	hold_end(hold);
}

static void queue_up(struct member *member)
{
	struct lock_event *wait = member->place ? wait_begin(0) : NULL;

	check(pthread_mutex_lock(&guard) == 0);
	if (wait)
		wait_end(wait);
	hold_in_turn(member->place);
	check(pthread_mutex_unlock(&guard) == 0);
}

static void queue(unsigned long count)
{
	lock_declare("guard", &guard);
	start_members(THREADS, queue_up);
	for (unsigned long i = 0; i < count; i++)
		play_round(THREADS);
	check_waits_once();
	tell_lock_truth();
}

/* ---- barging: who gives it takes it again, before who was woken can ---- */

static bool is_through; /* the waiter */

/* Until the waiter was faster. */
static void hold_again_and_again(pid_t waiter)
{
	int holds = 0;

	do {
		struct lock_event *hold = hold_begin(0);

		while (!__atomic_load_n(&is_through, __ATOMIC_SEQ_CST) &&
		       !futex_of(getpid(), waiter))
			wait_a_moment();
		pause_ms(HOLD_MS);
		hold_end(hold);
		check(pthread_mutex_unlock(&guard) == 0);
	} while (++holds < HOLDS_IN_A_ROW && !__atomic_load_n(&is_through, __ATOMIC_SEQ_CST) &&
		 pthread_mutex_trylock(&guard) == 0);
}

static void barge(struct member *member)
{
	struct lock_event *wait;

	if (member->place == 0) {
		check(pthread_mutex_lock(&guard) == 0);
		__atomic_store_n(&is_through, false, __ATOMIC_SEQ_CST);
		turn_give(&has_first);
		turn_await(&is_free);
		hold_again_and_again(members[1].tid);
		return;
	}
	wait = wait_begin(0);
	check(pthread_mutex_lock(&guard) == 0);
	wait_end(wait);
	__atomic_store_n(&is_through, true, __ATOMIC_SEQ_CST);
	check(pthread_mutex_unlock(&guard) == 0);
}

static void barging(unsigned long count)
{
	lock_declare("guard", &guard);
	start_members(2, barge);
	for (unsigned long i = 0; i < count; i++)
		play_round(2);
	tell_lock_truth();
}

/* ---- a chain: the last waits for the second, who waits for the first ---- */

static void link_chain(struct member *member)
{
	struct lock_event *wait = NULL;
	struct lock_event *hold;

	if (member->place == 0) {
		check(pthread_mutex_lock(&inner_guard) == 0);
		hold = hold_begin(1);
		turn_give(&has_first);
		turn_await(&is_free);
		pause_ms(HOLD_MS);
		hold_end(hold);
		check(pthread_mutex_unlock(&inner_guard) == 0);
		return;
	}
	if (member->place == 2)
		wait = wait_begin(0);
	check(pthread_mutex_lock(&guard) == 0);
	if (wait)
		wait_end(wait);
	hold = hold_begin(0);
	if (member->place == 1) {
		wait = wait_begin(1);
		check(pthread_mutex_lock(&inner_guard) == 0);
		wait_end(wait);
		check(pthread_mutex_unlock(&inner_guard) == 0);
	}
	hold_end(hold);
	check(pthread_mutex_unlock(&guard) == 0);
}

static void chain(unsigned long count)
{
	lock_declare("guard", &guard);
	lock_declare("inner_guard", &inner_guard);
	start_members(3, link_chain);
	for (unsigned long i = 0; i < count; i++)
		play_round(3);
	check_waits_once();
	tell_lock_truth();
}

/* ---- a holder that may run, but has no CPU: another thread has it, of a higher priority ---- */

static bool is_spinning;
static long long starved_ns;

static void stay_on_first_cpu(void)
{
	cpu_set_t allowed;
	cpu_set_t first;
	size_t cpu = 0;

	check(sched_getaffinity(0, sizeof(allowed), &allowed) == 0);
	while (!CPU_ISSET(cpu, &allowed))
		cpu++;
	CPU_ZERO(&first);
	CPU_SET(cpu, &first);
	check(sched_setaffinity(0, sizeof(first), &first) == 0);
}

static void *spin_when_told(void *arg)
{
	stay_on_first_cpu();
	prctl(PR_SET_NAME, "spinner");
	check(setpriority(PRIO_PROCESS, (id_t)own_tid(), 0) == 0);
	for (;;) {
		turn_await(arg);
		while (__atomic_load_n(&is_spinning, __ATOMIC_SEQ_CST))
			touch();
	}
	return NULL;
}

static struct turn must_spin;

/* Computes for as long as it takes to be preempted for most of the time. */
static NOINLINE void compute_with_it(void)
{
	long long end_ns = now_ns() + 10 * HOLD_MS * 1000000ll;

	while (now_ns() < end_ns)
		touch();
}

static void starve(struct member *member)
{
	struct lock_event *event;
	long long before_ns;

	if (member->place) {
		event = wait_begin(0);
		check(pthread_mutex_lock(&guard) == 0);
		wait_end(event);
		check(pthread_mutex_unlock(&guard) == 0);
		return;
	}
	stay_on_first_cpu();
	check(setpriority(PRIO_PROCESS, (id_t)own_tid(), 10) == 0);
	check(pthread_mutex_lock(&guard) == 0);
	event = hold_begin(0);
	turn_give(&has_first);
	turn_await(&is_free);
	before_ns = own_delay_ns();
	__atomic_store_n(&is_spinning, true, __ATOMIC_SEQ_CST);
	turn_give(&must_spin);
	compute_with_it();
	starved_ns += own_delay_ns() - before_ns;
	__atomic_store_n(&is_spinning, false, __ATOMIC_SEQ_CST);
	hold_end(event);
	check(pthread_mutex_unlock(&guard) == 0);
}

static void starving(unsigned long count)
{
	pthread_t spinner;

	lock_declare("guard", &guard);
	turn_init(&must_spin);
	check(pthread_create(&spinner, NULL, spin_when_told, &must_spin) == 0);
	start_members(2, starve);
	for (unsigned long i = 0; i < count; i++)
		play_round(2);
	check_waits_once();
	tell_lock_truth();
	tell("starved", starved_ns);
}

static const struct mode modes[] = {
	{"queue", queue},	{"barging", barging}, {"chain", chain},
	{"starving", starving}, {NULL, NULL},
};

int main(int argc, char **argv)
{
	return lock_main(argc, argv, modes);
}
