/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many who wait, holders that compute, waiters that give up and owners that die:
 * `lock_crowds KIND [ROUNDS]`.
 */
#include "lock_round.h"

#define CROWD 24

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t *mutex = &guard;
static unsigned long round_number;

static void pause_us(long us)
{
	const struct timespec length = {0, us * 1000};

	check(nanosleep(&length, NULL) == 0);
}

static void lock_mutex(struct member *member)
{
	struct lock_event *wait = member->place ? wait_begin(0) : NULL;
	int result = pthread_mutex_lock(mutex);

	if (wait)
		wait_end(wait);
	if (result == EOWNERDEAD)
		check(pthread_mutex_consistent(mutex) == 0);
	else
		check(result == 0);
}

static void unlock_mutex(void)
{
	check(pthread_mutex_unlock(mutex) == 0);
}

static void let_all_come(void)
{
	turn_give(&has_first);
	turn_await(&is_free);
}

static void play_rounds(unsigned long count)
{
	for (round_number = 0; round_number < count; round_number++)
		play_round();
	check_waits_once();
	tell_lock_truth();
}

/* ---- a holder that computes, and calls nothing ---- */

/* 1.2, 2 and 3 ms from when all others wait. */
static NOINLINE void compute_with_it(void)
{
	static const long long lengths_us[] = {1200, 2000, 3000};
	long long end_ns;

	while (!__atomic_load_n(&lock_round->is_complete, __ATOMIC_SEQ_CST))
		touch();
	end_ns = now_ns() + lengths_us[round_number % 3] * 1000;
	while (now_ns() < end_ns)
		touch();
}

static void compute(struct member *member)
{
	struct lock_event *hold;

	lock_mutex(member);
	hold = hold_begin(0);
	if (member->place == 0) {
		turn_give(&has_first);
		compute_with_it();
	}
	hold_end(hold);
	unlock_mutex();
	if (member->place == 0)
		turn_await(&is_free);
}

static void computing(unsigned long count)
{
	lock_declare("guard", mutex);
	start_members(3, compute);
	play_rounds(count);
}

/* ---- one who waits gives up, the other one stays: the one who came later, or first ---- */

#define PATIENCE_MS 20

static void lock_in_time(void)
{
	clockid_t clock = round_number & 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
	struct lock_event *wait;
	struct timespec end;
	int result;

	check(clock_gettime(clock, &end) == 0);
	end.tv_nsec += PATIENCE_MS * 1000000;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	wait = wait_begin(0);
	result = clock == CLOCK_REALTIME ? pthread_mutex_timedlock(mutex, &end)
					 : pthread_mutex_clocklock(mutex, clock, &end);
	wait_end(wait);
	check(result == ETIMEDOUT);
}

/* Who stays gets it before or after the other one gives up, and keeps it until then. */
static void lose_patience(struct member *member)
{
	bool is_early = round_number & 1;
	struct lock_event *hold;

	if (member->place == (is_early ? 2 : 1)) {
		lock_in_time();
		return;
	}
	lock_mutex(member);
	hold = hold_begin(0);
	if (member->place == 0)
		let_all_come();
	pause_us(1000 * (member->place == is_early ? 2 * PATIENCE_MS : PATIENCE_MS / 4));
	hold_end(hold);
	unlock_mutex();
}

static void patience(unsigned long count)
{
	lock_declare("guard", mutex);
	start_members(3, lose_patience);
	play_rounds(count);
}

/* ---- a crowd: each holds longer than the one before, or shorter ---- */

static NOINLINE void hold_in_turn(struct member *member)
{
	struct lock_event *hold = hold_begin(0);

	if (member->place == 0)
		let_all_come();
	pause_us(round_number & 1 ? 15000 - 600 * member->place : 1000 + 600 * member->place);
	hold_end(hold);
}

static NOINLINE void queue_up(struct member *member)
{
	lock_mutex(member);
	hold_in_turn(member);
	unlock_mutex();
}

/* Each is the first one once, and after half of the others. */
static void play_turns(unsigned long count)
{
	for (round_number = 0; round_number < count; round_number++) {
		lock_round->first = (unsigned int)(round_number * 7 % lock_round->count);
		play_round();
	}
	check_waits_once();
	tell_lock_truth();
}

static void crowd(unsigned long count)
{
	lock_declare("guard", mutex);
	start_members(CROWD, queue_up);
	play_turns(count);
}

