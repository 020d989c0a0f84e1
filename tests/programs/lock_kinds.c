/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One waiter and one owner for each kind of POSIX lock: `lock_kinds KIND [ROUNDS]`.
 * What the waiter waits for, and how long, is told as lock_truth.h says.
 */
#include "lock_pair.h"

#include <semaphore.h>

/* ---- mutexes ---- */

static pthread_mutex_t guard;
static pthread_mutex_t *mutex = &guard;

struct mutex_kind {
	int type;
	int protocol;
	int robustness;
	bool is_shared;
};

static void lock_mutex(void)
{
	check(pthread_mutex_lock(mutex) == 0);
}

static void unlock_mutex(void)
{
	check(pthread_mutex_unlock(mutex) == 0);
}

static void init_mutex(struct mutex_kind kind)
{
	pthread_mutexattr_t how;

	if (kind.is_shared)
		mutex = share(sizeof(*mutex));
	check(pthread_mutexattr_init(&how) == 0);
	check(pthread_mutexattr_settype(&how, kind.type) == 0);
	check(pthread_mutexattr_setprotocol(&how, kind.protocol) == 0);
	check(pthread_mutexattr_setrobust(&how, kind.robustness) == 0);
	check(pthread_mutexattr_setpshared(&how, kind.is_shared ? PTHREAD_PROCESS_SHARED
								: PTHREAD_PROCESS_PRIVATE) == 0);
	check(pthread_mutex_init(mutex, &how) == 0);
}

static void run_mutex(struct mutex_kind kind, unsigned long count)
{
	init_mutex(kind);
	run_pair((struct lock_pair){.name = "guard",
				    .address = mutex,
				    .take = lock_mutex,
				    .give = unlock_mutex,
				    .wait = lock_mutex,
				    .after = unlock_mutex,
				    .is_process = kind.is_shared},
		 count);
}

static void mutex_normal(unsigned long count)
{
	run_mutex((struct mutex_kind){.type = PTHREAD_MUTEX_NORMAL}, count);
}

static void mutex_recursive(unsigned long count)
{
	run_mutex((struct mutex_kind){.type = PTHREAD_MUTEX_RECURSIVE}, count);
}

static void mutex_errorcheck(unsigned long count)
{
	run_mutex((struct mutex_kind){.type = PTHREAD_MUTEX_ERRORCHECK}, count);
}

static void mutex_adaptive(unsigned long count)
{
	run_mutex((struct mutex_kind){.type = PTHREAD_MUTEX_ADAPTIVE_NP}, count);
}

static void mutex_robust(unsigned long count)
{
	run_mutex((struct mutex_kind){.robustness = PTHREAD_MUTEX_ROBUST}, count);
}

static void mutex_pi(unsigned long count)
{
	run_mutex((struct mutex_kind){.protocol = PTHREAD_PRIO_INHERIT}, count);
}

static void mutex_shared(unsigned long count)
{
	run_mutex((struct mutex_kind){.is_shared = true}, count);
}

static void mutex_shared_robust(unsigned long count)
{
	run_mutex((struct mutex_kind){.robustness = PTHREAD_MUTEX_ROBUST, .is_shared = true},
		  count);
}

static void mutex_shared_pi(unsigned long count)
{
	run_mutex((struct mutex_kind){.protocol = PTHREAD_PRIO_INHERIT, .is_shared = true}, count);
}

/* The owner has it for as long as the waiter's patience lasts. */
static struct turn turn_to_give;

static void hold_until_told(void)
{
	struct lock_event *hold;

	lock_mutex();
	hold = hold_begin(0);
	turn_give(&turn_to_wait);
	turn_await(&turn_to_give);
	hold_end(hold);
	unlock_mutex();
}

static void lock_in_time(void)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += HOLD_MS * 1000000;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	check(pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &end) == ETIMEDOUT);
}

static void tell_to_give(void)
{
	turn_give(&turn_to_give);
}

static void mutex_timed_out(unsigned long count)
{
	turn_init(&turn_to_give);
	run_pair((struct lock_pair){.name = "guard",
				    .address = mutex,
				    .own = hold_until_told,
				    .wait = lock_in_time,
				    .after = tell_to_give},
		 count);
}

/* ---- rwlocks ---- */

