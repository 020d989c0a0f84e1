/* SPDX-License-Identifier: BSD-2-Clause */
/* USDT arguments of any text, for every machine; what is understood must make sense. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "sdt_arg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct sdt_arg *arg)
{
	bool has_size = arg->size_bytes == 1 || arg->size_bytes == 2 || arg->size_bytes == 4 ||
			arg->size_bytes == 8;
	bool has_scale = arg->scale == 1 || arg->scale == 2 || arg->scale == 4 || arg->scale == 8;

	if (!has_size || !has_scale || arg->reg < SDT_NO_REGISTER || arg->reg > 31 ||
	    arg->index < SDT_NO_REGISTER || arg->index > 31)
		__builtin_trap();
	if (arg->kind == SDT_ARG_REGISTER && arg->reg == SDT_NO_REGISTER)
		__builtin_trap();
	if (arg->is_vector && arg->kind != SDT_ARG_REGISTER)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t machines[] = {EM_X86_64, EM_AARCH64, EM_NONE};
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		struct sdt_arg args[SDT_MAX_ARGS];
		size_t count = sdt_args_parse(text, machines[i], args);

		if (count > SDT_MAX_ARGS)
			__builtin_trap();
		for (size_t j = 0; j < count; j++)
			check(&args[j]);
	}
	free(text);
	return 0;
}
