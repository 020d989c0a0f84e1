/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spans of every shape inside each other, during which the process is stopped and continued from outside, and
 * spans during which it is not. What each took of a CPU, and waited for one, is read just inside the
 * innermost and just outside the outermost.
 */
#include "truth.h"

#define STOPS 3	   /* a span */
#define STOP_MS 15 /* of which an emulated CPU may stand still for some */

/* ---- who stops ---- */

static void stop_waiter(void)
{
	long long begin = now_ns();
	long long stopped;

	kill(waiter, SIGSTOP);
	await_state("T");
	stopped = now_ns();
	pause_ms(STOP_MS);
	atomic_fetch_add(&shared->least_ns, now_ns() - stopped);
	kill(waiter, SIGCONT);
	atomic_fetch_add(&shared->most_ns, now_ns() - begin);
	await_state("R");
}

static void stop_often(void)
{
	for (int i = 0; i < STOPS; i++)
		stop_waiter();
	atomic_store(&shared->is_released, 1);
}

static void spin_until_released(void)
{
	while (!atomic_exchange(&shared->is_released, 0))
		;
}

/* ---- the shapes ---- */

static NOINLINE void innermost(void)
{
	PROBEKIT_SPAN_KEY(stops, inner, 7);
	inside();
}

static NOINLINE void async_of_one_thread(void)
{
	PROBEKIT_ASYNC_BEGIN(stops, async, 1);
	innermost();
	PROBEKIT_ASYNC_END(stops, async, 1);
}

static NOINLINE void explicit_pair(void)
{
	PROBEKIT_SPAN_BEGIN(stops, pair);
	async_of_one_thread();
	PROBEKIT_SPAN_END(stops, pair);
}

static NOINLINE void outer_span(void)
{
	PROBEKIT_SPAN(stops, outer);
	explicit_pair();
}

NOINLINE void stopped_call(void);
NOINLINE void stopped_call(void)
{
	outer_span();
	touch(); /* no tail call */
}

static NOINLINE void plain(void)
{
	PROBEKIT_SPAN(stops, plain);
	burn_us(20);
}

/* ---- modes ---- */

struct most {
	long long inner;
	long long outer;
};

static long long busy(const struct reading *reading)
{
	return reading->cpu + reading->delay;
}

static void note_most(struct most *most, long long inner_before, long long outer_before)
{
	long long took_inside = busy(&inner) - inner_before;
	long long took_outside = busy(&outer) - outer_before;

	most->inner = took_inside > most->inner ? took_inside : most->inner;
	most->outer = took_outside > most->outer ? took_outside : most->outer;
}

static void shapes(unsigned long count)
{
	long long stolen = stolen_ns();
	struct most most = {0};

	peer_start((struct peer){NULL, stop_often, true}, count);
	waiting = spin_until_released;
	for (unsigned long i = 0; i < count; i++) {
		long long inner_before = busy(&inner);
		long long outer_before = busy(&outer);

		await_peer();
		bracket(stopped_call);
		note_most(&most, inner_before, outer_before);
		plain();
	}
	tell_truth(stolen_ns() - stolen);
	tell("inner-most", most.inner);
	tell("outer-most", most.outer);
}

static void *end_elsewhere(void *arg)
{
	PROBEKIT_ASYNC_END(stops, handed, 2);
	return arg;
}

static NOINLINE void begin_and_hand_over(void)
{
	pthread_t thread;

	PROBEKIT_ASYNC_BEGIN(stops, handed, 2);
	inside();
	check(pthread_create(&thread, NULL, end_elsewhere, NULL) == 0);
	pthread_join(thread, NULL);
}

static void handovers(unsigned long count)
{
	peer_start((struct peer){NULL, stop_often, true}, count);
	run_rounds(count, await_peer, begin_and_hand_over, spin_until_released);
}

/* Leaves a child in its group. */
static void leave_child(unsigned long count)
{
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	tell("child", child);
	while (count--)
		plain();
}

static const struct mode modes[] = {
	{"shapes", shapes},
	{"handed", handovers},
	{"leave", leave_child},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return truth_main(argc, argv, modes);
}
