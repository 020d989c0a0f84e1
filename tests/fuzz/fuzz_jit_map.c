/* SPDX-License-Identifier: BSD-2-Clause */
/* /tmp/perf-PID.map of any bytes: a name is a part of the text. */
#include <stdlib.h>
#include <string.h>

#include "jit_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jit_map map = {0}; /* of no process: no file is read */
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	if (jit_map_parse(&map, text, size) == 0) {
		for (uint64_t address = 1; address; address <<= 1) {
			uint64_t offset;
			const char *name = jit_map_find(&map, address, &offset);

			if (name && (offset > address || strlen(name) > size))
				__builtin_trap();
		}
	}
	jit_map_done(&map);
	return 0;
}