/* ---- a rwlock of two processes: a writer and a reader of each, and the writers come first ---- */

static pthread_rwlock_t *rwlock;

static void write_table(struct member *member)
{
	struct lock_event *wait = member->place ? wait_begin(0) : NULL;
	struct lock_event *hold;

	check(pthread_rwlock_wrlock(rwlock) == 0);
	if (wait)
		wait_end(wait);
	hold = hold_begin(0);
	if (member->place == 0)
		let_all_come();
	pause_us(member->place ? 6000 : 12000);
	hold_end(hold);
}

static void read_table(void)
{
	struct lock_event *wait = wait_begin(1);

	check(pthread_rwlock_rdlock(rwlock) == 0);
	wait_end(wait);
}

static NOINLINE void use_table(struct member *member)
{
	if (member->place < 2)
		write_table(member);
	else
		read_table();
	check(pthread_rwlock_unlock(rwlock) == 0);
}

static void rwlock_of_two(unsigned long count)
{
	pthread_rwlockattr_t how;

	rwlock = share(sizeof(*rwlock));
	check(pthread_rwlockattr_init(&how) == 0);
	check(pthread_rwlockattr_setpshared(&how, PTHREAD_PROCESS_SHARED) == 0);
	check(pthread_rwlockattr_setkind_np(&how, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) ==
	      0);
	check(pthread_rwlock_init(rwlock, &how) == 0);
	lock_declare("table/write", rwlock);
	lock_declare("table/read", rwlock);
	start_members_of_two(4, use_table);
	play_turns(count);
}

/* ---- an owner that ends with it ---- */

static void *die_with_it(void *arg)
{
	struct lock_event *hold;

	prctl(PR_SET_NAME, "owner");
	check(pthread_mutex_lock(mutex) == 0);
	hold = hold_begin(0);
	let_all_come();
	pause_ms(HOLD_MS);
	hold_end(hold);
	return arg;
}

static void end_thread(void)
{
	pthread_t thread;

	check(pthread_create(&thread, NULL, die_with_it, NULL) == 0);
	check(pthread_detach(thread) == 0);
}

static void end_process(void)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (pid == 0) {
		die_with_it(NULL);
		raise(SIGKILL);
	}
	check(waitpid(pid, NULL, 0) == pid);
}

static void (*end_owner)(void);

static NOINLINE void inherit(struct member *member)
{
	struct lock_event *hold;

	if (member->place == 0) {
		end_owner();
		return;
	}
	lock_mutex(member);
	hold = hold_begin(0);
	pause_us(4000);
	hold_end(hold);
	unlock_mutex();
}

static void play_deaths(int protocol, void (*end)(void), unsigned long count)
{
	pthread_mutexattr_t how;

	if (end == end_process)
		mutex = share(sizeof(*mutex));
	end_owner = end;
	check(pthread_mutexattr_init(&how) == 0);
	check(pthread_mutexattr_setprotocol(&how, protocol) == 0);
	check(pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST) == 0);
	check(pthread_mutexattr_setpshared(&how, end == end_process
							 ? PTHREAD_PROCESS_SHARED
							 : PTHREAD_PROCESS_PRIVATE) == 0);
	check(pthread_mutex_init(mutex, &how) == 0);
	lock_declare("guard", mutex);
	start_members(3, inherit);
	play_rounds(count);
}

static void dead_owner(unsigned long count)
{
	play_deaths(PTHREAD_PRIO_NONE, end_thread, count);
}

static void dead_owner_pi(unsigned long count)
{
	play_deaths(PTHREAD_PRIO_INHERIT, end_thread, count);
}

static void dead_process(unsigned long count)
{
	play_deaths(PTHREAD_PRIO_NONE, end_process, count);
}

static void dead_process_pi(unsigned long count)
{
	play_deaths(PTHREAD_PRIO_INHERIT, end_process, count);
}

static const struct mode modes[] = {
	{"computing", computing},
	{"patience", patience},
	{"crowd", crowd},
	{"rwlock_of_two", rwlock_of_two},
	{"dead_owner", dead_owner},
	{"dead_owner_pi", dead_owner_pi},
	{"dead_process", dead_process},
	{"dead_process_pi", dead_process_pi},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return lock_main(argc, argv, modes);
}
