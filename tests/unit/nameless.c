/* SPDX-License-Identifier: BSD-2-Clause */
#include "nameless.h"

#include <string.h>

#include "stack.h"

#define MAX_FRAMES 8

struct probekit_stack calls(const char *functions, double share)
{
	struct probekit_frame frames[MAX_FRAMES];
	struct probekit_stack stack = {.frames = frames, .is_complete = true, .share = share};
	struct probekit_stack made;
	char *names = copied(functions);
	char *rest = names;

	for (char *name; (name = strsep(&rest, " "));)
		frames[stack.size++] =
			(struct probekit_frame){.function = name, .module = "/opt/app", .line = 7};
	assert_int_equal(stack_copy(&made, &stack), 0);
	free(names);
	return made;
}

struct probekit_lock nameless(uint64_t address, uint64_t count)
{
	struct probekit_lock lock = {
		.pid = 42,
		.address = address,
		.kind = copied("mutex"),
		.objects = 1,
		.waits = {.kind = PROBEKIT_KIND_USDT,
			  .count = count,
			  .sum = (int64_t)count * MS,
			  .min = MS,
			  .max = 2 * MS,
			  .histogram = {.scale = 4, .size = 1}},
		.waiters = zeroed(1, sizeof(*lock.waiters)),
		.waiter_count = 1,
	};

	lock.waits.histogram.index = zeroed(1, sizeof(*lock.waits.histogram.index));
	lock.waits.histogram.count = zeroed(1, sizeof(*lock.waits.histogram.count));
	lock.waits.histogram.index[0] = -150;
	lock.waits.histogram.count[0] = count;
	lock.waiters[0] = calls("lock get serve main", 1);
	return lock;
}
