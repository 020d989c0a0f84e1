/* SPDX-License-Identifier: BSD-2-Clause */
/* A library to be opened while its program runs: a span of its own, and one that the program has
 * too. */
#include <probekit/probe.h>

#include "plugin_spans.h"

static __attribute__((noinline)) void work(void)
{
	PROBEKIT_SPAN(processes, work);
	{
		PROBEKIT_SPAN(plugin, own);
		__asm__ volatile("" : : : "memory");
	}
}

int plugin_is_traced(void)
{
	return PROBEKIT_ENABLED(plugin, own) && PROBEKIT_ENABLED(processes, work);
}

void plugin_run(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		work();
}
