/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of functions in C are counted as the program itself counts them: by returns and by exits, by
 * uprobe_multi and by perf events. */
#include "calls.h"

static const struct calls_group groups[] = {
	{calls_core, "", NULL, 0},
	{calls_core, "exits", NULL, 0},
	{calls_few, "frame", NULL, 0},
	{calls_few, "fast", NULL, 0},
	{calls_few, "cet", NULL, 0},
	{calls_few, "static", NULL, 0},
	{calls_few, "fixed", NULL, 0},
	{calls_few, "", "uprobe_multi", 0},
	{calls_few, "exits", "uprobe_multi", 0},
};

int main(void)
{
	return calls_main("calls", groups, sizeof(groups) / sizeof(*groups), NULL, 0);
}
