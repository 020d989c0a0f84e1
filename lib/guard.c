/* SPDX-License-Identifier: BSD-2-Clause */
#include "guard.h"

static double share_of(const struct guard_load *load, uint64_t window_ns)
{
	return window_ns ? (double)load->calls * (double)load->call_ns / (double)window_ns : 0;
}

double guard_share(const struct guard_load *loads, size_t size, uint64_t window_ns)
{
	double share = 0;

	for (size_t i = 0; i < size; i++)
		if (!loads[i].is_dropped)
			share += share_of(&loads[i], window_ns);
	return share;
}

static struct guard_load *find_hottest(struct guard_load *loads, size_t size, uint64_t window_ns)
{
	struct guard_load *hottest = NULL;

	for (size_t i = 0; i < size; i++)
		if (!loads[i].is_dropped && loads[i].calls >= GUARD_CALLS_MIN &&
		    (!hottest || share_of(&loads[i], window_ns) > share_of(hottest, window_ns)))
			hottest = &loads[i];
	return hottest;
}

size_t guard_choose(struct guard_load *loads, size_t size, uint64_t window_ns, double limit)
{
	size_t dropped = 0;

	while (guard_share(loads, size, window_ns) > limit) {
		struct guard_load *hottest = find_hottest(loads, size, window_ns);

		if (!hottest)
			break;
		hottest->is_dropped = true;
		dropped++;
	}
	return dropped;
}
