/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that exceptions, handlers, coroutines and ending threads leave: a program that is probed lives
 * through all of it, and the counts are its own. */
#include "calls.h"

static const struct calls_group groups[] = {
	{calls_cxx, "", NULL, 0},
	{calls_stacks, "", NULL, 0},
	{calls_threads, "", NULL, 0},
	{calls_left_few, "", "uprobe_multi", 0},
};

int main(void)
{
	return calls_main("functions that are left", groups, sizeof(groups) / sizeof(*groups), NULL,
			  0);
}
