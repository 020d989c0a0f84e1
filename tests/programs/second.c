/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that another one executes: it has a span of its own, and one of the same name. */
#include <probekit/probe.h>

#include "program.h"

static __attribute__((noinline)) void work(void)
{
	PROBEKIT_SPAN(processes, work);
	{
		PROBEKIT_SPAN(second, own);
		touch();
	}
}

/* Not before the test knows that every span of ours is measured. */
static void attached(unsigned long count)
{
	await_go();
	if (!PROBEKIT_ENABLED(second, own) || !PROBEKIT_ENABLED(processes, work))
		abort();
	for (unsigned long i = 0; i < count; i++)
		work();
}

/* Whoever started it lets it go by closing its standard input. */
static void gated(unsigned long count)
{
	while (getchar() != EOF)
		;
	for (unsigned long i = 0; i < count; i++)
		work();
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"attached", attached},
		{"gated", gated},
		{NULL, NULL},
	};

	return program_main(argc, argv, modes, NULL);
}
