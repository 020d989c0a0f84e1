/* SPDX-License-Identifier: BSD-2-Clause */
#include "quiet.h"

static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

libbpf_print_fn_t quiet_begin(void)
{
	return libbpf_set_print(print_nothing);
}
