/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that stay where they are, most of them inside a span. Each is told with its tid, where
 * its span began, at least since when it is where it stays, and the addresses of the locks that it
 * holds and wants; "stuck" is told once all of them are there. Never ends by itself.
 */
#include "scene.h"

struct stuck {
	const char *name;
	void (*run)(struct stuck *stuck);
	pthread_mutex_t *holds; /* taken before all of the others go on; NULL: none */
	pthread_mutex_t *wants;
	bool is_running; /* instead of blocked */
	bool has_no_span;
	pid_t tid;
	long long began_ns;
	atomic_llong since_ns;
};

static pthread_barrier_t all_hold;
static int silent[2]; /* a pipe that nobody writes to */
static pthread_mutex_t locks[4] = {
	PTHREAD_MUTEX_INITIALIZER,
	PTHREAD_MUTEX_INITIALIZER,
	PTHREAD_MUTEX_INITIALIZER,
	PTHREAD_MUTEX_INITIALIZER,
};

/* ---- where they stay ---- */

static NOINLINE void want_lock(struct stuck *stuck)
{
	stuck->since_ns = now_ns();
	pthread_mutex_lock(stuck->wants);
	touch();
}

static NOINLINE void want_byte(struct stuck *stuck)
{
	char byte;

	stuck->since_ns = now_ns();
	check(read(silent[0], &byte, 1) == 1);
	touch();
}

static NOINLINE void want_time(struct stuck *stuck)
{
	stuck->since_ns = now_ns();
	pause_ms(3600 * 1000);
	touch();
}

static NOINLINE void spin(struct stuck *stuck)
{
	stuck->since_ns = now_ns();
	for (;;)
		touch();
}

/* ---- threads ---- */

static NOINLINE void stay(struct stuck *stuck)
{
	PROBEKIT_SPAN(stuck, span);

	stuck->run(stuck);
	touch();
}

static void *run_stuck(void *arg)
{
	struct stuck *stuck = arg;

	prctl(PR_SET_NAME, stuck->name);
	stuck->tid = (pid_t)syscall(SYS_gettid);
	if (stuck->holds)
		pthread_mutex_lock(stuck->holds);
	pthread_barrier_wait(&all_hold);
	stuck->began_ns = now_ns();
	if (stuck->has_no_span)
		stuck->run(stuck);
	else
		stay(stuck);
	return NULL;
}

static void await_stuck(struct stuck *stuck)
{
	while (!stuck->since_ns || (!stuck->is_running && state_of(stuck->tid) != 'S'))
		pause_ms(1);
}

static void tell_stuck(const struct stuck *stuck)
{
	char name[32];

	tell(stuck->name, stuck->tid);
	snprintf(name, sizeof(name), "%s-began", stuck->name);
	tell(name, stuck->began_ns);
	snprintf(name, sizeof(name), "%s-since", stuck->name);
	tell(name, stuck->since_ns);
	if (stuck->holds)
		printf("%s-holds %p\n", stuck->name, (void *)stuck->holds);
	if (stuck->wants)
		printf("%s-wants %p\n", stuck->name, (void *)stuck->wants);
}

/* `stuck` ends without a name. */
static void stick(struct stuck *stuck)
{
	unsigned int count = 0;
	pthread_t thread;

	while (stuck[count].name)
		count++;
	check(pipe2(silent, O_CLOEXEC) == 0);
	check(pthread_barrier_init(&all_hold, NULL, count) == 0);
	for (unsigned int i = 0; i < count; i++)
		check(pthread_create(&thread, NULL, run_stuck, &stuck[i]) == 0);
	for (unsigned int i = 0; i < count; i++)
		await_stuck(&stuck[i]);
	for (unsigned int i = 0; i < count; i++)
		tell_stuck(&stuck[i]);
	tell("lock-bytes", sizeof(locks[0]));
	tell("stuck", count);
	for (;;)
		pause();
}

static void each_kind(unsigned long count)
{
	static struct stuck stuck[] = {
		{.name = "locked", .run = want_lock, .wants = &locks[0]},
		{.name = "reading", .run = want_byte},
		{.name = "sleeping", .run = want_time, .holds = &locks[0]},
		{.name = "spinning", .run = spin, .is_running = true},
		{.name = NULL},
	};

	(void)count;
	stick(stuck);
}

/* "third" has no span; "outside" waits for the circle, but is no part of it. */
static void deadlock(unsigned long count)
{
	static struct stuck stuck[] = {
		{.name = "first", .run = want_lock, .holds = &locks[0], .wants = &locks[1]},
		{.name = "second", .run = want_lock, .holds = &locks[1], .wants = &locks[2]},
		{.name = "third",
		 .run = want_lock,
		 .holds = &locks[2],
		 .wants = &locks[0],
		 .has_no_span = true},
		{.name = "outside", .run = want_lock, .wants = &locks[0]},
		{.name = NULL},
	};

	(void)count;
	stick(stuck);
}

static void chain(unsigned long count)
{
	static struct stuck stuck[] = {
		{.name = "first", .run = want_lock, .holds = &locks[0], .wants = &locks[1]},
		{.name = "second", .run = want_lock, .holds = &locks[1], .wants = &locks[2]},
		{.name = "third", .run = want_time, .holds = &locks[2]},
		{.name = NULL},
	};

	(void)count;
	stick(stuck);
}

static const struct mode modes[] = {
	{"each_kind", each_kind},
	{"deadlock", deadlock},
	{"chain", chain},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return truth_main(argc, argv, modes);
}
