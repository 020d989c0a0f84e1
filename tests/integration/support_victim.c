/* SPDX-License-Identifier: BSD-2-Clause */
#include "support_victim.h"

#include <stdio.h>

void support_start_victim(struct support_child *target, const struct support_how *how,
			  const char *path)
{
	char count[16];
	const char *const words[] = {path, "lines", count, NULL};

	snprintf(count, sizeof(count), "%d", SUPPORT_VICTIM_SPANS);
	support_start(target, how, words);
	assert_true(support_wait_text(target, &target->out, "ready"));
}

void support_let_victim_work(struct support_child *target)
{
	char did[32];

	snprintf(did, sizeof(did), "did %d\n", SUPPORT_VICTIM_SPANS);
	support_write(target, "go\n");
	assert_true(support_wait_text(target, &target->out, did));
}

void support_check_victim_counted(struct support_child *probekit, struct support_child *target)
{
	json_t *snapshot;

	support_let_victim_work(target);
	snapshot = support_end_measuring(probekit);
	assert_int_equal(support_integer(support_row(snapshot, "victim:work"), "count"),
			 SUPPORT_VICTIM_SPANS);
	json_decref(snapshot);
}
