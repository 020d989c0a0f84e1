/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slow spans that wait for one who has, or has not yet given, what they want: for each kind of lock
 * one who takes it and one who waits. Who has it has no span. The address of what is waited for is told.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "scene.h"

#define QUEUE 8
#define TURN_MS 5
#define PART_MS \
	20 /* longer than an emulated CPU stands still, as what is over before it blocks is no wait */

/* ---- kinds ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t pi_mutex;
static pthread_mutex_t recursive_mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t condition_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static bool is_signalled;
static sem_t semaphore;
static int release_pipe[2];

struct kind {
	const void *address;
	void (*take)(void); /* NULL: nothing to be taken */
	void (*linger)(void);
	void (*give)(void);
	void (*wait)(void);
};

static struct kind kind;

static void lock_mutex(void)
{
	pthread_mutex_lock(&mutex);
}

static void unlock_mutex(void)
{
	pthread_mutex_unlock(&mutex);
}

static void pass_mutex(void)
{
	lock_mutex();
	unlock_mutex();
}

static void lock_pi(void)
{
	pthread_mutex_lock(&pi_mutex);
}

static void unlock_pi(void)
{
	pthread_mutex_unlock(&pi_mutex);
}

static void pass_pi(void)
{
	lock_pi();
	unlock_pi();
}

/* Twice: it is held until it was given back as often. */
static void lock_recursive(void)
{
	pthread_mutex_lock(&recursive_mutex);
	pthread_mutex_lock(&recursive_mutex);
	pthread_mutex_unlock(&recursive_mutex);
}

static void unlock_recursive(void)
{
	pthread_mutex_unlock(&recursive_mutex);
}

static void pass_recursive(void)
{
	lock_recursive();
	unlock_recursive();
}

static void lock_to_write(void)
{
	pthread_rwlock_wrlock(&rwlock);
}

static void lock_to_read(void)
{
	pthread_rwlock_rdlock(&rwlock);
}

static void unlock_rwlock(void)
{
	pthread_rwlock_unlock(&rwlock);
}

static void pass_to_write(void)
{
	lock_to_write();
	unlock_rwlock();
}

static void pass_to_read(void)
{
	lock_to_read();
	unlock_rwlock();
}

static void post_semaphore(void)
{
	sem_post(&semaphore);
}

static void wait_semaphore(void)
{
	sem_await(&semaphore);
}

static void signal_condition(void)
{
	pthread_mutex_lock(&condition_mutex);
	is_signalled = true;
	pthread_mutex_unlock(&condition_mutex);
	pthread_cond_signal(&condition);
}

static void wait_condition(void)
{
	pthread_mutex_lock(&condition_mutex);
	while (!is_signalled)
		pthread_cond_wait(&condition, &condition_mutex);
	is_signalled = false;
	pthread_mutex_unlock(&condition_mutex);
}

/* ---- what is done meanwhile ---- */

static void doze(void)
{
	pause_ms(SLOW_MS);
}

static void compute(void)
{
	long long end = now_ns() + SLOW_MS * 1000000ll;

	while (now_ns() < end)
		for (int i = 0; i < 1000; i++)
			touch();
}

/* Whose byte comes once the waiter has waited for a while. */
static void read_byte(void)
{
	char byte;

	check(read(release_pipe[0], &byte, 1) == 1);
}

/* In one kind of wait after the other, each of which ends by itself. */
static void wait_variously(void)
{
	struct timespec end = {.tv_nsec = PART_MS * 1000000};
	sigset_t none;
	int queue;

	sigemptyset(&none);
	check(clock_nanosleep(CLOCK_MONOTONIC, 0, &end, NULL) == 0);
	check(poll(NULL, 0, PART_MS) == 0);
	check(ppoll(NULL, 0, &end, &none) == 0);
	check(pselect(0, NULL, NULL, NULL, &end, &none) == 0);
	check(sigtimedwait(&none, NULL, &end) == -1 && errno == EAGAIN);
	queue = epoll_create1(EPOLL_CLOEXEC);
	check(epoll_wait(queue, &(struct epoll_event){0}, 1, PART_MS) == 0);
	close(queue);
	check(clock_gettime(CLOCK_REALTIME, &end) == 0);
	end.tv_nsec += PART_MS * 1000000;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	check(sem_timedwait(&semaphore, &end) == -1 && errno == ETIMEDOUT);
}

/* ---- the one who has it ---- */

static NOINLINE void linger_with_it(void)
{
	kind.linger();
	touch();
}

static NOINLINE void give_it(void)
{
	kind.give();
	touch();
}

static void be_owner(struct actor *actor)
{
	if (kind.take)
		kind.take();
	await_span(actor);
	linger_with_it();
	give_it();
}

static struct actor owner = {.act = be_owner, .name = "owner"};

static void prepare_owner(void)
{
	set_scene(&owner);
}

/* ---- the one who wants it ---- */

static NOINLINE void want_it(void)
{
	kind.wait();
	touch();
}

static void want_late(void)
{
	sem_post(&owner.is_entered);
	want_it();
}

/* Once for all rounds, which may be run several times. */
static void start_owner(struct kind wanted)
{
	if (owner.tid)
		return;
	kind = wanted;
	printf("address %p\n", kind.address);
	start_actor(&owner);
}

static void run_kind(struct kind wanted, unsigned long count)
{
	start_owner(wanted);
	play((struct scene){prepare_owner, want_late, work}, count);
}

