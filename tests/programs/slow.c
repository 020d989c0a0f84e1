/* SPDX-License-Identifier: BSD-2-Clause */
/* Spans of which the program knows how long each one took: the slow ones sleep, the fast ones poll. */
#include <poll.h>

#include "scene.h"

#define DURATIONS 14
#define STEP_MS 4
#define FAST_OF_EACH 20

/* How many took longer than the threshold: inside at least, outside at most. */
struct over {
	long long threshold_ns;
	long long least;
	long long most;
};

static struct over over;

/* ---- slow ones among fast ones ---- */

static void poll_ns(long long ns)
{
	const struct timespec time = {.tv_nsec = ns};

	check(ppoll(NULL, 0, &time, NULL) == 0);
}

static NOINLINE void sleep_slowly(unsigned int ms)
{
	pause_ms(ms);
	touch();
}

static long long span_of(unsigned int slow_ms, long long fast_ns)
{
	PROBEKIT_SPAN(slow, span);
	long long begin = now_ns();

	if (slow_ms)
		sleep_slowly(slow_ms);
	else
		poll_ns(fast_ns);
	return now_ns() - begin;
}

static NOINLINE void take_span(unsigned int slow_ms, long long fast_ns)
{
	long long begin = now_ns();

	over.least += span_of(slow_ms, fast_ns) > over.threshold_ns;
	over.most += now_ns() - begin > over.threshold_ns;
}

static void mix(unsigned long count, unsigned int slow_ms, long long fast_ns, int fast)
{
	for (unsigned long i = 0; i < count; i++) {
		for (int k = 0; k < fast; k++)
			take_span(0, fast_ns);
		take_span(slow_ms, 0);
	}
	tell("least", over.least);
	tell("most", over.most);
}

/* Far apart. */
static void among_fast(unsigned long count)
{
	over.threshold_ns = 2000000;
	mix(count, 5, 100000, FAST_OF_EACH);
}

/* On both sides of a threshold within one power of two of seconds: 3.9 to 7.8 ms. */
static void in_one_band(unsigned long count)
{
	over.threshold_ns = 6000000;
	mix(count, 7, 4200000, 2);
}

static void for_ever(unsigned long count)
{
	tell("pid", getpid());
	for (;;)
		mix(count, 5, 100000, FAST_OF_EACH);
}

/* ---- durations ---- */

static long long date_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static long long keyed_span(long key)
{
	PROBEKIT_SPAN_KEY(slow, keyed, key);
	long long begin = now_ns();

	sleep_slowly((unsigned int)key * STEP_MS);
	return now_ns() - begin;
}

static void tell_of(long key, const char *what, long long value)
{
	char name[32];

	snprintf(name, sizeof(name), "%s-%ld", what, key);
	tell(name, value);
}

static void *take_keyed(void *arg)
{
	long key = (long)(intptr_t)arg;
	long long begin = now_ns();
	long long ended_after = date_ns();
	long long least = keyed_span(key);

	tell_of(key, "most", now_ns() - begin);
	tell_of(key, "least", least);
	tell_of(key, "tid", syscall(SYS_gettid));
	tell_of(key, "after", ended_after + least);
	tell_of(key, "before", date_ns());
	return NULL;
}

/* Keys 1 to DURATIONS in an order that is neither, every other one on a thread of its own. */
static void durations(unsigned long count)
{
	pthread_t thread;

	(void)count;
	for (long i = 1; i <= DURATIONS; i++) {
		long key = i * 4 % (DURATIONS + 1);

		if (i % 2 == 0) {
			take_keyed((void *)(intptr_t)key);
			continue;
		}
		check(pthread_create(&thread, NULL, take_keyed, (void *)(intptr_t)key) == 0);
		check(pthread_join(thread, NULL) == 0);
	}
}

static const struct mode modes[] = {
	{"among_fast", among_fast},
	{"in_one_band", in_one_band},
	{"for_ever", for_ever},
	{"durations", durations},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	setpriority(PRIO_PROCESS, 0, -20);
	return program_main(argc, argv, modes, NULL);
}
