/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/PID/maps of any bytes: every line is either a mapping or counted as bad. */
#include <string.h>

#include "proc_maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proc_maps maps;
	size_t lines = size && data[size - 1] != '\n';

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	if (proc_maps_parse((const char *)data, size, &maps))
		return 0;
	if (maps.size + maps.bad_lines != lines)
		__builtin_trap();
	for (size_t i = 0; i < maps.size; i++)
		if (maps.maps[i].start >= maps.maps[i].end || strlen(maps.maps[i].path) > size)
			__builtin_trap();
	proc_maps_done(&maps);
	return 0;
}