static void mutexes(unsigned long count)
{
	run_kind((struct kind){&mutex, lock_mutex, doze, unlock_mutex, pass_mutex}, count);
}

static void parts(unsigned long count)
{
	check(sem_init(&semaphore, 0, 0) == 0);
	run_kind((struct kind){&mutex, lock_mutex, wait_variously, unlock_mutex, pass_mutex},
		 count);
}

static void computing(unsigned long count)
{
	run_kind((struct kind){&mutex, lock_mutex, compute, unlock_mutex, pass_mutex}, count);
}

static void pi_mutexes(unsigned long count)
{
	pthread_mutexattr_t how;

	if (!owner.tid) {
		pthread_mutexattr_init(&how);
		check(pthread_mutexattr_setprotocol(&how, PTHREAD_PRIO_INHERIT) == 0);
		check(pthread_mutex_init(&pi_mutex, &how) == 0);
	}
	run_kind((struct kind){&pi_mutex, lock_pi, doze, unlock_pi, pass_pi}, count);
}

static void recursive_mutexes(unsigned long count)
{
	run_kind((struct kind){&recursive_mutex, lock_recursive, doze, unlock_recursive,
			       pass_recursive},
		 count);
}

static void readers(unsigned long count)
{
	run_kind((struct kind){&rwlock, lock_to_write, doze, unlock_rwlock, pass_to_read}, count);
}

static void writers(unsigned long count)
{
	run_kind((struct kind){&rwlock, lock_to_write, doze, unlock_rwlock, pass_to_write}, count);
}

static void writers_behind_readers(unsigned long count)
{
	run_kind((struct kind){&rwlock, lock_to_read, doze, unlock_rwlock, pass_to_write}, count);
}

static void semaphores(unsigned long count)
{
	check(sem_init(&semaphore, 0, 0) == 0);
	run_kind((struct kind){&semaphore, NULL, doze, post_semaphore, wait_semaphore}, count);
}

static void conditions(unsigned long count)
{
	run_kind((struct kind){&condition, NULL, doze, signal_condition, wait_condition}, count);
}

/* ---- a thread that is awaited ---- */

static NOINLINE void *live_shortly(void *arg)
{
	prctl(PR_SET_NAME, "owner");
	pause_ms(SLOW_MS);
	touch();
	return arg;
}

static pthread_t awaited;

static void start_awaited(void)
{
	check(pthread_create(&awaited, NULL, live_shortly, NULL) == 0);
}

static NOINLINE void want_end(void)
{
	check(pthread_join(awaited, NULL) == 0);
	touch();
}

static void joins(unsigned long count)
{
	play((struct scene){start_awaited, want_end, work}, count);
}

/* ---- a queue of threads ---- */

static pthread_barrier_t turn;
static unsigned long turns;

static NOINLINE void take_turn(void)
{
	PROBEKIT_SPAN(scene, request);

	pthread_mutex_lock(&mutex);
	pause_ms(TURN_MS);
	pthread_mutex_unlock(&mutex);
	touch();
}

static void *take_turns(void *arg)
{
	prctl(PR_SET_NAME, "owner");
	for (unsigned long i = 0; i < turns; i++) {
		pthread_barrier_wait(&turn);
		take_turn();
	}
	return arg;
}

static void queue(unsigned long count)
{
	pthread_t threads[QUEUE];

	turns = count / QUEUE;
	check(pthread_barrier_init(&turn, NULL, QUEUE) == 0);
	printf("address %p\n", (void *)&mutex);
	for (int i = 0; i < QUEUE; i++)
		check(pthread_create(&threads[i], NULL, take_turns, NULL) == 0);
	for (int i = 0; i < QUEUE; i++)
		check(pthread_join(threads[i], NULL) == 0);
	pthread_barrier_destroy(&turn);
}

/* ---- an owner of long ago ---- */

static pid_t wanter;

/* Lets the owner wait some more for its byte once the span's thread waits for the owner. */
static void *write_byte(void *arg)
{
	while (state_of(wanter) != 'S')
		pause_ms(1);
	pause_ms(SLOW_MS);
	check(write(release_pipe[1], "", 1) == 1);
	return arg;
}

static void want_from_old(void)
{
	pthread_t writer;

	check(pthread_create(&writer, NULL, write_byte, NULL) == 0);
	want_it();
	check(pthread_join(writer, NULL) == 0);
}

/* The first run leaves the owner with the lock, in a system call; the second one waits for it. */
static void old_owner(unsigned long count)
{
	(void)count;
	if (!owner.tid) {
		check(pipe2(release_pipe, O_CLOEXEC) == 0);
		start_owner((struct kind){&mutex, lock_mutex, read_byte, unlock_mutex, pass_mutex});
		set_scene(&owner);
		sem_post(&owner.is_entered);
		while (state_of(owner.tid) != 'S')
			pause_ms(1);
		return;
	}
	wanter = getpid();
	play((struct scene){NULL, want_from_old, want_from_old}, 1);
}

static const struct mode modes[] = {
	{"mutex", mutexes},
	{"parts", parts},
	{"computing", computing},
	{"pi_mutex", pi_mutexes},
	{"recursive_mutex", recursive_mutexes},
	{"reader", readers},
	{"writer", writers},
	{"writer_behind_reader", writers_behind_readers},
	{"semaphore", semaphores},
	{"condition", conditions},
	{"join", joins},
	{"queue", queue},
	{"old_owner", old_owner},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return scene_main(argc, argv, modes);
}
