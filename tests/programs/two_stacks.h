/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for two stacks beside each other. */
#ifndef TWO_STACKS_H
#define TWO_STACKS_H
#include <stdlib.h>
#include <sys/mman.h>

#define STACK_BYTES 65536

static inline char *map_stacks(void)
{
	char *stacks = mmap(NULL, 2 * STACK_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (stacks == MAP_FAILED)
		abort();
	return stacks;
}

#endif
