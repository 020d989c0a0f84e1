/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads each of which waits for one kind of thing alone, in a function of its own, or runs. What they
 * took is told by class, from the kernel's own accounts: wall time less time on a CPU less time queued.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "truth.h"

#define PAUSE_MS 4

/* ---- what a thread took ---- */

/* Of the calling thread. */
static struct reading read_account(void)
{
	int schedstat = open_schedstat();
	struct reading now = read_at_once(schedstat);

	close(schedstat);
	return now;
}

static atomic_llong delay_sum;

static long long blocked_ns(const struct reading *begin, const struct reading *end)
{
	return end->wall - begin->wall - (end->cpu - begin->cpu) - (end->delay - begin->delay);
}

/* Of the calling thread. */
static long long blocked_since(const struct reading *begin)
{
	struct reading end = read_account();

	return blocked_ns(begin, &end);
}

/* The same, as the last that is asked of it. What it was queued before counts too. */
static long long account(const struct reading *begin)
{
	struct reading end = read_account();

	delay_sum += end.delay;
	return blocked_ns(begin, &end);
}

/* ---- what they do ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t is_held;
static int bytes[2];

static NOINLINE void want_time(void)
{
	pause_ms(PAUSE_MS);
	touch();
}

static NOINLINE void want_byte(void)
{
	char byte;

	check(read(bytes[0], &byte, 1) == 1);
	touch();
}

static NOINLINE void want_lock(void)
{
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	touch();
}

static NOINLINE void want_held(void)
{
	sem_await(&is_held);
	touch();
}

static NOINLINE void hold_lock(void)
{
	pthread_mutex_lock(&lock);
	sem_post(&is_held);
	pause_ms(PAUSE_MS);
	pthread_mutex_unlock(&lock);
	pause_ms(1);
}

static NOINLINE void want_event(int fd, int timeout_ms)
{
	struct epoll_event event;

	check(epoll_wait(fd, &event, 1, timeout_ms) == 0);
	touch();
}

/* Without the kernel, so that it is these functions that run. One loop for both: two can differ in speed by
 * where they lie. */
static NOINLINE void burn(unsigned long turns)
{
	for (unsigned long i = 0; i < turns; i++)
		touch();
}

static NOINLINE void burn_once(unsigned long turns)
{
	burn(turns);
	touch();
}

static NOINLINE void burn_twice(unsigned long turns)
{
	burn(2 * turns);
	touch();
}

/* Of all threads since the process began. */
static long long process_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- threads ---- */

struct worker {
	const char *name;
	void (*round)(void);
	pthread_t thread;
	atomic_bool is_over;
	long long blocked_ns;
};

static long long wanted_lock_ns; /* of what the thread was blocked in all */

static void lock_round(void)
{
	struct reading begin;

	want_held();
	begin = read_account();
	want_lock();
	wanted_lock_ns += blocked_since(&begin);
}

static void burn_round(void)
{
	burn_once(300000);
	burn_twice(300000);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct reading begin = read_account();

	while (!worker->is_over)
		worker->round();
	worker->blocked_ns = account(&begin);
	return NULL;
}

static void run_main(struct worker *worker, unsigned long ms)
{
	struct reading begin = read_account();
	long long end = now_ns() + (long long)ms * 1000000;
	int fd = epoll_create1(EPOLL_CLOEXEC);

	check(fd >= 0);
	while (now_ns() < end) {
		want_event(fd, PAUSE_MS);
		check(write(bytes[1], "", 1) == 1);
	}
	worker->blocked_ns = account(&begin);
	delay_sum -= begin.delay; /* before main(), which is not all of the program */
	tell("early", begin.delay);
	close(fd);
}

/* What a thread still does once it has told what it took nobody knows: none is to wait for a CPU then. */
static void end_one(struct worker *worker)
{
	worker->is_over = true;
	if (worker->round == lock_round)
		sem_post(&is_held);
	if (worker->round == want_byte)
		check(write(bytes[1], "", 1) == 1);
	check(pthread_join(worker->thread, NULL) == 0);
}

static void known(unsigned long ms)
{
	static struct worker workers[] = {
		{.name = "sleep", .round = want_time}, {.name = "sleep", .round = want_time},
		{.name = "ipc", .round = want_byte},   {.name = "lock", .round = lock_round},
		{.name = "sleep", .round = hold_lock}, {.name = "oncpu", .round = burn_round},
	};
	const int count = sizeof(workers) / sizeof(workers[0]);
	struct worker poller = {.name = "poll"};
	long long stolen = stolen_ns();
	long long sleep_ns = 0;
	struct reading begin;

	check(pipe2(bytes, O_CLOEXEC) == 0 && sem_init(&is_held, 0, 0) == 0);
	for (int i = 0; i < count; i++)
		check(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
	run_main(&poller, ms);
	begin = read_account();
	for (int i = count - 1; i >= 0; i--) /* first the one that never leaves its CPU */
		end_one(&workers[i]);
	workers[3].blocked_ns += account(&begin); /* pthread_join() waits as locks do */
	delay_sum -= begin.delay;
	for (int i = 0; i < count; i++)
		sleep_ns += strcmp(workers[i].name, "sleep") == 0 ? workers[i].blocked_ns : 0;
	tell("sleep", sleep_ns);
	tell("held", workers[4].blocked_ns); /* of that */
	tell("ipc", workers[2].blocked_ns);
	tell("lock", workers[3].blocked_ns);
	tell("wanted_lock", wanted_lock_ns); /* of that */
	tell("poll", poller.blocked_ns);
	tell("oncpu", process_cpu_ns());
	tell("runqueue", delay_sum);
	tell("stolen", stolen_ns() - stolen);
}

/* ---- inside of spans and outside ---- */

static NOINLINE void span(void)
{
	PROBEKIT_SPAN(profiled, span);
	want_time();
	burn_once(100000);
}

static void spans(unsigned long count)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	long long sleep_ns = 0;
	long long cpu = 0;

	check(fd >= 0);
	for (unsigned long i = 0; i < count; i++) {
		struct reading begin = read_account();
		struct reading end;

		span();
		end = read_account();
		cpu += end.cpu - begin.cpu;
		sleep_ns += blocked_ns(&begin, &end);
		want_event(fd, PAUSE_MS);
		burn_once(100000);
	}
	close(fd);
	tell("sleep", sleep_ns);
	tell("oncpu", cpu);
}

/* ---- for ever ---- */

static void *wait_for_byte(void *arg)
{
	(void)arg;
	want_byte();
	return NULL;
}

static void *wait_for_lock(void *arg)
{
	*(pid_t *)arg = (pid_t)syscall(SYS_gettid);
	want_lock();
	return NULL;
}

/* Says "waiting" once two threads are where they stay; the first follows. */
static void forever(unsigned long count)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	pthread_t threads[2];
	volatile pid_t tid = 0;

	(void)count;
	check(fd >= 0 && pipe2(bytes, O_CLOEXEC) == 0);
	pthread_mutex_lock(&lock);
	check(pthread_create(&threads[0], NULL, wait_for_byte, NULL) == 0);
	check(pthread_create(&threads[1], NULL, wait_for_lock, (void *)&tid) == 0);
	while (!tid || state_of(tid) != 'S')
		pause_ms(1);
	tell("pid", getpid());
	puts("waiting");
	fflush(stdout);
	want_event(fd, -1);
}

static const struct mode modes[] = {
	{"known", known},
	{"spans", spans},
	{"forever", forever},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return truth_main(argc, argv, modes);
}
