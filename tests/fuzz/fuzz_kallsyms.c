/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/kallsyms of any bytes: no more functions than lines, and every one is found. */
#include <string.h>

#include "kallsyms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kernel_symbol symbol;
	struct kallsyms *kallsyms;
	size_t lines = 0;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	if (kallsyms_parse((const char *)data, size, &kallsyms))
		return 0;
	if (kallsyms_size(kallsyms) > lines ||
	    (kallsyms_are_hidden(kallsyms) && kallsyms_size(kallsyms)))
		__builtin_trap();
	for (uint64_t address = 1; address; address <<= 1)
		if (kallsyms_find(kallsyms, address, &symbol) == 0 &&
		    (symbol.offset > address || strlen(symbol.name) > size ||
		     strlen(symbol.module) > size))
			__builtin_trap();
	kallsyms_free(kallsyms);
	return 0;
}
