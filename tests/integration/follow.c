/* SPDX-License-Identifier: BSD-2-Clause */
#include "follow.h"

#include <stdlib.h>

int follow_with_any(void **state)
{
	(void)state;
	unsetenv("PROBEKIT_DISABLE_FEATURES");
	return 0;
}

int follow_with_perf_events(void **state)
{
	(void)state;
	setenv("PROBEKIT_DISABLE_FEATURES", "uprobe_multi", 1);
	return 0;
}
