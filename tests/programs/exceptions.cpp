/* SPDX-License-Identifier: BSD-2-Clause */
/* Scoped spans that C++ exceptions and forced unwinding leave. */
#include <probekit/probe.h>

#include <pthread.h>

#include "program.h"

#define NOINLINE __attribute__((noinline))

namespace
{

NOINLINE void fail(unsigned long i)
{
	PROBEKIT_SPAN(exceptions, inner);
	touch();
	if (i != ~0ul)
		throw i;
}

NOINLINE void pass(unsigned long i)
{
	PROBEKIT_SPAN(exceptions, middle);
	fail(i);
	touch();
}

NOINLINE void attempt(unsigned long i)
{
	PROBEKIT_SPAN(exceptions, outer);
	try {
		pass(i);
	} catch (unsigned long) {
		PROBEKIT_SPAN(exceptions, handler);
		touch();
	}
}

void throws(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		attempt(i);
}

NOINLINE void rethrow(unsigned long i)
{
	PROBEKIT_SPAN(exceptions, middle);
	try {
		fail(i);
	} catch (...) {
		PROBEKIT_SPAN(exceptions, handler);
		throw;
	}
}

void rethrows(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		PROBEKIT_SPAN(exceptions, outer);
		try {
			rethrow(i);
		} catch (unsigned long) {
			touch();
		}
	}
}

template <typename T> NOINLINE void work(T)
{
	PROBEKIT_SPAN(exceptions, generic);
	touch();
}

/* One span in two instances of a template and in a lambda. */
void templates(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		work(1);
		work(2.0);
		[] {
			PROBEKIT_SPAN(exceptions, generic);
			touch();
		}();
	}
}

NOINLINE void leave_thread()
{
	PROBEKIT_SPAN(exceptions, inner);
	pthread_exit(nullptr);
}

void *run_thread(void *arg)
{
	PROBEKIT_SPAN(exceptions, outer);
	leave_thread();
	return arg;
}

/* Forced unwinding runs a C++ function's cleanups: these spans end. */
void thread_exits(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		pthread_t thread;

		if (pthread_create(&thread, nullptr, run_thread, nullptr) ||
		    pthread_join(thread, nullptr))
			abort();
	}
}

} // namespace

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"throws", throws},	  {"rethrows", rethrows},
		{"templates", templates}, {"thread_exits", thread_exits},
		{nullptr, nullptr},
	};

	return program_main(argc, argv, modes, nullptr);
}