static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_rwlock_t *rwlock = &table;

static void lock_to_read(void)
{
	check(pthread_rwlock_rdlock(rwlock) == 0);
}

static void lock_to_write(void)
{
	check(pthread_rwlock_wrlock(rwlock) == 0);
}

static void unlock_rwlock(void)
{
	check(pthread_rwlock_unlock(rwlock) == 0);
}

static void play_rwlock(const char *name, void (*take)(void), void (*wait)(void), bool is_process,
			unsigned long count)
{
	play_pair((struct lock_pair){.name = name,
				     .address = rwlock,
				     .take = take,
				     .give = unlock_rwlock,
				     .wait = wait,
				     .after = unlock_rwlock,
				     .is_process = is_process},
		  count);
}

static void readers_for_writer(unsigned long count)
{
	play_rwlock("table/read", lock_to_write, lock_to_read, false, count);
	tell_lock_truth();
}

static void writers_for_readers(unsigned long count)
{
	play_rwlock("table/write", lock_to_read, lock_to_write, false, count);
	tell_lock_truth();
}

static void writers_for_writers(unsigned long count)
{
	play_rwlock("table/write", lock_to_write, lock_to_write, false, count);
	tell_lock_truth();
}

static void readers_and_writers(unsigned long count)
{
	play_rwlock("table/read", lock_to_write, lock_to_read, false, count);
	play_rwlock("table/write", lock_to_read, lock_to_write, false, count);
	play_rwlock("table/write", lock_to_write, lock_to_write, false, count);
	tell_lock_truth();
}

static void rwlock_shared(unsigned long count)
{
	pthread_rwlockattr_t how;

	rwlock = share(sizeof(*rwlock));
	check(pthread_rwlockattr_init(&how) == 0);
	check(pthread_rwlockattr_setpshared(&how, PTHREAD_PROCESS_SHARED) == 0);
	check(pthread_rwlock_init(rwlock, &how) == 0);
	play_rwlock("table/read", lock_to_write, lock_to_read, true, count);
	tell_lock_truth();
}

/* A reader holds it, a writer waits, and so does the next reader, who would else go on. */
static struct turn turn_to_hold;
static struct turn turn_to_write;
static pid_t rwlock_writer;

static NOINLINE void *read_in_turn(void *arg)
{
	prctl(PR_SET_NAME, "reader");
	for (unsigned long i = 0; i < lock_pair_rounds; i++) {
		turn_await(&turn_to_hold);
		lock_to_read();
		turn_give(&turn_to_write);
		await_futex(lock_waiter, rwlock_writer);
		turn_give(&turn_to_wait);
		await_futex(lock_waiter, lock_waiter);
		pause_ms(HOLD_MS);
		unlock_rwlock();
	}
	return arg;
}

static NOINLINE void *write_in_turn(void *arg)
{
	prctl(PR_SET_NAME, "writer");
	rwlock_writer = own_tid();
	turn_give(&turn_to_end);
	for (unsigned long i = 0; i < lock_pair_rounds; i++) {
		turn_await(&turn_to_write);
		lock_to_write();
		unlock_rwlock();
		turn_give(&turn_to_end);
	}
	return arg;
}

static void start_detached(void *(*run)(void *arg))
{
	pthread_t thread;

	check(pthread_create(&thread, NULL, run, NULL) == 0);
	check(pthread_detach(thread) == 0);
}

/* Only where the lock is is told: a call to read may wait twice. */
static void prefer_writers(int is_shared, unsigned long count)
{
	pthread_rwlockattr_t how;

	check(pthread_rwlockattr_init(&how) == 0);
	check(pthread_rwlockattr_setkind_np(&how, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) ==
	      0);
	check(pthread_rwlockattr_setpshared(&how, is_shared) == 0);
	check(pthread_rwlock_init(rwlock, &how) == 0);
	lock_waiter = getpid();
	lock_pair_rounds = count;
	turn_init(&turn_to_hold);
	turn_init(&turn_to_write);
	turn_init(&turn_to_wait);
	turn_init(&turn_to_end);
	start_detached(write_in_turn);
	turn_await(&turn_to_end);
	start_detached(read_in_turn);
	for (unsigned long i = 0; i < count; i++) {
		turn_give(&turn_to_hold);
		turn_await(&turn_to_wait);
		lock_to_read();
		unlock_rwlock();
		turn_await(&turn_to_end);
	}
	printf("rwlock %llu\n", (unsigned long long)(uintptr_t)rwlock);
}

