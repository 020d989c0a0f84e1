/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of functions of all shapes, as compilers make them of one source: first and last instructions,
 * conditional tail calls, clones and parts. */
#include "calls.h"

static const struct calls_group groups[] = {
	{calls_shapes, "", NULL, 0},	  {calls_shapes, "exits", NULL, 0},
	{calls_shapes, "frame", NULL, 4}, {calls_shapes, "fast", NULL, 4},
	{calls_shapes, "cet", NULL, 4},	  {calls_shapes, "static", NULL, 4},
	{calls_shapes, "fixed", NULL, 4},
};

int main(void)
{
	return calls_main("calls of all shapes", groups, sizeof(groups) / sizeof(*groups), NULL, 0);
}
