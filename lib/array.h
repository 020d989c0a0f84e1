/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_ARRAY_H
#define PROBEKIT_ARRAY_H
/* Arrays that know their size, and whose room follows from it: the next power of two. */
#include <stdlib.h>

/* Room for one more; the items may move. NULL: there is no memory, and all is as it was. */
static inline void *array_grow(void *items, size_t size, size_t item_bytes)
{
	if (size & (size - 1))
		return items;
	return reallocarray(items, size ? size * 2 : 1, item_bytes);
}

#endif
