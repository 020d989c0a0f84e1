/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_TELL_H
#define LOCK_TELL_H
/*
 * What a program tells of its locks, from what it has noted.
 *
 * At its end the program prints
 *
 *	lock NAME ADDRESS waits N ns T	waits over 100 us for NAME ("NAME/read", "NAME/write" if apart)
 *	most NAME ns N			the longest of them
 *	barged NAME waits N		so many ended with the lock taken by another again
 *	unsure NAME ns N		so much of it may have been after a wait: its thread lost its CPU
 *	waiter NAME TID waits N		so many of them were this thread's
 *	holder NAME TID waits N		in so many waits over 1 ms this thread had it longest
 *	rival NAME TID waits N		in so many it had it as long as another, or nearly
 *	held NAME TID ns N pid PID	for so long, of all that was waited, this thread of PID had it
 *	waker NAME TID waits N		so many waits were ended by this thread
 */
#include "lock_truth.h"

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
static inline pid_t longest_holder(const struct lock_event *wait)
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

/* Between clocks and the calls beside them. */
#define RIVAL_NS 200000

/* Is that nearly as long as `most_ns`, with the time for which the lock was free and the thread, which was to have
 * it next, had no CPU yet? */
static inline bool comes_near(const struct lock_event *wait, pid_t tid, long long most_ns)
{
	long long held = 0;

	for (unsigned int i = 0; i < lock_log->hold_count; i++) {
		struct lock_event hold = lock_log->holds[i];

		hold.begin_ns = hold.free_since_ns;
		if (hold.tid == tid && is_same_lock(hold.lock, wait->lock))
			held += overlap_ns(&hold, wait);
	}
	return held > 0 && held > most_ns - RIVAL_NS;
}

/* It had it nearly as long as who had it longest, or is that one, and has a rival. */
static inline bool is_rival(const struct lock_event *wait, pid_t tid)
{
	pid_t longest = longest_holder(wait);
	long long most = held_ns(wait, longest);

	if (tid != longest)
		return comes_near(wait, tid, most);
	for (unsigned int i = 0; i < lock_log->hold_count; i++)
		if (lock_log->holds[i].tid != tid && comes_near(wait, lock_log->holds[i].tid, most))
			return true;
	return false;
}

/* 0: several had it as long. */
static inline pid_t holder_of(const struct lock_event *wait)
{
	pid_t longest = longest_holder(wait);

	return longest && is_rival(wait, longest) ? 0 : longest;
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

/* In how many waits it was the one's rival, or had one. */
static inline void tell_rival(int lock, pid_t tid)
{
	long waits = 0;

	for (unsigned int i = 0; i < lock_log->wait_count; i++) {
		const struct lock_event *wait = &lock_log->waits[i];

		waits += is_of(wait, lock) && waited_ns(wait) > HELD_WAIT_NS && is_rival(wait, tid);
	}
	if (waits)
		printf("rival %s %d waits %ld\n", lock_log->locks[lock].name, (int)tid, waits);
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
		printf("held %s %d ns %lld pid %d\n", lock_log->locks[lock].name, (int)hold->tid,
		       held, (int)hold->pid);
		tell_rival(lock, hold->tid);
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

/* A call waits once, unless the scene has others take the lock again, or the machine has stood still: then this was
 * not the scene, and the program ends with a status that says so. */
#define NOT_PLAYED 75

static inline void check_waits_once(void)
{
	for (unsigned int i = 0; i < lock_log->wait_count; i++) {
		const struct lock_event *wait = &lock_log->waits[i];

		if (wait->blocks != 1 || waited_ns(wait) <= HELD_WAIT_NS)
			exit(NOT_PLAYED);
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
