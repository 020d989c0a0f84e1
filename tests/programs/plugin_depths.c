/* SPDX-License-Identifier: BSD-2-Clause */
/* A library to be opened while its program runs, through which calls go back into the program. */
#include "plugin_depths.h"

int plugin_descend(unsigned int depth, void (*callback)(void))
{
	volatile char room[48];
	int result = 0;

	room[depth % sizeof(room)] = 1;
	if (depth)
		result = plugin_descend(depth - 1, callback);
	else
		callback();
	return result + room[depth % sizeof(room)];
}
