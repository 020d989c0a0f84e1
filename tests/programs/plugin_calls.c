/* SPDX-License-Identifier: BSD-2-Clause */
/* A library that is opened and closed while its functions are probed. */
#include "plugin_calls.h"

__attribute__((noinline)) uint64_t plugin_leaf(uint64_t value)
{
	__asm__ volatile("" : : : "memory");
	return value * 7 + 2;
}

uint64_t plugin_call(uint64_t value)
{
	return plugin_leaf(value) + plugin_leaf(value + 1);
}
