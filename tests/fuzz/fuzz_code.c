/* SPDX-License-Identifier: BSD-2-Clause */
/* Machine code of any bytes: where a function's entry is probed, and where its code goes. */
#include <stdlib.h>
#include <string.h>

#include "function_code.h"
#include "function_entry.h"

#define ADDRESS 0x401000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const unsigned char *code, size_t size)
{
	struct function_placement placement = function_entry_place(code, size);

	if (placement.skip_bytes > size || (placement.refused && !placement.refused[0]))
		__builtin_trap();
	function_entry_is_push(code, size);
	function_entry_is_probed(code, size);
}

static void check_code(const struct function_code *code)
{
	uint32_t next = 0;

	for (size_t i = 0; i < code->count; i++) {
		if (code->starts[i] < next || code->starts[i] >= code->size_bytes ||
		    !function_code_has(code, code->address + code->starts[i]))
			__builtin_trap();
		next = code->starts[i] + 1;
		function_code_keeps_argument(code, i);
	}
	if (function_code_has(code, code->address - 1) ||
	    function_code_has(code, code->address + code->size_bytes))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct function_code code;
	/* of the exact size, so that a sanitizer sees every overrun */
	unsigned char *bytes = malloc(size + !size);

	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	check_entry(bytes, size);
	if (function_code_decode(bytes, (uint32_t)size, ADDRESS, &code) == 0) {
		check_code(&code);
		function_code_done(&code);
	}
	free(bytes);
	return 0;
}