static void writers_preferred(unsigned long count)
{
	prefer_writers(PTHREAD_PROCESS_PRIVATE, count);
}

static void writers_preferred_shared(unsigned long count)
{
	rwlock = share(sizeof(*rwlock));
	prefer_writers(PTHREAD_PROCESS_SHARED, count);
}

/* ---- condition variables ---- */

struct condition {
	pthread_mutex_t mutex;
	pthread_cond_t is_changed;
	bool is_signalled;
};

static pthread_mutex_t state_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t is_changed = PTHREAD_COND_INITIALIZER;
static bool is_signalled_here;

static struct {
	pthread_mutex_t *mutex;
	pthread_cond_t *is_changed;
	bool *is_signalled;
} condition = {&state_mutex, &is_changed, &is_signalled_here};

/* Not with the mutex: the waiter would have to wait for that as well. */
static NOINLINE void signal_change(void)
{
	check(pthread_mutex_lock(condition.mutex) == 0);
	*condition.is_signalled = true;
	check(pthread_mutex_unlock(condition.mutex) == 0);
	check(pthread_cond_signal(condition.is_changed) == 0);
	touch();
}

static NOINLINE void await_change(void)
{
	check(pthread_mutex_lock(condition.mutex) == 0);
	while (!*condition.is_signalled)
		check(pthread_cond_wait(condition.is_changed, condition.mutex) == 0);
	*condition.is_signalled = false;
	check(pthread_mutex_unlock(condition.mutex) == 0);
}

static void run_condition(bool is_process, unsigned long count)
{
	run_pair((struct lock_pair){.name = "is_changed",
				    .address = condition.is_changed,
				    .give = signal_change,
				    .wait = await_change,
				    .is_process = is_process},
		 count);
}

static void condvar(unsigned long count)
{
	run_condition(false, count);
}

/* The waiter has been signalled, and is not let go on. */
static NOINLINE void linger_with_mutex(void)
{
	while (futex_of(lock_waiter, lock_waiter) != (uintptr_t)condition.mutex)
		wait_a_moment();
	pause_ms(HOLD_MS);
	touch();
}

static void *signal_with_mutex(void *arg)
{
	prctl(PR_SET_NAME, "owner");
	for (unsigned long i = 0; i < lock_pair_rounds; i++) {
		turn_await(&turn_to_take);
		await_futex(lock_waiter, lock_waiter);
		check(pthread_mutex_lock(condition.mutex) == 0);
		*condition.is_signalled = true;
		check(pthread_cond_signal(condition.is_changed) == 0);
		linger_with_mutex();
		check(pthread_mutex_unlock(condition.mutex) == 0);
	}
	return arg;
}

/* Who waits is woken, and then waits for the mutex; nothing is told. */
static void condvar_mutex(unsigned long count)
{
	lock_waiter = getpid();
	lock_pair_rounds = count;
	turn_init(&turn_to_take);
	start_detached(signal_with_mutex);
	for (unsigned long i = 0; i < count; i++) {
		turn_give(&turn_to_take);
		await_change();
	}
}

static void condvar_shared(unsigned long count)
{
	struct condition *shared = share(sizeof(*shared));
	pthread_mutexattr_t mutex_how;
	pthread_condattr_t how;

	check(pthread_mutexattr_init(&mutex_how) == 0);
	check(pthread_mutexattr_setpshared(&mutex_how, PTHREAD_PROCESS_SHARED) == 0);
	check(pthread_mutex_init(&shared->mutex, &mutex_how) == 0);
	check(pthread_condattr_init(&how) == 0);
	check(pthread_condattr_setpshared(&how, PTHREAD_PROCESS_SHARED) == 0);
	check(pthread_cond_init(&shared->is_changed, &how) == 0);
	condition.mutex = &shared->mutex;
	condition.is_changed = &shared->is_changed;
	condition.is_signalled = &shared->is_signalled;
	run_condition(true, count);
}

/* ---- semaphores and barriers ---- */

