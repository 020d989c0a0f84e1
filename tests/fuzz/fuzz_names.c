/* SPDX-License-Identifier: BSD-2-Clause */
/* Symbols of any bytes, as they are shown and looked for. */
#include <stdlib.h>
#include <string.h>

#include "demangle.h"
#include "error.h"
#include "function_names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A cut name ends in dots, and every name within its room. */
static void check(const char *symbol, size_t room)
{
	char *text = malloc(room);
	char *escaped = malloc(room);

	if (!text || !escaped)
		abort();
	demangle(symbol, text, room);
	if (strlen(text) >= room)
		__builtin_trap();
	demangle_with_parameters(symbol, text, room);
	if (strlen(text) >= room)
		__builtin_trap();
	escape_text(text, escaped, room);
	if (strlen(escaped) >= room)
		__builtin_trap();
	free(text);
	free(escaped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char display[DEMANGLED_BYTES_MAX];
	char *symbol = malloc(size + 1);

	if (!symbol)
		return 0;
	memcpy(symbol, data, size);
	symbol[size] = '\0';
	check(symbol, DEMANGLED_BYTES_MAX);
	check(symbol, 16);
	function_name_display(symbol, display);
	function_name_matches(symbol, "shop::*");
	free(symbol);
	return 0;
}
