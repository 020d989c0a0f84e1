/* SPDX-License-Identifier: BSD-2-Clause */
/* Spans in every shape, around waits that are known: nested, paired, joined by id, with keys. */
#include "truth.h"

/* ---- shapes ---- */

static NOINLINE void outer_span(void)
{
	PROBEKIT_SPAN(waits, outer);
	pause_ms(1);
	bracket(scoped);
	burn_us(1000);
	bracket(scoped);
}

static void nests(unsigned long count)
{
	long long stolen = stolen_ns();

	waiting = nap;
	for (unsigned long i = 0; i < count; i++)
		outer_span();
	tell_truth(stolen_ns() - stolen);
}

static int levels;

/* Three spans of one name inside each other. */
static void nap_and_recurse(void)
{
	pause_ms(1);
	if (++levels % 3)
		bracket(scoped);
}

static void recursions(unsigned long count)
{
	rounds(count, nap_and_recurse);
}

static NOINLINE void explicit_pair(void)
{
	PROBEKIT_SPAN_BEGIN(waits, pair);
	inside();
	PROBEKIT_SPAN_END(waits, pair);
}

static void pairs(unsigned long count)
{
	run_rounds(count, NULL, explicit_pair, nap);
}

static NOINLINE void two_events(void)
{
	PROBEKIT_EVENT(waits, work__start);
	inside();
	PROBEKIT_EVENT(waits, work__done);
}

static void events(unsigned long count)
{
	run_rounds(count, NULL, two_events, nap);
}

static NOINLINE void async_span(void)
{
	PROBEKIT_ASYNC_BEGIN(waits, request, 1);
	inside();
	PROBEKIT_ASYNC_END(waits, request, 1);
}

static void asyncs(unsigned long count)
{
	run_rounds(count, NULL, async_span, nap);
}

static void end_and_write(void)
{
	hold();
	PROBEKIT_ASYNC_END(waits, handed, 2);
	write_eight();
}

static NOINLINE void begin_and_read(void)
{
	PROBEKIT_ASYNC_BEGIN(waits, handed, 2);
	read_eight();
}

/* One that ends where it began, and one that does not. */
static void handovers(unsigned long count)
{
	check(pipe2(fds, O_CLOEXEC) == 0);
	rounds_with((struct peer){NULL, end_and_write, false}, count, begin_and_read);
	run_rounds(count, NULL, async_span, nap);
}

static long key;

static NOINLINE void keyed(void)
{
	PROBEKIT_SPAN_KEY(waits, keyed, key);
	inside();
}

static void next_key(void)
{
	key = (key + 1) % 5;
}

static void nap_by_key(void)
{
	pause_ms((unsigned int)key + 1);
	burn_us(1000);
}

static void keys(unsigned long count)
{
	run_rounds(count, next_key, keyed, nap_by_key);
}

/* Waits between its spans only. */
static void pauses_between(unsigned long count)
{
	run_rounds(count, nap, scoped, touch);
}

static NOINLINE void empty(void)
{
	PROBEKIT_SPAN(waits, round);
	touch();
}

static void empties(unsigned long count)
{
	long long stolen = stolen_ns();

	for (unsigned long i = 0; i < count; i++)
		empty();
	tell_truth(stolen_ns() - stolen);
}

static NOINLINE void open_span(void)
{
	PROBEKIT_SPAN_BEGIN(waits, left_open);
}

/* Is inside a span when the mode has run. */
static void leaves_open(unsigned long count)
{
	open_span();
	rounds(count, nap);
}

static const struct mode modes[] = {
	{"nest", nests},    {"recursion", recursions}, {"pair", pairs}, {"events", events},
	{"async", asyncs},  {"handover", handovers},   {"keys", keys},	{"between", pauses_between},
	{"empty", empties}, {"open", leaves_open},     {NULL, NULL},
};

int main(int argc, char **argv)
{
	return truth_main(argc, argv, modes);
}