static sem_t credits;
static sem_t *semaphore = &credits;
static pthread_barrier_t gate;

static NOINLINE void post_credit(void)
{
	check(sem_post(semaphore) == 0);
	touch();
}

static NOINLINE void await_credit(void)
{
	check(sem_wait(semaphore) == 0);
}

static void run_semaphore(bool is_process, unsigned long count)
{
	check(sem_init(semaphore, is_process, 0) == 0);
	run_pair((struct lock_pair){.name = "credits",
				    .address = semaphore,
				    .give = post_credit,
				    .wait = await_credit,
				    .is_process = is_process},
		 count);
}

static void semaphore_private(unsigned long count)
{
	run_semaphore(false, count);
}

static void semaphore_shared(unsigned long count)
{
	semaphore = share(sizeof(*semaphore));
	run_semaphore(true, count);
}

static NOINLINE void meet(void)
{
	int result = pthread_barrier_wait(&gate);

	check(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
}

static void barrier(unsigned long count)
{
	check(pthread_barrier_init(&gate, NULL, 2) == 0);
	run_pair((struct lock_pair){.name = "gate", .address = &gate, .give = meet, .wait = meet},
		 count);
}

/* ---- one after the other in the same memory ---- */

static union {
	sem_t semaphore;
	pthread_mutex_t mutex;
} reused;

/* Most of the time it is a semaphore; what it is at the end is told by its kind alone. */
static void semaphore_then_mutex(unsigned long count)
{
	semaphore = &reused.semaphore;
	check(sem_init(semaphore, 0, 0) == 0);
	play_pair((struct lock_pair){.name = "reused",
				     .address = &reused,
				     .give = post_credit,
				     .wait = await_credit},
		  count);
	mutex = &reused.mutex;
	init_mutex((struct mutex_kind){.type = PTHREAD_MUTEX_NORMAL});
	play_pair((struct lock_pair){.name = "reused",
				     .address = &reused,
				     .take = lock_mutex,
				     .give = unlock_mutex,
				     .wait = lock_mutex,
				     .after = unlock_mutex},
		  count / 8);
}

/* ---- threads that end ---- */

static void start_thread(pthread_t *thread)
{
	check(pthread_create(thread, NULL, live_while_wanted, NULL) == 0);
}

static void join_thread(pthread_t thread)
{
	check(pthread_join(thread, NULL) == 0);
}

static void join(unsigned long count)
{
	run_joins(start_thread, join_thread, count);
}

/* ---- once ---- */

static pthread_once_t is_begun;

static void begin_again(void)
{
	is_begun = PTHREAD_ONCE_INIT;
}

static NOINLINE void begin_once(void)
{
	check(pthread_once(&is_begun, hold_while_wanted) == 0);
}

static void once(unsigned long count)
{
	run_pair((struct lock_pair){.name = "is_begun",
				    .address = &is_begun,
				    .own = begin_once,
				    .wait = begin_once,
				    .after = begin_again},
		 count);
}

static const struct mode modes[] = {
	{"mutex", mutex_normal},
	{"mutex_recursive", mutex_recursive},
	{"mutex_errorcheck", mutex_errorcheck},
	{"mutex_adaptive", mutex_adaptive},
	{"mutex_robust", mutex_robust},
	{"mutex_pi", mutex_pi},
	{"mutex_shared", mutex_shared},
	{"mutex_shared_robust", mutex_shared_robust},
	{"mutex_shared_pi", mutex_shared_pi},
	{"mutex_timed_out", mutex_timed_out},
	{"readers_for_writer", readers_for_writer},
	{"writers_for_readers", writers_for_readers},
	{"writers_for_writers", writers_for_writers},
	{"readers_and_writers", readers_and_writers},
	{"rwlock_shared", rwlock_shared},
	{"writers_preferred", writers_preferred},
	{"writers_preferred_shared", writers_preferred_shared},
	{"condvar", condvar},
	{"condvar_mutex", condvar_mutex},
	{"condvar_shared", condvar_shared},
	{"semaphore", semaphore_private},
	{"semaphore_shared", semaphore_shared},
	{"semaphore_then_mutex", semaphore_then_mutex},
	{"barrier", barrier},
	{"join", join},
	{"once", once},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return lock_main(argc, argv, modes);
}
